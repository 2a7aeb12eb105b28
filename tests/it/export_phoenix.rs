//! Delivery to a real Phoenix, over both transports: start one and name it in ARIZE_CODEX_TEST_PHOENIX
//! (`127.0.0.1:6006`) and ARIZE_CODEX_TEST_PHOENIX_GRPC (`127.0.0.1:4317`), then run the ignored tests.

use opentelemetry_proto::tonic::trace::v1::Span;
use std::time::{Duration, Instant};

use crate::export_outcomes::{Home, span};
use arize_codex::delivery::{archive, outbox};

#[test]
#[ignore = "needs a Phoenix"]
fn phoenix_shows_each_span_once() {
    let Ok(http) = std::env::var("ARIZE_CODEX_TEST_PHOENIX") else {
        panic!("ARIZE_CODEX_TEST_PHOENIX is unset")
    };
    let mut endpoints = vec![format!("target: phoenix, endpoint: '{http}'")];
    if let Ok(grpc) = std::env::var("ARIZE_CODEX_TEST_PHOENIX_GRPC") {
        endpoints.push(format!("target: otlp, protocol: grpc, endpoint: '{grpc}'"));
    }
    for (round, yaml) in endpoints.iter().enumerate() {
        let project = format!("delivery {} {round}", std::process::id());
        let home = Home::new(&format!("{yaml}, max_request_bytes: 300000"));
        let mut entry = crate::export_outcomes::entry("turn-1", spans(round as u64));
        entry.head.project_name.clone_from(&project);
        outbox::put(home.paths(), &entry).unwrap();
        assert_eq!(home.flush(30).left, 0, "{}", home.log());
        wait_for(&http, &project, COUNT);
        for item in archive::items(home.paths()) {
            outbox::move_back(home.paths(), &item.head.key).unwrap();
        }
        assert_eq!(home.flush(30).delivered, 1);
        // A later span shows that what came before it has been taken in.
        let mut entry = crate::export_outcomes::entry("turn-2", vec![phoenix_span(COUNT, round as u64)]);
        entry.head.project_name.clone_from(&project);
        outbox::put(home.paths(), &entry).unwrap();
        assert_eq!(home.flush(30).left, 0);
        wait_for(&http, &project, COUNT + 1);
        assert!(home.log().is_empty(), "{}", home.log());
    }
}

fn spans(round: u64) -> Vec<Span> {
    (0..COUNT).map(|n| phoenix_span(n, round)).collect()
}

fn phoenix_span(number: u64, round: u64) -> Span {
    let own = u64::from(std::process::id()) << 32 | round << 16 | number;
    let now = arize_codex::time::now().as_nanos();
    Span {
        span_id: own.to_be_bytes().to_vec(),
        trace_id: [own.to_be_bytes(), own.to_be_bytes()].concat(),
        start_time_unix_nano: now,
        end_time_unix_nano: now + 1,
        ..span(number, 20_000)
    }
}

/// Waits until the project has exactly `count` spans.
fn wait_for(phoenix: &str, project: &str, count: u64) {
    let url = format!("http://{phoenix}/v1/projects/{}/spans?limit=1000", project.replace(' ', "%20"));
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let found = ureq::get(&url).call().ok().and_then(|mut r| r.body_mut().read_to_string().ok());
        let found: Option<serde_json::Value> = found.and_then(|text| serde_json::from_str(&text).ok());
        let spans = found.as_ref().and_then(|v| v["data"].as_array()).map_or(0, |spans| spans.len() as u64);
        if spans == count {
            return;
        }
        assert!(spans < count && Instant::now() < deadline, "{spans} of {count} spans");
        std::thread::sleep(Duration::from_millis(100));
    }
}

const COUNT: u64 = 50;
