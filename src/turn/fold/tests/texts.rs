//! How much of what was said a turn keeps.

use super::*;
use crate::codex::rollout::FileChange;

/// Words of 4,000 bytes; the turn of these tests keeps 1,000 of each text.
fn long() -> String {
    "word ".repeat(800)
}

fn short(text: &str) -> bool {
    (900..1_100).contains(&text.len()) && text.contains("[cut: ")
}

fn reported() -> Told {
    let mut reported = Told::by_rollout();
    reported.closing.profile.max_value_bytes = 1_000;
    reported.closing.profile.model_input = true;
    reported
}

#[test]
fn every_text_of_a_response_is_cut() {
    let turn = reported()
        .lines([(1, Fact::Given { developer: true, text: long() }), (2, user(&long())), (3, said(&long()))])
        .line(4, Fact::Output(ModelOutput::Reasoning { text: long() }))
        .line(5, Fact::AgentMessage { author: "a".into(), text: long() })
        .lines([
            (6, Fact::AssistantEvent { text: format!("event {}", long()) }),
            (7, used("r")),
            (8, Fact::Compacted { summary: long(), history: None }),
        ])
        .folded();
    let texts: Vec<String> = turn
        .calls
        .iter()
        .flat_map(|c| parts(&c).into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let lengths = |texts: &[String]| texts.iter().map(String::len).collect::<Vec<_>>();
    assert!(texts.len() == 3 && texts.iter().all(|t| short(t)), "{:?}", lengths(&texts));
    let given: Vec<String> = turn
        .calls
        .iter()
        .flat_map(|c| inputs(&c).into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert!(given.len() == 3 && given.iter().all(|t| short(t)), "{:?}", lengths(&given));
    assert!(short(turn.compactions[0].summary.as_ref().unwrap()) && short(&turn.inputs[0].text));
}

#[test]
fn images_and_schemas_are_cut() {
    let image = || Image(long());
    let message = Fact::User(UserMessage { text: "hi".into(), images: vec![image()] });
    let schema = format!("{{\"name\":\"x\",\"description\":\"{}\"}}", long());
    let request = ToolRequest {
        call_id: "c".into(),
        arguments: format!("{{\"cmd\":\"{}\"}}", long()),
        images: vec![image()],
        ..ToolRequest::default()
    };
    let turn = reported()
        .lines([(1, Fact::Tools { schemas: vec![schema] }), (2, message)])
        .lines([(3, Fact::Output(ModelOutput::Call(request))), (9, ended())])
        .folded();
    let (call, tool) = (turn.calls.at(0), turn.tools.at(0));
    assert!(call.tools[0].len() < 2_100 && serde_json::from_str::<serde_json::Value>(&call.tools[0]).is_ok());
    assert!(
        tool.arguments.len() < 2_100 && serde_json::from_str::<serde_json::Value>(&tool.arguments).is_ok()
    );
    assert!(short(&turn.inputs[0].images[0].0) && short(&tool.images[0].0));
}

#[test]
fn notes_and_results_are_cut() {
    let detail = ToolDetail {
        call_id: "c".into(),
        kind: "WebSearch".into(),
        output: Some(long()),
        query: Some(long()),
        ..ToolDetail::default()
    };
    let noted = reported().lines([(1, Fact::ToolDetail(Box::new(detail))), (9, ended())]).folded();
    let tool = noted.tools.at(0);
    assert!(short(tool.output.as_ref().unwrap()) && short(&tool.arguments));
    let output =
        ToolOutput { call_id: "c".into(), text: long(), images: vec![Image(long())], ..Default::default() };
    let turn = reported().lines([(1, call("c", "")), (2, Fact::ToolOutput(output)), (9, ended())]).folded();
    let tool = turn.tools.at(0);
    assert!(short(tool.output.as_ref().unwrap()) && short(&tool.images[0].0));
}

#[test]
fn error_and_arguments_of_a_note_are_cut() {
    let detail = ToolDetail {
        call_id: "c".into(),
        kind: "McpToolCall".into(),
        error: Some(long()),
        arguments: Some(format!("{{\"a\":\"{}\"}}", long())),
        ..ToolDetail::default()
    };
    let turn = reported().lines([(1, Fact::ToolDetail(Box::new(detail))), (9, ended())]).folded();
    let tool = turn.tools.at(0);
    assert!(short(tool.error.as_ref().unwrap()) && tool.arguments.len() < 2_100);
}

#[test]
fn answer_and_error_of_the_end_are_cut() {
    let end = |last_message, error| {
        let end = TurnEnd::Completed { last_message, error, duration_ms: None, first_token_ms: None };
        reported().line(9, Fact::TurnEnded(end)).folded()
    };
    assert!(short(&end(Some(long()), None).answer.unwrap()));
    let Status::Failed { message } = end(None, Some(long())).status else { panic!("not failed") };
    assert!(short(&message));
    let error = reported().line(5, Fact::Error { message: long() }).closed(Reason::Orphaned).folded();
    let Status::Failed { message } = error.status else { panic!("not failed") };
    assert!(short(&message));
}

#[test]
fn endless_turn_keeps_a_little_of_each() {
    let mut reported = Told::by_rollout().closed(Reason::Backfill);
    reported.closing.profile.max_value_bytes = 1 << 20;
    let change = || FileChange::default();
    let detail = |id: &str| ToolDetail {
        call_id: id.into(),
        kind: "FileChange".into(),
        changes: std::iter::repeat_with(change).take(20).collect(),
        ..ToolDetail::default()
    };
    reported = reported.line(1, Fact::ToolDetail(Box::new(detail("early"))));
    let text = "word ".repeat(100_000);
    reported = (2..300).fold(reported, |reported, n| reported.line(n, said(&text)));
    let turn = reported.lines([(400, Fact::ToolDetail(Box::new(detail("late")))), (500, ended())]).folded();
    let kept: Vec<usize> = parts(&turn.calls.at(0)).iter().map(|t| t.len()).collect();
    assert!(kept[0] > 390_000 && kept[0] < 394_000, "a sixteenth of what there is: {}", kept[0]);
    assert!(kept[297] > 400 && kept[297] < 600, "{}", kept[297]);
    assert!(kept.iter().sum::<usize>() < 6 * 1024 * 1024 + 300 * 600);
    let changes: Vec<usize> = turn.tools.iter().map(|t| t.changes.len()).collect();
    assert_eq!(changes, [20, 16]);
}
