//! A trace as Markdown, to be pasted into an issue or a review. Its texts went through the redactor when it was stored.

use opentelemetry_proto::tonic::trace::v1::Span;
use std::fmt::Write;

use super::text::{first_line, local};
use super::tree::{self, Node};
use crate::cli::selection::Trace;
use crate::otel::attribute::string;
use crate::time::lasted;

/// Returns a turn: what was asked, what was done, what was answered.
///
/// # Errors
/// When its files cannot be read.
pub fn of_trace(trace: &Trace) -> anyhow::Result<String> {
    let (head, summary, spans) = (trace.head(), trace.summary(), trace.spans()?);
    let mut out = format!("## {}\n\n", inline(&format!("{}: {}", summary.name, first_line(&summary.prompt))));
    let about = [
        Some(local(head.started_at, "%Y-%m-%d %H:%M")),
        Some(format!("{} in {}", summary.status, lasted(trace.ended_at().since(head.started_at)))),
        summary.model.clone(),
        summary.branch.clone(),
        Some(format!("session {}", trace.thread)),
    ];
    let _ = writeln!(
        out,
        "{}\n",
        about.into_iter().flatten().map(|t| inline(&t)).collect::<Vec<_>>().join(" · ")
    );
    let root = spans.first();
    let text = |key| root.and_then(|span| string(span, key));
    section(&mut out, "Prompt", text("input.value"));
    steps(&mut out, &spans);
    section(&mut out, "Answer", text("output.value"));
    Ok(out)
}

fn section(out: &mut String, title: &str, text: Option<&str>) {
    if let Some(text) = text.filter(|t| !t.trim().is_empty()) {
        let _ = write!(out, "### {title}\n\n{}\n", fenced(text));
    }
}

/// The calls as a list, nested as they were made, with the reason of each that failed.
fn steps(out: &mut String, spans: &[Span]) {
    let nodes = tree::build(spans);
    let steps: Vec<&Node> = nodes.iter().filter(|node| node.depth > 0).collect();
    if steps.is_empty() {
        return;
    }
    out.push_str("### Steps\n\n");
    for node in steps {
        let indent = "  ".repeat(node.depth.saturating_sub(1));
        let took = lasted(node.lasted());
        let about = first_line(&node.about);
        let about = if about.is_empty() { String::new() } else { format!(" {}", code(&about)) };
        let _ = write!(out, "{indent}- **{}**{about} {took}", inline(&node.name));
        match &node.error {
            Some(error) => {
                let _ = writeln!(out, " ✗ {}", inline(&first_line(error)));
            }
            None => out.push('\n'),
        }
    }
    out.push('\n');
}

/// Text on one line in which nothing is markup.
fn inline(text: &str) -> String {
    let special = |c: char| "\\`*_[]<>#|~&".contains(c);
    let mut out = String::with_capacity(text.len());
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if special(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out.trim_end().to_owned()
}

/// A code span whose marks are longer than any inside it.
fn code(text: &str) -> String {
    let marks = "`".repeat(longest_run(text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{marks}{space}{text}{space}{marks}")
}

/// A block whose fence is longer than any inside it.
fn fenced(text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    format!("{fence}text\n{}\n{fence}\n", text.trim_end())
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_texts_stays_text() {
        assert_eq!(inline("a <b> *c* \u{1b}[31m"), "a \\<b\\> \\*c\\*  \\[31m");
        assert_eq!(code("a `b` c"), "``a `b` c``");
        assert_eq!(code("`b`"), "`` `b` ``");
        assert_eq!(fenced("x\n```\ny\n"), "````text\nx\n```\ny\n````\n");
    }
}
