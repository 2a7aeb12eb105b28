//! What macOS does its own way: processes are asked for with libproc and sysctl, work that outlives a hook is a
//! program started anew, and downloaded files carry a mark.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Process;

/// Renames `from` to `to`, replacing it. APFS renames without waiting for the disk.
pub fn replace(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Starts this program again as `hook deliver`, in a session of its own. A forked child that does not exec may use neither the
/// keychain, where the trusted roots are, nor the resolver: both speak to other processes through libraries that
/// end a process which has forked (fork(2) of macOS, "CAVEATS").
///
/// # Errors
/// When no child could be started.
pub fn run_detached(_work: impl FnOnce()) -> io::Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(super::DETACHED_ARGUMENTS).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: setsid takes nothing and is async-signal-safe (sigaction(2)).
    unsafe { command.pre_exec(|| Ok(rustix::process::setsid().map(|_| ())?)) };
    command.spawn().map(|_| ())
}

/// Asks libproc, which reports neither a process that has ended nor another user's.
pub fn process(pid: u32) -> Option<Process> {
    let pid = libc::c_int::try_from(pid).ok()?;
    // SAFETY: plain numbers and arrays, for which all zeros is a value.
    let mut info: libc::proc_bsdinfo = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::proc_bsdinfo>() as libc::c_int;
    // SAFETY: the buffer is as large as is said and outlives the call.
    let got = unsafe { libc::proc_pidinfo(pid, libc::PROC_PIDTBSDINFO, 0, (&raw mut info).cast(), size) };
    if got != size {
        return None;
    }
    let name: Vec<u8> = info.pbi_comm.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect();
    Some(Process {
        name: String::from_utf8_lossy(&name).into_owned(),
        parent: info.pbi_ppid,
        started: info.pbi_start_tvsec * 1_000_000 + info.pbi_start_tvusec,
        ended: info.pbi_status == libc::SZOMB,
    })
}

/// This machine as a number. Not by its name, which changes with the network it is in, unless nothing else is known.
pub fn place() -> u64 {
    let mut id = [0u8; 16];
    let at_once = libc::timespec { tv_sec: 1, tv_nsec: 0 };
    // SAFETY: a uuid_t is sixteen bytes; both outlive the call.
    match unsafe { libc::gethostuuid(id.as_mut_ptr(), &raw const at_once) } {
        0 => super::hash(id.into_iter()),
        _ => super::hash(super::host_name().unwrap_or_default().bytes()),
    }
}

/// The environment a process was started with: NAME=value, each ended by a zero; empty where it cannot be read.
pub fn environment(pid: u32) -> Vec<u8> {
    let Ok(pid) = libc::c_int::try_from(pid) else { return Vec::new() };
    let mut name = [libc::CTL_KERN, libc::KERN_PROCARGS2, pid];
    let mut block = vec![0u8; ARGUMENT_BYTES];
    let mut len = block.len();
    // SAFETY: name and buffer are as long as is said and outlive the call.
    let failed = unsafe {
        libc::sysctl(name.as_mut_ptr(), 3, block.as_mut_ptr().cast(), &raw mut len, std::ptr::null_mut(), 0)
    };
    if failed != 0 {
        return Vec::new();
    }
    super::environment_in(block.get(..len).unwrap_or_default()).to_vec()
}

/// Removes the mark of a download, which `fs::copy` carries along: Gatekeeper refuses a marked program that is not
/// notarised, and a hook cannot ask anybody.
pub fn strip_quarantine(path: &Path) {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return };
    // SAFETY: both names end with a zero and outlive the call.
    unsafe { libc::removexattr(path.as_ptr(), c"com.apple.quarantine".as_ptr(), libc::XATTR_NOFOLLOW) };
}

/// What a device management has set for Codex, as base64, and where: the same text as in requirements.toml
/// (developers.openai.com/codex/enterprise/managed-configuration). Only what is managed, not what a user has set.
pub fn codex_preferences() -> Option<(String, String)> {
    let user = std::env::var("USER").unwrap_or_default();
    let files = [format!("{MANAGED}/{user}/{CODEX_DOMAIN}"), format!("{MANAGED}/{CODEX_DOMAIN}")];
    files.into_iter().find_map(|file| {
        let mut command = Command::new("/usr/bin/defaults");
        command.args(["read", &file, REQUIREMENTS]).stdin(Stdio::null()).stderr(Stdio::null());
        let output = command.output().ok().filter(|output| output.status.success())?;
        Some((format!("{file}.plist"), String::from_utf8(output.stdout).ok()?))
    })
}

/// The system starts no program with more arguments, as Codex would like to with notify (ARG_MAX, execve(2)).
pub const LONGEST_ARGUMENT: &str = "1,048,576 bytes";

/// Programs that open a page in the user's browser.
pub const BROWSERS: &[&str] = &["open"];
const MANAGED: &str = "/Library/Managed Preferences";
const CODEX_DOMAIN: &str = "com.openai.codex";
const REQUIREMENTS: &str = "requirements_toml_base64";
/// ARG_MAX of macOS.
const ARGUMENT_BYTES: usize = 1024 * 1024;
