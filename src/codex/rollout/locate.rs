//! Finds the rollout of a thread and the place of a turn in it, without walking trees or reading whole files.

use memchr::memmem;
use std::io;
use std::path::{Path, PathBuf};

use super::reader::{Reader, read_range};
use super::{Fact, SessionMeta};
use crate::file::open_regular;
use crate::ids::ThreadId;
use crate::time::Timestamp;

/// The rollout of a thread: in the directory of the day inside its id, plain or compressed, or archived.
pub fn find_rollout(codex_home: &Path, thread: &ThreadId) -> Option<PathBuf> {
    day_folders(codex_home, thread)
        .into_iter()
        .chain([codex_home.join("archived_sessions")])
        .find_map(|folder| find_in(&folder, thread))
}

/// The rollout of a thread in the directory of another's.
pub fn find_beside(other: &Path, thread: &ThreadId) -> Option<PathBuf> {
    find_in(other.parent()?, thread)
}

/// The files in which a thread began that goes on in `path`: Codex begins another when a user takes a prompt back,
/// and puts a second id behind the thread's in its name.
pub fn earlier_parts(path: &Path, thread: &ThreadId) -> Vec<PathBuf> {
    let name = path.file_name().and_then(|n| rollout_stem(n.to_str()?));
    let Some((name, folder)) = name.zip(path.parent()) else { return Vec::new() };
    if !name.contains(&format!("-{thread}_")) {
        return Vec::new();
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    let earlier = |other: &PathBuf| {
        let stem = other.file_name().and_then(|n| rollout_stem(n.to_str()?));
        stem.is_some_and(|s| s < name && s.contains(thread.as_str()))
    };
    entries.filter(earlier).collect()
}

fn find_in(folder: &Path, thread: &ThreadId) -> Option<PathBuf> {
    let end = format!("-{thread}");
    let wanted = |name: &str| rollout_stem(name).is_some_and(|stem| stem.ends_with(&end));
    let entries = std::fs::read_dir(folder).ok()?;
    entries.flatten().find(|e| e.file_name().to_str().is_some_and(wanted)).map(|e| e.path())
}

/// The name of a rollout without its endings; none for another file.
pub fn rollout_stem(name: &str) -> Option<&str> {
    let stem = name.strip_suffix(".zst").unwrap_or(name).strip_suffix(".jsonl")?;
    stem.starts_with("rollout-").then_some(stem)
}

/// The directories a thread's day may be: Codex names them by local time, so a day to each side is looked at too.
fn day_folders(codex_home: &Path, thread: &ThreadId) -> Vec<PathBuf> {
    let Some(created) = Timestamp::of_uuid_v7(thread.as_str()) else { return Vec::new() };
    let days = [0i64, 1, -1].into_iter().filter_map(|shift| {
        let seconds = i64::try_from(created.as_millis() / 1000).ok()? + shift * 86_400;
        jiff::Timestamp::from_second(seconds).ok()
    });
    days.map(|day| codex_home.join(day.strftime("sessions/%Y/%m/%d").to_string())).collect()
}

/// Returns where the line that starts `turn` begins; `None` when it is not among the last
/// [`MAX_LOOK_BACK_BYTES`].
///
/// # Errors
/// When the file cannot be read.
pub fn find_turn_start(path: &Path, turn: &str) -> io::Result<Option<u64>> {
    let is_start = |line: &[u8]| {
        let kinds = ["\"task_started\"", "\"turn_started\""];
        kinds.iter().any(|kind| memmem::find(line, kind.as_bytes()).is_some())
            && memmem::find(line, format!("\"{turn}\"").as_bytes()).is_some()
    };
    let mut found = None;
    read_backwards(path, u64::MAX, turn.len(), |block| {
        found = block.last_line(turn.as_bytes(), is_start);
        found.is_some()
    })?;
    Ok(found)
}

/// Returns where the last line before the byte `end` begins that holds each of these words as a JSON string, in no order;
/// nothing for one that no line among the [`MAX_LOOK_BACK_BYTES`] before holds. The file is read once for all.
///
/// # Errors
/// When the file cannot be read.
pub fn find_words_before(path: &Path, end: u64, words: &[&str]) -> io::Result<Vec<u64>> {
    let mut missing: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let longest = missing.iter().map(String::len).max().unwrap_or(0);
    let mut found = Vec::new();
    read_backwards(path, end, longest, |block| {
        missing.retain(|word| {
            let place = block.last_line(word.as_bytes(), |_| true);
            found.extend(place);
            place.is_none()
        });
        missing.is_empty()
    })?;
    Ok(found)
}

/// Returns true if the last lines of a rollout say that `turn` has ended.
pub fn has_ended(path: &Path, turn: &str) -> bool {
    let tail = || {
        let mut file = open_regular(path)?;
        let size = file.metadata()?.len();
        read_range(&mut file, size.saturating_sub(MAX_START_LINE_BYTES), size)
    };
    let Ok(tail) = tail() else { return false };
    let ends = |line: &[u8]| {
        let kinds = ["\"task_complete\"", "\"turn_complete\"", "\"turn_aborted\""];
        kinds.iter().any(|kind| memmem::find(line, kind.as_bytes()).is_some())
            && memmem::find(line, turn.as_bytes()).is_some()
    };
    let complete = memchr::memrchr(b'\n', &tail).map_or(0, |end| end);
    tail[..complete].split(|b| *b == b'\n').any(ends)
}

/// Returns true if what follows the byte `from` says that `turn` has ended, or that another turn has begun.
pub fn is_over_after(path: &Path, turn: &str, from: u64) -> bool {
    // The end may stand a little before: a hook reads the length while Codex writes.
    let Ok(reader) = Reader::open_at(path, from.saturating_sub(MAX_START_LINE_BYTES)) else { return false };
    let mut reader = reader.within(MAX_AFTER_BYTES);
    while let Some(record) = reader.next() {
        let own = record.turn.as_deref() == Some(turn);
        match record.fact {
            Fact::TurnEnded(_) if own => return true,
            Fact::TurnStarted { .. } if !own && reader.line_at() >= from => return true,
            _ => {}
        }
    }
    false
}

/// A stretch of a file that is read backwards.
struct Block {
    from: u64,
    /// What lies behind it was looked at before.
    end: u64,
    /// From `from` to somewhat behind `end`, so that a line that straddles it is whole.
    bytes: Vec<u8>,
}

impl Block {
    /// Returns where the last line begins that holds `needle` before the end and satisfies `wanted`.
    fn last_line(&self, needle: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Option<u64> {
        let (block, from) = (self.bytes.as_slice(), self.from);
        let hits = memmem::rfind_iter(block, needle).filter(|at| from + (*at as u64) < self.end);
        let mut judged = block.len() + 1;
        for at in hits {
            if at >= judged {
                continue;
            }
            let begin = memchr::memrchr(b'\n', &block[..at]).map_or(0, |n| n + 1);
            judged = begin;
            let stop = memchr::memchr(b'\n', &block[at..]).map_or(block.len(), |n| at + n);
            // A line that began in an earlier block is longer than any line that starts a turn.
            if (begin > 0 || from == 0) && wanted(&block[begin..stop]) {
                return Some(from + begin as u64);
            }
        }
        None
    }
}

/// Reads a file from its end, or from the byte `size`, towards its beginning, until `look` has found all it seeks, which
/// is at most `longest` bytes long.
fn read_backwards(
    path: &Path,
    size: u64,
    longest: usize,
    mut look: impl FnMut(&Block) -> bool,
) -> io::Result<()> {
    let mut file = open_regular(path)?;
    let size = file.metadata()?.len().min(size);
    let overlap = longest as u64 + MAX_START_LINE_BYTES;
    let mut end = size;
    while end > 0 && size - end < MAX_LOOK_BACK_BYTES {
        let from = end.saturating_sub(BLOCK_BYTES);
        let bytes = read_range(&mut file, from, (end + overlap).min(size))?;
        if look(&Block { from, end, bytes }) {
            break;
        }
        // Lines of this kind are short, so one that straddles two blocks is found in the overlap.
        end = if from == 0 { 0 } else { from + MAX_START_LINE_BYTES.min(BLOCK_BYTES / 2) };
        if end >= size && from > 0 {
            end = from;
        }
    }
    Ok(())
}

/// The session's own meta line, the first of its file.
pub fn read_session_meta(path: &Path) -> Option<SessionMeta> {
    match Reader::open(path).ok()?.within(MAX_META_BYTES).next()?.fact {
        Fact::Session(meta) => Some(*meta),
        _ => None,
    }
}

const BLOCK_BYTES: u64 = 1024 * 1024;
/// The first line holds Codex's instructions to the model, and no more.
const MAX_META_BYTES: u64 = 16 * 1024 * 1024;
/// No line that starts a turn or reports a subagent is longer.
const MAX_START_LINE_BYTES: u64 = 64 * 1024;
/// How far behind the place where a turn was closed its end is looked for.
const MAX_AFTER_BYTES: u64 = 16 * 1024 * 1024;
/// Distance from its end up to which a rollout is searched for the beginning of a turn.
pub const MAX_LOOK_BACK_BYTES: u64 = 4 * 1024 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rollout_is_found_by_day_in_thread_id() {
        let home = tempfile::tempdir().unwrap();
        let thread = ThreadId::parse("01a20338-12a8-70e0-af71-2abbd9056370").unwrap();
        let folder = home.path().join("sessions/2026/11/23");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("rollout-2026-11-23T01-25-36-{thread}.jsonl.zst"));
        assert_eq!(find_rollout(home.path(), &thread), None);
        std::fs::write(&path, "").unwrap();
        assert_eq!(find_rollout(home.path(), &thread), Some(path));
        let archived = home.path().join("archived_sessions");
        std::fs::create_dir_all(&archived).unwrap();
        let other = ThreadId::parse("not-a-uuid").unwrap();
        std::fs::write(archived.join("rollout-x-not-a-uuid.jsonl"), "").unwrap();
        assert!(find_rollout(home.path(), &other).is_some());
    }

    #[test]
    fn last_line_of_each_word_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        let filler = format!("{{\"x\":\"far {}\"}}\n", "y".repeat(3000));
        for between in [0, 1, 347, 348, 349, 700] {
            let far = "{\"kind\":\"far\"}\n{\"kind\":\"far\"}\n";
            let near = "{\"kind\":\"near\"}\n{\"kind\":\"far";
            let text = format!("{filler}{far}{}{near}", filler.repeat(between));
            std::fs::write(&path, &text).unwrap();
            let end = text.len() as u64;
            let (far, near) = (text.find("{\"kind").unwrap() + 15, text.find("{\"kind\":\"near").unwrap());
            let found = |end: u64, words: &[&str]| {
                let mut found = find_words_before(&path, end, words).unwrap();
                found.sort_unstable();
                found
            };
            assert_eq!(found(end, &["near", "nowhere", "far"]), [far as u64, near as u64], "{between}");
            assert_eq!(
                found(near as u64, &["near", "far"]),
                [far as u64],
                "what stands behind counts for nothing"
            );
        }
        assert!(find_words_before(&path, 0, &["far"]).unwrap().is_empty());
    }

    #[test]
    fn turn_start_is_found_across_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        let start = |turn: &str| {
            format!(
                "{{\"type\":\"event_msg\",\"payload\":{{\"type\":\"task_started\",\"turn_id\":\"{turn}\"}}}}\n"
            )
        };
        let filler = format!("{{\"x\":\"turn-b {}\"}}\n", "y".repeat(3000));
        for before in [0, 1, 340, 347, 348, 349, 700] {
            let head = filler.repeat(before);
            let content = format!("{}{head}{}{}", start("turn-a"), start("turn-b"), filler.repeat(800));
            std::fs::write(&path, &content).unwrap();
            let want = (start("turn-a").len() + head.len()) as u64;
            assert_eq!(find_turn_start(&path, "turn-b").unwrap(), Some(want), "{before} before");
            assert_eq!(find_turn_start(&path, "turn-a").unwrap(), Some(0));
            assert_eq!(find_turn_start(&path, "turn-c").unwrap(), None);
        }
    }
}
