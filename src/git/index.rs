//! Changes of tracked files, found from the index and the files' own data, without running git.
//!
//! A repository's own configuration can name programs for git to run (core.fsmonitor, filters, a promisor's
//! transport), and Codex works in directories that strangers made: git is never run there. What is compared is what git
//! compares first (gitformat-index(5), racy-git): size and time of each file as they were when git last looked.

use std::fs;
use std::path::{Component, Path};
use std::time::{Duration, Instant, SystemTime};

use crate::{file, platform};

/// Returns true if a tracked file differs from what git last saw, or is gone, or something is staged; none
/// when that cannot be found out within `patience` or without reading contents.
pub(super) fn is_dirty(git: &Path, root: &Path, patience: Duration) -> Option<bool> {
    let deadline = Instant::now() + patience;
    let path = git.join("index");
    let content = file::read_bounded(&path, MAX_BYTES).ok()??;
    let written = moment(&fs::metadata(&path).ok()?);
    let mut index = Index::open(&content)?;
    let mut unsure = false;
    while let Some(entry) = index.next_entry()? {
        match entry.state(root, written)? {
            Some(true) => return Some(true),
            Some(false) => {}
            None => unsure = true,
        }
        if Instant::now() > deadline {
            return None;
        }
    }
    match index.staged()? {
        true => Some(true),
        false if unsure => None,
        false => Some(false),
    }
}

/// Seconds and nanoseconds of a file's last change, as far as the index keeps them.
type Moment = (u32, u32);

fn moment(metadata: &fs::Metadata) -> Moment {
    let since = metadata.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.map_or((0, 0), |since| (since.as_secs() as u32, since.subsec_nanos()))
}

/// The entries of an index, read one after the other.
struct Index<'a> {
    content: &'a [u8],
    version: u32,
    left: u32,
    at: usize,
    path: Vec<u8>,
}

struct IndexEntry<'a> {
    changed: Moment,
    mode: u32,
    size: u32,
    stage: u16,
    ignored: bool,
    path: &'a [u8],
}

impl<'a> Index<'a> {
    fn open(content: &'a [u8]) -> Option<Index<'a>> {
        let version = number(content, 4)?;
        let known = content.starts_with(b"DIRC") && (2..=4).contains(&version);
        let left = number(content, 8)?;
        known.then_some(Index { content, version, left, at: 12, path: Vec::new() })
    }

    /// The next entry; `Some(None)` behind the last, none for an index that is damaged.
    #[expect(clippy::option_option, reason = "the outer says whether the index can be read on")]
    fn next_entry(&mut self) -> Option<Option<IndexEntry<'_>>> {
        if self.left == 0 {
            return Some(None);
        }
        self.left -= 1;
        let start = self.at;
        let field = |n: usize| number(self.content, start + n);
        let (seconds, nanos, mode, size) = (field(8)?, field(12)?, field(24)?, field(36)?);
        let flags = short(self.content, start + 60)?;
        let extended = flags & 0x4000 != 0 && self.version >= 3;
        let more = if extended { short(self.content, start + 62)? } else { 0 };
        let name = start + if extended { 64 } else { 62 };
        self.read_name(start, name)?;
        // Assumed unchanged, not checked out, or only meant to be added.
        let ignored = flags & 0x8000 != 0 || more & 0x6000 != 0;
        let stage = flags >> 12 & 3;
        Some(Some(IndexEntry { changed: (seconds, nanos), mode, size, stage, ignored, path: &self.path }))
    }

    fn read_name(&mut self, start: usize, name: usize) -> Option<()> {
        let mut from = name;
        if self.version == 4 {
            let (dropped, read) = offset(self.content.get(name..)?)?;
            self.path.truncate(self.path.len().checked_sub(dropped)?);
            from += read;
        } else {
            self.path.clear();
        }
        let end = from + memchr::memchr(0, self.content.get(from..)?)?;
        self.path.extend_from_slice(&self.content[from..end]);
        // Before version 4 entries are padded with one to eight zeros.
        self.at = if self.version == 4 { end + 1 } else { start + (end - start + 8) / 8 * 8 };
        (self.path.len() <= MAX_PATH_BYTES).then_some(())
    }

    /// Returns true if something was added since the last commit: git then forgets which tree the index
    /// stands for.
    fn staged(&self) -> Option<bool> {
        let mut at = self.at;
        // The checksum ends the file; its length depends on the hash.
        while at + 8 + MIN_HASH_BYTES <= self.content.len() {
            let (name, size) = (self.content.get(at..at + 4)?, number(self.content, at + 4)? as usize);
            let body = self.content.get(at + 8..(at + 8).checked_add(size)?);
            match (name, body) {
                (b"TREE", Some(body)) => return Some(body.get(1) == Some(&b'-')),
                // A split or sparse index does not list every file.
                (b"link" | b"sdir", _) => return None,
                (_, Some(_)) => at += 8 + size,
                (_, None) => break,
            }
        }
        None
    }
}

impl IndexEntry<'_> {
    /// Returns true if the file differs; `Some(None)` when only its content could show it, none for an index not
    /// to be trusted.
    #[expect(clippy::option_option, reason = "the outer says whether the index can be used at all")]
    fn state(&self, root: &Path, written: Moment) -> Option<Option<bool>> {
        let path = platform::path_of_bytes(self.path)?;
        if self.path.is_empty() || !path.components().all(|c| matches!(c, Component::Normal(_))) {
            return None;
        }
        if self.ignored || self.mode & 0o170_000 == SUBMODULE {
            return Some(Some(false));
        }
        if self.stage != 0 {
            return Some(Some(true));
        }
        let Ok(found) = fs::symlink_metadata(root.join(path)) else { return Some(Some(true)) };
        let same_kind = platform::git_kind(&found) == Some(self.mode & 0o170_000);
        if !same_kind && platform::LINKS_MAY_BE_FILES && self.mode & 0o170_000 == LINK {
            return Some(None);
        }
        if !same_kind || found.len() as u32 != self.size {
            // A size of zero marks a file that was written while git looked.
            return Some(if same_kind && self.size == 0 { None } else { Some(true) });
        }
        if moment(&found) != self.changed {
            return Some(None);
        }
        Some(if self.changed >= written { None } else { Some(false) })
    }
}

fn number(content: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(content.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn short(content: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(content.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

/// A number as git writes offsets: seven bits a byte, each further byte counts one more.
fn offset(content: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0usize;
    for (n, byte) in content.iter().take(4).enumerate() {
        value = value << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, n + 1));
        }
        value += 1;
    }
    None
}

const MAX_BYTES: u64 = 64 * 1024 * 1024;
const MAX_PATH_BYTES: usize = 4096;
const MIN_HASH_BYTES: usize = 20;
const SUBMODULE: u32 = 0o160_000;
/// Written as a plain file where the system or the user's settings allow no links.
const LINK: u32 = 0o120_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_is_no_index_tells_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut hostile = b"DIRC\0\0\0\x02\0\0\0\x01".to_vec();
        hostile.resize(12 + 62, 0);
        hostile.extend(b"../../etc/passwd\0\0\0\0\0\0\0\0");
        for content in
            [&b""[..], b"DIRC", b"DIRC\0\0\0\x02\xff\xff\xff\xff", b"DIRC\0\0\0\x09\0\0\0\0", &hostile]
        {
            fs::write(folder.path().join("index"), content).unwrap();
            assert_eq!(is_dirty(folder.path(), folder.path(), Duration::from_secs(5)), None);
        }
    }
}
