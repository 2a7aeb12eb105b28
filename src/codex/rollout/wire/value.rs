//! Reads single fields of a payload.

use serde_json::Value;

/// The name of a variant written as a text or as the only key of an object.
pub(super) fn kind_name(value: &Value) -> Option<String> {
    match value {
        Value::String(name) => Some(name.clone()),
        Value::Object(map) => map.keys().next().cloned(),
        _ => None,
    }
}

pub(super) fn error_text(error: &Value) -> String {
    text(error, "message").unwrap_or_else(|| as_text(error))
}

/// A text as it is, anything else as JSON.
pub(super) fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

pub(super) fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}

pub(super) fn count(value: &Value, name: &str) -> Option<u64> {
    value.get(name)?.as_u64()
}
