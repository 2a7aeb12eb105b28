//! A text without the dress that programs put on it: escapes of JSON decoded at any depth, colours and entities gone,
//! lines that a terminal broke put together; with a map back to the bytes as they stand.

use std::ops::Range;

/// A text as it is searched. Detectors see plain text, and what they find is a range of the original.
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
        let mut view = View {
            text: Vec::with_capacity(original.len()),
            segments: Vec::new(),
            quotes: Vec::new(),
            joints: Vec::new(),
        };
        let mut at = 0;
        while at < original.len() {
            let dress = original[at..].iter().position(|b| DRESS[usize::from(*b)]);
            let end = dress.map_or(original.len(), |n| at + n);
            view.copy(original, at..end);
            at = end;
            if end < original.len() {
                at += view.undress(original, end).max(1);
            }
        }
        view
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
            0x1b => match colour(&t[at + 1..]) {
                0 => self.put(0x1b, at, 1),
                n => 1 + n,
            },
            b'&' => match ENTITIES.iter().find(|(name, _)| t[at..].starts_with(name)) {
                Some((name, byte)) => self.put(*byte, at, name.len()),
                None => self.put(b'&', at, 1),
            },
            b'%' => self.percent(t, at),
            // Where a value was cut, all that was in it ends.
            0xe2 if t[at..].starts_with(CUT) => self.put(b'\n', at, '…'.len_utf8()),
            0xe2 => {
                self.copy(t, at..at + 1);
                1
            }
            _ => self.unescape(t, at),
        }
    }

    /// Reads the percent escapes that stand between a name and its value in a URL within a URL.
    fn percent(&mut self, t: &[u8], at: usize) -> usize {
        let code = t.get(at + 1..at + 3).unwrap_or_default().to_ascii_lowercase();
        let byte = match &code[..] {
            b"3d" => b'=',
            b"3a" => b':',
            b"2f" => b'/',
            b"2b" => b'+',
            b"5f" => b'_',
            b"2d" => b'-',
            b"22" => {
                self.quotes.push((self.text.len(), CODED));
                b'"'
            }
            _ => return self.put(b'%', at, 1),
        };
        self.put(byte, at, 3)
    }

    fn unescape(&mut self, t: &[u8], at: usize) -> usize {
        let slashes = t[at..].iter().take_while(|b| **b == b'\\').count();
        if slashes > DEEPEST {
            return self.put(b'\\', at, slashes);
        }
        let end = at + slashes;
        let raw = slashes + 1;
        match t.get(end) {
            Some(b'n') => self.put(b'\n', at, raw),
            Some(b'r') => self.put(b'\r', at, raw),
            Some(b't') => self.put(b'\t', at, raw),
            Some(b'/') => self.put(b'/', at, raw),
            Some(b @ (b'"' | b'\'' | b'`')) => {
                // What is escaped twice has three backslashes; two are one backslash, before a quote that is none.
                let depth = slashes - (slashes & (slashes + 1));
                if depth < slashes {
                    self.put(b'\\', at, slashes - depth);
                }
                if depth > 0 {
                    self.quotes.push((self.text.len(), depth as u8));
                }
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
        for escape in [&b"u001b"[..], b"u001B", b"x1b", b"x1B", b"033", b"e"] {
            if t[end..].starts_with(escape) {
                let n = colour(&t[end + escape.len()..]);
                if n > 0 {
                    return slashes + escape.len() + n;
                }
            }
        }
        let digits = t.get(end + 1..end + 5).and_then(|d| std::str::from_utf8(d).ok());
        let code = digits.filter(|_| t[end] == b'u').and_then(|d| u8::from_str_radix(d, 16).ok());
        let Some(code) = code.filter(|c| c.is_ascii() && *c >= b' ' || matches!(*c, 9 | 10 | 13)) else {
            return self.put(b'\\', at, slashes);
        };
        if matches!(code, b'"' | b'\'') {
            self.quotes.push((self.text.len(), slashes as u8));
        }
        self.put(code, at, slashes + 5)
    }

    /// Returns the view in which lines that a terminal broke are whole again: only such lines, each kind of them after
    /// a blank line.
    pub(super) fn joined(&self) -> Option<View> {
        let t = &self.text;
        let mut view =
            View { text: Vec::new(), segments: Vec::new(), quotes: Vec::new(), joints: Vec::new() };
        let (mut line, mut copied) = (0, 0);
        for end in memchr::memchr_iter(b'\n', t) {
            let stop = end - usize::from(end > line && t[end - 1] == b'\r');
            if is_broken(&t[line..stop], &t[end + 1..]) {
                if copied < line || copied == 0 {
                    view.text.extend_from_slice(b"\n\n");
                }
                view.copy_from(self, copied.max(line)..stop);
                view.joints.push(view.text.len());
                let next = memchr::memchr2(b'\n', b'\r', &t[end + 1..]).map_or(t.len(), |n| end + 1 + n);
                view.copy_from(self, end + 1..next);
                copied = next;
            } else if copied == end || copied == stop {
                view.copy_from(self, end..end + 1);
                copied = end + 1;
            }
            line = end + 1;
        }
        (!view.joints.is_empty()).then_some(view)
    }

    fn copy_from(&mut self, other: &View, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let shift = self.text.len();
        let mut n = other.segments.partition_point(|s| s.at <= range.start).saturating_sub(1);
        let mut at = range.start;
        while at < range.end {
            let s = other.segments[n];
            let end = other.segments.get(n + 1).map_or(other.text.len(), |s| s.at).min(range.end);
            let skipped = if s.raw > 0 { 0 } else { at - s.at };
            self.segments.push(Segment { at: shift + at - range.start, from: s.from + skipped, raw: s.raw });
            at = end;
            n += 1;
        }
        let quotes = other.quotes.partition_point(|(at, _)| *at < range.start);
        let quotes = other.quotes[quotes..].iter().take_while(|(at, _)| *at < range.end);
        self.quotes.extend(quotes.map(|(at, depth)| (shift + at - range.start, *depth)));
        self.text.extend_from_slice(&other.text[range]);
    }

    /// Returns the bytes of the original that a range stands for.
    pub(super) fn original(&self, range: &Range<usize>) -> Range<usize> {
        let segment =
            |at: usize| self.segments[self.segments.partition_point(|s| s.at <= at).saturating_sub(1)];
        let (first, last) = (segment(range.start), segment(range.end - 1));
        let start =
            if first.raw > 0 { first.from } else { first.from + range.start.saturating_sub(first.at) };
        let end = if last.raw > 0 {
            last.from + last.raw
        } else {
            last.from + (range.end - 1).saturating_sub(last.at) + 1
        };
        start..end.max(start)
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

    /// Tells whether something was taken out, or decoded, right before `at`.
    fn is_seam(&self, at: usize) -> bool {
        let n = self.segments.partition_point(|s| s.at < at);
        self.segments.get(n).is_some_and(|s| s.at == at) && self.joints.binary_search(&at).is_err()
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

/// Returns the length of `[1;31m` at the start of a text, or 0.
fn colour(t: &[u8]) -> usize {
    if t.first() != Some(&b'[') {
        return 0;
    }
    let n =
        t[1..].iter().take(16).take_while(|b| b.is_ascii_digit() || matches!(b, b';' | b':' | b'?')).count();
    t.get(1 + n).map_or(0, |b| if b.is_ascii_alphabetic() { n + 2 } else { 0 })
}

/// The bytes at which something other than plain text can begin.
const DRESS: [bool; 256] = {
    let mut set = [false; 256];
    set[b'\\' as usize] = true;
    set[0x1b] = true;
    set[b'&' as usize] = true;
    set[b'%' as usize] = true;
    set[0xe2] = true;
    set
};

/// The beginning of the mark that a value bears which was cut, and what is left of it in a view.
const CUT: &[u8] = "… [cut: ".as_bytes();
pub(super) const CUT_HERE: &[u8] = b"\n [cut: ";

/// How deep a quote counts as escaped that a URL encodes.
pub(super) const CODED: u8 = 40;

const ENTITIES: &[(&[u8], u8)] =
    &[(b"&quot;", b'"'), (b"&#34;", b'"'), (b"&#39;", b'\''), (b"&apos;", b'\''), (b"&amp;", b'&')];
/// Text is never escaped more deeply.
const DEEPEST: usize = 32;
/// Terminals narrower than this are not expected.
const NARROWEST: usize = 40;
