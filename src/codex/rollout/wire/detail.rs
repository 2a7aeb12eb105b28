//! What Codex notes about a tool call, in both history modes: its exit code, its error, the files it changed.

use serde_json::Value;

use super::super::{FileChange, ToolDetail};
use super::content::content;
use super::value::{as_text, count, error_text, kind_name, text};

pub(super) fn detail(kind: &str, item: &Value) -> ToolDetail {
    let result = item.get("result").unwrap_or(&Value::Null);
    ToolDetail {
        call_id: text(item, "id").unwrap_or_default(),
        kind: kind.to_owned(),
        exit_code: item.get("exit_code").and_then(Value::as_i64),
        status: text(item, "status"),
        output: text(item, "aggregated_output")
            .or_else(|| text(item, "stdout"))
            .or_else(|| mcp_output(result)),
        error: item.get("error").filter(|e| !e.is_null()).map(error_text).or_else(|| mcp_error(result)),
        duration: item.get("duration").and_then(duration),
        server: text(item, "server"),
        tool: text(item, "tool"),
        query: text(item, "query"),
        arguments: arguments_of(kind, item),
        changes: item.get("changes").map(file_changes).unwrap_or_default(),
        ..ToolDetail::default()
    }
}

/// The `…_end` events of the older history mode.
pub(super) fn legacy_detail(payload: &Value) -> ToolDetail {
    let invocation = payload.get("invocation").unwrap_or(&Value::Null);
    let result = payload.get("result").unwrap_or(&Value::Null);
    let failed = payload.get("success").and_then(Value::as_bool) == Some(false);
    let inner = result.get("Ok").unwrap_or(result);
    let error = text(result, "Err").or_else(|| mcp_error(inner));
    let status = text(payload, "status").or_else(|| (failed || error.is_some()).then(|| "failed".to_owned()));
    ToolDetail {
        call_id: text(payload, "call_id").unwrap_or_default(),
        kind: text(payload, "type").unwrap_or_default(),
        exit_code: payload.get("exit_code").and_then(Value::as_i64),
        status,
        output: text(payload, "aggregated_output")
            .or_else(|| text(payload, "stdout"))
            .or_else(|| mcp_output(inner)),
        error: error.or_else(|| failed.then(|| text(payload, "stderr")).flatten().filter(|e| !e.is_empty())),
        duration: payload.get("duration").and_then(duration),
        server: text(invocation, "server"),
        tool: text(invocation, "tool"),
        query: text(payload, "query"),
        arguments: arguments_of(&text(payload, "type").unwrap_or_default(), payload),
        changes: payload.get("changes").map(file_changes).unwrap_or_default(),
        ..ToolDetail::default()
    }
}

/// A duration as Rust's own type is written: `{"secs": …, "nanos": …}`.
fn duration(value: &Value) -> Option<std::time::Duration> {
    let nanos = u32::try_from(count(value, "nanos")?).ok()?;
    std::time::Duration::from_secs(count(value, "secs")?)
        .checked_add(std::time::Duration::from_nanos(nanos.into()))
}

/// Returns what an MCP server answered when it says that the call failed.
fn mcp_error(result: &Value) -> Option<String> {
    let failed = result.get("isError").or_else(|| result.get("is_error"))?.as_bool()?;
    failed.then(|| content(result.get("content").unwrap_or(&Value::Null)).0)
}

/// Returns what an MCP server answered, whole.
fn mcp_output(result: &Value) -> Option<String> {
    result.get("content").filter(|content| content.is_array()).map(|_| result.to_string())
}

fn file_changes(changes: &Value) -> Vec<FileChange> {
    let one = |path: &str, change: &Value| {
        let kind = text(change, "type").or_else(|| kind_name(change)).unwrap_or_default();
        let body =
            change.get("content").or_else(|| change.get(&kind)?.get("content")).and_then(Value::as_str);
        let diff = change.get("unified_diff").or_else(|| change.get(&kind)?.get("unified_diff"));
        let lines = body.map_or(0, |b| b.lines().count() as u64);
        let (added, removed) = match (kind.as_str(), diff.and_then(Value::as_str)) {
            (_, Some(diff)) => diff_counts(diff),
            ("delete", None) => (0, lines),
            _ => (lines, 0),
        };
        FileChange { path: path.to_owned(), kind, lines_added: added, lines_removed: removed }
    };
    match changes {
        Value::Object(map) => map.iter().map(|(path, change)| one(path, change)).collect(),
        Value::Array(list) => list.iter().map(|c| one(&text(c, "path").unwrap_or_default(), c)).collect(),
        _ => Vec::new(),
    }
}

fn diff_counts(diff: &str) -> (u64, u64) {
    let body = || diff.lines().filter(|l| !l.starts_with("+++") && !l.starts_with("---"));
    let count = |sign: char| body().filter(|l| l.starts_with(sign)).count() as u64;
    (count('+'), count('-'))
}

/// Returns what a call was asked to do, in the form hooks know.
fn arguments_of(kind: &str, item: &Value) -> Option<String> {
    let named = |name: &str, value: String| Some(serde_json::json!({ name: value }).to_string());
    match kind {
        "CommandExecution" | "exec_command_end" => {
            let words: Vec<&str> =
                item.get("command")?.as_array()?.iter().filter_map(Value::as_str).collect();
            match &words[..] {
                // The shell that runs it is Codex's.
                [_, "-lc" | "-c" | "-Command" | "/c", command] => named("command", (*command).to_owned()),
                words => named("command", words.join(" ")),
            }
        }
        "McpToolCall" | "DynamicToolCall" => item.get("arguments").map(as_text),
        "mcp_tool_call_end" => item.get("invocation")?.get("arguments").map(as_text),
        "ImageView" | "view_image_tool_call" => named("path", text(item, "path")?),
        "ImageGeneration" | "image_generation_end" => named("prompt", text(item, "revised_prompt")?),
        _ => None,
    }
}
