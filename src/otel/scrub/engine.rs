//! The one search: `keys` finds the keys of all tables in the decoded view of a text, and at each of them the
//! row or the reader that the key belongs to looks at what is around. Every look reads a bounded stretch or remembers
//! how far it read, so that the work grows with the text and no faster.

use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use regex::bytes::{Regex, RegexBuilder};

use crate::otel::scrub::carrier::{CARRIERS, Carrier, Stands};
use crate::otel::scrub::judge::JUDGED;
use crate::otel::scrub::keys::Keys;
use crate::otel::scrub::scan::{Found, Rank, Scan};
use crate::otel::scrub::table::{RULES, Rule};
use crate::otel::scrub::value::{WINDOW, is_token};
use crate::otel::scrub::view::View;
use crate::otel::scrub::{encoded, judge};

/// Returns the secrets of a text, in no order. `depth` counts the encodings that were taken off.
pub(super) fn detect(text: &[u8], depth: usize) -> Vec<Found> {
    let view = View::of(text);
    let joined = view.joined();
    let mut found = Vec::new();
    for view in std::iter::once(&view).chain(&joined) {
        let mut scan = Scan::new(view, depth, RULES.len() + CARRIERS.len(), detect);
        ENGINE.keys.find(&view.text, |at, key, owner| scan.look(owner, key, at));
        found.append(&mut scan.found);
    }
    found
}

/// What looks at a key.
#[derive(Clone, Copy)]
enum Owner {
    Rule(usize),
    Carrier(usize),
    Reader(Reader),
    Armour(Reader),
}

type Reader = fn(&mut Scan<'_>, usize);

/// Keys, in any case, of what needs more than a row of a table.
const READERS: &[(&str, Reader)] = &[
    ("pass", |s, at| s.name(at)),
    ("pwd", |s, at| s.name(at)),
    ("secret", |s, at| s.name(at)),
    ("token", |s, at| s.name(at)),
    ("key", |s, at| s.name(at)),
    ("cred", |s, at| s.name(at)),
    ("auth", |s, at| s.name(at)),
    ("value", |s, at| s.sibling(at)),
    ("name", |s, at| s.title(at)),
    ("string>", |s, at| s.property_list(at)),
    ("kind: secret", |s, at| s.manifest(at)),
    ("kind\": \"secret\"", |s, at| s.manifest(at)),
    ("kind\":\"secret\"", |s, at| s.manifest(at)),
    ("://", |s, at| s.url(at)),
    ("authorization", |s, at| s.authorization(at)),
    ("bearer", |s, at| s.bearer(at)),
    ("cookie", |s, at| s.cookie(at)),
];

/// Those of keys in armour, which may stand inside what has been found already.
const ARMOUR: &[(&str, Reader)] = &[
    ("begin ", |s, at| s.armour(at)),
    ("begin\n", |s, at| s.armour(at)),
    ("begin\r", |s, at| s.armour(at)),
    ("-end ", |s, at| s.armour_end(at)),
    ("private-lines:", |s, at| s.putty(at)),
];

struct Engine {
    keys: Keys<Owner>,
    regexes: Vec<OnceLock<Option<Regex>>>,
}

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut keys: Vec<(Box<[u8]>, Owner)> = Vec::new();
    let mut add = |key: &str, owner: Owner| keys.push((key.as_bytes().into(), owner));
    for (n, rule) in RULES.iter().enumerate() {
        rule.key.split('|').for_each(|key| add(key, Owner::Rule(n)));
    }
    for (n, carrier) in CARRIERS.iter().enumerate() {
        carrier.key.split('|').for_each(|key| add(key, Owner::Carrier(n)));
    }
    READERS.iter().for_each(|(key, reader)| add(key, Owner::Reader(*reader)));
    ARMOUR.iter().for_each(|(key, reader)| add(key, Owner::Armour(*reader)));
    encoded::keys().iter().for_each(|key| add(key, Owner::Reader(|s, at| s.encoded(at))));
    let rows = RULES.len() + CARRIERS.len();
    Engine { keys: Keys::new(keys), regexes: (0..rows).map(|_| OnceLock::new()).collect() }
});

fn regex(n: usize) -> Option<&'static Regex> {
    let compile = || {
        let (pattern, lead) = match RULES.get(n) {
            Some(rule) if rule.back == 0 => (format!(r"\A(?:{})", rule.pattern), false),
            Some(rule) => (rule.pattern.to_owned(), false),
            None => (format!(r"\A(?:{})", CARRIERS[n - RULES.len()].lead), true),
        };
        RegexBuilder::new(&pattern).unicode(false).case_insensitive(lead).build().ok()
    };
    ENGINE.regexes[n].get_or_init(compile).as_ref()
}

impl Scan<'_> {
    fn look(&mut self, owner: Owner, key: &[u8], at: usize) {
        match owner {
            Owner::Rule(n) if self.t[at..].starts_with(key) => {
                self.row(n, at, |scan| scan.form(n, &RULES[n], key.len(), at));
            }
            Owner::Carrier(n) if at >= self.floor => {
                let n = n + RULES.len();
                self.row(n, at, |scan| scan.place(n, &CARRIERS[n - RULES.len()], at));
            }
            Owner::Reader(reader) if at >= self.floor => reader(self, at),
            Owner::Armour(reader) => reader(self, at),
            _ => {}
        }
    }

    /// Asks a row of a table, unless it refused too much of what is here already.
    fn row(&mut self, n: usize, at: usize, ask: impl FnOnce(&mut Self) -> Asked) {
        let (until, cost) = self.refused[n];
        if at < until && cost > MOST_REFUSED {
            return;
        }
        match ask(self) {
            Asked::Found(context, range, kind, rank) => self.add(context, range, kind, rank),
            Asked::Refused(read) if at < until => self.refused[n].1 = cost + read,
            Asked::Refused(read) => self.refused[n] = (at + WINDOW, read),
            Asked::Elsewhere => {}
        }
    }

    fn form(&mut self, n: usize, rule: &Rule, key: usize, at: usize) -> Asked {
        let t = self.t;
        if at < self.form_floor || rule.back == 0 && at != self.form_floor && !self.view.starts(at) {
            return Asked::Elsewhere;
        }
        let back = t[..at]
            .iter()
            .rev()
            .take(rule.back + usize::from(rule.back > 0))
            .take_while(|b| is_token(**b) || **b == b':')
            .count();
        let from = (at - back).max(self.form_floor);
        let window = &t[from..t.len().min(at + WINDOW)];
        let run = self.ends.token(t, at).min(at + WINDOW) - at;
        let Some(found) = regex(n).and_then(|r| r.find(window)).map(|m| m.range()) else {
            return Asked::Refused(if rule.back > 0 { window.len() } else { run + 1 });
        };
        let range = from + found.start..from + found.end;
        let lead = t[..range.start].strip_suffix(b"+").map_or(range.start, <[u8]>::len);
        let inside = rule.back > 0 && !self.view.starts(lead);
        if range.end <= at || inside {
            return Asked::Refused(run + back + 1);
        }
        let end = if found.end == window.len() { self.ends.token(t, range.end) } else { range.end };
        let end = without_stop(t, end);
        let body = &t[if rule.back == 0 { at + key } else { range.start }..range.end];
        let body = &body[..body.len().min(JUDGED)];
        // Data in base64 has anything in it.
        let data = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
        let inside = matches!(t[..range.start].last(), Some(b'+' | b'/'))
            && t[..range.start].iter().rev().take(24).take_while(data).count() == 24;
        let closed = !inside && !t.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        if !closed
            || !(judge::issued(body) || judge::varied(body) && !body.iter().any(u8::is_ascii_lowercase))
        {
            return Asked::Refused(range.len().max(run));
        }
        Asked::Found(range.start, range.start..end, rule.kind, Rank::Form)
    }

    fn place(&mut self, n: usize, carrier: &Carrier, at: usize) -> Asked {
        let t = self.t;
        if t[at].is_ascii_alphanumeric() && !self.view.starts(at) {
            return Asked::Elsewhere;
        }
        let window = &t[at..t.len().min(at + WINDOW)];
        let Some(lead) = regex(n).and_then(|r| r.find(window)).map(|m| m.end()) else {
            return Asked::Refused(window.len().min(self.ends.line(t, at) - at + 1));
        };
        if carrier.stands == Stands::Group {
            let group =
                regex(n).and_then(|r| r.captures(window)?.get(1)).map(|m| at + m.start()..at + m.end());
            let Some(range) = group.filter(|range| stands(Stands::Word, &t[range.clone()], true)) else {
                return Asked::Refused(lead);
            };
            return Asked::Found(at, range, carrier.kind, Rank::Place);
        }
        let mut from = at + lead;
        let quoted = t[at..from].iter().any(|b| matches!(b, b'"' | b'\''));
        let opened = self.view.quote(from - 1).or_else(|| {
            let quote = self.view.quote(from)?;
            from += 1;
            Some(quote)
        });
        let closing = opened.and_then(|quote| self.ends.closing(self.view, from, quote));
        let end = match (carrier.stands, closing) {
            (Stands::Random(_), _) => self.ends.token(t, from),
            (_, Some(end)) => end,
            (Stands::Word | Stands::Group, None) => self.ends.word(self.view, from),
            (Stands::Login, None) => {
                let word = self.ends.word(self.view, from);
                memchr::memchr(b'@', &t[from..word.min(from + WINDOW)]).map_or(word, |n| from + n)
            }
            (Stands::Pairs, None) => self.ends.shell(self.view, from),
            (Stands::Rest, None) => self.ends.line(t, from),
        };
        let end = if carrier.stands == Stands::Rest { end } else { without_stop(t, end) };
        if end <= from || !stands(carrier.stands, &t[from..end], opened.is_some() || quoted) {
            return Asked::Refused(lead + end.saturating_sub(from).min(JUDGED));
        }
        Asked::Found(at, from..end, carrier.kind, Rank::Place)
    }
}

/// What a row says of a place.
enum Asked {
    /// Where it begins, the secret, its kind.
    Found(usize, Range<usize>, &'static str, Rank),
    /// How many bytes were read for nothing.
    Refused(usize),
    /// That costs next to nothing to say.
    Elsewhere,
}

/// Tells whether a value in a place of a carrier is a secret.
fn stands(stands: Stands, value: &[u8], quoted: bool) -> bool {
    let judged = &value[..value.len().min(JUDGED)];
    match stands {
        Stands::Word | Stands::Login | Stands::Rest | Stands::Group => {
            (stands != Stands::Rest || !value.contains(&b' '))
                && value.len() >= 3
                && !value.starts_with(b"-")
                && !judge::is_flag(judged)
                && !judge::stands_in(judged, quoted || stands == Stands::Rest)
        }
        Stands::Random(least) => {
            value.len() >= least
                && judge::random(judged, least)
                && !judge::stand_in(judged)
                && judged.iter().any(u8::is_ascii_digit)
                && !judge::has(judged, b"%20")
        }
        Stands::Pairs => judged.split(|b| matches!(b, b'=' | b';')).any(|v| judge::random(v, 12)),
    }
}

/// Leaves out the full stop of a sentence.
fn without_stop(t: &[u8], end: usize) -> usize {
    end - t[..end].iter().rev().take(3).take_while(|b| matches!(b, b'.' | b',')).count()
}

/// How many bytes a row may read for nothing within [`WINDOW`] bytes.
const MOST_REFUSED: usize = 2048;
