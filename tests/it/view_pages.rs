//! Writes the pages that tests/page/run opens in a real browser: a turn of 20,000 spans whose texts try to run, and
//! a recorded session with subagents.

use std::path::PathBuf;

use arize_codex::delivery::outbox;
use arize_codex::ids::{ThreadId, TurnId};
use arize_codex::otel::entry::{Entry, EntryKey, Head, Summary};
use arize_codex::time::Timestamp;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use crate::export_outcomes::Home;
use crate::replay::{Recording, recordings};

#[test]
#[ignore = "for tests/page/run, which names the folder in PAGES"]
fn pages_for_the_browser() {
    let folder = PathBuf::from(std::env::var("PAGES").expect("PAGES"));
    let home = Home::new("target: local");
    assert!(outbox::put(home.paths(), &large_turn(20_000)).unwrap());
    show(&home.context, &[], &folder.join("large.html"));
    let home = Home::new("target: local");
    assert!(outbox::put(home.paths(), &told_turn()).unwrap());
    show(&home.context, &[], &folder.join("told.html"));
    let wanted = ["codex-0.169.0/subagents-parallel", "codex-0.169.0/approvals"];
    for recording in
        recordings().iter().map(|f| Recording::load(f)).filter(|r| wanted.contains(&r.name.as_str()))
    {
        let home = tempfile::tempdir().unwrap();
        let context = recording.context(home.path(), "calls");
        let entries = recording.replay_in(&context).entries;
        let thread = entries[0].head.root_thread.to_string();
        let name = recording.name.rsplit('/').next().unwrap().to_owned();
        show(&context, &[&thread], &folder.join(format!("{name}.html")));
    }
}

fn show(context: &arize_codex::context::Context, what: &[&str], page: &std::path::Path) {
    let home = context.var("HOME").unwrap();
    let mut args = vec!["arize-codex", "show"];
    args.extend(what);
    args.extend(["--html", page.to_str().unwrap()]);
    let args = args.into_iter().map(Into::into).collect();
    let context =
        arize_codex::context::Context::given(args, std::collections::BTreeMap::from([("HOME".into(), home)]));
    assert_eq!(arize_codex::run(&context), 0);
}

/// A turn whose tools printed everything that has ever made a page run a stranger's text.
pub fn large_turn(spans: u64) -> Entry {
    let key = EntryKey {
        turn: TurnId::parse("01a20338-12bb-7000-8000-000000000001").unwrap(),
        thread: ThreadId::parse("01a20338-12a8-7000-8000-000000000000").unwrap(),
        part: 0,
    };
    let start = Timestamp::from_millis(1_795_350_336_000);
    let end = start.plus(std::time::Duration::from_secs(3600));
    let summary = Summary {
        name: "Turn 1".into(),
        prompt: "<img src=x onerror=window.ran=1> port the parser to the new grammar".into(),
        model: Some("gpt-5.5".into()),
        cwd: Some("/home/dev/parser".into()),
        status: "completed".into(),
        tool_calls: spans - 1,
        ..Summary::default()
    };
    let head = Head {
        root_thread: key.thread.clone(),
        root_turn: key.turn.clone(),
        key,
        project_name: "codex".into(),
        backend_rule: None,
        started_at: start,
        ended_at: end,
        summary,
    };
    let id = |n: u64| (n + 1).to_be_bytes().to_vec();
    let step = 3_600_000_000_000 / spans;
    let span = |n: u64| {
        let model = n.is_multiple_of(3);
        let failed = n % 97 == 5;
        let parent = if n == 0 { Vec::new() } else { id(if n % 50 < 25 { 0 } else { n - n % 50 + 1 }) };
        let hostile = HOSTILE[n as usize % HOSTILE.len()];
        let mut attributes = vec![
            text("openinference.span.kind", if model { "LLM" } else { "TOOL" }),
            text("session.id", "01a20338-12a8-7000-8000-000000000000"),
            text("input.value", &format!("{{\"command\":\"cargo test case_{n} # {hostile}\"}}")),
            text("output.value", &format!("{hostile}\n{}", "running 1 test ... ok\n".repeat(20))),
            text("tool_call.id", &format!("call_{n}")),
        ];
        if model {
            attributes.push(text("llm.model_name", "gpt-5.5"));
            for (key, count) in [("prompt", 1000), ("completion", 50), ("total", 1050)] {
                let value = Some(AnyValue { value: Some(Value::IntValue(count)) });
                let key = format!("llm.token_count.{key}");
                attributes.push(KeyValue { key, value, ..KeyValue::default() });
            }
        }
        let status = Status { code: if failed { 2 } else { 1 }, message: hostile.to_owned() };
        Span {
            trace_id: vec![7; 16],
            span_id: id(n),
            parent_span_id: parent,
            name: if n == 0 {
                "Turn 1".into()
            } else if model {
                format!("Model call {n}")
            } else {
                "Bash".into()
            },
            start_time_unix_nano: start.as_nanos() + n * step,
            end_time_unix_nano: if n == 0 { end.as_nanos() } else { start.as_nanos() + (n + 1) * step },
            attributes,
            status: Some(status),
            ..Span::default()
        }
    };
    Entry { head, spans: (0..spans).map(span).collect() }
}

/// A small turn with one call of each kind that the page shows in its own way.
fn told_turn() -> Entry {
    let mut entry = large_turn(6);
    let patch = "*** Begin Patch\n*** Update File: src/<img src=x onerror=window.ran=1>.rs\n@@ fn main()\n same\n-old <script>window.ran=1</script>\n+new\n+newer\n*** Add File: b.rs\n+one\n*** Delete File: gone.rs\n*** End Patch";
    let command =
        r#"{"cmd": "cargo test --workspace", "workdir": "/home/dev/parser", "yield_time_ms": 1000}"#;
    let printed = "Chunk ID: f87c05\nWall time: 0.0213 seconds\nProcess exited with code 0\nOriginal token count: 3\nOutput:\nall 7 tests pass\n";
    let picture = r#"[{"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="}]"#;
    let parent = |n: u64| if n == 0 { Vec::new() } else { (n + 1).to_be_bytes().to_vec() };
    for (at, name, input, output, below) in [
        (
            1,
            "apply_patch",
            serde_json::json!({"input": patch}).to_string(),
            "Exit code: 0\nWall time: 0 seconds\nOutput:\nSuccess.",
            0,
        ),
        (2, "exec", r#"{"input": "await tools.exec_command()"}"#.to_owned(), "done", 0),
        (3, "exec_command", command.to_owned(), printed, 2),
        (4, "view_image", r#"{"path": "a.png"}"#.to_owned(), picture, 0),
    ] {
        let span = &mut entry.spans[at];
        span.name = name.into();
        span.status = Some(Status { code: 1, message: String::new() });
        span.parent_span_id = if below == 0 {
            parent(0u64).into_iter().chain(1u64.to_be_bytes()).collect()
        } else {
            parent(below)
        };
        span.attributes = vec![
            text("openinference.span.kind", "TOOL"),
            text("input.value", &input),
            text("output.value", output),
        ];
    }
    // The longest is not the first.
    entry.spans[4].end_time_unix_nano = entry.spans[4].start_time_unix_nano + 1_200_000_000_000;
    let number = |key: &str, value| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    };
    for (part, ms) in [
        ("model", 1_200_000),
        ("tools", 600_000),
        ("approvals", 60_000),
        ("hooks", 9000),
        ("compaction", 30_000),
    ] {
        entry.spans[0].attributes.push(number(&format!("codex.time.{part}_ms"), Value::IntValue(ms)));
    }
    entry.spans[0].attributes.push(number("llm.cost.total", Value::DoubleValue(1.25)));
    entry.spans[0].attributes.push(number("codex.cost.unknown_calls", Value::IntValue(1)));
    entry
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

const HOSTILE: [&str; 6] = [
    "</script><script>window.ran=1</script>",
    "<img src=x onerror=window.ran=1>",
    "<!--<script>window.ran=1//",
    "javascript:window.ran=1",
    "\" onmouseover=\"window.ran=1",
    "%DATA% %SCRIPT% \u{2028}\u{202e}\u{0}",
];

#[test]
#[ignore = "for tests/page/run, which names the home in OPEN_HOME"]
fn turns_for_the_open_page() {
    let home = std::env::var("OPEN_HOME").expect("OPEN_HOME");
    let vars = std::collections::BTreeMap::from([("HOME".to_owned(), home)]);
    let context = arize_codex::context::Context::given(Vec::new(), vars);
    let turns = std::env::var("OPEN_TURNS").map_or(OPEN_TURNS, |n| n.parse().unwrap());
    let spans = std::env::var("OPEN_SPANS").map_or(OPEN_SPANS, |n| n.parse().unwrap());
    for number in 0..turns {
        let mut entry = large_turn(spans);
        let id = |n: u64| format!("01a20338-12bb-7000-8000-{n:012}");
        entry.head.key.turn = TurnId::parse(&id(number)).unwrap();
        entry.head.key.thread = ThreadId::parse(&id(1_000_000 + number / 5)).unwrap();
        (entry.head.root_thread, entry.head.root_turn) =
            (entry.head.key.thread.clone(), entry.head.key.turn.clone());
        entry.head.summary.prompt = format!("<img src=x onerror=window.ran=1> number #{number}# of many");
        if number % 10 == 3 {
            entry.head.summary.status = "failed".into();
        }
        assert!(outbox::put(context.paths(), &entry).unwrap());
    }
}

/// As many as tests/page/run expects.
const OPEN_TURNS: u64 = 400;
/// Of each of them.
const OPEN_SPANS: u64 = 6;
