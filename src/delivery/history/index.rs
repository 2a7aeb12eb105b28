//! A compact copy of a month of the history, beside it, in which years are read in a moment.
//!
//! It can be thrown away at any time: it counts only as long as the month's file has the length and the time it was made
//! from, and it is made anew, with the next reading, for months nobody writes to any more.
//!
//! Behind a line of text (its format and the version of the lines it knows) and a checksum of all the rest stand whole
//! numbers of seven bits a byte, the lowest first: length and time of the month's file, what readers passed over in it,
//! each text once, and the turns with texts by their number.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::lines::{Passed, read_once};
use super::packed::{Packer, Unpacker, push};
use crate::file;
use crate::otel::history_line::{Line, VERSION};
use crate::time::Timestamp;

/// Shows `each` the turns of one month's file, each turn once: from the copy where it is one of this very file, or else
/// from the file itself, of which a copy is then left where nobody writes to it any more.
///
/// # Errors
/// When the month's file cannot be read. A copy that cannot be read or written costs time alone.
pub fn read_month(path: &Path, passed: &mut Passed, each: &mut dyn FnMut(&Line)) -> io::Result<()> {
    let Some(stamp) = Stamp::of(path) else { return read_once(path, passed, each) };
    let content = file::read_bounded(&copy_of(path), MAX_BYTES).ok().flatten().unwrap_or_default();
    if let Some(found) = Copy::check(&content, stamp)
        && let Some(more) = found.turns(each)
    {
        passed.add(more);
        return Ok(());
    }
    if !stamp.is_settled() {
        return read_once(path, passed, each);
    }
    let mut packer = Packer::default();
    let mut found = Passed::default();
    read_once(path, &mut found, &mut |line| {
        packer.turn(line);
        each(line);
    })?;
    passed.add(found);
    if Stamp::of(path) == Some(stamp) {
        let _ = file::write_atomic(&copy_of(path), &content_of(packer, stamp, found));
    }
    Ok(())
}

/// Identifies the state of a month's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    len: u64,
    /// When it was written, in nanoseconds since 1970.
    written: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Stamp> {
        let metadata = fs::metadata(path).ok()?;
        let since = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Some(Stamp { len: metadata.len(), written: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX) })
    }

    /// Returns true if nothing was changed for a while. A clock that was set back makes nothing of it.
    fn is_settled(self) -> bool {
        crate::time::now().since(Timestamp::from_nanos(self.written)) > SETTLED
    }
}

fn copy_of(path: &Path) -> PathBuf {
    path.with_extension("index")
}

/// The content of a copy.
fn content_of(packer: Packer, stamp: Stamp, passed: Passed) -> Vec<u8> {
    let mut body = Vec::with_capacity(packer.bytes() + 64);
    for number in [stamp.len, stamp.written, passed.torn, passed.newer] {
        push(&mut body, number);
    }
    packer.write(&mut body);
    [magic().as_bytes(), &checksum(&body).to_le_bytes(), &body].concat()
}

/// A copy that is whole and of the file in its present state.
struct Copy<'a> {
    rest: Unpacker<'a>,
    passed: Passed,
}

impl<'a> Copy<'a> {
    fn check(content: &'a [u8], stamp: Stamp) -> Option<Copy<'a>> {
        let rest = content.strip_prefix(magic().as_bytes())?;
        let (sum, body) = rest.split_first_chunk::<8>()?;
        let mut rest = Unpacker::new(body);
        let written = Stamp { len: rest.number()?, written: rest.number()? };
        if written != stamp || checksum(body) != u64::from_le_bytes(*sum) {
            return None;
        }
        let passed = Passed { torn: rest.number()?, newer: rest.number()? };
        rest.read_texts()?;
        Some(Copy { rest, passed })
    }

    /// Shows the turns; none when it is no copy of ours, which its checksum rules out.
    fn turns(self, each: &mut dyn FnMut(&Line)) -> Option<Passed> {
        let mut rest = self.rest;
        let mut line = Line::default();
        for _ in 0..rest.number()? {
            rest.turn(&mut line)?;
            each(&line);
        }
        Some(self.passed)
    }
}

/// A sum that another byte anywhere changes.
fn checksum(bytes: &[u8]) -> u64 {
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(bytes.len() as u64, |sum, word| mix(sum, u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| mix(sum, u64::from(*byte)))
}

/// Names the format and the version of the lines it was made from, so that a release that reads more makes it anew.
fn magic() -> String {
    format!("arize-codex history index 1, lines {VERSION}\n")
}

/// More than a copy of any month has.
const MAX_BYTES: u64 = 512 * 1024 * 1024;
/// A month that was not written to for so long is rarely written to again.
const SETTLED: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"{"v":1,"turn":"t-1","thread":"s-1","part":2,"root":["s-0","t-0"],"at":1795350336172,"ms":77,
        "status":"failed","project":"shop","n":4,"model":"gpt-5.5","cwd":"/a \"b\"","branch":"main","commit":"c0ffee",
        "origin":"hooks","uses":[{"m":"gpt-5.5","t":"priority","l":true,"at":1795350336172,"n":2,"u":1,"i":300000,
        "c":9,"w":8,"o":7,"r":6},{"m":"","at":5,"n":0,"i":0,"o":0}],"tools":[{"name":"Bash","n":3,"failed":2,"nest":1,
        "failed_nested":1,"ms":9,"asked":1,"denied":1,"wait_ms":4}],"time":{"m":1,"f":2,"t":3,"a":4,"h":5,"c":6},
        "compact":3,"ctx":[7,null],"lim":[{"w":300,"u":421,"z":1795350400}]}"#;
    const SPARSE: &str =
        r#"{"v":1,"turn":"t-2","thread":"s-1","at":0,"ms":18446744073709551615,"status":""}"#;

    fn month(lines: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("2026-10.jsonl");
        let text: String = lines.iter().map(|l| l.replace("\n        ", "") + "\n").collect();
        fs::write(&path, text).unwrap();
        age(&path);
        (folder, path)
    }

    fn age(path: &Path) {
        let then = SystemTime::now() - Duration::from_secs(100_000);
        fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    }

    /// What a reading shows, every field of it.
    fn read(path: &Path) -> (Vec<String>, Passed) {
        let (mut lines, mut passed) = (Vec::new(), Passed::default());
        read_month(path, &mut passed, &mut |line| lines.push(format!("{line:?}").replace("v: 0", "v: 1")))
            .unwrap();
        (lines, passed)
    }

    #[test]
    fn copy_shows_every_field_of_the_lines() {
        let (_folder, path) = month(&[FULL, SPARSE, FULL, "{\"v\":1,", "{\"v\":9}"]);
        let first = read(&path);
        assert_eq!((first.0.len(), first.1), (2, Passed { torn: 1, newer: 1 }));
        assert!(copy_of(&path).exists());
        fs::write(&path, vec![b'x'; fs::metadata(&path).unwrap().len() as usize]).unwrap();
        let stamp = fs::metadata(copy_of(&path)).unwrap();
        assert!(stamp.len() > 100);
        assert_eq!(read(&path).0, Vec::<String>::new(), "another time: the copy does not count");
    }

    #[test]
    fn copy_is_read_in_place_of_the_file() {
        let (_folder, path) = month(&[FULL, SPARSE]);
        let first = read(&path);
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, vec![b'x'; fs::metadata(&path).unwrap().len() as usize]).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
        assert_eq!(read(&path), first);
    }

    #[test]
    fn damaged_copy_is_made_anew() {
        let (_folder, path) = month(&[FULL, SPARSE]);
        let first = read(&path);
        let whole = fs::read(copy_of(&path)).unwrap();
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 0x10;
            fs::write(copy_of(&path), &broken).unwrap();
            assert_eq!(read(&path), first, "byte {at}");
            fs::write(copy_of(&path), &whole[..at]).unwrap();
            assert_eq!(read(&path), first, "cut at {at}");
        }
        assert_eq!(fs::read(copy_of(&path)).unwrap(), whole);
    }

    #[test]
    fn month_that_grows_gets_no_copy() {
        let (_folder, path) = month(&[FULL]);
        read(&path);
        fs::write(&path, format!("{}\n{SPARSE}\n", FULL.replace("\n        ", ""))).unwrap();
        fs::remove_file(copy_of(&path)).unwrap();
        assert_eq!(read(&path).0.len(), 2);
        assert!(!copy_of(&path).exists());
    }
}
