//! The Codex process that called a hook: found through the shells in between, told apart from a later one of the
//! same number by its start time.

use serde::{Deserialize, Serialize};
use std::io::Read;

/// A process, by number and start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CodexProcess {
    pub pid: u32,
    /// In clock ticks since the machine started; zero where the system does not tell.
    pub started: u64,
}

impl CodexProcess {
    /// The nearest ancestor of this process that is no shell: Codex runs hooks through the user's shell.
    pub fn calling() -> Option<CodexProcess> {
        let mut pid = std::os::unix::process::parent_id();
        for _ in 0..MAX_SHELLS {
            match read_stat(pid) {
                Some(stat) if is_shell(&stat.name) && stat.parent > 1 => pid = stat.parent,
                Some(stat) => return Some(CodexProcess { pid, started: stat.started }),
                None => break,
            }
        }
        (pid > 1).then_some(CodexProcess { pid, started: 0 })
    }

    /// Whether the process still runs.
    pub fn is_alive(&self) -> bool {
        match read_stat(self.pid) {
            Some(stat) => stat.state != 'Z' && (self.started == 0 || stat.started == self.started),
            None if cfg!(target_os = "linux") => false,
            None => exists(self.pid),
        }
    }
}

struct Stat {
    name: String,
    state: char,
    parent: u32,
    started: u64,
}

/// Reads /proc/PID/stat (proc(5)): the name in brackets, then state, parent … start time as the 22nd field.
fn read_stat(pid: u32) -> Option<Stat> {
    // The kernel gives all of it to one read, which spares a hook the growing reads of unknown length.
    let mut line = [0; STAT_BYTES];
    let read = std::fs::File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut line).ok()?;
    let text = String::from_utf8_lossy(&line[..read]);
    let (start, end) = (text.find('(')?, text.rfind(')')?);
    let mut fields = text.get(end + 1..)?.split_ascii_whitespace();
    Some(Stat {
        name: text.get(start + 1..end)?.to_owned(),
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        started: fields.nth(17)?.parse().ok()?,
    })
}

fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|p| rustix::process::test_kill_process(p) != Err(rustix::io::Errno::SRCH))
}

fn is_shell(name: &str) -> bool {
    matches!(
        name.trim_start_matches('-'),
        "sh" | "bash" | "dash" | "zsh" | "fish" | "ash" | "ksh" | "mksh" | "busybox"
    )
}

/// More than 52 fields of at most 20 digits.
const STAT_BYTES: usize = 1200;
/// How many shells may stand between Codex and a hook.
const MAX_SHELLS: usize = 4;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_another_start_time_is_another_process() {
        let pid = std::process::id();
        let started = read_stat(pid).unwrap().started;
        assert!(CodexProcess { pid, started }.is_alive());
        assert!(!CodexProcess { pid, started: started + 1 }.is_alive());
        assert!(CodexProcess::calling().is_some_and(|p| p.is_alive()));
    }

    #[test]
    fn a_process_that_ended_is_not_alive() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(!CodexProcess { pid, started: 0 }.is_alive());
    }
}
