//! Rollouts as users have them, told by backfill: torn, glued, copied, written by old releases or by other programs.
//!
//! Each of `fixtures/rollouts` has its turns stated by hand beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use arize_codex::delivery::past_turns::{self, FoundTurn, Wanted};
use arize_codex::otel::attribute::{number, string};
use arize_codex::otel::entry::Entry;
use arize_codex::settings::Settings;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

use crate::lab::Lab;

#[test]
fn rollouts_of_all_kinds_give_their_turns() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rollouts");
    let mut count = 0;
    let mut wrong = Vec::new();
    for path in fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()) {
        if path.extension().is_none_or(|e| e != "jsonl") {
            continue;
        }
        count += 1;
        let stated = fs::read_to_string(path.with_extension("expected.json")).unwrap();
        let stated: Value = serde_json::from_str(&stated).unwrap();
        let told: Vec<Value> = turns_of(&path).iter().map(seen).collect();
        let wanted = stated["turns"].as_array().unwrap();
        for (k, want) in wanted.iter().enumerate() {
            let got = told.get(k).unwrap_or(&Value::Null);
            for (key, value) in want.as_object().unwrap().iter().filter(|(k, v)| *k != "id" || !v.is_null()) {
                if got[key] != *value {
                    wrong.push(format!("{}: {key} is {}, not {value}", path.display(), got[key]));
                }
            }
        }
        if told.len() != wanted.len() {
            wrong.push(format!("{}: {} turns, not {}", path.display(), told.len(), wanted.len()));
        }
    }
    assert!(count >= 11, "only {count} rollouts");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn turns_of(rollout: &Path) -> Vec<Entry> {
    let lab = Lab::new("target: local, span_tree: calls");
    let settings = Settings::load(lab.context()).unwrap();
    let copy = lab.folder().join("rollout.jsonl");
    fs::copy(rollout, &copy).unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(48 * 3600);
    fs::File::options().append(true).open(&copy).unwrap().set_modified(long_ago).unwrap();
    let mut found = Vec::new();
    past_turns::scan(lab.context(), &settings, &copy, &Wanted::default(), &mut |turn| {
        if let FoundTurn::Turn(turn) = turn {
            found.push(turn.into_entry());
        }
        Ok(())
    })
    .unwrap();
    found
}

fn seen(entry: &Entry) -> Value {
    let root = &entry.spans[0];
    let kind = |kind: &'static str| {
        entry.spans.iter().filter(move |s| string(s, "openinference.span.kind") == Some(kind))
    };
    let models: BTreeSet<&str> = kind("LLM").filter_map(|s| string(s, "llm.model_name")).collect();
    let sum = |key: &str| kind("LLM").filter_map(|s| number(s, key)).sum::<i64>();
    let tokens = [sum("llm.token_count.prompt"), sum("llm.token_count.completion")];
    let mut tools: Vec<Value> = kind("TOOL")
        .map(|s| {
            let failed = s.status.as_ref().is_some_and(|status| status.code == 2);
            json!([string(s, "tool_call.id"), !failed, number(s, "codex.tool.exit_code")])
        })
        .collect();
    tools.sort_by_key(Value::to_string);
    let mut prompt_tokens: BTreeMap<&str, i64> = BTreeMap::new();
    for span in kind("LLM") {
        let used = number(span, "llm.token_count.prompt").unwrap_or_default();
        *prompt_tokens.entry(string(span, "llm.model_name").unwrap_or_default()).or_default() += used;
    }
    let failure = |span: &Span| {
        let status = span.status.as_ref().filter(|status| status.code == 2)?;
        Some((string(span, "tool_call.id")?.to_owned(), Value::from(status.message.clone())))
    };
    let failures: BTreeMap<String, Value> = kind("TOOL").filter_map(failure).collect();
    json!({
        "id": entry.head.key.turn.as_str(),
        "status": string(root, "codex.turn.status"),
        "prompt": string(root, "input.value"),
        "answer": string(root, "output.value"),
        "models": models,
        "prompt_tokens": prompt_tokens,
        "failures": failures,
        "tokens": if tokens == [0, 0] { json!([]) } else { json!(tokens) },
        "tools": tools,
        "compactions_ms": kind("CHAIN").map(|s| (s.end_time_unix_nano - s.start_time_unix_nano) / 1_000_000).collect::<Vec<_>>(),
        "workspace": string(root, "codex.workspace"),
    })
}

#[test]
fn backfill_names_files_that_are_no_rollouts() {
    let lab = Lab::new("target: local");
    let directory = lab.folder().join("mixed");
    fs::create_dir_all(&directory).unwrap();
    let write = |name: &str, text: &str| -> PathBuf {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let old = write(
        "rollout-2025-04-20-abc.json",
        r#"{"session":{"id":"abc","timestamp":"x","instructions":""},"items":[]}"#,
    );
    let exec = write(
        "run.jsonl",
        "{\"type\":\"thread.started\",\"thread_id\":\"t\"}\n{\"type\":\"turn.started\"}\n",
    );
    let other = write("notes.jsonl", "hello\n");
    let paths = [&old, &exec, &other].map(|p| p.to_str().unwrap().to_owned());
    let output = lab.run(&["backfill", "--dry-run", &paths[0], &paths[1], &paths[2]]);
    let text = String::from_utf8(output.stdout).unwrap();
    for (path, what) in [
        (&paths[0], "a session of the TypeScript edition of Codex"),
        (&paths[1], "what `codex exec --json` prints"),
        (&paths[2], "no session of Codex"),
    ] {
        assert!(text.contains(&format!("not a session file: {path}: {what}")), "{text}");
    }
    // The same in a directory: `.json` files are named too.
    let output = lab.run(&["backfill", "--dry-run", directory.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("not a session file: ") && text.contains("TypeScript edition"), "{text}");
}

#[test]
fn backfill_says_which_rollouts_other_programs_wrote() {
    let lab = Lab::new("target: local");
    let rollout =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rollouts/third-party-no-context.jsonl");
    let copy = lab.folder().join("rollout.jsonl");
    fs::copy(rollout, &copy).unwrap();
    let output = lab.run(&["backfill", "--dry-run", copy.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("1 session file written by grok-build, not by Codex: its turns have no model"),
        "{text}"
    );
}
