//! What spans are called where they are sent: a backend's list of traces shows names and little else.
//!
//! A turn is called `Turn 3: first words of the prompt`, so that a user recognises it, and `Turn 3` where prompts are
//! not recorded. Collectors lead to backends that show no status, so the names of failed calls say it there.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use crate::otel::attribute::string;
use crate::otel::entry::Head;
use crate::settings::{Settings, Target};
use crate::text::{first_chars, printable};
use crate::truncate::withheld;

/// Names the spans of one entry.
#[derive(Debug, Clone)]
pub struct Names {
    /// What the turn's own span is called in the entry, and to the backend.
    turn: Option<(String, String)>,
    marks_failures: bool,
}

impl Names {
    /// The names that `settings` want for the spans of the entry `head`.
    pub fn new(settings: &Settings, head: &Head) -> Names {
        let stored = &head.summary.name;
        let is_turn = stored.starts_with(TURN) && head.key.thread == head.root_thread;
        let words = Some(first_words(&head.summary.prompt))
            .filter(|words| is_turn && settings.profile.logging.prompts && !words.is_empty());
        let turn = words.map(|words| (stored.clone(), format!("{stored}: {words}")));
        Names { turn, marks_failures: settings.target == Some(Target::Otlp) }
    }

    /// Gives a span its name.
    pub fn apply(&self, span: &mut Span) {
        if let Some((stored, shown)) = &self.turn
            && span.name == *stored
        {
            span.name.clone_from(shown);
            return;
        }
        let failed = || span.status.as_ref().is_some_and(|s| s.code == StatusCode::Error as i32);
        let is_call = || matches!(string(span, "openinference.span.kind"), Some("TOOL" | "LLM"));
        if self.marks_failures && failed() && is_call() && !span.name.starts_with(TURN) {
            span.name.push_str(FAILED);
        }
    }
}

/// The first words of a prompt that was scrubbed and may be shown; empty for one that was withheld.
fn first_words(prompt: &str) -> String {
    if withheld(prompt) == prompt {
        return String::new();
    }
    let line = printable(prompt);
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = first_chars(&line, MAX_CHARS);
    if shown == line {
        return line;
    }
    let whole_words = shown.rfind(' ').filter(|at| *at > 0).unwrap_or(shown.len());
    format!("{}…", &shown[..whole_words])
}

const TURN: &str = "Turn";
const FAILED: &str = " (failed)";
/// With the mark of a cut, 60.
const MAX_CHARS: usize = 59;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otel::testing::{entry, settings, span};
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
    use opentelemetry_proto::tonic::trace::v1::Status;

    #[test]
    fn prompt_becomes_a_line_of_whole_words() {
        let long = "fix the parser so that it accepts empty documents and also comments";
        let table = [
            ("fix it", "fix it"),
            ("  a\tb\u{7}c  ", "a b c"),
            ("", ""),
            ("<redacted (8 chars)>", ""),
            (long, "fix the parser so that it accepts empty documents and also…"),
        ];
        for (prompt, words) in table {
            assert_eq!(first_words(prompt), words, "{prompt}");
        }
        let word = first_words(&"ä".repeat(100));
        assert_eq!((word.chars().count(), word.ends_with('…')), (60, true));
        assert!(first_words(long).chars().count() <= 60);
    }

    #[test]
    fn turn_is_named_by_its_prompt_where_prompts_are_recorded() {
        let home = tempfile::tempdir().unwrap();
        let mut head = entry("turn", 1).head;
        head.summary.prompt = "fix it".to_owned();
        let named = |yaml: &str, head: &Head| {
            let mut root = span(1, 1);
            root.name = head.summary.name.clone();
            Names::new(&settings(home.path(), yaml), head).apply(&mut root);
            root.name
        };
        assert_eq!(named("target: phoenix", &head), "Turn 1: fix it");
        assert_eq!(named("target: phoenix, logging: {prompts: false}", &head), "Turn 1");
        head.root_thread = crate::ids::ThreadId::parse("root").unwrap();
        head.summary.name = "Agent a".to_owned();
        assert_eq!(named("target: phoenix", &head), "Agent a");
    }

    #[test]
    fn failed_call_says_so_where_names_are_all_that_is_shown() {
        let home = tempfile::tempdir().unwrap();
        let head = entry("turn", 1).head;
        let value = Some(AnyValue { value: Some(Value::StringValue("TOOL".into())) });
        let kind = KeyValue { key: "openinference.span.kind".into(), value, ..KeyValue::default() };
        let mut tool = span(1, 1);
        tool.attributes.push(kind);
        tool.status = Some(Status { code: StatusCode::Error as i32, message: String::new() });
        for (yaml, name) in [("target: phoenix", "span 1"), ("target: otlp, endpoint: c", "span 1 (failed)")]
        {
            let mut tool = tool.clone();
            Names::new(&settings(home.path(), yaml), &head).apply(&mut tool);
            assert_eq!(tool.name, name);
        }
    }
}
