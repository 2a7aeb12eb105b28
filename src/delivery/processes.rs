//! One empty file for each Codex process and thread that hooks have seen: `live/<pid>-<start>-<place>-<thread>`.
//!
//! One look at a small directory shows whether a process's hooks work at all, and which processes are gone.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::codex::process::{CodexProcess, Life};
use crate::context::Paths;
use crate::file;
use crate::ids::ThreadId;

/// A thread of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    pub process: CodexProcess,
    pub thread: ThreadId,
}

impl Marker {
    fn path(&self, paths: &Paths) -> PathBuf {
        let CodexProcess { pid, started, place } = self.process;
        paths.running_processes().join(format!("{pid}-{started}-{place:x}-{}", self.thread))
    }

    fn parse(name: &str) -> Option<Marker> {
        let mut parts = name.splitn(4, '-');
        let pid = parts.next()?.parse().ok()?;
        let started = parts.next()?.parse().ok()?;
        let place = u64::from_str_radix(parts.next()?, 16).ok()?;
        let thread = ThreadId::parse(parts.next()?).ok()?;
        Some(Marker { process: CodexProcess { pid, started, place }, thread })
    }

    /// Notes that hooks of the process report the thread.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn place(&self, paths: &Paths) -> std::io::Result<()> {
        // Looked at each time: through a link that somebody put there, the marker would be made in another directory.
        file::create_private_dir(&paths.running_processes())?;
        file::private_options().create(true).append(true).open(self.path(paths)).map(|_| ())
    }

    /// Returns true if the process still reports the thread: the end of the session takes the marker away.
    pub fn is_placed(&self, paths: &Paths) -> bool {
        self.path(paths).exists()
    }

    /// Forgets the thread of the process.
    pub fn remove(&self, paths: &Paths) {
        let _ = fs::remove_file(self.path(paths));
    }
}

/// All threads of all processes.
pub fn list(paths: &Paths) -> Vec<Marker> {
    let Ok(entries) = fs::read_dir(paths.running_processes()) else { return Vec::new() };
    entries.flatten().filter_map(|e| Marker::parse(e.file_name().to_str()?)).take(MAX_LOOKED_AT).collect()
}

/// The threads whose process is gone.
pub fn orphans(paths: &Paths) -> Vec<Marker> {
    orphans_among(list(paths), None)
}

/// The markers whose process is gone; `running` is known to be there.
pub fn orphans_among(markers: Vec<Marker>, running: Option<CodexProcess>) -> Vec<Marker> {
    let mut checked: Vec<(CodexProcess, bool)> =
        running.map(|process| (process, false)).into_iter().collect();
    let mut gone = |process: CodexProcess| match checked.iter().find(|(p, _)| *p == process) {
        Some((_, gone)) => *gone,
        None => {
            let gone = process.life() == Life::Gone;
            checked.push((process, gone));
            gone
        }
    };
    markers.into_iter().filter(|m| gone(m.process)).collect()
}

/// Forgets old markers of machines and containers whose processes cannot be seen from here.
pub fn forget_elsewhere(paths: &Paths, older: Duration) {
    for marker in list(paths).iter().filter(|m| m.process.life() == Life::Elsewhere) {
        if fs::metadata(marker.path(paths)).is_ok_and(|m| file::age(&m) > older) {
            marker.remove(paths);
        }
    }
}

/// Returns true if hooks have reported any thread of a process.
pub fn is_hook_fed(paths: &Paths, process: CodexProcess) -> bool {
    list(paths).iter().any(|m| m.process == process)
}

/// More threads than run on one machine; the rest of a directory that is full of them is looked at once these are gone.
const MAX_LOOKED_AT: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_markers_of_other_containers_go() {
        let home = tempfile::tempdir().unwrap();
        let vars = [("HOME".to_string(), home.path().to_str().unwrap().to_string())].into();
        let context = crate::context::Context::given(vec![], vars);
        let paths = context.paths();
        let here = CodexProcess::calling().unwrap();
        let place = |process| {
            let marker = Marker { process, thread: ThreadId::parse("t").unwrap() };
            marker.place(paths).unwrap();
            let old = std::time::SystemTime::now() - Duration::from_secs(100);
            fs::File::options().append(true).open(marker.path(paths)).unwrap().set_modified(old).unwrap();
        };
        place(here);
        place(CodexProcess { place: !here.place, ..here });
        forget_elsewhere(paths, Duration::from_secs(200));
        assert_eq!(list(paths).len(), 2);
        forget_elsewhere(paths, Duration::from_secs(50));
        assert_eq!(list(paths).iter().map(|m| m.process).collect::<Vec<_>>(), [here]);
    }

    #[test]
    fn only_names_of_ours_are_markers() {
        let marker = Marker::parse("12-345-f0-01a2-b").unwrap();
        assert_eq!(marker.process.place, 0xf0);
        assert_eq!((marker.process.pid, marker.process.started, marker.thread.as_str()), (12, 345, "01a2-b"));
        for name in ["", "1-2", "x-2-3-t", "1-2-3-a.b", "1-2-3-../x", "1-2-x-t"] {
            assert_eq!(Marker::parse(name), None, "{name}");
        }
    }
}
