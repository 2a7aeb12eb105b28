//! How many turns a second reach a backend: one that takes 100 ms for each answer, and one that answers at once.
//!
//! The backend is a thread of this program for each connection. When `ARIZE_CODEX_BENCH_BEFORE` names an older
//! executable, it delivers the same turns to the same backend in the same rounds. What arrived is decoded after the clock
//! has stopped: each span once, each thread's turns in their order.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arize_codex::ids::{ThreadId, TurnId};
use arize_codex::otel::entry::{Entry, EntryKey, Head, Summary};
use arize_codex::time::Timestamp;
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::cases;
use crate::spawn::{self, Payload};

/// Delivers to both backends and prints the table.
pub fn measure(binary: &Path, folder: &Path) {
    let before = std::env::var_os("ARIZE_CODEX_BENCH_BEFORE").map(PathBuf::from);
    println!(
        "\nTurns of {SPANS} spans, {THREADS} sessions, delivered by `flush`; medians of {ROUNDS} rounds:\n"
    );
    println!("| backend | executable | turns | requests | turns/s | at least | peak KiB | |");
    println!("|---|---|---:|---:|---:|---:|---:|---|");
    for (name, pause, turns, old_turns, least) in [
        ("100 ms a request", Duration::from_millis(100), 3000, 100, 150.0),
        ("answers at once", Duration::ZERO, 3000, 1000, 500.0),
    ] {
        let mut ours = Vec::new();
        let mut theirs = Vec::new();
        for round in 0..ROUNDS {
            ours.push(deliver(binary, folder, round, pause, turns));
            if let Some(before) = &before {
                theirs.push(deliver(before, folder, round, pause, old_turns));
            }
        }
        row(name, "this one", turns, &mut ours, Some(least));
        if before.is_some() {
            row(name, "the one before", old_turns, &mut theirs, None);
        }
    }
}

/// What one delivery came to.
struct Delivery {
    per_second: f64,
    requests: usize,
    peak_kib: i64,
}

fn row(backend: &str, executable: &str, turns: u64, runs: &mut [Delivery], least: Option<f64>) {
    runs.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    let peak = runs.iter().map(|r| r.peak_kib).max().unwrap_or(0);
    let median = &runs[runs.len() / 2];
    let reached = |least: f64| median.per_second >= least && peak <= PEAK_KIB;
    let verdict = least.map_or("", |least| if reached(least) { "reached" } else { "missed" });
    let least = least.map(|least| format!("{least:.0}")).unwrap_or_default();
    let (requests, rate) = (median.requests, median.per_second);
    println!(
        "| {backend} | {executable} | {turns} | {requests} | {rate:.0} | {least} | {peak} | {verdict} |"
    );
}

fn deliver(binary: &Path, folder: &Path, round: usize, pause: Duration, turns: u64) -> Delivery {
    let backend = Backend::start(pause);
    let name = format!("delivery-{round}-{}-{turns}-{}", pause.as_millis(), backend.address.port());
    let home =
        cases::home(folder, &name, &format!("target: phoenix, endpoint: 'http://{}'", backend.address));
    let outbox = home.join(".arize/harness/state/codex/outbox");
    for number in 0..turns {
        let entry = entry(number);
        fs::write(outbox.join(entry.head.key.file_name()), entry.encode()).expect("a turn that waits");
    }
    let run = spawn::run(binary, &["flush".into(), "--wait".into(), "600".into()], &home, &Payload::None);
    let requests = backend.check(turns);
    fs::remove_dir_all(home).expect("the home to be removed");
    Delivery { per_second: turns as f64 / run.took.as_secs_f64(), requests, peak_kib: run.peak_kib }
}

/// A turn as a short prompt with two commands makes it.
fn entry(number: u64) -> Entry {
    let thread = ThreadId::parse(&format!("019a0000-0000-7000-8000-{:012}", number % THREADS));
    let turn = TurnId::parse(&format!("019b0000-0000-7000-8000-{number:012}"));
    let (thread, turn) = (thread.expect("an id"), turn.expect("an id"));
    let head = Head {
        root_thread: thread.clone(),
        root_turn: turn.clone(),
        key: EntryKey { turn, thread, part: 0 },
        project_name: "bench".into(),
        started_at: Timestamp::from_millis(1),
        ended_at: Timestamp::from_millis(2),
        summary: Summary { name: "Turn 1".into(), prompt: "do it".into(), ..Summary::default() },
        backend_rule: None,
    };
    Entry { head, spans: (0..SPANS).map(|n| span(number * SPANS + n)).collect() }
}

fn span(number: u64) -> Span {
    let attribute = |n: u64| KeyValue {
        key: format!("codex.attribute.{n}"),
        value: Some(AnyValue { value: Some(Value::StringValue(format!("{n} ").repeat(30))) }),
        ..KeyValue::default()
    };
    Span {
        trace_id: vec![7; 16],
        span_id: number.to_be_bytes().to_vec(),
        name: format!("span {number}"),
        attributes: (0..20).map(attribute).collect(),
        ..Span::default()
    }
}

/// A backend on loopback that keeps what it is sent.
pub struct Backend {
    pub address: SocketAddr,
    /// The compressed requests, in the order in which they were acknowledged.
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Backend {
    pub fn start(pause: Duration) -> Backend {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its number");
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = bodies.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = kept.clone();
                std::thread::spawn(move || serve(stream, pause, &kept));
            }
        });
        Backend { address, bodies }
    }

    /// How many spans have arrived.
    pub fn spans(&self) -> usize {
        self.bodies.lock().expect("the requests").iter().map(|body| spans_in(body).len()).sum()
    }

    /// Holds what arrived against what was sent; returns how many requests it came in.
    fn check(&self, turns: u64) -> usize {
        let bodies = self.bodies.lock().expect("the requests");
        let mut last: BTreeMap<u64, u64> = BTreeMap::new();
        let mut count = 0;
        for body in bodies.iter() {
            for span in spans_in(body) {
                let number = u64::from_be_bytes(span.span_id.try_into().expect("an id"));
                let thread = number / SPANS % THREADS;
                assert!(last.insert(thread, number) < Some(number), "span {number} came out of order");
                count += 1;
            }
        }
        assert_eq!(count, turns * SPANS, "each span once");
        bodies.len()
    }
}

fn spans_in(body: &[u8]) -> Vec<Span> {
    let mut plain = Vec::new();
    GzDecoder::new(body).read_to_end(&mut plain).expect("a compressed request");
    let request = ExportTraceServiceRequest::decode(plain.as_slice()).expect("a request");
    request.resource_spans.into_iter().flat_map(|r| r.scope_spans).flat_map(|s| s.spans).collect()
}

fn serve(stream: TcpStream, pause: Duration, kept: &Mutex<Vec<Vec<u8>>>) {
    let mut stream = BufReader::new(stream);
    while let Some(body) = read_body(&mut stream) {
        std::thread::sleep(pause);
        kept.lock().expect("the requests").push(body);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        if stream.get_mut().write_all(answer).is_err() {
            return;
        }
    }
}

fn read_body(stream: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|n| *n > 0)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().ok()?;
            }
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

const ROUNDS: usize = 3;
const SPANS: u64 = 4;
const THREADS: u64 = 20;
/// Two full requests and what surrounds them.
const PEAK_KIB: i64 = 64 * 1024;
