//! Turns of rules that name a backend of their own: each goes where its rule says and nowhere else, whatever becomes of
//! the others.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use arize_codex::delivery::outbox;
use arize_codex::delivery::status::DeliveryStatus;

use crate::collector::{Answer, HttpCollector};
use crate::export_outcomes::{Home, entry, span};

const RULE: &str = "path /srv/acme";

/// Puts a turn into the outbox that remembers a rule.
fn put(home: &Home, turn: &str, number: u64, rule: Option<&str>, directory: &str) {
    let mut entry = entry(turn, vec![span(number, 10)]);
    entry.head.backend_rule = rule.map(str::to_owned);
    entry.head.summary.cwd = Some(directory.to_owned());
    assert!(outbox::put(home.paths(), &entry).unwrap());
}

fn names(collector: &HttpCollector) -> Vec<String> {
    collector.book.spans().into_iter().map(|span| span.name).collect()
}

fn settings(plain: &HttpCollector, rules: &str) -> String {
    format!("target: phoenix, endpoint: '{}', api_key: plain-key, rules: [{rules}]", plain.url())
}

fn rule(acme: &HttpCollector) -> String {
    format!("{{path: /srv/acme, target: phoenix, endpoint: '{}', api_key: acme-key}}", acme.url())
}

#[test]
fn turns_go_to_the_backend_of_their_rule() {
    let (plain, acme) = (HttpCollector::start(|_| Answer::Accept), HttpCollector::start(|_| Answer::Accept));
    let home = Home::new(&settings(&plain, &rule(&acme)));
    put(&home, "turn-1", 1, None, "/srv/other");
    put(&home, "turn-2", 2, Some(RULE), "/srv/acme/x");
    put(&home, "turn-3", 3, None, "/srv/other");
    let report = home.flush(10);
    assert_eq!((report.delivered, report.left, report.last_error), (3, 0, None));
    assert_eq!(
        (names(&plain), names(&acme)),
        (vec!["span 1".into(), "span 3".into()], vec!["span 2".into()])
    );
    let keys = |c: &HttpCollector| -> Vec<String> {
        c.book.seen().iter().map(|s| s.headers["authorization"].clone()).collect()
    };
    assert_eq!(
        (keys(&plain), keys(&acme)),
        (vec!["Bearer plain-key".into()], vec!["Bearer acme-key".into()])
    );
    for item in fs::read_dir(home.paths().sent()).unwrap() {
        let bytes = fs::read(item.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("acme-key"), "an entry never holds a key");
    }
}

/// Each backend fails and recovers alone.
#[test]
fn failing_backend_holds_up_no_other() {
    let plain = HttpCollector::start(|_| Answer::Status(503, "retry-after: 3600\r\n", ""));
    let acme = HttpCollector::start(|_| Answer::Accept);
    let home = Home::new(&settings(&plain, &rule(&acme)));
    put(&home, "turn-1", 1, None, "/srv/other");
    put(&home, "turn-2", 2, Some(RULE), "/srv/acme");
    let report = home.flush(2);
    assert_eq!((report.delivered, report.left), (1, 1), "{report:?}");
    assert_eq!((names(&plain).len(), names(&acme).len()), (0, 1));
    let status = DeliveryStatus::load(home.paths());
    assert!(status.health.last_error.is_some() && status.rules[RULE].last_error.is_none());
    // The server that wants to be left alone holds up its own turns only.
    put(&home, "turn-3", 3, Some(RULE), "/srv/acme");
    assert_eq!(home.flush(2).delivered, 1);
    assert_eq!((plain.book.seen().len(), names(&acme).len()), (1, 2));
}

/// A rule that was taken out of the settings sends its turns nowhere, least of all to the backend of the others.
#[test]
fn turns_of_a_gone_rule_wait() {
    let (plain, acme) = (HttpCollector::start(|_| Answer::Accept), HttpCollector::start(|_| Answer::Accept));
    let home = Home::new(&settings(&plain, ""));
    put(&home, "turn-1", 1, Some(RULE), "/srv/acme");
    put(&home, "turn-2", 2, None, "/srv/other");
    let report = home.flush(5);
    assert_eq!((report.delivered, report.left), (1, 1));
    assert!(report.last_error.unwrap().contains("1 turn waits for the backend of a rule"));
    assert_eq!(names(&plain), ["span 2"]);
    // Renamed, it is found by the turn's directory.
    home.configure(&settings(&plain, &rule(&acme).replace("/srv/acme", "/srv/*")));
    assert_eq!((home.flush(5).delivered, names(&acme), names(&plain).len()), (1, vec!["span 1".into()], 1));
}

/// While config.yaml cannot be read nobody knows the rules: the turn is decided on once it can be.
#[test]
fn broken_config_defers_choice_of_backend() {
    let (plain, acme) = (HttpCollector::start(|_| Answer::Accept), HttpCollector::start(|_| Answer::Accept));
    let home = Home::new(&settings(&plain, &rule(&acme)));
    let yaml = fs::read_to_string(home.paths().config_yaml()).unwrap();
    fs::write(home.paths().config_yaml(), yaml.replace("rules: [", "rules: [[")).unwrap();
    hook(&home, "session", "UserPromptSubmit", ",\"prompt\":\"hello\"");
    hook(&home, "stop", "Stop", ",\"last_assistant_message\":\"done\"");
    assert!(plain.book.seen().is_empty() && acme.book.seen().is_empty());
    fs::write(home.paths().config_yaml(), yaml).unwrap();
    assert_eq!(home.flush(10).left, 0, "{}", home.log());
    assert_eq!((names(&plain).len(), names(&acme)), (0, vec!["Turn 1: hello".to_owned()]));
}

/// The hooks themselves, with the directory's rule.
#[test]
fn hooks_deliver_by_directory_rule() {
    let (plain, acme) = (HttpCollector::start(|_| Answer::Accept), HttpCollector::start(|_| Answer::Accept));
    let home = Home::new(&settings(&plain, &rule(&acme)));
    hook(&home, "session", "UserPromptSubmit", ",\"prompt\":\"hello\"");
    hook(&home, "stop", "Stop", ",\"last_assistant_message\":\"done\"");
    assert_eq!(home.flush(10).left, 0, "{}", home.log());
    assert_eq!((names(&plain).len(), names(&acme)), (0, vec!["Turn 1: hello".to_owned()]));
    let output = program(&home).args(["preview", "last", "--json"]).output().unwrap();
    let preview: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let endpoint = preview[0]["endpoint"].as_str().unwrap();
    assert!(endpoint.contains(acme.url().trim_start_matches("http://")), "{preview:#}");
}

#[test]
fn doctor_checks_the_backend_of_each_rule() {
    let plain = HttpCollector::start(|_| Answer::Accept);
    let acme = HttpCollector::start(|_| Answer::Status(401, "", ""));
    let home = Home::new(&settings(&plain, &rule(&acme)));
    put(&home, "turn-1", 1, Some("remote github.com/gone/*"), "/srv/gone");
    let output = program(&home).args(["doctor", "--json"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let find = |text: &str| checks.iter().find(|c| c["text"].as_str().unwrap().contains(text)).cloned();
    let acmes = find("rule path /srv/acme: phoenix at").expect("a line for the rule");
    assert!(acmes["status"] == "failure" && acmes["text"].as_str().unwrap().contains("401"), "{acmes}");
    let plains = checks.iter().find(|c| c["check"] == "backend").unwrap();
    assert_eq!(plains["status"], "ok");
    let gone =
        find("rule that is no longer in config.yaml: remote github.com/gone/*").expect("stranded turns");
    assert!(gone["fix"].as_str().unwrap().contains("backfill --again"), "{gone}");
    assert!(!report.to_string().contains("acme-key"));
}

fn program(home: &Home) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arize-codex"));
    let harness = home.paths().harness();
    command.env_clear().env("HOME", harness.ancestors().nth(2).unwrap());
    command
}

fn hook(home: &Home, role: &str, event: &str, more: &str) {
    let common = "\"session_id\":\"01a20338-12a8-70e0-af71-2abbd9056370\",\"turn_id\":\"01a20338-12bb-7000-8000-000000000001\",\"cwd\":\"/srv/acme/y\",\"transcript_path\":null,\"model\":\"m\"";
    let payload = format!("{{\"hook_event_name\":\"{event}\",{common}{more}}}");
    let mut child = program(home)
        .args(["hook", role])
        .env("ARIZE_EXPORT_MODE", "sync")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(payload.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}
