//! Requests as hooks report them: their times, attempts and tokens, beside the rollout and without one.

use super::*;
use crate::turn::rows::Request;

/// A row of request `id`, which the model answers with response `r-id`.
fn row(row: Kind, id: &str, millis: i64, change: impl FnOnce(&mut Request)) -> Row {
    let mut request = Request { id: id.into(), attempt: 1, model: Some("m".into()), ..Request::default() };
    change(&mut request);
    Row { row, at: at(millis), request: Some(Box::new(request)), ..Row::default() }
}

fn asked_model(id: &str, millis: i64) -> Row {
    row(Kind::PreModelRequest, id, millis, |_| {})
}

fn model_answered(id: &str, millis: i64, input: u64) -> Row {
    row(Kind::PostModelRequest, id, millis, |request| {
        request.status = Some("completed".into());
        request.response = Some(format!("r-{id}"));
        request.usage = Some(tokens(input));
    })
}

fn model_failed(id: &str, millis: i64, status: &str) -> Row {
    row(Kind::PostModelRequest, id, millis, |request| {
        request.attempt = 3;
        request.status = Some(status.into());
        request.error = Some("cut off".into());
    })
}

fn exact(id: &str, input: u64) -> Fact {
    Fact::ResponseUsage { response_id: id.into(), usage: tokens(input) }
}

/// Two responses, `r-1` and `r-2`.
fn two() -> Told {
    Told::by_rollout()
        .lines([(100, user("hi")), (200, said("a")), (250, exact("r-1", 5)), (300, answered("c", "r"))])
        .lines([(600, said("b")), (650, exact("r-2", 7))])
}

#[test]
fn request_bounds_the_response_it_got() {
    let turn = two()
        .line(900, ended())
        .hooks([asked_model("1", 120), model_answered("1", 240, 5)])
        .hooks([asked_model("2", 320), model_answered("2", 640, 7)])
        .folded();
    let calls: Vec<_> = turn.calls.iter().map(|c| (c.started, c.ended, c.attempts)).collect();
    assert_eq!(calls, [(at(120), at(240), Some(1)), (at(320), at(640), Some(1))]);
    assert!(turn.differences.is_empty(), "{:?}", turn.differences);
}

#[test]
fn end_before_the_beginning_is_none() {
    let turn = two().hooks([asked_model("1", 240), model_answered("1", 120, 5)]).folded();
    assert_eq!((turn.calls.at(0).started, turn.calls.at(0).ended), (at(240), at(240)));
}

#[test]
fn request_half_told_bounds_nothing() {
    let turn = two().hooks([model_answered("1", 240, 5)]).folded();
    assert_eq!((turn.calls.at(0).started, turn.calls.at(0).attempts), (at(100), Some(1)));
    let unreported = row(Kind::PostModelRequest, "1", 240, |request| {
        request.attempt = 0;
        request.response = Some("r-1".into());
    });
    assert_eq!(two().hooks([unreported]).folded().calls.at(0).attempts, None);
    let alone = row(Kind::PreModelRequest, "1", 240, |request| request.attempt = 0);
    assert_eq!(Told::by_nobody().hooks([alone]).folded().calls.at(0).attempts, None);
}

#[test]
fn tokens_that_differ_are_reported() {
    for (change, differs) in [
        ((|_| {}) as fn(&mut Usage), false),
        (|usage| usage.input_tokens += 1, true),
        (|usage| usage.output_tokens += 1, true),
        (|usage| usage.cached_input_tokens += 1, true),
        (|usage| usage.total_tokens += 1, false),
    ] {
        let mut answered = model_answered("1", 240, 5);
        answered.request.iter_mut().for_each(|r| r.usage.iter_mut().for_each(change));
        let turn = two().hooks([asked_model("1", 120), answered]).folded();
        assert_eq!(turn.differences.len(), usize::from(differs), "{:?}", turn.differences);
        assert_eq!(turn.usage.unwrap().input_tokens, 12, "the rollout holds");
    }
}

#[test]
fn response_missing_in_rollout_is_reported() {
    let rows = || [asked_model("9", 120), model_answered("9", 240, 5)];
    let missing = ["request 9: its response is not in the rollout"];
    assert_eq!(two().line(900, ended()).hooks(rows()).folded().differences, missing);
    assert!(two().hooks(rows()).folded().differences.is_empty(), "it may be written yet");
    let old = Told::by_rollout().lines([(100, said("a")), (150, counted(5, 5)), (900, ended())]);
    assert!(old.hooks(rows()).folded().differences.is_empty(), "the release names no response");
}

#[test]
fn differences_are_as_many_as_anybody_reads() {
    let mut reported = two().line(900, ended());
    reported.rows = (0..150).map(|n| model_answered(&format!("x{n}"), 240, 1)).collect();
    assert_eq!(reported.folded().differences.len(), 100);
}

#[test]
fn request_without_response_was_cut_off() {
    let cut = || two().line(700, said("c")).hooks([asked_model("3", 660), model_failed("3", 800, "failed")]);
    let turn = cut().closed(Reason::Interrupt).folded();
    let last = turn.calls.last().unwrap();
    assert_eq!((last.started, last.ended, last.attempts), (at(660), at(800), Some(3)));
    let whole = cut().line(900, ended()).folded();
    assert_eq!(whole.calls.last().unwrap().attempts, None, "nothing was cut off");
    let counted = two().hooks([asked_model("3", 660), model_failed("3", 800, "failed")]);
    let turn = counted.closed(Reason::Interrupt).folded();
    assert_eq!(turn.calls.last().unwrap().attempts, None, "the last response was whole");
    let answered = two().line(700, said("c")).hooks([asked_model("2", 320), model_answered("2", 640, 7)]);
    let turn = answered.closed(Reason::Interrupt).folded();
    assert_eq!(turn.calls.last().unwrap().attempts, None, "the last request has its response");
}

#[test]
fn requests_alone_are_the_responses() {
    let compacts = |request: &mut Request| request.kind = Some("foreground_compaction".into());
    let turn = Told::by_nobody()
        .hooks([asked_model("1", 100), model_answered("1", 200, 5), pre("c", 300)])
        .hooks([asked_model("2", 400), row(Kind::PreModelRequest, "3", 500, compacts)])
        .hooks([model_failed("3", 450, "failed")])
        .folded();
    let calls: Vec<_> = turn.calls.iter().map(|c| (c.id.clone(), c.started, c.ended)).collect();
    let named = |id: &str, from, to| (id.to_owned(), at(from), at(to));
    assert_eq!(calls, [named("r-1", 100, 200), named("response-2", 400, 400), named("response-3", 500, 500)]);
    assert_eq!((parts(&turn.calls.at(0)), turn.calls.at(0).usage), (vec!["c"], Some(tokens(5))));
    assert_eq!((turn.usage, turn.usage_source), (Some(tokens(5)), Some("hooks")));
    assert_eq!(turn.calls.at(2).error.as_deref(), Some("cut off"));
    assert_eq!((turn.calls.at(0).error.clone(), turn.calls.at(0).attempts), (None, Some(1)));
    assert_eq!(turn.calls.at(1).model.as_deref(), Some("m"));
}

#[test]
fn kind_tells_which_request_compacts() {
    let kind = |name: &str| {
        let compacts = row(Kind::PreModelRequest, "1", 100, |request| request.kind = Some(name.into()));
        Told::by_nobody().hooks([compacts]).folded().calls.at(0).compacts
    };
    assert!(kind("foreground_compaction") && !kind("sampling"));
}

#[test]
fn tool_belongs_to_the_request_before_it() {
    let tools_of = |order: [&str; 2]| {
        let at_of = |id: &str| if id == "1" { 100 } else { 300 };
        let turn = Told::by_nobody()
            .hooks(order.map(|id| asked_model(id, at_of(id))))
            .hooks([pre("early", 50), pre("a", 100), pre("b", 299), pre("c", 300)])
            .folded();
        turn.calls.iter().map(|c| parts(&c).join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(tools_of(["1", "2"]), ["a b", "c"]);
    assert_eq!(tools_of(["2", "1"]), ["", "a b c"], "in the order in which they were reported");
}

#[test]
fn failed_request_alone_fails_the_turn() {
    let rows = |status| [asked_model("1", 100), model_failed("1", 200, status)];
    let status = |status| Told::by_nobody().closed(Reason::Orphaned).hooks(rows(status)).folded().status;
    assert_eq!(status("failed"), Status::Failed { message: "cut off".into() });
    assert_eq!(status("cancelled").name(), "interrupted");
    let reported = two().closed(Reason::Orphaned).hooks(rows("failed")).folded();
    assert_eq!(reported.status.name(), "interrupted", "the rollout tells what failed");
}

#[test]
fn notified_tokens_outrank_what_was_counted() {
    let mut reported = two();
    reported.closing.turn.token_usage = Some(tokens(99));
    let turn = reported.folded();
    assert_eq!((turn.usage, turn.usage_source), (Some(tokens(99)), Some("notify")));
    let nothing = Told::by_rollout().folded();
    assert_eq!((nothing.usage, nothing.usage_source), (None, None));
}

#[test]
fn tokens_written_to_the_cache_add_up() {
    let written = |written| Usage { cache_write_input_tokens: written, ..tokens(1) };
    let of = |a: Option<u64>, b: Option<u64>| {
        let usage = |id: &str, w| Fact::ResponseUsage { response_id: id.into(), usage: written(w) };
        let reported = Told::by_rollout().lines([
            (1, said("a")),
            (2, usage("1", a)),
            (3, said("b")),
            (4, usage("2", b)),
        ]);
        reported.folded().usage.unwrap().cache_write_input_tokens
    };
    assert_eq!((of(None, None), of(Some(2), Some(3)), of(None, Some(3))), (None, Some(5), Some(3)));
}
