//! `logging.model_input`: what the model is given beside prompts and results, once a session and with the request that
//! was the first to have it.

use arize_codex::otel::attribute::string;
use arize_codex::otel::entry::Entry;
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

#[test]
fn later_requests_repeat_no_instructions() {
    let entries = replay("calls", "logging: {model_input: true}");
    assert_eq!(entries.len(), 2);
    let later = [&llm(&entries[0])[1..], &llm(&entries[1])].concat();
    assert!(later.len() >= 3);
    for span in later {
        assert!(!roles(span).contains(&"system".to_owned()) && schemas(span).is_empty(), "{:?}", roles(span));
    }
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
