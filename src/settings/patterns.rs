//! The user's own patterns: what they look like in config.yaml, and whether each can be used. A regular expression of
//! the `regex` crate takes time linear in what it searches; limits on its size keep it so.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_yml::Value;

use super::document::scalar_text;

/// A regular expression for secrets of the user, with the name its mark bears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Pattern {
    /// Replaced by `<secret:custom>`.
    Plain(String),
    /// Replaced by `<secret:NAME>`.
    Named { name: String, pattern: String },
}

impl Pattern {
    /// The name in its mark.
    pub fn name(&self) -> &str {
        match self {
            Pattern::Plain(_) => "custom",
            Pattern::Named { name, .. } => name,
        }
    }

    /// Compiles the pattern.
    ///
    /// # Errors
    /// Says in a few words why the pattern cannot be used.
    pub fn compile(&self) -> Result<Regex, String> {
        let (Pattern::Plain(text) | Pattern::Named { pattern: text, .. }) = self;
        let name = self.name();
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(letters) {
            return Err("its name is not made of a-z, 0-9 and -".to_owned());
        }
        let regex = RegexBuilder::new(text)
            .size_limit(SIZE_BYTES)
            .dfa_size_limit(SIZE_BYTES)
            .nest_limit(32)
            .multi_line(true)
            .build()
            .map_err(|e| e.to_string().lines().last().unwrap_or_default().trim().to_owned())?;
        if regex.is_match("") {
            return Err("it matches the empty text".to_owned());
        }
        Ok(regex)
    }
}

/// Reads the patterns of a setting: one text, a list, or a mapping of names.
pub(super) fn of_value(value: &Value) -> Vec<Pattern> {
    match value {
        Value::Sequence(items) => items.iter().flat_map(of_value).collect(),
        Value::Mapping(map) => map
            .iter()
            .map(|(name, pattern)| Pattern::Named {
                name: scalar_text(name).unwrap_or_default(),
                pattern: scalar_text(pattern).unwrap_or_default(),
            })
            .collect(),
        // What is no text at all is kept, so that it is found to be none.
        value => vec![Pattern::Plain(scalar_text(value).unwrap_or_default())],
    }
}

/// Says of each pattern that cannot be used why, as a problem of the setting.
pub fn faults(patterns: &[Pattern]) -> Vec<String> {
    let mut faults: Vec<String> = patterns
        .iter()
        .take(MOST)
        .enumerate()
        .filter_map(|(n, pattern)| Some((n + 1, pattern.compile().err()?)))
        .map(|(n, why)| format!("redact_patterns: pattern {n} cannot be used: {why}"))
        .collect();
    if patterns.len() > MOST {
        faults.push(format!("redact_patterns: {} patterns, at most {MOST} can be used", patterns.len()));
    }
    faults
}

/// The greatest number of patterns.
pub const MOST: usize = 256;
/// The compiled size of one pattern, in bytes.
const SIZE_BYTES: usize = 256 * 1024;
const MAX_NAME_BYTES: usize = 31;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_pattern_is_named_with_its_reason() {
        let plain = |text: &str| Pattern::Plain(text.to_owned());
        for (text, wanted) in [("(", "unclosed group"), ("x*", "empty text"), (r"(\w{500}){500}", "size")] {
            let found = faults(&[plain("a"), plain(text)]);
            assert!(found.len() == 1 && found[0].contains(wanted), "{found:?}");
            assert!(found[0].starts_with("redact_patterns: pattern 2 "), "{found:?}");
        }
        assert_eq!(faults(&vec![plain("x"); MOST]), Vec::<String>::new());
        assert!(faults(&vec![plain("x"); MOST + 1])[0].contains("257 patterns, at most 256"));
    }

    #[test]
    fn patterns_are_a_text_or_a_list_or_named() {
        let read = |yaml: &str| of_value(&serde_yml::from_str(yaml).unwrap());
        let named = Pattern::Named { name: "acme".into(), pattern: "A[0-9]".into() };
        assert_eq!(read("'A[0-9]'"), [Pattern::Plain("A[0-9]".into())]);
        assert_eq!(read("{acme: 'A[0-9]'}"), std::slice::from_ref(&named));
        assert_eq!(read("['B', {acme: 'A[0-9]'}]"), [Pattern::Plain("B".into()), named]);
        assert!(!faults(&read("{Not a name: x}")).is_empty() && !faults(&read("[[], null]")).is_empty());
    }
}
