//! Turns larger than the memory: what lies in a file is told as what lies in memory, and the memory stays small.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use arize_codex::codex::rollout::turns::Turns;
use arize_codex::codex::rollout::{Fact, ModelOutput, Record};
use arize_codex::ids::ThreadId;
use arize_codex::otel::prices::Prices;
use arize_codex::otel::spans::TurnSpans;
use arize_codex::turn::Git;
use arize_codex::turn::closed::Closing;
use arize_codex::turn::fold::{Evidence, fold};
use arize_codex::turn::rows::Row;
use arize_codex::turn::shelf::Scratch;
use serde_json::json;

use crate::lab::Lab;

/// Every recorded turn, with rows of hooks made up for it, as both trees.
#[test]
fn recorded_turn_is_same_from_file_and_memory() {
    let directory = tempfile::tempdir().unwrap();
    let mut rollouts = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"), &mut rollouts);
    let (mut turns, mut spans) = (0, 0);
    for path in &rollouts {
        let Ok(Some(mut reader)) = Turns::open(path) else { continue };
        while let Some(start) = reader.next_turn() {
            let records: Vec<Record> = reader.records().collect();
            for tree in ["turn", "calls"] {
                let closing = closing(start.id.as_str(), tree);
                let told = |scratch: &Scratch, hooked: bool| {
                    let rows = if hooked { rows(&records, start.id.as_str()) } else { Vec::new() };
                    let turn = fold(Evidence {
                        closing: &closing,
                        rows: Box::new(rows.into_iter()),
                        meta: None,
                        records: records.iter().cloned(),
                        spawn: None,
                        git: Git::default(),
                        scratch: scratch.clone(),
                    });
                    let turn = TurnSpans::new(turn, &closing.profile, &Prices::built_in());
                    let mut written = Vec::new();
                    turn.write(&mut written).unwrap();
                    (written, turn.count())
                };
                for hooked in [false, true] {
                    let (whole, count) = told(&Scratch::default(), hooked);
                    let kept = told(&Scratch::keeping(2, directory.path().to_owned()), hooked).0;
                    assert!(whole == kept, "{} {} {tree}", path.display(), start.id);
                    spans += count;
                }
                turns += 1;
            }
        }
    }
    assert!(turns > 400 && spans > 4000, "{turns} turns, {spans} spans");
}

/// What hooks would have reported of a turn: each call before and after, a question now and then, each response.
fn rows(records: &[Record], turn: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut say = |record: &Record, more: serde_json::Value| {
        let mut row = json!({"at": record.at, "turn": turn});
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rows.push(serde_json::from_value(row).unwrap());
    };
    for (n, record) in records.iter().enumerate() {
        match &record.fact {
            Fact::Output(ModelOutput::Call(request)) => {
                let (id, input) = (&request.call_id, json!({"command": request.arguments}));
                say(record, json!({"row": "pre_tool_use", "call_id": id, "name": "Bash", "input": input}));
                if n % 3 == 0 {
                    say(record, json!({"row": "permission_request", "name": "Bash", "input": input}));
                }
            }
            Fact::ToolOutput(output) => {
                let (id, text) = (&output.call_id, &output.text);
                say(record, json!({"row": "post_tool_use", "call_id": id, "name": "Bash", "output": text}));
            }
            Fact::ResponseUsage { response_id, usage } => {
                let request = json!({"id": format!("r{n}"), "attempt": 1, "status": "completed", "response": response_id, "usage": usage});
                say(record, json!({"row": "pre_model_request", "request": request}));
                say(record, json!({"row": "post_model_request", "request": request}));
            }
            _ => {}
        }
    }
    rows
}

fn closing(turn: &str, tree: &str) -> Closing {
    serde_json::from_value(json!({
        "version": 1, "thread": "thread", "session": {}, "reason": "stop", "at": 1_795_350_400_000_000_000u64,
        "turn": {"id": turn, "started": 1_795_350_300_000_000_000u64, "prompts": ["hello"]},
        "profile": {
            "project_name": "p", "user_id": null, "attributes": [], "tags": [], "span_tree": tree,
            "logging": {"prompts": true, "tool_details": true, "tool_content": true},
            "redact_secrets": true, "redact_patterns": [], "max_value_bytes": 4096,
        },
    }))
    .unwrap()
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e == "jsonl") && entry.file_name() != "events.jsonl" {
            found.push(path);
        }
    }
}

#[test]
fn turn_of_12000_calls_needs_little_memory() {
    for tree in ["turn", "calls"] {
        let lab = Lab::new(&format!("target: local, span_tree: {tree}"));
        let sessions = lab.folder().join(".codex/sessions/2026/11/22");
        fs::create_dir_all(&sessions).unwrap();
        write_rollout(&sessions.join(format!("rollout-2026-11-22T00-00-00-{THREAD}.jsonl")), 12_000).unwrap();
        // The limit holds for everything that is not a file: 64 MiB is half of what all spans at once take.
        let output = Command::new("sh")
            .args(["-c", "ulimit -d 65536; exec \"$0\" backfill"])
            .arg(env!("CARGO_BIN_EXE_arize-codex"))
            .env_clear()
            .env("HOME", lab.folder())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{tree}: {output:?}");
        let spans = if tree == "turn" { "12,001" } else { "24,002" };
        assert!(said.contains(&format!("1 turn found, {spans} spans, 1 turn delivered")), "{said}");
    }
}

/// The same turn live: hooks have written two rows for each call, and Stop leaves the rest to a process of its own.
#[test]
fn live_turn_of_12000_calls_needs_little_memory() {
    for tree in ["turn", "calls"] {
        let lab = Lab::new(&format!("target: local, span_tree: {tree}"));
        let rollout = lab.folder().join(format!("rollout-2026-11-22T00-00-00-{THREAD}.jsonl"));
        write_rollout(&rollout, 12_000).unwrap();
        call_within_64_mib(&lab, &rollout, "session", "UserPromptSubmit", r#","prompt":"do it""#);
        write_rows(&lab.paths().thread_rows(&ThreadId::parse(THREAD).unwrap()), 12_000).unwrap();
        call_within_64_mib(&lab, &rollout, "stop", "Stop", r#","last_assistant_message":"done""#);
        while !lab.processes().is_empty() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let listed = String::from_utf8(lab.run(&["list", "--json"]).stdout).unwrap();
        assert!(listed.contains(r#""tool_calls": 12000"#), "{tree}: {listed} {}", lab.log());
        assert!(fs::read_dir(lab.paths().closing()).unwrap().next().is_none(), "{tree}: {}", lab.log());
    }
}

/// Calls a role that may take 64 MiB, as may what it starts.
fn call_within_64_mib(lab: &Lab, rollout: &Path, role: &str, event: &str, more: &str) {
    let named =
        format!(r#""session_id":"{THREAD}","turn_id":"{TURN}","transcript_path":"{}""#, rollout.display());
    let payload = format!(r#"{{"hook_event_name":"{event}",{named},"cwd":"/"{more}}}"#);
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -d 65536; exec \"$0\" hook \"$1\""])
        .args([env!("CARGO_BIN_EXE_arize-codex"), role])
        .env_clear()
        .env("HOME", lab.folder())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(payload.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Adds what hooks write before and after each call.
fn write_rows(path: &Path, calls: u64) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::options().append(true).open(path)?);
    for n in 0..calls {
        let at = 1_795_305_600_010_000_000 + 50_000_000 * n;
        let (id, input) = (format!("call-{n}"), json!({"command": format!("echo {n}")}));
        let before = json!({"row": "pre_tool_use", "at": at, "turn": TURN, "call_id": id, "name": "Bash", "input": input});
        let output = "a line of output\n".repeat(8);
        let after = json!({"row": "post_tool_use", "at": at + 2_000_000, "turn": TURN, "call_id": id, "name": "Bash", "output": output});
        writeln!(out, "{before}\n{after}")?;
    }
    out.flush()
}

fn write_rollout(path: &Path, calls: u64) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut line = |millis: u64, kind: &str, payload: serde_json::Value| {
        let at = format!(
            "2026-11-22T{:02}:{:02}:{:02}.{:03}Z",
            millis / 3_600_000,
            millis / 60_000 % 60,
            millis / 1000 % 60,
            millis % 1000
        );
        writeln!(out, "{}", json!({"timestamp": at, "type": kind, "payload": payload}))
    };
    line(0, "session_meta", json!({"id": THREAD, "cwd": "/", "cli_version": "0.169.0"}))?;
    line(1, "event_msg", json!({"type": "task_started", "turn_id": TURN}))?;
    line(2, "turn_context", json!({"turn_id": TURN, "cwd": "/", "model": "m"}))?;
    for n in 0..calls {
        let (at, id) = (10 + 50 * n, format!("call-{n}"));
        let arguments = json!({"cmd": format!("echo {n}")}).to_string();
        let call =
            json!({"type": "function_call", "call_id": id, "name": "exec_command", "arguments": arguments});
        line(at, "response_item", call)?;
        let usage = json!({"input_tokens": 1000, "output_tokens": 10, "total_tokens": 1010});
        line(
            at + 1,
            "event_msg",
            json!({"type": "response_usage", "response_id": format!("r{n}"), "usage": usage}),
        )?;
        let output = format!("Process exited with code 0\nOutput:\n{}", "a line of output\n".repeat(8));
        line(
            at + 2,
            "response_item",
            json!({"type": "function_call_output", "call_id": id, "output": output}),
        )?;
    }
    let text = json!([{"type": "output_text", "text": "done"}]);
    line(50 * calls + 20, "response_item", json!({"type": "message", "role": "assistant", "content": text}))?;
    line(
        50 * calls + 21,
        "event_msg",
        json!({"type": "task_complete", "turn_id": TURN, "last_agent_message": "done"}),
    )
}

const THREAD: &str = "019a0000-0000-7000-8000-000000000001";
const TURN: &str = "019b0000-0000-7000-8000-000000000001";
