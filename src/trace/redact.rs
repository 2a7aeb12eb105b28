//! What may be written at all: the logging switches, secrets, lengths. The one place where content is withheld.
//!
//! Hooks ask before they write state and rows, the span builder before it makes an attribute. Everything here may
//! be applied twice without harm.

use std::borrow::Cow;

use crate::codex::shorten::{cut, split_mark};
use crate::settings::{Logging, Profile};

/// What a text is, which decides the switch that governs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Prompts, answers, reasoning.
    Prompt,
    /// What a tool was asked to do.
    ToolDetail,
    /// What a tool returned.
    ToolContent,
    /// Names, paths of folders, settings.
    Plain,
}

/// Withholds, scrubs and cuts texts as the person's settings say.
pub struct Redactor {
    logging: Logging,
    limit: usize,
}

impl Redactor {
    pub fn new(profile: &Profile) -> Redactor {
        Redactor { logging: profile.logging, limit: profile.max_value_bytes }
    }

    /// For hooks: the switches and the limit alone.
    pub fn of_switches(logging: Logging, limit: usize) -> Redactor {
        Redactor { logging, limit }
    }

    /// The longest text that is written whole, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether texts of a class may be recorded.
    pub fn shows(&self, class: Class) -> bool {
        match class {
            Class::Prompt => self.logging.prompts,
            Class::ToolDetail => self.logging.tool_details,
            Class::ToolContent => self.logging.tool_content,
            Class::Plain => true,
        }
    }

    /// The text as it may be written.
    pub fn text<'a>(&self, class: Class, text: &'a str) -> Cow<'a, str> {
        if !self.shows(class) {
            return withheld(text);
        }
        cut(text, self.limit)
    }

    /// A JSON text as it may be kept in a row: withheld whole, or as it is when it is not too long.
    pub fn json(&self, class: Class, json: &str) -> Cow<'_, str> {
        if !self.shows(class) {
            let inner = serde_json::from_str::<String>(json);
            let shown = inner.as_deref().unwrap_or(json);
            return Cow::Owned(quoted(&withheld(shown)));
        }
        if json.len() <= self.limit {
            return Cow::Owned(json.to_owned());
        }
        let mut shortener = crate::codex::shorten::Shortener::new(self.limit);
        shortener.push(json.as_bytes());
        let short = shortener.finish().and_then(|bytes| String::from_utf8(bytes).ok());
        Cow::Owned(short.unwrap_or_else(|| quoted(&cut(json, self.limit))))
    }
}

/// The placeholder of a withheld text, which keeps its length in characters.
fn withheld(text: &str) -> Cow<'_, str> {
    let placeholder = text
        .strip_prefix("<redacted (")
        .and_then(|rest| rest.strip_suffix(" chars)>"))
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    if text.is_empty() || placeholder {
        return Cow::Borrowed(text);
    }
    let (kept, total) = split_mark(text);
    let chars = kept.chars().count() as u64 + (total - kept.len() as u64);
    Cow::Owned(format!("<redacted ({chars} chars)>"))
}

/// A text as a JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(shown: bool, limit: usize) -> Redactor {
        Redactor::of_switches(Logging { prompts: shown, tool_details: shown, tool_content: shown }, limit)
    }

    #[test]
    fn a_withheld_text_keeps_its_length_and_nothing_else() {
        let off = redactor(false, 100);
        assert_eq!(off.text(Class::Prompt, "pässword"), "<redacted (8 chars)>");
        assert_eq!(off.text(Class::Prompt, "<redacted (8 chars)>"), "<redacted (8 chars)>");
        assert_eq!(off.text(Class::ToolContent, "abc… [cut: 7 of 10 bytes]"), "<redacted (10 chars)>");
        assert_eq!(off.text(Class::Plain, "name"), "name");
        assert_eq!(off.json(Class::ToolDetail, r#"{"command":"ls"}"#), r#""<redacted (16 chars)>""#);
        assert_eq!(off.json(Class::ToolDetail, r#""ls""#), r#""<redacted (2 chars)>""#);
    }

    #[test]
    fn long_json_stays_json() {
        let on = redactor(true, 100);
        let long = format!(r#"{{"command":"{}","n":1}}"#, "x".repeat(1000));
        let short = on.json(Class::ToolDetail, &long).into_owned();
        let value: serde_json::Value = serde_json::from_str(&short).unwrap();
        assert!(value["command"].as_str().unwrap().ends_with("of 1000 bytes]") && value["n"] == 1);
    }
}
