//! SIGKILL at any moment, in every role and in the flusher: every turn arrives whole, and nothing lies about.

use std::fs::Metadata;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::collector::{Answer, HttpCollector};
use crate::faults::random;
use crate::lab::{Delivered, Lab, Session};

/// Kills processes at random moments of their lives, whose length it learns from how they end.
struct Killer {
    /// About how long a process lives, from its start to its end.
    life: Duration,
    kills: u64,
    killed: u64,
}

impl Killer {
    fn new() -> Killer {
        Killer { life: Duration::from_millis(3), kills: 0, killed: 0 }
    }

    /// Kills a process that was just started. It may be quicker.
    fn kill(&mut self, child: &mut Child) {
        self.kills += 1;
        let at = Instant::now() + self.life.mul_f64((random(self.kills) % 1000) as f64 / 1000.0);
        // The moment must be hit to a few microseconds, which no wait of the system's does.
        while Instant::now() < at {
            std::hint::spin_loop();
        }
        let _ = child.kill();
        if child.wait().unwrap().signal() == Some(9) {
            self.killed += 1;
            self.life = self.life.mul_f64(1.03).min(Duration::from_millis(100));
        } else {
            // One in four or so comes to its end, on a busy machine as well: the last moments are among the tried.
            self.life = self.life.mul_f64(0.91);
        }
    }

    fn assert_killed(&self) {
        assert!(self.killed > self.kills / 2, "only {} of {} died", self.killed, self.kills);
    }
}

#[test]
fn a_hook_killed_at_any_moment_costs_no_turn() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let lab = Lab::new(&format!("target: phoenix, endpoint: '{}'", collector.url()));
    let session = Session::start(&lab, 1);
    let calls = session.calls_of_turn(0, 1).len() as u64;
    let mut killer = Killer::new();
    for turn in 0..KILLED_HOOKS {
        for (place, (role, payload)) in session.calls_of_turn(turn, 1).into_iter().enumerate() {
            if place as u64 == turn % calls {
                killer.kill(&mut lab.start(role, &payload));
            } else {
                session.call(role, &payload);
            }
        }
    }
    killer.assert_killed();
    session.end();
    lab.flush();
    let mut delivered = Delivered::to(&collector.book);
    for turn in 0..KILLED_HOOKS {
        assert_eq!(delivered.take(session.trace(turn), 2), 0, "turn {turn}");
    }
    delivered.assert_nothing_else();
    lab.assert_at_rest();
    assert_clean(&lab);
}

#[test]
fn a_notify_killed_at_any_moment_costs_no_turn() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let lab = Lab::new(&format!("target: phoenix, endpoint: '{}'", collector.url()));
    let session = Session::start(&lab, 1);
    let mut killer = Killer::new();
    for turn in 0..KILLED_NOTIFIES {
        session.turn(turn, 1);
        let payload = format!(
            r#"{{"type":"agent-turn-complete","thread-id":"{}","turn-id":"{}","cwd":"/","input-messages":["do it"],"last-assistant-message":"done"}}"#,
            session.thread,
            crate::lab::turn_id(turn)
        );
        let mut command = lab.command("arize-hook-codex-notify");
        command.arg(payload).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        killer.kill(&mut command.spawn().unwrap());
    }
    killer.assert_killed();
    session.end();
    lab.flush();
    let mut delivered = Delivered::to(&collector.book);
    for turn in 0..KILLED_NOTIFIES {
        assert_eq!(delivered.take(session.trace(turn), 2), 0, "turn {turn}");
    }
    delivered.assert_nothing_else();
    lab.assert_at_rest();
}

#[test]
fn a_flusher_killed_at_any_moment_costs_no_turn() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let yaml = format!("target: phoenix, endpoint: '{}', max_request_bytes: 4096", collector.url());
    let lab = Lab::new("");
    let session = Session::start(&lab, 1);
    let mut killer = Killer::new();
    let mut turn = 0;
    while killer.kills < KILLED_FLUSHERS {
        // Without a target the turns gather; then a flusher that may not live long is told where they go.
        lab.configure("");
        for _ in 0..4 {
            session.turn(turn, 1);
            turn += 1;
        }
        wait_until_alone(&lab);
        lab.configure(&yaml);
        for _ in 0..8 {
            let mut command = lab.command("arize-codex");
            command.args(["flush", "--background"]).stdout(Stdio::null()).stderr(Stdio::null());
            killer.kill(&mut command.spawn().unwrap());
        }
    }
    killer.assert_killed();
    session.end();
    lab.flush();
    let mut delivered = Delivered::to(&collector.book);
    let again: usize = (0..turn).map(|turn| delivered.take(session.trace(turn), 2)).sum();
    assert!(again as u64 <= 2 * killer.killed, "{again} spans came again");
    delivered.assert_nothing_else();
    lab.assert_at_rest();
    assert_clean(&lab);
}

/// Waits for the flushers that hooks have left behind.
fn wait_until_alone(lab: &Lab) {
    while !lab.processes().is_empty() {
        std::thread::yield_now();
    }
}

/// What killed processes leave behind is little, and gone when it is an hour old.
fn assert_clean(lab: &Lab) {
    for (path, metadata) in files(lab) {
        if is_temporary(&path) {
            let file = std::fs::File::options().append(true).open(&path).unwrap();
            file.set_modified(metadata.modified().unwrap() - Duration::from_secs(7200)).unwrap();
        }
    }
    // The clearing is done now and then; these say when it was done last.
    for stamp in ["delivery.json", "last_sweep"] {
        std::fs::remove_file(lab.paths().state().join(stamp)).unwrap();
    }
    lab.flush();
    // One small file an event is there for good.
    let kept = [lab.paths().sent(), lab.paths().state().join("seen")];
    let left: Vec<_> =
        files(lab).into_iter().filter(|(path, _)| !kept.iter().any(|k| path.starts_with(k))).collect();
    let bytes: u64 = left.iter().map(|(_, metadata)| metadata.len()).sum();
    assert!(left.len() <= 8 && bytes < 64 * 1024, "{bytes} bytes stay behind in {left:#?}");
    assert!(!left.iter().any(|(path, _)| is_temporary(path)), "{left:#?}");
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b".tmp-"))
}

/// Every file below the state folder.
fn files(lab: &Lab) -> Vec<(PathBuf, Metadata)> {
    let mut found = Vec::new();
    let mut open = vec![lab.paths().state()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                open.push(entry.path());
            } else {
                found.push((entry.path(), metadata));
            }
        }
    }
    found
}

const KILLED_HOOKS: u64 = 480;
const KILLED_NOTIFIES: u64 = 120;
const KILLED_FLUSHERS: u64 = 240;
