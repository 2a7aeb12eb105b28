//! What becomes of the turns of one backend, by what the backend made of them. Nothing here is sent.

use super::*;
use crate::delivery::budget::{Budget, Report};
use crate::delivery::status::DeliveryStatus;
use crate::delivery::transport::retry::Cause;
use crate::log::Log;
use crate::otel::testing;
use std::fs;

const PHOENIX: &str = "target: phoenix, endpoint: 'http://127.0.0.1:9'";

/// A home with some turns in its outbox, and what a delivery has come to there.
struct Home {
    directory: tempfile::TempDir,
    settings: Settings,
    budget: Budget,
    status: DeliveryStatus,
    report: Report,
    shown: Vec<u64>,
}

impl Home {
    fn new(yaml: &str, turns: &[&str]) -> Home {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = testing::settings(directory.path(), yaml);
        let paths = testing::paths(directory.path());
        settings.log = Log::new(paths.log_file(), true);
        file::create_private_dir(&paths.state()).unwrap();
        for turn in turns {
            outbox::put(&paths, &testing::entry(turn, 2)).unwrap();
        }
        let budget = Budget::within(Duration::from_secs(600));
        let (status, report) = (DeliveryStatus::load(&paths), Report::default());
        Home { directory, settings, budget, status, report, shown: Vec::new() }
    }

    fn paths(&self) -> crate::context::Paths {
        testing::paths(self.directory.path())
    }

    fn lane<T>(&mut self, rule: Option<&str>, run: impl FnOnce(&mut Lane) -> T) -> T {
        let (paths, settings) = (self.paths(), self.settings.clone());
        let shown = &mut self.shown;
        let mut flush = FlushContext {
            paths: &paths,
            settings: &settings,
            budget: self.budget,
            status: self.status.clone(),
            report: &mut self.report,
            watch: &mut |report| shown.push(report.delivered),
        };
        let rule = rule.map(str::to_owned);
        let done = run(&mut Lane::new(&mut flush, &settings, rule.clone(), rule));
        self.status = flush.status;
        done
    }

    fn start_again(&mut self) {
        (self.status, self.report) = (DeliveryStatus::load(&self.paths()), Report::default());
    }

    fn keys(&self) -> Vec<EntryKey> {
        outbox::list(&self.paths())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.settings.log.path()).unwrap_or_default()
    }

    fn error(&self) -> String {
        self.report.last_error.clone().unwrap_or_default()
    }
}

fn whole() -> Outcome {
    Outcome::Delivered { refused: 0, dropped: 0 }
}

#[test]
fn delivered_turns_go_to_the_archive() {
    let mut home = Home::new(PHOENIX, &["turn-1", "turn-2"]);
    let keys = home.keys();
    home.status.of(None).failed(time::now(), "down", "", None);
    let finished = keys.iter().map(|key| (key.clone(), whole())).collect();
    home.lane(None, |lane| lane.note_event(Target::Phoenix, Event::Finished(finished)));
    assert!(home.keys().is_empty() && keys.iter().all(|key| outbox::delivered(&home.paths(), key).exists()));
    assert_eq!((home.status.delivered, home.status.kept, home.report.delivered), (2, 0, 2));
    assert_eq!((home.shown.clone(), home.status.health.consecutive_failures), (vec![1, 2], 0));
    assert!(home.status.health.last_success.is_some() && !home.paths().acknowledged().exists());
    assert_eq!(home.log().matches("accepts turns again").count(), 1);
}

#[test]
fn turns_of_one_request_are_noted_together() {
    for (count, noted) in [(1, false), (2, true)] {
        let mut home = Home::new(PHOENIX, &["turn-1", "turn-2"]);
        let paths = home.paths();
        // What cannot move stays acknowledged unless the note was written and taken back.
        fs::create_dir_all(paths.acknowledged().parent().unwrap()).unwrap();
        fs::write(paths.acknowledged(), b"of another").unwrap();
        let finished = home.keys().into_iter().take(count).map(|key| (key, whole())).collect();
        home.lane(None, |lane| lane.file_all(Target::Phoenix, finished));
        assert_eq!(paths.acknowledged().exists(), !noted, "{count}");
    }
}

#[test]
fn unwritten_note_is_not_taken_back() {
    let mut home = Home::new(PHOENIX, &["turn-1", "turn-2"]);
    let note = home.paths().acknowledged();
    fs::create_dir_all(note.join("in the way")).unwrap();
    let finished = home.keys().into_iter().map(|key| (key, whole())).collect();
    home.lane(None, |lane| lane.file_all(Target::Phoenix, finished));
    assert_eq!((home.status.delivered, note.exists()), (2, true));
}

#[test]
fn refused_and_dropped_spans_are_noted() {
    for (refused, dropped, said, unsaid) in [
        (3, 0, "phoenix refuses 3 of its spans", "dropped"),
        (0, 2, "phoenix dropped 2 spans of requests with this turn: words", "refuses"),
        (1, 1, "refuses 1 of its spans; phoenix dropped 1 spans", "xyzzy"),
    ] {
        let mut home = Home::new(PHOENIX, &["turn-1"]);
        let key = home.keys().remove(0);
        home.status.of(None).warned(time::now(), "words");
        home.lane(None, |lane| lane.delivered(Target::Phoenix, &key, refused, dropped));
        let why = in_part::why(&home.paths(), &key).unwrap();
        assert!(why.contains(said) && !why.contains(unsaid), "{why}");
        assert_eq!(home.status.refused_spans, refused);
        assert_eq!(home.log().contains("kept in"), refused > 0);
        assert!(outbox::delivered(&home.paths(), &key).exists());
    }
    let mut home = Home::new(PHOENIX, &["turn-1"]);
    let key = home.keys().remove(0);
    home.lane(None, |lane| lane.delivered(Target::Phoenix, &key, 0, 0));
    assert_eq!((in_part::why(&home.paths(), &key), home.log().contains("again")), (None, false));
}

#[test]
fn unarchivable_turn_is_out_of_the_way() {
    let mut home = Home::new(PHOENIX, &["turn-1"]);
    let key = home.keys().remove(0);
    fs::write(home.paths().sent(), b"no directory").unwrap();
    assert!(home.lane(None, |lane| lane.file_away(&key)));
    assert!(outbox::set_aside(&home.paths(), &key).exists());
    assert_eq!((home.report.delivered, home.log().contains("cannot be archived")), (0, true));
    let gone = home.keys().first().cloned().unwrap_or(key);
    assert!(!home.lane(None, |lane| lane.file_away(&gone)), "its file is nowhere");
}

#[test]
fn hopeless_turn_is_set_aside() {
    let mut home = Home::new(PHOENIX, &["turn-1", "turn-2", "turn-3"]);
    let keys = home.keys();
    let finished = vec![
        (keys[0].clone(), Outcome::Hopeless("too large".into())),
        (keys[1].clone(), Outcome::Unreadable("torn".into())),
        (keys[2].clone(), Outcome::Gone),
    ];
    home.lane(None, |lane| lane.file_all(Target::Phoenix, finished));
    assert!(outbox::set_aside(&home.paths(), &keys[0]).exists());
    assert_eq!((home.keys(), home.status.set_aside, home.report.set_aside), (keys[1..].to_vec(), 1, 1));
    assert!(home.log().contains("too large") && home.log().contains("torn"));
    home.lane(None, |lane| lane.set_aside(&keys[0], "again"));
    assert_eq!((home.status.set_aside, home.log().contains("cannot be set aside")), (1, true));
}

#[test]
fn local_target_files_turns_away() {
    let mut home = Home::new("target: local", &["turn-1", "turn-2"]);
    let keys = home.keys();
    assert!(home.lane(None, |lane| lane.deliver(keys)));
    assert_eq!((home.status.kept, home.status.delivered, home.report.delivered), (2, 0, 2));
}

#[test]
fn missing_backend_is_named_with_its_rule() {
    let mut home = Home::new("", &["turn-1"]);
    home.settings.target = None;
    for (rule, said) in
        [(None, "no backend is set"), (Some("path ~/x"), "the rule path ~/x names no backend")]
    {
        let keys = home.keys();
        assert!(!home.lane(rule, |lane| lane.deliver(keys)));
        assert!(home.error().contains(said), "{}", home.error());
        assert!(home.status.of(rule).last_error.as_ref().unwrap().text.contains(said));
    }
    assert_eq!(home.keys().len(), 1);
}

#[test]
fn permanent_failure_ends_the_run() {
    let mut home = Home::new(PHOENIX, &[]);
    let failure = Failure { retry_after: Some(Duration::from_secs(60)), ..Failure::new(Cause::Http(401)) };
    assert!(!home.lane(None, |lane| lane.bear(Target::Phoenix, &failure)));
    assert!(home.error().starts_with("phoenix at http://127.0.0.1:9"), "{}", home.error());
    assert!(home.error().contains("HTTP status 401; check PHOENIX_API_KEY"), "{}", home.error());
    assert!(home.status.health.next_attempt_at.is_some());
    home.lane(None, |lane| lane.bear(Target::Phoenix, &failure));
    assert_eq!(home.log().matches("turns are kept in the outbox").count(), 1, "said once");
}

#[test]
fn outage_is_borne_within_the_budget() {
    let asked = |seconds| {
        let retry_after = Some(Duration::from_secs(seconds));
        Failure { retry_after, ..Failure::new(Cause::Http(503)) }
    };
    let mut home = Home::new(PHOENIX, &[]);
    home.budget.outage = Duration::from_secs(60);
    assert!(!home.lane(None, |lane| lane.bear(Target::Phoenix, &asked(90))));
    assert!(home.error().contains("HTTP status 503"), "longer than an outage is borne");
    home.budget = Budget::within(Duration::from_secs(60));
    home.budget.outage = Duration::from_secs(600);
    home.start_again();
    assert!(!home.lane(None, |lane| lane.bear(Target::Phoenix, &asked(90))));
    assert!(home.error().contains("HTTP status 503"), "longer than there is time");
    // Nothing asked for: a short pause, after which it is tried again.
    home.budget = Budget::within(Duration::from_secs(60));
    home.start_again();
    assert!(home.lane(None, |lane| lane.bear(Target::Phoenix, &Failure::new(Cause::Http(503)))));
    assert_eq!((home.error(), home.status.health.consecutive_failures), (String::new(), 1));
    assert_eq!(
        DeliveryStatus::load(&home.paths()).health.consecutive_failures,
        1,
        "doctor can see it meanwhile"
    );
}

#[test]
fn outage_began_with_the_first_failure() {
    let mut home = Home::new(PHOENIX, &["turn-1"]);
    home.budget.outage = Duration::from_secs(60);
    let key = home.keys().remove(0);
    let failure = Failure { retry_after: Some(Duration::from_secs(59)), ..Failure::new(Cause::Http(503)) };
    fs::write(home.paths().flush_wish(), b"").unwrap();
    home.lane(None, |lane| {
        lane.outage_began = Instant::now().checked_sub(Duration::from_secs(30));
        assert!(!lane.bear(Target::Phoenix, &failure));
        assert!(lane.flush.report.last_error.is_some());
        assert_eq!(lane.health().consecutive_failures, 1, "noted once, by the stop");
        lane.delivered(Target::Phoenix, &key, 0, 0);
        assert_eq!(lane.outage_began, None);
        // A new outage has its whole time, until somebody wants the lock.
        assert!(!lane.bear(Target::Phoenix, &failure));
        assert_eq!(lane.health().consecutive_failures, 2, "noted before the pause and by the stop");
    });
}

#[test]
fn server_that_asked_for_time_gets_it() {
    let mut home = Home::new(PHOENIX, &["turn-1"]);
    let wait = |home: &mut Home, seconds| {
        home.status.of(None).failed(time::now(), "busy", "", Some(Duration::from_secs(seconds)));
        let keys = home.keys();
        home.report = Report::default();
        home.lane(None, |lane| lane.send(Target::Phoenix, keys))
    };
    home.budget.outage = Duration::from_secs(60);
    assert!(!wait(&mut home, 90));
    assert_eq!((home.error().as_str(), home.status.health.consecutive_failures), ("busy", 1));
    fs::write(home.paths().flush_wish(), b"").unwrap();
    assert!(!wait(&mut home, 30));
    assert_eq!((home.error().as_str(), home.keys().len()), ("", 1), "gave way to a user while it waited");
}

#[test]
fn user_who_asks_waits_for_no_server() {
    let mut home = Home::new("target: phoenix, endpoint: 'ftp://x'", &["turn-1"]);
    home.budget = Budget::asked(Duration::from_secs(60));
    home.status.of(None).failed(time::now(), "busy", "", Some(Duration::from_secs(900)));
    let keys = home.keys();
    assert!(!home.lane(None, |lane| lane.send(Target::Phoenix, keys)));
    assert!(home.error().contains("endpoint") && !home.error().contains("busy"), "{}", home.error());
}

#[test]
fn delivery_without_time_tries_once() {
    let mut home = Home::new("target: phoenix, endpoint: 'ftp://x'", &["turn-1"]);
    home.budget = Budget::within(Duration::ZERO);
    let keys = home.keys();
    assert!(!home.lane(None, |lane| lane.send(Target::Phoenix, keys)));
    assert!(home.error().contains("endpoint"), "{}", home.error());
}

#[test]
fn backend_that_is_not_there_keeps_its_turns() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut home = Home::new(&format!("target: phoenix, endpoint: 'http://127.0.0.1:{port}'"), &["turn-1"]);
    home.budget.outage = Duration::ZERO;
    let keys = home.keys();
    assert!(!home.lane(None, |lane| lane.send(Target::Phoenix, keys)));
    assert!(home.error().contains("no connection") && home.keys().len() == 1, "{}", home.error());
}

#[test]
fn backend_s_words_are_noted_and_counted() {
    let notice = |rejected, message: &str| Notice { rejected, of: 9, message: message.into() };
    let mut home = Home::new(PHOENIX, &[]);
    for (event, said) in [
        (notice(0, "slow down"), "accepts turns with a warning: slow down"),
        (notice(2, ""), "took a request but dropped 2 of 9 spans"),
        (notice(3, "bad ids"), "took a request but dropped 3 of 9 spans: bad ids"),
    ] {
        home.lane(None, |lane| lane.note_event(Target::Phoenix, Event::Notice(event)));
        let warning = home.status.health.last_warning.clone().unwrap().text;
        assert!(warning.ends_with(said), "{warning}");
        assert!(home.log().contains(said));
    }
    assert_eq!(home.status.dropped_spans, 5);
    home.lane(None, |lane| lane.notice(Target::Phoenix, &notice(3, "bad ids")));
    assert_eq!(home.log().matches("dropped 3 of 9").count(), 1);
}
