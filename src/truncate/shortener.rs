//! The copy of one JSON text, byte by byte: strings and their escapes; what lies outside of them goes to `output`.

use super::mark::{cut_mark, mark_of, whole_words};
use super::output::Output;

/// Copies one JSON text with its long strings cut.
#[derive(Debug)]
pub struct Shortener {
    limit: usize,
    output: Output,
    state: Within,
    /// Offset of the current string in the output.
    begin: usize,
    /// Text right behind the cut: a value that was cut before ends with its own mark.
    tail: Vec<u8>,
    /// The last bytes of the current string behind the cut, where the mark of an earlier cut would stand.
    last: Vec<u8>,
    /// Unescaped bytes of the current string so far, and how many of them were dropped.
    seen: u64,
    dropped: u64,
    /// A `\uD8xx` escape waiting for its other half.
    high: Option<[u8; 4]>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Within {
    Outside,
    Inside,
    Escape,
    Unicode { digits: [u8; 4], have: usize },
}

impl Shortener {
    /// Cuts strings longer than `limit` bytes.
    pub fn new(limit: usize) -> Shortener {
        Shortener::bounded(limit, MAX_BYTES)
    }

    /// Cuts strings longer than `limit` bytes. Of a text that is longer than `total` bytes all the same, the rest of
    /// the list or object is left out that makes it so, and what follows that is kept.
    pub fn bounded(limit: usize, total: usize) -> Shortener {
        Shortener {
            limit,
            output: Output::new(total),
            state: Within::Outside,
            begin: 0,
            tail: Vec::new(),
            last: Vec::new(),
            seen: 0,
            dropped: 0,
            high: None,
        }
    }

    /// Takes the next bytes of the text.
    pub fn push(&mut self, mut chunk: &[u8]) {
        while !self.output.has_overflowed() && !chunk.is_empty() {
            let taken = match self.state {
                Within::Outside => self.outside(chunk),
                Within::Inside => self.inside(chunk),
                Within::Escape => self.escape(chunk[0]),
                Within::Unicode { digits, have } => self.unicode(chunk[0], digits, have),
            };
            chunk = &chunk[taken..];
        }
    }

    /// The shortened text; `None` when even without long strings it is too large.
    pub fn finish(mut self) -> Option<Vec<u8>> {
        self.flush_high();
        (!self.output.has_overflowed()).then(|| match String::from_utf8(self.output.text) {
            Ok(text) => text.into_bytes(),
            Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned().into_bytes(),
        })
    }

    fn outside(&mut self, chunk: &[u8]) -> usize {
        let end = memchr::memchr(b'"', chunk).unwrap_or(chunk.len());
        chunk[..end].iter().for_each(|byte| self.output.structure(*byte));
        if end == chunk.len() {
            return end;
        }
        self.output.copy(b'"');
        self.state = Within::Inside;
        (self.seen, self.dropped, self.begin) = (0, 0, self.output.text.len());
        self.tail.clear();
        self.last.clear();
        end + 1
    }

    fn inside(&mut self, chunk: &[u8]) -> usize {
        let end = memchr::memchr2(b'"', b'\\', chunk).unwrap_or(chunk.len());
        if end > 0 {
            self.flush_high();
            self.plain(&chunk[..end]);
            return end;
        }
        if chunk[0] == b'\\' {
            self.state = Within::Escape;
        } else {
            self.flush_high();
            self.close();
        }
        1
    }

    /// Copies unescaped bytes as far as the limit lets, never ending inside a character.
    fn plain(&mut self, bytes: &[u8]) {
        let room = if self.dropped > 0 { 0 } else { self.room() };
        if bytes.len() > room {
            let rest = &bytes[room..];
            self.last.extend_from_slice(&rest[rest.len().saturating_sub(MAX_MARK_BYTES)..]);
            self.last.drain(..self.last.len().saturating_sub(MAX_MARK_BYTES));
        }
        self.seen += bytes.len() as u64;
        let keep = bytes.len().min(room);
        self.output.text.extend_from_slice(&bytes[..keep]);
        if keep < bytes.len() {
            let started = self.dropped > 0;
            if self.dropped == self.tail.len() as u64 {
                let rest = &bytes[keep..];
                let free = MAX_MARK_BYTES.saturating_sub(self.tail.len());
                self.tail.extend_from_slice(&rest[..rest.len().min(free)]);
            }
            self.dropped += (bytes.len() - keep) as u64;
            if !started {
                self.drop_partial_character();
            }
        }
    }

    /// Takes back the first bytes of a character whose rest did not fit.
    fn drop_partial_character(&mut self) {
        let tail = self.output.text.iter().rev().take(4).position(|b| b & 0xC0 != 0x80);
        let Some(behind) = tail else { return };
        let lead = self.output.text[self.output.text.len() - 1 - behind];
        let needed = match lead {
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
            _ => 1,
        };
        if needed > behind + 1 {
            let partial = self.output.text.split_off(self.output.text.len() - 1 - behind);
            self.tail.splice(0..0, partial);
            self.dropped += (behind + 1) as u64;
        }
    }

    fn room(&self) -> usize {
        if self.output.is_skipping() {
            return 0;
        }
        let in_string = usize::try_from(self.seen - self.dropped).unwrap_or(usize::MAX);
        self.limit
            .saturating_sub(in_string)
            .min(self.output.limit_of_strings(self.begin).saturating_sub(self.output.text.len()))
    }

    fn escape(&mut self, byte: u8) -> usize {
        if byte == b'u' {
            self.state = Within::Unicode { digits: [0; 4], have: 0 };
        } else {
            self.flush_high();
            self.keep_escape(&[b'\\', byte], 1);
            self.state = Within::Inside;
        }
        1
    }

    fn unicode(&mut self, byte: u8, mut digits: [u8; 4], have: usize) -> usize {
        if !byte.is_ascii_hexdigit() {
            // Not an escape at all: the JSON reader will say so.
            if self.room() > 1 {
                self.output.text.extend_from_slice(b"\\u");
            }
            self.state = Within::Inside;
            return 0;
        }
        digits[have] = byte;
        if have < 3 {
            self.state = Within::Unicode { digits, have: have + 1 };
            return 1;
        }
        self.state = Within::Inside;
        let code = digits.iter().fold(0u32, |code, d| code * 16 + (*d as char).to_digit(16).unwrap_or(0));
        match (self.high.take(), code) {
            (Some(high), 0xDC00..=0xDFFF) => {
                let mut both = *b"\\u0000\\u0000";
                both[2..6].copy_from_slice(&high);
                both[8..].copy_from_slice(&digits);
                self.keep_escape(&both, 4);
            }
            (waiting, code) => {
                if waiting.is_some() {
                    self.keep_escape(REPLACEMENT, 3);
                }
                match code {
                    0xD800..=0xDBFF => self.high = Some(digits),
                    0xDC00..=0xDFFF => self.keep_escape(REPLACEMENT, 3),
                    _ => {
                        let mut one = *b"\\u0000";
                        one[2..].copy_from_slice(&digits);
                        self.keep_escape(
                            &one,
                            if code < 0x80 {
                                1
                            } else if code < 0x800 {
                                2
                            } else {
                                3
                            },
                        );
                    }
                }
            }
        }
        1
    }

    fn flush_high(&mut self) {
        if self.high.take().is_some() {
            self.keep_escape(REPLACEMENT, 3);
        }
    }

    /// Copies an escape that stands for `len` bytes.
    fn keep_escape(&mut self, escape: &[u8], len: u64) {
        let fits = self.dropped == 0
            && self.room() >= len as usize
            && self.output.text.len() + escape.len() <= self.output.limit_of_strings(self.begin);
        self.seen += len;
        if !fits {
            self.dropped += len;
        } else {
            self.output.text.extend_from_slice(escape);
        }
    }

    fn close(&mut self) {
        self.state = Within::Outside;
        if self.output.is_skipping() {
            return;
        }
        if self.dropped > 0 && !self.ends_with_own_mark() {
            let kept = whole_words(&self.output.text[self.begin..]);
            self.dropped += (self.output.text.len() - self.begin - kept) as u64;
            self.output.text.truncate(self.begin + kept);
            let shown = self.seen - self.dropped;
            // What was cut before keeps its first length.
            let total =
                std::str::from_utf8(&self.last).ok().and_then(mark_of).map_or(self.seen, |(_, _, t)| t);
            self.output.text.extend_from_slice(cut_mark(total.saturating_sub(shown), total).as_bytes());
        }
        self.output.text.push(b'"');
    }

    /// Puts back the mark of a string that was cut before, when nothing else was dropped now.
    fn ends_with_own_mark(&mut self) -> bool {
        if self.dropped != self.tail.len() as u64 {
            return false;
        }
        let len = self.output.text.len();
        self.output.text.extend_from_slice(&self.tail);
        if !self.output.text.ends_with(b" bytes]") {
            self.output.text.truncate(len);
            return false;
        }
        // The mark counts bytes of the text, not of its escapes.
        let quoted = [b"\"", &self.output.text[self.begin..], b"\""].concat();
        let whole = serde_json::from_slice::<String>(&quoted);
        let marked = whole.is_ok_and(|text| mark_of(&text).is_some());
        if !marked {
            self.output.text.truncate(len);
        }
        marked
    }
}

/// The most that is kept of one JSON text, in bytes.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;
/// No mark is longer.
const MAX_MARK_BYTES: usize = 64;
const REPLACEMENT: &[u8] = b"\\ufffd";
