//! The Codex process that called a hook: found through the shells in between, told apart from a later one of the
//! same number by its start time.

use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

use crate::platform;

/// A process, by number and start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CodexProcess {
    pub pid: u32,
    /// In the system's own unit; zero where it does not say.
    pub started: u64,
    /// Scope of the number: a machine and, on Linux, a namespace of process numbers on it.
    #[serde(default)]
    pub place: u64,
}

/// State of a process as seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Running,
    Gone,
    /// It belongs to another machine or container that shares the directory.
    Elsewhere,
}

impl CodexProcess {
    /// The nearest ancestor of this process that is no shell: Codex runs hooks through the user's shell.
    pub fn calling() -> Option<CodexProcess> {
        let mut pid = platform::parent_id();
        for _ in 0..MAX_SHELLS {
            match platform::process(pid) {
                Some(stat) if platform::is_shell(&stat.name) && stat.parent > 1 => pid = stat.parent,
                Some(stat) => return Some(CodexProcess { pid, started: stat.started, place: here() }),
                None => break,
            }
        }
        (pid > 1).then(|| CodexProcess { pid, started: 0, place: here() })
    }

    /// Returns whether the process still runs, as far as it can be seen from here.
    pub fn life(&self) -> Life {
        if self.place != here() {
            return Life::Elsewhere;
        }
        let running = match platform::process(self.pid) {
            Some(stat) => !stat.ended && (self.started == 0 || stat.started == self.started),
            None if self.started != 0 => false,
            None => platform::exists(self.pid),
        };
        if running { Life::Running } else { Life::Gone }
    }

    pub fn is_running(&self) -> bool {
        self.life() == Life::Running
    }
}

/// This machine as a number, worked out once.
fn here() -> u64 {
    static HERE: OnceLock<u64> = OnceLock::new();
    *HERE.get_or_init(platform::place)
}

/// Most shells between Codex and a hook.
const MAX_SHELLS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_identity_includes_start_time() {
        let pid = std::process::id();
        let started = platform::process(pid).unwrap().started;
        let place = here();
        assert_eq!(CodexProcess { pid, started, place }.life(), Life::Running);
        assert_eq!(CodexProcess { pid, started: started + 1, place }.life(), Life::Gone);
        assert_eq!(CodexProcess { pid, started: started + 1, place: !place }.life(), Life::Elsewhere);
        assert!(CodexProcess::calling().is_some_and(|p| p.is_running()));
    }

    #[test]
    fn a_process_that_ended_is_not_alive() {
        let mut child =
            std::process::Command::new(if cfg!(windows) { "hostname" } else { "true" }).spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert_eq!(CodexProcess { pid, started: 0, place: here() }.life(), Life::Gone);
    }
}
