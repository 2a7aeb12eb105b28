//! A command that the user runs with `!` calls no hook. As the last act of a Codex that lives on it is told by the next
//! look, whoever takes it: a hook of another thread, `flush`, `list`, `doctor`, `backfill`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arize_codex::delivery::archive;
use arize_codex::otel::attribute::string;
use arize_codex::otel::entry::Entry;
use serde_json::Value;

use crate::lab::{Lab, Session};

#[test]
fn commands_of_people_tell_a_last_shell_command() {
    for command in [&["flush", "--wait", "60"][..], &["list"], &["doctor"], &["backfill"]] {
        let lab = with_a_last_command();
        lab.run(command);
        assert_told(&lab, &command.join(" "));
    }
}

#[test]
fn hooks_of_another_thread_tell_a_last_command() {
    let lab = with_a_last_command();
    Session::start(&lab, 7);
    assert_told(&lab, "SessionStart of another thread");
    let lab = with_a_last_command();
    let prompt = Session::named(&lab, 7).calls_of_turn(1, 0).remove(0);
    lab.call(prompt.0, &prompt.1);
    assert_told(&lab, "UserPromptSubmit of another thread");
}

#[test]
fn looks_tell_a_last_shell_command_once() {
    let lab = with_a_last_command();
    for command in [&["list"][..], &["flush", "--wait", "60"], &["backfill"], &["doctor"], &["list"]] {
        lab.run(command);
    }
    lab.flush();
    assert_eq!(told(&lab).len(), 2, "{:?}", told(&lab));
}

#[test]
fn a_command_that_still_runs_is_not_told() {
    let (lab, rollout, rest) = with_a_delivered_turn();
    let running: String = rest.lines().take(1).map(|line| format!("{line}\n")).collect();
    assert!(running.contains("task_started"));
    append(&rollout, &running);
    lab.run(&["list"]);
    lab.flush();
    assert_eq!(told(&lab).len(), 1);
}

/// A home in which a turn is delivered and, behind it, the user's own command has ended. This very process stands for the
/// Codex that lives on: it calls the hooks.
fn with_a_last_command() -> Lab {
    let (lab, rollout, rest) = with_a_delivered_turn();
    append(&rollout, &rest);
    assert_eq!(told(&lab).len(), 1);
    lab
}

/// Plays the recording to the end of its first turn. Returns what Codex wrote to the rollout after that.
fn with_a_delivered_turn() -> (Lab, PathBuf, String) {
    let lab = Lab::new("target: local");
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/codex-0.171.0/app-shell");
    let files = fs::read_dir(&recording).unwrap().flatten().map(|entry| entry.path());
    let recorded = files.into_iter().find(|path| path.to_str().unwrap().contains("/rollout-")).unwrap();
    let text = fs::read_to_string(&recorded).unwrap();
    let first_turn = text.find("\"task_complete\"").unwrap();
    let (first_turn, rest) = text.split_at(first_turn + text[first_turn..].find('\n').unwrap() + 1);
    let sessions = lab.paths().codex().join("sessions/2026/11/27");
    fs::create_dir_all(&sessions).unwrap();
    let rollout = sessions.join(recorded.file_name().unwrap());
    append(&rollout, first_turn);
    for line in fs::read_to_string(recording.join("events.jsonl")).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let role = match event["event"].as_str().unwrap() {
            "SessionEnd" => break,
            "notify" => continue,
            "SessionStart" | "UserPromptSubmit" => "session",
            "Stop" => "stop",
            _ => "tool",
        };
        let mut payload = event["payload"].clone();
        payload["transcript_path"] = rollout.to_str().unwrap().into();
        lab.call(role, &payload.to_string());
    }
    lab.flush();
    assert_eq!(told(&lab).len(), 1);
    (lab, rollout, rest.to_owned())
}

fn append(rollout: &Path, text: &str) {
    let before = fs::read_to_string(rollout).unwrap_or_default();
    fs::write(rollout, before + text).unwrap();
}

/// The names of the tools of each turn in the archive.
fn told(lab: &Lab) -> Vec<Vec<String>> {
    let sent = archive::items(lab.paths()).filter(|item| item.place == archive::DeliveryState::Sent);
    let entries = sent.map(|item| Entry::decode(&fs::read(&item.path).unwrap()).unwrap());
    let tools = |entry: Entry| {
        let tools = entry.spans.into_iter().filter(|s| string(s, "openinference.span.kind") == Some("TOOL"));
        tools.map(|span| span.name).collect()
    };
    entries.map(tools).collect()
}

/// Waits for the command to be told: delivery is a process of its own.
fn assert_told(lab: &Lab, by: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while told(lab).len() < 2 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut told = told(lab);
    told.sort();
    assert_eq!(told, [vec![], vec!["Bash".to_owned()]], "{by}\n{}", lab.log());
}
