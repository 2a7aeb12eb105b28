//! Private keys in text armour: PEM in all its sorts, OpenSSH, PGP, SSH2 and PuTTY, with line breaks real or escaped.

use std::ops::Range;

use super::text::{newline, steps};

/// Finds the armoured private keys of a text, in order.
pub(super) fn find(t: &[u8]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut lines = Lines { t, from: 0, to: 0 };
    // A terminal may have broken the heading, but not at both of its ends.
    let anchors = [&b"BEGIN "[..], b"KEY---", b"KEY BLOCK---", b"KEY ---"];
    let begins: Vec<usize> = memchr::memmem::find_iter(t, anchors[0]).collect();
    let mut hits: Vec<usize> = anchors.iter().flat_map(|a| memchr::memmem::find_iter(t, a)).collect();
    hits.sort_unstable();
    for hit in hits {
        if found.last().is_some_and(|r| hit < r.end) {
            continue;
        }
        if let Some(range) = lines.armoured(hit, &begins) {
            found.push(range);
        }
    }
    for hit in memchr::memmem::find_iter(t, b"Private-Lines:") {
        let end = lines.body(hit + b"Private-Lines:".len(), t.len());
        if end - hit >= 60 {
            found.push(hit..end);
        }
    }
    found.sort_by_key(|r| r.start);
    found.dedup_by(|b, a| b.start < a.end);
    found
}

/// Reads lines; remembers the last one, so that many headings in one long line do not read it many times.
struct Lines<'t> {
    t: &'t [u8],
    from: usize,
    to: usize,
}

impl Lines<'_> {
    /// Returns the block in whose heading `hit` is, unless it stands for a key without having one.
    fn armoured(&mut self, hit: usize, begins: &[usize]) -> Option<Range<usize>> {
        let (begin, after) = heading(self.t, hit)?;
        let next = begins.get(begins.partition_point(|b| *b < after));
        let end = self.body(after, next.map_or(self.t.len(), |b| b.saturating_sub(6).max(after)));
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
    let dashes = plain[..begin].iter().rev().take(6).take_while(|b| matches!(b, b'-' | b' ')).count();
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
