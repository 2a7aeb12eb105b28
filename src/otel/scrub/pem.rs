//! Private keys in text armour: PEM in all its sorts, OpenSSH, PGP, SSH2 and PuTTY, with line breaks real or escaped;
//! also as programs show files (line numbers, names, colours, diffs) and as programs string lines together.

use std::ops::Range;

use crate::otel::scrub::Finds;
use crate::otel::scrub::text::{newline, newline_back, quote, steps};

/// Looks at `BEGIN`, at the end of a heading (a terminal may have broken it, but not at both of its ends) or at
/// PuTTY's `Private-Lines`.
pub(super) fn detect<'t>(t: &'t [u8], at: usize, lines: &mut Lines<'t>, finds: &mut Finds) {
    let range = if t[at..].starts_with(b"BEGIN ")
        || t[at + 1..].starts_with(b"---")
        || t[at + 1..].starts_with(b" --")
    {
        lines.armoured(at).or_else(|| lines.headless(at, finds.floor))
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
    /// What stands before here was looked at for the end of a key without a beginning.
    back: usize,
}

impl<'t> Lines<'t> {
    pub(super) fn new(t: &'t [u8]) -> Lines<'t> {
        Lines { t, from: 0, to: 0, back: 0 }
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
            if let Some(cut) = memchr::memmem::find(text, CUT) {
                return if armour_line(&text[..cut]) { at + cut } else { end };
            }
            if let Some(footer) = memchr::memmem::find(text, b"END ")
                && text[..footer].ends_with(b"-")
            {
                let rest = text[footer..].iter().position(|b| !(b.is_ascii_alphanumeric() || *b == b' '));
                let rest = footer + rest.unwrap_or(text.len() - footer);
                return at + rest + text[rest..].iter().take(6).take_while(|b| **b == b'-').count();
            }
            let next = gap(self.t, line.min(at + LINE)).filter(|(n, _)| line + n <= limit);
            let beside = at == from && is_decoration(text);
            if !armour_line(text) && !beside && !self.precedes_footer(line, next) {
                return end;
            }
            end = line.min(at + LINE);
            match next {
                Some((n, quoted)) if !quoted || self.is_strung(end + n) => at = end + n,
                _ => return end,
            }
        }
    }

    /// Returns true if the line that follows is a footer, so that this one is the short last line of a key.
    fn precedes_footer(&self, line: usize, next: Option<(usize, bool)>) -> bool {
        let Some(start) = next.map(|(n, _)| line + n) else { return false };
        let text = &self.t[start..self.t.len().min(start + 120)];
        let footer = memchr::memmem::find(text, b"-END ");
        footer.is_some_and(|at| !text[..at].contains(&b'\n'))
    }

    /// Returns true if what a program strings to the line before, between quotes of its own, is a line of
    /// armour as well. The next value of a JSON text is none.
    fn is_strung(&self, at: usize) -> bool {
        let text = &self.t[at..self.t.len().min(at + LONG)];
        let run = text.iter().take_while(|b| is_base64(**b)).count();
        let footer = |at: usize| self.t[at..].starts_with(b"-----END ");
        // The last line of a key is short.
        run == LONG
            || footer(at)
            || (run > 0 && gap(self.t, at + run).is_some_and(|(n, _)| footer(at + run + n)))
    }

    /// Returns the lines of a key before the footer around `hit`, whose heading was cut off.
    fn headless(&mut self, hit: usize, floor: usize) -> Option<Range<usize>> {
        let head = &self.t[hit.saturating_sub(60)..hit];
        let footer = hit - head.len() + memchr::memmem::rfind(head, b"-END ")?;
        memchr::memmem::find(&self.t[footer..hit.saturating_add(3).min(self.t.len())], b"PRIVATE K")?;
        let floor = floor.max(std::mem::replace(&mut self.back, footer)).max(footer.saturating_sub(LINE));
        let (mut start, mut long) = (None, false);
        let mut end = self.line_start(footer, floor);
        while let Some(line_to) = newline_back(self.t, end).filter(|to| *to > floor) {
            let from = self.line_start(line_to, floor);
            let text = &self.t[from..line_to];
            let whole = is_decorated(text) || (text.len() >= LONG && text.iter().all(|b| is_base64(*b)));
            // The last line of a key is short.
            let last = start.is_none() && text.iter().any(|b| is_base64(*b));
            if !whole && !last {
                break;
            }
            long |= whole;
            (start, end) = (Some(from), from);
        }
        start.filter(|_| long).map(|start| start..footer + b"-END PRIVATE KEY".len())
    }

    fn line_start(&self, end: usize, floor: usize) -> usize {
        let mut at = end;
        while at > floor && self.t[at - 1] != b'"' && newline_back(self.t, at).is_none() {
            at -= 1;
        }
        steps(end - at);
        at
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

/// Returns the length of what stands between two lines of armour, and whether that is quotes, commas and signs with
/// which a program strings them together, and not just a line break.
fn gap(t: &[u8], at: usize) -> Option<(usize, bool)> {
    let (mut end, mut quoted) = (at, false);
    while end < t.len() && end - at < 64 {
        if let Some(quote) = quote(t, end).filter(|q| q.len > 0) {
            quoted = true;
            end += quote.len;
        } else if let Some(len) = newline(t, end) {
            end += len;
        } else if matches!(t[end], b' ' | b'\t' | b',' | b'+') {
            end += 1;
        } else {
            break;
        }
    }
    if quoted { Some((end - at, true)) } else { newline(t, at).map(|len| (len, false)) }
}

fn is_base64(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')
}

/// Returns true if a line ends with a long run of base64, behind what a program puts before the lines it
/// shows: a number, a name, a sign, a colour.
fn is_decorated(line: &[u8]) -> bool {
    let mut text = line;
    loop {
        let shorter = trim_colour(text.trim_ascii_end());
        let shorter = shorter.strip_suffix(BAR).unwrap_or(shorter);
        let shorter = match shorter {
            [rest @ .., b'|' | b'`' | b'\'' | b',' | b'"'] => rest,
            other => other,
        };
        if shorter.len() == text.len() {
            break;
        }
        text = shorter;
    }
    let run = text.iter().rev().take_while(|b| is_base64(**b)).count();
    run >= LONG && text.len() - run <= MOST_DECORATION
}

/// Returns true if a line is that of a whole key whose line breaks became blanks: all but its last word are
/// long.
fn is_spaced(text: &[u8]) -> bool {
    let mut words = text.split(|b| *b == b' ');
    let last = words.next_back().unwrap_or_default();
    let long = |word: &[u8]| word.len() >= LONG && word.iter().all(|b| is_base64(*b));
    words.next().is_some_and(long) && words.all(long) && last.iter().all(|b| is_base64(*b))
}

/// Returns true if nothing but decoration stands behind a heading.
fn is_decoration(text: &[u8]) -> bool {
    let text = trim_colour(text.trim_ascii());
    text.strip_suffix(BAR).unwrap_or(text).iter().all(|b| matches!(b, b' ' | b'|' | b'`'))
}

/// Takes the sequences off the end of a text that set a terminal's colours.
fn trim_colour(text: &[u8]) -> &[u8] {
    let [rest @ .., b'm' | b'K'] = text else { return text };
    let parameters = rest.iter().rev().take(16).take_while(|b| b.is_ascii_digit() || **b == b';').count();
    let Some(before) = rest[..rest.len() - parameters].strip_suffix(b"[") else { return text };
    // The escape as such, or as JSON writes it.
    if let Some(before) = before.strip_suffix(b"\x1b") {
        return trim_colour(before);
    }
    let Some(escape) = before.strip_suffix(b"u001b").or(before.strip_suffix(b"u001B")) else { return text };
    let slashes = escape.iter().rev().take(16).take_while(|b| **b == b'\\').count();
    if slashes > 0 { trim_colour(&escape[..escape.len() - slashes]) } else { text }
}

/// Lines of armour have 64 or 76 bytes, but for the last.
const LONG: usize = 40;
/// More than a file's name, a line's number and an author take.
const MOST_DECORATION: usize = 160;
/// The beginning of the mark that a value bears which was cut.
const CUT: &[u8] = "… [cut: ".as_bytes();
/// │, beside which programs show lines.
const BAR: &[u8] = "│".as_bytes();
/// No line of armour, nor a whole key written in one line, is longer than this.
const LINE: usize = 1024 * 1024;

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
    base64 == text.len()
        || is_spaced(text)
        || is_decorated(line)
        || header.iter().any(|h| text.starts_with(h))
}
