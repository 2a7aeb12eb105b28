//! A plain tree of spans in text: what a dry run and `demo` print.

use opentelemetry_proto::tonic::trace::v1::Span;
use std::fmt::Write;
use std::time::Duration;

use super::attribute::{number, string};
use super::span_tree::{branches, lead};
use crate::text::{first_chars, printable};
use crate::time::lasted;

/// The spans as an indented tree, one line each: name, kind, duration, tokens, what went wrong.
pub fn tree(spans: &[Span]) -> String {
    let mut out = String::new();
    for branch in branches(spans) {
        let _ = writeln!(out, "{}{}", lead(&branch.last), line(&spans[branch.span]));
    }
    out
}

fn line(span: &Span) -> String {
    let mut line =
        format!("{}  {}", printable(&span.name), string(span, "openinference.span.kind").unwrap_or("SPAN"));
    let took = Duration::from_nanos(span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano));
    let _ = write!(line, "  {}", lasted(took));
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
        let shown = first_chars(&said, MAX_SAID_CHARS);
        let more = if shown.len() < said.len() { "…" } else { "" };
        let _ = write!(line, "  | {shown}{more}");
    }
    line
}

const ERROR: i32 = opentelemetry_proto::tonic::trace::v1::status::StatusCode::Error as i32;
const MAX_SAID_CHARS: usize = 60;
