//! What each kind of span says in the other convention.

use super::*;
use crate::ids::ThreadId;
use crate::otel::testing::entry;
use opentelemetry_proto::tonic::trace::v1::Status;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use serde_json::{Value, json};

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn span(kind: &str, texts: &[(&str, &str)]) -> Span {
    let mut attributes = vec![attribute("openinference.span.kind", Any::StringValue(kind.to_owned()))];
    attributes.extend(texts.iter().map(|(k, v)| attribute(k, Any::StringValue((*v).to_owned()))));
    Span { attributes, kind: SpanKind::Internal as i32, ..Span::default() }
}

fn translated(span: &Span, conventions: SemanticConventions) -> Span {
    let mut span = span.clone();
    Translator::new(conventions, &entry("turn", 1).head).apply(&mut span);
    span
}

fn json_of(span: &Span, key: &str) -> Value {
    serde_json::from_str(string(span, key).unwrap_or_else(|| panic!("{key}"))).unwrap()
}

const CHAT: &[(&str, &str)] = &[
    ("session.id", "s"),
    ("llm.model_name", "gpt-5.5"),
    ("llm.system", "openai"),
    ("llm.input_messages.0.message.role", "user"),
    ("llm.input_messages.0.message.content", "look"),
    ("llm.input_messages.1.message.role", "tool"),
    ("llm.input_messages.1.message.tool_call_id", "call-0"),
    ("llm.input_messages.1.message.content", "three files"),
    ("llm.input_messages.10.message.role", "user"),
    ("llm.input_messages.10.message.contents.0.message_content.type", "text"),
    ("llm.input_messages.10.message.contents.0.message_content.text", "and this"),
    ("llm.input_messages.10.message.contents.1.message_content.type", "image"),
    (
        "llm.input_messages.10.message.contents.1.message_content.image.image.url",
        "data:image/png;base64,AAAA",
    ),
    ("llm.output_messages.0.message.role", "assistant"),
    ("llm.output_messages.0.message.contents.0.message_content.type", "reasoning"),
    ("llm.output_messages.0.message.contents.0.message_content.text", "hm"),
    ("llm.output_messages.0.message.tool_calls.0.tool_call.id", "call-1"),
    ("llm.output_messages.0.message.tool_calls.0.tool_call.function.name", "Bash"),
    ("llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments", r#"{"command":"ls"}"#),
    ("llm.tools.0.tool.json_schema", r#"{"name":"Bash"}"#),
];

#[test]
fn llm_span_says_model_and_messages() {
    let chat = translated(&span("LLM", CHAT), SemanticConventions::Both);
    let plain = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.conversation.id", "s"),
        ("gen_ai.agent.name", "codex"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "gpt-5.5"),
    ];
    for (key, value) in plain {
        assert_eq!(string(&chat, key), Some(value), "{key}");
    }
    assert_eq!(chat.kind, SpanKind::Client as i32);
    let input = json!([
        {"role": "user", "parts": [{"type": "text", "content": "look"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call-0", "response": "three files"}]},
        {"role": "user", "parts": [
            {"type": "text", "content": "and this"},
            {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"},
        ]},
    ]);
    assert_eq!(json_of(&chat, "gen_ai.input.messages"), input);
    let output = json!([{"role": "assistant", "finish_reason": "tool_call", "parts": [
        {"type": "reasoning", "content": "hm"},
        {"type": "tool_call", "id": "call-1", "name": "Bash", "arguments": {"command": "ls"}},
    ]}]);
    assert_eq!(json_of(&chat, "gen_ai.output.messages"), output);
    assert_eq!(json_of(&chat, "gen_ai.tool.definitions"), json!([{"name": "Bash"}]));
    assert!(string(&chat, "llm.model_name").is_some() && string(&chat, "gen_ai.response.model").is_none());
}

#[test]
fn usage_keeps_every_count() {
    let mut chat = span("LLM", &[]);
    for (n, (_, theirs)) in USAGE.iter().enumerate() {
        chat.attributes.retain(|a| a.key != *theirs);
        chat.attributes.push(attribute(theirs, Any::IntValue(n as i64)));
    }
    let chat = translated(&chat, SemanticConventions::GenAi);
    for (own, theirs) in USAGE {
        assert!(number(&chat, own).is_some(), "{own}");
        assert_eq!(number(&chat, theirs), None, "{theirs}");
    }
    assert_eq!(number(&chat, "gen_ai.usage.cache_write.input_tokens"), Some(4));
}

#[test]
fn agent_has_neither_model_nor_usage() {
    let mut agent = span("AGENT", CHAT);
    agent.attributes.push(attribute("llm.token_count.prompt", Any::IntValue(5)));
    agent.attributes.push(attribute("codex.thread_id", Any::StringValue("t".into())));
    let agent = translated(&agent, SemanticConventions::Both);
    assert_eq!(string(&agent, "gen_ai.operation.name"), Some("invoke_agent"));
    assert_eq!(string(&agent, "gen_ai.agent.id"), Some("t"));
    assert_eq!(string(&agent, "gen_ai.request.model"), None);
    assert_eq!(number(&agent, "gen_ai.usage.input_tokens"), None);
    assert!(string(&agent, "gen_ai.input.messages").is_some());
    assert_eq!(agent.kind, SpanKind::Internal as i32);
}

#[test]
fn failed_tool_names_its_error() {
    let texts = [("tool.name", "Bash"), ("tool.id", "c"), ("tool.parameters", "{}"), ("output.value", "no")];
    let mut tool = span("TOOL", &texts);
    tool.status = Some(Status { code: StatusCode::Error as i32, message: "exit code 1".into() });
    let event = attribute("exception.type", Any::StringValue("ToolError".into()));
    tool.events = vec![Event { attributes: vec![event], ..Event::default() }];
    let tool = translated(&tool, SemanticConventions::GenAi);
    let expected = [
        ("gen_ai.operation.name", "execute_tool"),
        ("gen_ai.tool.name", "Bash"),
        ("gen_ai.tool.type", "function"),
        ("gen_ai.tool.call.id", "c"),
        ("gen_ai.tool.call.arguments", "{}"),
        ("gen_ai.tool.call.result", "no"),
        ("error.type", "ToolError"),
    ];
    for (key, value) in expected {
        assert_eq!(string(&tool, key), Some(value), "{key}");
    }
    assert!(tool.attributes.iter().all(|a| !a.key.starts_with("tool.") && !a.key.starts_with("output.")));
}

#[test]
fn openinference_alone_changes_nothing() {
    let chat = span("LLM", CHAT);
    assert_eq!(translated(&chat, SemanticConventions::OpenInference), chat);
}

#[test]
fn chain_keeps_what_has_no_other_name() {
    let chain = translated(&span("CHAIN", &[("output.value", "summary")]), SemanticConventions::GenAi);
    assert_eq!(string(&chain, "output.value"), Some("summary"));
    assert_eq!(chain.attributes.len(), 1);
}

#[test]
fn users_own_attribute_is_not_replaced() {
    let chat = span("LLM", &[("gen_ai.provider.name", "mine"), ("llm.system", "openai")]);
    let chat = translated(&chat, SemanticConventions::Both);
    let all: Vec<_> = chat.attributes.iter().filter(|a| a.key == "gen_ai.provider.name").collect();
    assert_eq!((all.len(), string(&chat, "gen_ai.provider.name")), (1, Some("mine")));
}

#[test]
fn subagent_is_called_by_its_name() {
    let mut head = entry("turn", 1).head;
    head.root_thread = ThreadId::parse("root").unwrap();
    head.summary.name = "Agent reviewer (continued)".to_owned();
    let mut tool = span("TOOL", &[]);
    Translator::new(SemanticConventions::Both, &head).apply(&mut tool);
    assert_eq!(string(&tool, "gen_ai.agent.name"), Some("reviewer"));
}
