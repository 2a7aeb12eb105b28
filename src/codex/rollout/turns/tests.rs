use super::*;
use crate::codex::payload::Usage;
use crate::codex::rollout::UserMessage;

const THREAD: &str = "01a20338-12a8-70e0-af71-2abbd9056370";

fn record(seconds: u64, turn: Option<&str>, fact: Fact) -> Record {
    Record { at: Timestamp::from_nanos(seconds * 1_000_000_000), turn: turn.map(str::to_owned), fact }
}

fn session(forked: bool) -> Record {
    let meta = SessionMeta {
        id: Some(THREAD.into()),
        forked_from: forked.then(|| "other".into()),
        ..SessionMeta::default()
    };
    record(1, None, Fact::Session(Box::new(meta)))
}

fn started(seconds: u64, turn: &str) -> Record {
    record(seconds, Some(turn), Fact::TurnStarted(Box::default()))
}

fn said(seconds: u64) -> Record {
    record(seconds, None, Fact::User(UserMessage::default()))
}

fn answered(seconds: u64) -> Record {
    record(seconds, None, Fact::Output(ModelOutput::Message { text: "a".into() }))
}

fn ended(seconds: u64, turn: &str) -> Record {
    let end = TurnEnd::Completed { last_message: None, error: None, duration_ms: None, first_token_ms: None };
    record(seconds, Some(turn), Fact::TurnEnded(end))
}

/// Number, how many records and what became of each turn.
fn cut(records: Vec<Record>) -> Vec<(u64, usize, Outcome)> {
    let mut turns = Turns::new(records.into_iter()).unwrap();
    let mut found = Vec::new();
    while let Some(turn) = turns.next_turn() {
        let count = turns.records().count();
        found.push((turn.number, count, turns.outcome()));
    }
    found
}

#[test]
fn named_turns_end_where_next_begins() {
    let turns =
        cut(vec![session(false), started(2, "a"), said(2), answered(3), ended(3, "a"), started(5, "b")]);
    let first = Outcome { ended: true, followed: true, worked: true, asked: true };
    assert_eq!(turns, [(1, 4, first), (2, 1, Outcome::default())]);
}

#[test]
fn unnamed_turns_span_prompt_to_answer() {
    let turns = cut(vec![session(false), said(2), answered(3), said(5), said(6), answered(7)]);
    let outcome = |ended, followed| Outcome { ended, followed, worked: true, asked: true };
    assert_eq!(
        turns,
        [(1, 3, outcome(true, true)), (2, 1, outcome(false, true)), (3, 3, outcome(true, false))]
    );
}

#[test]
fn made_turn_id_is_stable() {
    let name = || {
        let records = vec![session(false), said(1_795_350_336), answered(1_795_350_337)];
        Turns::new(records.into_iter()).unwrap().next_turn().unwrap().id
    };
    assert_eq!(name(), name());
    let at = Timestamp::of_uuid_v7(name().as_str()).unwrap();
    assert_eq!(at.as_millis(), 1_795_350_336_000);
    assert_eq!(name().as_str().len(), 36);
}

#[test]
fn a_turn_knows_what_was_counted_before_it() {
    let counted = |turn: &str, total_tokens| {
        let total = Usage { total_tokens, ..Usage::default() };
        record(4, Some(turn), Fact::TokenCount { total, last: total, window: None, rate_limits: None })
    };
    let records = [session(false), started(2, "a"), counted("a", 10), counted("a", 20), started(5, "b")];
    let mut turns = Turns::new(records.into_iter()).unwrap();
    turns.next_turn();
    assert_eq!(turns.records().count(), 3);
    turns.next_turn();
    assert_eq!(turns.records().next(), Some(counted("a", 20)));
}

#[test]
fn what_a_fork_took_over_is_not_its_own() {
    let (before, after) = ("01a20338-12a7-7000-8000-000000000000", "01a20338-12a9-7000-8000-000000000000");
    let records =
        |forked| vec![session(forked), started(2, before), answered(2), ended(2, before), started(3, after)];
    assert_eq!(cut(records(true)).len(), 1);
    assert_eq!(cut(records(false)).len(), 2);
}

#[test]
fn only_a_sessions_file_has_turns() {
    assert!(Turns::new(vec![said(1)].into_iter()).is_none());
    assert!(Turns::new(std::iter::empty()).is_none());
}
