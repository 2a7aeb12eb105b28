//! The history: one line a finished turn, kept for good, a file a month below `history/`.
//!
//! A line is written when a turn is put into the outbox, before the outbox has it: killed in between, the turn is put
//! there once more and its line is found. The month is that of the turn's own time, never of the clock, so a turn has
//! one file in which it can stand; it is looked for there, under a lock, before it is written. Readers pass over a line
//! that stands there twice all the same, one that is torn, and one of a newer version.

use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::delivery::archive::{Item, Place};
use crate::delivery::{archive, checkpoint, outbox};
use crate::file::{self, Lock};
use crate::layout::Paths;
use crate::log::Log;
use crate::otel::entry::{Entry, Head};
use crate::otel::entry_reader::EntryReader;
use crate::otel::history_line::{Line, Unread};
use crate::otel::text_tree::string;
use crate::otel::tool_use::ToolUse;
use crate::platform;
use crate::settings::Settings;
use crate::time::Timestamp;

/// Where finished turns are handed in: the history, then the outbox.
#[derive(Debug)]
pub struct Handover<'a> {
    paths: &'a Paths,
    settings: &'a Settings,
    writer: Writer,
}

impl<'a> Handover<'a> {
    pub fn new(paths: &'a Paths, settings: &'a Settings) -> Handover<'a> {
        Handover { paths, settings, writer: Writer::default() }
    }

    /// Returns where what is odd about a turn is told.
    pub fn log(&self) -> &Log {
        &self.settings.log
    }

    /// Hands in a finished turn. Returns false when the outbox knew it already.
    ///
    /// # Errors
    /// When the outbox cannot take it. A history that cannot be written costs no trace: it is logged, and the line is
    /// made up for from the archive.
    pub fn put(&mut self, entry: &Entry) -> io::Result<bool> {
        self.note(entry);
        outbox::put(self.paths, entry)
    }

    /// Hands in a finished turn in the place of what is known of it: waiting, delivered or set aside.
    ///
    /// # Errors
    /// When another process delivers all the while, or the outbox cannot take it.
    pub fn put_again(&mut self, entry: &Entry) -> io::Result<()> {
        self.note(entry);
        let (paths, key) = (self.paths, &entry.head.key);
        // Nobody sends the old one meanwhile, or counts its spans as sent.
        let _lock = Lock::acquire(&paths.flush_lock(), PATIENCE)?;
        file::create_private_dir(&paths.outbox())?;
        let path = outbox::waiting(paths, key);
        file::write_atomic(&path, &entry.encode()).map_err(|e| file::named(&path, e))?;
        checkpoint::forget(paths, key);
        for old in [outbox::delivered(paths, key), outbox::set_aside(paths, key)] {
            match fs::remove_file(&old) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(file::named(&old, e)),
                _ => {}
            }
        }
        Ok(())
    }

    fn note(&mut self, entry: &Entry) {
        let (paths, settings) = (self.paths, self.settings);
        let written =
            if settings.history { self.writer.append(paths, &entry.head).map(|_| ()) } else { Ok(()) };
        if let Err(error) = &written {
            settings.log.error(format_args!("cannot write the history: {error}"));
        }
        if written.is_err() || !settings.history {
            let _ = fs::remove_file(complete(paths));
        }
    }
}

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
        let path = paths.history().join(file_name(&line));
        file::create_private_dir(&paths.history())?;
        let _lock = Lock::acquire(&paths.history_lock(), PATIENCE)?;
        let file = file::private_options().create(true).truncate(false).read(true).write(true).open(&path)?;
        let len = file.metadata()?.len();
        if self.path != path || self.len != len {
            self.known.clear();
            read_file(&path, &mut Passed::default(), &mut |line| {
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

/// What readers passed over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    pub torn: u64,
    pub newer: u64,
}

/// Shows `each` the turns of the history that began since then, a month after the other, the oldest first.
///
/// # Errors
/// When a file that is there cannot be read.
pub fn read(paths: &Paths, since: Option<Timestamp>, each: &mut dyn FnMut(&Line)) -> io::Result<Passed> {
    let mut passed = Passed::default();
    for path in months(paths).iter().filter(|path| since.is_none_or(|at| may_hold(path, at))) {
        read_month(path, &mut passed, each)?;
    }
    Ok(passed)
}

/// Shows `each` the turns of one month's file, each turn once.
///
/// # Errors
/// When it cannot be read.
pub fn read_month(path: &Path, passed: &mut Passed, each: &mut dyn FnMut(&Line)) -> io::Result<()> {
    let mut seen = HashSet::new();
    read_file(path, passed, &mut |line| {
        if seen.insert(line.digest()) {
            each(line);
        }
    })
}

/// The files of the history, the oldest month first.
pub fn months(paths: &Paths) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(paths.history()) else { return Vec::new() };
    let is_month = |name: &str| name.len() == "2026-11.jsonl".len() && name.ends_with(EXTENSION);
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_month))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// Takes the turns into the history that lie in the archive and are not in it: those of a release before it, and those
/// whose line could not be written. Does nothing once that is done, until a line is missed again.
///
/// # Errors
/// When a line cannot be written.
pub fn catch_up(paths: &Paths) -> io::Result<()> {
    if complete(paths).exists() {
        return Ok(());
    }
    let mut writer = Writer::default();
    for item in archive::items(paths) {
        writer.append(paths, &with_tools(item))?;
    }
    if paths.history().is_dir() {
        file::private_options().create(true).append(true).open(complete(paths))?;
    }
    Ok(())
}

/// Shows `each` the turns that are known and began since then: those of the history, or of the archive alone where no
/// history is kept.
///
/// # Errors
/// When the history cannot be read or completed.
pub fn each(
    paths: &Paths,
    settings: &Settings,
    since: Option<Timestamp>,
    each: &mut dyn FnMut(&Line),
) -> io::Result<Passed> {
    if settings.history {
        catch_up(paths)?;
        return read(paths, since, each);
    }
    for item in archive::items(paths) {
        each(&Line::of(&with_tools(item)));
    }
    Ok(Passed::default())
}

/// The turns that are known, newest first: whole ones of the archive, and of older ones what the history kept. Months are
/// read as they are asked for.
pub fn items(paths: &Paths) -> impl Iterator<Item = Item> + use<> {
    let mut whole = archive::items(paths).peekable();
    let mut kept = months(paths).into_iter().rev().flat_map(|path| heads_of(&path)).peekable();
    std::iter::from_fn(move || {
        loop {
            let Some(line) = kept.peek() else { return whole.next() };
            match whole.peek().map(|item| item.head.key.cmp(&line.head.key)) {
                Some(Ordering::Greater) => return whole.next(),
                // The whole turn is there as well.
                Some(Ordering::Equal) => drop(kept.next()),
                Some(Ordering::Less) | None => return kept.next(),
            }
        }
    })
}

/// The turns of a month's file, newest first. What cannot be read adds none.
fn heads_of(path: &Path) -> Vec<Item> {
    let mut found = Vec::new();
    let _ = read_month(path, &mut Passed::default(), &mut |line| {
        found.extend(line.to_head().map(|head| Item { head, place: Place::Deleted, path: path.to_owned() }));
    });
    found.sort_by(|a, b| b.head.key.cmp(&a.head.key));
    found
}

/// The head of an archived turn; where a release before the history wrote it, with the tools its spans report.
fn with_tools(item: Item) -> Head {
    let mut head = item.head;
    if !head.summary.tools.is_empty() {
        return head;
    }
    let Ok(mut reader) = EntryReader::open(&item.path) else { return head };
    while let Ok(Some(span)) = reader.next_span() {
        if string(&span, "openinference.span.kind") != Some("TOOL") {
            continue;
        }
        let took = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano);
        let failed = span.status.as_ref().is_some_and(|status| status.code == StatusCode::Error as i32);
        let one = ToolUse {
            name: span.name,
            calls: 1,
            failed: u64::from(failed),
            ms: took / 1_000_000,
            ..ToolUse::default()
        };
        match head.summary.tools.iter_mut().find(|known| known.name == one.name) {
            Some(known) => known.add(&one),
            None => head.summary.tools.push(one),
        }
    }
    head
}

fn read_file(path: &Path, passed: &mut Passed, each: &mut dyn FnMut(&Line)) -> io::Result<()> {
    let source = match file::open_regular(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(file::named(path, e)),
    };
    let mut source = BufReader::with_capacity(BUFFER_BYTES, source);
    let mut kept = Vec::new();
    loop {
        let buffer = source.fill_buf().map_err(|e| file::named(path, e))?;
        if buffer.is_empty() {
            break;
        }
        let mut at = 0;
        while let Some(end) = memchr::memchr(b'\n', &buffer[at..]) {
            let line = &buffer[at..at + end];
            at += end + 1;
            if kept.is_empty() {
                take(line, passed, each);
            } else {
                kept.extend_from_slice(line);
                take(&kept, passed, each);
                kept.clear();
            }
        }
        if kept.len() < MAX_LINE_BYTES {
            kept.extend_from_slice(&buffer[at..]);
        }
        let len = buffer.len();
        source.consume(len);
    }
    // Behind the last newline stands a line that is torn, or whole but for its newline.
    take(&kept, passed, each);
    Ok(())
}

fn take(line: &[u8], passed: &mut Passed, each: &mut dyn FnMut(&Line)) {
    if line.is_empty() {
        return;
    }
    match Line::parse(line) {
        Ok(line) => each(&line),
        Err(Unread::Torn) => passed.torn += 1,
        Err(Unread::Newer) => passed.newer += 1,
    }
}

/// The month of a turn's own beginning, as its id tells it or else its first moment.
fn file_name(line: &Line) -> String {
    let at = Timestamp::of_uuid_v7(&line.turn).unwrap_or_else(|| line.started_at());
    let at =
        jiff::Timestamp::from_millisecond(i64::try_from(at.as_millis()).unwrap_or(0)).unwrap_or_default();
    format!("{}{EXTENSION}", at.strftime("%Y-%m"))
}

/// Returns true if turns that began at `at` or a month later can stand in a file: a turn may go on into the
/// next month.
fn may_hold(path: &Path, at: Timestamp) -> bool {
    let earliest = at.minus(LONGEST_TURN);
    let earliest = jiff::Timestamp::from_millisecond(i64::try_from(earliest.as_millis()).unwrap_or(0));
    let earliest = format!("{}{EXTENSION}", earliest.unwrap_or_default().strftime("%Y-%m"));
    path.file_name().is_some_and(|name| name.as_encoded_bytes() >= earliest.as_bytes())
}

/// Empty; there while every turn of the archive is in the history.
fn complete(paths: &Paths) -> PathBuf {
    paths.history().join("complete")
}

const EXTENSION: &str = ".jsonl";
const BUFFER_BYTES: usize = 256 * 1024;
/// More than any line of ours has.
const MAX_LINE_BYTES: usize = 1024 * 1024;
const LONGEST_TURN: Duration = Duration::from_secs(7 * 24 * 3600);
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TurnId;
    use crate::otel::testing;

    fn head(turn: &str, at: &str) -> Head {
        let mut head = testing::entry("turn", 0).head;
        head.key.turn = TurnId::parse(turn).unwrap();
        head.started_at = Timestamp::parse(at).unwrap();
        head.ended_at = head.started_at;
        head
    }

    fn turns(paths: &Paths) -> (Vec<String>, Passed) {
        let mut turns = Vec::new();
        let passed = read(paths, None, &mut |line| turns.push(line.turn.clone().into_owned())).unwrap();
        (turns, passed)
    }

    #[test]
    fn turn_stands_once_in_the_month_of_its_beginning() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        let (a, b) = (head("a", "2026-10-31T23:59:59Z"), head("b", "2026-11-01T00:00:01Z"));
        let mut writer = Writer::default();
        for (head, written) in [(&b, true), (&a, true), (&b, false), (&a, false)] {
            assert_eq!(writer.append(&paths, head).unwrap(), written);
        }
        assert!(!Writer::default().append(&paths, &a).unwrap(), "another process");
        assert_eq!(turns(&paths), (vec!["a".to_owned(), "b".to_owned()], Passed::default()));
        let names: Vec<_> = months(&paths).iter().map(|p| p.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["2026-10.jsonl", "2026-11.jsonl"]);
        let mut recent = 0;
        read(&paths, Timestamp::parse("2026-11-20T00:00:00Z"), &mut |_| recent += 1).unwrap();
        assert_eq!(recent, 1);
    }

    #[test]
    fn torn_newer_and_doubled_lines_are_passed_over() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        let mut writer = Writer::default();
        writer.append(&paths, &head("a", "2026-11-01T00:00:00Z")).unwrap();
        let path = months(&paths).remove(0);
        let line = file::read_bounded(&path, 10_000).unwrap().unwrap();
        let append = |bytes: &[u8]| file::append_line(&path, bytes).unwrap();
        append(&line);
        append(b"{\"v\":9,\"turn\":\"x\"}\n");
        append(&line[..40]);
        assert_eq!(turns(&paths), (vec!["a".to_owned()], Passed { torn: 1, newer: 1 }));
        assert!(writer.append(&paths, &head("b", "2026-11-02T00:00:00Z")).unwrap());
        assert_eq!(turns(&paths), (vec!["a".to_owned(), "b".to_owned()], Passed { torn: 1, newer: 1 }));
    }

    #[test]
    fn archive_makes_up_for_missing_lines_once() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        outbox::put(&paths, &testing::entry("turn-1", 1)).unwrap();
        catch_up(&paths).unwrap();
        catch_up(&paths).unwrap();
        assert_eq!(turns(&paths).0, ["turn-1"]);
    }
}
