//! Private keys in text armour: PEM in all its sorts, OpenSSH, PGP, SSH2 and PuTTY; also as programs show files (line
//! numbers, names, signs) and as programs string lines together.

use crate::otel::scrub::scan::{Rank, Scan};
use crate::otel::scrub::value::blanks;
use crate::otel::scrub::words::ARMOUR_HEADERS;

impl Scan<'_> {
    /// Looks at `BEGIN`: a heading of a private key with the key below it.
    pub(super) fn armour(&mut self, at: usize) {
        let t = self.t;
        let Some((begin, after)) = heading(t, at).filter(|(begin, _)| *begin >= self.armour_end) else {
            return;
        };
        // What comes before the next heading may belong to this key; its dashes do not.
        let next = memchr::memmem::find(&t[after..t.len().min(after + LINE)], b"BEGIN ");
        let end = self.armour_body(after, next.map_or(t.len(), |n| after + n.saturating_sub(6)));
        self.armour_end = end;
        if is_material(&t[after..end]) {
            self.add(begin, begin..end, "private-key", Rank::Form);
        }
    }

    /// Looks at `-END`: the lines of a private key before it, whose heading was cut off.
    pub(super) fn armour_end(&mut self, at: usize) {
        let t = self.t;
        let Some(key) = private_key(&t[at + 5..t.len().min(at + 60)]).filter(|_| at >= self.armour_end)
        else {
            return;
        };
        let floor = self.armour_end.max(at.saturating_sub(LINE));
        self.armour_end = at;
        let (mut start, mut long) = (None, false);
        let dashes = t[floor..at].iter().rev().take(5).take_while(|b| matches!(b, b'-' | b' ')).count();
        let mut end = at - dashes;
        while end > floor {
            let stop = end - 1;
            let from = memchr::memrchr2(b'\n', b'"', &t[floor..stop]).map_or(floor, |n| floor + n + 1);
            let text = t[from..stop].trim_ascii();
            // The last line of a key is short.
            let last = start.is_none() && text.iter().any(|b| is_base64(*b));
            let whole = is_decorated(text);
            if !(whole || last || start.is_none() && text.is_empty()) {
                break;
            }
            long |= whole;
            (start, end) = (Some(from), from);
        }
        if let Some(start) = start.filter(|_| long) {
            self.add(start, start..at + 5 + key, "private-key", Rank::Form);
        }
    }

    /// Looks at PuTTY's `Private-Lines: 8`.
    pub(super) fn putty(&mut self, at: usize) {
        let end = self.armour_body(at + b"private-lines:".len(), self.t.len());
        if end - at >= 60 && at >= self.armour_end {
            self.armour_end = end;
            self.add(at, at..end, "private-key", Rank::Form);
        }
    }

    /// Reads on from a heading to the end of the armour, or to `limit`: through the footer, or as far as lines of
    /// base64 go.
    fn armour_body(&mut self, from: usize, limit: usize) -> usize {
        let t = self.t;
        let (mut at, mut end) = (from, from);
        loop {
            let line = self.armour_line(at, limit.min(at + LINE));
            let text = &t[at..line];
            if let Some(footer) = memchr::memmem::find(text, b"END ").filter(|n| text[..*n].ends_with(b"-")) {
                let words =
                    text[footer..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b' ').count();
                let rest = footer + words;
                return at + rest + text[rest..].iter().take(6).take_while(|b| **b == b'-').count();
            }
            let (next, strung) = self.gap(line);
            let beside = at == from && is_decoration(text);
            let last = next > line && next <= limit && precedes_footer(&t[next..t.len().min(next + 120)]);
            if !is_armour(text) && !beside && !last {
                return end;
            }
            end = line;
            if next == line || next > limit || strung && !self.is_strung(next) {
                return end;
            }
            at = next;
        }
    }

    /// Returns the end of the line that has `at`: a line break, a quote, or `limit`.
    fn armour_line(&self, at: usize, limit: usize) -> usize {
        memchr::memchr3(b'\n', b'\r', b'"', &self.t[at..limit]).map_or(limit, |n| at + n)
    }

    /// Returns where the next line of armour begins: behind a line break, or behind quotes, commas and signs with which
    /// a program strings lines together; and whether it is those.
    fn gap(&self, at: usize) -> (usize, bool) {
        let t = self.t;
        let (mut end, mut strung) = (at, false);
        while end < t.len() && end - at < 64 {
            match t[end] {
                b'"' | b'\'' => strung = true,
                b'\n' | b'\r' | b' ' | b'\t' | b',' | b'+' => {}
                _ => break,
            }
            end += 1;
        }
        let plain = at + usize::from(t.get(at) == Some(&b'\r'));
        match t.get(plain) {
            _ if strung => (end, true),
            Some(b'\n') => (plain + 1, false),
            _ => (at, false),
        }
    }

    /// Tells whether what a program strings to the line before is a line of armour as well. The next value of a JSON
    /// text is none.
    fn is_strung(&self, at: usize) -> bool {
        let run = self.t[at..].iter().take(LONG).take_while(|b| is_base64(**b)).count();
        let footer = |at: usize| self.t[at..].starts_with(b"-----END ");
        // The last line of a key is short.
        run == LONG || footer(at) || run > 0 && footer(self.gap(at + run).0)
    }
}

/// Returns where the heading of a private key, whose `BEGIN` is at `at`, starts and ends.
fn heading(t: &[u8], at: usize) -> Option<(usize, usize)> {
    let dashes = t[..at].iter().rev().take(5).take_while(|b| matches!(b, b'-' | b' ')).count();
    // A terminal may have broken it.
    let text = &t[at..t.len().min(at + 64)];
    let plain: Vec<u8> = text.iter().copied().filter(|b| !matches!(b, b'\n' | b'\r')).collect();
    let key = private_key(&plain).filter(|_| dashes >= 4)?;
    let broken = text.iter().scan(0, |n, b| {
        *n += usize::from(!matches!(b, b'\n' | b'\r'));
        Some(*n)
    });
    let mut end = at + broken.take_while(|n| *n < key).count() + 1;
    end += if t[end..].starts_with(b" BLOCK") { 6 } else { 0 };
    end += t[end..].iter().take(6).take_while(|b| matches!(b, b'-' | b' ')).count();
    Some((at - dashes, end))
}

/// Returns the end of `… PRIVATE KEY` at the start of a text: nothing but words in capitals.
fn private_key(t: &[u8]) -> Option<usize> {
    let key = memchr::memmem::find(t, b"PRIVATE KEY")?;
    let words =
        t[..key].iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b' ' | b'-'));
    words.then_some(key + b"PRIVATE KEY".len())
}

/// Tells whether a text has as much as a key.
fn is_material(text: &[u8]) -> bool {
    text.iter().filter(|b| b.is_ascii_alphanumeric()).take(48).count() == 48
}

fn precedes_footer(next: &[u8]) -> bool {
    memchr::memmem::find(next, b"-END ").is_some_and(|at| !next[..at].contains(&b'\n'))
}

fn is_base64(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')
}

/// Tells whether a line ends with a long run of base64, between what a program puts around the lines it shows: a
/// number, a name, a sign.
fn is_decorated(line: &[u8]) -> bool {
    let mut text = line.trim_ascii_end();
    text = text.strip_suffix(BAR).unwrap_or(text);
    while let [rest @ .., b'|' | b'`' | b'\'' | b',' | b'"' | b' ' | b'\\'] = text {
        text = rest;
    }
    let run = text.iter().rev().take_while(|b| is_base64(**b)).count();
    run >= LONG && text.len() - run <= MOST_DECORATION
}

/// Tells whether a line is that of a whole key whose line breaks became blanks: all but its last word are long.
fn is_spaced(text: &[u8]) -> bool {
    let mut words = text.split(|b| *b == b' ');
    let last = words.next_back().unwrap_or_default();
    let long = |word: &[u8]| word.len() >= LONG && word.iter().all(|b| is_base64(*b));
    words.next().is_some_and(long) && words.all(long) && last.iter().all(|b| is_base64(*b))
}

/// Tells whether nothing but decoration stands behind a heading.
fn is_decoration(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    text.strip_suffix(BAR).unwrap_or(text).iter().all(|b| matches!(b, b' ' | b'|' | b'`'))
}

/// Tells whether a line belongs to armour: base64, a header (`Proc-Type: …`), nothing, or a prefix of a quotation.
fn is_armour(line: &[u8]) -> bool {
    let text = line.trim_ascii();
    let text =
        text.strip_prefix(b"|").or(text.strip_prefix(b">")).or(text.strip_prefix(b"#")).unwrap_or(text);
    let text = &text[blanks(text, 0, 8)..];
    text.iter().all(|b| b.is_ascii_alphanumeric() || b"+/=-'\\,".contains(b))
        || is_spaced(text)
        || is_decorated(line)
        || ARMOUR_HEADERS.iter().any(|h| text.starts_with(h))
}

/// Lines of armour have 64 or 76 bytes, but for the last.
const LONG: usize = 40;
/// More than a file's name, a line's number and an author take.
const MOST_DECORATION: usize = 160;
/// │, beside which programs show lines.
const BAR: &[u8] = "│".as_bytes();
/// No line of armour, nor a whole key written in one line, is longer than this.
const LINE: usize = 1024 * 1024;
