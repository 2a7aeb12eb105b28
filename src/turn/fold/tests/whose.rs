//! Whose a turn was, and what its circumstances were.

use super::*;
use crate::codex::rollout::SubagentSource;
use crate::turn::state::Root;

const ROOT_TURN: &str = "01a20338-12bb-7000-8000-00000000000a";
const PARENT_TURN: &str = "01a20338-12bb-7000-8000-00000000000b";
const CALLED_IN: &str = "01a20338-12bb-7000-8000-00000000000c";

fn name(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn turn_id(text: &str) -> TurnId {
    TurnId::parse(text).unwrap()
}

/// A turn of a subagent, of which hooks know its root.
fn subagent(beginning: TurnBeginning) -> Told {
    let mut reported = Told::by_nobody().line(0, Fact::TurnStarted(Box::new(beginning)));
    let thread = ThreadId::parse("root").unwrap();
    reported.closing.root = Some(Root { thread, turn: Some(turn_id(ROOT_TURN)), agent_type: name("hooked") });
    reported
}

fn of_parent(parent: &str) -> Option<SessionMeta> {
    let subagent = SubagentSource {
        parent_thread: name(parent),
        path: name("/root/helper"),
        nickname: name("Bo"),
        role: name("explorer"),
        ..SubagentSource::default()
    };
    Some(SessionMeta { subagent: Some(subagent), ..SessionMeta::default() })
}

fn spawned() -> Option<SpawnCall> {
    Some(SpawnCall { call_id: "spawn".into(), turn: name(CALLED_IN), task: name("look around") })
}

#[test]
fn turn_of_no_subagent_is_its_own_root() {
    let turn = Told::by_rollout().folded();
    assert_eq!((turn.root_thread.as_str(), turn.root_turn.as_str()), ("thread", TURN));
    assert_eq!(turn.agent, None);
}

#[test]
fn rollout_names_a_subagent_s_root_best() {
    let named = TurnBeginning { root_turn: name(ROOT_TURN), ..TurnBeginning::default() };
    for (beginning, spawn, parent, root) in [
        (named, spawned(), "root", ROOT_TURN),
        (TurnBeginning::default(), spawned(), "root", CALLED_IN),
        (TurnBeginning::default(), spawned(), "another", ROOT_TURN),
        (TurnBeginning::default(), None, "root", ROOT_TURN),
    ] {
        let mut reported = subagent(beginning);
        (reported.meta, reported.spawn) = (of_parent(parent), spawn);
        if parent == "root" && reported.spawn.is_some() {
            reported.closing.root.as_mut().unwrap().turn = None;
        }
        let turn = reported.folded();
        assert_eq!((turn.root_thread.as_str(), turn.root_turn.as_str()), ("root", root));
    }
}

#[test]
fn subagent_hangs_from_its_spawning_call() {
    let mut reported = subagent(TurnBeginning { parent_turn: name(PARENT_TURN), ..TurnBeginning::default() });
    (reported.meta, reported.spawn) = (of_parent("between"), spawned());
    let agent = reported.folded().agent.unwrap();
    let names = (agent.kind.as_deref(), agent.path.as_deref(), agent.nickname.as_deref());
    assert_eq!(names, (Some("explorer"), Some("/root/helper"), Some("Bo")));
    let parent = agent.parent.unwrap();
    assert_eq!((parent.thread.as_str(), parent.turn.as_str()), ("between", CALLED_IN));
    assert_eq!(parent.call_id.as_deref(), Some("spawn"));
}

#[test]
fn unseen_subagent_hangs_from_its_parent() {
    let begun = TurnBeginning { parent_turn: name(PARENT_TURN), ..TurnBeginning::default() };
    for (beginning, turn) in [(begun, PARENT_TURN), (TurnBeginning::default(), ROOT_TURN)] {
        let agent = subagent(beginning).folded().agent.unwrap();
        let parent = agent.parent.unwrap();
        assert_eq!((parent.thread.as_str(), parent.turn.as_str(), parent.call_id), ("root", turn, None));
        assert_eq!(agent.kind.as_deref(), Some("hooked"));
    }
}

#[test]
fn subagent_s_prompt_is_its_task() {
    let texts = |reported: Told| reported.folded().inputs.into_iter().map(|m| m.text).collect::<Vec<_>>();
    let reported = || Told { spawn: spawned(), ..subagent(TurnBeginning::default()) };
    let mut prompted = reported();
    prompted.closing.turn.prompts = vec!["the parent's".into()];
    assert_eq!(texts(prompted), ["look around"]);
    assert_eq!(texts(reported().line(10, user("go"))), ["go"]);
    let mut both = reported().line(10, user("go"));
    both.closing.turn.prompts = vec!["go".into(), "on".into()];
    assert_eq!(texts(both), ["go", "on"]);
    let sealed = format!("gAAAAA{}", "aB-_9".repeat(30));
    let reported = Told { spawn: Some(SpawnCall { task: Some(sealed), ..Default::default() }), ..reported() };
    assert_eq!(texts(reported), ["[sealed by the provider, 156 characters]"]);
}

#[test]
fn hooks_prompts_follow_the_rollout_s() {
    let texts = |prompts: &[&str], reported: Told| {
        let mut reported = reported;
        reported.closing.turn.prompts = prompts.iter().map(|p| (*p).to_owned()).collect();
        reported.folded().inputs.into_iter().map(|m| m.text).collect::<Vec<_>>()
    };
    let one = || Told::by_rollout().line(10, user("a"));
    assert_eq!(texts(&["a", "b"], one()), ["a", "b"]);
    assert_eq!(texts(&["a", "a"], one()), ["a"], "two hooks said the same");
    assert_eq!(texts(&["x"], one()), ["a"], "the rollout knows as much");
    assert_eq!(texts(&["x", "y"], Told::by_rollout()), ["x", "y"]);
    assert_eq!(texts(&[], one().line(20, user("b"))), ["a", "b"]);
    assert!(texts(&[], Told::by_rollout()).is_empty());
}

#[test]
fn goal_is_the_input_of_a_turn_without_one() {
    let goal = |trigger: &str, objective: Option<&str>| {
        let objective = objective.map(str::to_owned);
        Fact::TurnStarted(Box::new(TurnBeginning { trigger: name(trigger), objective, ..Default::default() }))
    };
    let before = || Told::by_nobody().line(-9, Fact::Goal { objective: "green tests".into() });
    let texts = |reported: Told| reported.folded().inputs.into_iter().map(|m| m.text).collect::<Vec<_>>();
    assert_eq!(texts(before().line(0, goal("goal", Some("own")))), ["own"]);
    assert_eq!(texts(before().line(0, goal("goal", None))), ["green tests"]);
    assert!(texts(before().line(0, goal("user", None))).is_empty());
    assert_eq!(texts(before().lines([(0, goal("goal", None)), (9, user("hi"))])), ["hi"]);
    let other = "01a20338-12bb-7000-8000-000000000002";
    let late = before()
        .line(0, goal("goal", None))
        .line_of(other, 10, Fact::TurnStarted(Box::default()))
        .line_of(other, 20, Fact::Goal { objective: "another".into() });
    assert_eq!(texts(late), ["green tests"]);
    let after = before().lines([(0, goal("goal", None)), (9, ended())]);
    assert_eq!(texts(after.line(20, Fact::Goal { objective: "another".into() })), ["green tests"]);
}

#[test]
fn origin_names_who_reported_the_turn() {
    for (reason, origin) in [
        (Reason::Backfill, Origin::Backfill),
        (Reason::NotifyOnly, Origin::Notify),
        (Reason::Stop, Origin::Hooks),
    ] {
        assert_eq!(Told::by_rollout().closed(reason).folded().origin, origin);
    }
    let mut reported = Told::by_rollout();
    reported.closing.turn.number = 0;
    assert_eq!(reported.folded().number, None);
    assert_eq!(Told::by_rollout().folded().number, Some(1));
}

#[test]
fn circumstances_come_from_the_nearest_source() {
    let meta = SessionMeta {
        cwd: name("/meta"),
        originator: name("codex_exec"),
        cli_version: name("0.171.0"),
        model_provider: name("openai"),
        source: name("exec"),
        git_branch: name("old"),
        git_commit: name("c0ffee"),
        ..SessionMeta::default()
    };
    let settings = ThreadSettings { effort: name("low"), summary: name("auto"), ..Default::default() };
    let context = TurnContext { effort: name("high"), summary: name("none"), ..Default::default() };
    let mut reported = Told::by_rollout()
        .lines([(1, Fact::Settings(Box::new(settings))), (2, Fact::Context(Box::new(context)))]);
    reported.meta = Some(meta);
    reported.git = Git { branch: name("main"), ..Git::default() };
    reported.closing.session.cwd = name("/hooked");
    reported.closing.session.model = name("hooked-model");
    let about = reported.folded().about;
    assert_eq!((about.effort, about.reasoning_summary), (name("high"), name("auto")));
    assert_eq!((about.cwd, about.model), (name("/hooked"), name("hooked-model")));
    assert_eq!((about.git.branch, about.git.commit), (name("main"), name("c0ffee")));
    assert_eq!((about.client, about.codex_version), (name("codex_exec"), name("0.171.0")));
    assert_eq!((about.provider, about.session_source), (name("openai"), name("exec")));
}

#[test]
fn row_of_another_turn_is_passed_over() {
    let other = Some(turn_id("01a20338-12bb-7000-8000-000000000002"));
    let reported = || Told::by_nobody();
    assert!(reported().hooks([Row { turn: other, ..pre("c", 100) }]).folded().tools.is_empty());
    assert_eq!(
        reported().hooks([Row { turn: Some(turn_id(TURN)), ..pre("c", 100) }]).folded().tools.len(),
        1
    );
}
