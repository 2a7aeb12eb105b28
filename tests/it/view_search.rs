//! `arize-codex search` and `show --markdown` on recorded turns.

use std::process::Command;

use crate::replay::Recording;

/// Replays a recording and returns its home.
fn home_of(recording: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(recording);
    let recording = Recording::load(&path);
    recording.replay_in(&recording.context(home.path(), "calls"));
    home
}

fn run(home: &std::path::Path, args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_arize-codex"))
        .args(args)
        .env_clear()
        .env("HOME", home)
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn search_finds_prompts_commands_and_output() {
    let home = home_of("codex-0.169.0/tools");
    for (text, place) in [
        ("Look Around", ""),
        ("look around", "prompt"),
        ("oops >&2", "Bash"),
        ("All done", "answer"),
        ("beta", "Bash"),
    ] {
        let (code, out) = run(home.path(), &["search", text]);
        assert_eq!(code, i32::from(place.is_empty()), "{text}: {out}");
        assert!(out.contains(place), "{text}: {out}");
    }
    let (_, json) = run(home.path(), &["search", "oops", "--json"]);
    let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((rows[0]["number"].as_u64(), rows[0]["place"].as_str()), (Some(1), Some("Bash")), "{rows}");
    let (code, out) = run(home.path(), &["search", ""]);
    assert_eq!((code, out.as_str()), (2, ""));
}

/// What a coding agent asks: which sessions touched this file?
#[test]
fn search_finds_turns_by_touched_file() {
    let home = home_of("codex-0.169.0/tools");
    for (path, found) in
        [("new.txt", true), ("./new.txt", true), ("ew.txt", false), ("/elsewhere/new.txt", false)]
    {
        let (code, json) = run(home.path(), &["search", "--file", path, "--json"]);
        let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((code == 0, !rows.as_array().unwrap().is_empty()), (found, found), "{path}: {rows}");
        if found {
            assert_eq!(
                (rows[0]["number"].as_u64(), rows[0]["place"].as_str()),
                (Some(1), Some("added")),
                "{rows}"
            );
            assert!(rows[0]["text"].as_str().unwrap().contains("*** Add File: new.txt"), "{rows}");
        }
    }
    assert_eq!(run(home.path(), &["search", "text", "--file", "new.txt"]).0, 2);
    assert_eq!(run(home.path(), &["search", "--file", "new.txt", "--rollouts"]).0, 2);
    assert_eq!(run(home.path(), &["search"]).0, 2);
}

#[test]
fn search_reads_rollouts_and_hides_secrets() {
    let home = tempfile::tempdir().unwrap();
    let day = home.path().join(".codex/sessions/2026/11/27");
    std::fs::create_dir_all(&day).unwrap();
    let token = format!("ghp_{}", "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5");
    let line = format!(
        r#"{{"timestamp":"2026-11-27T10:00:00Z","type":"response_item","payload":{{"type":"message","text":"needle with {token}"}}}}"#
    );
    std::fs::write(day.join("rollout-2026-11-27T10-00-00-01a208b7-4665-7351-8821-05e2a116e8e7.jsonl"), line)
        .unwrap();
    let (code, out) = run(home.path(), &["search", "needle", "--rollouts"]);
    assert!(code == 0 && out.contains("needle with") && !out.contains(&token[8..]), "{out}");
    assert_eq!(run(home.path(), &["search", "needle", "--rollouts", "--session", "01b"]).0, 1);
}

#[test]
fn show_markdown_tells_a_turn() {
    let home = home_of("codex-0.169.0/tools");
    let (code, out) = run(home.path(), &["show", "--markdown"]);
    assert_eq!(code, 0);
    for part in [
        "## Turn 1",
        "### Prompt",
        "look around and add a file",
        "**Bash**",
        "✗ exit code 3",
        "### Answer",
        "All done.",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
}
