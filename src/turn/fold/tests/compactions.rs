//! What a compaction replaces, which response wrote the summary, and when both ran.

use super::*;

fn compacted(summary: &str) -> Fact {
    Fact::Compacted { summary: summary.into(), history: None }
}

fn bounds(started: i64, completed: i64) -> Fact {
    Fact::Compaction { started: Some(at(started)), completed: Some(at(completed)) }
}

fn compact_row(row: Kind, millis: i64, trigger: Option<&str>) -> Row {
    Row { row, at: at(millis), trigger: trigger.map(str::to_owned), ..Row::default() }
}

fn compacting(turn: &Turn) -> Vec<bool> {
    turn.calls.iter().map(|c| c.compacts).collect()
}

/// Three responses: at 100 to 200, 300 to 400, 500 to 600.
fn three() -> Told {
    Told::by_rollout()
        .lines([(100, user("hi")), (200, said("a")), (300, answered("x", "r")), (400, said("b"))])
        .lines([(500, answered("y", "r")), (600, said("c"))])
}

#[test]
fn response_that_wrote_the_summary_compacts() {
    let turn = Told::by_rollout()
        .lines([(100, user("hi")), (200, said("a")), (250, counted(90, 90)), (300, answered("x", "r"))])
        .lines([(400, said("in short")), (420, counted(190, 100)), (500, compacted("<summary>in short"))])
        .lines([(600, said("b")), (610, counted(230, 40)), (620, counted(300, 70)), (900, ended())])
        .folded();
    assert_eq!(compacting(&turn), [false, true, false, false]);
    let compaction = &turn.compactions[0];
    assert_eq!((compaction.started, compaction.ended), (at(300), at(500)));
    assert_eq!((compaction.tokens_before, compaction.tokens_after), (Some(91), Some(41)));
    assert_eq!(compaction.summary.as_deref(), Some("<summary>in short"));
    assert_eq!(
        (inputs(&turn.calls.at(2)), turn.calls.at(2).input[0].role),
        (vec!["<summary>in short"], MessageRole::Summary)
    );
}

#[test]
fn response_of_other_words_compacts_nothing() {
    for text in ["other words", ""] {
        let turn = Told::by_rollout().lines([(200, said(text)), (500, compacted("in short"))]).folded();
        assert_eq!((compacting(&turn), turn.compactions[0].started), (vec![false], at(500)), "{text}");
    }
}

#[test]
fn summary_made_elsewhere_was_waited_for() {
    let turn = Told::by_rollout().lines([(200, said("a")), (700, compacted("")), (800, said("b"))]).folded();
    let compaction = &turn.compactions[0];
    assert_eq!((compaction.started, compaction.ended), (at(200), at(700)));
    assert_eq!((compaction.summary.clone(), turn.calls.at(1).started), (None, at(700)));
}

#[test]
fn bounds_tell_which_responses_compact() {
    let of = |started, completed| compacting(&three().line(700, bounds(started, completed)).folded());
    assert_eq!(of(500, 600), [false, false, true]);
    assert_eq!(of(300, 650), [false, true, true]);
    assert_eq!(of(501, 650), [false; 3], "it began before the compaction");
    assert_eq!(of(300, 599), [false, true, false], "it ended after the compaction");
}

#[test]
fn response_with_a_tool_compacts_nothing() {
    let turn =
        Told::by_rollout().lines([(100, user("hi")), (200, call("c", "")), (300, bounds(50, 300))]).folded();
    assert_eq!(compacting(&turn), [false]);
}

#[test]
fn bounds_widen_the_compaction_they_are_of() {
    let turn = three().lines([(700, compacted("short")), (750, bounds(650, 740))]).folded();
    let spans: Vec<_> = turn.compactions.iter().map(|c| (c.started, c.ended)).collect();
    assert_eq!(spans, [(at(650), at(740))]);
    let turn =
        three().lines([(700, bounds(650, 690)), (710, bounds(660, 720)), (900, bounds(800, 900))]).folded();
    let spans: Vec<_> = turn.compactions.iter().map(|c| (c.started, c.ended)).collect();
    assert_eq!(spans, [(at(650), at(720)), (at(800), at(900))]);
    let turn = three().lines([(700, bounds(650, 690)), (710, bounds(690, 720))]).folded();
    assert_eq!(turn.compactions.len(), 1, "one begins as the other ends");
}

#[test]
fn event_without_times_tells_nothing_new() {
    let event = |started, completed| Fact::Compaction { started, completed };
    let turn = three().line(700, event(None, None)).folded();
    assert!(turn.compactions.is_empty());
    for (started, completed, span) in
        [(Some(at(650)), None, (at(650), at(700))), (None, Some(at(700)), (at(700), at(700)))]
    {
        let turn = three().line(700, event(started, completed)).folded();
        assert_eq!((turn.compactions[0].started, turn.compactions[0].ended), span);
    }
}

#[test]
fn next_response_waits_for_the_compaction() {
    let turn = three().lines([(650, used("r")), (700, bounds(640, 690)), (800, said("d"))]).folded();
    assert_eq!(turn.calls.at(3).started, at(690));
}

#[test]
fn hook_tells_why_the_history_was_compacted() {
    let turn = three()
        .line(5_000, compacted("short"))
        .hooks([
            compact_row(Kind::PreCompact, 4_900, Some("auto")),
            compact_row(Kind::PostCompact, 5_100, None),
        ])
        .folded();
    assert_eq!((turn.compactions.len(), turn.compactions[0].trigger.as_deref()), (1, Some("auto")));
}

#[test]
fn hooks_half_a_second_off_mean_the_same() {
    for (pre, post, count) in [(4_400, 4_500, 1), (4_400, 4_499, 2), (5_500, 5_600, 1), (5_501, 5_600, 2)] {
        let turn = three()
            .line(5_000, compacted("short"))
            .hooks([
                compact_row(Kind::PreCompact, pre, Some("manual")),
                compact_row(Kind::PostCompact, post, None),
            ])
            .folded();
        assert_eq!(turn.compactions.len(), count, "{pre} to {post}");
        assert_eq!(turn.compactions[0].trigger.is_some(), count == 1, "{pre} to {post}");
    }
}

#[test]
fn compaction_reported_twice_is_one() {
    let pair = |millis| {
        [
            compact_row(Kind::PreCompact, millis, Some("auto")),
            compact_row(Kind::PostCompact, millis + 9, None),
        ]
    };
    let turn = three().line(5_000, compacted("short")).hooks(pair(4_990)).hooks(pair(4_991)).folded();
    assert_eq!(turn.compactions.len(), 1);
    let alone = Told::by_nobody().hooks(pair(700)).folded();
    let compaction = &alone.compactions[0];
    assert_eq!((compaction.started, compaction.ended), (at(700), at(709)));
    assert_eq!(compaction.trigger.as_deref(), Some("auto"));
}

#[test]
fn post_compact_alone_tells_its_moment() {
    let turn = Told::by_nobody().hooks([compact_row(Kind::PostCompact, 700, Some("auto"))]).folded();
    let compaction = &turn.compactions[0];
    assert_eq!((compaction.started, compaction.ended), (at(700), at(700)));
    assert_eq!(compaction.trigger.as_deref(), Some("auto"));
}

#[test]
fn compaction_lies_within_its_turn() {
    let turn = three().lines([(650, ended()), (700, bounds(-50, 9_999))]).folded();
    let compaction = &turn.compactions[0];
    assert_eq!((compaction.started, compaction.ended), (at(0), at(650)));
}

#[test]
fn new_context_nobody_counted_has_no_size() {
    let unknown =
        Fact::TokenCount { total: tokens(90), last: Usage::default(), window: None, rate_limits: None };
    let turn = three().lines([(700, compacted("short")), (710, unknown), (720, counted(95, 5))]).folded();
    assert_eq!(turn.compactions[0].tokens_after, None);
}
