//! Tool calls: their bounds, results, names and failures, whoever reports them.

use super::*;

fn detail(call_id: &str, change: impl FnOnce(&mut ToolDetail)) -> Fact {
    let mut detail =
        ToolDetail { call_id: call_id.into(), kind: "CommandExecution".into(), ..Default::default() };
    change(&mut detail);
    Fact::ToolDetail(Box::new(detail))
}

fn post(call_id: &str, millis: i64, output: Option<&str>) -> Row {
    let output = output.and_then(|json| RawValue::from_string(json.into()).ok());
    Row { row: Kind::PostToolUse, output, ..pre(call_id, millis) }
}

fn asks(call_id: &str, change: impl FnOnce(&mut ToolRequest)) -> Fact {
    let mut request =
        ToolRequest { call_id: call_id.into(), name: "exec_command".into(), ..Default::default() };
    change(&mut request);
    Fact::Output(ModelOutput::Call(request))
}

fn tool(turn: &Turn) -> ToolCall {
    assert_eq!(turn.tools.len(), 1, "{:?}", turn.tools);
    turn.tools.at(0).clone()
}

fn span(tool: &ToolCall) -> (Timestamp, Timestamp) {
    (tool.started, tool.ended)
}

#[test]
fn tool_spans_from_its_request_to_its_result() {
    let reported =
        Told::by_rollout().lines([(100, call("c", "")), (300, answered("c", "r")), (900, ended())]);
    let turn = reported.hooks([pre("c", 150), post("c", 250, None)]).folded();
    let tool = tool(&turn);
    assert_eq!((span(&tool), tool.output.as_deref()), ((at(100), at(300)), Some("r")));
    assert_eq!((tool.name.as_str(), tool.model_name.as_deref()), ("Bash", Some("exec_command")));
    assert_eq!(tool.arguments, r#"{"cmd":"x","justification":""}"#);
}

#[test]
fn hooks_alone_bound_a_tool() {
    let turn = Told::by_nobody().hooks([pre("c", 150), post("c", 250, Some("\"out\""))]).folded();
    let tool = tool(&turn);
    assert_eq!((span(&tool), tool.output.as_deref()), ((at(150), at(250)), Some("out")));
    assert_eq!((tool.name.as_str(), tool.arguments.as_str()), ("Bash", r#"{"command":"x"}"#));
    let json = Told::by_nobody().hooks([pre("c", 150), post("c", 250, Some("{\"a\":1}"))]).folded();
    assert_eq!(json.tools.at(0).output.as_deref(), Some("{\"a\":1}"));
}

#[test]
fn tool_without_result_lasts_to_turn_s_end() {
    let turn = Told::by_rollout().lines([(100, call("c", "")), (900, ended())]).folded();
    assert_eq!(span(&tool(&turn)), (at(100), at(900)));
}

#[test]
fn tool_lies_within_its_turn() {
    let reported = Told::by_rollout().lines([(100, call("c", "")), (300, ended())]);
    assert_eq!(span(&tool(&reported.hooks([post("c", 400, None)]).folded())), (at(100), at(300)));
    let reported = Told::by_rollout().line(300, ended());
    let late = reported.hooks([pre("c", 500), post("c", 600, None)]).folded();
    assert_eq!(span(&tool(&late)), (at(300), at(300)));
}

#[test]
fn hosted_tool_ends_where_it_is_told() {
    let hosted = |status: &str| {
        asks("h", |request| {
            request.hosted = true;
            (request.name, request.status) = ("web_search".into(), Some(status.into()));
        })
    };
    let turn = Told::by_rollout().lines([(200, hosted("completed")), (900, ended())]).folded();
    assert_eq!((span(&tool(&turn)), tool(&turn).error), ((at(200), at(200)), None));
    let noted = detail("h", |d| d.started = Some(at(120)));
    let turn = Told::by_rollout().lines([(200, hosted("failed")), (210, noted), (900, ended())]).folded();
    assert_eq!(span(&tool(&turn)), (at(120), at(210)));
    assert_eq!(tool(&turn).error.as_deref(), Some("failed"));
    let cut = Told::by_rollout().line(200, hosted("completed")).closed(Reason::Interrupt).folded();
    assert_eq!(tool(&cut).error, None, "it is over where it is reported");
}

#[test]
fn status_of_a_request_is_no_result() {
    let custom = asks("c", |request| request.status = Some("failed".into()));
    let turn = Told::by_rollout()
        .lines([(100, custom), (200, answered("c", "Output:\nfine")), (900, ended())])
        .folded();
    assert_eq!(tool(&turn).error, None);
}

#[test]
fn only_hosted_tools_begin_at_their_note() {
    let noted = detail("c", |d| d.started = Some(at(120)));
    let turn = Told::by_rollout().lines([(200, call("c", "")), (300, noted), (900, ended())]).folded();
    assert_eq!(span(&tool(&turn)), (at(200), at(300)));
}

#[test]
fn exit_code_is_the_note_s_or_the_text_s() {
    let text = "Wall time: 1 seconds\nProcess exited with code 3\nOutput:\nx";
    let reported =
        |fact| Told::by_rollout().lines([(100, call("c", "")), (200, answered("c", text)), (210, fact)]);
    assert_eq!(tool(&reported(ended()).folded()).exit_code, Some(3));
    let noted = reported(detail("c", |d| d.exit_code = Some(7))).folded();
    assert_eq!((tool(&noted).exit_code, tool(&noted).error.as_deref()), (Some(7), Some("exit code 7")));
}

#[test]
fn patch_in_a_shell_has_its_own_exit_code() {
    let text = "Wall time: 1\nOutput:\nExit code: 4\nWall time: 1\nOutput:\nx";
    let reported = |changes: usize| {
        let changes = vec![crate::codex::rollout::FileChange::default(); changes];
        let noted = detail("c", |d| d.changes = changes);
        Told::by_rollout().lines([(100, call("c", "")), (200, answered("c", text)), (210, noted)]).folded()
    };
    assert_eq!((tool(&reported(1)).exit_code, tool(&reported(0)).exit_code), (Some(4), None));
}

#[test]
fn hook_tells_the_exit_code_of_a_patch_alone() {
    let reported = |name: &str| {
        let head = r#""Exit code: 5\nWall time: 1\nOutput:\nx""#;
        let row = |row: Row| Row { name: name.into(), ..row };
        Told::by_nobody().hooks([row(pre("c", 1)), row(post("c", 2, Some(head)))])
    };
    assert_eq!(tool(&reported("apply_patch").folded()).exit_code, Some(5));
    assert_eq!(tool(&reported("Bash").folded()).exit_code, None, "a command may print such words");
    let noted = reported("apply_patch").line(3, detail("c", |_| {})).folded();
    assert_eq!(tool(&noted).exit_code, None, "the note knows better");
}

#[test]
fn tool_cut_off_with_its_turn_says_so() {
    let reported = |reason| Told::by_rollout().line(100, call("c", "")).closed(reason).folded();
    assert_eq!(
        tool(&reported(Reason::Interrupt)).error.as_deref(),
        Some("unfinished: the turn was interrupted")
    );
    assert_eq!(tool(&reported(Reason::Running)).error, None);
    assert_eq!(tool(&reported(Reason::Stop)).error, None, "a command may run on");
    let finished = Told::by_rollout().line(100, call("c", "")).hooks([post("c", 200, None)]);
    assert_eq!(tool(&finished.closed(Reason::Interrupt).folded()).error, None);
    let noted = Told::by_rollout().lines([(100, call("c", "")), (200, detail("c", |_| {}))]);
    assert_eq!(tool(&noted.closed(Reason::Interrupt).folded()).error, None);
}

#[test]
fn hooks_alone_tell_that_a_patch_failed() {
    let reported = |name: &str| Told::by_nobody().hooks([Row { name: name.into(), ..pre("c", 100) }]);
    let failed = |name| tool(&reported(name).folded()).error;
    assert_eq!(failed("apply_patch").as_deref(), Some("no result: Codex reported none for this call"));
    assert_eq!(failed("mcp__demo__add").as_deref(), Some("no result: Codex reported none for this call"));
    assert_eq!((failed("Bash"), failed("anything").is_some()), (None, true), "a command alone may run on");
    let known = reported("apply_patch").line(0, Fact::TurnStarted(Box::default())).folded();
    assert_eq!(tool(&known).error, None, "the rollout would say so");
}

#[test]
fn failed_result_of_a_hook_is_a_failure() {
    let reported = |json| Told::by_nobody().hooks([pre("c", 100), post("c", 200, Some(json))]);
    let failed = tool(&reported(r#"{"isError":true,"content":[]}"#).folded());
    assert_eq!(failed.error.as_deref(), Some(r#"{"isError":true,"content":[]}"#));
    assert_eq!(tool(&reported(r#"{"isError":false}"#).folded()).error, None);
    let twice = reported(r#"{"isError":true}"#).hooks([post("c", 300, Some("\"x\""))]);
    assert!(tool(&twice.folded()).error.is_some(), "said once, it stays said");
}

#[test]
fn rollout_s_result_outranks_the_hook_s() {
    let reported =
        Told::by_rollout().lines([(100, call("c", "")), (300, answered("c", "whole")), (900, ended())]);
    let turn = reported.hooks([post("c", 250, Some("\"part\""))]).folded();
    assert_eq!(tool(&turn).output.as_deref(), Some("whole"));
}

#[test]
fn what_a_script_said_meanwhile_is_no_result() {
    let progress = |text: &str| {
        let output =
            ToolOutput { progress: true, call_id: "c".into(), text: text.into(), ..Default::default() };
        Fact::ToolOutput(output)
    };
    let turn = Told::by_rollout()
        .lines([
            (100, call("c", "")),
            (200, answered("c", "r")),
            (201, progress("one")),
            (202, progress("two")),
        ])
        .lines([(300, said("a")), (900, ended())])
        .folded();
    let tool = tool(&turn);
    assert_eq!(
        (tool.output.as_deref(), &tool.progress[..]),
        (Some("r"), &["one".to_owned(), "two".into()][..])
    );
    assert_eq!((inputs(&turn.calls.at(1)), tool.ended), (vec!["", "one", "two"], at(200)));
}

#[test]
fn note_after_the_turn_s_end_is_none_of_its() {
    let noted = |d: &mut ToolDetail| (d.exit_code, d.status) = (Some(1), Some("failed".into()));
    let turn =
        Told::by_rollout().lines([(100, call("c", "")), (300, ended()), (400, detail("c", noted))]).folded();
    let tool = tool(&turn);
    assert_eq!((tool.exit_code, tool.error.clone(), span(&tool)), (None, None, (at(100), at(300))));
}

#[test]
fn note_without_an_id_is_of_no_call() {
    let nameless = || detail("", |d| d.kind = "web_search_end".into());
    assert!(Told::by_rollout().lines([(100, nameless()), (300, ended())]).folded().tools.is_empty());
}

#[test]
fn post_tool_use_alone_is_of_an_earlier_turn() {
    let reported = Told::by_rollout().line(300, ended()).hooks([post("c", 200, None)]);
    assert!(reported.folded().tools.is_empty());
    assert_eq!(Told::by_nobody().hooks([post("c", 200, None)]).folded().tools.len(), 1);
    let reported = Told::by_rollout().lines([(100, detail("c", |_| {})), (300, ended())]);
    assert_eq!(reported.folded().tools.len(), 1, "a note is of this turn");
}

#[test]
fn subagent_event_alone_is_no_tool() {
    let event = |kind: &str| Fact::Subagent {
        call_id: "c".into(),
        kind: kind.into(),
        thread: "t".into(),
        path: None,
    };
    let turn = Told::by_rollout().lines([(100, event("started")), (300, ended())]).folded();
    assert!(turn.tools.is_empty());
}

#[test]
fn id_hooks_report_again_is_another_call() {
    let rows = || [pre("c", 100), post("c", 200, None), pre("c", 300), post("c", 400, None)];
    let keys = |turn: Turn| turn.tools.iter().map(|t| t.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(Told::by_nobody().hooks(rows()).folded()), ["c", "c#2"]);
    let reported = Told::by_rollout().lines([(90, call("c", "")), (210, answered("c", "r"))]);
    assert_eq!(keys(reported.hooks(rows()).folded()), ["c"], "the rollout counts them");
    let two_hooks = [pre("c", 100), pre("c", 101), post("c", 200, None)];
    assert_eq!(keys(Told::by_nobody().hooks(two_hooks).folded()), ["c"]);
    let unreported = [post("c", 100, None), pre("c", 200)];
    assert_eq!(keys(Told::by_nobody().hooks(unreported).folded()), ["c"]);
}

#[test]
fn tools_stand_in_the_order_they_began() {
    let turn = Told::by_rollout()
        .lines([(200, call("b", "")), (900, ended())])
        .hooks([pre("a", 100), post("a", 150, None)])
        .folded();
    assert_eq!(turn.tools.iter().map(|t| t.call_id.clone()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn notes_name_tools_nothing_else_names() {
    for (kind, name) in [
        ("CommandExecution", "Bash"),
        ("exec_command_end", "Bash"),
        ("FileChange", "apply_patch"),
        ("patch_apply_end", "apply_patch"),
        ("WebSearch", "web_search"),
        ("web_search_end", "web_search"),
        ("ImageView", "view_image"),
        ("view_image_tool_call", "view_image"),
        ("ImageGeneration", "image_generation"),
        ("image_generation_end", "image_generation"),
        ("Tomorrow", "Tomorrow"),
    ] {
        let noted = detail("c", |d| d.kind = kind.into());
        let turn = Told::by_rollout().lines([(100, noted), (300, ended())]).folded();
        assert_eq!((tool(&turn).name.as_str(), tool(&turn).model_name), (name, None));
    }
}

#[test]
fn tools_are_named_as_hooks_name_them() {
    for (name, namespace, shown, model_name) in [
        ("exec_command", None, "Bash", Some("exec_command")),
        ("shell", None, "Bash", Some("shell")),
        ("shell_command", None, "Bash", Some("shell_command")),
        ("local_shell", None, "Bash", Some("local_shell")),
        ("container.exec", None, "Bash", Some("container.exec")),
        ("update_plan", None, "update_plan", None),
        ("add", Some("mcp__demo"), "mcp__demo__add", None),
        ("mcp__demo__add", None, "mcp__demo__add", Some("mcp__demo__add")),
    ] {
        let asked = asks("c", |request| {
            (request.name, request.namespace) = (name.into(), namespace.map(str::to_owned));
        });
        let turn = Told::by_rollout().lines([(100, asked), (300, ended())]).folded();
        let tool = tool(&turn);
        assert_eq!((tool.name.as_str(), tool.model_name.as_deref()), (shown, model_name), "{name}");
    }
}

#[test]
fn note_knows_an_mcp_tool_best() {
    let noted = detail("c", |d| (d.server, d.tool) = (Some("s".into()), Some("t".into())));
    let turn = Told::by_rollout().lines([(100, call("c", "")), (200, noted), (300, ended())]).folded();
    assert_eq!(tool(&turn).mcp, Some(("s".into(), "t".into())));
    let row = Row { name: "mcp__s__t".into(), ..pre("c", 100) };
    assert_eq!(tool(&Told::by_nobody().hooks([row]).folded()).mcp, Some(("s".into(), "t".into())));
}
