//! Windows 10 and later.
//!
//! There is no fork: what is to outlive a hook is a process of its own, started anew (`process`). There are no modes:
//! a directory of ours gets a list of rights, which what is made in it inherits (`access`).

mod access;
mod console;
mod process;
mod programs;

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::os::windows::io::AsRawHandle;
use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use windows_sys::Win32::Foundation::ERROR_SHARING_VIOLATION;
use windows_sys::Win32::Storage::FileSystem as files;

pub use access::{access, access_of, can_write_into, close, close_file, close_to_writers, make_private_dir};
pub use console::{Silence, forget_typed, host_name, terminal_size};
pub use process::{
    apart, begin_detached, environment, exists, exit_quietly, is_shell, parent_id, place, process,
    run_detached, set_deadline,
};
pub use programs::{is_linked, is_same_file, link, remove_program, replace_program};

/// What the names of executables end with.
pub const EXE_SUFFIX: &str = ".exe";
/// Under which names Codex lies on the PATH; npm lays a batch file there.
pub const CODEX_NAMES: &[&str] = &["codex.exe", "codex.cmd"];

/// The system starts no program with a longer command line, as Codex would like to with notify (CreateProcessW).
pub const LONGEST_ARGUMENT: &str = "32,767 characters";

/// Returns where an administrator decrees (Codex 0.171.0 names it in its messages).
pub fn codex_requirements() -> PathBuf {
    let data = std::env::var_os("ProgramData").unwrap_or_else(|| "C:\\ProgramData".into());
    Path::new(&data).join("OpenAI\\Codex\\requirements.toml")
}

/// Nothing: there is no device management beside the administrator's file.
pub fn codex_preferences() -> Option<(String, String)> {
    None
}

/// The settings of everybody on the machine.
pub fn machine_config() -> PathBuf {
    let data = std::env::var_os("ProgramData").unwrap_or_else(|| "C:\\ProgramData".into());
    Path::new(&data).join("arize-codex\\config.yaml")
}

/// Refuses an administrator's file that others could have laid there: everybody may make directories in
/// `%ProgramData%`.
///
/// # Errors
/// When another user owns it or may write it.
pub fn refuse_foreign(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::metadata(path) else { return Ok(()) };
    let access = access(path, &found)?;
    if access.owner == super::Owner::Other || access.others_write {
        return Err(io::Error::other(format!("{} can be written by other users", path.display())));
    }
    Ok(())
}

/// The PowerShell commands that give a directory back to the user.
pub fn command_to_own(directory: &Path) -> String {
    let name = in_powershell(directory);
    format!(
        "icacls {name} /setowner $env:USERNAME /t; icacls {name} /reset /t (in PowerShell as administrator)"
    )
}

/// The PowerShell commands that take all rights of others away.
pub fn command_to_close(paths: &[&Path]) -> String {
    let one = |path: &&Path| {
        let inherited = if path.is_dir() { "(OI)(CI)" } else { "" };
        format!("icacls {} /inheritance:r /grant:r \"${{env:USERNAME}}:{inherited}F\"", in_powershell(path))
    };
    paths.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The command that lets the user write a file.
pub fn command_to_allow_writing(path: &Path) -> String {
    format!("attrib -r \"{}\"", path.display())
}

fn in_powershell(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "''"))
}

/// Makes reads of stdin wait for what is to come.
///
/// # Errors
/// Never: pipes of this system wait.
pub fn let_stdin_wait() -> io::Result<()> {
    Ok(())
}

/// Options that open or make a file of ours: a link is opened itself, and then refused by [`refuse_link`].
pub fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(files::FILE_FLAG_OPEN_REPARSE_POINT);
    options
}

/// Gives an open file back, unless it is a symbolic link or another kind of stand-in for a file elsewhere.
///
/// # Errors
/// When it is one.
pub fn refuse_link(file: File) -> io::Result<File> {
    if file.metadata()?.is_symlink() {
        return Err(io::Error::other("it is a link"));
    }
    Ok(file)
}

/// Options that open a file for reading.
pub fn reading_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    options
}

/// Lets a file be run by everybody; its name does that here.
pub fn make_executable(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Returns true if a file can be run.
pub fn is_executable(found: &Metadata) -> bool {
    found.is_file()
}

/// Returns true if its owner has made a file read-only.
pub fn is_read_only(permissions: &Permissions) -> bool {
    permissions.readonly()
}

fn identity(file: &File) -> io::Result<files::BY_HANDLE_FILE_INFORMATION> {
    // SAFETY: numbers, for which all zeros is a value; the handle is open and the buffer outlives the call.
    unsafe {
        let mut info: files::BY_HANDLE_FILE_INFORMATION = std::mem::zeroed();
        match files::GetFileInformationByHandle(file.as_raw_handle(), &raw mut info) {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(info),
        }
    }
}

/// Returns true if an open file was deleted.
pub fn is_deleted(file: &File) -> io::Result<bool> {
    Ok(identity(file)?.nNumberOfLinks == 0)
}

/// Exchanges two files in one step: no such thing here.
pub fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Renames `from` to `to`, replacing it.
///
/// # Errors
/// As [`replace_if`].
pub fn replace(from: &Path, to: &Path) -> io::Result<()> {
    replace_if(from, to, || Ok(true)).map(|_| ())
}

/// Renames `from` to `to`, replacing it, if `still` says so just before; returns whether it did. Whoever has the file
/// open without sharing it, as a virus scanner, is waited for, and `still` is asked again.
///
/// # Errors
/// When it cannot be renamed, or `still` fails.
pub fn replace_if(from: &Path, to: &Path, mut still: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    let mut pause = std::time::Duration::from_millis(1);
    loop {
        let done =
            still().and_then(|still| if still { fs::rename(from, to).map(|()| true) } else { Ok(false) });
        match done {
            Err(error) if is_held(&error) && pause.as_millis() < 100 => {
                std::thread::sleep(pause);
                pause *= 2;
            }
            done => return done,
        }
    }
}

/// Returns true where another program has the file open in a way that forbids what was asked for.
fn is_held(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
        || error.raw_os_error() == Some(ERROR_SHARING_VIOLATION as i32)
}

/// Reads from a place in a file.
pub fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    file.seek_read(buffer, at)
}

/// Writes all of `bytes` to a place in a file.
pub fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = file.seek_write(bytes, at)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        (bytes, at) = (&bytes[written..], at + written as u64);
    }
    Ok(())
}

/// Unpredictable bytes: those with which std seeds its maps.
pub fn random(buffer: &mut [u8; 8]) -> io::Result<()> {
    use std::hash::{BuildHasher, Hasher};
    *buffer = std::collections::hash_map::RandomState::new().build_hasher().finish().to_ne_bytes();
    Ok(())
}

/// Returns what kind of file git takes one for; none when the system cannot tell, as links may be plain files
/// here.
pub fn git_kind(found: &Metadata) -> Option<u32> {
    match (found.is_symlink(), found.is_file()) {
        (true, _) => Some(0o120_000),
        (_, true) => Some(0o100_000),
        _ => None,
    }
}

/// Git writes links as plain files where the system or the user's settings allow no links.
pub const LINKS_MAY_BE_FILES: bool = true;

/// Capital letters tell no two paths apart.
pub const PATHS_HAVE_CASE: bool = false;

/// The path that git's index spells in these bytes; none when they are not UTF-8.
pub fn path_of_bytes(bytes: &[u8]) -> Option<&Path> {
    std::str::from_utf8(bytes).ok().map(Path::new)
}

/// Returns true for ERROR_PIPE_NOT_CONNECTED, which std does not know as a closed pipe.
pub fn is_closed_pipe(error: &io::Error) -> bool {
    error.raw_os_error() == Some(233)
}

/// Programs that open a page in the user's browser.
pub const BROWSERS: &[&str] = &["rundll32.exe url.dll,FileProtocolHandler"];

/// A command line that the user wrote for the shell.
pub fn shell(line: &str) -> Command {
    let mut command = Command::new(std::env::var_os("COMSPEC").unwrap_or_else(|| "cmd.exe".into()));
    command.arg("/d").arg("/s").arg("/c").raw_arg(format!("\"{line}\""));
    command
}

/// The system's own pager shows neither colours nor what lies above.
pub const DEFAULT_PAGER: Option<&str> = None;

/// Does nothing: only Explorer and browsers ask for the mark of a download.
pub fn strip_quarantine(_path: &Path) {}

/// Returns a resolved path as users and Codex write it, without the prefix `\\?\`.
pub fn plain(path: PathBuf) -> PathBuf {
    let Some(text) = path.to_str().and_then(|p| p.strip_prefix(r"\\?\")) else { return path };
    if text.as_bytes().get(1) == Some(&b':') {
        return PathBuf::from(text);
    }
    text.strip_prefix(r"UNC\").map_or(path.clone(), |share| PathBuf::from(format!(r"\\{share}")))
}

/// The short name of a path, where the volume keeps such names: it needs no quotes in any shell.
pub fn short_path(path: &Path) -> Option<String> {
    let name: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    let mut short = [0u16; 1024];
    // SAFETY: the name ends with a zero, the buffer is as long as is said, both outlive the call.
    let len = unsafe { files::GetShortPathNameW(name.as_ptr(), short.as_mut_ptr(), short.len() as u32) };
    let short = short.get(..len as usize).filter(|s| !s.is_empty())?;
    std::ffi::OsString::from_wide(short).into_string().ok()
}

fn wide(text: &str) -> Vec<u16> {
    OsStr::new(text).encode_wide().chain([0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_path_has_no_long_form() {
        for (long, plain) in [
            (r"\\?\C:\Jo Doe\x", r"C:\Jo Doe\x"),
            (r"\\?\UNC\server\share\x", r"\\server\share\x"),
            (r"\\?\Volume{b75e}\x", r"\\?\Volume{b75e}\x"),
            (r"\\server\share\x", r"\\server\share\x"),
            (r"C:\x", r"C:\x"),
            ("x", "x"),
        ] {
            assert_eq!(super::plain(long.into()), PathBuf::from(plain), "{long}");
        }
    }

    #[test]
    fn advice_is_powershells() {
        let path = Path::new(r"C:\it's\x");
        assert_eq!(
            command_to_close(&[path]),
            r#"icacls 'C:\it''s\x' /inheritance:r /grant:r "${env:USERNAME}:F""#
        );
        assert!(command_to_own(path).starts_with(r"icacls 'C:\it''s\x' /setowner $env:USERNAME /t; "));
        assert_eq!(command_to_allow_writing(path), r#"attrib -r "C:\it's\x""#);
    }

    #[test]
    fn others_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        assert!(refuse_foreign(&path).is_ok());
        fs::write(&path, "").unwrap();
        close(&path, &fs::metadata(&path).unwrap()).unwrap();
        assert!(refuse_foreign(&path).is_ok());
    }
}
