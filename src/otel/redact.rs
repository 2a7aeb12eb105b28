//! What may be written at all: the logging switches, secrets, lengths. The one place where content is withheld.
//!
//! Hooks ask before they write state and rows, the span builder before it makes an attribute. Everything here may
//! be applied twice without harm.

use std::borrow::Cow;

use serde_json::Value;

use crate::otel::memo::Memo;
use crate::otel::scrub::Scrubber;
use crate::settings::{Logging, Profile};
use crate::truncate::{Shortener, cut, cut_at_word, withheld};

/// Kind of a text, which decides the switch that governs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentClass {
    /// Prompts, answers, reasoning.
    Prompt,
    /// A tool's arguments.
    ToolDetail,
    /// A tool's result.
    ToolContent,
    /// Names, paths of directories, settings.
    Plain,
}

/// Withholds, scrubs and cuts texts as the user's settings say.
pub struct Redactor {
    logging: Logging,
    limit: usize,
    scrubber: Option<Scrubber>,
    memo: Memo,
}

impl Redactor {
    /// For everything that leaves the hooks: spans, lists, debug files.
    pub fn new(profile: &Profile) -> Redactor {
        let scrubber = (profile.redact_secrets || profile.redact_pii)
            .then(|| Scrubber::new(&profile.redact_patterns).with_personal_data(profile.redact_pii));
        Redactor { scrubber, ..Redactor::for_rows(profile) }
    }

    /// For what hooks keep until the turn is over: the switches and the limit alone.
    pub fn for_rows(profile: &Profile) -> Redactor {
        Redactor::of_switches(profile.logging, profile.max_value_bytes)
    }

    /// As [`Redactor::for_rows`], from the first row of a turn.
    pub fn of_switches(logging: Logging, limit: usize) -> Redactor {
        Redactor { logging, limit, scrubber: None, memo: Memo::default() }
    }

    /// The longest text that is written whole, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Returns true if texts of a class may be recorded.
    pub fn shows(&self, class: ContentClass) -> bool {
        match class {
            ContentClass::Prompt => self.logging.prompts,
            ContentClass::ToolDetail => self.logging.tool_details,
            ContentClass::ToolContent => self.logging.tool_content,
            ContentClass::Plain => true,
        }
    }

    /// The text as it may be written.
    pub fn text<'a>(&self, class: ContentClass, text: &'a str) -> Cow<'a, str> {
        if !self.shows(class) {
            return withheld(text);
        }
        if self.scrubber.is_none() {
            // A later redactor may look for secrets yet.
            return cut_at_word(text, self.limit);
        }
        match self.scrubbed(text) {
            Cow::Borrowed(text) => cut(text, self.limit),
            Cow::Owned(text) => Cow::Owned(cut(&text, self.limit).into_owned()),
        }
    }

    /// A JSON text as it may be written: withheld whole, or still JSON with its long strings cut.
    pub fn json(&self, class: ContentClass, json: &str) -> String {
        if !self.shows(class) {
            let inner = serde_json::from_str::<String>(json);
            return quoted(&withheld(inner.as_deref().unwrap_or(json)));
        }
        let json = self.scrubbed(json);
        if json.len() <= self.limit {
            return json.into_owned();
        }
        let mut shortener = Shortener::new(self.limit);
        shortener.push(json.as_bytes());
        let short = shortener.finish().and_then(|bytes| String::from_utf8(bytes).ok());
        // Numbers and brackets have no end that could be marked: what consists of them is cut as a text.
        let short = short.filter(|json| json.len() <= self.limit.saturating_mul(MAX_STRINGS));
        short.unwrap_or_else(|| quoted(&cut_at_word(&json, self.limit)))
    }

    /// A JSON value as it may be written.
    pub fn value(&self, class: ContentClass, value: Value) -> Value {
        if !self.shows(class) {
            return serde_json::from_str(&self.json(class, &value.to_string())).unwrap_or(Value::Null);
        }
        self.cut_strings(self.scrubbed_value(value))
    }

    /// Scrubs a value as one text, in which a key says what its value is.
    fn scrubbed_value(&self, value: Value) -> Value {
        let text = value.to_string();
        match self.scrubbed(&text) {
            Cow::Borrowed(_) => value,
            // A replacement can take a bracket that looked like a part of a secret. No key is worth the rest then.
            Cow::Owned(scrubbed) => serde_json::from_str(&scrubbed).unwrap_or(Value::String(scrubbed)),
        }
    }

    fn cut_strings(&self, value: Value) -> Value {
        let short = |text: &str| match &self.scrubber {
            Some(_) => cut(text, self.limit).into_owned(),
            None => cut_at_word(text, self.limit).into_owned(),
        };
        match value {
            Value::String(text) => Value::String(short(&text)),
            Value::Array(list) => list.into_iter().map(|v| self.cut_strings(v)).collect(),
            Value::Object(map) => map.into_iter().map(|(k, v)| (short(&k), self.cut_strings(v))).collect(),
            other => other,
        }
    }

    fn scrubbed<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.scrubber.as_ref().map_or(Cow::Borrowed(text), |s| self.memo.scrubbed(text, |text| s.scrub(text)))
    }
}

/// Number of full-length texts a JSON value may hold and still be shown as JSON. One alone takes six times
/// its length when each of its characters is escaped, and its mark.
const MAX_STRINGS: usize = 8;

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
    fn withheld_text_keeps_only_its_length() {
        let off = redactor(false, 100);
        assert_eq!(off.text(ContentClass::Prompt, "pässword"), "<redacted (8 chars)>");
        assert_eq!(off.text(ContentClass::Prompt, "<redacted (8 chars)>"), "<redacted (8 chars)>");
        assert_eq!(off.text(ContentClass::ToolContent, "abc… [cut: 7 of 10 bytes]"), "<redacted (10 chars)>");
        assert_eq!(off.text(ContentClass::Plain, "name"), "name");
        assert_eq!(off.json(ContentClass::ToolDetail, r#"{"command":"ls"}"#), r#""<redacted (16 chars)>""#);
        assert_eq!(off.json(ContentClass::ToolDetail, r#""ls""#), r#""<redacted (2 chars)>""#);
    }

    #[test]
    fn key_says_what_its_value_is() {
        let scrubbing = Redactor { scrubber: Some(Scrubber::new(&[])), ..redactor(true, 100) };
        let secret = ["hunt", "er42!x"].concat();
        for value in [
            serde_json::json!({"password": secret}),
            serde_json::json!({"a": [{"DB_PASSWORD": secret}]}),
            serde_json::json!({format!("postgres://app:{secret}@db/x"): 1}),
        ] {
            let out = scrubbing.value(ContentClass::ToolContent, value.clone()).to_string();
            assert!(out.contains("<secret:") && !out.contains(&secret), "{out}");
            let out = scrubbing.json(ContentClass::ToolContent, &value.to_string());
            assert!(out.contains("<secret:") && !out.contains(&secret), "{out}");
        }
    }

    #[test]
    fn value_cut_once_tells_its_first_length_though_secrets_went() {
        let scrubbing = Redactor { scrubber: Some(Scrubber::new(&[])), ..redactor(true, 300) };
        let text = format!("mysql -u root -phunter42 shop {}", "word ".repeat(2000));
        let first = redactor(true, 1000).text(ContentClass::ToolContent, &text).into_owned();
        let again = scrubbing.text(ContentClass::ToolContent, &first).into_owned();
        assert!(
            again.contains("<secret:password>") && again.ends_with(&format!("of {} bytes]", text.len())),
            "{again}"
        );
        assert_eq!(scrubbing.text(ContentClass::ToolContent, &again), again);
    }

    #[test]
    fn a_list_without_end_is_cut_as_well() {
        let on = redactor(true, 100);
        let short = on.json(ContentClass::ToolContent, &format!("[{}0]", "0, ".repeat(1000)));
        assert!(short.len() < 200 && serde_json::from_str::<String>(&short).is_ok(), "{short}");
        assert_eq!(on.json(ContentClass::ToolContent, &short), short);
    }

    #[test]
    fn long_json_stays_json() {
        let on = redactor(true, 100);
        let long = format!(r#"{{"command":"{}","n":1}}"#, "x".repeat(1000));
        let short = on.json(ContentClass::ToolDetail, &long);
        let value: serde_json::Value = serde_json::from_str(&short).unwrap();
        assert!(value["command"].as_str().unwrap().ends_with("of 1000 bytes]") && value["n"] == 1);
    }

    #[test]
    fn value_is_withheld_whole_or_cut_inside() {
        let long = "x".repeat(300);
        let value = serde_json::json!({ "a": [long, 7], "b": null });
        let shown = redactor(true, 100).value(ContentClass::ToolContent, value.clone());
        assert!(shown["a"][0].as_str().unwrap().ends_with("of 300 bytes]"), "{shown}");
        assert_eq!((&shown["a"][1], &shown["b"]), (&7.into(), &Value::Null));
        let length = value.to_string().chars().count();
        let withheld = redactor(false, 100).value(ContentClass::ToolContent, value);
        assert_eq!(withheld, Value::from(format!("<redacted ({length} chars)>")));
        assert_eq!(redactor(true, 100).limit(), 100);
    }
}
