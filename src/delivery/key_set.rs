//! A small, bounded, durable set of names: eight bytes of each name's SHA-256 in a file that only grows by appends.
//!
//! The archive is pruned, and what it has forgotten must still not be delivered twice: the names of delivered turns
//! are noted here when their files go. `backfill` notes the rollouts it has read to their end in another. At a
//! million names the older half is dropped; eight bytes meet by chance once in 10^7 such files.

use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use crate::context::Paths;
use crate::file::{self, Lock};

/// A set of names in a file.
#[derive(Debug, Clone)]
pub struct KeySet {
    path: PathBuf,
    limit: u64,
}

impl KeySet {
    /// The names of delivered turns whose files are no longer in the archive.
    pub fn delivered(paths: &Paths) -> KeySet {
        KeySet { path: paths.delivered_keys(), limit: LIMIT }
    }

    /// The rollouts that `backfill` need not look at again.
    pub fn finished_rollouts(paths: &Paths) -> KeySet {
        KeySet { path: paths.backfilled_keys(), limit: LIMIT }
    }

    /// Returns true if a name was noted. A file that cannot be read knows none.
    pub fn contains(&self, name: &str) -> bool {
        let wanted = key_of(name);
        let Ok(file) = file::open_regular(&self.path) else { return false };
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut magic = [0; KEY_BYTES];
        if reader.read_exact(&mut magic).is_err() || magic != *MAGIC {
            return false;
        }
        loop {
            let Ok(buffer) = reader.fill_buf() else { return false };
            let whole = buffer.len() / KEY_BYTES * KEY_BYTES;
            if buffer[..whole].chunks_exact(KEY_BYTES).any(|key| key == wanted) {
                return true;
            }
            // A torn key at the end: nothing whole follows it.
            if whole == 0 {
                return false;
            }
            reader.consume(whole);
        }
    }

    /// Notes names, on the disk when this returns.
    ///
    /// # Errors
    /// When the file cannot be written; none of the names may then count as noted.
    pub fn add<'a>(&self, names: impl Iterator<Item = &'a str>) -> io::Result<()> {
        let keys: Vec<u8> = names.flat_map(key_of).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let _lock = Lock::acquire(&self.path.with_extension("lock"), PATIENCE)?;
        self.make_room(keys.len() as u64)?;
        let file =
            file::private_options().create(true).truncate(false).read(true).write(true).open(&self.path)?;
        let len = file.metadata()?.len();
        let mut at = len / KEY_BYTES as u64 * KEY_BYTES as u64;
        let mut magic = [0; KEY_BYTES];
        if at == 0
            || crate::platform::read_at(&file, &mut magic, 0).ok() != Some(KEY_BYTES)
            || magic != *MAGIC
        {
            file.set_len(0)?;
            crate::platform::write_all_at(&file, MAGIC, 0)?;
            at = KEY_BYTES as u64;
        }
        crate::platform::write_all_at(&file, &keys, at)?;
        file.sync_data()
    }

    /// Drops the older half when the limit is reached.
    fn make_room(&self, more: u64) -> io::Result<()> {
        let len = fs::metadata(&self.path).map_or(0, |m| m.len());
        if (len + more) / KEY_BYTES as u64 <= self.limit {
            return Ok(());
        }
        let content = file::read_bounded(&self.path, MAX_BYTES)?.unwrap_or_default();
        let keys = content.get(KEY_BYTES..).unwrap_or_default();
        let half = keys.len() / KEY_BYTES / 2 * KEY_BYTES;
        let mut kept = MAGIC.to_vec();
        kept.write_all(&keys[half..])?;
        file::write_atomic(&self.path, &kept)
    }
}

fn key_of(name: &str) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    key.copy_from_slice(&Sha256::digest(name)[..KEY_BYTES]);
    key
}

const KEY_BYTES: usize = 8;
/// The first key's place says what the file is.
const MAGIC: &[u8; KEY_BYTES] = b"axkeys1\n";
/// Number of names kept: 8 MiB.
const LIMIT: u64 = 1 << 20;
/// More than a set at its limit takes, with what one call may add.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
const BUFFER_BYTES: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn key_set(folder: &tempfile::TempDir, limit: u64) -> KeySet {
        KeySet { path: folder.path().join("x.keys"), limit }
    }

    #[test]
    fn names_are_known_once_they_are_noted() {
        let folder = tempfile::tempdir().unwrap();
        let keys = key_set(&folder, LIMIT);
        assert!(!keys.contains("a"));
        keys.add(["a", "b"].into_iter()).unwrap();
        keys.add(["c"].into_iter()).unwrap();
        assert!(["a", "b", "c"].iter().all(|n| keys.contains(n)) && !keys.contains("d"));
        assert_eq!(fs::metadata(&keys.path).unwrap().len(), 4 * 8);
    }

    #[test]
    fn torn_append_loses_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let keys = key_set(&folder, LIMIT);
        keys.add(["a"].into_iter()).unwrap();
        fs::File::options().append(true).open(&keys.path).unwrap().write_all(b"123").unwrap();
        assert!(keys.contains("a"));
        keys.add(["b"].into_iter()).unwrap();
        assert!(keys.contains("a") && keys.contains("b"));
        fs::write(&keys.path, b"something else entirely").unwrap();
        assert!(!keys.contains("a"));
        keys.add(["c"].into_iter()).unwrap();
        assert!(keys.contains("c"));
    }

    #[test]
    fn the_oldest_names_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let keys = key_set(&folder, 10);
        let names: Vec<String> = (0..25).map(|n| n.to_string()).collect();
        for name in &names {
            keys.add([name.as_str()].into_iter()).unwrap();
        }
        assert!(fs::metadata(&keys.path).unwrap().len() <= 11 * 8);
        assert!(!keys.contains("0") && (20..25).all(|n| keys.contains(&n.to_string())));
    }
}
