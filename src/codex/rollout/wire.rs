//! The lines of a rollout as Codex writes them: `timestamp`, `type`, `payload`.
//!
//! The names are those of Codex 0.135 to 0.169 (`docs::codex`). A line of an unknown kind says
//! nothing; a known one with fields missing says less.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::*;

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
        "compacted" => Some(Fact::Compacted { summary: text(&payload, "message").unwrap_or_default() }),
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
            // What Codex itself tells the model at the beginning stands in tags of its own.
            let ours = ["<environment_context>", "<user_instructions>"].iter().any(|t| text.starts_with(t));
            (!ours).then_some(Fact::User(UserMessage { text, images }))
        }
        Some(_) => response_item(&line),
    };
    fact.map(|fact| Record { at, turn: None, fact })
}

fn session_meta(payload: &Value) -> SessionMeta {
    let git = payload.get("git").unwrap_or(&Value::Null);
    let source = payload.get("source").unwrap_or(&Value::Null);
    let subagent = source.get("subagent").map(|s| subagent_source(s, payload));
    SessionMeta {
        id: text(payload, "id"),
        session: text(payload, "session_id"),
        forked_from: text(payload, "forked_from_id"),
        cwd: text(payload, "cwd"),
        originator: text(payload, "originator"),
        cli_version: text(payload, "cli_version"),
        model_provider: text(payload, "model_provider"),
        source: source.as_str().map(str::to_owned).or_else(|| subagent.as_ref().map(|s| s.kind.clone())),
        subagent,
        git_branch: text(git, "branch"),
        git_commit: text(git, "commit_hash"),
        git_remote: text(git, "repository_url"),
    }
}

/// `"review"`, or `{"thread_spawn": {…}}`, or `{"other": "name"}`.
fn subagent_source(source: &Value, payload: &Value) -> SubagentSource {
    let (kind, detail) = match source {
        Value::String(kind) => (kind.clone(), &Value::Null),
        Value::Object(map) => match map.iter().next() {
            Some((kind, Value::String(name))) if kind == "other" => (name.clone(), &Value::Null),
            Some((kind, detail)) => (kind.clone(), detail),
            None => (String::new(), &Value::Null),
        },
        _ => (String::new(), &Value::Null),
    };
    SubagentSource {
        kind,
        parent_thread: text(detail, "parent_thread_id").or_else(|| text(payload, "parent_thread_id")),
        path: text(detail, "agent_path").or_else(|| text(payload, "agent_path")),
        nickname: text(detail, "agent_nickname").or_else(|| text(payload, "agent_nickname")),
        role: text(detail, "agent_role").or_else(|| text(payload, "agent_role")),
    }
}

fn turn_context(payload: &Value) -> TurnContext {
    let sandbox = payload.get("sandbox_policy").unwrap_or(&Value::Null);
    let mode = payload.get("collaboration_mode").unwrap_or(&Value::Null);
    TurnContext {
        cwd: text(payload, "cwd"),
        model: text(payload, "model"),
        effort: text(payload, "effort"),
        summary: text(payload, "summary"),
        approval_policy: text(payload, "approval_policy")
            .or_else(|| kind_name(payload.get("approval_policy")?)),
        approvals_reviewer: text(payload, "approvals_reviewer"),
        sandbox: text(sandbox, "type").or_else(|| text(sandbox, "mode")).or_else(|| kind_name(sandbox)),
        collaboration_mode: text(mode, "mode"),
    }
}

/// The name of a variant written as a text or as the only key of an object.
fn kind_name(value: &Value) -> Option<String> {
    match value {
        Value::String(name) => Some(name.clone()),
        Value::Object(map) => map.keys().next().cloned(),
        _ => None,
    }
}

fn response_usage(payload: &Value) -> Option<Fact> {
    let usage = Usage::from_value(payload.get("usage")?)?;
    Some(Fact::ResponseUsage { response_id: text(payload, "response_id").unwrap_or_default(), usage })
}

fn response_item(payload: &Value) -> Option<Fact> {
    let kind = payload.get("type")?.as_str()?;
    match kind {
        "message" if text(payload, "role").as_deref() == Some("assistant") => {
            let (text, _) = content(payload.get("content")?);
            Some(Fact::Output(ModelOutput::Message { text }))
        }
        "message" if text(payload, "role").as_deref() == Some("user") => {
            let (_, images) = content(payload.get("content")?);
            Some(Fact::UserImages(images)).filter(|f| *f != Fact::UserImages(Vec::new()))
        }
        "reasoning" => Some(Fact::Output(ModelOutput::Reasoning { text: reasoning_text(payload) })),
        "agent_message" => {
            let (text, _) = content(payload.get("content")?);
            Some(Fact::AgentMessage { author: self::text(payload, "author").unwrap_or_default(), text })
        }
        "function_call"
        | "custom_tool_call"
        | "local_shell_call"
        | "tool_search_call"
        | "web_search_call"
        | "image_generation_call" => Some(Fact::Output(ModelOutput::Call(tool_request(kind, payload)))),
        "function_call_output"
        | "custom_tool_call_output"
        | "tool_search_output"
        | "mcp_tool_call_output"
        | "local_shell_call_output" => Some(Fact::ToolOutput(tool_output(payload))),
        // A call of a kind this program does not know yet is still a call, and its output an output.
        other if other.ends_with("_call") => {
            Some(Fact::Output(ModelOutput::Call(tool_request(other, payload))))
        }
        other if other.ends_with("_call_output") => Some(Fact::ToolOutput(tool_output(payload))),
        _ => None,
    }
}

fn tool_request(kind: &str, payload: &Value) -> ToolRequest {
    let plain = matches!(kind, "function_call" | "custom_tool_call");
    let call_id = text(payload, "call_id").or_else(|| text(payload, "id")).unwrap_or_default();
    let arguments = ["arguments", "input", "action", "query"].iter().find_map(|n| payload.get(*n));
    let hosted = match kind {
        "tool_search_call" => text(payload, "execution").as_deref() == Some("server"),
        "web_search_call" | "image_generation_call" => true,
        // What runs here answers under an id of the call.
        _ => !plain && kind != "local_shell_call" && payload.get("call_id").is_none(),
    };
    ToolRequest {
        call_id,
        name: text(payload, "name").unwrap_or_else(|| kind.trim_end_matches("_call").to_owned()),
        namespace: text(payload, "namespace"),
        arguments: arguments.map(as_text).unwrap_or_default(),
        hosted,
        status: text(payload, "status"),
    }
}

fn tool_output(payload: &Value) -> ToolOutput {
    let output = payload.get("output").or_else(|| payload.get("tools")).unwrap_or(&Value::Null);
    let (text, images) = match output {
        Value::Array(_) if payload.get("output").is_some() => content(output),
        // Some older releases wrap the text: {"content": …, "success": …}.
        Value::Object(map) if map.get("content").is_some_and(Value::is_string) => {
            (as_text(&map["content"]), Vec::new())
        }
        other => (as_text(other), Vec::new()),
    };
    let success = output.get("success").or_else(|| payload.get("success")).and_then(Value::as_bool);
    ToolOutput { call_id: self::text(payload, "call_id").unwrap_or_default(), text, images, success }
}

fn event(payload: &Value) -> Option<Fact> {
    let message = |name: &str| text(payload, name).unwrap_or_default();
    Some(match payload.get("type")?.as_str()? {
        "task_started" | "turn_started" => {
            let attribution = payload.get("turn_attribution").unwrap_or(&Value::Null);
            Fact::TurnStarted {
                root_turn: text(payload, "root_turn_id").or_else(|| text(attribution, "root_turn_id")),
                parent_turn: text(attribution, "parent_turn_id"),
            }
        }
        "task_complete" | "turn_complete" => Fact::TurnEnded(TurnEnd::Completed {
            last_message: text(payload, "last_agent_message"),
            error: payload.get("error").filter(|e| !e.is_null()).map(error_text),
            duration_ms: count(payload, "duration_ms"),
        }),
        "turn_aborted" => Fact::TurnEnded(TurnEnd::Aborted {
            reason: text(payload, "reason"),
            duration_ms: count(payload, "duration_ms"),
        }),
        "user_message" => Fact::User(legacy_user_message(payload)),
        "agent_message" => Fact::AssistantEvent { text: message("message") },
        "token_count" => {
            let info = payload.get("info")?;
            let total = Usage::from_value(info.get("total_token_usage")?)?;
            let last = info.get("last_token_usage").and_then(Usage::from_value).unwrap_or_default();
            Fact::TokenCount { total, last }
        }
        "error" | "stream_error" => Fact::Error { message: message("message") },
        "context_compacted" => Fact::Compaction { started: None, completed: None },
        "item_completed" => return item(payload),
        "exec_command_end"
        | "patch_apply_end"
        | "mcp_tool_call_end"
        | "web_search_end"
        | "view_image_tool_call"
        | "image_generation_end"
        | "dynamic_tool_call_response" => Fact::ToolDetail(Box::new(legacy_detail(payload))),
        "collab_agent_spawn_end" => Fact::Subagent {
            call_id: message("call_id"),
            kind: "started".to_owned(),
            thread: text(payload, "new_thread_id")?,
            path: text(payload, "new_agent_path"),
        },
        "collab_agent_interaction_end" => Fact::Subagent {
            call_id: message("call_id"),
            kind: "interacted".to_owned(),
            thread: text(payload, "receiver_thread_id")?,
            path: None,
        },
        _ => return None,
    })
}

/// An item of the paginated history, told when it is complete.
fn item(payload: &Value) -> Option<Fact> {
    let item = payload.get("item")?;
    let time = |name: &str| payload.get(name)?.as_i64().map(Timestamp::from_millis);
    let (started, completed) = (time("started_at_ms"), time("completed_at_ms"));
    Some(match item.get("type")?.as_str()? {
        "UserMessage" => {
            let (text, images) = content(item.get("content")?);
            Fact::User(UserMessage { text, images })
        }
        // What a user's hook says to the model.
        "HookPrompt" => {
            Fact::AgentMessage { author: "hook".to_owned(), text: content(item.get("fragments")?).0 }
        }
        "AgentMessage" => Fact::AssistantEvent { text: content(item.get("content")?).0 },
        "ContextCompaction" => Fact::Compaction { started, completed },
        "SubAgentActivity" => Fact::Subagent {
            call_id: text(item, "id").unwrap_or_default(),
            kind: text(item, "kind").unwrap_or_default(),
            thread: text(item, "agent_thread_id")?,
            path: text(item, "agent_path"),
        },
        "CollabAgentToolCall" => {
            let receivers = item.get("receiver_thread_ids").and_then(Value::as_array);
            let spawned = text(item, "tool").is_some_and(|t| t.to_ascii_lowercase().contains("spawn"));
            Fact::Subagent {
                call_id: text(item, "id").unwrap_or_default(),
                kind: if spawned { "started" } else { "interacted" }.to_owned(),
                thread: text(item, "new_thread_id")
                    .or_else(|| Some(receivers?.first()?.as_str()?.to_owned()))?,
                path: None,
            }
        }
        kind @ ("CommandExecution" | "McpToolCall" | "FileChange" | "WebSearch" | "ImageView"
        | "ImageGeneration" | "DynamicToolCall") => {
            Fact::ToolDetail(Box::new(ToolDetail { started, completed, ..detail(kind, item) }))
        }
        _ => return None,
    })
}

fn detail(kind: &str, item: &Value) -> ToolDetail {
    let result = item.get("result").unwrap_or(&Value::Null);
    ToolDetail {
        call_id: text(item, "id").unwrap_or_default(),
        kind: kind.to_owned(),
        exit_code: item.get("exit_code").and_then(Value::as_i64),
        status: text(item, "status"),
        output: text(item, "aggregated_output").or_else(|| text(item, "stdout")),
        error: item.get("error").filter(|e| !e.is_null()).map(error_text).or_else(|| mcp_error(result)),
        duration: item.get("duration").and_then(duration),
        server: text(item, "server"),
        tool: text(item, "tool"),
        query: text(item, "query"),
        changes: item.get("changes").map(file_changes).unwrap_or_default(),
        ..ToolDetail::default()
    }
}

/// The `…_end` events of the older history mode.
fn legacy_detail(payload: &Value) -> ToolDetail {
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
        output: text(payload, "aggregated_output").or_else(|| text(payload, "stdout")),
        error: error.or_else(|| failed.then(|| text(payload, "stderr")).flatten().filter(|e| !e.is_empty())),
        duration: payload.get("duration").and_then(duration),
        server: text(invocation, "server"),
        tool: text(invocation, "tool"),
        query: text(payload, "query"),
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

fn legacy_user_message(payload: &Value) -> UserMessage {
    let list = |name: &str| payload.get(name).and_then(Value::as_array).into_iter().flatten();
    let images = list("images").chain(list("local_images"));
    UserMessage {
        text: text(payload, "message").unwrap_or_default(),
        images: images.filter_map(|i| i.as_str()).map(|i| Image(i.to_owned())).collect(),
    }
}

fn reasoning_text(payload: &Value) -> String {
    let parts = |name: &str| match payload.get(name) {
        Some(Value::Array(list)) => list.iter().filter_map(|p| text(p, "text")).collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    let mut all = parts("summary");
    if all.is_empty() {
        all = parts("content");
    }
    all.join("\n\n")
}

/// The texts and images of a message's content.
fn content(content: &Value) -> (String, Vec<Image>) {
    let Value::Array(parts) = content else { return (as_text(content), Vec::new()) };
    let mut texts = Vec::new();
    let mut images = Vec::new();
    for part in parts {
        let image = ["image_url", "url", "path"].iter().find_map(|name| text(part, name));
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        if kind.contains("mage") {
            if let (Some(data), Some(mime)) = (text(part, "data"), text(part, "mimeType")) {
                images.push(Image(format!("data:{mime};base64,{data}")));
            } else {
                images.extend(image.map(Image));
            }
        } else if let Some(text) = text(part, "text") {
            texts.push(text);
        }
    }
    (texts.join("\n"), images)
}

fn error_text(error: &Value) -> String {
    text(error, "message").unwrap_or_else(|| as_text(error))
}

/// A text as it is, anything else as JSON.
fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}

fn count(value: &Value, name: &str) -> Option<u64> {
    value.get(name)?.as_u64()
}

#[cfg(test)]
mod tests {
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
