//! What Linux has and macOS has not: /proc, names that are exchanged, and a fork after which all libraries work.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::Path;

use super::Process;

/// Renames `from` to `to`, replacing it.
///
/// On ext4 a rename over an existing file waits for the new content to reach the disk; exchanging the two names
/// and dropping the old content does not. A crash in between leaves a temporary file, which
/// [`crate::file::remove_stale_temporaries`] finds.
pub fn replace(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::EXCHANGE) {
        Ok(()) => fs::remove_file(from),
        Err(_) => fs::rename(from, to),
    }
}

/// Runs `work` in a child with a session of its own and no open stdin, stdout or stderr, which lives on when this
/// process, its group or its terminal go. When this returns the child has left the group, without having been waited for: a
/// hook's time is Codex's.
///
/// Must be called while the process has one thread: the child has only the calling one, so a lock held by another
/// would stay held. Every role of ours is single-threaded up to here.
///
/// # Errors
/// When no child could be started.
pub fn run_detached(work: impl FnOnce()) -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    // SAFETY: one thread (see above); the child runs ordinary code with a copy of this process's memory.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            begin_session();
            for stream in 0..3 {
                // SAFETY: both are open descriptors of this process or replaced ones; dup2 takes no pointers.
                unsafe { libc::dup2(null.as_raw_fd(), stream) };
            }
            let _ = std::env::set_current_dir("/");
            super::begin_detached();
            work();
            super::exit_quietly()
        }
        child => {
            // Out of the group before Codex learns that the hook is done. It fails where the child has been faster.
            // SAFETY: setpgid takes no pointers.
            unsafe { libc::setpgid(child, child) };
            Ok(())
        }
    }
}

/// Begins a session of its own. The leader of a group may not, as which the parent may have made this process: its child may.
fn begin_session() {
    if rustix::process::setsid().is_ok() {
        return;
    }
    // SAFETY: one thread, as in `run_detached`; what follows runs in the child alone.
    match unsafe { libc::fork() } {
        0 => _ = rustix::process::setsid(),
        // Without room for another process, a group of its own must do.
        -1 => {}
        _ => super::exit_quietly(),
    }
}

/// Reads /proc/PID/stat (proc(5)): the name in brackets, then state, parent … start time as the 22nd field.
pub fn process(pid: u32) -> Option<Process> {
    // The kernel gives all of it to one read, which spares a hook the growing reads of unknown length.
    let mut line = [0; STAT_BYTES];
    let read = fs::File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut line).ok()?;
    let text = String::from_utf8_lossy(&line[..read]);
    let (start, end) = (text.find('(')?, text.rfind(')')?);
    let mut fields = text.get(end + 1..)?.split_ascii_whitespace();
    Some(Process {
        name: text.get(start + 1..end)?.to_owned(),
        ended: fields.next()?.starts_with('Z'),
        parent: fields.next()?.parse().ok()?,
        started: fields.nth(17)?.parse().ok()?,
    })
}

/// This machine and namespace of process numbers as a number.
pub fn place() -> u64 {
    let namespace = rustix::fs::stat("/proc/self/ns/pid").map_or(0, |s| s.st_ino);
    let uname = rustix::system::uname();
    super::hash(uname.nodename().to_bytes().iter().copied().chain(namespace.to_ne_bytes()))
}

/// The environment a process was started with: NAME=value, each ended by a zero; empty where it cannot be read.
pub fn environment(pid: u32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/environ")).unwrap_or_default()
}

/// Does nothing: files carry no mark of where they were downloaded from.
pub fn strip_quarantine(_path: &Path) {}

/// Nothing: there is no device management beside the administrator's file.
pub fn codex_preferences() -> Option<(String, String)> {
    None
}

/// The system starts no program with a longer argument, as Codex would like to with notify (MAX_ARG_STRLEN, execve(2)).
pub const LONGEST_ARGUMENT: &str = "131,072 bytes";

/// Programs that open a page in the user's browser.
pub const BROWSERS: &[&str] = &["xdg-open", "wslview", "sensible-browser"];
/// More than 52 fields of at most 20 digits.
const STAT_BYTES: usize = 1200;
