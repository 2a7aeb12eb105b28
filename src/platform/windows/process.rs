//! Processes on Windows: who started whom and when, the machine they run on, and processes that outlive this one.

use std::io;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr::{null, null_mut};

use windows_sys::Wdk::System::Threading as native;
use windows_sys::Win32::Foundation as foundation;
use windows_sys::Win32::System::Registry as registry;
use windows_sys::Win32::System::Threading as threading;

use super::super::{DETACHED_ARGUMENTS, DETACHED_SECONDS, PROGRAM, Process, hash};
use super::{EXE_SUFFIX, wide};

/// Ends the process with exit code 0, without unwinding or running anything else.
pub fn exit_quietly() -> ! {
    // SAFETY: takes numbers and ends the process.
    unsafe { threading::TerminateProcess(threading::GetCurrentProcess(), 0) };
    loop {
        std::hint::spin_loop();
    }
}

/// Makes the process end quietly after `seconds`, whatever it is doing then.
pub fn set_deadline(seconds: u32) {
    // A thread that only sleeps: it takes no lock that this process could die with.
    let _ = std::thread::Builder::new().stack_size(DEADLINE_STACK_BYTES).spawn(move || {
        std::thread::sleep(std::time::Duration::from_secs(seconds.into()));
        exit_quietly()
    });
}

/// Starts this program again as `hook deliver`: without a window, in a group of its own and outside the job that
/// Codex gives each hook and ends with it. It inherits the environment and no handle: Codex reads a hook's output
/// until nobody holds the other end.
///
/// # Errors
/// When no process could be started.
pub fn run_detached(_work: impl FnOnce()) -> io::Result<()> {
    let program = std::env::current_exe()?;
    // Codex replaces no file of ours, but an update does: the links would keep the old one from being replaced.
    let main = program.with_file_name(format!("{}{EXE_SUFFIX}", PROGRAM));
    let program = if main.exists() { main } else { program };
    let flags = threading::CREATE_NO_WINDOW | threading::CREATE_NEW_PROCESS_GROUP;
    // A job that does not let go of its members refuses the first.
    start(&program, flags | threading::CREATE_BREAKAWAY_FROM_JOB).or_else(|_| start(&program, flags))
}

fn start(program: &Path, flags: u32) -> io::Result<()> {
    let name: Vec<u16> = program.as_os_str().encode_wide().chain([0]).collect();
    let arguments = DETACHED_ARGUMENTS.join(" ");
    let mut line: Vec<u16> = [u16::from(b'"')].into_iter().chain(program.as_os_str().encode_wide()).collect();
    line.extend(wide(&format!("\" {arguments}")));
    // A process keeps the directory it works in from being renamed or deleted.
    let root = std::env::var_os("SystemRoot").map(|root| root.encode_wide().chain([0]).collect::<Vec<u16>>());
    // SAFETY: numbers and pointers, for which all zeros is a value; all texts end with a zero and outlive the call;
    // the handles it gives are ours to close.
    unsafe {
        let mut given: threading::STARTUPINFOW = std::mem::zeroed();
        given.cb = size_of::<threading::STARTUPINFOW>() as u32;
        let mut made: threading::PROCESS_INFORMATION = std::mem::zeroed();
        let done = threading::CreateProcessW(
            name.as_ptr(),
            line.as_mut_ptr(),
            null(),
            null(),
            0,
            flags,
            null(),
            root.as_ref().map_or(null(), |root| root.as_ptr()),
            &raw const given,
            &raw mut made,
        );
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        foundation::CloseHandle(made.hThread);
        foundation::CloseHandle(made.hProcess);
    }
    Ok(())
}

/// Limits the process that `run_detached` started.
pub fn begin_detached() {
    set_deadline(DETACHED_SECONDS);
}

/// Makes a command's process outlive this one and its console's signals.
pub fn apart(command: &mut Command) -> &mut Command {
    command.creation_flags(threading::CREATE_NO_WINDOW | threading::CREATE_NEW_PROCESS_GROUP)
}

/// The process that started this one; 0 when that has ended.
pub fn parent_id() -> u32 {
    process(std::process::id()).map_or(0, |own| own.parent)
}

/// Returns what is known of a process. A parent may be gone and its number another's: only one that is older
/// counts.
pub fn process(pid: u32) -> Option<Process> {
    let handle = open(pid)?;
    let started = started(&handle)?;
    let older = |parent: u32| open(parent).and_then(|h| self::started(&h)).is_some_and(|at| at <= started);
    Some(Process {
        name: name(&handle).unwrap_or_default(),
        parent: parent(&handle).filter(|parent| older(*parent)).unwrap_or(0),
        started,
        ended: has_ended(&handle),
    })
}

/// Returns true if a process of this number is there.
pub fn exists(pid: u32) -> bool {
    open(pid).is_some_and(|handle| !has_ended(&handle))
}

/// Returns true if a program of this name runs others' command lines.
pub fn is_shell(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(name.trim_end_matches(EXE_SUFFIX), "cmd" | "powershell" | "pwsh" | "bash" | "sh" | "conhost")
}

/// This machine as a number, by what the system's setup gave it.
pub fn place() -> u64 {
    let (key, name) = (wide("SOFTWARE\\Microsoft\\Cryptography"), wide("MachineGuid"));
    let mut value = [0u16; 64];
    let mut bytes = size_of_val(&value) as u32;
    // SAFETY: both names end with a zero, the buffer is as large as is said, all outlive the call.
    unsafe {
        registry::RegGetValueW(
            registry::HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            name.as_ptr(),
            registry::RRF_RT_REG_SZ,
            null_mut(),
            value.as_mut_ptr().cast(),
            &raw mut bytes,
        );
    }
    hash(value.iter().flat_map(|c| c.to_ne_bytes()))
}

/// Always empty: another process's environment lies in its memory, which is not ours to read.
pub fn environment(_pid: u32) -> Vec<u8> {
    Vec::new()
}

fn open(pid: u32) -> Option<OwnedHandle> {
    let rights = threading::PROCESS_QUERY_LIMITED_INFORMATION | threading::PROCESS_SYNCHRONIZE;
    // SAFETY: takes numbers; a handle that is not null is open and ours alone.
    unsafe {
        let handle = threading::OpenProcess(rights, 0, pid);
        (!handle.is_null()).then(|| OwnedHandle::from_raw_handle(handle))
    }
}

fn parent(process: &OwnedHandle) -> Option<u32> {
    // SAFETY: numbers and pointers, for which all zeros is a value; the buffer is as large as is said and outlives
    // the call, the handle is open.
    unsafe {
        let mut info: threading::PROCESS_BASIC_INFORMATION = std::mem::zeroed();
        let status = native::NtQueryInformationProcess(
            process.as_raw_handle(),
            native::ProcessBasicInformation,
            (&raw mut info).cast(),
            size_of::<threading::PROCESS_BASIC_INFORMATION>() as u32,
            null_mut(),
        );
        (status == foundation::STATUS_SUCCESS).then_some(info.InheritedFromUniqueProcessId as u32)
    }
}

/// The file name of the program.
fn name(process: &OwnedHandle) -> Option<String> {
    let mut path = [0u16; 1024];
    let mut len = path.len() as u32;
    // SAFETY: the buffer is as long as is said and outlives the call, the handle is open.
    let done = unsafe {
        threading::QueryFullProcessImageNameW(process.as_raw_handle(), 0, path.as_mut_ptr(), &raw mut len)
    };
    let path = PathBuf::from(std::ffi::OsString::from_wide(path.get(..len as usize).filter(|_| done != 0)?));
    Some(path.file_name()?.to_string_lossy().into_owned())
}

/// When a process was started, in units of 100 ns.
fn started(process: &OwnedHandle) -> Option<u64> {
    let zero = foundation::FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    let (mut made, mut ended, mut kernel, mut user) = (zero, zero, zero, zero);
    // SAFETY: the handle is open and the four outlive the call.
    let done = unsafe {
        threading::GetProcessTimes(
            process.as_raw_handle(),
            &raw mut made,
            &raw mut ended,
            &raw mut kernel,
            &raw mut user,
        )
    };
    (done != 0).then(|| u64::from(made.dwHighDateTime) << 32 | u64::from(made.dwLowDateTime))
}

fn has_ended(process: &OwnedHandle) -> bool {
    // SAFETY: the handle is open; no time is waited.
    unsafe { threading::WaitForSingleObject(process.as_raw_handle(), 0) == foundation::WAIT_OBJECT_0 }
}

const DEADLINE_STACK_BYTES: usize = 64 * 1024;
