//! The real Codex, live: what it did is what Phoenix, a gRPC collector and the archive hold.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::codex::{Codex, LATEST, RELEASES, scenario};
use crate::collector::{Answer, GrpcCollector, resource_of};
use crate::replay::{Replayed, fixture};
use arize_codex::otel::attribute::{number, string};

#[test]
#[ignore = "needs Codex and Phoenix"]
fn phoenix_shows_one_true_trace() {
    let phoenix = phoenix();
    let project = format!("tools {}", std::process::id());
    let tools = scenario("tools");
    let harness = format!("target: phoenix, endpoint: 'http://{phoenix}', project_name: '{project}'");
    let codex = Codex::new(LATEST, &tools, &harness);
    codex.run_scenario(&tools);
    codex.delivered();
    let spans = spans_in(&phoenix, &project, 6);
    check_tools_trace(&spans);
    assert!(codex.ours(&["resend", "--since", "1h"]).status.success());
    codex.delivered();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(spans_in(&phoenix, &project, 6).len(), 6, "sent twice it is still one trace");
}

fn check_tools_trace(spans: &[Value]) {
    let traces: std::collections::BTreeSet<_> =
        spans.iter().map(|s| s["context"]["trace_id"].to_string()).collect();
    assert_eq!((spans.len(), traces.len()), (6, 1), "{spans:#?}");
    let root = spans.iter().find(|s| s["parent_id"].is_null()).unwrap();
    let of = |key: &str| root["attributes"][key].clone();
    assert_eq!(root["name"], "Turn 1: look around and add a file");
    assert_eq!(root["span_kind"], "LLM");
    assert_eq!(
        (of("input.value"), of("output.value")),
        (json!("look around and add a file"), json!("All done."))
    );
    assert_eq!(of("llm.model_name"), "gpt-5.5");
    assert_eq!(of("llm.token_count.prompt"), 5010);
    assert_eq!(of("llm.token_count.completion"), 260);
    assert_eq!(of("llm.token_count.prompt_details.cache_read"), 510);
    assert_eq!(of("llm.token_count.completion_details.reasoning"), 35);
    let mut tools: Vec<(String, String)> = spans
        .iter()
        .filter(|s| s["span_kind"] == "TOOL")
        .map(|s| (s["name"].as_str().unwrap().to_owned(), s["status_code"].as_str().unwrap().to_owned()))
        .collect();
    tools.sort();
    let wanted = [
        ("Bash", "ERROR"),
        ("Bash", "OK"),
        ("apply_patch", "OK"),
        ("update_plan", "ERROR"),
        ("web_search", "OK"),
    ];
    assert_eq!(tools, wanted.map(|(n, s)| (n.to_owned(), s.to_owned())));
    let time = |s: &Value, k: &str| s[k].as_str().unwrap().to_owned();
    for span in spans.iter().filter(|s| s["span_kind"] == "TOOL") {
        assert!(time(span, "start_time") >= time(root, "start_time"), "{span:#}");
        assert!(time(span, "end_time") <= time(root, "end_time"), "{span:#}");
    }
}

#[test]
#[ignore = "needs Codex"]
fn grpc_collector_gets_arize_trace() {
    let collector = GrpcCollector::start(|_| Answer::Accept);
    let tools = scenario("tools");
    let harness = format!(
        "target: arize, endpoint: 'http://{}', api_key: the-key, space_id: the-space, project_name: mine, user_id: me",
        collector.address()
    );
    let codex = Codex::new(LATEST, &tools, &harness);
    codex.run_scenario(&tools);
    codex.delivered();
    let seen = collector.book.seen();
    let wanted = [
        ("authorization", "the-key"),
        ("api_key", "the-key"),
        ("arize-space-id", "the-space"),
        ("space_id", "the-space"),
        ("arize-interface", "otel"),
    ];
    for (name, value) in wanted {
        assert_eq!(seen[0].headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    let resource = resource_of(&seen[0].request);
    for (name, value) in [
        ("openinference.project.name", "mine"),
        ("arize.project.name", "mine"),
        ("arize.project.type", "harness"),
    ] {
        assert_eq!(resource.get(name).map(String::as_str), Some(value), "{name}");
    }
    let spans = collector.book.spans();
    assert_eq!(spans.len(), 6);
    for span in &spans {
        assert_eq!(string(span, "arize.project.name"), Some("mine"));
        assert_eq!(string(span, "user.id"), Some("me"));
    }
    let root = spans.iter().find(|s| s.parent_span_id.is_empty()).unwrap();
    assert_eq!(number(root, "llm.token_count.prompt"), Some(5010));
}

#[test]
#[ignore = "needs Codex"]
fn every_release_gives_the_same_turns() {
    let mut failures = Vec::new();
    for release in RELEASES {
        for name in
            ["chat", "tools", "parallel-tools", "unicode", "patches", "compaction", "failed-then-resumed"]
        {
            let Some(expected) = fixture(release, name) else { continue };
            for tree in ["turn", "calls"] {
                let scenario = scenario(name);
                let codex = Codex::new(release, &scenario, &format!("target: local, span_tree: {tree}"));
                codex.run_scenario(&scenario);
                let got = described(&Replayed { entries: codex.delivered() }, tree);
                let want = expected.described();
                if got != want {
                    failures.push(format!("{release} {name} ({tree}):\n  expected {want}\n  got      {got}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The turns without what differs between two runs.
fn described(replayed: &Replayed, tree: &str) -> Value {
    let turns = replayed.turns().into_iter().map(|(thread, turn)| {
        let seen = replayed.turn(&thread, &turn, tree).unwrap();
        let ok: Vec<Value> = seen.tools.as_array().unwrap().iter().map(|t| t["ok"].clone()).collect();
        json!({
            "status": seen.status, "prompts": seen.prompts, "answer": seen.answer, "tokens": seen.tokens,
            "compactions": seen.compactions, "tools": ok,
        })
    });
    Value::from(turns.collect::<Vec<_>>())
}

#[test]
#[ignore = "needs Codex and Phoenix"]
fn turn_cost_is_sum_of_call_costs() {
    let long = [150_000, 150_001, 150_002];
    let (whole, parts) = cost_of_turn(&long, "calls");
    assert!(whole > 0.0 && (whole - parts).abs() < 1e-9, "whole {whole}, parts {parts}");
    // Each call as Phoenix prices it when it is alone, far below the 272,000 tokens from which prices jump.
    let alone: f64 = long.map(|input| cost_of_turn(&[input], "calls").0).iter().sum();
    assert!((whole - alone).abs() < 1e-6, "together {whole}, each alone {alone}");
    // The same turn as one span is above them and costs more, which is what the other tree is for.
    let (as_one, _) = cost_of_turn(&long, "turn");
    assert!(as_one > whole * 1.2, "as one span {as_one}, as its calls {whole}");
}

/// What Phoenix says that a turn of calls with this many input tokens costs: the whole and the sum of its parts.
fn cost_of_turn(calls: &[u64], tree: &str) -> (f64, f64) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let phoenix = phoenix();
    let project = format!("cost {} {}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
    let call = |place: usize, input: u64| {
        let item = match place + 1 == calls.len() {
            true => json!({"message": "done"}),
            false => json!({"call": "exec_command", "args": {"cmd": "echo a"}}),
        };
        let usage = json!({"usage": {"input_tokens": input, "input_tokens_details": {"cached_tokens": 100_000},
            "output_tokens": 1000, "output_tokens_details": {"reasoning_tokens": 500}, "total_tokens": input + 1000}});
        json!([item, usage])
    };
    let model: Vec<Value> = calls.iter().enumerate().map(|(place, input)| call(place, *input)).collect();
    let scenario =
        json!({"model": model, "runs": [["exec", "a long one", "--sandbox", "danger-full-access"]]});
    let harness = format!(
        "target: phoenix, endpoint: 'http://{phoenix}', project_name: '{project}', span_tree: {tree}"
    );
    let codex = Codex::new(LATEST, &scenario, &harness);
    codex.run_scenario(&scenario);
    let sent: usize = codex.delivered().iter().map(|e| e.spans.len()).sum();
    let spans = spans_in(&phoenix, &project, sent);
    let priced = spans.iter().filter(|s| s["span_kind"] == "LLM").count();
    assert_eq!(priced, if tree == "calls" { calls.len() } else { 1 });
    costs(&phoenix, &project, priced)
}

/// The cost of the whole project and the sum of its spans' costs, once Phoenix has priced `count` spans.
pub fn costs(phoenix: &str, project: &str, count: usize) -> (f64, f64) {
    let query = "{ projects { edges { node { name costSummary { total { cost } } \
                 spans(first: 100) { edges { node { costSummary { total { cost } } } } } } } } }";
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = post(phoenix, "/graphql", &json!({ "query": query }));
        let projects = answer["data"]["projects"]["edges"].as_array().cloned().unwrap_or_default();
        let node =
            projects.iter().map(|e| &e["node"]).find(|n| n["name"] == project).cloned().unwrap_or_default();
        let whole = node["costSummary"]["total"]["cost"].as_f64().unwrap_or_default();
        let spans = node["spans"]["edges"].as_array().cloned().unwrap_or_default();
        let parts: Vec<f64> = spans
            .iter()
            .filter_map(|e| e["node"]["costSummary"]["total"]["cost"].as_f64())
            .filter(|c| *c > 0.0)
            .collect();
        if parts.len() >= count && whole > 0.0 {
            return (whole, parts.iter().sum());
        }
        assert!(Instant::now() < deadline, "no costs: {answer}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

#[test]
#[ignore = "needs Codex"]
fn ten_terminal_turns_match() {
    let name = "ten-turns";
    let scenario = scenario(name);
    let expected = fixture(LATEST, name).expect("a recording of ten turns");
    let codex = Codex::new(LATEST, &scenario, "target: local, trace_debug: true");
    for run in scenario["runs"].as_array().unwrap() {
        let args: Vec<&str> = run["tui"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
        let screen = codex.terminal(&args, run["steps"].as_array().unwrap(), true);
        println!("{screen}");
    }
    let replayed = Replayed { entries: codex.delivered() };
    let statuses = |v: &Value| -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for turn in v.as_array().unwrap() {
            *found
                .entry(format!("{} {} {}", turn["status"], turn["prompts"], turn["answer"]))
                .or_default() += 1;
        }
        found
    };
    assert_eq!(statuses(&described(&replayed, "turn")), statuses(&expected.described()));
}

#[test]
#[ignore = "needs Codex"]
fn traceparent_makes_turn_a_child() {
    let chat = scenario("chat");
    let codex = Codex::new(LATEST, &chat, "target: local")
        .env("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    codex.run_scenario(&chat);
    let entries = codex.delivered();
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(hex(&entries[0].spans[0].trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(hex(&entries[0].spans[0].parent_span_id), "00f067aa0ba902b7");
}

#[test]
#[ignore = "needs Codex"]
fn plugin_runs_the_same_hooks() {
    let tools = scenario("tools");
    let codex = Codex::new(LATEST, &tools, "target: local");
    let config = codex.path(".codex/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let without: Vec<&str> =
        text.split("[[hooks").next().unwrap().lines().filter(|l| !l.starts_with("notify")).collect();
    std::fs::write(&config, without.join("\n") + "\n").unwrap();
    let repository = env!("CARGO_MANIFEST_DIR");
    assert!(codex.manage(&["plugin", "marketplace", "add", repository]).status.success());
    assert!(codex.manage(&["plugin", "add", "arize-codex@arize-codex"]).status.success());
    codex.run_scenario(&tools);
    let entries = codex.delivered();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].head.summary.prompt_tokens, Some(5010));
    let seen = std::fs::read_dir(codex.path(".arize/harness/state/codex/seen")).unwrap().flatten();
    let mut events: Vec<_> = seen.map(|e| e.file_name().into_string().unwrap()).collect();
    events.sort();
    assert_eq!(
        events,
        [
            "PostModelRequest",
            "PostToolUse",
            "PreModelRequest",
            "PreToolUse",
            "SessionEnd",
            "SessionStart",
            "Stop",
            "UserPromptSubmit",
        ]
    );
}

/// The plugin beside the entries that `install` has made: Codex runs each hook twice, and the turn is told once.
#[test]
#[ignore = "needs Codex"]
fn plugin_and_own_hooks_report_once() {
    let tools = scenario("tools");
    let codex = Codex::new(LATEST, &tools, "target: local");
    let repository = env!("CARGO_MANIFEST_DIR");
    assert!(codex.manage(&["plugin", "marketplace", "add", repository]).status.success());
    assert!(codex.manage(&["plugin", "add", "arize-codex@arize-codex"]).status.success());
    codex.run_scenario(&tools);
    let entries = codex.delivered();
    assert_eq!((entries.len(), entries[0].head.summary.prompt_tokens), (1, Some(5010)));
    assert_eq!(entries[0].spans.len(), 6);
    let stops = std::fs::read_to_string(codex.path(".arize/harness/state/codex/seen/Stop")).unwrap();
    assert_eq!(stops.trim(), "2", "both Stop hooks ran");
}

pub fn phoenix() -> String {
    std::env::var("ARIZE_CODEX_TEST_PHOENIX").expect("ARIZE_CODEX_TEST_PHOENIX is unset: run tests/run")
}

/// The spans of a project, once there are at least `count`.
pub fn spans_in(phoenix: &str, project: &str, count: usize) -> Vec<Value> {
    let path = format!("/v1/projects/{}/spans?limit=1000", project.replace(' ', "%20"));
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = get(phoenix, &path);
        let spans = answer["data"].as_array().cloned().unwrap_or_default();
        if spans.len() >= count {
            return spans;
        }
        assert!(Instant::now() < deadline, "{} spans: {answer}", spans.len());
        std::thread::sleep(Duration::from_millis(300));
    }
}

pub fn get(host: &str, path: &str) -> Value {
    let answer =
        ureq::get(format!("http://{host}{path}")).config().http_status_as_error(false).build().call();
    answer
        .ok()
        .and_then(|mut a| serde_json::from_reader(a.body_mut().as_reader()).ok())
        .unwrap_or(Value::Null)
}

pub fn post(host: &str, path: &str, body: &Value) -> Value {
    let answer = ureq::post(format!("http://{host}{path}"))
        .header("content-type", "application/json")
        .send(body.to_string());
    answer
        .ok()
        .and_then(|mut a| serde_json::from_reader(a.body_mut().as_reader()).ok())
        .unwrap_or(Value::Null)
}
