//! The fold as a whole: records and rows in, a turn out.

use std::time::Duration;

use serde_json::value::RawValue;

use super::*;
use crate::codex::rollout::{ModelOutput, ToolRequest, UserMessage};
use crate::ids::{ThreadId, TurnId};
use crate::settings::{Logging, Profile, SpanTree};
use crate::turn::closed::Reason;
use crate::turn::state::State;

const TURN: &str = "01a20338-12bb-7000-8000-000000000001";

fn closing() -> Closing {
    let mut state = State::new(ThreadId::parse("thread").unwrap());
    state.begin_turn(TurnId::parse(TURN).unwrap(), at(0));
    let profile = Profile {
        backend_rule: None,
        project_name: "codex".into(),
        user_id: None,
        attributes: Vec::new(),
        tags: Vec::new(),
        span_tree: SpanTree::Calls,
        logging: Logging { prompts: true, tool_details: true, tool_content: true },
        redact_secrets: true,
        redact_patterns: Vec::new(),
        redact_pii: false,
        model_input: false,
        max_value_bytes: 65536,
        prices: None,
    };
    Closing::of(&state, Reason::Stop, at(9_000), &profile).unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_795_350_336_000 + millis)
}

fn folded(records: Vec<(i64, Fact)>, rows: Vec<Row>) -> Turn {
    let begin = Record { at: at(0), turn: Some(TURN.into()), fact: Fact::TurnStarted(Box::default()) };
    let named = |(millis, fact)| Record { at: at(millis), turn: Some(TURN.into()), fact };
    let records = std::iter::once(begin).chain(records.into_iter().map(named));
    fold(Evidence {
        closing: &closing(),
        rows: Box::new(rows.into_iter()),
        meta: None,
        records,
        spawn: None,
        git: Git::default(),
        scratch: Scratch::default(),
    })
}

fn said(text: &str) -> Fact {
    Fact::Output(ModelOutput::Message { text: text.into() })
}

fn user(text: &str) -> Fact {
    Fact::User(UserMessage { text: text.into(), images: Vec::new() })
}

fn used(id: &str) -> Fact {
    Fact::ResponseUsage { response_id: id.into(), usage: usage::Usage::default() }
}

fn ended() -> Fact {
    let (last_message, error) = (Some("done".into()), None);
    Fact::TurnEnded(TurnEnd::Completed { last_message, error, duration_ms: None, first_token_ms: Some(70) })
}

#[test]
fn call_spans_from_its_input_to_its_usage() {
    let turn = folded(vec![(100, user("hi")), (700, said("a")), (800, used("r1")), (900, ended())], vec![]);
    let call = turn.calls.at(0);
    assert_eq!((call.started, call.ended), (at(100), at(800)));
    assert_eq!(call.time_to_first_token, Some(Duration::from_millis(70)));
}

#[test]
fn retried_call_begins_after_the_one_before() {
    let turn = folded(
        vec![(100, user("hi")), (300, said("cut")), (400, used("r1")), (900, said("a")), (950, used("r2"))],
        vec![],
    );
    assert_eq!(turn.calls.len(), 2);
    assert_eq!((turn.calls.at(1).started, turn.calls.at(1).ended), (at(400), at(950)));
}

#[test]
fn compaction_clears_what_waited_for_the_model() {
    let turn = folded(
        vec![
            (100, user("old")),
            (200, Fact::Compacted { summary: "summary".into() }),
            (300, said("a")),
            (400, used("r1")),
        ],
        vec![],
    );
    let call = turn.calls.at(0);
    let input: Vec<&str> = call.input.iter().map(|m| m.text.as_str()).collect();
    assert_eq!(input, ["summary"]);
}

#[test]
fn nothing_counts_once_another_turn_begins() {
    let mut fold = Fold::new(Box::leak(Box::new(closing())), &Scratch::default());
    let record = |turn: &str, fact| Record { at: at(1), turn: Some(turn.into()), fact };
    let other = record("01a20338-12bb-7000-8000-000000000002", Fact::TurnStarted(Box::default()));
    assert!(!fold.is_over(&other), "its own end is not told yet");
    fold.record(record(TURN, ended()));
    assert!(fold.is_over(&other));
    assert!(!fold.is_over(&record(TURN, Fact::TurnStarted(Box::default()))));
}

#[test]
fn answer_within_300_ms_is_a_hook_s() {
    for (answered, by) in [(1_200, "hook"), (1_400, "user")] {
        let detail = ToolDetail {
            call_id: "c".into(),
            kind: "CommandExecution".into(),
            status: Some("completed".into()),
            exit_code: Some(0),
            completed: Some(at(answered + 50)),
            duration: Some(Duration::from_millis(50)),
            ..ToolDetail::default()
        };
        let rows = vec![pre("c", 990), asked(1_000, "why")];
        let turn = folded(
            vec![(900, call("c", "why")), (1_500, Fact::ToolDetail(Box::new(detail))), (2_000, ended())],
            rows,
        );
        assert_eq!(turn.tools.at(0).permission.as_ref().unwrap().decided_by, by, "after {answered}");
    }
}

#[test]
fn justification_tells_equal_requests_apart() {
    let records = vec![(900, call("a", "first")), (901, call("b", "second")), (2_000, ended())];
    let turn = folded(records, vec![pre("a", 910), pre("b", 920), asked(1_000, "second")]);
    let asked: Vec<(String, bool)> =
        turn.tools.iter().map(|t| (t.call_id.clone(), t.permission.is_some())).collect();
    assert_eq!(asked, [("a".to_owned(), false), ("b".to_owned(), true)]);
}

#[test]
fn settings_before_the_turn_hold_in_it() {
    let settings = ThreadSettings { service_tier: Some("priority".into()), ..ThreadSettings::default() };
    let turn = folded(
        vec![(1, Fact::Settings(Box::new(settings))), (5, said("a")), (6, used("r")), (9, ended())],
        vec![],
    );
    assert_eq!(turn.calls.at(0).service_tier.as_deref(), Some("priority"));
    assert_eq!(turn.about.service_tier.as_deref(), Some("priority"));
}

fn call(id: &str, why: &str) -> Fact {
    let arguments = serde_json::json!({ "cmd": "x", "justification": why }).to_string();
    Fact::Output(ModelOutput::Call(ToolRequest {
        call_id: id.into(),
        name: "exec_command".into(),
        arguments,
        ..ToolRequest::default()
    }))
}

fn pre(id: &str, millis: i64) -> Row {
    Row { row: Kind::PreToolUse, call_id: id.into(), ..asked(millis, "") }
}

fn asked(millis: i64, why: &str) -> Row {
    let input = match why {
        "" => serde_json::json!({ "command": "x" }),
        why => serde_json::json!({ "command": "x", "description": why }),
    };
    Row {
        row: Kind::PermissionRequest,
        at: at(millis),
        name: "Bash".into(),
        input: RawValue::from_string(input.to_string()).ok(),
        ..Row::default()
    }
}
