//! What each system does its own way: processes, files that are private to a user, the terminal, and what only the
//! system can do for a hook: stop it in time, let its work outlive it, and end it at once.
//!
//! This file is the contract. Each system has the same names, chosen at compile time: Linux and macOS share `unix`
//! and differ in `linux` and `macos`; `windows` stands alone. A system that lacks a name does not compile, so no
//! other module needs to ask which system it runs on. With [`crate::arena`] the only directory with `unsafe`.
//!
//! | about | names |
//! |---|---|
//! | a hook's end | [`exit_quietly`], [`set_deadline`], [`end_quietly_on_panic`], [`let_stdin_wait`] |
//! | work that outlives a hook | [`run_detached`], [`begin_detached`], [`apart`] |
//! | processes | [`process`], [`parent_id`], [`exists`], [`is_shell`], [`place`], [`environment`] |
//! | who may use a file | [`access`], [`access_of`], [`close`], [`close_file`], [`close_to_writers`], [`can_write_into`], [`is_read_only`] |
//! | opening and replacing | [`private_options`], [`refuse_link`], [`reading_options`], [`make_private_dir`], [`replace`], [`replace_if`], [`exchange`], [`is_deleted`], [`read_at`], [`write_all_at`] |
//! | programs | [`EXE_SUFFIX`], [`link`], [`is_linked`], [`is_same_file`], [`replace_program`], [`remove_program`], [`make_executable`], [`is_executable`], [`strip_quarantine`], [`short_path`], [`plain`] |
//! | the terminal | [`terminal_size`], [`host_name`], [`Silence`], [`forget_typed`], [`shell`], [`DEFAULT_PAGER`] |
//! | advice | [`command_to_own`], [`command_to_close`], [`command_to_allow_writing`] |
//! | administrators | [`machine_config`], [`refuse_foreign`], [`codex_requirements`], [`codex_preferences`] |
//! | other programs' habits | [`CODEX_NAMES`], [`LONGEST_ARGUMENT`], [`git_kind`], [`path_of_bytes`], [`LINKS_MAY_BE_FILES`], [`PATHS_HAVE_CASE`], [`BROWSERS`], [`is_closed_pipe`], [`random`] |
#![expect(
    unsafe_code,
    reason = "the system is called through its C interface; each use states why it is sound"
)]

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub use system::{
    BROWSERS, CODEX_NAMES, DEFAULT_PAGER, EXE_SUFFIX, LINKS_MAY_BE_FILES, LONGEST_ARGUMENT, PATHS_HAVE_CASE,
    Silence, access, access_of, apart, begin_detached, can_write_into, close, close_file, close_to_writers,
    codex_preferences, codex_requirements, command_to_allow_writing, command_to_close, command_to_own,
    environment, exchange, exists, exit_quietly, forget_typed, git_kind, host_name, is_closed_pipe,
    is_deleted, is_executable, is_linked, is_read_only, is_same_file, is_shell, let_stdin_wait, link,
    machine_config, make_executable, make_private_dir, parent_id, path_of_bytes, place, plain,
    private_options, process, random, read_at, reading_options, refuse_foreign, refuse_link, remove_program,
    replace, replace_if, replace_program, run_detached, set_deadline, shell, short_path, strip_quarantine,
    terminal_size, write_all_at,
};

/// State of a process as seen from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The name of its program, as far as the system keeps it.
    pub name: String,
    pub parent: u32,
    /// A number that no later process with the same id has; its unit is the system's.
    pub started: u64,
    /// It has ended and its parent has not asked for its exit code yet.
    pub ended: bool,
}

/// Who owns a file or directory, and what others may do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    pub owner: Owner,
    /// Others may read it, or enter and list the directory.
    pub others_read: bool,
    /// Others may change, replace or delete it.
    pub others_write: bool,
}

impl Access {
    /// Returns true if the user owns it and nobody else can do anything with it.
    pub fn is_private(self) -> bool {
        self.owner == Owner::User && !self.others_read && !self.others_write
    }
}

/// The owner of a file, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The user this process runs as.
    User,
    /// The administrator of the machine, who may do anything anyway.
    Administrator,
    Other,
}

/// Makes a panic end the process quietly after `note` was reported it: the hook contract knows no other exit code.
pub fn end_quietly_on_panic(note: impl Fn(&str) + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
        // The message may hold what a payload said, so only the location is reported.
        note(&format!("internal error at {place}; please report it"));
        exit_quietly()
    }));
}

/// The name of our executable.
pub const PROGRAM: &str = "arize-codex";
/// The arguments with which [`run_detached`] starts this program again where there is no fork.
pub const DETACHED_ARGUMENTS: [&str; 2] = ["hook", "deliver"];

/// Hashes with FNV-1a, for numbers that tell machines apart.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// Takes the environment out of what macOS reports about a process (KERN_PROCARGS2): the count of its arguments, the
/// program's path, zeros up to a round place, the arguments, and then NAME=value, each ended by a zero. Behind an empty
/// one stand words of the system's own.
#[cfg(any(target_os = "macos", test))]
fn environment_in(block: &[u8]) -> &[u8] {
    let Some((count, rest)) = block.split_first_chunk() else { return &[] };
    let count = u32::from_ne_bytes(*count) as usize;
    let past_path = rest.iter().position(|b| *b == 0).unwrap_or(rest.len());
    let first = rest[past_path..].iter().position(|b| *b != 0).map_or(rest.len(), |zeros| past_path + zeros);
    let mut ends = rest[first..].iter().enumerate().filter(|(_, b)| **b == 0).map(|(at, _)| first + at + 1);
    let start = if count == 0 { Some(first) } else { ends.nth(count - 1) };
    let block = &rest[start.unwrap_or(rest.len())..];
    let end = block.windows(2).position(|two| two == [0, 0]).map_or(block.len(), |at| at + 1);
    &block[..end]
}

/// Above what a delivery may take: ends a process that hangs in something that was never to take long.
const DETACHED_SECONDS: u32 = 40 * 60;

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn process_is_known_from_start_to_end() {
        let own = process(std::process::id()).unwrap();
        assert!(own.parent == parent_id() && !own.ended && exists(std::process::id()));
        let (program, args): (_, &[_]) =
            if cfg!(windows) { ("ping", &["-n", "60", "127.0.0.1"]) } else { ("sleep", &["60"]) };
        let mut child = Command::new(program).args(args).stdout(Stdio::null()).spawn().unwrap();
        let found = process(child.id()).unwrap();
        assert_eq!((found.parent, found.ended), (std::process::id(), false));
        assert!(
            found.started >= own.started && found.name.trim_end_matches(EXE_SUFFIX) == program,
            "{found:?}"
        );
        assert_eq!(process(child.id()).unwrap().started, found.started, "it stays the same one");
        child.kill().unwrap();
        let ended = || {
            std::thread::sleep(std::time::Duration::from_millis(10));
            process(child.id()).unwrap().ended
        };
        assert!((0..3000).any(|_| ended()));
        let pid = child.id();
        child.wait().unwrap();
        drop(child);
        // Its number may be another's by now, and the system may keep what has ended.
        assert!(process(pid).is_none_or(|later| later.ended || later.started > found.started));
    }

    #[test]
    fn environment_follows_arguments() {
        let block = |count: u32, rest: &str| [&count.to_ne_bytes()[..], rest.as_bytes()].concat();
        for (count, rest, found) in [
            (2, "/bin/x\0\0\0\0x\0--long\0A=1\0B=2\0\0ptr_munge=\0", "A=1\0B=2\0"),
            (2, "/bin/x\0x\0\0A=1\0", "A=1\0"),
            (1, "/bin/x\0\0x\0", ""),
            (0, "/bin/x\0\0A=1\0", "A=1\0"),
            (u32::MAX, "/bin/x\0\0x\0A=1\0", ""),
            (1, "/bin/x", ""),
            (1, "", ""),
        ] {
            assert_eq!(environment_in(&block(count, rest)), found.as_bytes(), "{count} {rest:?}");
        }
        assert_eq!(environment_in(b"\x01\0"), b"");
    }
}
