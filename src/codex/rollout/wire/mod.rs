//! The lines of a rollout as Codex writes them: `timestamp`, `type`, `payload`.
//!
//! The names are those of Codex 0.25 to 0.171 (`docs::codex`). A line of an unknown kind says
//! nothing; a known one with fields missing says less.

mod content;
mod detail;
mod event;
mod response;
mod session;
mod value;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::{Fact, Record, UserMessage};
use crate::codex::payload::Usage;
use crate::time::Timestamp;
use content::content;
use event::event;
use response::response_item;
use session::{session_meta, turn_context};
use value::text;

#[derive(Deserialize)]
struct WireLine<'a> {
    #[serde(borrow, default)]
    timestamp: Cow<'a, str>,
    #[serde(borrow, rename = "type", default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// Reads one line; `None` when it says nothing about a turn.
///
/// # Errors
/// When it is no JSON.
pub(super) fn parse(line: &[u8]) -> Result<Option<Record>, serde_json::Error> {
    let wire: WireLine = serde_json::from_slice(line)?;
    if wire.payload.is_none() {
        return Ok(bare(serde_json::from_slice(line)?));
    }
    if !matches!(
        &*wire.kind,
        "session_meta" | "event_msg" | "response_item" | "turn_context" | "token_usage_record" | "compacted"
    ) {
        return Ok(None);
    }
    let Some(raw) = wire.payload else { return Ok(None) };
    let payload: Value = serde_json::from_str(raw.get())?;
    let fact = match &*wire.kind {
        "session_meta" => Some(Fact::Session(Box::new(session_meta(&payload)))),
        "turn_context" => Some(Fact::Context(Box::new(turn_context(&payload)))),
        "token_usage_record" => response_usage(&payload),
        "compacted" => Some(compacted(&payload)),
        "response_item" => response_item(&payload),
        _ => event(&payload),
    };
    let at = Timestamp::parse(&wire.timestamp).unwrap_or_default();
    let turn = text(&payload, "turn_id")
        .or_else(|| text(payload.get("internal_chat_message_metadata_passthrough")?, "turn_id"));
    Ok(fact.map(|fact| Record { at, turn, fact }))
}

/// A line of the releases before 0.32: what later became the payload, without a time but in the first line.
fn bare(line: Value) -> Option<Record> {
    let at = text(&line, "timestamp").and_then(|t| Timestamp::parse(&t)).unwrap_or_default();
    let fact = match line.get("type").and_then(Value::as_str) {
        None if line.get("record_type").is_some() => None,
        None => text(&line, "id").map(|_| Fact::Session(Box::new(session_meta(&line)))),
        Some("message") if text(&line, "role").as_deref() == Some("user") => {
            let (text, images) = content(line.get("content")?);
            // What Codex itself sends the model at the beginning stands in tags of its own.
            let ours = ["<environment_context>", "<user_instructions>"].iter().any(|t| text.starts_with(t));
            (!ours).then_some(Fact::User(UserMessage { text, images }))
        }
        Some(_) => response_item(&line),
    };
    fact.map(|fact| Record { at, turn: None, fact })
}

fn compacted(payload: &Value) -> Fact {
    let history = payload.get("replacement_history").and_then(Value::as_array);
    Fact::Compacted {
        summary: text(payload, "message").unwrap_or_default(),
        history: history.map(|items| items.iter().filter_map(response_item).collect()),
    }
}

fn response_usage(payload: &Value) -> Option<Fact> {
    let usage = Usage::from_value(payload.get("usage")?)?;
    Some(Fact::ResponseUsage { response_id: text(payload, "response_id").unwrap_or_default(), usage })
}

#[cfg(test)]
mod tests {
    use super::super::ModelOutput;
    use super::*;

    fn fact(kind: &str, payload: &str) -> Option<Fact> {
        let line =
            format!(r#"{{"timestamp":"2026-11-22T12:25:36.172Z","type":"{kind}","payload":{payload}}}"#);
        parse(line.as_bytes()).unwrap().map(|r| r.fact)
    }

    #[test]
    fn broken_lines_are_errors() {
        assert_eq!(fact("world_state", r#"{"full":true}"#), None);
        assert_eq!(fact("event_msg", r#"{"type":"something_new","x":[1]}"#), None);
        assert_eq!(fact("response_item", r#"{"type":"message","role":"developer","content":[]}"#), None);
        assert_eq!(fact("event_msg", "[]"), None);
        assert!(parse(b"{\"timestamp\":").is_err());
    }

    #[test]
    fn a_call_of_an_unknown_kind_is_a_call() {
        let Some(Fact::Output(ModelOutput::Call(call))) =
            fact("response_item", r#"{"type":"code_interpreter_call","id":"ci_1","status":"completed"}"#)
        else {
            panic!("no call")
        };
        assert_eq!(
            (call.name.as_str(), call.call_id.as_str(), call.hosted),
            ("code_interpreter", "ci_1", true)
        );
    }

    #[test]
    fn mcp_failure_carries_its_message() {
        let new = r#"{"type":"item_completed","item":{"type":"McpToolCall","id":"c","server":"s","tool":"t","status":"failed","result":{"content":[{"type":"text","text":"boom"}],"isError":true}}}"#;
        let old = r#"{"type":"mcp_tool_call_end","call_id":"c","invocation":{"server":"s","tool":"t"},"result":{"Ok":{"content":[{"type":"text","text":"boom"}],"isError":true}}}"#;
        for payload in [new, old] {
            let Some(Fact::ToolDetail(detail)) = fact("event_msg", payload) else { panic!("{payload}") };
            assert_eq!((detail.error.as_deref(), detail.status.as_deref()), (Some("boom"), Some("failed")));
            assert_eq!((detail.server.as_deref(), detail.tool.as_deref()), (Some("s"), Some("t")));
        }
    }

    #[test]
    fn changed_lines_are_counted() {
        let update = r#"{"type":"patch_apply_end","call_id":"c","success":true,"changes":{"/a":{"type":"update","unified_diff":"--- a\n+++ b\n@@\n-x\n+y\n+z\n"},"/n":{"type":"add","content":"1\n2\n"}}}"#;
        let Some(Fact::ToolDetail(detail)) = fact("event_msg", update) else { panic!() };
        let counts: Vec<_> = detail.changes.iter().map(|c| (c.lines_added, c.lines_removed)).collect();
        assert_eq!(counts, [(2, 1), (2, 0)]);
    }
}
