//! How and when a turn ended, and what was answered.

use super::*;

const OTHER: &str = "01a20338-12bb-7000-8000-000000000002";

fn completed(last_message: Option<&str>, error: Option<&str>) -> Fact {
    let (last_message, error) = (last_message.map(str::to_owned), error.map(str::to_owned));
    Fact::TurnEnded(TurnEnd::Completed { last_message, error, duration_ms: Some(40), first_token_ms: None })
}

fn aborted(reason: Option<&str>) -> Fact {
    Fact::TurnEnded(TurnEnd::Aborted { reason: reason.map(str::to_owned), duration_ms: Some(50) })
}

fn failed(message: &str) -> Status {
    Status::Failed { message: message.into() }
}

fn interrupted(reason: &str) -> Status {
    Status::Interrupted { reason: reason.into() }
}

fn answered_once() -> Told {
    Told::by_rollout().lines([(100, user("hi")), (200, said("a")), (250, used("r"))])
}

#[test]
fn rollout_tells_how_a_turn_ended() {
    for (end, reason, status) in [
        (completed(Some("a"), None), Reason::Orphaned, Status::Completed),
        (completed(Some("a"), Some("boom")), Reason::Stop, failed("boom")),
        (aborted(Some("replaced")), Reason::Stop, interrupted("replaced")),
        (aborted(None), Reason::Stop, interrupted("interrupted")),
    ] {
        let turn = answered_once().line(300, end).closed(reason).folded();
        assert_eq!((turn.status, turn.ended), (status, at(300)));
    }
}

#[test]
fn first_end_counts() {
    let turn = answered_once().lines([(300, completed(Some("a"), None)), (400, aborted(None))]).folded();
    assert_eq!((turn.status, turn.ended), (Status::Completed, at(300)));
    assert_eq!(turn.about.duration, Some(Duration::from_millis(40)));
    let turn = answered_once().line(300, aborted(None)).folded();
    assert_eq!(turn.about.duration, Some(Duration::from_millis(50)));
}

#[test]
fn hooks_alone_tell_how_a_turn_ended() {
    for (reason, status) in [
        (Reason::Stop, Status::Completed),
        (Reason::Compacted, Status::Completed),
        (Reason::NotifyOnly, Status::Completed),
        (Reason::Running, Status::Running),
        (Reason::Interrupt, interrupted("interrupted")),
        (Reason::NextTurn, interrupted("another turn began")),
        (Reason::SessionEnd, interrupted("the session ended")),
        (Reason::Orphaned, interrupted("the Codex process ended")),
        (Reason::Idle, interrupted("its end was never reported")),
    ] {
        assert_eq!(answered_once().closed(reason).folded().status, status, "{reason:?}");
        let mut notified = answered_once().closed(reason);
        notified.closing.turn.notified = Some(at(400));
        assert_eq!(notified.folded().status, Status::Completed, "{reason:?}");
    }
}

#[test]
fn last_error_fails_an_abandoned_turn() {
    let error = |text: &str| Fact::Error { message: text.into() };
    let reported = || answered_once().lines([(300, error("first")), (310, error("overloaded"))]);
    assert_eq!(reported().closed(Reason::Orphaned).folded().status, failed("overloaded"));
    assert_eq!(reported().closed(Reason::Stop).folded().status, Status::Completed);
}

#[test]
fn abandoned_turn_ends_with_its_last_event() {
    for (reason, ended) in [
        (Reason::Stop, 9_000),
        (Reason::Interrupt, 9_000),
        (Reason::Running, 9_000),
        (Reason::Orphaned, 700),
        (Reason::NextTurn, 700),
    ] {
        let post = Row { row: Kind::PostToolUse, ..pre("c", 700) };
        let turn = answered_once().hooks([pre("c", 500), post]).closed(reason).folded();
        assert_eq!(turn.ended, at(ended), "{reason:?}");
    }
    let mut notified = answered_once().closed(Reason::Orphaned);
    notified.closing.turn.notified = Some(at(4_000));
    assert_eq!(notified.folded().ended, at(4_000));
    assert_eq!(answered_once().closed(Reason::Orphaned).folded().ended, at(250));
}

#[test]
fn turn_begins_with_the_first_thing_known() {
    assert_eq!(answered_once().folded().started, at(0));
    assert_eq!(answered_once().hooks([pre("c", -30)]).folded().started, at(-30));
    let mut late = answered_once();
    late.closing.turn.started = at(50);
    assert_eq!(late.folded().started, at(0), "the rollout knew earlier");
    let mut early = answered_once();
    early.closing.turn.started = at(-40);
    assert_eq!(early.folded().started, at(-40), "a hook knew earlier");
    assert_eq!(Told::by_nobody().closed(Reason::NotifyOnly).folded().started, at(0), "nothing knows better");
    let mut unknown = Told::by_nobody();
    unknown.closing.turn.started = Timestamp::default();
    assert_eq!(unknown.folded().started, at(9_000), "all that is known is when it was closed");
    let mut guessed = Told::by_nobody().line(80, Fact::TurnStarted(Box::default()));
    guessed = guessed.closed(Reason::NotifyOnly);
    assert_eq!(guessed.folded().started, at(80), "notify only guesses when it began");
    let mut part = Told::by_nobody().line(80, Fact::TurnStarted(Box::default()));
    part.closing.turn.part = 1;
    assert_eq!(part.folded().started, at(80), "what went before is another part's");
}

#[test]
fn continuation_is_read_from_the_middle() {
    let mut reported = Told::by_nobody().line_of_no_turn(10, said("a"));
    assert_eq!(reported.closing.turn.rollout_from, None);
    reported.closing.turn.rollout_from = Some(900);
    assert_eq!(reported.folded().calls.len(), 1);
    assert_eq!(Told::by_nobody().line_of_no_turn(10, said("a")).folded().calls.len(), 0);
}

#[test]
fn line_without_a_time_bounds_nothing() {
    let mut reported = Told::by_nobody();
    reported.records.push(Record { at: Timestamp::default(), turn: Some(TURN.into()), fact: said("a") });
    reported = reported.line(300, said("b")).closed(Reason::Orphaned);
    reported.closing.turn.started = Timestamp::default();
    let turn = reported.folded();
    assert_eq!((turn.started, turn.ended), (at(300), at(300)));
}

#[test]
fn what_follows_the_end_moves_no_bounds() {
    let turn = answered_once().lines([(300, completed(Some("a"), None)), (800, said("late"))]).folded();
    assert_eq!((turn.ended, turn.calls.last().unwrap().ended), (at(300), at(300)));
}

#[test]
fn failed_request_is_the_last_response() {
    let turn = answered_once().line(700, completed(None, Some("boom"))).folded();
    assert_eq!(turn.calls.len(), 2, "the first was whole");
    let failed = turn.calls.at(1);
    assert_eq!((failed.error.as_deref(), failed.started, failed.ended), (Some("boom"), at(250), at(700)));
    let cut = Told::by_rollout()
        .lines([(100, user("hi")), (200, said("a")), (700, completed(None, Some("boom")))])
        .folded();
    assert_eq!((cut.calls.len(), cut.calls.at(0).ended), (1, at(700)), "what was written belongs to it");
    assert_eq!(cut.calls.at(0).error.as_deref(), Some("boom"));
    let before = Told::by_rollout()
        .lines([(100, said("a")), (200, answered("c", "r")), (700, completed(None, Some("boom")))])
        .folded();
    assert_eq!((before.calls.len(), before.calls.at(0).error.as_deref()), (2, None));
}

#[test]
fn blocked_prompt_is_withheld() {
    let mut reported = Told::by_rollout().line(300, completed(None, None));
    reported.closing.turn.prompts = vec!["my secret".into()];
    let turn = reported.folded();
    assert_eq!((turn.blocked, turn.status), (true, interrupted("the prompt was blocked")));
    assert_eq!(turn.inputs[0].text, "<redacted (9 chars)>");
}

#[test]
fn turn_that_did_something_was_not_blocked() {
    let compacted = Fact::Compacted { summary: "s".into(), history: None };
    for (fact, end) in [
        (user("hi"), completed(None, None)),
        (said("a"), completed(None, None)),
        (call("c", ""), completed(None, None)),
        (compacted, completed(None, None)),
        (Fact::Error { message: "x".into() }, completed(Some("a"), None)),
        (Fact::Error { message: "x".into() }, completed(None, Some("x"))),
        (Fact::Error { message: "x".into() }, aborted(None)),
    ] {
        let what = format!("{fact:?} {end:?}");
        let mut reported = Told::by_rollout().lines([(200, fact), (300, end)]);
        reported.closing.turn.prompts = vec!["hi".into()];
        assert!(!reported.folded().blocked, "{what}");
    }
    assert!(
        !Told::by_rollout().line(300, completed(None, None)).folded().blocked,
        "nobody asked for anything"
    );
    let mut tool = Told::by_rollout().line(300, completed(None, None)).hooks([pre("c", 200)]);
    tool.closing.turn.prompts = vec!["hi".into()];
    assert!(!tool.folded().blocked);
}

#[test]
fn old_turn_without_its_answer_failed() {
    let unanswered = failed("the turn ended without an answer");
    let reported = |lines: [(i64, Fact); 2]| Told::by_rollout().lines(lines).line(300, completed(None, None));
    let tool = || [(100, user("hi")), (200, call("c", ""))];
    assert_eq!(reported(tool()).closed(Reason::Backfill).folded().status, unanswered);
    for reason in [Reason::Stop, Reason::NotifyOnly] {
        assert_eq!(
            reported(tool()).closed(reason).folded().status,
            Status::Completed,
            "{reason:?} reported its end"
        );
    }
    let mut notified = reported(tool()).closed(Reason::Backfill);
    notified.closing.turn.notified = Some(at(300));
    assert_eq!(notified.folded().status, Status::Completed);
    for (lines, why) in [
        ([(100, user("hi")), (200, said("a"))], "it has an answer"),
        ([(200, call("c", "")), (250, used("r"))], "the release tells failures"),
        (
            [(200, call("c", "")), (250, Fact::Compacted { summary: "s".into(), history: None })],
            "it compacted",
        ),
    ] {
        assert_eq!(reported(lines).closed(Reason::Backfill).folded().status, Status::Completed, "{why}");
    }
}

#[test]
fn answer_is_the_last_response_s_last_text() {
    let reported = |lines: [(i64, Fact); 3]| Told::by_rollout().lines(lines).folded().answer;
    assert_eq!(reported([(1, said("a")), (2, said("b")), (3, used("r"))]).as_deref(), Some("b"));
    assert_eq!(reported([(1, said("a")), (2, call("c", "")), (3, used("r"))]), None, "it asks for a tool");
    let summed = [(1, said("a")), (2, answered("c", "r")), (3, said("sum"))];
    let turn = Told::by_rollout()
        .lines(summed)
        .line(4, Fact::Compacted { summary: "sum".into(), history: None })
        .folded();
    assert_eq!(turn.answer.as_deref(), Some("a"), "a summary answers nobody");
}

#[test]
fn answer_is_what_codex_calls_so() {
    let mut reported = answered_once();
    reported.closing.turn.last_assistant_message = Some("hooked".into());
    assert_eq!(reported.folded().answer.as_deref(), Some("hooked"));
    let mut reported = answered_once().line(300, completed(Some("noted"), None));
    reported.closing.turn.last_assistant_message = Some("hooked".into());
    assert_eq!(reported.folded().answer.as_deref(), Some("noted"));
    assert_eq!(answered_once().line(300, completed(Some(""), None)).folded().answer, None);
}

#[test]
fn interrupted_turn_answers_in_whole_texts() {
    let cut = Told::by_rollout().lines([(100, user("hi")), (200, said("a")), (300, aborted(None))]);
    assert_eq!(cut.folded().answer, None);
    assert_eq!(answered_once().line(300, aborted(None)).folded().answer.as_deref(), Some("a"));
    let failed = answered_once().line(300, completed(None, Some("boom"))).folded();
    assert_eq!(failed.answer, None, "a failed request's text is no answer");
}

#[test]
fn turn_is_over_where_another_begins() {
    let turn = answered_once()
        .line(300, completed(Some("a"), None))
        .line_of(OTHER, 400, Fact::TurnStarted(Box::default()))
        .line(500, user("late"))
        .folded();
    assert_eq!(turn.inputs.len(), 1);
}
