//! The one search: `keys` finds the keys of all tables in the decoded view of a text, and at each of them the
//! row or the reader that the key belongs to looks at what is around. Every look reads a bounded stretch or remembers
//! how far it read, so that the work grows with the text and no faster.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use crate::otel::scrub::encoded::decode;
use crate::otel::scrub::judge::{self, JUDGED};
use crate::otel::scrub::keys::Keys;
use crate::otel::scrub::lazy::Lazy;
use crate::otel::scrub::scan::{Finding, Rank, Scan};
use crate::otel::scrub::table::{Row, Stands, forms::FORMS, places::PLACES, shapes::ENCODED};
use crate::otel::scrub::value::{End, WINDOW, is_token, run_back};
use crate::otel::scrub::view::View;

/// Returns the secrets of a text, in no order. `depth` counts the encodings that were taken off.
pub(super) fn detect(text: &[u8], depth: usize) -> Vec<Finding> {
    let view = View::of(text);
    let joined = view.joined(text);
    let mut found = Vec::new();
    for view in std::iter::once(&view).chain(&joined) {
        let mut scan = Scan::new(view, depth, detect);
        ENGINE.keys.find(&view.text, |at, key, n| scan.look(n, key, at));
        found.append(&mut scan.found);
    }
    found
}

/// Looks at a place with a key. One of rank `Form` may look inside what has been found already.
pub(super) type Reader = fn(&mut Scan<'_>, usize);

/// Keys, in any case, of what needs more than a row of a table.
pub(super) const READERS: &[(&str, Rank, Reader)] = &[
    ("pass|pwd|secret|token|key|cred|auth", Rank::Place, |s, at| s.name(at)),
    ("value", Rank::Place, |s, at| s.sibling(at)),
    ("name", Rank::Place, |s, at| s.titled(at, at + 4)),
    ("kind: secret|kind\": \"secret\"|kind\":\"secret\"", Rank::Place, |s, at| s.manifest(at)),
    ("://", Rank::Place, |s, at| s.url(at)),
    ("begin |begin\n|begin\r", Rank::Form, |s, at| s.armour(at)),
    ("-end ", Rank::Form, |s, at| s.armour_end(at)),
    ("private-lines:", Rank::Form, |s, at| s.key(at, at + 14)),
    (ENCODED, Rank::Place, |s, at| s.encoded(at)),
];

struct Engine {
    /// Each with the number of its row, or behind those of its reader.
    keys: Keys<usize>,
    rows: Vec<(&'static Row, Lazy)>,
}

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let rows: Vec<_> = FORMS.iter().chain(PLACES).map(|row| (row, expression(row))).collect();
    let keys = rows.iter().map(|(row, _)| row.key).chain(READERS.iter().map(|(keys, ..)| *keys));
    let each = |(n, keys): (usize, &'static str)| keys.split('|').map(move |key| (key.as_bytes(), n));
    let keys = Keys::new(keys.enumerate().flat_map(each));
    Engine { keys, rows }
});

/// Anchors a pattern at its key, unless it begins before that.
pub(super) fn expression(row: &Row) -> Lazy {
    let anchored =
        if row.back == 0 { Cow::Owned(format!(r"\A(?:{})", row.pattern)) } else { row.pattern.into() };
    Lazy::of(anchored, row.stands != Stands::Form)
}

/// What a row says of a place: where it begins, and the secret; or how many bytes were read for nothing.
type Asked = Result<(usize, Range<usize>), usize>;

impl Scan<'_> {
    fn look(&mut self, n: usize, key: &[u8], at: usize) {
        match READERS.get(n.wrapping_sub(ENGINE.rows.len())) {
            None => self.row(n, key, at),
            Some((_, rank, reader)) if *rank == Rank::Form || at >= self.floor(*rank) => reader(self, at),
            Some(_) => {}
        }
    }

    /// Asks a row of a table, unless it refused too much of what is here already.
    fn row(&mut self, n: usize, key: &[u8], at: usize) {
        let (row, regex) = &ENGINE.rows[n];
        let (until, cost) = self.read.refused.get(&n).copied().unwrap_or_default();
        if at < until && cost > MOST_REFUSED {
            return;
        }
        let (rank, asked) = match row.stands {
            Stands::Form => (Rank::Form, self.form(row, regex, key, at)),
            _ => (Rank::Place, self.place(row, regex, at)),
        };
        match asked {
            Ok((context, range)) => self.add(context, range, row.kind, rank),
            Err(0) => {}
            Err(read) => {
                let refused = if at < until { (until, cost + read) } else { (at + WINDOW, read) };
                self.read.refused.insert(n, refused);
            }
        }
    }

    fn form(&mut self, row: &Row, regex: &Lazy, key: &[u8], at: usize) -> Asked {
        let (t, floor, tail) = (self.t, self.floor(Rank::Form), row.back > 0);
        let begins = tail || at == floor || self.view.starts(at);
        if at < floor || !begins || !t[at..].starts_with(key) {
            return Err(0);
        }
        let back = run_back(&t[..at], row.back + usize::from(tail), |b| is_token(b) || b == b':');
        // A form's expression begins behind the key, unless something stands before that.
        let from = if tail { (at - back).max(floor) } else { at + key.len() };
        let window = self.ahead(from, at.saturating_sub(from) + WINDOW);
        let run = self.end(End::Token, at).min(at + WINDOW) - at;
        let found = regex.find(window).ok_or(if tail { window.len() } else { run + 1 })?;
        let (start, end) = (if tail { from + found.start } else { at }, from + found.end);
        let lead = t[..start].strip_suffix(b"+").map_or(start, <[u8]>::len);
        if end <= at || tail && !self.view.starts(lead) {
            return Err(run + back + 1);
        }
        let body = from + found.start;
        let body = &t[body..end.min(body + JUDGED)];
        let issued = judge::issued(body) || judge::varied(body) && !body.iter().any(u8::is_ascii_lowercase);
        let stop = if found.end == window.len() { self.end(End::Token, end) } else { end };
        let stop = without_stop(t, stop);
        let runs_on = t.get(stop).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        if runs_on || !issued || is_in_data(&t[..start]) {
            return Err(run.max(end - start));
        }
        Ok((start, start..stop))
    }

    fn place(&mut self, row: &Row, regex: &Lazy, at: usize) -> Asked {
        let t = self.t;
        if at < self.floor(Rank::Place) || t[at].is_ascii_alphanumeric() && !self.view.starts(at) {
            return Err(0);
        }
        let window = self.ahead(at, WINDOW);
        let line = self.end(End::Line, at) - at + 1;
        let lead = regex.find(window).ok_or(line.min(window.len()))?.end;
        let (range, quoted) = if row.stands == Stands::Group {
            let group = regex.captures(window).and_then(|c| c.get(1).map(|m| m.range())).ok_or(lead)?;
            (at + group.start..at + group.end, true)
        } else {
            self.value(row.stands, at, at + lead)
        };
        if range.is_empty() || !stands(row.stands, &t[range.clone()], quoted) {
            return Err(lead + range.len());
        }
        Ok((at, range))
    }

    /// Returns the value from `from` on that stands in a place from `at` on, and whether it is between quotes.
    fn value(&mut self, stands: Stands, at: usize, mut from: usize) -> (Range<usize>, bool) {
        let t = self.t;
        let before = t[at..from].iter().any(|b| matches!(b, b'"' | b'\''));
        let opened = self.view.quote(from - 1).or_else(|| {
            let quote = self.view.quote(from)?;
            from += 1;
            Some(quote)
        });
        let closing = opened.and_then(|quote| self.ends.closing(self.view, from, quote));
        let end = match (stands, closing) {
            (Stands::Random(_) | Stands::Opaque(_) | Stands::Credential | Stands::Basic, _) => {
                self.end(End::Token, from)
            }
            (Stands::Pairs, _) => self.pairs(from),
            (_, Some(end)) => end,
            _ => self.end(End::Word, from),
        };
        (from..without_stop(t, end).max(from), opened.is_some() || before)
    }

    /// Returns the end of cookies with `; ` between them.
    fn pairs(&mut self, from: usize) -> usize {
        let mut end = self.end(End::Pair, from);
        while end - from < MOST_PAIRS && self.t[..end].ends_with(b";") && self.t.get(end) == Some(&b' ') {
            end = self.end(End::Pair, end + 1);
        }
        end
    }
}

/// Tells whether a value in a place is a secret.
fn stands(stands: Stands, value: &[u8], quoted: bool) -> bool {
    let judged = &value[..value.len().min(JUDGED)];
    let digits = || judged.iter().filter(|b| b.is_ascii_digit()).count();
    match stands {
        Stands::Word | Stands::Group | Stands::Form => {
            value.len() >= 3 && !value.starts_with(b"-") && !judge::stands_in(judged, quoted)
        }
        Stands::Random(least) => {
            digits() > 0 && !judge::has(judged, b"%20") && self::stands(Stands::Opaque(least), value, quoted)
        }
        Stands::Opaque(least) => judge::random(judged, least) && !judge::stands_in(judged, false),
        Stands::Credential => {
            let short = value.len() >= 8 && !judged.contains(&b'-') && digits() >= 3;
            (short || judge::random(judged, 10)) && !judge::stands_in(judged, false)
        }
        Stands::Basic => {
            let readable = |text: Vec<u8>| text.contains(&b':') && !text.iter().any(|b| *b < b' ');
            !judge::stands_in(judged, false)
                && decode(&value[..value.len().min(MOST_PAIRS)]).is_some_and(readable)
        }
        Stands::Pairs => {
            let pairs = value.split(|b| *b == b';').filter_map(|pair| pair.splitn(2, |b| *b == b'=').nth(1));
            let mut values = pairs.take(MOST_PAIRS / 64);
            values.any(|value| judge::random(value, 12) && !judge::stands_in(value, false))
        }
    }
}

/// Tells whether a text ends within data in base64, which has anything in it.
fn is_in_data(before: &[u8]) -> bool {
    let sign = |b: u8| matches!(b, b'+' | b'/');
    before.last().is_some_and(|b| sign(*b))
        && run_back(before, 24, |b| b.is_ascii_alphanumeric() || sign(b)) == 24
}

/// Leaves out the full stop of a sentence.
fn without_stop(t: &[u8], end: usize) -> usize {
    end - run_back(&t[..end], 3, |b| matches!(b, b'.' | b','))
}

/// How many bytes a row may read for nothing within [`WINDOW`] bytes.
const MOST_REFUSED: usize = 2048;
/// A header has no more cookies.
const MOST_PAIRS: usize = 8192;
