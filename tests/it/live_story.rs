//! The real Codex where the end of a turn is disturbed: another tool's Stop hook takes its time, somebody presses Ctrl-C
//! meanwhile, the process that waits for the end is killed. What is delivered is what backfill tells of the same files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::codex::{Codex, LATEST, collect, scenario};
use crate::one_story::Story;
use crate::view_backfill::{backfill, given};
use arize_codex::otel::entry::{Entry, EntryKey};

#[test]
#[ignore = "needs Codex"]
fn slow_stop_hook_of_another_changes_nothing() {
    let codex = with_slow_hook("sleep 11");
    assert!(start(&codex).wait().unwrap().success());
    assert_story(&codex, "completed");
}

#[test]
#[ignore = "needs Codex"]
fn interrupt_during_stop_hook_is_told() {
    let codex = with_slow_hook("sleep 11");
    let mut running = start(&codex);
    codex.wait_for_event("Stop", 1);
    std::thread::sleep(Duration::from_secs(2));
    kill_process(executable_of(&running), Signal::INT).unwrap();
    running.wait().unwrap();
    assert_story(&codex, "interrupted");
}

#[test]
#[ignore = "needs Codex"]
fn killed_delivery_changes_nothing() {
    let codex = with_slow_hook("sleep 4");
    let mut running = start(&codex);
    codex.wait_for_event("Stop", 1);
    std::thread::sleep(Duration::from_secs(1));
    let waiting = ours_running(&codex);
    assert!(!waiting.is_empty(), "nobody waits for the end of the turn");
    waiting.iter().for_each(|pid| kill_process(*pid, Signal::KILL).unwrap());
    assert!(running.wait().unwrap().success());
    assert_story(&codex, "completed");
}

/// A home in which another tool's Stop hook runs beside ours.
fn with_slow_hook(command: &str) -> Codex {
    let mut scenario: Value = scenario("default-chat");
    let hook = format!(
        "[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = \"command\"\ncommand = {command:?}\ntimeout = 30\n"
    );
    scenario["config"] = hook.into();
    Codex::new(LATEST, &scenario, "target: local, trace_debug: true")
}

fn start(codex: &Codex) -> Child {
    let arguments = ["exec", "hi", "--skip-git-repo-check", "--dangerously-bypass-hook-trust"];
    codex.start(&arguments)
}

/// npm's launcher starts the executable, which is what a terminal's Ctrl-C ends.
fn executable_of(launcher: &Child) -> Pid {
    let id = launcher.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    let child = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
    Pid::from_raw(child.unwrap_or(id as i32)).unwrap()
}

/// Our own processes in this home.
fn ours_running(codex: &Codex) -> Vec<Pid> {
    let home = format!("HOME={}", codex.path("").display());
    let is_ours = |process: &PathBuf| {
        let program = fs::read_link(process.join("exe")).unwrap_or_default();
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        program == Path::new(env!("CARGO_BIN_EXE_arize-codex"))
            && environment.split(|byte| *byte == 0).any(|variable| variable == home.as_bytes())
    };
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let ids = processes.filter(is_ours).filter_map(|p| p.file_name()?.to_str()?.parse().ok());
    ids.filter_map(Pid::from_raw).collect()
}

/// Checks that the one turn ended so, was delivered without anybody asking, and is what backfill finds.
fn assert_story(codex: &Codex, status: &str) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while codex.archived().is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    let live = codex.archived();
    assert_eq!(live.len(), 1);
    let home = tempfile::tempdir().unwrap();
    let context = given(home.path());
    let mut rollouts = Vec::new();
    collect(&codex.path(".codex/sessions"), &mut rollouts);
    let target = context.paths().codex().join("sessions/2026/01/01");
    fs::create_dir_all(&target).unwrap();
    let mut text = String::new();
    for rollout in rollouts {
        text.push_str(&fs::read_to_string(&rollout).unwrap());
        fs::copy(&rollout, target.join(rollout.file_name().unwrap())).unwrap();
    }
    // A busy machine may let the turn end before the signal comes; then the file says so, and so must the trace.
    let ended = if status == "interrupted" && !text.contains("turn_aborted") { "completed" } else { status };
    assert_eq!(live[0].head.summary.status, ended);
    let past: BTreeMap<EntryKey, Entry> =
        backfill(&context).into_iter().map(|entry| (entry.head.key.clone(), entry)).collect();
    let story = Story { reports_requests: true, rollouts: &text };
    assert_eq!(story.differences(&live[0], &past[&live[0].head.key]), [""; 0]);
}
