//! What the systems have in common: local time, and the detached process where there is no fork.

use std::process::Command;

use arize_codex::delivery::outbox;

use crate::collector::{Answer, HttpCollector, spans_of};
use crate::export_outcomes::{Home, span};

/// The executable, in a home of its own.
fn command(home: &Home, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arize-codex"));
    command.args(args).env_clear().env("HOME", home.context.var("HOME").unwrap());
    command
}

#[test]
fn list_shows_local_time_of_tz() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let home = Home::new(&format!("target: phoenix, endpoint: '{}'", collector.url()));
    home.put("turn-1", vec![span(1, 1)]);
    home.flush(10);
    // The turn started one millisecond after 1970 began in London, where clocks stood an hour ahead.
    for (zone, day, hour) in [
        ("UTC", "01 Jan 1970", "00:00"),
        ("America/New_York", "31 Dec 1969", "19:00"),
        (":America/New_York", "31 Dec 1969", "19:00"),
        ("Asia/Kolkata", "01 Jan 1970", "05:30"),
        ("Europe/London", "01 Jan 1970", "01:00"),
        ("EST5EDT,M3.2.0,M11.1.0", "31 Dec 1969", "19:00"),
    ] {
        let output = command(&home, &["list"]).env("TZ", zone).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(day) && text.contains(hour), "{zone}: {text}");
    }
}

#[test]
fn deliver_role_empties_outbox() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let home = Home::new(&format!("target: phoenix, endpoint: '{}'", collector.url()));
    home.put("turn-1", vec![span(1, 1)]);
    let output = command(&home, &["hook", "deliver"]).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    assert!(outbox::is_empty_quick(home.paths()));
    assert_eq!(collector.book.seen().iter().map(|s| spans_of(&s.request).len()).sum::<usize>(), 1);
}
