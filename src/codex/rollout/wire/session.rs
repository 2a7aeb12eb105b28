//! What a rollout's first line says of its thread, and what each turn ran under.

use serde_json::Value;

use super::super::{HistoryBase, SessionMeta, SubagentSource, TurnContext};
use super::value::{count, kind_name, text};

pub(super) fn session_meta(payload: &Value) -> SessionMeta {
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
        instructions: payload
            .get("base_instructions")
            .and_then(|given| text(given, "text").or_else(|| given.as_str().map(str::to_owned)))
            .or_else(|| text(payload, "instructions")),
        goes_on_from: payload.get("history_base").and_then(history_base),
    }
}

fn history_base(base: &Value) -> Option<HistoryBase> {
    Some(HistoryBase { thread: text(base, "thread_id")?, end: count(base, "end_byte_offset")? })
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

pub(super) fn turn_context(payload: &Value) -> TurnContext {
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
