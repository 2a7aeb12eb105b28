//! Another tool's `notify` program, called after ours with what Codex gave us.
//!
//! Codex has one `notify`. Where another tool had it first, ours takes the place and hands every call on: same
//! program, same arguments, same payload, in a process group of its own so that it outlives us and Codex. It is
//! never waited for. A program that would lead back to ours is not called.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::codex::hooks_config::is_notify;

/// Outcome of a call.
#[derive(Debug, PartialEq, Eq)]
pub enum Chained {
    Started,
    /// Nothing is to be called.
    None,
    /// The program is our own, or this process was itself started by the chain.
    Loop,
}

/// Starts the remembered program. `inside_chain` says whether this process carries [`MARK_VARIABLE`].
///
/// # Errors
/// When the program cannot be started.
pub fn call(argv: &[String], payload: &std::ffi::OsStr, inside_chain: bool) -> io::Result<Chained> {
    let Some((program, arguments)) = argv.split_first().filter(|(program, _)| !program.is_empty()) else {
        return Ok(Chained::None);
    };
    if inside_chain || is_ourselves(program) {
        return Ok(Chained::Loop);
    }
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg(payload)
        .env(MARK_VARIABLE, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = crate::platform::apart(&mut command).spawn()?;
    // Not waited for: this process ends at once and init takes the child over.
    drop(child);
    Ok(Chained::Started)
}

/// Returns true if a program is an edition of ours, by its name or by the file it leads to.
fn is_ourselves(program: &str) -> bool {
    if is_notify(program) {
        return true;
    }
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    match (real(Path::new(program)), std::env::current_exe().ok().and_then(|exe| real(&exe))) {
        (Some(theirs), Some(ours)) => theirs == ours,
        _ => false,
    }
}

/// Set for the program we call, so that ours, called again from there, does not call it once more.
pub const MARK_VARIABLE: &str = "ARIZE_CODEX_NOTIFY_CHAIN";

// What is called here are programs of a POSIX system.
#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::time::{Duration, Instant};

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn chained_notify_gets_payload_last() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let script = "printf '%s|' \"$@\" \"$ARIZE_CODEX_NOTIFY_CHAIN\" > \"$0.part\"; mv \"$0.part\" \"$0\"";
        let words = argv(&["/bin/sh", "-c", script, out.to_str().unwrap(), "turn ended", ""]);
        assert_eq!(call(&words, OsStr::new("{\"a\": 'x'}"), false).unwrap(), Chained::Started);
        let deadline = Instant::now() + Duration::from_secs(20);
        while !out.exists() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "turn ended||{\"a\": 'x'}|1|");
    }

    #[test]
    fn chained_notify_never_calls_itself() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("innocent");
        std::os::unix::fs::symlink(std::env::current_exe().unwrap(), &link).unwrap();
        let payload = OsStr::new("{}");
        for program in ["/other/edition/bin/arize-hook-codex-notify", link.to_str().unwrap()] {
            assert_eq!(call(&argv(&[program]), payload, false).unwrap(), Chained::Loop);
        }
        assert_eq!(call(&argv(&["/bin/true"]), payload, true).unwrap(), Chained::Loop);
        assert_eq!(call(&[], payload, false).unwrap(), Chained::None);
        assert!(call(&argv(&["/nonexistent/x"]), payload, false).is_err());
    }
}
