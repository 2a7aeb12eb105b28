//! What becomes of turns whatever a backend answers.

use arize_codex::context::{Context, Paths};
use arize_codex::delivery::budget::{Budget, Report};
use arize_codex::delivery::flush;
use arize_codex::delivery::status::DeliveryStatus;
use arize_codex::delivery::{archive, outbox};
use arize_codex::otel::entry::{Entry, EntryKey, Head, Summary};
use arize_codex::settings::Settings;
use arize_codex::time::Timestamp;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::collector::{Answer, GrpcCollector, HttpCollector, resource_of, spans_of};

/// A home with settings and an outbox.
pub struct Home {
    _folder: tempfile::TempDir,
    pub context: Context,
}

/// Writes a config.yaml whose `harnesses.codex` is `yaml`, private as one with a key must be.
pub fn configure(paths: &Paths, yaml: &str) {
    std::fs::create_dir_all(paths.harness()).unwrap();
    let config = format!("harnesses: {{codex: {{{yaml}}}}}");
    arize_codex::file::write_atomic(&paths.config_yaml(), config.as_bytes()).unwrap();
}

impl Home {
    /// A home whose `harnesses.codex` is `yaml`.
    pub fn new(yaml: &str) -> Home {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap().to_owned();
        let context = Context::given(vec![], BTreeMap::from([("HOME".to_owned(), home)]));
        let home = Home { _folder: folder, context };
        home.configure(yaml);
        home
    }

    pub fn configure(&self, yaml: &str) {
        configure(self.paths(), yaml);
    }

    pub fn paths(&self) -> &Paths {
        self.context.paths()
    }

    pub fn settings(&self) -> Settings {
        Settings::load(&self.context).unwrap()
    }

    pub fn put(&self, turn: &str, spans: Vec<Span>) -> EntryKey {
        let entry = entry(turn, spans);
        assert!(outbox::put(self.paths(), &entry).unwrap());
        entry.head.key
    }

    pub fn flush(&self, seconds: u64) -> Report {
        let budget = Budget::within(Duration::from_secs(seconds));
        flush::run(&self.context, &self.settings(), budget)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.paths().log_file()).unwrap_or_default()
    }
}

pub fn entry(turn: &str, spans: Vec<Span>) -> Entry {
    let key = EntryKey {
        turn: arize_codex::ids::TurnId::parse(turn).unwrap(),
        thread: arize_codex::ids::ThreadId::parse("thread").unwrap(),
        part: 0,
    };
    let head = Head {
        root_thread: key.thread.clone(),
        root_turn: key.turn.clone(),
        key,
        project_name: "a project".into(),
        backend_rule: None,
        started_at: Timestamp::from_millis(1),
        ended_at: arize_codex::time::now(),
        summary: Summary::default(),
    };
    Entry { head, spans }
}

/// A span whose id is `number` and whose output has `bytes` bytes.
pub fn span(number: u64, bytes: usize) -> Span {
    let value = AnyValue { value: Some(Value::StringValue("x".repeat(bytes))) };
    Span {
        trace_id: vec![7; 16],
        span_id: number.to_be_bytes().to_vec(),
        name: format!("span {number}"),
        attributes: vec![KeyValue { key: "output.value".into(), value: Some(value), ..KeyValue::default() }],
        ..Span::default()
    }
}

fn spans(count: u64) -> Vec<Span> {
    (0..count).map(|n| span(n, 10)).collect()
}

fn phoenix(url: &str) -> String {
    format!("target: phoenix, endpoint: '{url}', api_key: sesame")
}

#[test]
fn phoenix_gets_project_and_key() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let home = Home::new(&phoenix(&collector.url()));
    home.put("turn-1", spans(3));
    home.put("turn-2", vec![span(9, 1)]);
    let report = home.flush(10);
    assert_eq!((report.delivered, report.left, report.last_error), (2, 0, None));
    let seen = collector.book.seen();
    assert_eq!(seen.len(), 1, "both turns fit one request");
    assert_eq!(seen[0].line, "POST /v1/traces");
    assert_eq!(seen[0].headers["content-type"], "application/x-protobuf");
    assert_eq!(seen[0].headers["authorization"], "Bearer sesame");
    assert_eq!(resource_of(&seen[0].request)["openinference.project.name"], "a project");
    let expected: Vec<Span> = spans(3).into_iter().chain([span(9, 1)]).collect();
    assert_eq!(spans_of(&seen[0].request), expected, "oldest first, untouched");
    assert!(archive::items(home.paths()).all(|i| i.place == archive::DeliveryState::Sent));
    assert_eq!(home.flush(10).delivered, 0);
    assert_eq!(collector.book.seen().len(), 1, "nothing is sent twice");
    assert!(DeliveryStatus::load(home.paths()).health.last_success.is_some() && home.log().is_empty());
}

#[test]
fn arize_gets_metadata_and_project() {
    let collector = GrpcCollector::start(|_| Answer::Accept);
    let yaml = format!("target: arize, endpoint: '{}', api_key: sesame, space_id: sp", collector.address());
    let home = Home::new(&yaml);
    home.put("turn-1", spans(3));
    assert_eq!(home.flush(10).left, 0, "{}", home.log());
    let seen = &collector.book.seen()[0];
    for (name, value) in [
        ("authorization", "sesame"),
        ("api_key", "sesame"),
        ("arize-space-id", "sp"),
        ("space_id", "sp"),
        ("arize-interface", "otel"),
    ] {
        assert_eq!(seen.headers[name], value, "{name}");
    }
    let resource = resource_of(&seen.request);
    assert_eq!(
        (resource["arize.project.name"].as_str(), resource["arize.project.type"].as_str()),
        ("a project", "harness")
    );
    for span in spans_of(&seen.request) {
        assert!(span.attributes.iter().any(|a| a.key == "arize.project.name"));
    }
}

#[test]
fn large_turn_is_split_within_budget() {
    let http = HttpCollector::start(|_| Answer::Accept);
    let grpc = GrpcCollector::start(|_| Answer::Accept);
    let limit = 50_000;
    for (book, yaml) in [
        (&http.book, format!("target: otlp, protocol: http/protobuf, endpoint: '{}'", http.address())),
        (&grpc.book, format!("target: otlp, protocol: grpc, endpoint: '{}'", grpc.address())),
    ] {
        let home = Home::new(&format!("{yaml}, max_request_bytes: {limit}"));
        let mut all: Vec<Span> = (0..200).map(|n| span(n, 1000)).collect();
        all.push(span(200, 3 * limit));
        home.put("turn-1", all);
        assert_eq!(home.flush(20).left, 0, "{}", home.log());
        let seen = book.seen();
        assert!(
            seen.len() >= 5 && seen.iter().all(|s| s.bytes <= limit),
            "{:?}",
            seen.iter().map(|s| s.bytes).collect::<Vec<_>>()
        );
        assert_eq!(book.counts().into_values().collect::<Vec<_>>(), vec![1; 201]);
        let last = book.spans().into_iter().next_back().unwrap();
        let Some(Value::StringValue(text)) = &last.attributes[0].value.as_ref().unwrap().value else {
            panic!()
        };
        assert!(text.ends_with("of 150000 bytes]"), "cut, with its mark");
    }
}

#[test]
fn acknowledged_spans_are_not_resent() {
    let count = AtomicU32::new(0);
    let collector = HttpCollector::start(move |_| {
        if count.fetch_add(1, Ordering::SeqCst) == 2 { Answer::Status(403, "", "") } else { Answer::Accept }
    });
    let home = Home::new(&format!("{}, max_request_bytes: 5000", phoenix(&collector.url())));
    home.put("turn-1", (0..20).map(|n| span(n, 1000)).collect());
    let report = home.flush(10);
    assert_eq!((report.delivered, report.left), (0, 1));
    let first = collector.book.counts().len();
    assert!(first > 0 && first < 20);
    assert_eq!(home.flush(10).left, 0);
    assert_eq!(collector.book.counts().into_values().collect::<Vec<_>>(), vec![1; 20]);
}

#[test]
fn refused_key_keeps_turns() {
    for status in [401, 403, 404] {
        let collector =
            HttpCollector::start(move |_| Answer::Status(status, "", "your key sesame and your spans"));
        let home = Home::new(&phoenix(&collector.url()));
        home.put("turn-1", spans(2));
        home.put("turn-2", spans(2));
        for _ in 0..3 {
            assert_eq!(home.flush(10).left, 2);
        }
        assert_eq!(collector.book.seen().len(), 3, "one request a run");
        let log = home.log();
        assert_eq!(log.lines().count(), 1, "{log}");
        assert!(
            log.contains(&format!("phoenix at {}: HTTP status {status}; check", collector.url())),
            "{log}"
        );
        assert!(!log.contains("sesame"), "{log}");
        assert_eq!(DeliveryStatus::load(home.paths()).health.consecutive_failures, 3);
        collector.book.answer(|_| Answer::Accept);
        assert_eq!(home.flush(10).delivered, 2, "a corrected key delivers the backlog");
    }
}

#[test]
fn a_poisonous_span_is_set_aside_alone() {
    for (grpc, poison) in
        [(false, Answer::Status(422, "", "span 11 said sesame")), (true, Answer::Grpc(3, "bad span", vec![]))]
    {
        let script = move |seen: &crate::collector::Seen| {
            let bad = spans_of(&seen.request).iter().any(|s| s.name == "span 11");
            if bad { poison.clone() } else { Answer::Accept }
        };
        let (http, rpc);
        let (book, yaml) = if grpc {
            rpc = GrpcCollector::start(script);
            (&rpc.book, format!("target: otlp, endpoint: '{}', protocol: grpc", rpc.address()))
        } else {
            http = HttpCollector::start(script);
            (&http.book, phoenix(&http.url()))
        };
        let home = Home::new(&yaml);
        home.put("turn-1", spans(20));
        home.put("turn-2", vec![span(11, 1)]);
        home.put("turn-3", vec![span(30, 1)]);
        let report = home.flush(20);
        assert_eq!((report.delivered, report.left, report.set_aside), (2, 0, 1), "{}", home.log());
        let expected: Vec<Vec<u8>> =
            (0..20u64).filter(|n| *n != 11).chain([30]).map(|n| n.to_be_bytes().to_vec()).collect();
        assert_eq!(
            book.counts().into_iter().collect::<Vec<_>>(),
            expected.into_iter().map(|id| (id, 1)).collect::<Vec<_>>()
        );
        let mut kept: Vec<String> = std::fs::read_dir(outbox::rejected(home.paths()))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        kept.sort();
        let expected = ["turn-1.thread.0.turn.part", "turn-1.thread.0.turn.refused", "turn-2.thread.0.turn"];
        assert_eq!(kept, expected);
        assert!(!home.log().contains("sesame"));
    }
}

#[test]
fn refusing_server_loses_no_turn() {
    let collector = HttpCollector::start(|_| Answer::Status(400, "", ""));
    let home = Home::new(&phoenix(&collector.url()));
    home.put("turn-1", spans(20));
    let report = home.flush(10);
    assert_eq!((report.left, report.set_aside), (1, 0));
    assert!(home.log().contains("refuses every turn"), "{}", home.log());
    assert_eq!(collector.book.seen().len(), 2);
}

#[test]
fn too_large_request_is_halved() {
    let http =
        HttpCollector::start(
            |seen| if seen.bytes > 20_000 { Answer::Status(413, "", "") } else { Answer::Accept },
        );
    let grpc = GrpcCollector::start(|seen| match seen.bytes {
        0..=20_000 => Answer::Accept,
        _ => Answer::Grpc(8, "grpc: received message larger than max", vec![]),
    });
    for (book, yaml) in [
        (&http.book, phoenix(&http.url())),
        (&grpc.book, format!("target: otlp, endpoint: '{}', protocol: grpc", grpc.address())),
    ] {
        let home = Home::new(&yaml);
        let mut all: Vec<Span> = (0..100).map(|n| span(n, 1000)).collect();
        all.push(span(100, 100_000));
        home.put("turn-1", all);
        assert_eq!(home.flush(20).left, 0, "{}", home.log());
        assert_eq!(book.counts().into_values().collect::<Vec<_>>(), vec![1; 101]);
        assert!(book.seen().len() < 40, "{}", book.seen().len());
    }
}

#[test]
fn a_web_page_is_no_acknowledgement() {
    let page = Answer::Status(200, "content-type: text/html; charset=utf-8\r\n", "<html>");
    let collector = HttpCollector::start(move |_| page.clone());
    let home = Home::new(&phoenix(&collector.url()));
    home.put("turn-1", spans(1));
    assert_eq!(home.flush(10).left, 1);
    assert!(home.log().contains("web page"), "{}", home.log());
}

#[test]
fn redirects_are_not_followed() {
    let other = HttpCollector::start(|_| Answer::Accept);
    let location: &'static str = format!("location: {}/v1/traces\r\n", other.url()).leak();
    let collector = HttpCollector::start(move |_| Answer::Status(307, location, ""));
    let home = Home::new(&phoenix(&collector.url()));
    home.put("turn-1", spans(1));
    assert_eq!(home.flush(10).left, 1);
    assert!(other.book.seen().is_empty() && home.log().contains("307"), "{}", home.log());
}

#[test]
fn retry_after_is_honoured_across_processes() {
    let count = AtomicU32::new(0);
    let collector = HttpCollector::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::Status(503, "retry-after: 1\r\n", ""),
        1 => Answer::Status(429, "retry-after: 600\r\n", ""),
        _ => Answer::Accept,
    });
    let home = Home::new(&phoenix(&collector.url()));
    home.put("turn-1", spans(1));
    assert_eq!(home.flush(10).left, 1);
    let seen = collector.book.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen[1].at - seen[0].at >= Duration::from_secs(1));
    let began = Instant::now();
    let report = home.flush(10);
    assert_eq!((report.left, collector.book.seen().len()), (1, 2), "not before the server's time");
    assert!(report.last_error.is_some() && began.elapsed() < Duration::from_secs(5));
    let asked = flush::run(&home.context, &home.settings(), Budget::asked(Duration::from_secs(5)));
    assert_eq!(asked.delivered, 1, "a person's wish comes first");
}

#[test]
fn retry_info_is_waited_for() {
    // google.rpc.DeliveryStatus { details: [Any { RetryInfo { retry_delay { seconds: 1 } } }] }
    let mut details = vec![0x1a, 0x30, 0x0a, 0x28];
    details.extend(b"type.googleapis.com/google.rpc.RetryInfo");
    details.extend([0x12, 0x04, 0x0a, 0x02, 0x08, 0x01]);
    let count = AtomicU32::new(0);
    let collector = GrpcCollector::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::Grpc(8, "quota", details.clone()),
        _ => Answer::Accept,
    });
    let home = Home::new(&format!("target: otlp, endpoint: '{}', protocol: grpc", collector.address()));
    home.put("turn-1", spans(1));
    assert_eq!(home.flush(10).delivered, 1);
    let seen = collector.book.seen();
    assert!(seen[1].at - seen[0].at >= Duration::from_secs(1));
}

#[test]
fn flaky_backend_gets_every_span() {
    let count = AtomicU32::new(0);
    let collector = HttpCollector::start(move |_| match count.fetch_add(1, Ordering::SeqCst) % 4 {
        0 => Answer::Reset,
        1 => Answer::Status(500, "", ""),
        2 => Answer::Broken,
        _ => Answer::Accept,
    });
    let home = Home::new(&phoenix(&collector.url()));
    home.put("turn-1", spans(5));
    assert_eq!(home.flush(60).left, 0, "{}", home.log());
    assert_eq!(collector.book.counts().len(), 5);
}

#[test]
fn hung_backend_loses_no_turn() {
    let http = HttpCollector::start(|_| Answer::Hang);
    let grpc = GrpcCollector::start(|_| Answer::Hang);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap();
    for yaml in [
        phoenix(&http.url()),
        format!("target: otlp, endpoint: '{}', protocol: grpc", grpc.address()),
        format!("target: otlp, endpoint: '{silent}', protocol: grpc"),
    ] {
        let home = Home::new(&yaml);
        home.put("turn-1", spans(5));
        let began = Instant::now();
        assert_eq!(home.flush(2).left, 1);
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        assert!(home.log().contains("no answer in time"), "{}", home.log());
    }
    let home = Home::new(&phoenix(&http.url()));
    home.put("turn-1", spans(5));
    let began = Instant::now();
    assert_eq!(home.flush(11).left, 1);
    assert!(began.elapsed() >= Duration::from_secs(10) && began.elapsed() < Duration::from_secs(13));
}

#[test]
fn local_target_sends_nothing() {
    let home = Home::new("");
    home.put("turn-1", spans(1));
    for _ in 0..2 {
        assert_eq!(home.flush(5).left, 1);
    }
    assert_eq!(home.log().lines().count(), 1, "{}", home.log());
    home.configure("target: local");
    let report = home.flush(5);
    assert_eq!((report.delivered, report.left), (1, 0));
    assert!(archive::items(home.paths()).all(|i| i.place == archive::DeliveryState::Sent));
}

#[test]
fn damaged_files_block_nothing() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let home = Home::new(&phoenix(&collector.url()));
    let torn = home.put("turn-1", spans(9));
    let path = outbox::waiting(home.paths(), &torn);
    let content = std::fs::read(&path).unwrap();
    std::fs::write(&path, &content[..content.len() - 5]).unwrap();
    std::fs::write(home.paths().outbox().join("turn-0.thread.0.turn"), b"nonsense").unwrap();
    home.put("turn-2", vec![span(50, 1)]);
    let report = home.flush(10);
    assert_eq!((report.delivered, report.set_aside, report.left), (1, 2, 0));
    assert_eq!(collector.book.counts().len(), 9, "what can be read of a torn turn is delivered");
}

#[test]
fn second_process_leaves_work_to_first() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let home = Home::new(&phoenix(&collector.url()));
    let mut calls = 0;
    let mut watch = |_: &Report| {
        calls += 1;
        if calls <= 2 {
            home.put(&format!("turn-{calls}"), vec![span(calls, 1)]);
            let second = flush::run(&home.context, &home.settings(), Budget::background());
            assert!(second.busy && second.delivered == 0);
        }
    };
    home.put("turn-0", vec![span(0, 1)]);
    let report = flush::run_watched(&home.context, &home.settings(), Budget::background(), &mut watch);
    assert_eq!((report.delivered, report.left), (3, 0));
}
