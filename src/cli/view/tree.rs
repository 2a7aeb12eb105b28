//! Spans of one or more traces as a tree, in the order in which a user reads them.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use std::time::Duration;

use super::text::first_line;
use crate::otel::attribute::{number, string};
use crate::otel::span_tree::{Branch, branches};
use crate::text::printable;

/// A span and its place in the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its place among the spans it was made from.
    pub span: usize,
    pub depth: usize,
    /// For each level from 1 to its own, whether it is the last of its siblings there.
    pub last: Vec<bool>,
    pub children: usize,
    pub kind: Kind,
    pub name: String,
    /// Its subject in one line.
    pub about: String,
    pub start: u64,
    pub end: u64,
    pub tokens: Option<Tokens>,
    /// How full a call left the model's context, in per cent.
    pub context_fill: Option<u64>,
    pub error: Option<String>,
    pub permission: Option<Permission>,
}

/// OpenInference's span kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Agent,
    Llm,
    Tool,
    Chain,
    Other,
}

/// The tokens of a span; details are shares of the totals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tokens {
    #[serde(rename = "input")]
    pub prompt: u64,
    pub cached: u64,
    #[serde(rename = "output")]
    pub completion: u64,
    pub reasoning: u64,
}

/// A permission that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    pub decision: String,
    pub wait: Option<Duration>,
}

impl Node {
    /// Returns how long the span took.
    pub fn lasted(&self) -> Duration {
        Duration::from_nanos(self.end.saturating_sub(self.start))
    }
}

impl Kind {
    /// The kind as OpenInference writes it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Agent => "AGENT",
            Kind::Llm => "LLM",
            Kind::Tool => "TOOL",
            Kind::Chain => "CHAIN",
            Kind::Other => "SPAN",
        }
    }
}

impl Tokens {
    /// Returns what a span says of its tokens.
    pub fn of(span: &Span) -> Option<Tokens> {
        let count = |key: &str| number(span, key).and_then(|n| u64::try_from(n).ok());
        Some(Tokens {
            prompt: count("llm.token_count.prompt")?,
            completion: count("llm.token_count.completion")?,
            cached: count("llm.token_count.prompt_details.cache_read").unwrap_or(0),
            reasoning: count("llm.token_count.completion_details.reasoning").unwrap_or(0),
        })
    }

    /// Adds another span's tokens.
    pub fn add(&mut self, other: Tokens) {
        self.prompt += other.prompt;
        self.cached += other.cached;
        self.completion += other.completion;
        self.reasoning += other.reasoning;
    }
}

/// The tree, each span before what hangs from it, siblings by time. A span whose parent is not there is a root.
pub fn build(spans: &[Span]) -> Vec<Node> {
    branches(spans).into_iter().map(|branch| node(&spans[branch.span], branch)).collect()
}

fn node(span: &Span, branch: Branch) -> Node {
    let kind = match string(span, "openinference.span.kind") {
        Some("AGENT") => Kind::Agent,
        Some("LLM") => Kind::Llm,
        Some("TOOL") => Kind::Tool,
        Some("CHAIN") => Kind::Chain,
        _ => Kind::Other,
    };
    let failed = span.status.as_ref().filter(|s| s.code == StatusCode::Error as i32);
    Node {
        span: branch.span,
        depth: branch.last.len(),
        last: branch.last,
        children: branch.children,
        kind,
        name: printable(&span.name),
        about: about(span, kind),
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        tokens: Tokens::of(span),
        context_fill: context_fill(span),
        error: failed.map(|s| printable(s.message.trim())),
        permission: permission(span),
    }
}

fn context_fill(span: &Span) -> Option<u64> {
    let window = number(span, "codex.context_window").and_then(|n| u64::try_from(n).ok())?;
    let tokens = Tokens::of(span).filter(|_| span.name.starts_with("Model"))?;
    ((tokens.prompt + tokens.completion) * 100).checked_div(window)
}

fn permission(span: &Span) -> Option<Permission> {
    let decision = string(span, "codex.permission.decision").filter(|d| *d != "none")?;
    let wait = number(span, "codex.permission.wait_ms").and_then(|ms| u64::try_from(ms).ok());
    Some(Permission { decision: printable(decision), wait: wait.map(Duration::from_millis) })
}

/// The command, path or question of a tool; what a model answered or was asked.
fn about(span: &Span, kind: Kind) -> String {
    let (input, output) = (string(span, "input.value"), string(span, "output.value"));
    match kind {
        Kind::Tool => input.map(tool_about).unwrap_or_default(),
        Kind::Llm if span.name.starts_with("Model") => output.map(answered).unwrap_or_default(),
        _ => input.or(output).map(first_line).unwrap_or_default(),
    }
}

/// What a model answered: where it said nothing, its reasoning, or the tools it called.
fn answered(output: &str) -> String {
    let Ok(serde_json::Value::Array(messages)) = serde_json::from_str(output) else {
        return first_line(output);
    };
    let parts = || messages.iter().filter_map(|m| m["parts"].as_array()).flatten();
    let of_type = |kind: &'static str| parts().filter(move |part| part["type"] == kind);
    let said =
        ["text", "reasoning"].into_iter().flat_map(of_type).filter_map(|part| part["content"].as_str());
    let called: Vec<&str> = of_type("tool_call").filter_map(|part| part["name"].as_str()).collect();
    match said.map(first_line).find(|line| !line.is_empty()) {
        Some(line) => line,
        None if called.is_empty() => first_line(output),
        None => first_line(&format!("calls {}", called.join(", "))),
    }
}

fn tool_about(input: &str) -> String {
    let Ok(serde_json::Value::Object(arguments)) = serde_json::from_str(input) else {
        return tool_about_text(input);
    };
    let telling = ["command", "cmd", "query", "path", "task_name", "message", "prompt", "url", "input"];
    for name in telling {
        match arguments.get(name) {
            Some(serde_json::Value::String(text)) => return tool_about_text(text),
            Some(serde_json::Value::Array(parts)) => {
                let parts: Vec<&str> = parts.iter().filter_map(|p| p.as_str()).collect();
                return first_line(&parts.join(" "));
            }
            _ => {}
        }
    }
    if arguments.is_empty() { String::new() } else { first_line(input) }
}

/// The first line; of a patch the first file it touches, as its first line says nothing.
fn tool_about_text(text: &str) -> String {
    let is_patch = text.trim_start().starts_with("*** Begin");
    let mut files = text.lines().filter_map(|l| l.strip_prefix("*** ")).filter(|l| !l.starts_with("Begin"));
    first_line(files.next().filter(|_| is_patch).unwrap_or(text))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

    pub(in crate::cli::view) fn span(id: u8, parent: u8, start: u64, attributes: &[(&str, &str)]) -> Span {
        let attribute = |(key, value): &(&str, &str)| KeyValue {
            key: (*key).to_owned(),
            value: Some(AnyValue {
                value: Some(match value.parse() {
                    Ok(number) => Value::IntValue(number),
                    Err(_) => Value::StringValue((*value).to_owned()),
                }),
            }),
            ..KeyValue::default()
        };
        Span {
            span_id: vec![id; 8],
            parent_span_id: if parent == 0 { Vec::new() } else { vec![parent; 8] },
            name: format!("span {id}"),
            start_time_unix_nano: start * 1_000_000,
            end_time_unix_nano: (start + 100) * 1_000_000,
            attributes: attributes.iter().map(attribute).collect(),
            ..Span::default()
        }
    }

    #[test]
    fn spans_are_sorted_for_reading() {
        let spans = [span(4, 2, 9, &[]), span(3, 1, 7, &[]), span(1, 0, 0, &[]), span(2, 1, 5, &[])];
        let order: Vec<_> = build(&spans).into_iter().map(|n| (n.name, n.depth, n.last)).collect();
        let expected = [
            ("span 1", 0, vec![]),
            ("span 2", 1, vec![false]),
            ("span 4", 2, vec![false, true]),
            ("span 3", 1, vec![true]),
        ];
        assert_eq!(order, expected.map(|(name, depth, last)| (name.to_owned(), depth, last)));
    }

    #[test]
    fn parent_cycle_ends() {
        assert!(build(&[span(1, 2, 0, &[]), span(2, 1, 0, &[])]).is_empty());
        assert_eq!(build(&[span(1, 1, 0, &[])]).len(), 1);
    }

    #[test]
    fn model_line_is_no_json() {
        for (output, about) in [
            ("plain\nanswer", "plain"),
            (
                r#"[{"parts":[{"content":"look first","type":"reasoning"},{"name":"Bash","type":"tool_call"}]}]"#,
                "look first",
            ),
            (r#"[{"parts":[{"content":"hm","type":"reasoning"},{"content":"done","type":"text"}]}]"#, "done"),
            (
                r#"[{"parts":[{"name":"Bash","type":"tool_call"},{"name":"view","type":"tool_call"}]}]"#,
                "calls Bash, view",
            ),
            ("[1, 2]", "[1, 2]"),
        ] {
            assert_eq!(answered(output), about, "{output}");
        }
    }

    #[test]
    fn tool_line_shows_its_request() {
        for (input, about) in [
            (r#"{"command":"ls -la\nrm x"}"#, "ls -la"),
            (r#"{"command":["bash","-lc","ls"]}"#, "bash -lc ls"),
            ("*** Begin Patch\n*** Update File: a.rs\n", "Update File: a.rs"),
            (r#"{"command":"*** Begin Patch\n*** Add File: b.rs\n"}"#, "Add File: b.rs"),
            ("{}", ""),
            (r#"{"x":1}"#, r#"{"x":1}"#),
            ("free text", "free text"),
        ] {
            assert_eq!(tool_about(input), about, "{input}");
        }
    }
}
