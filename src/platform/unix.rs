//! Linux and macOS: owners and modes, signals, sessions, termios.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
use super::linux as kind;
#[cfg(target_os = "macos")]
use super::macos as kind;
use super::{Access, Owner};

pub use kind::{
    BROWSERS, LONGEST_ARGUMENT, codex_preferences, environment, place, process, replace, run_detached,
    strip_quarantine,
};

/// What the names of executables end with.
pub const EXE_SUFFIX: &str = "";
/// Under which names Codex lies on the PATH.
pub const CODEX_NAMES: &[&str] = &["codex"];

/// The administrator's requirements (developers.openai.com/codex/enterprise/managed-configuration).
pub fn codex_requirements() -> PathBuf {
    "/etc/codex/requirements.toml".into()
}

/// The settings of everybody on the machine.
pub fn machine_config() -> PathBuf {
    "/etc/arize-codex/config.yaml".into()
}

/// Refuses an administrator's file that others could have laid there; nobody else can in /etc.
///
/// # Errors
/// Never.
pub fn refuse_foreign(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// The command that gives a directory back to the user.
pub fn command_to_own(directory: &Path) -> String {
    format!("sudo chown -R \"$(id -un)\" {0} && chmod -R u+rwX {0}", directory.display())
}

/// The command that takes all rights of others away.
pub fn command_to_close(paths: &[&Path]) -> String {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    format!("chmod go= {}", names.join(" "))
}

/// The command that lets the user write a file.
pub fn command_to_allow_writing(path: &Path) -> String {
    format!("chmod u+w {}", path.display())
}

/// Ends the process with exit code 0, without unwinding or running anything else.
pub fn exit_quietly() -> ! {
    // SAFETY: _exit takes no pointers and does not return.
    unsafe { libc::_exit(0) }
}

/// Makes the process end quietly after `seconds`, whatever it is doing then.
pub fn set_deadline(seconds: u32) {
    extern "C" fn on_alarm(_: libc::c_int) {
        // SAFETY: _exit is async-signal-safe (POSIX, signal-safety(7)).
        unsafe { libc::_exit(0) }
    }
    let handler: extern "C" fn(libc::c_int) = on_alarm;
    // SAFETY: the handler calls nothing but _exit, alarm only sets a timer, the set of signals is made before it is
    // used and outlives the call. A mask that keeps the alarm from coming is inherited from whoever started us; a
    // write beyond a file size limit must be an error, not the end.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        libc::signal(libc::SIGALRM, handler as *const () as libc::sighandler_t);
        let mut signals: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut signals);
        libc::sigaddset(&mut signals, libc::SIGALRM);
        libc::sigprocmask(libc::SIG_UNBLOCK, &signals, std::ptr::null_mut());
        libc::alarm(seconds);
    }
}

/// Makes reads of stdin wait for what is to come.
///
/// # Errors
/// When the system does not allow it.
pub fn let_stdin_wait() -> io::Result<()> {
    let stdin = io::stdin();
    let flags = rustix::fs::fcntl_getfl(&stdin)?;
    Ok(rustix::fs::fcntl_setfl(&stdin, flags - rustix::fs::OFlags::NONBLOCK)?)
}

/// Limits the process that `run_detached` started. It has no alarm of its parent's (fork(2), execve(2)).
pub fn begin_detached() {
    set_deadline(super::DETACHED_SECONDS);
}

/// Makes a command's process outlive this one, its group and its terminal's signals.
pub fn apart(command: &mut std::process::Command) -> &mut std::process::Command {
    std::os::unix::process::CommandExt::process_group(command, 0)
}

/// The process that started this one.
pub fn parent_id() -> u32 {
    std::os::unix::process::parent_id()
}

/// Returns true if a process of this number is there.
pub fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|p| rustix::process::test_kill_process(p) != Err(rustix::io::Errno::SRCH))
}

/// Returns true if a program of this name runs others' command lines.
pub fn is_shell(name: &str) -> bool {
    matches!(
        name.trim_start_matches('-'),
        "sh" | "bash" | "dash" | "zsh" | "fish" | "ash" | "ksh" | "mksh" | "busybox"
    )
}

/// Options that open or make a file of ours: mode 0600, symbolic links refused, never waiting for a pipe's other end.
pub fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC);
    options
}

/// Options that open a file for reading, never waiting for a pipe's other end.
pub fn reading_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC);
    options
}

/// Makes a directory and its missing parents for this user alone.
pub fn make_private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Asks a file's metadata who owns it and what others may do with it.
///
/// # Errors
/// Never: the metadata says it all.
pub fn access(_path: &Path, found: &Metadata) -> io::Result<Access> {
    let owner = match found.uid() {
        uid if uid == own_user() => Owner::User,
        0 => Owner::Administrator,
        _ => Owner::Other,
    };
    let (others_read, others_write) = (found.mode() & 0o055 != 0, found.mode() & 0o022 != 0);
    Ok(Access { owner, others_read, others_write })
}

/// The user this process runs as, asked once: a hook looks at many files.
fn own_user() -> u32 {
    static USER: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *USER.get_or_init(|| rustix::process::geteuid().as_raw())
}

/// The same for an open file.
///
/// # Errors
/// When the system does not say.
pub fn access_of(file: &File) -> io::Result<Access> {
    access(Path::new(""), &file.metadata()?)
}

/// Gives a file back that was opened with [`private_options`], which refuse links themselves.
///
/// # Errors
/// Never.
pub fn refuse_link(file: File) -> io::Result<File> {
    Ok(file)
}

/// Takes all rights of others away.
pub fn close(path: &Path, found: &Metadata) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(if found.is_dir() { 0o700 } else { 0o600 }))
}

/// The same for an open file.
pub fn close_file(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o600))
}

/// Takes others' right to write away.
pub fn close_to_writers(path: &Path, found: &Metadata) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(found.mode() & 0o7755))
}

/// Lets a file be run by everybody.
pub fn make_executable(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

/// Returns true if a file can be run.
pub fn is_executable(found: &Metadata) -> bool {
    found.is_file() && found.mode() & 0o111 != 0
}

/// Returns true if its owner has made a file read-only.
pub fn is_read_only(permissions: &Permissions) -> bool {
    permissions.mode() & 0o200 == 0
}

/// Fails when no new file could be made in a directory.
pub fn can_write_into(directory: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(directory, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)?)
}

/// Returns true if two paths lead to one file.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Returns true if an open file was deleted.
pub fn is_deleted(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.nlink() == 0)
}

/// Gives a file of ours another name in the same directory: a link to `target`.
pub fn link(target: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, at)
}

/// Returns true if `at` already is such a link.
pub fn is_linked(target: &Path, at: &Path) -> bool {
    fs::read_link(at).is_ok_and(|found| found == target)
}

/// Deletes a program, which may run.
///
/// # Errors
/// When it cannot be deleted.
pub fn remove_program(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// Puts a program in the place of another, which may run.
pub fn replace_program(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Renames `from` to `to`, replacing it, if `still` says so just before; returns whether it did.
///
/// # Errors
/// When it cannot be renamed, or `still` fails.
pub fn replace_if(from: &Path, to: &Path, mut still: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    if still()? { replace(from, to).map(|()| true) } else { Ok(false) }
}

/// Exchanges two files in one step, so that neither is lost.
///
/// # Errors
/// `Unsupported` where the file system cannot do that.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Err(io::ErrorKind::Unsupported.into()),
        done => Ok(done?),
    }
}

/// Returns the path as it is: it needs no other form here.
pub fn plain(path: PathBuf) -> PathBuf {
    path
}

/// A path without spaces that leads to the same file; no such thing here.
pub fn short_path(_path: &Path) -> Option<String> {
    None
}

/// Reads from a place in a file.
pub fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    file.read_at(buffer, at)
}

/// Writes all of `bytes` to a place in a file.
pub fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.write_all_at(bytes, at)
}

/// Unpredictable bytes.
pub fn random(buffer: &mut [u8; 8]) -> io::Result<()> {
    io::Read::read_exact(&mut File::open("/dev/urandom")?, buffer)
}

/// Returns what kind of file git takes one for, in the bits of its mode; none when the system cannot tell.
pub fn git_kind(found: &Metadata) -> Option<u32> {
    Some(found.mode() & 0o170_000)
}

/// Git writes links as links here.
pub const LINKS_MAY_BE_FILES: bool = false;

/// Two paths that differ in capital letters alone lead to two files; on a Mac, the current directory has the right ones.
pub const PATHS_HAVE_CASE: bool = true;

/// The path that git's index spells in these bytes.
pub fn path_of_bytes(bytes: &[u8]) -> Option<&Path> {
    Some(Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes)))
}

/// Returns true for codes of a closed pipe that std does not know as such; there are none.
pub fn is_closed_pipe(_error: &io::Error) -> bool {
    false
}

/// The columns and rows of the terminal behind stdout.
pub fn terminal_size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some((size.ws_col.into(), size.ws_row.into()))
}

/// A command line that the user wrote for the shell.
pub fn shell(line: &str) -> std::process::Command {
    let mut command = std::process::Command::new("/bin/sh");
    command.arg("-c").arg(line);
    command
}

/// less, where there is one.
pub const DEFAULT_PAGER: Option<&str> = Some("command -v less >/dev/null || exit 127; exec less");

/// The name of this machine.
pub fn host_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Some(name).filter(|n| !n.is_empty())
}

/// Throws away what was typed and not read yet.
pub fn forget_typed() {
    let _ = rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush);
}

/// The terminal without echo; as it was when dropped. Ctrl-C arrives as a character, so that it cannot end the
/// process before that.
pub struct Silence {
    before: rustix::termios::Termios,
}

impl Silence {
    pub fn begin() -> io::Result<Silence> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Silence { before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}
