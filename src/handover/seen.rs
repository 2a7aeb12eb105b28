//! When each event last called: the times of the empty files `seen/<Event>`, for `doctor`.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::codex::payload::Event;
use crate::context::Paths;
use crate::file;

/// What notify is called among the events.
pub const NOTIFY: &str = "notify";

/// Notes that an event called now; costs one system call.
pub fn note(paths: &Paths, event: &str) {
    if touch(paths, event) != Err(rustix::io::Errno::NOENT) || !paths.state().exists() {
        return;
    }
    // What cannot be noted is missing from doctor's report and harms nothing else.
    let path = path_of(paths, event);
    if file::create_private_dir(&paths.state().join(FOLDER)).is_ok() {
        let _ = file::private_options().create(true).append(true).open(path);
    }
}

fn touch(paths: &Paths, event: &str) -> Result<(), rustix::io::Errno> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    utimensat(CWD, path_of(paths, event), &times, AtFlags::SYMLINK_NOFOLLOW)
}

/// Every event, and notify, with the time it last called; none when it never did.
pub fn list(paths: &Paths) -> Vec<(&'static str, Option<SystemTime>)> {
    let names = Event::ALL.iter().map(|(name, _)| *name).chain([NOTIFY]);
    let last = |name: &str| std::fs::metadata(path_of(paths, name)).and_then(|m| m.modified()).ok();
    names.map(|name| (name, last(name))).collect()
}

fn path_of(paths: &Paths, event: &str) -> PathBuf {
    paths.state().join(FOLDER).join(event)
}

const FOLDER: &str = "seen";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;

    #[test]
    fn an_event_is_seen_from_its_first_call_on() {
        let home = tempfile::tempdir().unwrap();
        let vars = [("HOME".to_string(), home.path().to_str().unwrap().to_string())].into();
        let context = Context::given(vec![], vars);
        note(context.paths(), "Stop");
        assert!(!context.paths().state().exists(), "nothing is made where nothing is traced");
        file::create_private_dir(&context.paths().state()).unwrap();
        note(context.paths(), "Stop");
        note(context.paths(), "Stop");
        let seen: Vec<_> =
            list(context.paths()).into_iter().filter(|(_, at)| at.is_some()).map(|(n, _)| n).collect();
        assert_eq!(seen, ["Stop"]);
    }
}
