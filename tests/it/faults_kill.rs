//! SIGKILL at any moment, in every role and in the flusher: every turn arrives whole, and nothing lies about.

use std::fs::Metadata;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::collector::{Answer, HttpCollector};
use crate::faults::random;
use crate::lab::{Delivered, Lab, Rollout, Session};

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
fn killed_hook_loses_no_turn() {
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
    assert_clean(&lab, 1);
}

#[test]
fn killed_surrounding_hook_loses_no_turn() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let lab = Lab::new(&format!("target: phoenix, endpoint: '{}'", collector.url()));
    let session = Session::start(&lab, 1);
    let mut killer = Killer::new();
    for turn in 0..KILLED_AROUND / 3 {
        let calls = calls_around(&session, turn);
        // The session's start; the subagent's start or end; what ends the turn, by itself or with the session.
        let (agent, end) = (1 + turn / 2 % 2, 3 + turn / 4 % 2);
        let killed = [0, agent as usize, (end as usize).min(calls.len() - 1)];
        for (place, (role, payload)) in calls.iter().enumerate() {
            if killed.contains(&place) {
                killer.kill(&mut lab.start(role, payload));
            } else {
                session.call(role, payload);
            }
            if place == 0 {
                // Without the prompt nobody knew to which turn the subagent belongs; it is killed in another test.
                session.call("session", &session.calls_of_turn(turn, 0)[0].1);
            }
        }
    }
    killer.assert_killed();
    session.end();
    lab.flush();
    let mut delivered = Delivered::to(&collector.book);
    for turn in 0..KILLED_AROUND / 3 {
        // The turn, its subagent's, and that one's model.
        assert_eq!(delivered.take(session.trace(turn), 3), 0, "turn {turn}");
    }
    delivered.assert_nothing_else();
    lab.assert_at_rest();
    assert_clean(&lab, 1 + KILLED_AROUND / 3);
}

/// The calls beside the prompt of a turn that has a session's process to itself, and a subagent. Every second one
/// ends by Interrupt, the others with the session.
fn calls_around(session: &Session<'_>, turn: u64) -> Vec<(&'static str, String)> {
    let agent = |event: &str| {
        let more = format!(r#","agent_id":"019c0000-0000-7000-8000-{turn:012x}","agent_type":"worker""#);
        session.payload(event, Some(&format!("019d0000-0000-7000-8000-{turn:012x}")), &more)
    };
    let mut calls = vec![
        ("session", session.payload("SessionStart", None, r#","source":"resume""#)),
        ("session", agent("SubagentStart")),
        ("stop", agent("SubagentStop")),
    ];
    if turn.is_multiple_of(2) {
        calls.push(("stop", session.payload("Interrupt", Some(&crate::lab::turn_id(turn)), "")));
    }
    calls.push(("stop", session.payload("SessionEnd", None, r#","reason":"exit""#)));
    calls
}

/// What notify promises where no hook runs. It is not awaited, so nothing else can: from the moment its record has its
/// name the turn is told; before that it is told by `backfill`, if Codex has a rollout of it.
#[test]
fn backfill_recovers_killed_lone_notify() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let lab = Lab::new(&format!("target: phoenix, endpoint: '{}'", collector.url()));
    let (kept, flat) = (Session::named(&lab, 1), Session::named(&lab, 2));
    let rollout = Rollout::in_codex(&lab, &kept);
    let mut killer = Killer::new();
    let mut written = Vec::new();
    for turn in 0..KILLED_ALONE {
        let session = if turn.is_multiple_of(2) { &kept } else { &flat };
        let id = crate::lab::turn_id(turn);
        if turn.is_multiple_of(2) {
            rollout.write("event_msg", &id, r#""type":"task_started""#);
            rollout.write("event_msg", &id, r#""type":"user_message","message":"do it""#);
            rollout.write_response(&id, "done", 1000);
            rollout.write("event_msg", &id, r#""type":"task_complete","last_agent_message":"done""#);
        }
        killer.kill(&mut notify(&lab, session, turn));
        // Forwards through the directories, as a flusher moves it.
        let name = format!("{id}.{}.0", session.thread);
        let paths = lab.paths();
        let places = [(paths.closing(), "json"), (paths.outbox(), "turn"), (paths.sent(), "turn")];
        written.push(places.iter().any(|(folder, end)| folder.join(format!("{name}.{end}")).exists()));
    }
    killer.assert_killed();
    let last = KILLED_ALONE + 1;
    assert!(notify(&lab, &flat, last).wait().unwrap().success());
    written.extend([false, true]);
    lab.flush();
    let of = |turn: u64| if turn.is_multiple_of(2) { kept.trace(turn) } else { flat.trace(turn) };
    let mut delivered = Delivered::to(&collector.book);
    let turns = || (0..).zip(&written);
    for (turn, _) in turns().filter(|(_, written)| **written) {
        assert_eq!(delivered.take(of(turn), 1), 0, "turn {turn}");
    }
    delivered.assert_nothing_else();

    rollout.grow_old();
    let output = lab.run(&["backfill"]);
    assert!(output.status.success(), "{output:?}");
    let mut delivered = Delivered::to(&collector.book);
    for (turn, written) in turns() {
        if *written || turn.is_multiple_of(2) && turn < KILLED_ALONE {
            assert_eq!(delivered.take(of(turn), 1), 0, "turn {turn}");
        }
    }
    delivered.assert_nothing_else();
    let told = written.iter().filter(|w| **w).count() as u64;
    assert!(told > KILLED_ALONE / 10 && told < KILLED_ALONE, "{told} of {KILLED_ALONE} were written");
    lab.assert_at_rest();
    assert_clean(&lab, 1);
}

/// Starts the notify of a turn.
fn notify(lab: &Lab, session: &Session<'_>, turn: u64) -> Child {
    let payload = format!(
        r#"{{"type":"agent-turn-complete","thread-id":"{}","turn-id":"{}","cwd":"/","input-messages":["do it"],"last-assistant-message":"done"}}"#,
        session.thread,
        crate::lab::turn_id(turn)
    );
    let mut command = lab.command("arize-hook-codex-notify");
    command.arg(payload).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

#[test]
fn killed_notify_loses_no_turn() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let lab = Lab::new(&format!("target: phoenix, endpoint: '{}'", collector.url()));
    let session = Session::start(&lab, 1);
    let mut killer = Killer::new();
    for turn in 0..KILLED_NOTIFIES {
        session.turn(turn, 1);
        killer.kill(&mut notify(&lab, &session, turn));
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
fn killed_delivery_loses_no_turn() {
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
        for _ in 0..KILLED_IN_A_ROW {
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
    assert_clean(&lab, 1);
}

/// Waits for the flushers that hooks have left behind.
fn wait_until_alone(lab: &Lab) {
    while !lab.processes().is_empty() {
        std::thread::yield_now();
    }
}

/// What killed processes leave behind is little, beside a state and a lock for each thread, and gone when it is an
/// hour old.
fn assert_clean(lab: &Lab, threads: u64) {
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
    // One small file an event, and one line a turn, are there for good.
    let paths = lab.paths();
    let kept = [paths.sent(), paths.hook_calls(), paths.history(), paths.history_lock()];
    let left: Vec<_> =
        files(lab).into_iter().filter(|(path, _)| !kept.iter().any(|k| path.starts_with(k))).collect();
    let bytes: u64 = left.iter().map(|(_, metadata)| metadata.len()).sum();
    let (most, most_bytes) = (6 + 2 * threads as usize, 64 * 1024 + 1024 * threads);
    assert!(left.len() <= most && bytes < most_bytes, "{bytes} bytes stay behind in {left:#?}");
    assert!(!left.iter().any(|(path, _)| is_temporary(path)), "{left:#?}");
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b".tmp-"))
}

/// Every file below the state directory.
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

// At least five hundred moments of each: what happens in a turn, what happens around it, notify, the flusher.
const KILLED_HOOKS: u64 = 500;
const KILLED_AROUND: u64 = 510;
const KILLED_NOTIFIES: u64 = 120;
const KILLED_ALONE: u64 = 400;
const KILLED_FLUSHERS: u64 = 512;
/// How many flushers follow each other before more turns are made for them.
const KILLED_IN_A_ROW: u64 = 16;
