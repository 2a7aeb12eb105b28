//! `logging.model_input`: what the model is given beside prompts and results, and all that was said before,
//! with each request.

use arize_codex::otel::attribute::string;
use arize_codex::otel::entry::Entry;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::replay::fixture;

#[test]
fn first_request_has_instructions_and_tools() {
    for tree in ["turn", "calls"] {
        let entries = replay(tree, "logging: {model_input: true}");
        let first = llm(&entries[0])[0];
        let roles = roles(first);
        assert_eq!(roles[0], "system", "{tree} {roles:?}");
        assert_eq!(roles.last().map(String::as_str), Some("user"), "{tree}");
        assert!(roles.iter().filter(|role| *role == "developer").count() >= 2, "{tree} {roles:?}");
        let said = content(first, roles.len() - 1);
        assert_eq!((said, roles.iter().filter(|role| *role == "user").count()), ("first", 2), "{tree}");
        assert!(content(first, 0).starts_with("You are Codex"), "{tree}");
        let tools: Vec<String> = schemas(first)
            .iter()
            .map(|schema| serde_json::from_str::<serde_json::Value>(schema).unwrap()["name"].to_string())
            .collect();
        assert!(tools.contains(&"\"exec\"".to_owned()), "{tree} {tools:?}");
    }
}

/// A backend can make any request again: each span has what the request had.
#[test]
fn later_requests_hold_the_whole_conversation() {
    let entries = replay("calls", "logging: {model_input: true}");
    assert_eq!(entries.len(), 2);
    let given = llm(&entries[0])[0];
    let (instructions, tools) = (roles(given), schemas(given));
    let said = [
        ("user", "first"),
        ("assistant", ""),
        ("tool", "Script completed"),
        ("assistant", "first answer"),
        ("user", "second"),
        ("assistant", ""),
        ("tool", "Script completed"),
    ];
    let spans = [llm(&entries[0])[0], llm(&entries[0])[1], llm(&entries[1])[0], llm(&entries[1])[1]];
    for (span, length) in spans.into_iter().zip([1, 3, 5, 7]) {
        let roles = roles(span);
        let from = instructions.len() - 1;
        assert_eq!(roles[..from], instructions[..from]);
        assert_eq!(roles.len(), from + length, "{roles:?}");
        for (n, (role, text)) in said[..length].iter().enumerate() {
            let at = from + n;
            assert_eq!(roles[at], *role);
            assert!(content(span, at).starts_with(text), "{at}: {}", content(span, at));
        }
        assert_eq!(schemas(span), tools);
        let reasoned = if length == 1 { vec![] } else { vec!["reasoning"] };
        assert_eq!(list(span, "codex.model_input.lacks"), reasoned, "what the model reasoned is encrypted");
    }
    let asked = "llm.input_messages.7.message.tool_calls.0.tool_call";
    assert_eq!(string(spans[1], &format!("{asked}.id")), Some("call_0_0"));
    assert_eq!(string(spans[1], &format!("{asked}.function.name")), Some("exec"));
    assert_eq!(string(spans[1], "llm.input_messages.8.message.tool_call_id"), Some("call_0_0"));
}

/// A compaction gives the conversation a new beginning; where the beginning is not known, the span says so.
#[test]
fn compacted_request_begins_with_what_was_kept() {
    let config = "harnesses: {codex: {target: local, export_mode: sync, logging: {model_input: true}}}\n";
    let spans = |scenario: &str| {
        let mut entries =
            fixture("0.171.0", scenario).unwrap().replay_under(config, "calls", &mut |_| {}).entries;
        entries.sort_by_key(|entry| entry.head.started_at);
        entries
    };
    let compacted = spans("default-compaction");
    let last = *llm(&compacted[0]).last().unwrap();
    let texts: Vec<&str> = (0..roles(last).len()).map(|n| content(last, n)).collect();
    assert!(texts.last().unwrap().contains("SUMMARY of the work"), "{texts:?}");
    assert!(texts.contains(&"compact me"), "{texts:?}");
    assert!(!roles(last).contains(&"tool".to_owned()), "the summary stands for it");
    assert!(!schemas(last).is_empty());
    let forked = spans("fork");
    let fork = forked
        .iter()
        .flat_map(llm)
        .find(|span| (0..roles(span).len()).any(|n| content(span, n) == "in the fork"));
    let fork = fork.unwrap();
    // The place in the other file does not hold in a recording, whose texts were shortened.
    assert_eq!(list(fork, "codex.model_input.lacks"), ["history", "tools"]);
}

#[test]
fn model_input_is_off_unless_asked_and_withheld_with_prompts() {
    for (config, said) in
        [("verbose: false", None), ("logging: {model_input: true, prompts: false}", Some("<redacted ("))]
    {
        for tree in ["turn", "calls"] {
            let entries = replay(tree, config);
            let first = llm(&entries[0])[0];
            let system = roles(first).iter().position(|role| role == "system");
            assert_eq!(system.is_some(), said.is_some(), "{config} {tree}");
            let withheld = |text: &str| said.is_some_and(|said| text.starts_with(said));
            assert!(system.is_none_or(|n| withheld(content(first, n))), "{config} {tree}");
            assert!(schemas(first).iter().all(|schema| !schema.contains("exec")), "{config} {tree}");
        }
    }
}

fn replay(tree: &str, config: &str) -> Vec<Entry> {
    let config = format!("harnesses: {{codex: {{target: local, export_mode: sync, {config}}}}}\n");
    let recording = fixture("0.171.0", "default-resume").unwrap();
    let mut entries = recording.replay_under(&config, tree, &mut |_| {}).entries;
    entries.sort_by_key(|entry| entry.head.started_at);
    entries
}

fn llm(entry: &Entry) -> Vec<&Span> {
    entry.spans.iter().filter(|span| string(span, "openinference.span.kind") == Some("LLM")).collect()
}

fn roles(span: &Span) -> Vec<String> {
    let role = |n: usize| string(span, &format!("llm.input_messages.{n}.message.role")).map(str::to_owned);
    (0..).map_while(role).collect()
}

fn content(span: &Span, n: usize) -> &str {
    string(span, &format!("llm.input_messages.{n}.message.content")).unwrap_or_default()
}

fn schemas(span: &Span) -> Vec<&str> {
    (0..).map_while(|n| string(span, &format!("llm.tools.{n}.tool.json_schema"))).collect()
}

fn list(span: &Span, key: &str) -> Vec<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    let value = found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref());
    let Some(Any::ArrayValue(values)) = value else { return Vec::new() };
    let text = |value: &AnyValue| match &value.value {
        Some(Any::StringValue(text)) => text.clone(),
        _ => String::new(),
    };
    values.values.iter().map(text).collect()
}
