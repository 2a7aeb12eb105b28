//! What the roles hold in memory when a turn is a gigabyte long: a rollout of 100 MiB lines, read where it takes the
//! most, in the Stop hook itself (`export_mode: sync`). And what a turn of 100,000 calls takes live: the hooks, and the
//! process that Stop starts, which assembles the turn from 200,000 rows and its rollout and delivers it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cases::{self, DONE, PROMPT, RESPONSE, THREAD, TOOL, TURN};
use crate::delivery::Backend;
use crate::spawn::{self, Payload};

/// Runs each role once in each tree and prints its peak.
pub fn measure(binary: &Path, folder: &Path) {
    let rollout = write_rollout(folder);
    let transcript = format!(r#","transcript_path":"{}""#, rollout.display());
    println!("\nPeak memory with a turn of {LINES} lines of {LINE_MIB} MiB, the rollout read inside Stop:\n");
    println!("| role | tree | KiB | at most | |");
    println!("|---|---|---:|---:|---|");
    for tree in ["turn", "calls"] {
        let home = cases::home(folder, tree, &format!("target: local, export_mode: sync, span_tree: {tree}"));
        for (role, event, more) in [
            ("session", "UserPromptSubmit", PROMPT),
            ("tool", "PreToolUse", TOOL),
            ("tool", "PostToolUse", RESPONSE),
            ("stop", "Stop", DONE),
        ] {
            let payload = Payload::Pipe(cases::payload(event, &format!("{more}{transcript}"), 1024));
            let program = folder.join("bin").join(format!("arize-hook-codex-{role}"));
            let peak = spawn::run(&program, &[], &home, &payload).peak_kib;
            let verdict = if peak <= LIMIT_KIB { "reached" } else { "missed" };
            println!("| {role}, {event} | {tree} | {peak} | {LIMIT_KIB} | {verdict} |");
        }
        let listed = std::process::Command::new(binary).args(["list", "--json"]).env("HOME", &home).output();
        let listed = String::from_utf8(listed.expect("the turn to be listed").stdout).expect("text");
        assert!(listed.contains(TURN), "the turn was told: {listed}");
    }
}

/// Runs a turn of 100,000 calls in each tree, delivered to a backend of this program.
pub fn measure_live(folder: &Path) {
    let rollout = folder.join("many-calls.jsonl");
    write_calls(&rollout).expect("room for a rollout");
    let transcript = format!(r#","transcript_path":"{}""#, rollout.display());
    println!("\nPeak memory of a live turn of {CALLS} calls:\n");
    println!("| process | tree | spans delivered | KiB | at most | |");
    println!("|---|---|---:|---:|---:|---|");
    spawn::adopt_orphans();
    let mut delivered = Vec::new();
    for tree in ["turn", "calls"] {
        let backend = Backend::start(Duration::ZERO);
        let yaml = format!("target: phoenix, endpoint: 'http://{}', span_tree: {tree}", backend.address);
        let home = cases::home(folder, &format!("many-{tree}"), &yaml);
        let call = |role: &str, event: &str, more: &str| {
            let payload = Payload::Pipe(cases::payload(event, &format!("{more}{transcript}"), 1024));
            spawn::run(&folder.join("bin").join(format!("arize-hook-codex-{role}")), &[], &home, &payload)
                .peak_kib
        };
        call("session", "UserPromptSubmit", PROMPT);
        write_rows(&cases::state(&home).join(format!("spans_{THREAD}.jsonl"))).expect("room for rows");
        let tool = call("tool", "PreToolUse", TOOL);
        let stop = call("stop", "Stop", DONE);
        let delivery = spawn::wait_for_orphan();
        delivered.push((
            tree,
            backend,
            [("tool, PreToolUse", tool), ("stop, Stop", stop), ("delivery", delivery)],
        ));
    }
    // Only now: what this program holds counts as its children's.
    for (tree, backend, peaks) in delivered {
        let spans = backend.spans();
        assert!(spans > CALLS, "every call was delivered");
        for (process, peak) in peaks {
            let limit = if process == "delivery" { DELIVERY_LIMIT_KIB } else { LIMIT_KIB };
            let verdict = if peak <= limit { "reached" } else { "missed" };
            println!("| {process} | {tree} | {spans} | {peak} | {limit} | {verdict} |");
        }
    }
}

/// What Codex writes of the turn.
fn write_calls(path: &Path) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut line = |micros: usize, kind: &str, payload: &str| {
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let at = format!("2026-11-22T12:{:02}:{:02}.{:03}Z", seconds / 60, seconds % 60, micros / 1000);
        writeln!(out, r#"{{"timestamp":"{at}","type":"{kind}","payload":{{{payload}}}}}"#)
    };
    line(0, "session_meta", &format!(r#""id":"{THREAD}","cwd":"/","cli_version":"0.169.0""#))?;
    line(0, "event_msg", &format!(r#""type":"task_started","turn_id":"{TURN}""#))?;
    for call in 0..CALLS {
        let (at, id) = (call * CALL_MICROS, format!(r#""call_id":"call-{call}""#));
        let asked = format!(
            r#""type":"function_call",{id},"name":"exec_command","arguments":"{{\"cmd\":\"echo {call}\"}}""#
        );
        line(at, "response_item", &asked)?;
        let usage = r#""usage":{"input_tokens":1000,"output_tokens":10,"total_tokens":1010}"#;
        line(at, "token_usage_record", &format!(r#""turn_id":"{TURN}","response_id":"r{call}",{usage}"#))?;
        let output = format!("Process exited with code 0\\nOutput:\\n{}", "a line of output\\n".repeat(8));
        line(at, "response_item", &format!(r#""type":"function_call_output",{id},"output":"{output}""#))?;
    }
    let ended = format!(r#""type":"task_complete","turn_id":"{TURN}","last_agent_message":"done""#);
    line(CALLS * CALL_MICROS, "event_msg", &ended)?;
    out.flush()
}

/// What the hooks of the turn write, behind their first row.
fn write_rows(path: &Path) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::options().append(true).open(path)?);
    for call in 0..CALLS {
        let at = 1_795_348_800_000_000_000 + 1000 * call * CALL_MICROS;
        let of = format!(r#""turn":"{TURN}","call_id":"call-{call}","name":"Bash""#);
        writeln!(out, r#"{{"row":"pre_tool_use","at":{at},{of},"input":{{"command":"echo {call}"}}}}"#)?;
        let output = "a line of output\\n".repeat(8);
        writeln!(out, r#"{{"row":"post_tool_use","at":{},{of},"output":"{output}"}}"#, at + 5_000_000)?;
    }
    out.flush()
}

/// A turn whose tools printed a gigabyte. Written piece by piece: what this program holds counts as its children's.
fn write_rollout(folder: &Path) -> PathBuf {
    let path = folder.join("gigabyte.jsonl");
    let mut out = BufWriter::new(File::create(&path).expect("a rollout"));
    write_turn(&mut out).expect("room for a rollout");
    path
}

fn write_turn(out: &mut impl Write) -> std::io::Result<()> {
    let at = "2026-11-22T12:00:00.000Z";
    let meta = format!(r#""id":"{THREAD}","cwd":"/","cli_version":"0.169.0""#);
    writeln!(out, r#"{{"timestamp":"{at}","type":"session_meta","payload":{{{meta}}}}}"#)?;
    let event = |kind: &str| {
        let payload = format!(r#""type":"{kind}","turn_id":"{TURN}""#);
        format!(r#"{{"timestamp":"{at}","type":"event_msg","payload":{{{payload}}}}}"#)
    };
    writeln!(out, "{}", event("task_started"))?;
    for call in 0..LINES {
        let item = |kind: &str| {
            format!(
                r#"{{"timestamp":"{at}","type":"response_item","payload":{{"type":"{kind}","call_id":"call-{call}""#
            )
        };
        writeln!(out, r#"{},"name":"exec_command","arguments":"{{}}"}}}}"#, item("function_call"))?;
        write!(out, r#"{},"output":""#, item("function_call_output"))?;
        for _ in 0..(LINE_MIB << 20) / 13 {
            out.write_all(br"some output\n")?;
        }
        writeln!(out, r#""}}}}"#)?;
    }
    writeln!(out, "{}", event("task_complete"))?;
    out.flush()
}

const CALLS: usize = 100_000;
const CALL_MICROS: usize = 10_000;
const DELIVERY_LIMIT_KIB: i64 = 64 * 1024;
const LINES: usize = 10;
const LINE_MIB: usize = 100;
const LIMIT_KIB: i64 = 16 * 1024;
