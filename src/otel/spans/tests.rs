//! One turn made by hand, as both trees: kinds, parents, times, statuses, and what each switch withholds.

use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use crate::codex::payload::Usage;
use crate::ids::{ThreadId, TurnId};
use crate::otel::prices::Prices;
use crate::otel::spans::build;
use crate::otel::testing;
use crate::settings::{Profile, SpanTree};
use crate::time::Timestamp;
use crate::turn::shelf::{Scratch, Shelf};
use crate::turn::{
    About, Agent, AgentParent, Compaction, Decision, Message, MessageRole, ModelCall, Origin, Output,
    Permission, Status, ToolCall, Turn,
};

fn profile(tree: SpanTree) -> Profile {
    let home = tempfile::tempdir().unwrap();
    Profile { span_tree: tree, ..testing::settings(home.path(), "target: local").profile }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + ms)
}

fn thread(name: &str) -> ThreadId {
    ThreadId::parse(name).unwrap()
}

fn turn_id(name: &str) -> TurnId {
    TurnId::parse(name).unwrap()
}

fn said(role: MessageRole, text: &str, call_id: Option<&str>) -> Message {
    Message { role, text: text.into(), images: Vec::new(), call_id: call_id.map(str::to_owned) }
}

fn call(id: &str, started: i64, ended: i64, input: Vec<Message>, output: Vec<Output>) -> ModelCall {
    let usage = Usage { input_tokens: 100, output_tokens: 10, total_tokens: 110, ..Usage::default() };
    ModelCall {
        id: id.into(),
        started: at(started),
        ended: at(ended),
        input,
        output,
        usage: Some(usage),
        ..ModelCall::default()
    }
}

fn tool(key: &str, parent: Option<&str>, started: i64, ended: i64) -> ToolCall {
    ToolCall {
        key: key.into(),
        call_id: key.into(),
        parent: parent.map(str::to_owned),
        name: "Bash".into(),
        model_name: None,
        script: None,
        mcp: None,
        arguments: r#"{"cmd":"make"}"#.into(),
        output: Some("two words".into()),
        progress: Vec::new(),
        images: Vec::new(),
        started: at(started),
        ended: at(ended),
        exit_code: Some(0),
        error: None,
        permission: None,
        changes: Vec::new(),
    }
}

/// Two responses, a call that fails and the nested one it made, and a compaction.
fn turn() -> Turn {
    let failing = ToolCall {
        error: Some("exit code 2".into()),
        exit_code: Some(2),
        permission: Some(Permission {
            decision: Decision::Approved,
            decided_by: "user".into(),
            wait: Some(Duration::from_millis(7)),
            reason: None,
        }),
        ..tool("c1", None, 300, 500)
    };
    Turn {
        thread: thread("thread"),
        turn: turn_id("turn"),
        part: 0,
        root_thread: thread("thread"),
        root_turn: turn_id("turn"),
        traceparent: None,
        number: Some(3),
        started: at(0),
        ended: at(900),
        status: Status::Completed,
        blocked: false,
        inputs: vec![said(MessageRole::User, "please build", None)],
        before: None,
        answer: Some("it failed".into()),
        about: About { model: Some("gpt-5.5".into()), ..About::default() },
        calls: Shelf::from_iter([
            call(
                "r1",
                100,
                250,
                vec![said(MessageRole::User, "please build", None)],
                vec![Output::Tool("c1".into())],
            ),
            call(
                "r2",
                600,
                800,
                vec![said(MessageRole::Tool, "", Some("c1"))],
                vec![Output::Text("it failed".into())],
            ),
        ]),
        tools: Shelf::from_iter([failing, tool("exec-1", Some("c1"), 350, 450)]),
        compactions: vec![Compaction {
            started: at(520),
            ended: at(560),
            trigger: Some("auto".into()),
            tokens_before: Some(9000),
            tokens_after: None,
            summary: None,
        }],
        usage: Some(Usage { input_tokens: 200, output_tokens: 20, total_tokens: 220, ..Usage::default() }),
        usage_source: None,
        agent: None,
        origin: Origin::Hooks,
        differences: Vec::new(),
        scratch: Scratch::default(),
    }
}

fn spans(turn: Turn, tree: SpanTree) -> Vec<Span> {
    build(turn, &profile(tree), &Prices::built_in()).spans
}

fn text(span: &Span, key: &str) -> Option<String> {
    let value = span.attributes.iter().find(|a| a.key == key)?.value.clone()?.value?;
    Some(match value {
        Any::StringValue(text) => text,
        Any::IntValue(number) => number.to_string(),
        Any::DoubleValue(number) => format!("{number:.6}"),
        other => format!("{other:?}"),
    })
}

/// Each span as `kind name parent start-end status`, times in milliseconds of the turn.
fn outline(spans: &[Span]) -> Vec<String> {
    let name_of =
        |id: &[u8]| spans.iter().find(|s| s.span_id == id).map_or_else(|| "-".to_owned(), |s| s.name.clone());
    let ms = |nanos: u64| nanos / 1_000_000 - 1_000_000;
    let line = |s: &Span| {
        let failed = s.status.as_ref().is_some_and(|s| s.code == StatusCode::Error as i32);
        let (kind, parent) = (text(s, "openinference.span.kind").unwrap(), name_of(&s.parent_span_id));
        let times = (ms(s.start_time_unix_nano), ms(s.end_time_unix_nano));
        let status = if failed { "ERROR" } else { "OK" };
        format!("{kind} {} < {parent} {}-{} {status}", s.name, times.0, times.1)
    };
    spans.iter().map(line).collect()
}

#[test]
fn calls_tree_has_a_span_a_response() {
    let spans = spans(turn(), SpanTree::Calls);
    assert_eq!(
        outline(&spans),
        [
            "AGENT Turn 3 < - 0-900 OK",
            "LLM Model call 1 < Turn 3 100-250 OK",
            "TOOL Bash < Turn 3 300-500 ERROR",
            "TOOL Bash < Bash 350-450 OK",
            "CHAIN Compaction < Turn 3 520-560 OK",
            "LLM Model call 2 < Turn 3 600-800 OK",
        ]
    );
    let tokens = |span: &Span| text(span, "llm.token_count.total");
    assert_eq!([&spans[0], &spans[1], &spans[5]].map(tokens), [None, Some("110".into()), Some("110".into())]);
    assert_eq!(text(&spans[5], "llm.input_messages.0.message.content").as_deref(), Some("two words"));
    assert_eq!(text(&spans[5], "llm.input_messages.0.message.tool_call_id").as_deref(), Some("c1"));
}

#[test]
fn turn_tree_counts_tokens_once() {
    let spans = spans(turn(), SpanTree::Turn);
    assert_eq!(
        outline(&spans),
        [
            "LLM Turn 3 < - 0-900 OK",
            "TOOL Bash < Turn 3 300-500 ERROR",
            "TOOL Bash < Bash 350-450 OK",
            "CHAIN Compaction < Turn 3 520-560 OK",
        ]
    );
    let counted: Vec<_> = spans.iter().filter_map(|span| text(span, "llm.token_count.total")).collect();
    assert_eq!(counted, ["220"]);
    let (input, output) = (text(&spans[0], "input.value"), text(&spans[0], "output.value"));
    assert_eq!((input.as_deref(), output.as_deref()), (Some("please build"), Some("it failed")));
}

#[test]
fn trees_agree_on_cost() {
    let cost = |tree| -> f64 {
        spans(turn(), tree)
            .iter()
            .filter_map(|s| text(s, "llm.cost.total"))
            .map(|c| c.parse::<f64>().unwrap())
            .sum()
    };
    assert!(cost(SpanTree::Turn) > 0.0);
    assert!((cost(SpanTree::Turn) - cost(SpanTree::Calls)).abs() < 1e-6);
}

#[test]
fn failed_tool_has_its_exception() {
    let spans = spans(turn(), SpanTree::Turn);
    let failed = &spans[1];
    assert_eq!(failed.status.as_ref().unwrap().message, "exit code 2");
    let event = &failed.events[0];
    assert_eq!((event.name.as_str(), event.time_unix_nano), ("exception", failed.end_time_unix_nano));
    assert_eq!(text(failed, "codex.permission.decision").as_deref(), Some("approved"));
    assert_eq!(text(failed, "codex.permission.wait_ms").as_deref(), Some("7"));
    assert_eq!(text(&spans[2], "codex.permission.decision").as_deref(), Some("none"));
    assert!(spans[2].events.is_empty());
}

#[test]
fn failed_call_without_a_result_says_why_and_its_turn_has_no_answer() {
    let silent = ToolCall { output: None, images: Vec::new(), ..turn().tools.at(0).clone() };
    let failed = Status::Failed { message: "overloaded".into() };
    let turn = Turn { status: failed, answer: None, tools: Shelf::from_iter([silent]), ..turn() };
    let spans = spans(turn, SpanTree::Calls);
    let of = |kind: &str| spans.iter().find(|s| text(s, "openinference.span.kind").as_deref() == Some(kind));
    assert_eq!(text(of("TOOL").unwrap(), "output.value").as_deref(), Some("exit code 2"));
    assert_eq!(text(of("AGENT").unwrap(), "output.value"), None);
}

#[test]
fn end_of_turn_is_its_status() {
    for (status, kind) in [
        (Status::Failed { message: "overloaded".into() }, "TurnFailed"),
        (Status::Interrupted { reason: "overloaded".into() }, "TurnInterrupted"),
    ] {
        let spans = spans(Turn { status, ..turn() }, SpanTree::Turn);
        let root = &spans[0];
        assert_eq!(root.status.as_ref().unwrap().message, "overloaded");
        let shown = root.events[0].attributes[0].value.clone().unwrap().value.unwrap();
        assert_eq!(shown, Any::StringValue(kind.into()));
    }
    for status in [Status::Completed, Status::Running] {
        let spans = spans(Turn { status, ..turn() }, SpanTree::Turn);
        assert_eq!(spans[0].status.as_ref().unwrap().code, StatusCode::Ok as i32);
    }
}

#[test]
fn subagent_hangs_below_its_call() {
    let parent = AgentParent { thread: thread("thread"), turn: turn_id("turn"), call_id: Some("c1".into()) };
    let agent = Agent { nickname: Some("Ada".into()), parent: Some(parent), ..Agent::default() };
    let child = Turn {
        thread: thread("child"),
        turn: turn_id("its-turn"),
        agent: Some(agent),
        number: None,
        ..turn()
    };
    let (own, theirs) = (spans(turn(), SpanTree::Turn), spans(child, SpanTree::Turn));
    assert_eq!(theirs[0].name, "Agent Ada");
    assert_eq!(theirs[0].trace_id, own[0].trace_id);
    assert_eq!(theirs[0].parent_span_id, own[1].span_id);
    assert_eq!(outline(&theirs)[1], "LLM Model < Agent Ada 100-800 OK", "one span for its responses");
    let ids = |spans: &[Span]| spans.iter().map(|s| s.span_id.clone()).collect::<Vec<_>>();
    assert!(ids(&own).iter().all(|id| !ids(&theirs).contains(id)));
}

#[test]
fn continued_turn_hangs_below_its_first_part() {
    let first = spans(turn(), SpanTree::Calls);
    let second = spans(Turn { part: 1, ..turn() }, SpanTree::Calls);
    assert_eq!(second[0].name, "Turn 3 (continued)");
    assert_eq!(second[0].parent_span_id, first[0].span_id);
    assert_ne!(second[0].span_id, first[0].span_id);
}

#[test]
fn traceparent_makes_turn_a_child() {
    let outer = format!("00-{}-{}-01", "ab".repeat(16), "cd".repeat(8));
    let spans = spans(Turn { traceparent: Some(outer), ..turn() }, SpanTree::Turn);
    assert!(spans.iter().all(|span| span.trace_id == [0xab; 16]));
    assert_eq!(spans[0].parent_span_id, [0xcd; 8]);
    assert_eq!(spans[1].parent_span_id, spans[0].span_id);
}

#[test]
fn switches_withhold_their_content() {
    let everything = |profile: &Profile| {
        let entry = build(turn(), profile, &Prices::built_in());
        format!("{:?}", entry)
    };
    let shown = profile(SpanTree::Calls);
    for (content, switch) in [
        ("please build", (|p: &mut Profile| p.logging.prompts = false) as fn(&mut Profile)),
        ("it failed", |p| p.logging.prompts = false),
        ("make", |p| p.logging.tool_details = false),
        ("two words", |p| p.logging.tool_content = false),
    ] {
        let mut withheld = shown.clone();
        switch(&mut withheld);
        assert!(everything(&shown).contains(content));
        assert!(!everything(&withheld).contains(content), "{content}");
    }
}

#[test]
fn error_text_is_under_the_prompt_switch() {
    let failed = || Turn { status: Status::Failed { message: "bad prompt: xyzzy".into() }, ..turn() };
    let mut profile = profile(SpanTree::Calls);
    for (prompts, content, seen) in [(true, true, true), (false, true, false), (true, false, false)] {
        (profile.logging.prompts, profile.logging.tool_content) = (prompts, content);
        let entry = build(failed(), &profile, &Prices::built_in());
        assert_eq!(format!("{entry:?}").contains("xyzzy"), seen, "{prompts} {content}");
    }
}

#[test]
fn error_in_json_is_told_in_its_words() {
    let table = [
        (r#"{"error": {"message": "bad request", "type": "x", "code": null}}"#, "bad request"),
        (r#"{"error": "bad"}"#, r#"{"error": "bad"}"#),
        ("{not json", "{not json"),
        ("exit code 2", "exit code 2"),
    ];
    for (message, words) in table {
        let failed = Turn { status: Status::Failed { message: message.to_owned() }, ..turn() };
        let spans = spans(failed, SpanTree::Turn);
        assert_eq!(spans[0].status.as_ref().unwrap().message, words);
        let reported = spans[0].events[0].attributes[1].value.clone().unwrap().value.unwrap();
        assert_eq!(reported, Any::StringValue(words.into()));
    }
}
