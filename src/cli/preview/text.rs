//! Spans and attributes as text, redactions marked.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::cli::view::redaction_marks;
use crate::cli::view::terminal::{Style, Terminal};
use crate::cli::view::text::local;
use crate::otel::attribute;
use crate::text::printable;
use crate::time::{Timestamp, lasted};

/// Writes a span: its name, ids and times, then what it holds.
pub fn span(out: &mut String, terminal: Terminal, span: &Span) {
    let hex = |id: &[u8]| crate::otel::ids::hex(id);
    let parent = match span.parent_span_id.as_slice() {
        [] => "no parent".to_owned(),
        parent => format!("parent {}", hex(parent)),
    };
    let at = Timestamp::from_nanos(span.start_time_unix_nano);
    let took = Timestamp::from_nanos(span.end_time_unix_nano).since(at);
    terminal.paint_into(out, Style::Strong, &printable(&span.name));
    let ids = format!("  trace {}, span {}, {parent}", hex(&span.trace_id), hex(&span.span_id));
    terminal.paint_into(out, Style::Quiet, &ids);
    out.push('\n');
    let when = format!("  {}, {}", local(at, "%Y-%m-%d %H:%M:%S"), lasted(took));
    terminal.paint_into(out, Style::Quiet, &when);
    out.push('\n');
    attributes(out, terminal, span.attributes.iter());
    if let Some(status) = span.status.as_ref().filter(|s| !s.message.is_empty()) {
        terminal.paint_into(out, Style::Bad, "  status ");
        redaction_marks::paint(out, terminal, &status.message, "         ");
    }
    for event in &span.events {
        terminal.paint_into(out, Style::Bad, &format!("  event {}\n", printable(&event.name)));
        attributes(out, terminal, event.attributes.iter());
    }
}

/// Writes attributes, one a line.
pub fn attributes<'a>(out: &mut String, terminal: Terminal, list: impl Iterator<Item = &'a KeyValue>) {
    for attribute in list {
        terminal.paint_into(out, Style::Tool, &format!("  {}", printable(&attribute.key)));
        out.push_str(" = ");
        let value = attribute.value.as_ref().map(text_of).unwrap_or_default();
        redaction_marks::paint(out, terminal, &value, "    ");
    }
}

/// A value as text: strings as they are, all else as JSON.
fn text_of(value: &AnyValue) -> String {
    match attribute::json(value) {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}
