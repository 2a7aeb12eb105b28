//! Reading a value out of text that may be escaped, quoted, coloured or wrapped: what counts as a line break, a
//! quote, a boundary, and how far a run of an alphabet goes when a terminal has broken it over lines.

use crate::otel::scrub::judge;
use crate::otel::scrub::rules::Class;

/// A run of an alphabet: where it ends in the text, how many bytes it has without escapes and line breaks, and its
/// first bytes without them.
pub(super) struct Run {
    pub(super) end: usize,
    pub(super) len: usize,
    body: [u8; BODY],
}

impl Run {
    /// Returns where a run ends that was judged after its first bytes.
    pub(super) fn whole(&self, t: &[u8], class: Class) -> usize {
        let mut end = self.end;
        let mut len = self.len;
        while len >= PROBE {
            let more = run(t, end, class, 0, 0);
            (end, len) = (more.end, more.len);
        }
        end
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body[..self.len.min(BODY)]
    }
}

const BODY: usize = 256;
/// Enough of a value to tell what it is. A text made of beginnings of values is read this often over, not more.
const PROBE: usize = 256;

/// Reads the run of `class` that starts at `start`, over JSON escapes of its bytes and over line breaks. A break is
/// stepped over when fewer than `min` bytes were read and the next line has enough of them, or when what follows
/// looks like the rest of a random value. Reads at most `max` bytes, or as many as are enough to judge (0): what was
/// judged a secret goes on to the end that [`Run::whole`] finds.
pub(super) fn run(t: &[u8], start: usize, class: Class, min: usize, max: usize) -> Run {
    let mut r = Run { end: start, len: 0, body: [0; BODY] };
    let mut at = start;
    let most = if max == 0 { PROBE.max(min) } else { max };
    while r.len < most {
        step();
        let (b, len) = unit(t, at);
        if len > 0 && class.has(b) {
            if r.len < BODY {
                r.body[r.len] = b;
            }
            r.len += 1;
            at += len;
            r.end = at;
            continue;
        }
        match resume(t, at, class, &r, min, max) {
            Some(next) => at = next,
            None => break,
        }
    }
    r
}

/// Returns where a run that met the end of its line at `at` goes on, if it does.
fn resume(t: &[u8], at: usize, class: Class, r: &Run, min: usize, max: usize) -> Option<usize> {
    let mut next = at + newline(t, at)?;
    if r.len < min {
        next += t[next..].iter().take(8).take_while(|b| **b == b' ').count();
    }
    let want = if max > 0 { max - r.len } else { 160 };
    let rest = &t[next..];
    let n = rest.iter().take(want.min(512)).take_while(|b| class.has(**b)).count();
    steps(n);
    if n == 0 {
        return None;
    }
    let goes_on = if r.len < min {
        r.len + n >= min || (n >= 20 && newline(t, next + n).is_some())
    } else {
        !matches!(rest.get(n), Some(b'=' | b':' | b'('))
            && !matches!(rest.get(blanks(rest, n, 4)), Some(b'=' | b':'))
            && fragment(&rest[..n])
            && wide(t, at)
            && !crate::otel::scrub::rules::begins(t, next)
    };
    goes_on.then_some(next)
}

/// Tells whether the start of a line goes on with a token: not an assignment, unless of a checksum.
fn fragment(part: &[u8]) -> bool {
    let Some(equals) = memchr::memchr(b'=', part) else { return judge::fragment(part) };
    let (head, sum) = (&part[..equals], &part[equals + 1..]);
    let hex = |b: &u8| b.is_ascii_digit() || (b'A'..=b'F').contains(b);
    (sum.len() == 8 && sum.iter().all(hex)) || judge::fragment(head)
}

/// Tells whether the line that ends at `end` is as long as a terminal is wide.
pub(super) fn wide(t: &[u8], end: usize) -> bool {
    let from = end.saturating_sub(WIDTH);
    steps(end - from);
    end - from == WIDTH && !(from..end).any(|at| newline(t, at).is_some())
}

/// Terminals narrower than this are not expected.
const WIDTH: usize = 40;

/// Reads one byte of content at `at`, decoding `\/` and `\u00XX` at any depth of escaping; length 0 at the end.
pub(super) fn unit(t: &[u8], at: usize) -> (u8, usize) {
    match t.get(at) {
        None => (0, 0),
        Some(b'\\') => {
            let slashes = backslashes(t, at);
            let after = at + slashes;
            match t.get(after) {
                Some(b'/') => (b'/', slashes + 1),
                Some(b'u') => match unicode(t, after) {
                    Some(b) => (b, slashes + 5),
                    None => (b'\\', 1),
                },
                _ => (b'\\', 1),
            }
        }
        Some(b) => (*b, 1),
    }
}

/// Returns the ASCII byte that `u00XX` at `at` stands for.
fn unicode(t: &[u8], at: usize) -> Option<u8> {
    let digits = t.get(at + 1..at + 5)?;
    let text = std::str::from_utf8(digits).ok()?;
    u8::from_str_radix(text, 16).ok().filter(|b| b.is_ascii() && digits[0] == b'0')
}

/// Returns the number of backslashes at `at`, at most 16: text is never escaped more deeply.
pub(super) fn backslashes(t: &[u8], at: usize) -> usize {
    t[at.min(t.len())..].iter().take(16).take_while(|b| **b == b'\\').count()
}

/// Returns the length of the line break at `at`: real or escaped, with or without a carriage return, and with the
/// backslash with which a shell continues a line.
pub(super) fn newline(t: &[u8], at: usize) -> Option<usize> {
    let mut len = 0;
    if let [b'\\', b'\n', ..] = t.get(at..)? {
        return Some(2);
    }
    for wanted in [b'r', b'n'] {
        let here = at + len;
        let slashes = backslashes(t, here);
        let real = if wanted == b'r' { b'\r' } else { b'\n' };
        if slashes == 0 && t.get(here) == Some(&real) {
            len += 1;
        } else if slashes > 0 && t.get(here + slashes) == Some(&wanted) {
            len += slashes + 1;
        } else if wanted == b'n' {
            return None;
        }
    }
    Some(len)
}

/// A quote and the way it is written: plain or behind backslashes, or as `\u0022`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quote {
    pub(super) mark: u8,
    pub(super) depth: usize,
    pub(super) len: usize,
}

/// Returns the quote at `at`.
pub(super) fn quote(t: &[u8], at: usize) -> Option<Quote> {
    let depth = backslashes(t, at);
    match t.get(at + depth)? {
        b @ (b'"' | b'\'' | b'`') => Some(Quote { mark: *b, depth, len: depth + 1 }),
        b'u' if depth > 0 => {
            let mark = unicode(t, at + depth).filter(|b| matches!(b, b'"' | b'\''))?;
            Some(Quote { mark, depth, len: depth + 5 })
        }
        b'&' if depth == 0 => {
            [(&b"&quot;"[..], b'"'), (b"&#34;", b'"'), (b"&#39;", b'\''), (b"&apos;", b'\'')]
                .iter()
                .find(|(name, _)| t[at..].starts_with(name))
                .map(|(name, mark)| Quote { mark: *mark, depth, len: name.len() })
        }
        _ => None,
    }
}

/// Tells whether a token may start at `at`: nothing that could belong to it stands before. The letter of an escape
/// (`\n`), a colour sequence, a percent escape and a removed line break do not belong to it.
pub(super) fn starts(t: &[u8], at: usize) -> bool {
    let before = &t[..at];
    let Some(&b) = before.last() else { return true };
    if !b.is_ascii_alphanumeric() {
        return true;
    }
    let n = before.len();
    if matches!(b, b'n' | b't' | b'r' | b'b' | b'f') && n > 1 && before[n - 2] == b'\\' {
        return true;
    }
    if n >= 3 && before[n - 3] == b'%' && before[n - 2].is_ascii_hexdigit() && b.is_ascii_hexdigit() {
        return true;
    }
    if n >= 6 && before[n - 6] == b'\\' && unicode(t, n - 5).is_some() {
        return true;
    }
    b == b'm' && colour(before)
}

/// Tells whether `before` ends with a terminal's colour sequence, raw or escaped.
fn colour(before: &[u8]) -> bool {
    let head = &before[..before.len() - 1];
    let digits = head.iter().rev().take(16).take_while(|b| b.is_ascii_digit() || **b == b';').count();
    match head[..head.len() - digits].strip_suffix(b"[") {
        Some(rest) => [&b"\x1b"[..], b"u001b", b"u001B", b"x1b", b"x1B", b"033", b"\\e"]
            .iter()
            .any(|esc| rest.ends_with(esc)),
        None => false,
    }
}

/// Counts the bytes of `class` before `at`, stepping over line breaks while there are fewer than `want`; stops at
/// `floor`. Returns where they start and how many there are.
pub(super) fn run_back(
    t: &[u8],
    floor: usize,
    at: usize,
    class: impl Fn(u8) -> bool,
    want: usize,
) -> (usize, usize) {
    let (mut start, mut n) = (at, 0);
    for _ in 0..4 {
        let here = t[floor.min(start)..start].iter().rev().take(200).take_while(|b| class(**b)).count();
        steps(here);
        start -= here;
        n += here;
        // An escape before the run ends in bytes that look like a part of it.
        let slash = |i: usize| i > 0 && t[i - 1] == b'\\';
        let tail = match t.get(start) {
            Some(b'n' | b'r' | b't') if slash(start) => 1,
            Some(b'u') if slash(start) => 5,
            _ if start > 1 && t[start - 1] == b'u' && slash(start - 1) => 4,
            _ => 0,
        };
        let tail = tail.min(here);
        start += tail;
        n -= tail;
        if n >= want {
            break;
        }
        match newline_back(t, start).filter(|end| *end > floor && class(t[end - 1])) {
            Some(end) => start = end,
            None => break,
        }
    }
    (start, n)
}

/// Returns where the line break that ends at `end` starts.
pub(super) fn newline_back(t: &[u8], end: usize) -> Option<usize> {
    let mut at = end;
    for (real, letter) in [(b'\n', b'n'), (b'\r', b'r')] {
        let head = &t[..at];
        if head.last() == Some(&real) {
            at -= 1;
        } else if head.last() == Some(&letter) && head.len() > 1 && head[head.len() - 2] == b'\\' {
            at -= 1 + head[..head.len() - 1].iter().rev().take(16).take_while(|b| **b == b'\\').count();
        } else if at == end {
            return None;
        }
    }
    Some(at)
}

/// Reads `word` (in lower case) at `at`, in any case and over escapes; returns where it ends.
pub(super) fn past_word(t: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    word.iter().try_fold(at, |at, wanted| {
        let (b, len) = unit(t, at);
        (len > 0 && b.to_ascii_lowercase() == *wanted).then_some(at + len)
    })
}

/// Skips spaces and tabs, at most `most` of them.
pub(super) fn blanks(t: &[u8], at: usize, most: usize) -> usize {
    let at = at.min(t.len());
    at + t[at..].iter().take(most).take_while(|b| matches!(b, b' ' | b'\t')).count()
}

/// Tells whether `t` has `word` (in lower case) at `at`, in any case.
pub(super) fn word_at(t: &[u8], at: usize, word: &[u8]) -> bool {
    t.get(at..at + word.len()).is_some_and(|w| w.eq_ignore_ascii_case(word))
}

#[cfg(test)]
thread_local! {
    /// How many bytes the detectors looked at, for the proof that the work grows with the text and no faster.
    pub(super) static STEPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

pub(super) fn step() {
    steps(1);
}

#[cfg_attr(not(test), expect(unused_variables, reason = "counted in tests only"))]
pub(super) fn steps(n: usize) {
    #[cfg(test)]
    STEPS.with(|s| s.set(s.get() + n as u64));
}
