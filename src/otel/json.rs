//! Spans as OTLP/JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"): ids in hex, 64-bit numbers as
//! strings, enums as numbers, names in lowerCamelCase.

use base64::Engine as _;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// A request as an OTLP/HTTP collector takes it with `Content-Type: application/json`.
pub fn request(request: &ExportTraceServiceRequest) -> Value {
    json!({ "resourceSpans": request.resource_spans.iter().map(resource_spans).collect::<Vec<_>>() })
}

fn resource_spans(group: &ResourceSpans) -> Value {
    let resource = group.resource.as_ref().map(|r| json!({ "attributes": attributes(&r.attributes) }));
    let scopes = group.scope_spans.iter().map(|scope| {
        json!({
            "scope": scope.scope.as_ref().map(self::scope),
            "spans": scope.spans.iter().map(span).collect::<Vec<_>>(),
        })
    });
    json!({ "resource": resource, "scopeSpans": scopes.collect::<Vec<_>>() })
}

fn scope(scope: &InstrumentationScope) -> Value {
    json!({ "name": scope.name, "version": scope.version })
}

/// One span.
pub fn span(span: &Span) -> Value {
    let mut out = Map::new();
    out.insert("traceId".into(), hex(&span.trace_id).into());
    out.insert("spanId".into(), hex(&span.span_id).into());
    if !span.parent_span_id.is_empty() {
        out.insert("parentSpanId".into(), hex(&span.parent_span_id).into());
    }
    if !span.trace_state.is_empty() {
        out.insert("traceState".into(), span.trace_state.as_str().into());
    }
    out.insert("name".into(), span.name.as_str().into());
    out.insert("kind".into(), span.kind.into());
    out.insert("startTimeUnixNano".into(), span.start_time_unix_nano.to_string().into());
    out.insert("endTimeUnixNano".into(), span.end_time_unix_nano.to_string().into());
    out.insert("attributes".into(), attributes(&span.attributes));
    if !span.events.is_empty() {
        let events = span.events.iter().map(|event| {
            json!({
                "timeUnixNano": event.time_unix_nano.to_string(),
                "name": event.name,
                "attributes": attributes(&event.attributes),
            })
        });
        out.insert("events".into(), events.collect());
    }
    if let Some(status) = &span.status {
        let mut told = Map::new();
        if !status.message.is_empty() {
            told.insert("message".into(), status.message.as_str().into());
        }
        told.insert("code".into(), status.code.into());
        out.insert("status".into(), told.into());
    }
    out.into()
}

fn attributes(list: &[KeyValue]) -> Value {
    list.iter()
        .map(|a| json!({ "key": a.key, "value": a.value.as_ref().map_or_else(|| json!({}), any) }))
        .collect()
}

fn any(value: &AnyValue) -> Value {
    match &value.value {
        Some(Any::StringValue(text)) => json!({ "stringValue": text }),
        Some(Any::BoolValue(flag)) => json!({ "boolValue": flag }),
        Some(Any::IntValue(number)) => json!({ "intValue": number.to_string() }),
        Some(Any::DoubleValue(number)) => json!({ "doubleValue": double(*number) }),
        Some(Any::ArrayValue(array)) => {
            json!({ "arrayValue": { "values": array.values.iter().map(any).collect::<Vec<_>>() } })
        }
        Some(Any::KvlistValue(list)) => json!({ "kvlistValue": { "values": attributes(&list.values) } }),
        Some(Any::BytesValue(bytes)) => {
            json!({ "bytesValue": base64::engine::general_purpose::STANDARD.encode(bytes) })
        }
        _ => json!({}),
    }
}

/// ProtoJSON writes what JSON has no number for as a string.
fn double(number: f64) -> Value {
    match number {
        n if n.is_nan() => "NaN".into(),
        n if n == f64::INFINITY => "Infinity".into(),
        n if n == f64::NEG_INFINITY => "-Infinity".into(),
        n => n.into(),
    }
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::ArrayValue;
    use opentelemetry_proto::tonic::trace::v1::Status;
    use opentelemetry_proto::tonic::trace::v1::span::Event;

    fn attribute(key: &str, value: Any) -> KeyValue {
        KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
    }

    #[test]
    fn span_json_follows_otlp() {
        let nested = ArrayValue { values: vec![AnyValue { value: Some(Any::BoolValue(true)) }] };
        let given = Span {
            trace_id: vec![0xab; 16],
            span_id: vec![1; 8],
            parent_span_id: vec![2; 8],
            name: "Bash".into(),
            kind: 1,
            start_time_unix_nano: u64::MAX,
            end_time_unix_nano: 1,
            attributes: vec![
                attribute("i", Any::IntValue(i64::MAX)),
                attribute("a", Any::ArrayValue(nested)),
                attribute("d", Any::DoubleValue(f64::NAN)),
                attribute("b", Any::BytesValue(vec![255])),
            ],
            events: vec![Event { time_unix_nano: 7, name: "exception".into(), ..Event::default() }],
            status: Some(Status { code: 2, message: "no".into() }),
            ..Span::default()
        };
        let expected = json!({
            "traceId": "abababababababababababababababab", "spanId": "0101010101010101",
            "parentSpanId": "0202020202020202", "name": "Bash", "kind": 1,
            "startTimeUnixNano": "18446744073709551615", "endTimeUnixNano": "1",
            "attributes": [
                { "key": "i", "value": { "intValue": "9223372036854775807" } },
                { "key": "a", "value": { "arrayValue": { "values": [{ "boolValue": true }] } } },
                { "key": "d", "value": { "doubleValue": "NaN" } },
                { "key": "b", "value": { "bytesValue": "/w==" } },
            ],
            "events": [{ "timeUnixNano": "7", "name": "exception", "attributes": [] }],
            "status": { "code": 2, "message": "no" },
        });
        assert_eq!(span(&given), expected);
        assert_eq!(span(&Span::default()).get("parentSpanId"), None);
    }
}
