//! Code mode: which script made a call, when it ran there, and what became of it.

use super::*;

const HEAD: &str = "Script completed\nWall time 0.1 seconds\nOutput:\n";

fn exec(call_id: &str, source: &str) -> Fact {
    asks("exec", call_id, source)
}

fn wait(call_id: &str, cell: &str) -> Fact {
    asks("wait", call_id, &format!("{{\"cell_id\":\"{cell}\"}}"))
}

fn asks(name: &str, call_id: &str, arguments: &str) -> Fact {
    let (call_id, arguments) = (call_id.into(), arguments.into());
    Fact::Output(ModelOutput::Call(ToolRequest {
        call_id,
        name: name.into(),
        arguments,
        ..Default::default()
    }))
}

fn running(call_id: &str, cell: &str) -> Fact {
    answered(call_id, &format!("Script running with cell ID {cell}\nWall time 1 seconds\n"))
}

/// Codex's note of a nested call that ran from one moment to another.
fn noted(call_id: &str, from: i64, to: i64) -> (i64, Fact) {
    let detail = ToolDetail {
        call_id: call_id.into(),
        kind: "CommandExecution".into(),
        status: Some("completed".into()),
        started: Some(at(from)),
        completed: Some(at(to)),
        ..ToolDetail::default()
    };
    (to, Fact::ToolDetail(Box::new(detail)))
}

fn named(call_id: &str, millis: i64, tool: &str, input: serde_json::Value) -> Row {
    let input = RawValue::from_string(input.to_string()).ok();
    Row { name: tool.into(), input, ..pre(call_id, millis) }
}

fn tool(turn: &Turn, call_id: &str) -> ToolCall {
    turn.tools.iter().find(|t| t.call_id == call_id).unwrap().clone()
}

fn parent(turn: &Turn, call_id: &str) -> Option<String> {
    tool(turn, call_id).parent
}

/// Two scripts: `a` from 100 to 300, `b` from 400 to 600.
fn two(first: &str, second: &str) -> Told {
    Told::by_rollout()
        .lines([(100, exec("a", first)), (300, answered("a", HEAD))])
        .lines([(400, exec("b", second)), (600, answered("b", HEAD))])
}

#[test]
fn call_belongs_to_the_script_it_began_in() {
    for (from, script) in [(100, "a"), (200, "a"), (300, "a"), (350, "a"), (400, "b"), (600, "b"), (700, "b")]
    {
        let turn = two("", "").lines([noted("exec-1", from, from + 10), (900, ended())]).folded();
        assert_eq!(parent(&turn, "exec-1").as_deref(), Some(script), "{from}");
    }
    let long = two("", "").lines([noted("exec-1", 250, 590), (900, ended())]).folded();
    assert_eq!(parent(&long, "exec-1").as_deref(), Some("a"), "another script is no wait for this one");
    let early = two("", "").lines([noted("exec-1", 50, 60), (900, ended())]).folded();
    assert_eq!(parent(&early, "exec-1"), None, "no script had begun");
}

#[test]
fn call_of_no_script_has_no_parent() {
    let turn = two("", "").lines([noted("c", 150, 200), (350, call("exec-2", "")), (900, ended())]).folded();
    assert_eq!(
        (parent(&turn, "c"), parent(&turn, "exec-2")),
        (None, None),
        "one is asked for, one is no script's"
    );
}

#[test]
fn nested_call_lies_within_its_script() {
    let turn =
        two("", "").lines([noted("exec-1", 200, 350), noted("exec-2", 350, 390), (900, ended())]).folded();
    let (first, second) = (tool(&turn, "exec-1"), tool(&turn, "exec-2"));
    assert_eq!((first.started, first.ended), (at(200), at(300)));
    assert_eq!((second.started, second.ended), (at(300), at(300)));
}

#[test]
fn hook_tells_when_a_call_without_a_note_ran() {
    let post = Row { row: Kind::PostToolUse, ..pre("exec-1", 250) };
    let turn = two("", "").line(900, ended()).hooks([pre("exec-1", 200), post]).folded();
    let tool = tool(&turn, "exec-1");
    assert_eq!((tool.parent.as_deref(), tool.started, tool.ended), (Some("a"), at(200), at(250)));
}

#[test]
fn source_tells_two_running_scripts_apart() {
    let both = |first: &str, second: &str| {
        let reported = Told::by_rollout()
            .lines([(100, exec("a", first)), (110, exec("b", second)), (600, answered("a", HEAD))])
            .lines([(610, answered("b", HEAD)), (900, ended())]);
        let row = named("exec-1", 200, "Bash", serde_json::json!({ "command": "ls \"x\"" }));
        parent(&reported.hooks([row]).folded(), "exec-1")
    };
    let source = "tools.exec_command({cmd: \"ls \\\"x\\\"\"})";
    assert_eq!(both(source, "other").as_deref(), Some("a"));
    assert_eq!(both("other", source).as_deref(), Some("b"));
    assert_eq!(both("other", "other").as_deref(), Some("a"), "the first to be over");
    assert_eq!(both("run('ls \"x\"')", "other").as_deref(), Some("a"), "written as it is");
}

#[test]
fn waits_share_the_calls_of_their_script() {
    let reported = |from, to| {
        let turn = Told::by_rollout()
            .lines([(100, exec("a", "")), (300, running("a", "7")), (400, wait("w", "7"))])
            .lines([(600, answered("w", HEAD)), (650, exec("b", "")), (700, answered("b", HEAD))])
            .lines([noted("exec-1", from, to), (900, ended())])
            .folded();
        parent(&turn, "exec-1").unwrap()
    };
    assert_eq!(reported(150, 250), "a");
    assert_eq!(reported(250, 590), "w", "most of it ran while it was waited for");
    assert_eq!(reported(250, 440), "a", "of equal shares the first counts");
    assert_eq!(reported(350, 380), "w", "nobody waited: the next who did");
    assert_eq!(reported(620, 640), "w", "nobody waits any more: the last before");
}

#[test]
fn wait_for_another_cell_owns_nothing() {
    let turn = Told::by_rollout()
        .lines([(100, exec("a", "")), (300, answered("a", HEAD)), (400, wait("w", "9"))])
        .lines([(600, answered("w", HEAD)), noted("exec-1", 350, 380), noted("exec-2", 250, 590)])
        .line(900, ended())
        .folded();
    assert_eq!(parent(&turn, "exec-1").as_deref(), Some("a"));
    assert_eq!(parent(&turn, "exec-2").as_deref(), Some("a"));
}

#[test]
fn tools_named_like_scripts_are_none() {
    let of = |name: &str, namespace: Option<&str>, arguments: &str| {
        let request = ToolRequest {
            call_id: "a".into(),
            name: name.into(),
            namespace: namespace.map(str::to_owned),
            arguments: arguments.into(),
            ..ToolRequest::default()
        };
        let turn = Told::by_rollout()
            .lines([(100, Fact::Output(ModelOutput::Call(request))), (300, answered("a", HEAD))])
            .lines([noted("exec-1", 150, 200), (900, ended())])
            .folded();
        parent(&turn, "exec-1").is_some()
    };
    assert!(of("exec", None, "") && of("exec", Some("functions"), ""));
    assert!(of("wait", None, "{\"cell_id\":\"1\"}") && !of("wait", None, "{\"agent\":\"1\"}"));
    assert!(!of("exec", Some("mcp__demo"), "") && !of("shell", None, ""));
}

#[test]
fn script_names_what_it_does() {
    let source = "tools.exec_command({}); tools.update_plan({}); tools.view_image({})";
    let patch = |call_id: &str, from, to| {
        let (to, fact) = noted(call_id, from, to);
        let Fact::ToolDetail(detail) = fact else { unreachable!() };
        (to, Fact::ToolDetail(Box::new(ToolDetail { kind: "FileChange".into(), ..*detail })))
    };
    let turn = Told::by_rollout()
        .lines([(100, exec("a", source)), (300, answered("a", HEAD))])
        .lines([noted("exec-1", 140, 150), patch("exec-2", 120, 130), noted("exec-3", 160, 170)])
        .line(900, ended())
        .hooks([named("exec-4", 180, "view_image", serde_json::json!({}))])
        .folded();
    let script = tool(&turn, "a").script.unwrap();
    assert_eq!(script.calls, [("apply_patch".to_owned(), 1), ("Bash".to_owned(), 2)]);
    assert_eq!(script.named, ["update_plan", "view_image"]);
    assert_eq!(tool(&turn, "exec-1").script, None);
    let waited =
        Told::by_rollout().lines([(100, wait("w", "7")), (300, answered("w", HEAD)), (900, ended())]);
    assert_eq!(tool(&waited.folded(), "w").script, None);
}

/// What became of a nested call of a tool, of which hooks reported its beginning at 120 alone.
fn error_of(tool_name: &str, lines: [(i64, Fact); 2]) -> Option<String> {
    let row = named("exec-1", 120, tool_name, serde_json::json!({}));
    let turn = Told::by_rollout().line(100, exec("a", "")).lines(lines).line(9_000, ended());
    tool(&turn.hooks([row]).folded(), "exec-1").error
}

#[test]
fn script_cut_off_takes_its_calls_with_it() {
    let lines = || [(800, answered("a", "aborted by user after 2.5s")), (801, said("x"))];
    assert_eq!(error_of("Bash", lines()).as_deref(), Some("aborted by user"));
}

#[test]
fn dead_script_tells_why_its_call_failed() {
    let died = |why: &str| {
        let text = format!("Script failed\nWall time 0\nOutput:\nScript error:\n{why}");
        [(800, answered("a", &text)), (801, said("x"))]
    };
    let patch = "apply_patch verification failed: no file";
    assert_eq!(error_of("apply_patch", died(patch)).as_deref(), Some(patch));
    assert_eq!(error_of("Bash", died(patch)), None, "a command may run on: it died of another call");
    assert_eq!(error_of("view_image", died("unsupported call: x")).as_deref(), Some("unsupported call: x"));
    let silent = error_of("view_image", died("Error: boom"));
    assert_eq!(silent.as_deref(), Some(outcome::NO_RESULT), "its own words are no tool's");
}

#[test]
fn script_may_show_a_failure_it_caught() {
    let text = format!("{HEAD}{{\"reason\":\"unable to locate image at `y.png`\"}}");
    let printed = || [(800, answered("a", &text)), (801, said("x"))];
    assert_eq!(error_of("view_image", printed()).as_deref(), Some("unable to locate image at `y.png`"));
    assert_eq!(error_of("apply_patch", printed()).as_deref(), Some(outcome::NO_RESULT));
}

#[test]
fn command_that_cannot_run_on_was_refused() {
    let answered_at = |millis| [(millis, answered("a", HEAD)), (8_000, said("x"))];
    assert_eq!(error_of("Bash", answered_at(369)).as_deref(), Some(outcome::NO_RESULT));
    assert_eq!(error_of("Bash", answered_at(370)), None, "Codex waited long enough to hand it over");
    let other = error_of("anything", answered_at(370));
    assert_eq!(other.as_deref(), Some(outcome::NO_RESULT), "nothing else is left running");
}

#[test]
fn script_that_still_runs_tells_nothing_yet() {
    let lines = || [(200, running("a", "7")), (201, said("x"))];
    assert_eq!(error_of("view_image", lines()), None);
    assert_eq!(error_of("view_image", [(150, said("x")), (151, said("y"))]), None, "it was never answered");
}

#[test]
fn wait_tells_what_a_script_came_to() {
    let reported = |last: Fact| {
        Told::by_rollout()
            .lines([(100, exec("a", "")), (200, running("a", "7")), (210, exec("b", ""))])
            .lines([
                (220, answered("b", "aborted by user")),
                (300, wait("w", "7")),
                (400, last),
                (9_000, ended()),
            ])
            .hooks([named("exec-1", 120, "apply_patch", serde_json::json!({}))])
            .folded()
    };
    let turn = reported(answered("w", "aborted by user"));
    assert_eq!(tool(&turn, "exec-1").error.as_deref(), Some("aborted by user"));
    let turn = reported(answered("w", HEAD));
    assert_eq!(tool(&turn, "exec-1").error.as_deref(), Some(outcome::NO_RESULT), "another cell was aborted");
    let turn = reported(running("w", "7"));
    assert_eq!(tool(&turn, "exec-1").error, None, "it goes on");
}

#[test]
fn refused_call_says_what_its_script_heard() {
    let noted = |status: &str, error: Option<&str>| {
        let (to, fact) = noted("exec-1", 150, 160);
        let Fact::ToolDetail(detail) = fact else { unreachable!() };
        let (status, error) = (Some(status.to_owned()), error.map(str::to_owned));
        (to, Fact::ToolDetail(Box::new(ToolDetail { status, error, ..*detail })))
    };
    let reported = |status, error| {
        let text = format!("{HEAD}exec command rejected by user");
        let turn = Told::by_rollout()
            .lines([(100, exec("a", "")), noted(status, error), (800, answered("a", &text)), (900, ended())])
            .folded();
        tool(&turn, "exec-1").error
    };
    assert_eq!(reported("declined", None).as_deref(), Some("exec command rejected by user"));
    assert_eq!(
        reported("declined", Some("not in here")).as_deref(),
        Some("not in here"),
        "it says more itself"
    );
    assert_eq!(reported("completed", None), None);
}
