//! Programs on Windows: one that runs can be neither replaced nor deleted, but moved.

use std::fs::{self, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;

use windows_sys::Win32::Storage::FileSystem as files;

use super::{apart, identity, shell};

/// Returns true if two paths lead to one file.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    let of = |path: &Path| {
        let file =
            OpenOptions::new().access_mode(0).custom_flags(files::FILE_FLAG_BACKUP_SEMANTICS).open(path);
        let info = identity(&file?)?;
        io::Result::Ok((info.dwVolumeSerialNumber, info.nFileIndexHigh, info.nFileIndexLow))
    };
    matches!((of(one), of(other)), (Ok(a), Ok(b)) if a == b)
}

/// Gives a file of ours another name in the same directory: a hard link, which needs no right that users lack; a
/// copy where the volume has no such links.
pub fn link(target: &Path, at: &Path) -> io::Result<()> {
    let target = at.with_file_name(target);
    fs::hard_link(&target, at).or_else(|_| fs::copy(&target, at).map(|_| ()))
}

/// Returns true if `at` already is such a link, or an equal copy.
pub fn is_linked(target: &Path, at: &Path) -> bool {
    let target = at.with_file_name(target);
    let len = |path: &Path| fs::metadata(path).ok().filter(Metadata::is_file).map(|m| m.len());
    let equal =
        || len(at).is_some() && len(at) == len(&target) && fs::read(at).ok() == fs::read(&target).ok();
    is_same_file(&target, at) || equal()
}

/// Deletes a program. One that runs cannot be deleted under any of its names, but moved on its volume: it is deleted
/// from the directory for temporary files, or from that above its own, once it has ended.
///
/// # Errors
/// When it is not there, or can be neither deleted nor moved.
pub fn remove_program(path: &Path) -> io::Result<()> {
    let Err(error) = fs::remove_file(path) else { return Ok(()) };
    if error.kind() == io::ErrorKind::NotFound {
        return Err(error);
    }
    let above = path.parent().and_then(Path::parent).map(Path::to_owned);
    let prefix = move_aside(path, &[Some(std::env::temp_dir()), above]).ok_or(error)?;
    delete_later(&prefix);
    Ok(())
}

/// Moves a program into the first of these directories that takes it; returns what its name begins with there.
fn move_aside(path: &Path, directories: &[Option<PathBuf>]) -> Option<PathBuf> {
    let name = path.file_name()?.to_string_lossy();
    directories.iter().flatten().find_map(|directory| {
        let prefix = directory.join(format!("arize-codex-{}-", std::process::id()));
        fs::rename(path, format!("{}{name}.old", prefix.display())).ok().map(|()| prefix)
    })
}

/// Starts one process for each place that deletes what lies there once this one has ended.
fn delete_later(prefix: &Path) {
    static STARTED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    let Ok(mut started) = STARTED.lock() else { return };
    if started.iter().any(|p| p == prefix) {
        return;
    }
    let line = format!("ping -n 3 127.0.0.1 >nul & del /q \"{}*.old\"", prefix.display());
    let _ = apart(&mut shell(&line)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    started.push(prefix.to_owned());
}

/// Puts a program in the place of another, which may run: it is moved aside, and deleted once it has ended.
pub fn replace_program(from: &Path, to: &Path) -> io::Result<()> {
    if fs::rename(from, to).is_ok() {
        return Ok(());
    }
    let mut aside = to.as_os_str().to_owned();
    aside.push(format!(".old-{}", std::process::id()));
    let aside = PathBuf::from(aside);
    fs::rename(to, &aside)?;
    fs::rename(from, to).inspect_err(|_| {
        let _ = fs::rename(&aside, to);
    })?;
    let _ = remove_program(&aside);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn running_program_is_replaced_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("arize-codex.exe");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let linked = folder.path().join("link.exe");
        link(Path::new("arize-codex.exe"), &linked).unwrap();
        assert!(is_linked(Path::new("arize-codex.exe"), &linked) && is_same_file(&program, &linked));
        let mut child = Command::new(&program)
            .args(["--ignored", "--exact", "platform::windows::programs::tests::sleeps"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let newer = folder.path().join("newer.exe");
        fs::write(&newer, "newer").unwrap();
        replace_program(&newer, &program).unwrap();
        assert_eq!(fs::read(&program).unwrap(), b"newer");
        remove_program(&linked).unwrap();
        assert!(!linked.exists());
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().map(|e| e.file_name()).collect();
        assert_eq!(left, ["arize-codex.exe"], "the old one lies nowhere beside it");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn program_is_moved_on_its_volume() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bin.exe");
        fs::write(&program, "").unwrap();
        let elsewhere = folder.path().join("another volume");
        let prefix = move_aside(&program, &[Some(elsewhere), None, Some(folder.path().to_owned())]).unwrap();
        assert!(!program.exists() && prefix.starts_with(folder.path()));
        assert!(PathBuf::from(format!("{}bin.exe.old", prefix.display())).exists());
        assert_eq!(move_aside(&program, &[Some(folder.path().to_owned())]), None, "it is gone");
    }

    #[test]
    #[ignore = "a program that runs, for another test"]
    fn sleeps() {
        std::thread::sleep(std::time::Duration::from_secs(20));
    }
}
