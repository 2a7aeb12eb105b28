//! The GenAI convention of OpenTelemetry, made from a finished OpenInference span as it goes to a backend.
//!
//! Content becomes an attribute in one place, `otel::spans::attributes`; by the time it comes here it has been
//! withheld, scrubbed and cut, so no rule about content is repeated. Entries on disk hold OpenInference alone: a turn
//! that is sent to another backend later speaks that backend's convention. A long text is cut inside the messages,
//! which stay JSON.
//!
//! Names: github.com/open-telemetry/semantic-conventions-genai. `gen_ai.response.model` is left out: Phoenix makes an
//! output of it where a span has none.

pub(super) mod messages;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use crate::otel::attribute::{number, string};
use crate::otel::entry::Head;
use crate::settings::SemanticConventions;

/// Translates the spans of one entry.
#[derive(Debug, Clone)]
pub struct Translator {
    conventions: SemanticConventions,
    agent: String,
}

/// What a span of OpenInference stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Chat,
    InvokeAgent,
    ExecuteTool,
}

impl Translator {
    /// A translator for the spans of the entry `head`.
    pub fn new(conventions: SemanticConventions, head: &Head) -> Translator {
        let is_subagent = head.key.thread != head.root_thread;
        let name = head.summary.name.strip_prefix("Agent ").filter(|_| is_subagent);
        let agent = name.unwrap_or(MAIN_AGENT).trim_end_matches(" (continued)").to_owned();
        Translator { conventions, agent }
    }

    /// Adds the GenAI attributes, and drops those of OpenInference where they are not wanted.
    pub fn apply(&self, span: &mut Span) {
        if self.conventions == SemanticConventions::OpenInference {
            return;
        }
        let operation = Operation::of(span);
        if let Some(operation) = operation {
            let added = Translation::of(span, operation, &self.agent);
            if operation == Operation::Chat {
                span.kind = SpanKind::Client as i32;
            }
            span.attributes.extend(added);
        }
        if self.conventions == SemanticConventions::GenAi {
            span.attributes.retain(|a| !is_translated(&a.key, operation));
        }
    }
}

impl Operation {
    fn of(span: &Span) -> Option<Operation> {
        match string(span, "openinference.span.kind")? {
            "LLM" => Some(Operation::Chat),
            "AGENT" => Some(Operation::InvokeAgent),
            "TOOL" => Some(Operation::ExecuteTool),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Operation::Chat => "chat",
            Operation::InvokeAgent => "invoke_agent",
            Operation::ExecuteTool => "execute_tool",
        }
    }
}

/// The attributes that one span gains.
struct Translation<'a> {
    span: &'a Span,
    added: Vec<KeyValue>,
}

impl Translation<'_> {
    fn of(span: &Span, operation: Operation, agent: &str) -> Vec<KeyValue> {
        let mut out = Translation { span, added: Vec::with_capacity(16) };
        out.text("gen_ai.operation.name", operation.name());
        out.text("gen_ai.agent.name", agent);
        out.copy("gen_ai.conversation.id", "session.id");
        match operation {
            Operation::Chat => out.chat(),
            Operation::InvokeAgent => out.agent(),
            Operation::ExecuteTool => out.tool(),
        }
        out.error();
        out.added
    }

    fn chat(&mut self) {
        let provider = string(self.span, "llm.provider").or_else(|| string(self.span, "llm.system"));
        self.text("gen_ai.provider.name", provider.unwrap_or(PROVIDER));
        self.copy("gen_ai.request.model", "llm.model_name");
        for (own, theirs) in USAGE {
            if let Some(count) = number(self.span, theirs) {
                self.push(own, Any::IntValue(count));
            }
        }
        self.messages();
        let tools = messages::tool_definitions(&self.span.attributes);
        if let Some(tools) = tools {
            self.text("gen_ai.tool.definitions", &tools);
        }
        if let Some(reason) = self.finish_reason() {
            let reason = AnyValue { value: Some(Any::StringValue(reason.to_owned())) };
            self.push("gen_ai.response.finish_reasons", Any::ArrayValue(ArrayValue { values: vec![reason] }));
        }
    }

    fn agent(&mut self) {
        self.text("gen_ai.provider.name", PROVIDER);
        self.copy("gen_ai.agent.id", "codex.agent.id");
        if !self.added.iter().any(|a| a.key == "gen_ai.agent.id") {
            self.copy("gen_ai.agent.id", "codex.thread_id");
        }
        self.messages();
    }

    fn tool(&mut self) {
        self.copy("gen_ai.tool.name", "tool.name");
        self.text("gen_ai.tool.type", "function");
        self.copy("gen_ai.tool.call.id", "tool.id");
        self.copy("gen_ai.tool.call.arguments", "tool.parameters");
        self.copy("gen_ai.tool.call.result", "output.value");
    }

    fn messages(&mut self) {
        let attributes = &self.span.attributes;
        let input = messages::to_json(attributes, "llm.input_messages.", None);
        let output = messages::to_json(attributes, "llm.output_messages.", self.finish_reason());
        for (key, messages) in [("gen_ai.input.messages", input), ("gen_ai.output.messages", output)] {
            if let Some(messages) = messages {
                self.text(key, &messages);
            }
        }
    }

    /// Why the model stopped writing, as far as the span shows it; `None` where it wrote nothing that is known.
    fn finish_reason(&self) -> Option<&'static str> {
        let wrote = |part: &str| {
            self.span.attributes.iter().any(|a| a.key.starts_with(OUTPUT) && a.key.contains(part))
        };
        match () {
            () if self.failed() => Some("error"),
            () if wrote(".tool_calls.") => Some("tool_call"),
            () if wrote("") => Some("stop"),
            () => None,
        }
    }

    fn failed(&self) -> bool {
        self.span.status.as_ref().is_some_and(|s| s.code == StatusCode::Error as i32)
    }

    fn error(&mut self) {
        if !self.failed() {
            return;
        }
        let attributes = self.span.events.iter().flat_map(|e| &e.attributes);
        let kind = attributes.filter(|a| a.key == "exception.type").find_map(|a| a.value.as_ref());
        match kind.and_then(|v| v.value.clone()) {
            Some(kind) => self.push("error.type", kind),
            None => self.text("error.type", "_OTHER"),
        }
    }

    fn copy(&mut self, own: &str, theirs: &str) {
        if let Some(text) = string(self.span, theirs) {
            self.text(own, text);
        }
    }

    fn text(&mut self, key: &str, value: &str) {
        self.push(key, Any::StringValue(value.to_owned()));
    }

    /// Adds an attribute, but for one that the user has set: it replaces none of theirs.
    fn push(&mut self, key: &str, value: Any) {
        if !self.span.attributes.iter().any(|a| a.key == key) {
            let value = Some(AnyValue { value: Some(value) });
            self.added.push(KeyValue { key: key.to_owned(), value, ..KeyValue::default() });
        }
    }
}

/// Returns whether an attribute of OpenInference has been said in the other convention.
fn is_translated(key: &str, operation: Option<Operation>) -> bool {
    let said = operation.is_some() && SAID.iter().any(|prefix| key.starts_with(prefix));
    said || key == "openinference.span.kind"
}

const USAGE: [(&str, &str); 6] = [
    ("gen_ai.usage.input_tokens", "llm.token_count.prompt"),
    ("gen_ai.usage.output_tokens", "llm.token_count.completion"),
    ("gen_ai.usage.cache_read.input_tokens", "llm.token_count.prompt_details.cache_read"),
    ("gen_ai.usage.cache_creation.input_tokens", "llm.token_count.prompt_details.cache_write"),
    ("gen_ai.usage.cache_write.input_tokens", "llm.token_count.prompt_details.cache_write"),
    ("gen_ai.usage.reasoning.output_tokens", "llm.token_count.completion_details.reasoning"),
];
/// Beginnings of the names that have a counterpart.
const SAID: [&str; 14] = [
    "llm.input_messages.",
    OUTPUT,
    "llm.token_count.",
    "llm.tools.",
    "llm.model_name",
    "llm.provider",
    "llm.system",
    "input.",
    "output.",
    "tool.name",
    "tool.id",
    "tool.parameters",
    "tool_call.id",
    "agent.name",
];
const OUTPUT: &str = "llm.output_messages.";
const MAIN_AGENT: &str = "codex";
const PROVIDER: &str = "openai";

#[cfg(test)]
mod tests;
