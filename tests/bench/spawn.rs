//! One run: posix_spawn, wait4, the time between them and the peak memory the system tells.
#![expect(
    unsafe_code,
    reason = "only wait4 tells a child's peak memory, and std has no safe form of it or of prctl"
)]

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
    /// Pages the process touched for the first time.
    pub faults: i64,
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
    Run { took: began.elapsed(), peak_kib: usage.ru_maxrss, faults: usage.ru_minflt }
}

/// How many system calls the process makes, counted by strace; `None` where there is none. What it leaves behind is not
/// counted.
pub fn system_calls(program: &Path, arguments: &[OsString], home: &Path, payload: &Payload) -> Option<usize> {
    let calls = home.join("system-calls");
    let mut traced = vec!["-qq".into(), "-o".into(), calls.clone().into(), program.into()];
    traced.extend(arguments.iter().cloned());
    let strace = Path::new("/usr/bin/strace");
    strace.exists().then(|| run(strace, &traced, home, payload))?;
    Some(std::fs::read_to_string(calls).ok()?.lines().filter(|line| line.contains('(')).count())
}

/// Makes this program the parent of processes whose own parent has ended, so that it learns their memory.
pub fn adopt_orphans() {
    // SAFETY: prctl(PR_SET_CHILD_SUBREAPER) takes no pointers.
    let done = unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
    assert_eq!(done, 0, "the system lets it adopt processes");
}

/// Waits for an adopted process and returns its peak memory in KiB.
pub fn wait_for_orphan() -> i64 {
    wait(u32::MAX).ru_maxrss
}

fn wait(pid: u32) -> libc::rusage {
    let mut status = 0;
    // SAFETY: an all-zero rusage is a valid one, and both pointers are to living variables of the right type.
    let (waited, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(pid.cast_signed(), &mut status, 0, &mut usage), usage)
    };
    let any = pid == u32::MAX;
    assert!((any || waited == pid.cast_signed()) && status == 0, "the program failed");
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
