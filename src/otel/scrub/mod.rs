//! Finds secrets in text and replaces each by `<secret:KIND>`. Owns the forms and the judgement of what is a secret;
//! which strings are scrubbed, and what the settings say about it, is decided by the caller.
//!
//! Text comes as it was recorded: plain, inside JSON, escaped once or twice, coloured, or broken over lines by a
//! terminal. Every byte outside a secret stays what it was.
//!
//! Two searches share the work. Forms that identify themselves (`table`) and places that carry secrets (`carrier`)
//! are rows of tables, looked for in a decoded `view` of the text by one automaton and regular expressions (`form`).
//! Names, headers, URLs and private keys need judgement of what is around them: small readers do that on the text as
//! it stands, where a prefilter built by the compiler (`filter`) sends them. What both find is joined.
//!
//! No crate does this: the kept scanners (gitleaks, Nosey Parker, kingfisher) are programs that search repositories,
//! and none of them reads escaped or wrapped text.
//!
//! Every reader looks at a bounded stretch, or consumes what it read: the work grows with the text, no faster.

mod carrier;
mod command;
mod filter;
mod form;
mod header;
mod judge;
mod name;
mod pattern;
mod pem;
mod personal;
mod rules;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod token;
mod url;
mod view;
mod wrap;

use std::borrow::Cow;
use std::ops::Range;

use filter::Special;
use pattern::Patterns;

use crate::settings::Pattern;

/// A secret in a text: the bytes it takes, always on character boundaries, and its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub range: Range<usize>,
    pub kind: Cow<'static, str>,
}

/// Replaces secrets by `<secret:KIND>`. Costs nothing to build without patterns of the user.
#[derive(Debug)]
pub struct Scrubber {
    patterns: Patterns,
    personal: bool,
}

impl Scrubber {
    /// Builds a scrubber that also replaces what `patterns` match, as `<secret:NAME>`. A pattern with a group of the
    /// name `secret` replaces that group only. One that cannot be used is left out; the settings say so.
    pub fn new(patterns: &[Pattern]) -> Scrubber {
        Scrubber { patterns: Patterns::new(patterns), personal: false }
    }

    /// Replaces personal data as well.
    #[must_use]
    pub fn with_personal_data(self, personal: bool) -> Scrubber {
        Scrubber { personal, ..self }
    }

    /// Replaces every secret of `text`. What was scrubbed once is not changed by scrubbing it again.
    pub fn scrub<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = Cow::Borrowed(text);
        for _ in 0..ROUNDS.max(ROOM_BYTES / text.len().max(1)) {
            let findings = self.findings(&out);
            if findings.is_empty() {
                break;
            }
            out = Cow::Owned(replace(&out, &findings));
        }
        out
    }

    /// Returns the secrets of `text`, in order and apart from each other. What an earlier scrubbing left there is
    /// none.
    pub fn findings(&self, text: &str) -> Vec<Finding> {
        let mut list = scan(text.as_bytes());
        form::detect(text.as_bytes(), &mut list);
        self.patterns.find(text, &mut list);
        if self.personal {
            personal::detect(text, &mut list);
        }
        settle(text, list)
    }
}

/// A replacement can bring two things together that were no secret apart. More rounds than this would take a text
/// made for it.
const ROUNDS: usize = 8;
/// How much is read of a short text all the same, so that one made for it comes to rest as well.
const ROOM_BYTES: usize = 128 * 1024;

/// The findings of one stretch of text. Nothing starts before `floor`, the end of the last one.
struct Finds {
    list: Vec<Finding>,
    floor: usize,
}

impl Finds {
    fn add(&mut self, range: Range<usize>, kind: &'static str) {
        if range.start >= self.floor && !range.is_empty() {
            self.floor = range.end;
            self.list.push(Finding { range, kind: Cow::Borrowed(kind) });
        }
    }
}

/// Searches a text for all known forms.
fn scan(t: &[u8]) -> Vec<Finding> {
    let mut finds = Finds { list: Vec::new(), floor: 0 };
    let mut lines = pem::Lines::new(t);
    let mut at = 0;
    while let Some((hit, entry)) = filter::next(t, at) {
        let before = finds.floor;
        if entry.token {
            token::detect(t, hit, &mut finds);
        }
        if entry.special == Special::Pem {
            pem::detect(t, hit, &mut lines, &mut finds);
        } else if finds.floor == before {
            special(t, hit, entry.special, &mut finds);
        }
        at = (hit + 1).max(finds.floor);
    }
    wrap::detect(t, &mut finds.list);
    finds.list
}

fn special(t: &[u8], at: usize, special: Special, finds: &mut Finds) {
    match special {
        Special::None | Special::Pem => {}
        Special::Name => name::detect(t, at, finds),
        Special::Url => {
            let colon = if t[at] == b':' { at } else { at + 1 };
            let slashes = t[colon + 1..].iter().take(16).take_while(|b| matches!(b, b'/' | b'\\')).count();
            url::detect(t, colon, colon + 1 + slashes, finds);
        }
        Special::Authorization => header::authorization(t, at, finds),
        Special::Bearer => header::bearer(t, at, finds),
        Special::Cookie => header::cookie(t, at, finds),
        Special::Jwt => token::jwt(t, at, finds),
        Special::Telegram => token::telegram(t, at, finds),
        Special::Discord => token::discord(t, at, finds),
        Special::AzureClient => token::azure_client(t, at, finds),
        Special::Twilio => token::twilio(t, at, finds),
        Special::Command => command::detect(t, at, finds),
        Special::UserFlag => command::user(t, at, finds),
        Special::Signature => token::signature(t, at, finds),
        Special::Webhook => token::webhook(t, at, finds),
        Special::Inner => token::inner(t, at, &t[at..], finds),
        Special::EncodedPem => token::encoded_pem(t, at, finds),
    }
}

/// Sorts findings, joins those that overlap, and leaves out what is already scrubbed.
fn settle(text: &str, mut list: Vec<Finding>) -> Vec<Finding> {
    list.sort_by_key(|f| (f.range.start, std::cmp::Reverse(f.range.end)));
    let mut out: Vec<Finding> = Vec::new();
    for mut f in list {
        while !text.is_char_boundary(f.range.start) {
            f.range.start -= 1;
        }
        while !text.is_char_boundary(f.range.end) {
            f.range.end += 1;
        }
        match out.last_mut() {
            Some(last) if f.range.start < last.range.end => last.range.end = last.range.end.max(f.range.end),
            _ => out.push(f),
        }
    }
    let marks: Vec<Range<usize>> = marks(text);
    if !marks.is_empty() {
        out.retain(|f| {
            let next = marks.partition_point(|m| m.end <= f.range.start);
            marks.get(next).is_none_or(|m| m.start >= f.range.end)
        });
    }
    out
}

/// Returns where earlier scrubbings left `<secret:KIND>`.
fn marks(text: &str) -> Vec<Range<usize>> {
    memchr::memmem::find_iter(text.as_bytes(), MARK)
        .filter_map(|at| {
            let kind = text.as_bytes()[at + MARK.len()..]
                .iter()
                .take(32)
                .take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || **b == b'-')
                .count();
            let end = at + MARK.len() + kind;
            (kind > 0 && text.as_bytes().get(end) == Some(&b'>')).then_some(at..end + 1)
        })
        .collect()
}

const MARK: &[u8] = b"<secret:";

fn replace(text: &str, findings: &[Finding]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for f in findings {
        out.push_str(&text[from..f.range.start]);
        out.push_str("<secret:");
        out.push_str(&f.kind);
        out.push('>');
        from = f.range.end;
    }
    out.push_str(&text[from..]);
    out
}
