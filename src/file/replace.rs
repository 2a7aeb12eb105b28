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
    make(&temporary).and_then(|()| platform::replace(&temporary, path)).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

/// Replaces `path` by `content` if it still holds `expected` (`None`: if it is not there yet), whoever else replaces it at
/// the same time; returns whether it did. What another program has put there in the meantime stays; where two files
/// cannot be exchanged in one step (Windows, some file systems), unless it came between the last look and the renaming.
///
/// # Errors
/// When it cannot be read or written; `path` is then as it was.
pub fn write_if_unchanged(
    path: &Path,
    expected: Option<&[u8]>,
    content: &[u8],
    rights: Option<&fs::Permissions>,
) -> io::Result<bool> {
    write_between(path, expected, content, rights, || ())
}

/// Does the work; `between` happens at the last moment at which another program can come first.
fn write_between(
    path: &Path,
    expected: Option<&[u8]>,
    content: &[u8],
    rights: Option<&fs::Permissions>,
    between: impl FnOnce(),
) -> io::Result<bool> {
    let temporary = temporary_beside(path);
    let made = file::private_options().create_new(true).write(true).open(&temporary);
    let made = made.and_then(|mut file| file.write_all(content));
    let made = made.and_then(|()| rights.map_or(Ok(()), |r| fs::set_permissions(&temporary, r.clone())));
    let done = made.and_then(|()| {
        // At the last moment, so that there is hardly ever anything to put back.
        if expected.is_some_and(|expected| fs::read(path).is_ok_and(|now| now != expected)) {
            return Ok(false);
        }
        between();
        match expected {
            Some(expected) => swap(&temporary, path, expected, content),
            None => match fs::hard_link(&temporary, path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                Err(_) if !path.exists() => fs::rename(&temporary, path).map(|()| true),
                linked => linked.map(|()| true),
            },
        }
    });
    let _ = fs::remove_file(&temporary);
    done
}

fn swap(temporary: &Path, path: &Path, expected: &[u8], content: &[u8]) -> io::Result<bool> {
    match platform::exchange(temporary, path) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            return platform::replace_if(temporary, path, || Ok(fs::read(path)? == expected));
        }
        done => done?,
    }
    if fs::read(temporary)? == expected {
        return Ok(true);
    }
    // Another program was first: its file goes back, unless there is a newer one yet.
    platform::exchange(temporary, path)?;
    if fs::read(temporary)? != content {
        platform::exchange(temporary, path)?;
    }
    Ok(false)
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
    fn what_another_program_wrote_last_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let write = |expected: Option<&str>, between: &dyn Fn()| {
            write_between(&path, expected.map(str::as_bytes), b"ours", None, between).unwrap()
        };
        assert!(write(None, &|| ()));
        assert!(!write(None, &|| ()), "it is there already");
        fs::write(&path, "old").unwrap();
        let other = || {
            let own = folder.path().join("own");
            fs::write(&own, "theirs").unwrap();
            fs::rename(&own, &path).unwrap();
        };
        assert!(!write(Some("old"), &other));
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
        assert!(write(Some("theirs"), &|| ()));
        assert_eq!(fs::read(&path).unwrap(), b"ours");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// Where a file that somebody has open cannot be replaced, it is waited for; what is written meanwhile stays.
    #[test]
    fn what_was_written_while_waiting_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (path, own) = (folder.path().join("config.toml"), folder.path().join("own"));
        fs::write(&path, "old").unwrap();
        fs::write(&own, "theirs").unwrap();
        std::thread::scope(|scope| {
            let open = || {
                let reader = fs::File::open(&path).unwrap();
                let (path, own) = (&path, &own);
                scope.spawn(move || {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                    drop(reader);
                    while fs::rename(own, path).is_err() {}
                });
            };
            write_between(&path, Some(b"old"), b"ours", None, open).unwrap();
        });
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
    }

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
