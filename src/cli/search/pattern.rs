//! The text that is searched for, and what is shown around it.

use regex::bytes::{Regex, RegexBuilder};

use crate::otel::redact::{ContentClass, Redactor};
use crate::text::printable;

/// A text, as it stands and as JSON writes it. Capital letters count when it has any.
#[derive(Debug)]
pub struct Pattern {
    regex: Regex,
}

/// A scrubbed piece of a text around a match, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    pub text: String,
    /// Offset of the match in it; none when scrubbing took the match away.
    at: Option<usize>,
}

impl Pattern {
    /// Returns none for a text without a character, or one far too long.
    pub fn new(text: &str) -> Option<Pattern> {
        if text.is_empty() || text.len() > MAX_TEXT {
            return None;
        }
        let as_json = serde_json::to_string(text).unwrap_or_default();
        let inner = as_json.trim_start_matches('"').strip_suffix('"').unwrap_or(text);
        let mut source = regex::escape(text);
        if inner != text {
            source = format!("{source}|{}", regex::escape(inner));
        }
        let sensitive = text.chars().any(char::is_uppercase);
        let regex = RegexBuilder::new(&source).case_insensitive(!sensitive).unicode(!text.is_ascii()).build();
        regex.ok().map(|regex| Pattern { regex })
    }

    /// Returns where the first match in `bytes` at or after `from` is.
    pub fn find(&self, bytes: &[u8], from: usize) -> Option<std::ops::Range<usize>> {
        self.regex.find_at(bytes, from).map(|found| found.range())
    }

    /// Cuts a text into what matches and what stands between.
    pub fn split<'a>(&self, text: &'a str) -> Vec<(&'a str, bool)> {
        let mut parts = Vec::new();
        let mut done = 0;
        // A pattern without Unicode matches ASCII alone, so its bounds are those of characters.
        for found in self.regex.find_iter(text.as_bytes()) {
            parts.push((&text[done..found.start()], false));
            parts.push((&text[found.range()], true));
            done = found.end();
        }
        parts.push((&text[done..], false));
        parts.retain(|(part, _)| !part.is_empty());
        parts
    }

    /// Returns what stands around the first match in `text`, scrubbed before it is cut.
    pub fn excerpt(&self, text: &[u8], redactor: &Redactor) -> Option<Excerpt> {
        let found = self.find(text, 0)?;
        let from = found.start.saturating_sub(CONTEXT_BYTES);
        let to = (found.end + CONTEXT_BYTES).min(text.len());
        let around = String::from_utf8_lossy(&text[from..to]);
        let scrubbed = redactor.text(ContentClass::Plain, &around);
        let line = printable(&scrubbed.replace("\\n", " "));
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let at = self.find(line.as_bytes(), 0).map(|found| found.start);
        Some(Excerpt { text: around_match(&line, at.unwrap_or(0), EXCERPT_CHARS), at })
            .map(|excerpt| Excerpt { at: self.find(excerpt.text.as_bytes(), 0).map(|f| f.start), ..excerpt })
    }
}

impl Excerpt {
    /// The excerpt in so many columns, the match among them.
    pub fn fitted(&self, columns: usize) -> String {
        around_match(&self.text, self.at.unwrap_or(0), columns)
    }
}

/// At most `chars` characters of a line, those around byte `at`.
fn around_match(line: &str, at: usize, chars: usize) -> String {
    let count = line.chars().count();
    if count <= chars {
        return line.to_owned();
    }
    let before = line[..line.floor_char_boundary(at)].chars().count();
    let from = before.saturating_sub(chars / 3).min(count - chars);
    let cut = |text: String, dotted: bool| if dotted { format!("…{text}") } else { text };
    let inner: String = line.chars().skip(from).take(chars.saturating_sub(2)).collect();
    format!("{}…", cut(inner, from > 0))
}

const MAX_TEXT: usize = 4096;
/// Enough for the scrubber to see what a value belongs to.
const CONTEXT_BYTES: usize = 2048;
const EXCERPT_CHARS: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn excerpt(pattern: &str, text: &str) -> Option<Excerpt> {
        let context = crate::context::Context::given(Vec::new(), Default::default());
        let settings = Settings::without_config(&context);
        let profile = crate::settings::Profile {
            backend_rule: None,
            redact_secrets: true,
            logging: crate::settings::Logging { prompts: true, tool_details: true, tool_content: true },
            ..settings.profile
        };
        Pattern::new(pattern).unwrap().excerpt(text.as_bytes(), &Redactor::new(&profile))
    }

    #[test]
    fn capital_letters_count_when_there_are_any() {
        let finds =
            |pattern: &str, text: &str| Pattern::new(pattern).unwrap().find(text.as_bytes(), 0).is_some();
        assert!(finds("error", "An ERROR") && !finds("Error", "An ERROR") && finds("Error", "Error"));
        assert!(finds("über", "ÜBER") && finds("a.b", "a.b") && !finds("a.b", "axb"));
        assert!(finds("say \"hi\"", r#"{"cmd":"say \"hi\""}"#), "as JSON writes it");
        assert!(Pattern::new("").is_none());
    }

    #[test]
    fn excerpts_are_scrubbed_before_they_are_cut() {
        let long = "x ".repeat(3000);
        let token = format!("ghp_{}", "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5");
        let found = excerpt("needle", &format!("{long} token={token} needle {long}")).unwrap();
        assert!(found.text.contains("needle") && !found.text.contains("aB3dE5fG7"), "{}", found.text);
        assert!(found.text.chars().count() <= EXCERPT_CHARS);
        assert!(found.fitted(20).contains("needle"), "{}", found.fitted(20));
        let gone = excerpt("aB3dE5fG7", &format!("token={token}")).unwrap();
        assert!(!gone.text.contains("aB3dE5fG7"), "{}", gone.text);
    }
}
