//! Reads a rollout line by line, from any place in it, in bounded memory; plain or compressed (`.zst`).

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::{Record, wire};
use crate::file::open_regular;
use crate::truncate::Shortener;

/// The records of a rollout, in the file's order.
pub struct Reader {
    input: Box<dyn BufRead>,
    line: Vec<u8>,
    /// The records of the last line that were not handed out yet.
    waiting: VecDeque<Record>,
    /// Offset of the next byte in the file, and of the line that was read last.
    at: u64,
    line_at: u64,
    /// Bytes that may still be read, decompressed.
    left: u64,
}

/// Returns true if a rollout is compressed: then no place in it can be gone to.
pub fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "zst")
}

/// Opens a rollout's bytes, decompressed.
///
/// # Errors
/// When the file cannot be opened or is no regular file.
pub fn open_bytes(path: &Path) -> io::Result<Box<dyn Read>> {
    let file = open_regular(path)?;
    if is_compressed(path) {
        let decoder =
            ruzstd::decoding::StreamingDecoder::new(BufReader::new(file)).map_err(io::Error::other)?;
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(file))
}

impl Reader {
    /// Reads from the first line.
    ///
    /// # Errors
    /// When the file cannot be opened or is no regular file.
    pub fn open(path: &Path) -> io::Result<Reader> {
        Reader::open_at(path, 0)
    }

    /// Reads from the first line that begins at or after byte `from`; of a compressed file, from its beginning.
    ///
    /// # Errors
    /// When the file cannot be opened, is no regular file, or cannot be sought in.
    pub fn open_at(path: &Path, from: u64) -> io::Result<Reader> {
        let mut file = open_regular(path)?;
        let compressed = is_compressed(path);
        if compressed {
            let decoder =
                ruzstd::decoding::StreamingDecoder::new(BufReader::new(file)).map_err(io::Error::other)?;
            return Ok(Reader::new(Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))));
        }
        // A file shorter than the place asked for was rewritten: every line of it is looked at again.
        let from = if from > file.metadata()?.len() { 0 } else { from };
        file.seek(SeekFrom::Start(from.saturating_sub(1)))?;
        let mut reader = Reader::new(Box::new(BufReader::with_capacity(BUFFER_BYTES, file)));
        reader.at = from.saturating_sub(1);
        if from > 0 {
            reader.skip_line()?;
        }
        Ok(reader)
    }

    fn new(input: Box<dyn BufRead>) -> Reader {
        Reader { input, line: Vec::new(), waiting: VecDeque::new(), at: 0, line_at: 0, left: MAX_READ_BYTES }
    }

    /// Reads at most so many bytes more.
    pub fn within(mut self, bytes: u64) -> Reader {
        self.left = self.left.min(bytes);
        self
    }

    /// Returns where the line of the last record begins; in a compressed file, once it is decompressed.
    pub fn line_at(&self) -> u64 {
        self.line_at
    }

    /// Copies the next line into `self.line`, shortened when it is long; `None` at the end of the file.
    fn next_line(&mut self) -> io::Result<Option<Line>> {
        self.line.clear();
        self.line_at = self.at;
        let mut shortener: Option<Shortener> = None;
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() || self.left == 0 {
                let is_whole = shortener.is_none() && self.left > 0 && !self.line.is_empty();
                return Ok(is_whole.then_some(Line::WithoutNewline));
            }
            let end = memchr::memchr(b'\n', chunk);
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let taken = part.len() + usize::from(end.is_some());
            self.left = self.left.saturating_sub(taken as u64);
            self.at += taken as u64;
            match &mut shortener {
                Some(shortener) => shortener.push(part),
                None if self.line.len() + part.len() <= WHOLE_LINE_BYTES => self.line.extend_from_slice(part),
                None => {
                    let mut started = Shortener::bounded(MAX_STRING_BYTES, MAX_LINE_BYTES);
                    started.push(&self.line);
                    started.push(part);
                    shortener = Some(started);
                }
            }
            self.input.consume(taken);
            if end.is_some() {
                if let Some(shortener) = shortener {
                    self.line = shortener.finish().unwrap_or_default();
                }
                return Ok(Some(Line::Whole));
            }
        }
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let chunk = self.input.fill_buf()?;
            let end = memchr::memchr(b'\n', chunk);
            let (taken, done) = (end.map_or(chunk.len(), |e| e + 1), end.is_some() || chunk.is_empty());
            let done = done || self.left == 0;
            self.left = self.left.saturating_sub(taken as u64);
            self.at += taken as u64;
            self.input.consume(taken);
            if done {
                return Ok(());
            }
        }
    }

    /// Puts what the line says into `self.waiting`.
    fn parse_line(&mut self, line: Line) {
        match wire::parse(&self.line) {
            _ if self.line.is_empty() => {}
            Ok(record) => self.waiting.extend(record),
            Err(_) => {
                let objects = objects(&self.line);
                let glued = objects.len() > 1 || objects.first().is_some_and(|o| o.len() < self.line.len());
                if glued {
                    self.waiting.extend(objects.into_iter().filter_map(parse_or_mend));
                } else if line == Line::Whole {
                    self.waiting.extend(mend(&self.line));
                }
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Record;

    /// Returns the next record. A file that cannot be read on counts as ended.
    fn next(&mut self) -> Option<Record> {
        loop {
            if let Some(record) = self.waiting.pop_front() {
                return Some(record);
            }
            let line = self.next_line().ok().flatten()?;
            self.parse_line(line);
        }
    }
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Whole,
    /// The last of the file: still being written, unless it is whole JSON. Tools that rewrite rollouts strip the
    /// last newline.
    WithoutNewline,
}

/// Returns the whole objects of a line of several. Codex up to 0.130 goes on behind a line that a crash has torn
/// without beginning a new one, so the rest of a torn object may stand before whole ones.
fn objects(line: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(begin) = memchr::memmem::find(&line[from..], OBJECT_BEGINS).map(|at| from + at) {
        let mut values =
            serde_json::Deserializer::from_slice(&line[begin..]).into_iter::<serde::de::IgnoredAny>();
        let whole = values.next().is_some_and(|v| v.is_ok());
        let length = values.byte_offset();
        if whole {
            found.push(&line[begin..begin + length]);
        }
        from = begin + if whole { length } else { OBJECT_BEGINS.len() };
    }
    found
}

fn parse_or_mend(object: &[u8]) -> Option<Record> {
    wire::parse(object).unwrap_or_else(|_| mend(object))
}

/// Reads what the JSON library refuses, lone surrogates above all: the shortener mends it.
fn mend(line: &[u8]) -> Option<Record> {
    let mut shortener = Shortener::bounded(MAX_STRING_BYTES, MAX_LINE_BYTES);
    shortener.push(line);
    wire::parse(&shortener.finish().unwrap_or_default()).unwrap_or(None)
}

/// Reads what lies between two places of a file.
pub(super) fn read_range(file: &mut File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut content = Vec::new();
    file.take(to.saturating_sub(from)).read_to_end(&mut content)?;
    Ok(content)
}

/// How Codex begins each line. In a text the quotes are escaped.
const OBJECT_BEGINS: &[u8] = br#"{"timestamp":""#;
const BUFFER_BYTES: usize = 64 * 1024;
/// The most that is read of a rollout, a compressed one's content included.
const MAX_READ_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// The most that is kept of a long line. What is not in strings counts many times over once it is parsed.
const MAX_LINE_BYTES: usize = 2 * 1024 * 1024;
/// Lines up to this length are read as they are; longer ones have their long strings cut.
const WHOLE_LINE_BYTES: usize = 512 * 1024;
/// The most that is kept of a string in a long line; well above the largest useful `max_value_bytes`.
const MAX_STRING_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::super::Fact;
    use super::*;

    fn user_line(text: &str) -> String {
        format!(
            "{{\"timestamp\":\"2026-11-22T12:25:36.172Z\",\"type\":\"event_msg\",\"payload\":{{\"type\":\"user_message\",\"message\":\"{text}\"}}}}\n"
        )
    }

    fn texts(reader: Reader) -> Vec<String> {
        reader
            .filter_map(|r| match r.fact {
                Fact::User(message) => Some(message.text),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn reader_passes_over_torn_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        let (a, b) = (user_line("a"), user_line("b"));
        std::fs::write(&path, format!("{a}not json\n{b}{}", &a[..20])).unwrap();
        assert_eq!(texts(Reader::open(&path).unwrap()), ["a", "b"]);
        assert_eq!(texts(Reader::open_at(&path, a.len() as u64).unwrap()), ["b"]);
        assert_eq!(texts(Reader::open_at(&path, 5).unwrap()), ["b"]);
        assert_eq!(texts(Reader::open_at(&path, 1 << 40).unwrap()), ["a", "b"]);
    }

    #[test]
    fn last_line_counts_without_newline_when_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.jsonl");
        let (a, b) = (user_line("a"), user_line("b"));
        std::fs::write(&path, format!("{a}{}", b.trim_end())).unwrap();
        assert_eq!(texts(Reader::open(&path).unwrap()), ["a", "b"]);
        // A text that a mended line would end in the middle.
        std::fs::write(&path, format!("{a}{}", &b[..b.len() - 5])).unwrap();
        assert_eq!(texts(Reader::open(&path).unwrap()), ["a"]);
    }

    #[test]
    fn glued_lines_are_read_one_by_one() {
        let (a, b, c) = (user_line("a"), user_line("say {\\\"timestamp\\\":\\\"x"), user_line("c"));
        let (a, b, c) = (a.trim_end(), b.trim_end(), c.trim_end());
        let cases = [
            (format!("{a}{b}\n{c}\n"), 3),
            (format!("{a}{b}{c}\n"), 3),
            // A line that a crash has torn, within a text and within a key.
            (format!("{}{b}\n{c}\n", &a[..a.len() - 4]), 2),
            (format!("{}{b}\n{c}\n", &a[..5]), 2),
        ];
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.jsonl");
        for (content, count) in cases {
            std::fs::write(&path, &content).unwrap();
            assert_eq!(texts(Reader::open(&path).unwrap()).len(), count, "{content}");
        }
    }

    #[test]
    fn huge_line_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        std::fs::write(&path, user_line(&"x".repeat(3_000_000)) + &user_line("a\\ud800b")).unwrap();
        let found = texts(Reader::open(&path).unwrap());
        assert!(found[0].len() < 1_100_000 && found[0].ends_with("of 3000000 bytes]"));
        assert_eq!(found[1], "a\u{fffd}b");
    }

    #[test]
    fn a_folder_or_a_pipe_is_no_rollout() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Reader::open(folder.path()).is_err());
        assert!(Reader::open(Path::new("/dev/zero")).is_err());
    }
}
