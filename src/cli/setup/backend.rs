//! One look at a backend: is it there, does it take our key, and does a test trace arrive.

use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::delivery::transport::client::Client;
use crate::delivery::transport::retry::{Cause, Failure, Handling};
use crate::ids::{IdError, ThreadId, TurnId};
use crate::otel::entry::{EntryKey, Head, Summary};
use crate::otel::ids;
use crate::otel::ids::SpanRole;
use crate::otel::resource::Decoration;
use crate::settings::{Protocol, Settings, Target};
use crate::time;

/// A backend's answer to a request without spans.
#[derive(Debug, PartialEq, Eq)]
pub enum Probe {
    Takes,
    /// It may take those with spans all the same, as MLflow does.
    RefusesEmpty(Failure),
}

/// Sends an empty request: what answers it well is an OTLP backend that takes our key.
///
/// # Errors
/// What came back instead.
pub fn probe(settings: &Settings) -> Result<Probe, Failure> {
    let client = Client::new(settings)?;
    match client.send(&ExportTraceServiceRequest::default(), PATIENCE) {
        Ok(_) => Ok(Probe::Takes),
        Err(failure) if failure.class() == Handling::Poison => Ok(Probe::RefusesEmpty(failure)),
        Err(failure) => Err(failure),
    }
}

/// Finds out what an OpenTelemetry collector speaks, by asking in HTTP and then in gRPC; `None` when neither is answered.
pub fn find_protocol(settings: &Settings) -> Option<Protocol> {
    let ask = |protocol| probe(&settings.speaking(protocol));
    let http = ask(Protocol::HttpProtobuf);
    if http == Ok(Probe::Takes) {
        return Some(Protocol::HttpProtobuf);
    }
    let grpc = ask(Protocol::Grpc);
    if grpc == Ok(Probe::Takes) {
        return Some(Protocol::Grpc);
    }
    // One that asks for a key, or for more than an empty request, speaks the protocol it says so in.
    let speaks = |answer: &Result<Probe, Failure>| answer.as_ref().map_or_else(Failure::wants_key, |_| true);
    let found = [(Protocol::HttpProtobuf, &http), (Protocol::Grpc, &grpc)];
    found.into_iter().find(|(_, answer)| speaks(answer)).map(|(protocol, _)| protocol)
}

/// Outcome of a test trace.
#[derive(Debug, PartialEq, Eq)]
pub enum Test {
    /// The backend shows it.
    ReadBack { trace_id: String },
    /// The backend took it; there is no way to ask for it.
    Accepted { trace_id: String },
    /// The backend took it and did not show it in time.
    NotShown { trace_id: String },
}

/// Sends a trace of one span and reads it back where the backend allows it.
///
/// # Errors
/// When the backend does not take it.
pub fn send_test(settings: &Settings) -> Result<Test, Failure> {
    let client = Client::new(settings)?;
    let (head, span) = test_span(settings)?;
    let trace_id: String = span.trace_id.iter().map(|b| format!("{b:02x}")).collect();
    let decoration = Decoration::new(settings, &head);
    let span = decoration.span(span);
    client.send(&decoration.request(vec![span]), PATIENCE)?;
    if settings.target != Some(Target::Phoenix) {
        return Ok(Test::Accepted { trace_id });
    }
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if client.shows_trace(&head.project_name, &trace_id, PATIENCE).unwrap_or(false) {
            return Ok(Test::ReadBack { trace_id });
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    Ok(Test::NotShown { trace_id })
}

/// A span that says what it is, in a trace of its own each time.
fn test_span(settings: &Settings) -> Result<(Head, Span), Failure> {
    let now = time::now();
    let id = format!("doctor-{}-{}", now.as_nanos(), std::process::id());
    let no_id = |e: IdError| Failure::new(Cause::Settings(e.to_string()));
    let (thread, turn) = (ThreadId::parse(&id).map_err(no_id)?, TurnId::parse(&id).map_err(no_id)?);
    let attribute = |key: &str, value: &str| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) }),
        ..KeyValue::default()
    };
    let span = Span {
        trace_id: ids::trace_id(&thread, &turn).to_vec(),
        span_id: ids::span_id(&thread, &turn, SpanRole::Turn, "").to_vec(),
        name: "arize-codex doctor".to_owned(),
        start_time_unix_nano: now.as_nanos(),
        end_time_unix_nano: now.plus(Duration::from_millis(1)).as_nanos(),
        attributes: vec![
            attribute("openinference.span.kind", "CHAIN"),
            attribute("output.value", "a test by `arize-codex doctor --send`"),
        ],
        ..Span::default()
    };
    let head = Head {
        key: EntryKey { turn: turn.clone(), thread: thread.clone(), part: 0 },
        root_thread: thread,
        root_turn: turn,
        project_name: settings.profile.project_name.clone(),
        backend_rule: None,
        started_at: now,
        ended_at: now,
        summary: Summary::default(),
    };
    Ok((head, span))
}

const PATIENCE: Duration = Duration::from_secs(8);
