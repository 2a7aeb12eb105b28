//! Attributes of a span, read back.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Map, Value};

/// A text attribute of a span.
pub fn string<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    match value(span, key)? {
        Any::StringValue(text) => Some(text),
        _ => None,
    }
}

/// A whole-number attribute of a span.
pub fn number(span: &Span, key: &str) -> Option<i64> {
    match value(span, key)? {
        Any::IntValue(number) => Some(*number),
        _ => None,
    }
}

/// A number of a span, whole or not.
pub fn double(span: &Span, key: &str) -> Option<f64> {
    match value(span, key)? {
        Any::DoubleValue(number) => Some(*number),
        Any::IntValue(number) => Some(*number as f64),
        _ => None,
    }
}

fn value<'a>(span: &'a Span, key: &str) -> Option<&'a Any> {
    span.attributes.iter().find(|a| a.key == key)?.value.as_ref()?.value.as_ref()
}

/// Attributes as a JSON object.
pub fn json_object(list: &[KeyValue]) -> Map<String, Value> {
    list.iter().map(|a| (a.key.clone(), a.value.as_ref().map_or(Value::Null, json))).collect()
}

/// A value as JSON; bytes and what newer conventions bring are null.
pub fn json(value: &AnyValue) -> Value {
    match &value.value {
        Some(Any::StringValue(text)) => text.as_str().into(),
        Some(Any::BoolValue(flag)) => (*flag).into(),
        Some(Any::IntValue(number)) => (*number).into(),
        Some(Any::DoubleValue(number)) => (*number).into(),
        Some(Any::ArrayValue(list)) => list.values.iter().map(json).collect(),
        Some(Any::KvlistValue(list)) => json_object(&list.values).into(),
        _ => Value::Null,
    }
}
