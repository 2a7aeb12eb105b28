//! Patterns of the user, searched by stretches of bounded length, so that the time stays linear in the text however
//! many matches there are.

use std::borrow::Cow;

use regex::Regex;

use crate::otel::scrub::scan::{Finding, Rank};
use crate::settings::Pattern;

#[derive(Debug)]
pub(super) struct Patterns(Vec<(Cow<'static, str>, Regex)>);

/// Matches are looked for from each byte of a stretch, and may reach past its end by as much as a secret is long.
const STRETCH: usize = 2048;
const REACH: usize = 1024;

impl Patterns {
    /// Compiles the patterns that can be used. That others cannot is said, and acted on, by the settings.
    pub(super) fn new(patterns: &[Pattern]) -> Patterns {
        let kind = |p: &Pattern| match p {
            Pattern::Plain(_) => Cow::Borrowed("custom"),
            Pattern::Named { name, .. } => Cow::Owned(name.clone()),
        };
        Patterns(patterns.iter().filter_map(|p| Some((kind(p), p.compile().ok()?))).collect())
    }

    /// Adds the matches of all patterns.
    pub(super) fn find(&self, text: &str, list: &mut Vec<Finding>) {
        for (kind, regex) in &self.0 {
            let mut from = 0;
            let mut at = 0;
            while from < text.len() {
                let to = text.ceil_char_boundary(from + STRETCH);
                let reach = &text[..text.ceil_char_boundary(to + REACH)];
                while at < to {
                    let found = regex.captures_at(reach, at).filter(|c| c.get_match().start() < to);
                    let Some(found) = found else { break };
                    let whole = found.get_match();
                    let part = found.name("secret").unwrap_or(whole);
                    if !part.is_empty() {
                        list.push(Finding { range: part.range(), kind: kind.clone(), rank: Rank::Form });
                    }
                    at = text.ceil_char_boundary(whole.end().max(whole.start() + 1));
                }
                at = at.max(to);
                from = to;
            }
        }
    }
}
