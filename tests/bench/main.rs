//! What a hook costs Codex: `cargo bench --bench hooks`, or for the build that is installed
//! `cargo bench --bench hooks --target x86_64-unknown-linux-musl`.
//!
//! Every case is run once a round, each round in another order, so that the machine's moods and what a case leaves in
//! the caches fall on all of them alike; each run is one posix_spawn and one wait in this process, with the payload
//! ready in a pipe, and the median is compared with a static program that reads its input and ends, in the same rounds.
//! This program's own memory is the least that a child's peak can show. Times need a machine with nothing else to do; page
//! faults and system calls do not.
//!
//! Where ARIZE_CODEX_TEST_LAB names the directory that `tests/run` fills with Codex, its own turns are timed as well.

mod cases;
#[path = "../it/codex.rs"]
#[expect(dead_code, reason = "the tests of the real Codex need more of it")]
mod codex;
mod delivery;
mod memory;
mod spawn;
mod turns;

use cases::Case;
use spawn::Run;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

fn main() {
    // Another executable than the one built with this program, as a release is.
    let other = std::env::var_os("ARIZE_CODEX_BENCH_BINARY").map(PathBuf::from);
    let binary = other.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_arize-codex")));
    let folder = std::env::temp_dir().join(format!("arize-codex-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    cases::link(&binary, &folder);
    // One part alone, by its name: hooks, memory, live, delivery, turns.
    let only = std::env::var("BENCH_ONLY").ok();
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    if wanted("hooks") {
        measure_hooks(&binary, &folder);
    }
    if wanted("memory") {
        memory::measure(&binary, &folder);
    }
    if wanted("live") {
        memory::measure_live(&folder);
    }
    if wanted("delivery") {
        delivery::measure(&binary, &folder);
    }
    if wanted("turns") {
        match (std::env::var("ARIZE_CODEX_TEST_LAB"), cases::nothing(&folder)) {
            (Ok(_), Some(nothing)) => turns::compare(&nothing),
            _ => println!(
                "\nCodex's own turns are not timed: ARIZE_CODEX_TEST_LAB or the static target is missing."
            ),
        }
    }
    std::fs::remove_dir_all(&folder).expect("the temporary folder to be removed");
}

/// Times every hook, in rounds.
fn measure_hooks(binary: &std::path::Path, folder: &std::path::Path) {
    let rounds = std::env::var("BENCH_ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(200);
    let mut cases = cases::all(folder);
    let mut runs: Vec<Vec<Run>> = cases.iter().map(|_| Vec::with_capacity(rounds)).collect();
    for round in 0..rounds {
        for place in shuffled(cases.len(), round) {
            let case = &mut cases[place];
            case.prepare();
            runs[place].push(spawn::run(&case.program, &case.arguments, &case.home, &case.payload));
            case.settle();
        }
    }
    print(binary, rounds, &mut cases, &mut runs);
}

/// The numbers below `count` in an order that each round has for itself.
fn shuffled(count: usize, round: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|place| {
        let mut hasher = DefaultHasher::new();
        (round, place).hash(&mut hasher);
        hasher.finish()
    });
    order
}

/// Prints the table of medians.
fn print(binary: &std::path::Path, rounds: usize, cases: &mut [Case], runs: &mut [Vec<Run>]) {
    println!("{}", binary.display());
    println!("{rounds} interleaved runs each; {}; {}\n", machine(), load());
    println!(
        "| case | median µs | fastest µs | against | ratio | of the fastest | at most | page faults | system calls | peak KiB | |"
    );
    println!("|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---|");
    let medians: Vec<Duration> = runs.iter_mut().map(|runs| median(runs)).collect();
    let places: Vec<usize> =
        cases.iter().map(|c| cases.iter().position(|other| other.name == c.against).unwrap_or(0)).collect();
    for (place, case) in cases.iter_mut().enumerate() {
        let peak = runs[place].iter().map(|r| r.peak_kib).max().unwrap_or(0);
        let faults = runs[place][0].faults;
        let (own, base) = (micros(medians[place]), micros(medians[places[place]]));
        let (fastest, fastest_base) = (micros(runs[place][0].took), micros(runs[places[place]][0].took));
        let (ratio, fastest_ratio) = (own / base, fastest / fastest_base);
        let in_time = case.limit.is_none_or(|limit| ratio <= limit);
        let verdict = match case.limit {
            None => "",
            Some(_) if in_time && case.peak_kib.is_none_or(|limit| peak <= limit) => "reached",
            Some(_) => "missed",
        };
        let limit = case.limit.map(|limit| format!("{limit:.1}")).unwrap_or_default();
        let calls = case.system_calls().map(|calls| calls.to_string()).unwrap_or_default();
        println!(
            "| {} | {own:.0} | {fastest:.0} | {} | {ratio:.2} | {fastest_ratio:.2} | {limit} | {faults} | {calls} | {peak} | {verdict} |",
            case.name, case.against
        );
    }
    println!();
    for (case, median) in cases.iter().zip(&medians) {
        if let Some((what, python)) = case.python {
            let times = python / micros(*median);
            println!("The Python edition's notify takes {times:.0} times as long {what} ({}).", case.name);
        }
    }
}

/// Sorts the runs, the fastest first.
fn median(runs: &mut [Run]) -> Duration {
    runs.sort_by_key(|r| r.took);
    runs[runs.len() / 2].took
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|l| l.strip_prefix("model name")).unwrap_or("\t: unknown");
    let cores = std::thread::available_parallelism().map_or(0, |n| n.get());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} × {}, Linux {}", model.trim_start_matches([' ', '\t', ':']), kernel.trim())
}

/// What else the machine is doing: medians mean little when it is busy, the fastest runs a little more.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("load {}", load.split(' ').next().unwrap_or_default())
}
