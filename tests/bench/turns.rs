//! What our hooks cost a turn of the real Codex, by Codex's own measure: the same turns, turn about, in a home whose
//! hooks are ours and in one where the same entries lead to a static program that does nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use crate::codex::{Codex, LATEST, collect};

/// Runs the turns and prints how the medians of Codex's `duration_ms` compare.
pub fn compare(nothing: &Path) {
    let scenario = scenario();
    let ours = Codex::new(LATEST, &scenario, "target: local");
    let idle = Codex::new(LATEST, &scenario, "target: local");
    let bin = idle.path(".arize/harness/bin");
    for role in ["session", "tool", "stop", "notify"] {
        let link = bin.join(format!("arize-hook-codex-{role}"));
        fs::remove_file(&link).expect("the link to our executable");
        symlink(nothing, &link).expect("a link to the other");
    }
    let mut durations = [Vec::new(), Vec::new()];
    for turn in 0..TURNS {
        for (codex, durations) in [&ours, &idle].into_iter().zip(&mut durations) {
            run_turn(codex, turn);
            let told = told_durations(codex);
            assert_eq!(told.len(), turn + 1, "Codex told of each turn");
            durations.extend(told.last());
        }
    }
    ours.delivered();
    let [mut with, mut without] = durations;
    let mut differences: Vec<f64> = with.iter().zip(&without).map(|(a, b)| a - b).collect();
    let (with, without) = (median(&mut with), median(&mut without));
    println!("\n{TURNS} turns of {CALLS} tool calls in Codex {LATEST}, by its own duration_ms, medians:\n");
    println!("| hooks | ms | ratio | at most | |");
    println!("|---|---:|---:|---:|---|");
    println!("| a static program that does nothing | {without:.0} | 1.000 | | |");
    let ratio = with / without;
    let verdict = if ratio <= LIMIT { "reached" } else { "missed" };
    println!("| ours | {with:.0} | {ratio:.3} | {LIMIT:.3} | {verdict} |");
    println!("\nThe median of the {TURNS} differences is {:.1} ms.", median(&mut differences));
}

/// A model that asks for the same commands in every turn.
fn scenario() -> Value {
    let call = json!([{"call": "exec_command", "args": {"cmd": "true"}}]);
    let answer = json!([{"message": "done"}]);
    let turn = std::iter::repeat_n(call, CALLS).chain([answer]);
    let replies: Vec<Value> = std::iter::repeat_n(turn, TURNS).flatten().collect();
    json!({ "model": { "/root": replies } })
}

fn run_turn(codex: &Codex, turn: usize) {
    let mut arguments = vec!["exec"];
    if turn > 0 {
        arguments.extend(["resume", "--last"]);
    }
    arguments.push("go on");
    let output = codex.run(&arguments, true);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// How long each turn took, in milliseconds, as the session's rollout tells.
fn told_durations(codex: &Codex) -> Vec<f64> {
    let mut rollouts = Vec::new();
    collect(&codex.path(".codex/sessions"), &mut rollouts);
    assert_eq!(rollouts.len(), 1, "all turns are of one session");
    let text = fs::read_to_string(&rollouts[0]).expect("a rollout");
    let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ends = records.filter(|r| r["payload"]["type"] == "task_complete");
    ends.filter_map(|r| r["payload"]["duration_ms"].as_f64()).collect()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

const TURNS: usize = 20;
const CALLS: usize = 20;
/// How much longer a turn may take.
const LIMIT: f64 = 1.03;
