//! A text without the dress that programs put on it: escapes of JSON decoded at any depth, colours and entities gone,
//! lines that a terminal broke put together; with a map back to the bytes as they stand.

use std::ops::Range;

use crate::otel::scrub::table::syntax::COLOUR;
use crate::otel::scrub::table::words::CODES;

/// A text as it is searched. Detectors see plain text, and what they find is a range of the original.
#[derive(Default)]
pub(super) struct View {
    pub(super) text: Vec<u8>,
    segments: Vec<Segment>,
    /// Escaped quotes and how deep they are escaped; every other quote stands as it is.
    quotes: Vec<(usize, u8)>,
    /// Where a line break of a terminal was taken out.
    joints: Vec<usize>,
}

/// A stretch that is the same in both, or one byte that stands for `raw` others.
#[derive(Clone, Copy)]
struct Segment {
    at: usize,
    from: usize,
    raw: usize,
}

impl View {
    /// Reads a text.
    pub(super) fn of(original: &[u8]) -> View {
        let mut view = View { text: Vec::with_capacity(original.len()), ..View::default() };
        view.read(original, 0);
        view
    }

    /// Goes on with a text that ends with `original`, from `at` on.
    fn read(&mut self, original: &[u8], mut at: usize) {
        while at < original.len() {
            let dress = original[at..].iter().position(|b| matches!(b, b'\\' | 0x1b | b'&' | b'%' | 0xe2));
            let end = dress.map_or(original.len(), |n| at + n);
            self.copy(original, at..end);
            at = end;
            if end < original.len() {
                at += self.undress(original, end).max(1);
            }
        }
    }

    fn copy(&mut self, original: &[u8], range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let here = Segment { at: self.text.len(), from: range.start, raw: 0 };
        // One stretch goes on where nothing was taken out.
        let on = self.segments.last().is_some_and(|s| s.raw == 0 && here.at - s.at == here.from - s.from);
        if !on {
            self.segments.push(here);
        }
        self.text.extend_from_slice(&original[range]);
    }

    fn put(&mut self, byte: u8, from: usize, raw: usize) -> usize {
        self.segments.push(Segment { at: self.text.len(), from, raw });
        self.text.push(byte);
        raw
    }

    /// Reads what stands at `at` and is no plain byte; returns its length.
    fn undress(&mut self, t: &[u8], at: usize) -> usize {
        match t[at] {
            0x1b => colour(t, at).unwrap_or_else(|| self.put(0x1b, at, 1)),
            // Where a value was cut, all that was in it ends.
            0xe2 if t[at..].starts_with(CUT) => self.put(b'\n', at, '…'.len_utf8()),
            0xe2 => {
                self.copy(t, at..at + 1);
                1
            }
            b'\\' => self.unescape(t, at),
            b => {
                let code = |(code, ..): &&(&[u8], u8, u8)| {
                    t.get(at..at + code.len()).is_some_and(|c| c.eq_ignore_ascii_case(code))
                };
                let (code, byte, depth) = *CODES.iter().find(code).unwrap_or(&(b"-", b, 0));
                self.mark(depth);
                self.put(byte, at, code.len())
            }
        }
    }

    /// Notes how deep the quote is escaped that comes next.
    fn mark(&mut self, depth: u8) {
        if depth > 0 {
            self.quotes.push((self.text.len(), depth));
        }
    }

    fn unescape(&mut self, t: &[u8], at: usize) -> usize {
        let slashes = t[at..].iter().take_while(|b| **b == b'\\').count();
        if slashes > DEEPEST {
            return self.put(b'\\', at, slashes);
        }
        let end = at + slashes;
        let raw = slashes + 1;
        match t.get(end) {
            Some(b @ (b'n' | b'r' | b't' | b'/')) => {
                let plain = [b'\n', b'\r', b'\t', b'/'][memchr::memchr(*b, b"nrt/").unwrap_or(3)];
                self.put(plain, at, raw)
            }
            Some(b @ (b'"' | b'\'' | b'`')) => {
                // What is escaped twice has three backslashes; two are one backslash, before a quote that is none.
                let depth = slashes - (slashes & (slashes + 1));
                if depth < slashes {
                    self.put(b'\\', at, slashes - depth);
                }
                self.mark(depth as u8);
                self.put(*b, end - depth, depth + 1);
                raw
            }
            // A shell joins what it continues.
            Some(b'\n') if slashes == 1 => raw,
            Some(b'u' | b'x' | b'0' | b'e') => self.coded(t, at, end),
            // Half an escape is nothing.
            None => raw - 1,
            Some(0xe2) if t[end..].starts_with(CUT) => raw - 1,
            _ => self.put(b'\\', at, slashes),
        }
    }

    /// Reads `\u0022`, and the sequences of colours.
    fn coded(&mut self, t: &[u8], at: usize, end: usize) -> usize {
        let slashes = end - at;
        if let Some(colour) = colour(t, end) {
            return slashes + colour;
        }
        let digits = t.get(end + 1..end + 5).and_then(|d| std::str::from_utf8(d).ok());
        let code = digits.filter(|_| t[end] == b'u').and_then(|d| u16::from_str_radix(d, 16).ok());
        let code = match code.map(u8::try_from) {
            // A letter of another alphabet, whichever.
            Some(Err(_) | Ok(0x80..)) => FOREIGN,
            Some(Ok(code)) if code >= b' ' || matches!(code, 9 | 10 | 13) => code,
            _ => return self.put(b'\\', at, slashes),
        };
        self.mark(if matches!(code, b'"' | b'\'') { slashes as u8 } else { 0 });
        self.put(code, at, slashes + 5)
    }

    /// Returns the view in which lines that a terminal broke are whole again: only such lines, each kind of them after
    /// a blank line.
    pub(super) fn joined(&self, original: &[u8]) -> Option<View> {
        let t = &self.text;
        let mut view = View::default();
        let (mut line, mut goes_on) = (0, false);
        for end in memchr::memchr_iter(b'\n', t).chain([t.len()]) {
            let stop = end - usize::from(end > line && t[end - 1] == b'\r');
            let broken = is_broken(&t[line..stop], &t[t.len().min(end + 1)..]);
            if goes_on {
                view.joints.push(view.text.len());
            } else if broken {
                view.text.extend_from_slice(b"\n\n");
            }
            if goes_on || broken {
                view.again(self, original, line..if broken { stop } else { t.len().min(end + 1) });
            }
            (line, goes_on) = (end + 1, broken);
        }
        (!view.joints.is_empty()).then_some(view)
    }

    /// Reads a stretch of another view once more.
    fn again(&mut self, other: &View, original: &[u8], range: Range<usize>) {
        if !range.is_empty() {
            let range = other.original(&range);
            self.read(&original[..range.end], range.start);
        }
    }

    /// Returns the bytes of the original that a range stands for.
    pub(super) fn original(&self, range: &Range<usize>) -> Range<usize> {
        let place = |at: usize| {
            let s = self.segments[self.segments.partition_point(|s| s.at <= at).saturating_sub(1)];
            let from = if s.raw > 0 { s.from } else { s.from + at.saturating_sub(s.at) };
            from..from + s.raw.max(1)
        };
        let (first, last) = (place(range.start), place(range.end - 1));
        first.start..last.end.max(first.start)
    }

    /// Tells whether a token may start at `at`: nothing that could belong to it stands before.
    pub(super) fn starts(&self, at: usize) -> bool {
        let before = &self.text[..at];
        let Some(b) = before.last() else { return true };
        let percent = |n: usize| before.len() >= n && before[before.len() - n] == b'%';
        !b.is_ascii_alphanumeric()
            || (percent(3) && before[at - 2].is_ascii_hexdigit() && b.is_ascii_hexdigit())
            || self.is_seam(at)
    }

    /// Tells whether lines were joined at `at`.
    pub(super) fn is_joint(&self, at: usize) -> bool {
        self.joints.binary_search(&at).is_ok()
    }

    /// Tells whether something was taken out, or decoded, right before `at`.
    fn is_seam(&self, at: usize) -> bool {
        let n = self.segments.partition_point(|s| s.at < at);
        self.segments.get(n).is_some_and(|s| s.at == at) && !self.is_joint(at)
    }

    /// Returns the quote at `at` and how deep it is escaped.
    pub(super) fn quote(&self, at: usize) -> Option<(u8, u8)> {
        let mark = *self.text.get(at)?;
        if !matches!(mark, b'"' | b'\'' | b'`') {
            return None;
        }
        let n = self.quotes.partition_point(|(place, _)| *place < at);
        Some((mark, self.quotes.get(n).filter(|(place, _)| *place == at).map_or(0, |(_, depth)| *depth)))
    }

    /// Tells whether this is the text as it is, and not a view of joined lines alone.
    pub(super) fn is_whole(&self) -> bool {
        self.joints.is_empty()
    }

    /// Returns the places inside a range at which lines were joined.
    pub(super) fn joints_in(&self, range: Range<usize>) -> &[usize] {
        let from = self.joints.partition_point(|j| *j <= range.start);
        let to = self.joints.partition_point(|j| *j < range.end);
        &self.joints[from..to.max(from)]
    }
}

/// Tells whether a terminal can have broken a line in two: it is as long as one is wide, and both sides have
/// something at the break.
fn is_broken(line: &[u8], next: &[u8]) -> bool {
    line.len() >= NARROWEST
        && line.last().is_some_and(|b| b.is_ascii_graphic() || *b == b' ')
        && next
            .first()
            .is_some_and(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'*' | b'#' | b'|'))
}

/// Returns the length of the sequence of a colour at `at`.
fn colour(t: &[u8], at: usize) -> Option<usize> {
    COLOUR.find(&t[at..t.len().min(at + 24)]).map(|m| m.end)
}

/// The beginning of the mark that a value bears which was cut, and what is left of it in a view.
const CUT: &[u8] = "… [cut: ".as_bytes();
pub(super) const CUT_HERE: &[u8] = b"\n [cut: ";

/// Stands for a letter that is none of ASCII.
const FOREIGN: u8 = 0xff;

/// Text is never escaped more deeply.
const DEEPEST: usize = 32;
/// Terminals narrower than this are not expected.
const NARROWEST: usize = 40;
