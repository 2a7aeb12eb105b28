//! One run: posix_spawn, wait4, the time between them and the peak memory the system tells.
#![expect(unsafe_code, reason = "only wait4 tells a child's peak memory, and std has no safe form of it")]

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a run came to.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub took: Duration,
    pub peak_kib: i64,
}

/// What a program gets on stdin.
#[derive(Debug, Clone)]
pub enum Payload {
    /// Written into a pipe before the program starts.
    Pipe(Vec<u8>),
    File(std::path::PathBuf),
    None,
}

/// Runs a program in a home, with nothing else in its environment.
pub fn run(program: &Path, arguments: &[OsString], home: &Path, payload: &Payload) -> Run {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("HOME", home).stdout(Stdio::null()).stderr(Stdio::null());
    command.stdin(match payload {
        Payload::Pipe(bytes) => {
            let (reader, mut writer) = std::io::pipe().expect("a pipe");
            writer.write_all(bytes).expect("a payload that a pipe can hold");
            Stdio::from(reader)
        }
        Payload::File(path) => Stdio::from(File::open(path).expect("the payload")),
        Payload::None => Stdio::null(),
    });
    let began = Instant::now();
    #[expect(clippy::zombie_processes, reason = "wait4 below collects it, and tells its memory too")]
    let child = command.spawn().expect("the program to start");
    let usage = wait(child.id());
    Run { took: began.elapsed(), peak_kib: usage.ru_maxrss }
}

fn wait(pid: u32) -> libc::rusage {
    let mut status = 0;
    // SAFETY: an all-zero rusage is a valid one, and both pointers are to living variables of the right type.
    let (waited, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(pid.cast_signed(), &mut status, 0, &mut usage), usage)
    };
    assert_eq!((waited, status), (pid.cast_signed(), 0), "the program failed");
    usage
}

/// Whether any process runs in a home.
pub fn any_in(home: &Path) -> bool {
    !processes_in(home).is_empty()
}

/// Ends the processes that still run in a home.
pub fn end_all_in(home: &Path) {
    for pid in processes_in(home) {
        // SAFETY: kill takes no pointers; the process is one that this program's runs have left.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
}

fn processes_in(home: &Path) -> Vec<i32> {
    let mark = format!("HOME={}\0", home.display()).into_bytes();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let running =
        entries.filter(|e| std::fs::read(e.path().join("environ")).is_ok_and(|e| e.starts_with(&mark)));
    running.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}
