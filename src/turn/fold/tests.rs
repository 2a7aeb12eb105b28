//! The fold as a whole: records and rows in, a turn out.

mod calls;
mod compactions;
mod ends;
mod permissions;
mod requests;
mod scripts;
mod texts;
mod tools;
mod whose;

use std::time::Duration;

use serde_json::value::RawValue;

use super::*;
use crate::codex::rollout::{ModelOutput, ToolRequest, UserMessage};
use crate::ids::{ThreadId, TurnId};
use crate::settings::{Logging, Profile, SpanTree};
use crate::turn::closed::Reason;
use crate::turn::state::ThreadState;

/// What the rollout and the hooks report of one turn, in the order in which they report it.
struct Told {
    closing: Closing,
    records: Vec<Record>,
    rows: Vec<Row>,
    meta: Option<SessionMeta>,
    spawn: Option<SpawnCall>,
    git: Git,
}

impl Told {
    /// A turn that Stop closed nine seconds after it began, of which nothing is reported yet.
    fn by_nobody() -> Told {
        let (records, rows, git) = (Vec::new(), Vec::new(), Git::default());
        Told { closing: closing(), records, rows, meta: None, spawn: None, git }
    }

    /// The same turn, whose beginning stands in the rollout.
    fn by_rollout() -> Told {
        Told::by_nobody().line(0, Fact::TurnStarted(Box::default()))
    }

    fn closed(mut self, reason: Reason) -> Told {
        self.closing.reason = reason;
        self
    }

    fn line(self, millis: i64, fact: Fact) -> Told {
        self.line_of(TURN, millis, fact)
    }

    fn lines<const N: usize>(self, lines: [(i64, Fact); N]) -> Told {
        lines.into_iter().fold(self, |reported, (millis, fact)| reported.line(millis, fact))
    }

    fn line_of(mut self, turn: &str, millis: i64, fact: Fact) -> Told {
        self.records.push(Record { at: at(millis), turn: Some(turn.into()), fact });
        self
    }

    /// A line that names no turn.
    fn line_of_no_turn(mut self, millis: i64, fact: Fact) -> Told {
        self.records.push(Record { at: at(millis), turn: None, fact });
        self
    }

    fn hooks<const N: usize>(mut self, rows: [Row; N]) -> Told {
        self.rows.extend(rows);
        self
    }

    fn folded(self) -> Turn {
        fold(Evidence {
            closing: &self.closing,
            rows: Box::new(self.rows.into_iter()),
            meta: self.meta,
            records: self.records.into_iter(),
            spawn: self.spawn,
            git: self.git,
            scratch: Scratch::default(),
        })
    }
}

const TURN: &str = "01a20338-12bb-7000-8000-000000000001";

fn closing() -> Closing {
    let mut state = ThreadState::new(ThreadId::parse("thread").unwrap());
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
    let reported =
        records.into_iter().fold(Told::by_rollout(), |reported, (millis, fact)| reported.line(millis, fact));
    Told { rows, ..reported }.folded()
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

/// What `input` tokens read and one written come to.
fn tokens(input: u64) -> Usage {
    Usage { input_tokens: input, output_tokens: 1, total_tokens: input + 1, ..Usage::default() }
}

/// A running total, and what the last response added to it.
fn counted(total: u64, last: u64) -> Fact {
    let total = Usage { output_tokens: total / 10, total_tokens: total, ..tokens(total) };
    Fact::TokenCount { total, last: tokens(last), window: None, rate_limits: None }
}

fn answered(call_id: &str, text: &str) -> Fact {
    Fact::ToolOutput(ToolOutput { call_id: call_id.into(), text: text.into(), ..ToolOutput::default() })
}

/// The texts of a response, its tools by their keys.
fn parts(call: &ModelCall) -> Vec<&str> {
    fn text(output: &Output) -> &str {
        match output {
            Output::Text(text) | Output::Reasoning(text) | Output::Tool(text) => text,
        }
    }
    call.output.iter().map(text).collect()
}

fn inputs(call: &ModelCall) -> Vec<&str> {
    call.input.iter().map(|message| message.text.as_str()).collect()
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
            (200, Fact::Compacted { summary: "summary".into(), history: None }),
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
    assert!(!fold.is_over(&other), "its own end is not reported yet");
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
