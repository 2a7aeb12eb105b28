//! Where a value ends, by the syntax it stands in. Each kind of end is remembered: a text made of beginnings of values
//! is read once for each, not once for every beginning.

use crate::otel::scrub::view::{CODED, View};

/// The ends that were found last: from where each was looked for, and where it is.
pub(super) struct Ends {
    line: (usize, usize),
    token: (usize, usize),
    word: (usize, usize),
    shell: (usize, usize),
    tight: (usize, usize),
    list: (usize, usize),
    authority: (usize, usize),
    quotes: Box<[[(usize, usize); CODED as usize + 1]; 3]>,
}

impl Default for Ends {
    fn default() -> Ends {
        Ends {
            line: NOWHERE,
            token: NOWHERE,
            word: NOWHERE,
            shell: NOWHERE,
            tight: NOWHERE,
            list: NOWHERE,
            authority: NOWHERE,
            quotes: Box::new([[NOWHERE; CODED as usize + 1]; 3]),
        }
    }
}

const NOWHERE: (usize, usize) = (1, 0);

impl Ends {
    /// Returns the end of the line.
    pub(super) fn line(&mut self, t: &[u8], at: usize) -> usize {
        remember(&mut self.line, at, |at| memchr::memchr2(b'\n', b'\r', &t[at..]).map_or(t.len(), |n| at + n))
    }

    /// Returns the end of a run of the alphabets of tokens.
    pub(super) fn token(&mut self, t: &[u8], at: usize) -> usize {
        remember(&mut self.token, at, |at| at + t[at..].iter().take_while(|b| is_token(**b)).count())
    }

    /// Returns the end of a word between blanks and quotes.
    pub(super) fn word(&mut self, v: &View, at: usize) -> usize {
        remember(&mut self.word, at, |at| {
            first(v, at, |b, next| match b {
                b';' | b'|' => next.is_none_or(|n| n.is_ascii_whitespace()),
                b'<' => next == Some(b'/'),
                _ => false,
            })
        })
    }

    /// Returns the end of a word of a shell.
    pub(super) fn shell(&mut self, v: &View, at: usize) -> usize {
        remember(&mut self.shell, at, |at| {
            first(v, at, |b, next| match b {
                b'<' => true,
                b';' | b'|' | b'&' => next.is_none_or(|n| n.is_ascii_whitespace() || n == b),
                b',' | b')' | b']' | b'}' => next.is_none_or(|n| n.is_ascii_whitespace()),
                _ => false,
            })
        })
    }

    /// Returns the end of a value in a query, a connect string, a log line.
    pub(super) fn tight(&mut self, v: &View, at: usize) -> usize {
        remember(&mut self.tight, at, |at| {
            first(v, at, |b, _| matches!(b, b'<' | b'>' | b'&' | b';' | b'|' | b',' | b')' | b']' | b'}'))
        })
    }

    /// Returns the end of a value that is all of its line, or a word of it.
    pub(super) fn list(&mut self, v: &View, at: usize) -> usize {
        remember(&mut self.list, at, |at| {
            first(v, at, |b, next| match b {
                b'<' | b'>' | b'&' | b';' | b'|' | b',' | b')' | b']' | b'}' => {
                    next.is_none_or(|n| n.is_ascii_whitespace() || matches!(n, b'"' | b'\'' | b'`'))
                }
                _ => false,
            })
        })
    }

    /// Returns where the authority of a URL has to end, or its first `@`.
    pub(super) fn authority(&mut self, t: &[u8], at: usize) -> usize {
        let stop = |b: &u8| matches!(b, b'@' | b'"' | b'\'' | b'`' | b'<' | b'>' | 0..=b' ');
        remember(&mut self.authority, at, |at| t[at..].iter().position(stop).map_or(t.len(), |n| at + n))
    }

    /// Returns the quote that closes a value: the same one, no more deeply escaped, in the same line. A doubled quote
    /// is a quote of the value.
    pub(super) fn closing(&mut self, v: &View, from: usize, (mark, depth): (u8, u8)) -> Option<usize> {
        let kind = match mark {
            b'"' => 0,
            b'\'' => 1,
            _ => 2,
        };
        let end = remember(&mut self.quotes[kind][usize::from(depth.min(CODED))], from, |mut at| {
            let t = &v.text;
            loop {
                at += memchr::memchr3(mark, b'\n', b'\r', &t[at..]).unwrap_or(t.len() - at);
                let closes = |at: usize| v.quote(at).is_some_and(|(m, d)| m == mark && d <= depth);
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

fn remember(memory: &mut (usize, usize), at: usize, find: impl FnOnce(usize) -> usize) -> usize {
    if !(memory.0..=memory.1).contains(&at) {
        *memory = (at, find(at));
    }
    memory.1
}

/// Returns where the first blank, quote or byte that `stops` is.
fn first(v: &View, at: usize, stops: impl Fn(u8, Option<u8>) -> bool) -> usize {
    let t = &v.text;
    let stop = |n: &usize| {
        let b = t[*n];
        match b {
            b' ' | b'\t' | b'\n' | b'\r' | 0x1b => true,
            b'"' | b'\'' | b'`' => v.quote(*n).is_some_and(|(_, depth)| depth < CODED),
            _ if b.is_ascii_alphanumeric() => false,
            _ => stops(b, t.get(n + 1).copied()),
        }
    };
    (at..t.len()).find(stop).unwrap_or(t.len())
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

/// Tells whether `t` has `word` (in lower case) at `at`, in any case.
pub(super) fn word_at(t: &[u8], at: usize, word: &[u8]) -> bool {
    t.get(at..at + word.len()).is_some_and(|w| w.eq_ignore_ascii_case(word))
}

/// Returns where the line that has `at` starts, looking back over at most `most` bytes.
pub(super) fn line_start(t: &[u8], at: usize, most: usize) -> usize {
    let from = at.saturating_sub(most);
    memchr::memrchr2(b'\n', b'\r', &t[from..at]).map_or(from, |n| from + n + 1)
}

/// How far a row reaches behind its key.
pub(super) const WINDOW: usize = 512;
