//! ARIZE_TRACE_DEBUG: every payload as JSON in `state/codex/debug/`, as redacted as the spans.

use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

use super::Hook;
use crate::codex::payload::{HookPayload, NotifyPayload};
use crate::file;
use crate::otel::redact::{ContentClass, Redactor};
use crate::time;

/// Keeps a hook's payload, when asked to.
pub(super) fn keep(hook: &Hook, payload: &HookPayload) {
    if !hook.settings().trace_debug {
        return;
    }
    let raw = |value: &Option<Box<serde_json::value::RawValue>>| {
        value.as_ref().and_then(|v| serde_json::from_str(v.get()).ok()).unwrap_or(Value::Null)
    };
    let usage = payload.usage().and_then(|u| serde_json::to_value(u).ok()).unwrap_or(Value::Null);
    let fields = [
        ("session_id", text(&payload.session_id), ContentClass::Plain),
        ("turn_id", text(&payload.turn_id), ContentClass::Plain),
        ("agent_id", text(&payload.agent_id), ContentClass::Plain),
        ("agent_type", text(&payload.agent_type), ContentClass::Plain),
        ("transcript_path", text(&payload.transcript_path), ContentClass::Plain),
        ("agent_transcript_path", text(&payload.agent_transcript_path), ContentClass::Plain),
        ("cwd", text(&payload.cwd), ContentClass::Plain),
        ("model", text(&payload.model), ContentClass::Plain),
        ("permission_mode", text(&payload.permission_mode), ContentClass::Plain),
        ("source", text(&payload.source), ContentClass::Plain),
        ("prompt", text(&payload.prompt), ContentClass::Prompt),
        ("tool_name", text(&payload.tool_name), ContentClass::Plain),
        ("tool_use_id", text(&payload.tool_use_id), ContentClass::Plain),
        ("tool_input", raw(&payload.tool_input), ContentClass::ToolDetail),
        ("tool_response", raw(&payload.tool_response), ContentClass::ToolContent),
        ("last_assistant_message", text(&payload.last_assistant_message), ContentClass::Prompt),
        ("trigger", text(&payload.trigger), ContentClass::Plain),
        ("reason", text(&payload.reason), ContentClass::Plain),
        ("request_id", text(&payload.request_id), ContentClass::Plain),
        ("attempt_number", payload.attempt_number.into(), ContentClass::Plain),
        ("kind", text(&payload.kind), ContentClass::Plain),
        ("status", text(&payload.status), ContentClass::Plain),
        ("error", text(&payload.error), ContentClass::Prompt),
        ("response_id", text(&payload.response_id), ContentClass::Plain),
        ("token_usage", usage, ContentClass::Plain),
    ];
    write(hook, payload.hook_event_name.as_deref().unwrap_or("unknown"), fields);
}

/// Keeps notify's payload, when asked to.
pub(super) fn keep_notify(hook: &Hook, payload: &NotifyPayload) {
    if !hook.settings().trace_debug {
        return;
    }
    let usage = payload.usage().and_then(|u| serde_json::to_value(u).ok()).unwrap_or(Value::Null);
    let fields = [
        ("type", text(&payload.kind), ContentClass::Plain),
        ("thread_id", text(&payload.thread_id), ContentClass::Plain),
        ("turn_id", text(&payload.turn_id), ContentClass::Plain),
        ("cwd", text(&payload.cwd), ContentClass::Plain),
        ("client", text(&payload.client), ContentClass::Plain),
        ("input_messages", Value::from(payload.input_messages()), ContentClass::Prompt),
        ("last_assistant_message", text(&payload.last_assistant_message), ContentClass::Prompt),
        ("token_usage", usage, ContentClass::Plain),
    ];
    write(hook, "notify", fields);
}

fn text(value: &Option<String>) -> Value {
    value.as_deref().map_or(Value::Null, Value::from)
}

fn write<const N: usize>(hook: &Hook, event: &str, fields: [(&str, Value, ContentClass); N]) {
    let redactor = Redactor::new(&hook.settings().profile);
    let mut map = Map::new();
    map.insert("event".to_owned(), redactor.text(ContentClass::Plain, event).into_owned().into());
    for (name, value, class) in fields {
        if !value.is_null() {
            map.insert(name.to_owned(), redactor.value(class, value));
        }
    }
    let folder = hook.context.paths().debug();
    if let Err(error) = try_write(&folder, &Value::from(map)) {
        hook.log().error(format_args!("cannot keep a payload: {error}"));
    }
}

fn try_write(folder: &Path, value: &Value) -> std::io::Result<()> {
    file::create_private_dir(folder)?;
    let at = time::now().as_nanos();
    let event: String =
        value["event"].as_str().unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect();
    let name = format!("{at:020}-{}-{event:.32}.json", std::process::id());
    file::write_atomic(&folder.join(name), serde_json::to_string_pretty(value)?.as_bytes())?;
    forget_oldest(folder)
}

fn forget_oldest(folder: &Path) -> std::io::Result<()> {
    let size = |entry: &fs::DirEntry| entry.metadata().map_or(0, |m| m.len());
    let mut files: Vec<_> = fs::read_dir(folder)?.flatten().map(|e| (e.file_name(), size(&e))).collect();
    files.sort_by(|a, b| b.cmp(a));
    let mut bytes = 0u64;
    for (n, (name, size)) in files.iter().enumerate() {
        bytes = bytes.saturating_add(*size);
        if n >= MAX_FILES || bytes > MAX_BYTES {
            let _ = fs::remove_file(folder.join(name));
        }
    }
    Ok(())
}

const MAX_FILES: usize = 2000;
const MAX_BYTES: u64 = 256 * 1024 * 1024;
