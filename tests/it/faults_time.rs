//! A clock that is set back and forth, and threads of which nothing is heard for a day.

use std::path::Path;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;

use crate::collector::{Answer, HttpCollector, spans_of};
use crate::lab::{Delivered, Lab, Session};

#[test]
fn clock_set_back_delays_nothing() {
    let collector = HttpCollector::start(|_| Answer::Status(503, "retry-after: 900\r\n", ""));
    let lab = Lab::new(&format!("target: phoenix, endpoint: '{}'", collector.url()));
    let session = Session::start(&lab, 1);
    session.turn(0, 1);
    let calls = session.calls_of_turn(1, 1);
    for (role, payload) in &calls[..2] {
        session.call(role, payload);
    }
    while !lab.processes().is_empty() {
        std::thread::yield_now();
    }
    move_into_the_future(&lab.paths().state());
    collector.book.answer(|_| Answer::Accept);
    for (role, payload) in &calls[2..] {
        session.call(role, payload);
    }
    session.turn(2, 1);
    // Not `flush`: a user's wish would not wait for the server's time.
    session.end();
    let all = collector.book.wait_for(Duration::from_secs(30), |seen| {
        let accepted = seen.iter().filter(|(_, accepted)| *accepted);
        accepted.map(|(s, _)| spans_of(&s.request).len()).sum::<usize>() >= 6
    });
    assert!(all, "{}", lab.log());
    lab.flush();
    let mut delivered = Delivered::to(&collector.book);
    for turn in 0..3 {
        assert_eq!(delivered.take(session.trace(turn), 2), 0, "turn {turn}");
    }
    delivered.assert_nothing_else();
    lab.assert_at_rest();
}

#[test]
#[ignore = "needs faketime"]
fn clock_jump_loses_no_turn() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let mut lab = Lab::new(&format!("target: phoenix, endpoint: '{}'", collector.url()));
    let session = Session::start(&lab, 1);
    let calls: Vec<_> = (0..JUMPS.len() as u64).map(|turn| session.calls_of_turn(turn, 1)).collect();
    let end = session.payload("SessionEnd", None, r#","reason":"exit""#);
    let traces: Vec<_> = (0..JUMPS.len() as u64).map(|turn| session.trace(turn)).collect();
    let library = faketime_library();
    for (jump, calls) in JUMPS.iter().zip(&calls) {
        for (role, payload) in &calls[..2] {
            lab.call(role, payload);
        }
        // Only the clock of the day jumps, for us alone; files keep the times the system gives them.
        lab.environment = [
            ("LD_PRELOAD", library.as_str()),
            ("FAKETIME", jump),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        for (role, payload) in &calls[2..] {
            lab.call(role, payload);
        }
    }
    lab.call("stop", &end);
    lab.flush();
    let spans = collector.book.spans();
    let mut delivered = Delivered::to(&collector.book);
    for trace in traces {
        assert_eq!(delivered.take(trace, 2), 0);
        let of_turn: Vec<_> = spans.iter().filter(|s| s.trace_id == trace).collect();
        let turn = of_turn.iter().find(|s| s.parent_span_id.is_empty()).expect("the turn");
        for span in &of_turn {
            let (from, to) = (span.start_time_unix_nano, span.end_time_unix_nano);
            assert!(turn.start_time_unix_nano <= from && from <= to && to <= turn.end_time_unix_nano);
        }
    }
    delivered.assert_nothing_else();
    lab.assert_at_rest();
    assert_eq!(lab.log(), "");
}

#[test]
fn idle_turn_is_closed_after_a_day() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let lab = Lab::new(&format!("target: phoenix, endpoint: '{}'", collector.url()));
    let idle = Session::start(&lab, 1);
    for (role, payload) in &idle.calls_of_turn(0, 1)[..2] {
        idle.call(role, payload);
    }
    let other = Session::start(&lab, 2);
    end_codex_of(&lab, &idle);
    a_day_passes(&lab, &idle);
    other.turn(0, 1);
    lab.flush();
    let mut delivered = Delivered::to(&collector.book);
    assert_eq!(delivered.take(idle.trace(0), 2), 0);
    assert_eq!(delivered.take(other.trace(0), 2), 0);
    assert_eq!(files_of(&lab, &idle), [format!("state_{}.lock", idle.thread), state_name(&idle)]);
    // Whoever sleeps for a day with a turn open goes on with it: what comes then is told as well.
    for (role, payload) in &idle.calls_of_turn(0, 1)[2..] {
        idle.call(role, payload);
    }
    lab.flush();
    let names: Vec<_> = spans_of_trace(&collector, &idle).into_iter().map(|s| s.name).collect();
    assert_eq!(names.iter().filter(|n| n.starts_with("Turn")).count(), 2, "{names:?}");
    a_day_passes(&lab, &idle);
    other.turn(1, 1);
    lab.flush();
    assert_eq!(files_of(&lab, &idle), [""; 0], "nothing of the thread is left");
    assert_eq!(lab.log(), "");
    other.end();
    lab.assert_at_rest();
}

#[test]
fn waiting_turn_stays_open() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let lab = Lab::new(&format!("target: phoenix, endpoint: '{}'", collector.url()));
    let patient = Session::start(&lab, 1);
    let calls = patient.calls_of_turn(0, 1);
    calls[..2].iter().for_each(|(role, payload)| patient.call(role, payload));
    let other = Session::start(&lab, 2);
    a_day_passes(&lab, &patient);
    other.turn(0, 1);
    lab.flush();
    assert!(spans_of_trace(&collector, &patient).is_empty());
    calls[2..].iter().for_each(|(role, payload)| patient.call(role, payload));
    lab.flush();
    assert_eq!(spans_of_trace(&collector, &patient).len(), 2);
    other.end();
    patient.end();
    lab.assert_at_rest();
}

/// Lets a thread look like one of a Codex elsewhere, whose end nobody here sees.
fn end_codex_of(lab: &Lab, session: &Session<'_>) {
    let state = lab.paths().state().join(state_name(session));
    let text = std::fs::read_to_string(&state).unwrap();
    let kept: Vec<_> = text.lines().filter(|line| !line.starts_with("codex:")).collect();
    std::fs::write(&state, kept.join("\n") + "\n").unwrap();
}

/// Makes a thread's files a day old, and the last sweep as well.
fn a_day_passes(lab: &Lab, session: &Session<'_>) {
    while !lab.processes().is_empty() {
        std::thread::yield_now();
    }
    let names = files_of(lab, session).into_iter().chain(["last_sweep".to_owned()]);
    for path in names.map(|name| lab.paths().state().join(name)).filter(|path| path.exists()) {
        let file = std::fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(std::time::SystemTime::now() - DAY - Duration::from_secs(60)).unwrap();
    }
}

/// The names of a thread's files in the state directory.
fn files_of(lab: &Lab, session: &Session<'_>) -> Vec<String> {
    let entries = std::fs::read_dir(lab.paths().state()).unwrap().flatten();
    let names = entries.filter_map(|e| e.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|n| n.contains(&session.thread)).collect();
    names.sort();
    names
}

fn state_name(session: &Session<'_>) -> String {
    format!("state_{}.yaml", session.thread)
}

fn spans_of_trace(collector: &HttpCollector, session: &Session<'_>) -> Vec<Span> {
    collector.book.spans().into_iter().filter(|s| s.trace_id == session.trace(0)).collect()
}

/// Where faketime keeps what it loads into the programs it starts.
pub fn faketime_library() -> String {
    let output = std::process::Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]).output();
    let output = output.expect("faketime is installed: run tests/run");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Where the clock goes, as seen from the real time: back, ahead, far back, and home again.
const JUMPS: [&str; 6] = ["-2d", "+20h", "-400d", "+0", "-1s", "+0"];

/// Makes every file look as if it had been written a day later, in its times and in its text.
fn move_into_the_future(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            move_into_the_future(&path);
            continue;
        }
        if let Ok(text) = std::fs::read_to_string(&path) {
            std::fs::write(&path, a_day_later(&text)).unwrap();
        }
        let later = entry.metadata().unwrap().modified().unwrap() + DAY;
        std::fs::File::options().append(true).open(&path).unwrap().set_modified(later).unwrap();
    }
}

/// Adds a day to every number that is a moment in nanoseconds.
fn a_day_later(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        match number.parse::<u64>() {
            Ok(nanos) if number.len() == 19 => out.push_str(&(nanos + DAY.as_nanos() as u64).to_string()),
            _ => out.push_str(number),
        }
        rest = after;
    }
    out + rest
}

const DAY: Duration = Duration::from_secs(24 * 3600);
