//! Appends a turn's line to the file of its month, unless it stands there.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::files;
use super::lines::{self, Passed};
use crate::file::{self, Lock};
use crate::layout::Paths;
use crate::otel::entry::Head;
use crate::otel::history_line::Line;
use crate::platform;

/// Writes lines, and remembers which turns the month it wrote last has, so that thousands of turns do not read it anew.
#[derive(Debug, Default)]
pub struct Writer {
    path: PathBuf,
    len: u64,
    known: HashSet<u64>,
}

impl Writer {
    /// Writes a turn's line unless it is there; returns whether it was written.
    ///
    /// # Errors
    /// When the file cannot be locked, read or written; nothing of the line is left then.
    pub fn append(&mut self, paths: &Paths, head: &Head) -> io::Result<bool> {
        let line = Line::of(head);
        let path = paths.history().join(files::file_name(&line));
        file::create_private_dir(&paths.history())?;
        let _lock = Lock::acquire(&paths.history_lock(), PATIENCE)?;
        let file = file::private_options().create(true).truncate(false).read(true).write(true).open(&path)?;
        let len = file.metadata()?.len();
        if self.path != path || self.len != len {
            self.known.clear();
            lines::read(&path, &mut Passed::default(), &mut |line| {
                self.known.insert(line.digest());
            })?;
            (self.path, self.len) = (path, len);
        }
        if self.known.contains(&line.digest()) {
            return Ok(false);
        }
        let mut bytes = Vec::new();
        let mut last = [b'\n'];
        if len > 0 {
            platform::read_at(&file, &mut last, len - 1)?;
        }
        if last != *b"\n" {
            bytes.push(b'\n');
        }
        bytes.extend(line.to_bytes());
        if let Err(error) = platform::write_all_at(&file, &bytes, len) {
            let _ = file.set_len(len);
            return Err(error);
        }
        self.known.insert(line.digest());
        self.len = len + bytes.len() as u64;
        Ok(true)
    }
}

const PATIENCE: Duration = Duration::from_secs(5);
