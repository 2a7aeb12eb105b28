//! Rollouts of code mode, failures and Codex's own threads, written with their truth by `tests/lab/code_mode.py`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use arize_codex::otel::attribute::string;
use arize_codex::otel::entry::Entry;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;

use crate::view_backfill::{backfill, given};

#[test]
fn every_outcome_of_code_mode_is_read_right() {
    let home = tempfile::tempdir().unwrap();
    let sessions = home.path().join(".codex/sessions/2026/11/22");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/code_mode.py");
    let made = Command::new("python3").arg(script).arg(&sessions).status().unwrap();
    assert!(made.success());
    let truth = sessions.join("truth.json");
    let wanted: BTreeMap<String, Value> = serde_json::from_slice(&fs::read(&truth).unwrap()).unwrap();
    fs::remove_file(truth).unwrap();
    let found: BTreeMap<String, Entry> =
        backfill(&given(home.path())).into_iter().map(|e| (e.head.key.thread.to_string(), e)).collect();
    assert!(wanted.len() >= 20);
    let wrong: Vec<String> =
        wanted.iter().flat_map(|(thread, truth)| differences(truth, found.get(thread))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn differences(truth: &Value, entry: Option<&Entry>) -> Vec<String> {
    let name = truth["name"].as_str().unwrap();
    let mut wrong = Vec::new();
    let mut check = |what: &str, want: Value, got: Value| {
        if want != got {
            wrong.push(format!("{name}: {what}: {got} for {want}"));
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
    let open: Vec<&str> = truth["open"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (id, call) in calls {
        let Some(span) = tools.get(id.as_str()) else { continue };
        let ok = span.status.as_ref().is_some_and(|s| s.code == 1);
        check(id, call["ok"].clone(), ok.into());
        let parent = tools.iter().find(|(_, s)| s.span_id == span.parent_span_id);
        if !open.contains(&id.as_str()) {
            check("parent", call["in"].clone(), parent.map(|(id, _)| *id).into());
        }
        if let Some((_, parent)) = parent {
            let within = span.start_time_unix_nano >= parent.start_time_unix_nano
                && span.end_time_unix_nano <= parent.end_time_unix_nano;
            check("bounds", true.into(), within.into());
        }
    }
    wrong
}
