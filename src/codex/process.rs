//! The Codex process that called a hook: found through the shells in between, told apart from a later one of the
//! same number by its start time.

use serde::{Deserialize, Serialize};
use std::io::Read;
use std::sync::OnceLock;

/// A process, by number and start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CodexProcess {
    pub pid: u32,
    /// In clock ticks since the machine started; zero where the system does not tell.
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
        let mut pid = std::os::unix::process::parent_id();
        for _ in 0..MAX_SHELLS {
            match read_stat(pid) {
                Some(stat) if is_shell(&stat.name) && stat.parent > 1 => pid = stat.parent,
                Some(stat) => return Some(CodexProcess { pid, started: stat.started, place: here() }),
                None => break,
            }
        }
        (pid > 1).then(|| CodexProcess { pid, started: 0, place: here() })
    }

    /// Returns true if the process still runs, as far as it can be seen from here.
    pub fn life(&self) -> Life {
        if self.place != here() {
            return Life::Elsewhere;
        }
        let running = match read_stat(self.pid) {
            Some(stat) => stat.state != 'Z' && (self.started == 0 || stat.started == self.started),
            None if cfg!(target_os = "linux") => false,
            None => exists(self.pid),
        };
        if running { Life::Running } else { Life::Gone }
    }

    pub fn is_running(&self) -> bool {
        self.life() == Life::Running
    }
}

/// This machine and namespace as a number, worked out once: FNV-1a over the host's name and the namespace's inode.
fn here() -> u64 {
    static HERE: OnceLock<u64> = OnceLock::new();
    *HERE.get_or_init(work_out_here)
}

fn work_out_here() -> u64 {
    let namespace = rustix::fs::stat("/proc/self/ns/pid").map_or(0, |s| s.st_ino);
    let uname = rustix::system::uname();
    let bytes = uname.nodename().to_bytes().iter().copied().chain(namespace.to_ne_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
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
/// Most shells between Codex and a hook.
const MAX_SHELLS: usize = 4;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn process_identity_includes_start_time() {
        let pid = std::process::id();
        let started = read_stat(pid).unwrap().started;
        let place = here();
        assert_eq!(CodexProcess { pid, started, place }.life(), Life::Running);
        assert_eq!(CodexProcess { pid, started: started + 1, place }.life(), Life::Gone);
        assert_eq!(CodexProcess { pid, started: started + 1, place: !place }.life(), Life::Elsewhere);
        assert!(CodexProcess::calling().is_some_and(|p| p.is_running()));
    }

    #[test]
    fn a_process_that_ended_is_not_alive() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert_eq!(CodexProcess { pid, started: 0, place: here() }.life(), Life::Gone);
    }
}
