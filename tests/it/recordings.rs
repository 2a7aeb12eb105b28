//! Every recorded session, replayed through the roles, becomes exactly the turns its `expected.json` states.
//!
//! The expectations are written by hand from what the scripted model was told to do and what a person saw, not
//! from this program's output (fixtures/README.md).

use serde_json::Value;

use crate::replay::{Recording, Replayed, recordings};

#[test]
fn every_recording_becomes_the_turns_that_a_person_saw_in_both_trees() {
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
        check(format!("{at} prompts"), want["prompts"].clone(), got.prompts.clone());
        check(format!("{at} answer"), want["answer"].clone(), got.answer.clone());
        let rollout = recording.has_rollout(&thread);
        // Without a rollout nobody tells of tokens and exit codes.
        let tokens = if rollout { recording.wanted_tokens(want) } else { Value::Null };
        check(format!("{at} tokens"), tokens, got.tokens.clone());
        if tree == "calls" && rollout && !want["responses"].is_null() {
            check(format!("{at} responses"), want["responses"].clone(), got.responses.into());
        }
        check(format!("{at} compactions"), want["compactions"].clone(), got.compactions.into());
        let tools = recording.wanted_tools(want, rollout, &got.tools);
        check(format!("{at} tools"), tools, got.tools.clone());
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
