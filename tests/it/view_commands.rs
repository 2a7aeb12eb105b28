//! The commands that show what is kept, and backfill, as a user runs them: the real executable, its output.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use arize_codex::delivery::past_turns;
use arize_codex::delivery::{archive, outbox};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;

use crate::collector::{Answer, HttpCollector, spans_of};
use crate::export_outcomes::{Home, entry, span};
use crate::replay::{Recording, recordings};

/// The executable, in a home of its own and without a terminal.
fn command(home: &Home, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arize-codex"));
    command.args(args).env_clear().env("HOME", home.context.var("HOME").unwrap());
    command
}

fn run(home: &Home, args: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } = command(home, args).output().unwrap();
    let text = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    (status.code().unwrap(), text)
}

fn json(home: &Home, args: &[&str]) -> Value {
    let (code, text) = run(home, args);
    assert_eq!(code, 0, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn backfill_sends_each_turn_once() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let home = Home::new(&format!("target: phoenix, endpoint: '{}'", collector.url()));
    for folder in recordings() {
        Recording::load(&folder).lay_rollouts(home.paths().codex());
    }
    let long_ago = SystemTime::now() - Duration::from_secs(3 * 24 * 3600);
    for path in past_turns::rollouts(home.paths().codex(), &[]).unwrap() {
        File::options().append(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    let (code, counted) = run(&home, &["backfill", "--dry-run"]);
    assert_eq!(code, 0, "{counted}");
    assert!(archive::items(home.paths()).next().is_none(), "a dry run leaves nothing behind");
    let (code, sent) = run(&home, &["backfill"]);
    assert_eq!(code, 0, "{sent}");
    let turns = archive::items(home.paths()).count();
    assert!(turns > 80 && sent.contains(&format!("{turns} turns delivered")), "{turns}: {sent}");
    assert!(counted.starts_with(&format!("{turns} turns to send")), "{counted}");
    let spans = || collector.book.seen().iter().map(|s| spans_of(&s.request).len()).sum::<usize>();
    let first = spans();
    // Again; then without the note of what was read; then without the archive.
    for gone in [None, Some("backfilled.keys"), Some("sent")] {
        if gone == Some("sent") {
            let mut settings = home.settings();
            settings.archive_mb = 0;
            archive::prune(home.paths(), &settings);
            assert!(archive::items(home.paths()).next().is_none());
        }
        let _ = fs::remove_file(home.paths().state().join("backfilled.keys"));
        let (code, again) = run(&home, &["backfill"]);
        assert_eq!(code, 0, "{again}");
        assert!(again.starts_with("0 turns found"), "{gone:?}: {again}");
        assert_eq!(spans(), first, "{gone:?}");
    }
}

#[test]
fn backfill_resumes_where_it_stopped() {
    let collector = HttpCollector::start(|_| Answer::Status(401, "", ""));
    let home = Home::new(&format!("target: phoenix, endpoint: '{}'", collector.url()));
    let wanted = recordings().into_iter().find(|f| f.ends_with("codex-0.169.0/subagent")).unwrap();
    for folder in [&wanted, &wanted.parent().unwrap().join("chat"), &wanted.parent().unwrap().join("tools")] {
        Recording::load(folder).lay_rollouts(home.paths().codex());
    }
    let rollouts = past_turns::rollouts(home.paths().codex(), &[]).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(3 * 24 * 3600);
    for path in &rollouts {
        File::options().append(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    let root = "01a20338-2c12-78e2-b635-43852fc7e276";
    let (_, counted) = run(&home, &["backfill", "--dry-run", "--thread", root]);
    assert!(counted.starts_with("2 turns to send"), "the session and its subagent: {counted}");
    let (_, as_listed) = run(&home, &["backfill", "--dry-run", "--thread", "01a20338-2c12"]);
    assert_eq!(as_listed, counted, "the beginning of the id is enough");
    assert!(
        counted.contains(" session files of other sessions") && !counted.contains("outside the selection"),
        "{counted}"
    );
    let (code, none) = run(&home, &["backfill", "--dry-run", "--thread", "ffff"]);
    assert!(code == 1 && none.contains("no session ID starts with ffff"), "{none}");
    let (_, counted) = run(&home, &["backfill", "--dry-run", "--since", "1s"]);
    assert!(counted.starts_with("0 turns to send"), "{counted}");
    let path = rollouts.iter().find(|p| p.to_str().unwrap().contains(root)).unwrap();
    let (_, counted) = run(&home, &["backfill", "--dry-run", path.to_str().unwrap()]);
    assert!(counted.starts_with("1 turn to send"), "{counted}");
    let (code, refused) = run(&home, &["backfill"]);
    assert_eq!(code, 1, "{refused}");
    assert!(refused.contains("401") && refused.contains("run the same command again"), "{refused}");
    collector.book.answer(|_| Answer::Accept);
    let (code, done) = run(&home, &["backfill"]);
    assert_eq!(code, 0, "{done}");
    assert_eq!(archive::items(home.paths()).filter(|i| i.place == archive::DeliveryState::Sent).count(), {
        archive::items(home.paths()).count()
    });
    let (code, said) = run(&home, &["backfill", "/no/such/place"]);
    assert!(code == 1 && said.contains("/no/such/place: No such file"), "{said}");
    assert_eq!(run(&home, &["backfill", "--since", "someday"]).0, 2);
}

#[test]
fn session_prefix_selects_session() {
    let home = Home::new("target: local");
    let key = home.put("turn-1", vec![span(1, 10)]);
    outbox::move_to_sent(home.paths(), &key).unwrap();
    let beginning = &key.thread.as_str()[..4];
    let (code, said) = run(&home, &["resend", "--thread", beginning, "--since", "5200w"]);
    assert!(code == 0 && said.starts_with("1 turn queued for delivery"), "{said}");
    let (code, said) = run(&home, &["resend", "--thread", beginning, "--since", "0s"]);
    assert!(code == 0 && said.contains("try --since 7d"), "{said}");
    let (code, said) = run(&home, &["resend", "--thread", "nobody"]);
    assert!(code == 1 && said.contains("no session ID starts with nobody"), "{said}");
    assert!(run(&home, &["stats", "--since", "0s"]).1.contains("no turn has been recorded in that time"));
    assert_eq!(run(&home, &["stats", "--json", "--csv"]).0, 2);
}

#[test]
fn tool_output_cannot_drive_terminal() {
    let home = Home::new("target: local");
    let hostile = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}gnirts\r\u{8}";
    let mut evil = span(1, 0);
    evil.name = hostile.to_owned();
    let texts = ["input.value", "output.value", "openinference.span.kind", "codex.permission.decision"];
    evil.attributes = texts.map(|key| text(key, hostile)).into();
    evil.status =
        Some(opentelemetry_proto::tonic::trace::v1::Status { code: 2, message: hostile.to_owned() });
    let mut entry = entry("turn-1", vec![evil]);
    entry.head.summary.prompt = hostile.to_owned();
    entry.head.summary.name = hostile.to_owned();
    entry.head.summary.model = Some(hostile.to_owned());
    entry.head.summary.cwd = Some(hostile.to_owned());
    outbox::put(home.paths(), &entry).unwrap();
    let commands: [&[&str]; 7] = [
        &["list"],
        &["show"],
        &["show", "--full"],
        &["preview"],
        &["stats", "--by", "project"],
        &["stats", "--by", "model", "--csv"],
        &["stats", "--by", "tool"],
    ];
    for args in commands {
        let (code, shown) = run(&home, args);
        assert_eq!(code, 0, "{args:?}: {shown}");
        let driving = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!shown.contains(driving), "{args:?}: {shown:?}");
    }
}

#[test]
fn show_json_is_otlp() {
    let home = Home::new("target: phoenix, endpoint: 'http://127.0.0.1:9'");
    outbox::put(home.paths(), &entry("turn-1", vec![span(1, 3), span(2, 4)])).unwrap();
    let shown = json(&home, &["show", "--json"]);
    let group = &shown["resourceSpans"][0];
    assert_eq!(group["resource"]["attributes"][2]["value"]["stringValue"], "a project");
    let spans = group["scopeSpans"][0]["spans"].as_array().unwrap();
    assert_eq!((spans.len(), &spans[1]["spanId"]), (2, &Value::from("0000000000000002")));
    let listed = json(&home, &["list", "--json"]);
    assert_eq!((&listed[0]["turn"], &listed[0]["delivery"]), (&"turn-1".into(), &"waiting".into()));
    let preview = json(&home, &["preview", "--json"]);
    assert_eq!(preview[0]["request"], shown, "preview and show tell the same");
    let stats = json(&home, &["stats", "--json"]);
    assert_eq!(stats[0]["turns"], 1);
    let (code, message) = run(&home, &["show", "nothing-like-this"]);
    assert!(code == 1 && message.contains("arize-codex list"), "{message}");
}

#[test]
fn preview_counts_redactions() {
    let home = Home::new("target: local, max_value_bytes: 100");
    let folder = recordings().into_iter().find(|f| f.ends_with("codex-0.169.0/tools")).unwrap();
    let context = Recording::load(&folder).context(home.context.var("HOME").unwrap().as_ref(), "turn");
    Recording::load(&folder).lay_rollouts(context.paths().codex());
    for path in past_turns::rollouts(context.paths().codex(), &[]).unwrap() {
        let long_ago = SystemTime::now() - Duration::from_secs(3 * 24 * 3600);
        let whole = fs::read_to_string(&path).unwrap();
        let secret = ["ghp_16C7e42F292c69", "12E7e10c838347Ae178B4a"].concat();
        fs::write(&path, whole.replace("All done.", &format!("All done. {secret}"))).unwrap();
        File::options().append(true).open(&path).unwrap().set_modified(long_ago).unwrap();
    }
    assert_eq!(run(&home, &["backfill"]).0, 0);
    let told = json(&home, &["preview", "--json"]);
    assert!(told[0]["marks"]["cut"].as_u64().unwrap() > 0, "{}", told[0]["marks"]);
    assert!(!told[0]["marks"]["secrets"].as_object().unwrap().is_empty(), "{}", told[0]["marks"]);
    assert_eq!(told[0]["differences"], Value::Null);
    let other = json(&home, &["preview", "--json", "--span-tree", "calls", "--target", "arize"]);
    let differences: Vec<&str> =
        other[0]["differences"].as_array().unwrap().iter().map(|d| d.as_str().unwrap()).collect();
    assert!(differences.contains(&"+ span Model call, 5 times"), "{differences:?}");
    assert!(differences.contains(&"+ resource attribute arize.project.name"), "{differences:?}");
    let (_, text) = run(&home, &["preview"]);
    assert!(text.contains("<secret:") && text.contains("secrets scrubbed ("), "{text}");
}

#[test]
fn preview_of_a_text_tries_patterns() {
    let home = Home::new("target: local, redact_patterns: {badge: 'B-[0-9]{4}'}, redact_pii: true");
    let path = home.paths().harness().join("try.txt");
    let token = ["ghp_16C7e42F292c69", "12E7e10c838347Ae178B4a"].concat();
    fs::write(&path, format!("mine B-1234, {token}, me@corp.example.com\nplain\n")).unwrap();
    let (code, text) = run(&home, &["preview", "--text", path.to_str().unwrap()]);
    assert_eq!((code, text.as_str()), (0, "mine <secret:badge>, <secret:github>, <secret:email>\nplain\n"));
    assert_eq!(run(&home, &["preview", "--text", "/nowhere"]).0, 1);
}

#[test]
fn follow_prints_a_turn_when_it_has_ended() {
    let home = Home::new("target: local");
    let mut child = command(&home, &["show", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || told.send(lines.next()));
    // It may not be looking yet when the first turns end.
    let first = (0..60).find_map(|n| {
        let mut entry = entry(&format!("turn-{n:02}"), vec![span(n, 1)]);
        entry.head.summary.name = "Turn of the test".into();
        outbox::put(home.paths(), &entry).unwrap();
        heard.recv_timeout(Duration::from_millis(500)).ok()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let line = first.unwrap().unwrap().unwrap();
    assert!(line.starts_with("Turn of the test"), "{line}");
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Any::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

#[test]
fn session_shows_turns_in_order() {
    let home = Home::new("target: local");
    for turn in ["turn-1", "turn-2"] {
        let mut entry = entry(turn, vec![Span { name: turn.to_owned(), ..span(1, 1) }]);
        entry.head.summary.name = turn.to_owned();
        outbox::put(home.paths(), &entry).unwrap();
    }
    let (_, shown) = run(&home, &["show", "thread"]);
    assert!(shown.find("turn-1").unwrap() < shown.find("turn-2").unwrap(), "{shown}");
    assert!(run(&home, &["show"]).1.starts_with("turn-2"));
    assert!(run(&home, &["show", "turn-1"]).1.starts_with("turn-1"));
}
