//! Patterns of the user. A regular expression of the `regex` crate takes time linear in what it searches; limits on
//! its size, and a search by stretches of bounded length, keep it so however many matches there are.

use std::fmt;

use regex::{Regex, RegexBuilder};

use crate::otel::scrub::Finding;

/// Why a pattern of the user cannot be used.
#[derive(Debug)]
pub enum PatternError {
    /// More patterns than [`PatternError::MOST`].
    TooMany(usize),
    /// The pattern of this number (from 1) does not compile or is too large.
    Invalid { number: usize, source: Box<regex::Error> },
    /// The pattern of this number matches the empty text, so it would match everywhere.
    MatchesNothing { number: usize },
}

impl PatternError {
    /// The greatest number of patterns.
    pub const MOST: usize = 64;
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PatternError::TooMany(n) => {
                write!(f, "{n} secret patterns, at most {} are allowed", PatternError::MOST)
            }
            PatternError::Invalid { number, source } => write!(f, "secret pattern {number}: {source}"),
            PatternError::MatchesNothing { number } => {
                write!(f, "secret pattern {number} matches the empty text")
            }
        }
    }
}

impl std::error::Error for PatternError {}

#[derive(Debug)]
pub(super) struct Patterns(Vec<Regex>);

/// The compiled size of one pattern, in bytes.
const SIZE: usize = 256 * 1024;
/// Matches are looked for from each byte of a stretch, and may reach past its end by as much as a secret is long.
const STRETCH: usize = 2048;
const REACH: usize = 1024;

impl Patterns {
    pub(super) fn new(patterns: &[String]) -> Result<Patterns, PatternError> {
        if patterns.len() > PatternError::MOST {
            return Err(PatternError::TooMany(patterns.len()));
        }
        let mut list = Vec::with_capacity(patterns.len());
        for (i, pattern) in patterns.iter().enumerate() {
            let number = i + 1;
            let regex = RegexBuilder::new(pattern)
                .size_limit(SIZE)
                .dfa_size_limit(SIZE)
                .nest_limit(32)
                .multi_line(true)
                .build()
                .map_err(|e| PatternError::Invalid { number, source: Box::new(e) })?;
            if regex.is_match("") {
                return Err(PatternError::MatchesNothing { number });
            }
            list.push(regex);
        }
        Ok(Patterns(list))
    }

    /// Adds the matches of all patterns.
    pub(super) fn find(&self, text: &str, list: &mut Vec<Finding>) {
        for regex in &self.0 {
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
                        list.push(Finding { range: part.range(), kind: "custom" });
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
