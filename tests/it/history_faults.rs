//! The history under faults: writers that are killed or run side by side, a full disk, a clock that goes back. No turn is
//! counted twice, and none is lost.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::cost::{Machine, turns};
use crate::namespace::{self, mount};

/// A machine with so many sessions of six turns that nobody has been told of.
fn machine(sessions: u64) -> Machine {
    let machine = Machine::new();
    for session in 1..=sessions {
        machine.script(session, &turns());
    }
    machine.make_old(Duration::from_secs(24 * 3600));
    machine
}

/// Asserts that every turn stands in the history once, and that `stats` counts as many.
fn assert_each_counted_once(machine: &Machine, turns: usize) {
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for month in fs::read_dir(machine.history()).unwrap().flatten().map(|e| e.path()) {
        if month.extension().is_some_and(|e| e == "jsonl") {
            for line in fs::read_to_string(month).unwrap().lines() {
                // A killed writer may leave a torn line.
                if let Ok(line) = serde_json::from_str::<serde_json::Value>(line) {
                    *lines.entry(format!("{} {}", line["thread"], line["turn"])).or_default() += 1;
                }
            }
        }
    }
    assert_eq!(lines.len(), turns);
    assert!(lines.values().all(|count| *count == 1), "{lines:?}");
    let stats = machine.json(&["stats", "--json", "--by", "branch"]);
    assert_eq!(stats[0]["turns"], turns, "{stats}");
}

#[test]
fn killed_writers_lose_no_line() {
    let machine = machine(12);
    for round in 0..8u64 {
        let mut child = machine.command(&["backfill"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(15 + round * 11));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (code, said) = machine.run(&["backfill"]);
    assert_eq!(code, 0, "{said}");
    assert_each_counted_once(&machine, 72);
}

#[test]
fn two_writers_write_each_line_once() {
    let machine = machine(10);
    let mut children: Vec<_> =
        (0..3).map(|_| machine.command(&["backfill", "--again"]).spawn().unwrap()).collect();
    for child in &mut children {
        child.wait().unwrap();
    }
    // One of them may have found the other delivering, and stopped.
    let (code, said) = machine.run(&["backfill", "--again"]);
    assert_eq!(code, 0, "{said}");
    assert_each_counted_once(&machine, 60);
}

#[test]
fn full_disk_loses_no_line() {
    namespace::run("history_faults::with_a_full_disk");
}

#[test]
#[ignore = "a part of another test, which starts it in a namespace"]
fn with_a_full_disk() {
    use std::io::Write;
    if !namespace::is_inside() {
        return;
    }
    let machine = machine(5);
    fs::create_dir_all(machine.history()).unwrap();
    mount(&["-t", "tmpfs", "-o", "size=64k", "none"], &machine.history());
    let ballast = machine.history().join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
    // Room for a page: some of the lines find their place.
    file.set_len(file.metadata().unwrap().len() - 4096).unwrap();
    let (code, said) = machine.run(&["backfill"]);
    assert!(code == 0 && said.starts_with("30 turns found"), "a trace needs no history: {said}");
    let lines = fs::read_to_string(machine.history().join("2026-11.jsonl")).unwrap_or_default();
    assert!(lines.lines().count() < 30 && (lines.is_empty() || lines.ends_with('\n')), "{lines}");
    drop(file);
    fs::remove_file(&ballast).unwrap();
    assert_eq!(machine.json(&["stats", "--json", "--by", "branch"])[0]["turns"], 30);
    assert_each_counted_once(&machine, 30);
}

#[test]
fn clock_set_back_counts_no_turn_twice() {
    let machine = machine(5);
    let at = |clock: &str, args: &[&str]| {
        let mut command = machine.command(args);
        command.env("LD_PRELOAD", crate::faults_time::faketime_library()).env("FAKETIME", clock);
        Machine::end(command)
    };
    for clock in ["-400d", "+0", "-2d", "+40d", "+0"] {
        at(clock, &["backfill", "--again"]);
        at(clock, &["stats"]);
    }
    let (code, said) = machine.run(&["backfill", "--again"]);
    assert_eq!(code, 0, "{said}");
    assert_each_counted_once(&machine, 30);
    assert!(machine.history().join("2026-11.jsonl").exists(), "the month of the turns, not of the clock");
    assert!(!machine.history().join("2025-10.jsonl").exists());
}
