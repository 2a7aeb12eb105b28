//! Patterns of the user, searched by stretches of bounded length, so that the time stays linear in the text however
//! many matches there are.

use std::borrow::Cow;

use regex::Regex;

use crate::otel::scrub::Finding;
use crate::otel::scrub::scan::Rank;
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
    pub(super) fn find(&self, text: &str, list: &mut Vec<(Rank, Finding)>) {
        for (kind, regex) in &self.0 {
            let secret = regex.capture_names().flatten().any(|n| n == "secret");
            let mut from = 0;
            let mut at = 0;
            while from < text.len() {
                let to = boundary(text, from + STRETCH);
                let reach = &text[..boundary(text, to + REACH)];
                while at < to {
                    let found = if secret {
                        regex
                            .captures_at(reach, at)
                            .and_then(|c| Some((c.get(0)?, c.name("secret").or(c.get(0))?)))
                    } else {
                        regex.find_at(reach, at).map(|m| (m, m))
                    };
                    let Some((whole, part)) = found.filter(|(m, _)| m.start() < to) else { break };
                    if !part.is_empty() {
                        list.push((Rank::Form, Finding { range: part.range(), kind: kind.clone() }));
                    }
                    at = boundary(text, whole.end().max(whole.start() + 1));
                }
                at = at.max(to);
                from = to;
            }
        }
    }
}

/// Returns the first character boundary at or after `at`, or the end.
fn boundary(text: &str, at: usize) -> usize {
    (at..text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len())
}
