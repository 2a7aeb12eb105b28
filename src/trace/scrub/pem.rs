//! Private keys in text armour: PEM in all its sorts, OpenSSH, PGP, SSH2 and PuTTY, with line breaks real or escaped.

use std::ops::Range;

use super::Finds;
use super::text::{newline, steps};

/// Looks at `BEGIN`, at the end of a heading (a terminal may have broken it, but not at both of its ends) or at
/// PuTTY's `Private-Lines`.
pub(super) fn detect<'t>(t: &'t [u8], at: usize, lines: &mut Lines<'t>, finds: &mut Finds) {
    let range = if t[at..].starts_with(b"BEGIN ")
        || t[at + 1..].starts_with(b"---")
        || t[at + 1..].starts_with(b" --")
    {
        lines.armoured(at)
    } else if t[..at].ends_with(b"Privat") && t[at..].starts_with(b"e-Lines:") {
        let end = lines.body(at + b"e-Lines:".len(), t.len());
        (end - at >= 60).then_some(at..end)
    } else {
        None
    };
    if let Some(range) = range.filter(|r| r.end > finds.floor) {
        finds.add(range.start.max(finds.floor)..range.end, "private-key");
    }
}

/// Reads lines; remembers the last one, so that many headings in one long line do not read it many times.
pub(super) struct Lines<'t> {
    t: &'t [u8],
    from: usize,
    to: usize,
}

impl<'t> Lines<'t> {
    pub(super) fn new(t: &'t [u8]) -> Lines<'t> {
        Lines { t, from: 0, to: 0 }
    }

    /// Returns the block in whose heading `hit` is, unless it stands for a key without having one.
    fn armoured(&mut self, hit: usize) -> Option<Range<usize>> {
        let (begin, after) = heading(self.t, hit)?;
        // What comes before the next heading may belong to this key; six bytes before it are its dashes.
        let next = memchr::memmem::find(&self.t[after..], b"BEGIN ");
        let end = self.body(after, next.map_or(self.t.len(), |n| after + n.saturating_sub(6)));
        let material = self.t[after..end].iter().filter(|b| b.is_ascii_alphanumeric()).count();
        (material >= 48).then_some(begin..end)
    }

    /// Reads on from a heading to the end of the armour, or to `limit`: through the footer, or as far as lines of
    /// base64 go.
    fn body(&mut self, from: usize, limit: usize) -> usize {
        let mut at = from;
        let mut end = from;
        loop {
            let line = self.line_end(at).min(limit);
            let text = &self.t[at..line.min(at + LINE)];
            steps(text.len() + 1);
            if let Some(footer) = memchr::memmem::find(text, b"END ")
                && text[..footer].ends_with(b"-")
            {
                let rest = text[footer..].iter().position(|b| !(b.is_ascii_alphanumeric() || *b == b' '));
                let rest = footer + rest.unwrap_or(text.len() - footer);
                return at + rest + text[rest..].iter().take(6).take_while(|b| **b == b'-').count();
            }
            if !armour_line(text) {
                return end;
            }
            end = line.min(at + LINE);
            match newline(self.t, end).filter(|n| end + n <= limit) {
                Some(n) => at = end + n,
                None => return end,
            }
        }
    }

    /// Returns the end of the line that has `at`: a line break real or escaped, or a quote.
    fn line_end(&mut self, at: usize) -> usize {
        if (self.from..self.to).contains(&at) {
            return self.to;
        }
        let mut end = at;
        while let Some(b) = self.t.get(end) {
            match b {
                b'\n' | b'\r' | b'"' => break,
                b'\\' if newline(self.t, end).is_some() => break,
                _ => end += 1,
            }
        }
        steps(end - at);
        (self.from, self.to) = (at, end);
        end
    }
}

/// Returns where the heading of a private key around `hit` starts and ends, read over line breaks.
fn heading(t: &[u8], hit: usize) -> Option<(usize, usize)> {
    let (mut plain, mut places) = (Vec::with_capacity(128), Vec::with_capacity(128));
    let mut at = hit.saturating_sub(60);
    let stop = t.len().min(hit + 80);
    while at < stop {
        if let Some(n) = newline(t, at) {
            at += n;
        } else {
            plain.push(t[at]);
            places.push(at);
            at += 1;
        }
    }
    steps(plain.len());
    let here = places.partition_point(|p| *p < hit);
    let begin = memchr::memmem::rfind(&plain[..plain.len().min(here + 6)], b"BEGIN ")?;
    let key = begin + memchr::memmem::find(&plain[begin..], b"PRIVATE KEY")?;
    let dashes = plain[..begin].iter().rev().take(5).take_while(|b| matches!(b, b'-' | b' ')).count();
    let words = plain[begin..key]
        .iter()
        .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b' ' | b'-'));
    if dashes < 4 || !words {
        return None;
    }
    let mut end = key + b"PRIVATE KEY".len();
    end += if plain[end..].starts_with(b" BLOCK") { 6 } else { 0 };
    end += plain[end..].iter().take(6).take_while(|b| matches!(b, b'-' | b' ')).count();
    Some((places[begin - dashes], places.get(end - 1)? + 1))
}

/// No line of armour, nor a whole key written in one line, is longer than this.
const LINE: usize = 16 * 1024;

/// Tells whether a line belongs to armour: base64, a header (`Proc-Type: …`), nothing, or a prefix of a quotation.
fn armour_line(line: &[u8]) -> bool {
    let text = line.trim_ascii();
    let text = text
        .strip_prefix(b"|")
        .or(text.strip_prefix(b">"))
        .or(text.strip_prefix(b"#"))
        .unwrap_or(text)
        .trim_ascii();
    let base64 = text.iter().filter(|b| b.is_ascii_alphanumeric() || b"+/=-'\\,".contains(b)).count();
    let header = [
        &b"Proc-Type:"[..],
        b"DEK-Info:",
        b"Version:",
        b"Comment:",
        b"Charset:",
        b"Subject:",
        b"Private-MAC:",
    ];
    base64 == text.len() || header.iter().any(|h| text.starts_with(h))
}
