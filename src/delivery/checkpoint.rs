//! How far the delivery of one turn has come, so that what a backend has acknowledged is not sent again.

use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::context::Paths;
use crate::file;
use crate::layout::CHECKPOINT_SUFFIX;
use crate::otel::entry::EntryKey;

/// The spans of an entry, by their place in it, that are done with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Checkpoint {
    /// Acknowledged: half-open ranges, ascending, apart from each other.
    accepted: Vec<(u64, u64)>,
    /// Refused for their content.
    refused: Vec<u64>,
    /// Spans dropped of requests that were accepted with some of the entry's; whose they were is not known.
    dropped: u64,
}

impl Checkpoint {
    /// Reads the progress of an entry; a missing or damaged file means none.
    pub fn load(paths: &Paths, key: &EntryKey) -> Checkpoint {
        let content = file::read_bounded(&path(paths, key), MAX_BYTES).ok().flatten();
        content.and_then(|c| serde_json::from_slice(&c).ok()).unwrap_or_default()
    }

    /// Writes the progress, or removes the file when there is none.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, paths: &Paths, key: &EntryKey) -> io::Result<()> {
        if *self == Checkpoint::default() {
            return Ok(());
        }
        // Numbers always serialise.
        file::write_atomic(&path(paths, key), &serde_json::to_vec(self).unwrap_or_default())
    }

    pub fn accept(&mut self, index: u64) {
        match self.accepted.iter_mut().find(|(_, end)| *end == index) {
            Some(range) => range.1 += 1,
            None => self.accepted.push((index, index + 1)),
        }
        self.accepted.sort_unstable();
        self.accepted.dedup_by(|next, range| {
            let joined = next.0 <= range.1;
            if joined {
                range.1 = range.1.max(next.1);
            }
            joined
        });
    }

    pub fn refuse(&mut self, index: u64) {
        self.refused.push(index);
    }

    /// Returns true if a span is done with.
    pub fn covers(&self, index: u64) -> bool {
        self.accepted.iter().any(|(start, end)| (*start..*end).contains(&index)) || self.is_refused(index)
    }

    pub fn is_refused(&self, index: u64) -> bool {
        self.refused.contains(&index)
    }

    pub fn refused(&self) -> u64 {
        self.refused.len() as u64
    }

    /// Notes spans that the backend dropped of a request.
    pub fn drop_some(&mut self, spans: u64) {
        self.dropped += spans;
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    pub fn any_accepted(&self) -> bool {
        !self.accepted.is_empty()
    }
}

/// Forgets the progress of an entry: once it has left the outbox, as a kill in between would send again what is
/// acknowledged, and before it comes back.
pub fn forget(paths: &Paths, key: &EntryKey) {
    let _ = fs::remove_file(path(paths, key));
}

fn path(paths: &Paths, key: &EntryKey) -> PathBuf {
    paths.outbox().join(format!("{}{CHECKPOINT_SUFFIX}", key.file_name()))
}

const MAX_BYTES: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_grow_and_join_whatever_the_order() {
        let mut progress = Checkpoint::default();
        for index in [5, 6, 0, 2, 1, 9, 4, 3] {
            progress.accept(index);
        }
        progress.refuse(7);
        assert_eq!(progress.accepted, [(0, 7), (9, 10)]);
        let covered: Vec<u64> = (0..12).filter(|i| progress.covers(*i)).collect();
        assert_eq!(covered, [0, 1, 2, 3, 4, 5, 6, 7, 9]);
        assert_eq!(progress.refused(), 1);
    }
}
