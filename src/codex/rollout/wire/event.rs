//! What Codex notes about a turn: the events of every release, and the items of the paginated history.

use serde_json::Value;

use super::super::{Fact, Image, ThreadSettings, ToolDetail, TurnBeginning, TurnEnd, UserMessage};
use super::content::content;
use super::detail::{detail, legacy_detail};
use super::value::{count, error_text, text};
use crate::codex::payload::Usage;
use crate::time::Timestamp;

pub(super) fn event(payload: &Value) -> Option<Fact> {
    let message = |name: &str| text(payload, name).unwrap_or_default();
    Some(match payload.get("type")?.as_str()? {
        "task_started" | "turn_started" => {
            let attribution = payload.get("turn_attribution").unwrap_or(&Value::Null);
            let either = |name: &str| text(payload, name).or_else(|| text(attribution, name));
            Fact::TurnStarted(Box::new(TurnBeginning {
                root_turn: either("root_turn_id"),
                parent_turn: text(attribution, "parent_turn_id"),
                trigger: text(attribution, "turn_trigger"),
                objective: either("goal_objective"),
                trace_id: text(payload, "trace_id"),
                context_window: count(payload, "model_context_window"),
            }))
        }
        "task_complete" | "turn_complete" => Fact::TurnEnded(TurnEnd::Completed {
            last_message: text(payload, "last_agent_message"),
            error: payload.get("error").filter(|e| !e.is_null()).map(error_text),
            duration_ms: count(payload, "duration_ms"),
            first_token_ms: count(payload, "time_to_first_token_ms"),
        }),
        "thread_settings_applied" => {
            Fact::Settings(Box::new(thread_settings(payload.get("thread_settings")?)))
        }
        "thread_goal_updated" => {
            Fact::Goal { objective: text(payload.get("goal").unwrap_or(payload), "objective")? }
        }
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
            let window = count(info, "model_context_window");
            Fact::TokenCount { total, last, window, rate_limits: rate_limits(payload) }
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

/// An item of the paginated history, written when it is complete.
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
        // What the model sent through a tool: the call holds it.
        "AgentMessage" if text(item, "delivery").as_deref() == Some("async") => return None,
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

fn thread_settings(settings: &Value) -> ThreadSettings {
    ThreadSettings {
        model: text(settings, "model"),
        provider: text(settings, "model_provider_id"),
        service_tier: text(settings, "service_tier"),
        effort: text(settings, "reasoning_effort"),
        summary: text(settings, "reasoning_summary"),
    }
}

/// Returns the limits as JSON without what is unknown; `None` when nothing is known of any.
fn rate_limits(payload: &Value) -> Option<String> {
    let mut limits = payload.get("rate_limits")?.as_object()?.clone();
    limits.retain(|_, value| !value.is_null());
    let known = ["primary", "secondary", "credits"].iter().any(|name| limits.contains_key(*name));
    known.then(|| Value::from(limits).to_string())
}

fn legacy_user_message(payload: &Value) -> UserMessage {
    let list = |name: &str| payload.get(name).and_then(Value::as_array).into_iter().flatten();
    let images = list("images").chain(list("local_images"));
    UserMessage {
        text: text(payload, "message").unwrap_or_default(),
        images: images.filter_map(|i| i.as_str()).map(|i| Image(i.to_owned())).collect(),
    }
}
