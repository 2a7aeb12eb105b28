//! Files as the only shared state: private directories, whole-file replacement, appends, locks, bounded reads.
//!
//! Directories and files that are a link or belong to another user are refused: somebody else may have laid them there.
//!
//! Every function leaves either the old or the new content behind, whenever the process is killed. Nothing here
//! knows what the files mean.

mod lock;
mod private;
pub mod replace;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::platform;

pub use lock::{Lock, lock_within};
pub use private::{check_home, create_private_dir, make_private};

/// Replaces `path` by `content`, mode 0600, through a temporary sibling.
///
/// # Errors
/// When the sibling cannot be written or renamed; `path` is then as it was.
pub fn write_atomic(path: &Path, content: &[u8]) -> io::Result<()> {
    write_atomic_with(path, |file| file.write_all(content))
}

/// Replaces `path` by what `write` writes, as [`write_atomic`] does.
///
/// # Errors
/// When `write` fails, or the sibling cannot be made or renamed; `path` is then as it was.
pub fn write_atomic_with(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let temporary = temporary_sibling(path)?;
    let written = private_options().create_new(true).write(true).open(&temporary).and_then(|mut file| {
        write(&mut file)?;
        // A file that is open cannot be renamed everywhere.
        drop(file);
        platform::replace(&temporary, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// A name beside `path` that no other process makes: by number, count and clock. The directory is private, so it need
/// not be a secret, and a hook is spared the system's random numbers.
fn temporary_sibling(path: &Path) -> io::Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().ok_or_else(|| io::Error::other("path without a file name"))?;
    let mut sibling = std::ffi::OsString::from(TEMPORARY_PREFIX);
    sibling.push(name);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = crate::time::now().as_nanos();
    sibling.push(format!(".{}-{count}-{now:016x}", std::process::id()));
    Ok(path.with_file_name(sibling))
}

/// Makes a private file in `directory` that has no name: it is gone with whoever holds it.
///
/// # Errors
/// When the directory or the file cannot be made.
pub fn create_nameless(directory: &Path) -> io::Result<File> {
    create_private_dir(directory)?;
    let path = temporary_sibling(&directory.join("scratch"))?;
    let file = private_options().create_new(true).read(true).write(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// Fills `buffer` with unpredictable bytes; on a system without a source of them, with the clock's.
pub fn fill_random(buffer: &mut [u8; 8]) {
    if platform::random(buffer).is_err() {
        *buffer = (crate::time::now().as_nanos()).to_ne_bytes();
    }
}

/// Deletes the temporary files that killed processes left in `folder` more than an hour ago.
pub fn remove_stale_temporaries(folder: &Path) {
    remove_older(folder, Duration::from_secs(3600), |path| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(TEMPORARY_PREFIX.as_bytes()))
    });
}

/// Deletes the files in `folder` that were last written longer than `limit` ago and that `goes` names.
pub fn remove_older(folder: &Path, limit: Duration, goes: impl Fn(&Path) -> bool) {
    let is_old = |path: &Path| fs::symlink_metadata(path).is_ok_and(|metadata| age(&metadata) > limit);
    remove_files(folder, |path| goes(path) && is_old(path));
}

/// Deletes the files in `folder` that `goes` names.
pub fn remove_files(folder: &Path, goes: impl Fn(&Path) -> bool) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| goes(path)) {
        let _ = fs::remove_file(path);
    }
}

/// Returns how long ago a file was last written; zero when its time lies in the future.
pub fn age(metadata: &fs::Metadata) -> Duration {
    metadata.modified().ok().and_then(|at| at.elapsed().ok()).unwrap_or_default()
}

/// Options that open or make a file of ours: for this user alone, links refused, never waiting for a pipe's other
/// end.
#[derive(Debug, Clone)]
pub struct PrivateOptions(OpenOptions);

/// Starts with none of the options set.
pub fn private_options() -> PrivateOptions {
    PrivateOptions(platform::private_options())
}

impl PrivateOptions {
    pub fn read(mut self, read: bool) -> PrivateOptions {
        self.0.read(read);
        self
    }

    pub fn write(mut self, write: bool) -> PrivateOptions {
        self.0.write(write);
        self
    }

    pub fn append(mut self, append: bool) -> PrivateOptions {
        self.0.append(append);
        self
    }

    pub fn truncate(mut self, truncate: bool) -> PrivateOptions {
        self.0.truncate(truncate);
        self
    }

    pub fn create(mut self, create: bool) -> PrivateOptions {
        self.0.create(create);
        self
    }

    pub fn create_new(mut self, create_new: bool) -> PrivateOptions {
        self.0.create_new(create_new);
        self
    }

    /// Opens the file.
    ///
    /// # Errors
    /// When it cannot be opened, or is a link.
    pub fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        platform::refuse_link(self.0.open(path)?)
    }
}

/// Opens a file for reading, links followed.
///
/// # Errors
/// When it cannot be opened or is no regular file: a pipe or a device could be read for ever.
pub fn open_regular(path: &Path) -> io::Result<File> {
    open_with_size(path).map(|(file, _)| file)
}

/// Opens a file as [`open_regular`] does, and returns how long it is.
fn open_with_size(path: &Path) -> io::Result<(File, u64)> {
    let file = platform::reading_options().open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other(format!("{} is not a file", path.display())));
    }
    Ok((file, found.len()))
}

/// Appends `line`, which ends with its newline, in one write.
///
/// # Errors
/// When the file cannot be opened or the write falls short; a later reader skips the torn line.
pub fn append_line(path: &Path, line: &[u8]) -> io::Result<()> {
    let mut file = private_options().create(true).append(true).open(path)?;
    file.write_all(line)
}

/// Reads a file of at most `limit` bytes; `None` when there is none.
///
/// # Errors
/// When it cannot be read, is no regular file, or is larger than `limit`.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let (mut file, size) = match open_with_size(path) {
        Ok(opened) => opened,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    if size > limit {
        return Err(too_large(path, limit));
    }
    // Room for one byte more: a read that leaves it empty has seen the end, without another to learn that.
    let mut content = vec![0; size as usize + 1];
    let read = loop {
        match file.read(&mut content) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    content.truncate(read);
    if read as u64 != size {
        file.take((limit + 1).saturating_sub(read as u64)).read_to_end(&mut content)?;
    }
    if content.len() as u64 > limit {
        return Err(too_large(path, limit));
    }
    Ok(Some(content))
}

fn too_large(path: &Path, limit: u64) -> io::Error {
    let message = format!("{} is larger than {limit} bytes", path.display());
    io::Error::new(io::ErrorKind::FileTooLarge, message)
}

/// An error that names the file once: what the system says does not, what is said here does.
pub fn named(path: &Path, error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(_) => io::Error::new(error.kind(), format!("{}: {error}", path.display())),
        None => error,
    }
}

/// Prefix of temporary files' names.
pub const TEMPORARY_PREFIX: &str = ".tmp-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_replaces_whole_private_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.yaml");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert!(platform::access(&path, &fs::metadata(&path).unwrap()).unwrap().is_private());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn oversized_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        assert!(read_bounded(&path, 3).unwrap().is_none());
        append_line(&path, b"abc\n").unwrap();
        assert!(read_bounded(&path, 3).is_err());
        assert_eq!(read_bounded(&path, 4).unwrap().unwrap(), b"abc\n");
    }
}
