//! Every recorded session, replayed through the roles, becomes exactly the turns its `expected.json` states.
//!
//! The expectations are written by hand from what the scripted model was told to do and what a user saw, not
//! from this program's output (fixtures/README.md).

use serde_json::{Value, json};

use crate::replay::{Recording, Replayed, Seen, fixture, recordings};

#[test]
fn every_recording_gives_its_expected_turns() {
    let mut failures = Vec::new();
    let mut count = 0;
    for folder in recordings() {
        let recording = Recording::load(&folder);
        for tree in ["turn", "calls"] {
            count += 1;
            let replayed = recording.replay(tree);
            let found = mismatches(&recording, &replayed, tree);
            failures.extend(found.into_iter().map(|f| format!("{} ({tree}): {f}", recording.name)));
        }
    }
    assert!(count >= 50, "only {count} recordings");
    assert!(failures.is_empty(), "{} mismatches\n{}", failures.len(), failures.join("\n"));
}

/// Which kinds must hang from which: everything from the turn, a summary's response from its compaction.
fn wanted_shape(got: &Seen, tree: &str, agent: bool) -> Value {
    let root = if tree == "calls" || agent { "AGENT" } else { "LLM" };
    let mut wanted = std::collections::BTreeMap::new();
    let mut expect = |what: String, count: usize| {
        if count > 0 {
            wanted.insert(what, count);
        }
    };
    let tools = got.tools.as_array().unwrap();
    let nested = tools.iter().filter(|t| t["in"].is_string()).count();
    expect(format!("TOOL in {root}"), tools.len() - nested);
    expect("TOOL in TOOL".to_owned(), nested);
    expect(format!("CHAIN in {root}"), got.compactions);
    let of = |name: &str| got.shape.get(name).copied().unwrap_or(0);
    if tree == "calls" {
        // A turn without a known response still has its model.
        let model = of("LLM in AGENT") + of("LLM in CHAIN");
        expect("LLM in AGENT".to_owned(), (model.max(1)) - of("LLM in CHAIN"));
        expect("LLM in CHAIN".to_owned(), of("LLM in CHAIN"));
        assert!(of("LLM in CHAIN") <= got.compactions);
    } else {
        expect("LLM in AGENT".to_owned(), usize::from(agent));
    }
    json!(wanted)
}

/// The calls whose span begins or ends more than 50 ms from where the rollout says.
fn late(
    rollout: &std::collections::BTreeMap<String, (i64, Option<i64>)>,
    spans: &std::collections::BTreeMap<String, (i64, i64)>,
) -> Vec<String> {
    let off = |a: i64, b: i64| (a - b).abs() > 50;
    rollout
        .iter()
        .filter_map(|(id, (asked, done))| {
            let (start, end) = spans.get(id)?;
            let wrong = off(*start, *asked) || done.is_some_and(|done| off(*end, done));
            wrong.then(|| format!("{id}: {start}–{end}, told {asked}–{done:?}"))
        })
        .collect()
}

fn mismatches(recording: &Recording, replayed: &Replayed, tree: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |what: String, want: Value, got: Value| {
        if want != got {
            wrong.push(format!("{what}: expected {want}, got {got}"));
        }
    };
    let expected = recording.expected_turns();
    let ids = |turns: Vec<(String, String)>| {
        let mut turns = turns;
        turns.sort();
        turns.dedup();
        Value::from(turns.into_iter().map(|(thread, turn)| format!("{thread}/{turn}")).collect::<Vec<_>>())
    };
    let text = |v: &Value, k: &str| v[k].as_str().unwrap_or_default().to_owned();
    check(
        "turns".into(),
        ids(expected.iter().map(|t| (text(t, "thread"), text(t, "turn_id"))).collect()),
        ids(replayed.turns()),
    );
    for want in &expected {
        let (thread, turn) = (text(want, "thread"), text(want, "turn_id"));
        let Some(got) = replayed.turn(&thread, &turn, tree) else { continue };
        let at = format!("turn {turn}");
        check(format!("{at} status"), want["status"].clone(), got.status.clone());
        // What a turn without a prompt works towards is its input.
        let objective = want["objective"].as_str().map(|objective| json!([objective]));
        let prompts = objective.unwrap_or_else(|| want["prompts"].clone());
        check(format!("{at} prompts"), prompts, got.prompts.clone());
        check(format!("{at} answer"), want["answer"].clone(), got.answer.clone());
        let rollout = recording.has_rollout(&thread);
        // Without a rollout nobody reports exit codes, and tokens only the hooks of each model request.
        let tokens =
            if rollout || recording.reports_requests() { recording.wanted_tokens(want) } else { Value::Null };
        check(format!("{at} tokens"), tokens, got.tokens.clone());
        if tree == "calls" && rollout && !want["responses"].is_null() {
            check(format!("{at} responses"), want["responses"].clone(), got.responses.into());
        }
        check(format!("{at} compactions"), want["compactions"].clone(), got.compactions.into());
        let tools = recording.wanted_tools(want, rollout, &got.tools);
        check(format!("{at} tools"), tools, got.tools.clone());
        let agent = !want["parent"].is_null()
            && recording.expected["turns"].as_array().unwrap().iter().all(|t| t["kind"] != "review");
        check(format!("{at} kinds and parents"), wanted_shape(&got, tree, agent), json!(got.shape));
        check(
            format!("{at} times"),
            json!([]),
            json!(late(&recording.call_times(&thread, &turn), &got.times)),
        );
        check(format!("{at} tools out of order or outside the turn"), Value::from(0), got.outside.into());
    }
    for want in &expected {
        for agent in want["agents"].as_array().into_iter().flatten() {
            let at = format!("agent {}", agent["thread"]);
            let got = replayed.parent_of(&text(agent, "thread"), &text(agent, "turn_id"));
            let want =
                replayed.tool_span(&text(want, "thread"), &text(want, "turn_id"), &text(agent, "call_id"));
            check(at, Value::from(want), Value::from(got));
        }
    }
    wrong
}

#[test]
fn late_hooks_number_turns_from_rollout() {
    let recording = fixture("0.169.0", "ten-turns").unwrap();
    let names = |replayed: &Replayed| -> Vec<String> {
        let turns = replayed.entries.iter().filter(|e| e.head.key.thread == e.head.root_thread);
        let mut turns: Vec<_> = turns.map(|e| (e.head.started_at, e.spans[0].name.clone())).collect();
        turns.sort();
        turns.into_iter().map(|(_, name)| name).collect()
    };
    let all = names(&recording.replay("turn"));
    let fourth = recording.expected["turns"][3]["turn_id"].as_str().unwrap().to_owned();
    let rest = names(&recording.beginning_at(&fourth).replay("turn"));
    assert_eq!(rest, all[3..]);
    assert_eq!(rest[0], "Turn 4");
}

#[test]
fn doubled_hooks_record_once() {
    for name in ["tools", "approvals", "steer", "subagent", "compaction"] {
        let recording = fixture("0.169.0", name).unwrap().doubled();
        for tree in ["turn", "calls"] {
            let replayed = recording.replay(tree);
            assert_eq!(mismatches(&recording, &replayed, tree), [""; 0], "{name} ({tree})");
            let own = replayed.entries.iter().map(|e| e.head.key.clone());
            assert!(own.clone().all(|key| key.part == 0), "{name}: no turn goes on");
        }
    }
}

/// A script that is left running goes on with the next turn, and its hooks come under the id of its own, which is over.
#[test]
fn script_of_an_earlier_turn_disturbs_no_other() {
    for release in ["0.169.0", "0.171.0"] {
        let entries = fixture(release, "app-cell-outlives").unwrap().replay("calls").entries;
        assert_eq!(entries.iter().map(|entry| entry.head.key.part).collect::<Vec<_>>(), [0, 0], "{release}");
        let first = entries.iter().find(|e| e.spans[0].name == "Turn 1").unwrap();
        let second = entries.iter().find(|e| e.spans[0].name == "Turn 2").unwrap();
        let commands = |entry: &arize_codex::otel::entry::Entry| -> Vec<_> {
            entry.spans.iter().filter(|span| span.name == "Bash").cloned().collect()
        };
        assert_eq!((commands(first).len(), commands(second).len()), (1, 1), "{release}");
        let (command, turn) = (&commands(second)[0], &second.spans[0]);
        assert_eq!(command.parent_span_id, turn.span_id, "no script of this turn made the call");
        assert!(command.start_time_unix_nano >= turn.start_time_unix_nano);
        assert!(command.start_time_unix_nano <= command.end_time_unix_nano);
        assert!(command.end_time_unix_nano <= turn.end_time_unix_nano);
    }
}

#[test]
fn stop_hook_text_is_next_input() {
    use arize_codex::otel::attribute::string;
    let replayed = fixture("0.169.0", "stop-hook-continues").unwrap().replay("calls");
    let mut calls: Vec<_> = replayed
        .entries
        .iter()
        .flat_map(|e| &e.spans)
        .filter(|s| string(s, "openinference.span.kind") == Some("LLM"))
        .collect();
    calls.sort_by_key(|s| s.start_time_unix_nano);
    let told = |s: &&&opentelemetry_proto::tonic::trace::v1::Span| {
        string(s, "input.value").is_some_and(|v| v.contains("run the tests first"))
    };
    assert_eq!(calls.iter().filter(told).count(), 1);
    for pair in calls.windows(2) {
        assert!(pair[0].end_time_unix_nano <= pair[1].start_time_unix_nano, "one after the other");
    }
}

#[test]
fn large_images_are_named_only() {
    use arize_codex::otel::attribute::string;
    let replayed = fixture("0.169.0", "images").unwrap().replay("calls");
    let spans: Vec<_> = replayed.entries.iter().flat_map(|e| &e.spans).collect();
    let shown = |key: &str| {
        spans.iter().find_map(|s| string(s, key)).map(|v| v.starts_with("data:image/png;base64,"))
    };
    let url = "message.contents.1.message_content.image.image.url";
    assert_eq!(shown(&format!("llm.input_messages.0.{url}")), Some(true), "the person's image");
    let tool = "llm.input_messages.0.message.contents.0.message_content.image.image.url";
    assert_eq!(shown(tool), Some(true), "the tool's image");
    let named =
        spans.iter().filter_map(|s| string(s, "output.value")).any(|v| v.contains("[image image/png, "));
    assert!(named, "a tool's output names its image");
}
