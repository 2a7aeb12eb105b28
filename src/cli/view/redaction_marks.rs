//! The marks that redaction leaves behind: what was withheld, scrubbed or cut.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use regex::Regex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::terminal::{Style, Terminal};
use crate::text::printable;

/// Number of redaction marks by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedactionCounts {
    pub withheld: u64,
    pub cut: u64,
    /// By the kind of secret.
    pub secrets: BTreeMap<String, u64>,
}

/// The marks in all texts of a request.
pub fn count(request: &ExportTraceServiceRequest) -> RedactionCounts {
    let mut marks = RedactionCounts::default();
    for span in request.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans) {
        let events = span.events.iter().flat_map(|e| &e.attributes);
        span.attributes.iter().chain(events).for_each(|a| marks.look(a));
        marks.look_at(span.status.as_ref().map_or("", |s| &s.message));
    }
    marks
}

impl RedactionCounts {
    fn look(&mut self, attribute: &KeyValue) {
        let mut values: Vec<&AnyValue> = attribute.value.iter().collect();
        while let Some(value) = values.pop() {
            match &value.value {
                Some(Any::StringValue(text)) => self.look_at(text),
                Some(Any::ArrayValue(list)) => values.extend(&list.values),
                _ => {}
            }
        }
    }

    fn look_at(&mut self, text: &str) {
        for mark in MARK.captures_iter(text) {
            match mark.get(1) {
                Some(kind) => *self.secrets.entry(kind.as_str().to_owned()).or_default() += 1,
                None if mark[0].starts_with('<') => self.withheld += 1,
                None => self.cut += 1,
            }
        }
    }

    /// Adds others.
    pub fn merge(&mut self, other: &RedactionCounts) {
        self.withheld += other.withheld;
        self.cut += other.cut;
        for (kind, count) in &other.secrets {
            *self.secrets.entry(kind.clone()).or_default() += count;
        }
    }

    /// The counts as a sentence.
    pub fn in_words(&self) -> String {
        let kinds: Vec<String> = self.secrets.iter().map(|(kind, n)| format!("{n} × {kind}")).collect();
        let scrubbed: u64 = self.secrets.values().sum();
        let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
        format!(
            "{} texts withheld, {scrubbed} secrets scrubbed{kinds}, {} texts cut",
            self.withheld, self.cut
        )
    }

    /// The counts for programs.
    pub fn as_json(&self) -> Value {
        json!({ "withheld": self.withheld, "cut": self.cut, "secrets": self.secrets })
    }
}

/// Appends a text line by line, its marks in a colour of their own; lines after the first are set in.
pub fn paint(out: &mut String, terminal: Terminal, text: &str, indent: &str) {
    for (n, line) in text.split('\n').enumerate() {
        if n > 0 {
            out.push_str(indent);
        }
        let line = printable(line);
        let mut at = 0;
        for mark in MARK.find_iter(&line) {
            out.push_str(&line[at..mark.start()]);
            terminal.paint_into(out, Style::Waiting, mark.as_str());
            at = mark.end();
        }
        out.push_str(&line[at..]);
        out.push('\n');
    }
}

/// A pattern of ours is valid; were it not, nothing would be marked.
static MARK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"<redacted \(\d+ chars\)>|<secret:([a-z0-9_-]+)>|… \[cut: \d+ of \d+ bytes\]")
        .unwrap_or_else(|_| unreachable!("a constant pattern"))
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_counted_and_coloured() {
        let text = "a <secret:github-token> b <secret:aws> <redacted (12 chars)>\nx… [cut: 7 of 10 bytes]";
        let mut marks = RedactionCounts::default();
        marks.look_at(text);
        assert_eq!(
            marks.in_words(),
            "1 texts withheld, 2 secrets scrubbed (1 × aws, 1 × github-token), 1 texts cut"
        );
        let terminal = Terminal { width: 80, height: None, colour: true };
        let mut out = String::new();
        paint(&mut out, terminal, text, "  ");
        assert!(out.contains("a \u{1b}[33m<secret:github-token>\u{1b}[0m b"), "{out}");
        assert!(out.ends_with("\n  x\u{1b}[33m… [cut: 7 of 10 bytes]\u{1b}[0m\n"), "{out}");
    }
}
