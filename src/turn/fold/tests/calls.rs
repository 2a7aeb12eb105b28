//! Where responses begin and end, and whose tokens are whose.

use super::*;

fn event(text: &str) -> Fact {
    Fact::AssistantEvent { text: text.into() }
}

fn search(call_id: &str) -> Fact {
    let detail =
        ToolDetail { call_id: call_id.into(), kind: "web_search_end".into(), ..ToolDetail::default() };
    Fact::ToolDetail(Box::new(detail))
}

fn nameless(name: &str) -> Fact {
    Fact::Output(ModelOutput::Call(ToolRequest { name: name.into(), hosted: true, ..ToolRequest::default() }))
}

#[test]
fn tool_result_ends_the_response_before_it() {
    let turn = Told::by_rollout()
        .lines([(100, user("hi")), (200, said("a")), (300, said("b")), (400, answered("c", "result"))])
        .lines([(900, said("d")), (950, ended())])
        .folded();
    let (first, second) = (turn.calls.at(0), turn.calls.at(1));
    assert_eq!((turn.calls.len(), parts(&first), parts(&second)), (2, vec!["a", "b"], vec!["d"]));
    assert_eq!((first.started, first.ended), (at(100), at(300)));
    assert_eq!((second.started, second.ended), (at(400), at(900)));
    assert_eq!((first.id.as_str(), second.id.as_str()), ("response-1", "response-2"));
}

#[test]
fn first_input_ends_no_response() {
    let turn = Told::by_rollout().lines([(100, user("a")), (200, user("b")), (300, said("c"))]).folded();
    assert_eq!(turn.calls.len(), 1);
    assert_eq!((inputs(&turn.calls.at(0)), turn.calls.at(0).started), (vec!["a", "b"], at(200)));
}

#[test]
fn usage_ends_the_response_it_is_of() {
    let usage = |id: &str, input| Fact::ResponseUsage { response_id: id.into(), usage: tokens(input) };
    let turn = Told::by_rollout()
        .lines([(100, said("a")), (200, usage("r1", 5)), (300, said("b")), (400, usage("r2", 7))])
        .lines([(500, usage("", 9)), (900, ended())])
        .folded();
    let calls: Vec<_> = turn.calls.iter().map(|c| (c.id.clone(), c.usage.unwrap().input_tokens)).collect();
    assert_eq!(calls, [("r1".into(), 5), ("r2".into(), 7), ("response-3".into(), 9)]);
    assert_eq!(turn.usage, Some(Usage { output_tokens: 3, total_tokens: 24, ..tokens(21) }));
    assert_eq!(turn.usage_source, Some("rollout"));
}

#[test]
fn request_made_again_counts_its_tokens_once() {
    let turn = Told::by_rollout()
        .lines([(100, user("hi")), (200, said("a")), (250, counted(50, 50)), (260, counted(50, 50))])
        .lines([
            (300, answered("c", "r")),
            (400, said("b")),
            (450, counted(120, 70)),
            (460, counted(120, 70)),
        ])
        .line(900, ended())
        .folded();
    let used: Vec<_> = turn.calls.iter().map(|c| c.usage.unwrap().input_tokens).collect();
    assert_eq!((used, turn.usage.unwrap().input_tokens), (vec![50, 70], 120));
}

#[test]
fn total_of_another_turn_is_not_counted_here() {
    let other = "01a20338-12bb-7000-8000-00000000000f";
    let turn = Told::by_nobody()
        .line_of(other, -900, counted(40, 40))
        .line(0, Fact::TurnStarted(Box::default()))
        .line(100, said("a"))
        .line_of_no_turn(200, counted(95, 55))
        .line(300, ended())
        .folded();
    assert_eq!(turn.usage.unwrap().input_tokens, 55);
}

#[test]
fn exact_usage_makes_totals_redundant() {
    let exact = Fact::ResponseUsage { response_id: "r1".into(), usage: tokens(5) };
    let turn = Told::by_rollout().lines([(100, said("a")), (200, exact), (210, counted(500, 500))]).folded();
    assert_eq!((turn.calls.len(), turn.usage.unwrap().input_tokens), (1, 5));
}

#[test]
fn text_only_an_event_tells_is_kept() {
    let turn = Told::by_rollout().lines([(100, user("hi")), (200, event("a")), (300, ended())]).folded();
    assert_eq!((parts(&turn.calls.at(0)), turn.calls.at(0).ended), (vec!["a"], at(200)));
}

#[test]
fn text_told_twice_is_kept_once() {
    let twice = [(200, event("a <mark>")), (210, said("a")), (220, event("a")), (300, ended())];
    assert_eq!(parts(&Told::by_rollout().lines(twice).folded().calls.at(0)), ["a"]);
    let both = [(200, event("a")), (210, event("b")), (220, used("r")), (300, ended())];
    assert_eq!(parts(&Told::by_rollout().lines(both).folded().calls.at(0)), ["a", "b"]);
}

#[test]
fn reasoning_without_text_still_takes_time() {
    let thought = |text: &str| Fact::Output(ModelOutput::Reasoning { text: text.into() });
    let turn =
        Told::by_rollout().lines([(100, user("hi")), (500, thought("")), (600, thought("hm"))]).folded();
    assert_eq!(turn.calls.at(0).output, [Output::Reasoning("hm".into())]);
    let turn = Told::by_rollout().lines([(100, user("hi")), (500, thought(""))]).folded();
    assert_eq!((turn.calls.len(), turn.calls.at(0).ended), (1, at(500)));
}

#[test]
fn nameless_call_takes_its_event_s_id() {
    let reported = Told::by_rollout().lines([(100, search("ws-7")), (110, nameless("web_search"))]);
    let ids: Vec<_> = reported.folded().tools.iter().map(|t| t.call_id.clone()).collect();
    assert_eq!(ids, ["ws-7"]);
    let reported = Told::by_rollout().lines([(90, call("c", "")), (110, nameless("web_search"))]);
    let ids: Vec<_> = reported.folded().tools.iter().map(|t| t.call_id.clone()).collect();
    assert_eq!(ids, ["c", "web_search-2"]);
    let command = ToolDetail { call_id: "x".into(), kind: "CommandExecution".into(), ..Default::default() };
    let reported =
        Told::by_rollout().lines([(100, Fact::ToolDetail(Box::new(command))), (110, nameless("web_search"))]);
    let ids: Vec<_> = reported.folded().tools.iter().map(|t| t.call_id.clone()).collect();
    assert_eq!(ids, ["x", "web_search-2"], "a command's note is no search");
}

#[test]
fn id_used_again_is_another_call() {
    let turn = Told::by_rollout()
        .lines([(100, call("c", "")), (200, answered("c", "one")), (300, call("c", ""))])
        .lines([(400, answered("c", "two")), (900, ended())])
        .folded();
    let tools: Vec<_> = turn.tools.iter().map(|t| (t.key.clone(), t.output.clone().unwrap())).collect();
    assert_eq!(tools, [("c".into(), "one".into()), ("c#2".into(), "two".into())]);
    assert_eq!(parts(&turn.calls.at(1)), ["c#2"]);
}

#[test]
fn id_told_twice_before_its_result_is_one() {
    let turn =
        Told::by_rollout().lines([(100, call("c", "")), (200, call("c", "")), (900, ended())]).folded();
    assert_eq!(turn.tools.len(), 1);
}

#[test]
fn turn_s_model_outranks_the_thread_s() {
    let model = |name: &str| Some(name.to_owned());
    let settings = ThreadSettings { model: model("thread's"), ..ThreadSettings::default() };
    let context = TurnContext { model: model("turn's"), ..TurnContext::default() };
    let reported = || Told::by_rollout().line(1, Fact::Settings(Box::new(settings.clone())));
    let of = |turn: Turn| (turn.calls.at(0).model.clone(), turn.about.model);
    assert_eq!(of(reported().line(9, said("a")).folded()), (model("thread's"), model("thread's")));
    let both = reported().lines([(5, Fact::Context(Box::new(context.clone()))), (9, said("a"))]);
    assert_eq!(of(both.folded()), (model("turn's"), model("turn's")));
}

#[test]
fn window_and_limits_are_the_last_told() {
    let count = |window, limits: Option<&str>| Fact::TokenCount {
        total: tokens(1),
        last: tokens(1),
        window,
        rate_limits: limits.map(str::to_owned),
    };
    let begun = TurnBeginning { context_window: Some(100), ..TurnBeginning::default() };
    let other = "01a20338-12bb-7000-8000-000000000002";
    let turn = Told::by_nobody()
        .lines([(0, Fact::TurnStarted(Box::new(begun))), (10, said("a")), (20, count(Some(200), Some("{}")))])
        .lines([(25, count(None, None)), (30, answered("c", "r")), (40, said("b")), (50, ended())])
        .line(60, count(Some(300), Some("late")))
        .line_of(other, 70, Fact::TurnStarted(Box::default()))
        .folded();
    assert_eq!((turn.calls.at(0).context_window, turn.calls.at(1).context_window), (Some(100), Some(200)));
    assert_eq!((turn.about.context_window, turn.about.rate_limits.as_deref()), (Some(200), Some("{}")));
}

#[test]
fn what_another_turn_sets_holds_there_alone() {
    let other = "01a20338-12bb-7000-8000-000000000002";
    let tier = |name: &str| {
        Fact::Settings(Box::new(ThreadSettings { service_tier: Some(name.into()), ..Default::default() }))
    };
    let window = |window| Fact::TokenCount {
        total: tokens(1),
        last: tokens(1),
        window: Some(window),
        rate_limits: Some(window.to_string()),
    };
    let turn = Told::by_rollout()
        .lines([(5, tier("ours")), (10, said("a")), (20, window(100))])
        .line_of(other, 30, Fact::TurnStarted(Box::default()))
        .line_of(other, 40, tier("theirs"))
        .line_of(other, 50, window(999))
        .line_of(other, 60, said("theirs"))
        .folded();
    let about = &turn.about;
    assert_eq!(about.service_tier.as_deref(), Some("ours"));
    assert_eq!((about.context_window, about.rate_limits.as_deref()), (Some(100), Some("100")));
    assert_eq!((turn.calls.len(), turn.ended), (1, at(9_000)));
}

#[test]
fn first_token_is_the_first_response_s() {
    let turn = Told::by_rollout()
        .lines([(100, said("a")), (200, answered("c", "r")), (300, said("b")), (900, ended())])
        .folded();
    let first: Vec<_> = turn.calls.iter().map(|c| c.time_to_first_token).collect();
    assert_eq!(first, [Some(Duration::from_millis(70)), None]);
    assert!(Told::by_rollout().line(900, ended()).folded().calls.is_empty());
}

#[test]
fn responses_lie_within_their_turn() {
    let mut reported = Told::by_rollout().closed(Reason::Backfill);
    reported = reported.lines([(100, said("a")), (400, ended())]).line(700, used("r"));
    let turn = reported.folded();
    assert_eq!((turn.ended, turn.calls.at(0).ended), (at(400), at(400)));
    assert!(turn.calls.at(0).started >= turn.started);
}

#[test]
fn given_is_told_with_the_next_request_alone() {
    let given = |developer, text: &str| Fact::Given { developer, text: text.into() };
    let tools = || Fact::Tools { schemas: vec!["{\"name\":\"x\"}".into()] };
    let mut reported = Told::by_rollout()
        .lines([
            (1, given(true, "rules")),
            (2, given(false, "place")),
            (3, given(false, " hi ")),
            (4, tools()),
        ])
        .lines([(5, given(true, "")), (10, user("hi")), (20, said("a")), (30, answered("c", "r"))])
        .lines([(40, said("b")), (50, ended())]);
    reported.meta = Some(SessionMeta { instructions: Some("be good".into()), ..SessionMeta::default() });
    reported.closing.profile.model_input = true;
    let turn = reported.folded();
    assert_eq!(inputs(&turn.calls.at(0)), ["be good", "rules", "place", "hi"]);
    let roles: Vec<MessageRole> = turn.calls.at(0).input.iter().map(|m| m.role).collect();
    assert_eq!(roles, [MessageRole::System, MessageRole::Developer, MessageRole::User, MessageRole::User]);
    assert_eq!((turn.calls.at(0).tools.len(), turn.calls.at(1).tools.len()), (1, 0));
    assert_eq!(turn.calls.at(1).input.len(), 1);
}

#[test]
fn instructions_stand_in_the_first_turn() {
    for (wanted, number, part, reported) in
        [(true, 1, 0, true), (true, 2, 0, false), (true, 1, 1, false), (false, 1, 0, false)]
    {
        let mut evidence = Told::by_rollout().lines([
            (1, Fact::Given { developer: true, text: "rules".into() }),
            (2, Fact::Tools { schemas: vec!["{}".into()] }),
            (20, said("a")),
        ]);
        evidence.meta = Some(SessionMeta { instructions: Some("be good".into()), ..SessionMeta::default() });
        evidence.closing.profile.model_input = wanted;
        (evidence.closing.turn.number, evidence.closing.turn.part) = (number, part);
        let turn = evidence.folded();
        let input = inputs(&turn.calls.at(0)).join(", ");
        let expected = [if reported { "be good, " } else { "" }, if wanted { "rules" } else { "" }].concat();
        assert_eq!((input, turn.calls.at(0).tools.len()), (expected, usize::from(wanted)), "{number} {part}");
    }
}

#[test]
fn whole_images_replace_their_paths() {
    let image = |text: &str| Image(text.into());
    let message = |images| Fact::User(UserMessage { text: "look".into(), images });
    for (whole, kept) in [(vec![image("data:1")], "data:1"), (vec![image("a"), image("b")], "/tmp/x.png")] {
        let turn = Told::by_rollout()
            .lines([
                (10, Fact::UserImages { text: String::new(), images: whole }),
                (20, message(vec![image("/tmp/x.png")])),
                (30, said("a")),
            ])
            .folded();
        assert_eq!((&turn.inputs[0].images[..], turn.inputs.len()), (&[image(kept)][..], 1));
    }
}

#[test]
fn message_of_another_agent_names_it() {
    let message = Fact::AgentMessage { author: "helper".into(), text: "done".into() };
    let turn = Told::by_rollout().lines([(10, user("hi")), (20, message), (30, said("a"))]).folded();
    assert_eq!(inputs(&turn.calls.at(0)), ["hi", "helper: done"]);
    assert_eq!((turn.calls.at(0).started, turn.inputs.len()), (at(20), 1));
}
