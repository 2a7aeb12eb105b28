//! Finds secrets in text and replaces each by `<secret:KIND>`. Owns the forms and the judgement of what is a secret;
//! which strings are scrubbed, and what the settings say about it, is decided by the caller.
//!
//! Text comes as it was recorded: plain, inside JSON, escaped once or twice, coloured, or broken over lines by a
//! terminal. Every byte outside a secret stays what it was.
//!
//! One search does it (`engine`), in a decoded `view` of the text: `keys` finds the keys of all tables in one pass, which
//! sends each place to the row or reader it belongs to. Forms that identify themselves (`table`) and places that
//! carry secrets (`table::places`) are rows with a regular expression. What is assigned to a name (`name`, `sibling`), URLs,
//! headers, keys in armour and encoded files need small readers. `value` finds where a value ends, `judge` tells a
//! secret from what only stands in its place.
//!
//! No crate does this: the kept scanners (gitleaks, Nosey Parker, kingfisher) are programs that search repositories,
//! and none of them reads escaped or wrapped text.
//!
//! Every reader looks at a bounded stretch, or remembers how far it read: the work grows with the text, no faster.

mod armour;
mod columns;
mod encoded;
mod engine;
mod judge;
mod keys;
mod label;
mod lazy;
mod name;
mod pattern;
mod personal;
mod place;
mod scan;
mod sibling;
mod table;
#[cfg(test)]
mod tests;
mod url;
mod value;
mod view;

use std::borrow::Cow;

use lazy::Lazy;
use pattern::Patterns;
pub use scan::Finding;

use crate::settings::Pattern;

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
        let mut list = engine::detect(text.as_bytes(), 0);
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

/// Sorts findings, joins those that overlap, and leaves out what is already scrubbed.
fn settle(text: &str, mut list: Vec<Finding>) -> Vec<Finding> {
    list.sort_by_key(|f| (f.range.start, std::cmp::Reverse(f.range.end)));
    let mut out: Vec<Finding> = Vec::new();
    for mut f in list {
        f.range = text.floor_char_boundary(f.range.start)..text.ceil_char_boundary(f.range.end);
        match out.last_mut().filter(|last| f.range.start < last.range.end) {
            Some(last) => {
                let range = last.range.start..last.range.end.max(f.range.end);
                let surest = if f.rank > last.rank { f } else { last.clone() };
                *last = Finding { range, ..surest };
            }
            None => out.push(f),
        }
    }
    // What an earlier scrubbing left is none.
    let mut marks = MARK.find_iter(text.as_bytes()).peekable();
    out.retain(|f| {
        while marks.next_if(|mark| mark.end <= f.range.start).is_some() {}
        marks.peek().is_none_or(|mark| mark.start >= f.range.end)
    });
    out
}

/// What is left of a secret.
static MARK: Lazy = Lazy::new("<secret:[a-z0-9-]{1,32}>");

fn replace(text: &str, findings: &[Finding]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for Finding { range, kind, .. } in findings {
        out.extend([&text[from..range.start], "<secret:", kind, ">"]);
        from = range.end;
    }
    out + &text[from..]
}
