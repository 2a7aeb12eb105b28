//! Files in directories that are not ours alone: replaced as a whole, through a name that nobody can guess and take
//! first.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{file, platform};

/// Replaces `path` by `content`, mode 0600.
///
/// # Errors
/// When it cannot be written; `path` is then as it was.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    put(path, |temporary| {
        file::private_options().create_new(true).write(true).open(temporary)?.write_all(content)
    })
}

/// Puts what `make` makes in the place of `path`, so that everybody finds either the old file or the new one.
///
/// # Errors
/// When it cannot be made or renamed; `path` is then as it was.
pub fn put(path: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let temporary = temporary_beside(path);
    make(&temporary).and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

/// The same for a program, which may be running in the old file.
///
/// # Errors
/// As [`put`].
pub fn put_program(path: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let temporary = temporary_beside(path);
    make(&temporary).and_then(|()| platform::replace_program(&temporary, path)).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

fn temporary_beside(path: &Path) -> PathBuf {
    let mut random = [0; 8];
    file::fill_random(&mut random);
    path.with_file_name(format!("{}{:016x}", file::TEMPORARY_PREFIX, u64::from_ne_bytes(random)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replace_leaves_nothing_beside_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let failed = put(&path, |temporary| {
            fs::write(temporary, "half")?;
            Err(io::Error::other("no"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let names: Vec<PathBuf> = (0..100).map(|_| temporary_beside(&path)).collect();
        assert!(
            names
                .iter()
                .all(|n| names.iter().filter(|o| *o == n).count() == 1 && n.parent() == path.parent())
        );
        assert!(names.iter().all(|n| !n.to_string_lossy().contains("page.html")));
    }
}
