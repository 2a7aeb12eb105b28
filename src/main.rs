//! The executable: everything is in the library.

use std::process::ExitCode;

use arize_codex::arena::Arena;
use arize_codex::context::Context;

#[global_allocator]
static MEMORY: Arena = Arena::new();

fn main() -> ExitCode {
    ExitCode::from(arize_codex::run(&Context::from_process()))
}
