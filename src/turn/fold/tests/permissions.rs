//! Who was asked about a call, who answered, and how.

use super::*;

const REFUSED: &str = "exec command rejected by user";

fn post(call_id: &str, millis: i64) -> Row {
    Row { row: Kind::PostToolUse, ..pre(call_id, millis) }
}

fn permission(turn: &Turn, call_id: &str) -> Option<Permission> {
    turn.tools.iter().find(|t| t.call_id == call_id).and_then(|t| t.permission.clone())
}

/// A command asked for at 900, announced at 950, whose permission was asked for at 1,000.
fn asked_about() -> Told {
    Told::by_rollout().line(900, call("c", "why")).hooks([pre("c", 950), asked(1_000, "why")])
}

fn decided(turn: &Turn) -> (Decision, String, Option<u64>) {
    let permission = permission(turn, "c").unwrap();
    (permission.decision, permission.decided_by, permission.wait.map(|wait| wait.as_millis() as u64))
}

fn by(decision: Decision, who: &str, wait: Option<u64>) -> (Decision, String, Option<u64>) {
    (decision, who.to_owned(), wait)
}

#[test]
fn call_nobody_asked_about_has_no_permission() {
    let turn =
        Told::by_rollout().lines([(900, call("c", "")), (950, answered("c", "ok")), (990, ended())]).folded();
    assert_eq!(permission(&turn, "c"), None);
}

#[test]
fn user_who_refuses_denies() {
    let turn = asked_about().lines([(3_000, answered("c", REFUSED)), (4_000, ended())]).folded();
    assert_eq!(decided(&turn), by(Decision::Denied, "user", Some(2_000)));
    assert_eq!(permission(&turn, "c").unwrap().reason.as_deref(), Some("why"));
}

#[test]
fn refusal_that_names_nobody_is_a_hook_s() {
    for (text, who) in [
        ("exec_command failed: Rejected(\"no\")", "hook"),
        ("exec_command failed: Rejected(\"rejected by user\")", "user"),
        ("exec command rejected", "user"),
    ] {
        let turn = asked_about().lines([(3_000, answered("c", text)), (4_000, ended())]).folded();
        assert_eq!(decided(&turn), by(Decision::Denied, who, Some(2_000)), "{text}");
    }
}

#[test]
fn answer_faster_than_a_person_is_a_hook_s() {
    for (millis, who) in [(1_299, "hook"), (1_300, "user")] {
        let turn = asked_about().lines([(millis, answered("c", REFUSED)), (4_000, ended())]).folded();
        assert_eq!(decided(&turn).1, who, "{millis}");
    }
    let unknown = asked_about().line(1_100, ended()).folded();
    assert_eq!(decided(&unknown), by(Decision::Unknown, "user", Some(100)), "nobody answered");
}

#[test]
fn result_means_that_it_was_approved() {
    let turn = asked_about().lines([(3_000, answered("c", "out")), (4_000, ended())]).folded();
    assert_eq!(decided(&turn), by(Decision::Approved, "user", None), "when is not known");
    let hooked = asked_about().line(4_000, ended()).hooks([post("c", 3_000)]).folded();
    assert_eq!(decided(&hooked).0, Decision::Approved);
}

#[test]
fn reviewer_answers_in_the_user_s_place() {
    for (reviewer, who) in [("guardian", "guardian"), ("user", "user")] {
        let context = TurnContext { approvals_reviewer: Some(reviewer.into()), ..TurnContext::default() };
        let turn = asked_about()
            .lines([(1, Fact::Context(Box::new(context))), (3_000, answered("c", REFUSED)), (4_000, ended())])
            .folded();
        assert_eq!(decided(&turn).1, who);
    }
    let user = TurnContext { approvals_reviewer: Some("user".into()), ..TurnContext::default() };
    let turn = asked_about()
        .lines([(1, Fact::Context(Box::new(user))), (1_100, answered("c", REFUSED)), (4_000, ended())])
        .folded();
    assert_eq!(decided(&turn).1, "hook", "no user answers as fast");
}

#[test]
fn call_run_before_the_abort_was_approved() {
    let turn = asked_about()
        .lines([(3_000, answered("c", "aborted by user")), (4_000, ended())])
        .hooks([post("c", 2_000)])
        .folded();
    assert_eq!(decided(&turn).0, Decision::Approved);
}

#[test]
fn abort_denies_the_only_call_asked_about() {
    let turn = asked_about().lines([(3_000, answered("c", "aborted by user")), (4_000, ended())]).folded();
    assert_eq!(decided(&turn), by(Decision::Denied, "user", Some(2_000)));
}

#[test]
fn abort_of_several_leaves_refusal_unknown() {
    let both = |second: &str| {
        asked_about()
            .lines([(901, call("d", "other")), (3_000, answered("c", "aborted by user"))])
            .lines([(3_000, answered("d", second)), (4_000, ended())])
            .hooks([pre("d", 960), asked(1_100, "other")])
            .folded()
    };
    let turn = both("aborted by user");
    assert_eq!(decided(&turn).0, Decision::Unknown);
    assert_eq!(permission(&turn, "d").unwrap().decision, Decision::Unknown);
    let turn = both("out");
    assert_eq!(decided(&turn).0, Decision::Denied, "the other one had its answer");
}

#[test]
fn call_that_ran_was_not_the_one_refused() {
    let noted = ToolDetail { call_id: "d".into(), kind: "CommandExecution".into(), ..ToolDetail::default() };
    for (row, detail) in [(Some(post("d", 1_500)), None), (None, Some(noted))] {
        let mut reported = asked_about()
            .lines([(901, call("d", "other")), (3_000, answered("c", "aborted by user"))])
            .lines([(3_000, answered("d", "aborted by user"))])
            .hooks([pre("d", 960), asked(1_100, "other")]);
        reported.rows.extend(row);
        if let Some(detail) = detail {
            reported = reported.line(3_100, Fact::ToolDetail(Box::new(detail)));
        }
        let turn = reported.line(4_000, ended()).folded();
        assert_eq!(decided(&turn).0, Decision::Denied, "it alone was cut off before it ran");
    }
}

#[test]
fn call_not_asked_about_is_no_suspect() {
    let turn = asked_about()
        .lines([(901, call("d", "other")), (3_000, answered("c", "aborted by user"))])
        .lines([(3_000, answered("d", "aborted by user")), (4_000, ended())])
        .hooks([pre("d", 960)])
        .folded();
    assert_eq!(decided(&turn).0, Decision::Denied);
}

#[test]
fn call_kept_from_its_server_was_denied() {
    let noted = |took, error: Option<&str>, status: &str| ToolDetail {
        call_id: "c".into(),
        kind: "McpToolCall".into(),
        server: Some("s".into()),
        tool: Some("t".into()),
        status: Some(status.into()),
        error: error.map(str::to_owned),
        duration: Some(Duration::from_millis(took)),
        completed: Some(at(3_000)),
        ..ToolDetail::default()
    };
    for (detail, decision, who) in [
        (noted(0, Some("not there"), "failed"), Decision::Denied, "hook"),
        (noted(5, Some("not there"), "failed"), Decision::Approved, "user"),
        (noted(0, None, "completed"), Decision::Approved, "user"),
        (noted(5, Some("user cancelled MCP tool call"), "failed"), Decision::Denied, "user"),
        (noted(0, Some("user rejected MCP tool call"), "failed"), Decision::Denied, "user"),
        (noted(5, None, "declined"), Decision::Denied, "user"),
    ] {
        let what = format!("{detail:?}");
        let turn = asked_about()
            .lines([
                (3_000, Fact::ToolDetail(Box::new(detail))),
                (3_000, answered("c", "x")),
                (4_000, ended()),
            ])
            .folded();
        assert_eq!((decided(&turn).0, decided(&turn).1.as_str()), (decision, who), "{what}");
    }
}

#[test]
fn policy_denies_without_asking() {
    let text = "approval policy is Never; reject command";
    let reported = |name: &str| {
        let request = ToolRequest { call_id: "c".into(), name: name.into(), ..ToolRequest::default() };
        let script = format!("Script failed\nOutput:\nScript error:\n{text}");
        let text = if name == "exec" { script.as_str() } else { text };
        let lines =
            [(900, Fact::Output(ModelOutput::Call(request))), (950, answered("c", text)), (990, ended())];
        permission(&Told::by_rollout().lines(lines).folded(), "c")
    };
    let denied = reported("exec_command").unwrap();
    assert_eq!(
        (denied.decision, denied.decided_by.as_str(), denied.wait),
        (Decision::Denied, "policy", None)
    );
    assert_eq!(reported("exec"), None, "decided about a call of the script's");
}

#[test]
fn question_belongs_to_a_call_that_waits() {
    let of = |rows: [Row; 3]| {
        let turn = Told::by_rollout()
            .lines([(900, call("c", "x")), (900, call("d", "x")), (4_000, ended())])
            .hooks(rows)
            .folded();
        ["c", "d"].map(|id| permission(&turn, id).is_some())
    };
    assert_eq!(of([pre("c", 910), pre("d", 1_001), asked(1_000, "x")]), [true, false], "announced before");
    assert_eq!(of([pre("d", 1_000), post("c", 990), asked(1_000, "x")]), [false, true], "the other is over");
    let other = Row { name: "apply_patch".into(), ..pre("c", 910) };
    assert_eq!(of([other, pre("d", 920), asked(1_000, "x")]), [false, true], "of another tool");
}

#[test]
fn question_finds_the_call_of_its_command() {
    let row = |row: Row, command: &str| {
        let input = serde_json::json!({ "command": command, "description": "why" });
        Row { input: RawValue::from_string(input.to_string()).ok(), ..row }
    };
    let turn = Told::by_rollout()
        .lines([(900, call("c", "x")), (900, call("d", "x")), (4_000, ended())])
        .hooks([row(pre("c", 910), "ls"), row(pre("d", 920), "rm"), row(asked(1_000, ""), "rm")])
        .folded();
    assert_eq!(["c", "d"].map(|id| permission(&turn, id).is_some()), [false, true]);
}

#[test]
fn unmatched_question_is_the_only_waiter_s() {
    let other = |row: Row| Row {
        input: RawValue::from_string("{\"command\":\"changed by a hook\"}".into()).ok(),
        ..row
    };
    let reported =
        || Told::by_rollout().lines([(900, call("c", "x")), (900, call("d", "x")), (4_000, ended())]);
    let one = reported().hooks([pre("c", 910), other(asked(1_000, ""))]).folded();
    assert!(permission(&one, "c").is_some());
    let two = reported().hooks([pre("c", 910), pre("d", 920), other(asked(1_000, ""))]).folded();
    assert_eq!(["c", "d"].map(|id| permission(&two, id).is_some()), [false, false]);
}

#[test]
fn call_is_asked_about_once() {
    let turn = asked_about().line(4_000, ended()).hooks([asked(2_000, "why")]).folded();
    assert_eq!(decided(&turn).2, Some(3_000), "the first question counts");
}
