//! Locks between processes, on files made for it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::private_options;
use crate::platform;

/// An exclusive lock on a file made for it; dropped, or its process gone, it is free again.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, waiting at most `patience`.
    ///
    /// # Errors
    /// `TimedOut` when another process holds it all the while; else what opening it gave.
    pub fn acquire(path: &Path, patience: Duration) -> io::Result<Lock> {
        let deadline = Instant::now() + patience;
        loop {
            // Locking takes the right to read or write, which appending alone is not on Windows.
            let file = private_options().create(true).read(true).append(true).open(path)?;
            if !lock_within(&file, deadline.saturating_duration_since(Instant::now()))? {
                break;
            }
            // One that was deleted while it was waited for keeps nobody out.
            if !platform::is_deleted(&file)? {
                return Ok(Lock { _file: file });
            }
        }
        let held = format!("{} is held by another process", path.display());
        Err(io::Error::new(io::ErrorKind::TimedOut, held))
    }

    /// Takes the lock if it is free now; `None` when another process holds it.
    ///
    /// # Errors
    /// What opening or locking it gave.
    pub fn try_acquire(path: &Path) -> io::Result<Option<Lock>> {
        match Lock::acquire(path, Duration::ZERO) {
            Ok(lock) => Ok(Some(lock)),
            Err(e) if e.kind() == io::ErrorKind::TimedOut => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// Locks an open file for this process alone, waiting at most `patience`; false when another one holds it all the
/// while. The lock goes with the file.
///
/// # Errors
/// What the system says of a file that cannot be locked.
pub fn lock_within(file: &File, patience: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + patience;
    let mut pause = Duration::from_micros(100);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(e)) => return Err(e),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Ok(false),
            Err(TryLockError::WouldBlock) => std::thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_lock_times_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let held = Lock::acquire(&path, Duration::ZERO).unwrap();
        assert!(Lock::try_acquire(&path).unwrap().is_none());
        drop(held);
        assert!(Lock::try_acquire(&path).unwrap().is_some());
    }
}
