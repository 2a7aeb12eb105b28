//! What goes to the model and comes from it: messages, reasoning, tool calls and their outputs.

use serde_json::Value;

use super::super::{Fact, Image, ModelOutput, ToolOutput, ToolRequest};
use super::content::content;
use super::value::{as_text, text};

pub(super) fn response_item(payload: &Value) -> Option<Fact> {
    let kind = payload.get("type")?.as_str()?;
    match kind {
        "message" if text(payload, "role").as_deref() == Some("assistant") => {
            let (text, _) = content(payload.get("content")?);
            Some(Fact::Output(ModelOutput::Message { text }))
        }
        "message" if text(payload, "role").as_deref() == Some("user") => {
            let (text, images) = content(payload.get("content")?);
            if images.is_empty() { given(false, text) } else { Some(Fact::UserImages { text, images }) }
        }
        "message" if text(payload, "role").is_some_and(|role| role == "developer" || role == "system") => {
            let (text, _) = content(payload.get("content")?);
            given(true, text)
        }
        "additional_tools" => Some(Fact::Tools { schemas: schemas(payload.get("tools")?) }),
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
        // The output of no call: Codex gives the model what a goal's turn works towards.
        "function_call_output" if text(payload, "name").as_deref() == Some("goal_objective") => {
            text(payload, "output").map(|objective| Fact::Goal { objective })
        }
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

fn given(developer: bool, text: String) -> Option<Fact> {
    if text.is_empty() { None } else { Some(Fact::Given { developer, text }) }
}

/// The schema of each tool, those in a namespace one by one.
fn schemas(tools: &Value) -> Vec<String> {
    let Some(tools) = tools.as_array() else { return Vec::new() };
    let of = |tool: &Value| match tool.get("tools").filter(|inner| inner.is_array()) {
        Some(inner) => schemas(inner),
        None => vec![tool.to_string()],
    };
    tools.iter().flat_map(of).collect()
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
        arguments: arguments.map(as_text).or_else(|| drawn_prompt(payload)).unwrap_or_default(),
        hosted,
        status: text(payload, "status"),
        images: made_images(kind, payload),
    }
}

/// Returns what an image was drawn from, as the model that draws understood it.
fn drawn_prompt(payload: &Value) -> Option<String> {
    let prompt = payload.get("revised_prompt").or_else(|| payload.get("prompt"))?.as_str()?;
    Some(serde_json::json!({ "prompt": prompt }).to_string())
}

fn made_images(kind: &str, payload: &Value) -> Vec<Image> {
    let result = payload.get("result").and_then(Value::as_str).filter(|r| !r.is_empty());
    let result = result.filter(|_| kind == "image_generation_call");
    let image = |data: &str| match data.starts_with("data:") || data.starts_with("http") {
        true => Image(data.to_owned()),
        false => {
            let format = payload.get("output_format").and_then(Value::as_str).unwrap_or("png");
            Image(format!("data:image/{format};base64,{data}"))
        }
    };
    result.map(image).into_iter().collect()
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
    ToolOutput {
        call_id: self::text(payload, "call_id").unwrap_or_default(),
        text,
        images,
        success,
        // Only what `notify` says carries the tool's name.
        progress: payload.get("name").is_some_and(Value::is_string),
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
