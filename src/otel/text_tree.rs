//! A plain tree of spans in text: what a dry run and `demo` print.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::fmt::Write;
use std::time::Duration;

/// The spans as an indented tree, one line each: name, kind, duration, tokens, what went wrong.
pub fn tree(spans: &[Span]) -> String {
    let mut out = String::new();
    let known = |id: &[u8]| spans.iter().any(|s| s.span_id == id);
    for root in spans.iter().filter(|s| !known(&s.parent_span_id)) {
        branch(&mut out, spans, root, &mut Vec::new(), 0);
    }
    out
}

/// Writes a span and what hangs from it. `last` says of each level above whether it was the last of its siblings.
fn branch(out: &mut String, spans: &[Span], span: &Span, last: &mut Vec<bool>, depth: usize) {
    for (level, is_last) in last.iter().enumerate() {
        out.push_str(match (level + 1 == last.len(), is_last) {
            (true, true) => "└─ ",
            (true, false) => "├─ ",
            (false, true) => "   ",
            (false, false) => "│  ",
        });
    }
    let _ = writeln!(out, "{}", line(span));
    // Ids come from hashes, so a cycle means a file that is not ours.
    if depth >= MAX_DEPTH {
        return;
    }
    let children: Vec<&Span> =
        spans.iter().filter(|s| s.parent_span_id == span.span_id && s.span_id != span.span_id).collect();
    for (n, child) in children.iter().enumerate() {
        last.push(n + 1 == children.len());
        branch(out, spans, child, last, depth + 1);
        last.pop();
    }
}

fn line(span: &Span) -> String {
    let mut line =
        format!("{}  {}", printable(&span.name), string(span, "openinference.span.kind").unwrap_or("SPAN"));
    let lasted = Duration::from_nanos(span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano));
    let _ = write!(line, "  {}", seconds(lasted));
    if let (Some(read), Some(written)) =
        (number(span, "llm.token_count.prompt"), number(span, "llm.token_count.completion"))
    {
        let _ = write!(line, "  {read} in, {written} out");
    }
    if let Some(status) = span.status.as_ref().filter(|s| s.code == ERROR) {
        let message = status.message.lines().next().unwrap_or_default();
        let _ = write!(line, "  ERROR {}", printable(message));
    }
    let said = string(span, "input.value").and_then(|v| v.lines().find(|l| !l.trim().is_empty()));
    if let Some(said) = said {
        let said = printable(said);
        let end = said.char_indices().nth(MAX_SAID_CHARS).map_or(said.len(), |(at, _)| at);
        let more = if end < said.len() { "…" } else { "" };
        let _ = write!(line, "  | {}{more}", &said[..end]);
    }
    line
}

/// A duration as a user reads it.
pub fn seconds(duration: Duration) -> String {
    match duration.as_millis() {
        0..=999 => format!("{} ms", duration.as_millis()),
        1_000..=59_999 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{} min {:02} s", duration.as_secs() / 60, duration.as_secs() % 60),
    }
}

/// A text without control characters, which could drive a terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_bidi_control(c) { ' ' } else { c }).collect()
}

/// Returns true if a character reorders the text around it (Unicode, UAX #9).
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text attribute of a span.
pub fn string<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    match value(span, key)? {
        Any::StringValue(text) => Some(text),
        _ => None,
    }
}

/// A whole-number attribute of a span.
pub fn number(span: &Span, key: &str) -> Option<i64> {
    match value(span, key)? {
        Any::IntValue(number) => Some(*number),
        _ => None,
    }
}

fn value<'a>(span: &'a Span, key: &str) -> Option<&'a Any> {
    span.attributes.iter().find(|a| a.key == key)?.value.as_ref()?.value.as_ref()
}

const ERROR: i32 = opentelemetry_proto::tonic::trace::v1::status::StatusCode::Error as i32;
const MAX_DEPTH: usize = 64;
const MAX_SAID_CHARS: usize = 60;
