//! The executable: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(arize_codex::run(&arize_codex::context::Context::from_process()))
}
