//! Where a value ends, by the syntax it stands in. Each kind of end is remembered: a text made of beginnings of values
//! is read once for each kind, not once for every beginning.

use std::collections::BTreeMap;

use crate::otel::scrub::table::words::{CODED, STOPS};
use crate::otel::scrub::view::View;

/// A kind of end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// A word between blanks and quotes.
    Word,
    /// A word of a shell.
    Shell,
    /// A value in a query, a connect string, a log line.
    Tight,
    /// A value that is all of its line, or a word of it.
    List,
    /// A cookie.
    Pair,
    /// The line.
    Line,
    /// A run of the alphabets of tokens.
    Token,
    /// The authority of a URL, or what stands before its first `@`.
    Authority,
}

/// The ends that were found last: from where each was looked for, and where it is.
#[derive(Default)]
pub(super) struct Ends {
    last: [(usize, usize); End::Authority as usize + 1],
    quotes: BTreeMap<(u8, u8), (usize, usize)>,
}

impl Ends {
    /// Returns the end of what stands at `at`.
    pub(super) fn of(&mut self, end: End, v: &View, at: usize) -> usize {
        let authority = |b: &u8| matches!(b, b'@' | b'"' | b'\'' | b'`' | b'<' | b'>' | 0..=b' ');
        let first = |at: usize| {
            let t = &v.text[at..];
            let found = match end {
                End::Line => memchr::memchr2(b'\n', b'\r', t),
                End::Token => t.iter().position(|b| !is_token(*b)),
                End::Authority => t.iter().position(authority),
                _ => (at..v.text.len()).find(|n| stops(v, *n, STOPS[end as usize])).map(|n| n - at),
            };
            found.map_or(v.text.len(), |n| at + n)
        };
        remember(&mut self.last[end as usize], at, first)
    }

    /// Returns the quote that closes a value: the same one, no more deeply escaped, in the same line. A doubled quote
    /// is a quote of the value.
    pub(super) fn closing(&mut self, v: &View, from: usize, (mark, depth): (u8, u8)) -> Option<usize> {
        let closes = |at: usize| v.quote(at).is_some_and(|(m, d)| m == mark && d <= depth);
        let end = remember(self.quotes.entry((mark, depth)).or_default(), from, |mut at| {
            loop {
                let t = &v.text[at..];
                at += memchr::memchr3(mark, b'\n', b'\r', t).unwrap_or(t.len());
                match closes(at) {
                    true if at > from && closes(at + 1) => at += 2,
                    false if v.quote(at).is_some() => at += 1,
                    _ => return at,
                }
            }
        });
        v.quote(end).is_some().then_some(end)
    }
}

fn remember(last: &mut (usize, usize), at: usize, find: impl FnOnce(usize) -> usize) -> usize {
    if !(last.0..last.1).contains(&at) {
        *last = (at, find(at));
    }
    last.1
}

/// Tells whether a value ends at `at`: at a blank, a quote, a byte that always ends it, or one that does so where
/// nothing of the value follows.
fn stops(v: &View, at: usize, (always, last): (&[u8], &[u8])) -> bool {
    let next = v.text.get(at + 1).copied();
    match v.text[at] {
        b' ' | b'\t' | b'\n' | b'\r' | 0x1b => true,
        b'"' | b'\'' | b'`' => v.quote(at).is_some_and(|(_, depth)| depth < CODED),
        b if b.is_ascii_alphanumeric() => false,
        b if always.contains(&b) => true,
        b'<' if last.contains(&b'<') && next == Some(b'/') => true,
        b => {
            let ends = |n: u8| n == b || n.is_ascii_whitespace() || matches!(n, b'"' | b'\'' | b'`');
            last.contains(&b) && next.is_none_or(ends)
        }
    }
}

/// Tells whether a byte belongs to the alphabets of tokens: base64 in all its sorts, and escapes of a URL.
pub(super) fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'+' | b'/' | b'=' | b'%' | b'~')
}

/// Skips spaces and tabs, at most `most` of them.
pub(super) fn blanks(t: &[u8], at: usize, most: usize) -> usize {
    let at = at.min(t.len());
    at + t[at..].iter().take(most).take_while(|b| matches!(b, b' ' | b'\t')).count()
}

/// Skips one line break.
pub(super) fn line_break(t: &[u8], at: usize) -> usize {
    let cr = usize::from(t.get(at) == Some(&b'\r'));
    if t.get(at + cr) == Some(&b'\n') { at + cr + 1 } else { at }
}

/// Returns where the line that has `at` starts, looking back over at most `most` bytes.
pub(super) fn line_start(t: &[u8], at: usize, most: usize) -> usize {
    let from = at.saturating_sub(most);
    memchr::memrchr2(b'\n', b'\r', &t[from..at]).map_or(from, |n| from + n + 1)
}

/// Returns how many bytes of a kind end a text, at most `most`.
pub(super) fn run_back(t: &[u8], most: usize, kind: impl Fn(u8) -> bool) -> usize {
    t.iter().rev().take(most).take_while(|b| kind(**b)).count()
}

/// Returns how many bytes of a kind begin a text, at most `most`.
pub(super) fn run(t: &[u8], most: usize, kind: impl Fn(u8) -> bool) -> usize {
    t.iter().take(most).take_while(|b| kind(**b)).count()
}

/// How far a row reaches behind its key.
pub(super) const WINDOW: usize = 512;
