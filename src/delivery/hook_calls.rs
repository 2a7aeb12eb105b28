//! How often each event has called, and when last: a number in `seen/<Event>` and that file's time, for `doctor`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::codex::events::EVENTS;
use crate::context::Paths;
use crate::{file, platform};

/// Name of notify among the events.
pub const NOTIFY: &str = "notify";
/// Calls of which something could not be done; the log says what.
pub const FAILED: &str = "failed";

/// The calls of one event since the state directory was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventCalls {
    pub event: &'static str,
    pub calls: u64,
    pub last: Option<SystemTime>,
}

/// Counts a call. What cannot be counted is missing from doctor's report and harms nothing else.
pub fn note(paths: &Paths, event: &str) {
    let path = path_of(paths, event);
    let missing = count(&path).is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
    // Nothing is made where nothing is traced.
    if missing && paths.state().exists() && file::create_private_dir(&paths.hook_calls()).is_ok() {
        let _ = count(&path);
    }
}

/// Adds one to the number in a file. Tools that run at the same time call at the same instant, so the file is locked.
fn count(path: &Path) -> io::Result<()> {
    let file = file::private_options().create(true).truncate(false).read(true).write(true).open(path)?;
    if file::lock_within(&file, PATIENCE)? {
        let number = number_in(&file).saturating_add(1);
        platform::write_all_at(&file, format!("{number}\n").as_bytes(), 0)?;
    }
    Ok(())
}

/// The number a file begins with; 0 when it begins with none.
fn number_in(file: &File) -> u64 {
    let mut text = [0; MAX_DIGITS];
    let read = platform::read_at(file, &mut text, 0).unwrap_or(0);
    let digits = text[..read].split(|b| !b.is_ascii_digit()).next().unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Every event, and notify, in the order of a session.
pub fn list(paths: &Paths) -> Vec<EventCalls> {
    let names = EVENTS.iter().map(|event| event.name).chain([NOTIFY]);
    names.map(|event| of(paths, event)).collect()
}

/// The calls that failed.
pub fn failures(paths: &Paths) -> EventCalls {
    of(paths, FAILED)
}

fn of(paths: &Paths, event: &'static str) -> EventCalls {
    let file = file::open_regular(&path_of(paths, event)).ok();
    let last = file.as_ref().and_then(|f| f.metadata().and_then(|m| m.modified()).ok());
    EventCalls { event, calls: file.as_ref().map_or(0, number_in), last }
}

fn path_of(paths: &Paths, event: &str) -> PathBuf {
    paths.hook_calls().join(event)
}

/// As many as the largest number has.
const MAX_DIGITS: usize = 20;
/// Far above what counting takes; whoever waits longer is not counted.
const PATIENCE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;

    fn home() -> (tempfile::TempDir, Context) {
        let home = tempfile::tempdir().unwrap();
        let vars = [("HOME".to_string(), home.path().to_str().unwrap().to_string())].into();
        (home, Context::given(vec![], vars))
    }

    #[test]
    fn calls_are_counted_from_the_first() {
        let (_home, context) = home();
        let paths = context.paths();
        note(paths, "Stop");
        assert!(!paths.state().exists(), "nothing is made where nothing is traced");
        file::create_private_dir(&paths.state()).unwrap();
        for _ in 0..12 {
            note(paths, "Stop");
        }
        let called: Vec<_> = list(paths).into_iter().filter(|s| s.last.is_some()).collect();
        assert_eq!(called.iter().map(|s| (s.event, s.calls)).collect::<Vec<_>>(), [("Stop", 12)]);
        assert_eq!(failures(paths), EventCalls { event: FAILED, calls: 0, last: None });
    }

    #[test]
    fn concurrent_calls_are_all_counted() {
        let (_home, context) = home();
        let paths = context.paths();
        file::create_private_dir(&paths.hook_calls()).unwrap();
        std::fs::write(path_of(paths, "PreToolUse"), "damaged beyond repair").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| note(paths, "PreToolUse")));
            }
        });
        assert_eq!(of(paths, "PreToolUse").calls, 200);
    }
}
