//! Small entries for the unit tests of this directory.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::BTreeMap;

use crate::context::{Context, Paths};
use crate::ids::{ThreadId, TurnId};
use crate::otel::entry::{Entry, EntryKey, Head, Summary};
use crate::settings::Settings;
use crate::time::Timestamp;

/// An entry of `spans` spans.
pub fn entry(turn: &str, spans: u64) -> Entry {
    let key =
        EntryKey { turn: TurnId::parse(turn).unwrap(), thread: ThreadId::parse("thread").unwrap(), part: 0 };
    let head = Head {
        root_thread: key.thread.clone(),
        root_turn: key.turn.clone(),
        key,
        project_name: "project".into(),
        backend_rule: None,
        started_at: Timestamp::from_millis(1),
        ended_at: Timestamp::from_millis(2),
        summary: Summary { name: "Turn 1".into(), ..Summary::default() },
    };
    Entry { head, spans: (0..spans).map(|n| span(n, 3)).collect() }
}

/// A span with an attribute of `bytes` bytes and a count.
pub fn span(number: u64, bytes: usize) -> Span {
    let text = AnyValue { value: Some(Value::StringValue("x".repeat(bytes))) };
    let count = AnyValue { value: Some(Value::IntValue(number as i64)) };
    Span {
        trace_id: vec![7; 16],
        span_id: number.to_be_bytes().to_vec(),
        name: format!("span {number}"),
        attributes: vec![
            KeyValue { key: "output.value".into(), value: Some(text), ..KeyValue::default() },
            KeyValue { key: "llm.token_count.total".into(), value: Some(count), ..KeyValue::default() },
        ],
        ..Span::default()
    }
}

/// The directories of a temporary home.
pub fn paths(home: &std::path::Path) -> Paths {
    let vars = BTreeMap::from([("HOME".to_owned(), home.to_str().unwrap().to_owned())]);
    Context::given(vec![], vars).paths().clone()
}

/// The settings that `harnesses.codex: {yaml}` gives.
pub fn settings(home: &std::path::Path, yaml: &str) -> Settings {
    let vars = BTreeMap::from([("HOME".to_owned(), home.to_str().unwrap().to_owned())]);
    let context = Context::given(vec![], vars);
    std::fs::create_dir_all(context.paths().harness()).unwrap();
    std::fs::write(context.paths().config_yaml(), format!("harnesses: {{codex: {{{yaml}}}}}")).unwrap();
    Settings::load(&context).unwrap()
}
