//! Rollouts of code mode, failures and Codex's own threads, written with their truth by `tests/lab/made_rollouts.py`: each
//! form alone, and random turns in which all forms follow one another.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use arize_codex::otel::attribute::string;
use arize_codex::otel::entry::Entry;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;

use crate::view_backfill::{backfill, given};

#[test]
fn every_outcome_of_made_rollouts_is_right() {
    let mut wrong = Vec::new();
    for seed in SEEDS {
        let home = tempfile::tempdir().unwrap();
        let sessions = home.path().join(".codex/sessions/2026/11/22");
        make(&sessions, seed);
        let truth = sessions.join("truth.json");
        let wanted: BTreeMap<String, Value> = serde_json::from_slice(&fs::read(&truth).unwrap()).unwrap();
        fs::remove_file(truth).unwrap();
        let mut found: BTreeMap<(String, String), Entry> = backfill(&given(home.path()))
            .into_iter()
            .map(|e| ((e.head.key.thread.to_string(), e.head.key.turn.to_string()), e))
            .collect();
        let mixed = wanted.values().filter(|t| t["name"].as_str().unwrap().starts_with("mixed")).count();
        assert!(mixed >= 40, "{mixed}");
        for (thread, truth) in &wanted {
            for (turn, truth_of_turn) in truth["turns"].as_object().unwrap() {
                let entry = found.remove(&(thread.clone(), turn.clone()));
                let at = format!("seed {seed} {} {turn}", truth["name"].as_str().unwrap());
                wrong.extend(
                    differences(truth_of_turn, entry.as_ref()).into_iter().map(|d| format!("{at}: {d}")),
                );
            }
        }
        wrong.extend(found.keys().map(|(thread, turn)| format!("seed {seed}: {thread} {turn} is no turn")));
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

fn differences(truth: &Value, entry: Option<&Entry>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |what: &str, want: Value, got: Value| {
        if want != got {
            wrong.push(format!("{what}: {got} for {want}"));
        }
    };
    let Some(entry) = entry else {
        check("turn", truth["status"].clone(), Value::Null);
        return wrong;
    };
    let summary = &entry.head.summary;
    check("status", truth["status"].clone(), summary.status.clone().into());
    check("model calls", truth["responses"].clone(), summary.model_calls.into());
    let tools: BTreeMap<&str, &Span> =
        entry.spans.iter().filter_map(|s| Some((string(s, "tool_call.id")?, s))).collect();
    let calls = truth["tools"].as_object().unwrap();
    check("tools", calls.keys().cloned().collect(), tools.keys().map(|k| (*k).to_owned()).collect());
    let nested = calls.keys().filter(|id| id.starts_with("exec-")).count();
    check("nested", nested.into(), summary.nested_tool_calls.into());
    let open: Vec<&str> = truth["open"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for (id, call) in calls {
        let Some(span) = tools.get(id.as_str()) else { continue };
        let code = span.status.as_ref().map_or(0, |status| status.code);
        check(id, call["ok"].clone(), (code != 2).into());
        check(&format!("{id} is said to have gone well or not"), true.into(), (code != 0).into());
        let parent = tools.iter().find(|(_, s)| s.span_id == span.parent_span_id);
        if !open.contains(&id.as_str()) {
            check(&format!("{id} parent"), call["in"].clone(), parent.map(|(id, _)| *id).into());
        }
        if let Some((_, parent)) = parent {
            let within = span.start_time_unix_nano >= parent.start_time_unix_nano
                && span.end_time_unix_nano <= parent.end_time_unix_nano;
            check(&format!("{id} within its script"), true.into(), within.into());
        }
    }
    wrong
}

/// The lines are those Codex writes: no key that no recording has, and none left out that all have.
#[test]
fn made_rollouts_have_shapes_of_recordings() {
    let home = tempfile::tempdir().unwrap();
    make(home.path(), SEEDS[0]);
    let made = shapes(&files(home.path()));
    let newest = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/codex-0.171.0");
    let recorded = shapes(&files(&newest));
    let keys =
        |kind: &Value| -> BTreeSet<String> { kind["keys"].as_object().unwrap().keys().cloned().collect() };
    let mut wrong = Vec::new();
    for (kind, of_made) in made.as_object().unwrap() {
        let Some(of_recorded) = recorded.get(kind) else {
            wrong.push(format!("{kind}: never recorded"));
            continue;
        };
        wrong.extend(
            keys(of_made).difference(&keys(of_recorded)).map(|key| format!("{kind} {key}: only here")),
        );
        // What Codex resumes from stands in the line of a compaction; nobody here reads it.
        if kind != "compacted" {
            let always = |key: &&String| of_recorded["keys"][*key].as_str().unwrap().ends_with(" 100%");
            let always: BTreeSet<String> = keys(of_recorded).iter().filter(always).cloned().collect();
            wrong.extend(always.difference(&keys(of_made)).map(|key| format!("{kind} {key}: left out")));
        }
    }
    assert!(made.as_object().unwrap().len() >= 20);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn make(directory: &Path, seed: u64) {
    let made = lab("made_rollouts.py").arg(directory).arg(seed.to_string()).status().unwrap();
    assert!(made.success());
}

/// Kinds of lines and their keys, as `tests/lab/shapes.py` tells them.
fn shapes(files: &[PathBuf]) -> Value {
    let told = lab("shapes.py").args(files).output().unwrap();
    serde_json::from_slice(&told.stdout).unwrap()
}

fn lab(program: &str) -> Command {
    let mut python = Command::new("python3");
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab").join(program));
    python
}

/// Every rollout below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    crate::codex::collect(directory, &mut found);
    found.retain(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("rollout-") && name.ends_with(".jsonl")
    });
    found
}

/// Any others do as well.
const SEEDS: [u64; 3] = [1, 2, 3];
