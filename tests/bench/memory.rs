//! What the roles hold in memory when a turn is a gigabyte long: a rollout of 100 MiB lines, read where it takes the
//! most, in the Stop hook itself (`export_mode: sync`).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::cases::{self, DONE, PROMPT, RESPONSE, THREAD, TOOL, TURN};
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

const LINES: usize = 10;
const LINE_MIB: usize = 100;
const LIMIT_KIB: i64 = 16 * 1024;
