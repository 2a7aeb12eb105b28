//! Says what lies among rollouts and is none.

use std::io::Read;
use std::path::Path;

use crate::file::open_regular;

/// Returns what a file that does not begin as a rollout is, in words for a user.
pub fn describe(path: &Path) -> &'static str {
    let mut begin = Vec::new();
    let read = open_regular(path).and_then(|file| file.take(BEGIN_BYTES).read_to_end(&mut begin));
    let begin = String::from_utf8_lossy(&begin);
    let begin = begin.trim_start();
    if read.is_err() {
        "cannot be read"
    } else if begin.is_empty() {
        "empty"
    } else if path.extension().is_some_and(|e| e == "json") && begin.contains("\"session\"") {
        "a session of the TypeScript edition of Codex, which kept no rollouts"
    } else if begin.starts_with(r#"{"type":"thread."#) {
        "what `codex exec --json` prints, which lacks times and models"
    } else {
        "no session of Codex"
    }
}

/// Enough for the first keys.
const BEGIN_BYTES: u64 = 4096;
