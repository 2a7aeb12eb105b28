//! The forms in which Codex's own tools answer when they worked.
//!
//! What a tool says when it fails is a sentence: each release has hundreds, and none marks them in the rollout. What it
//! says when it worked has one form for each tool. So an answer of another form is that of a call that failed,
//! whatever it says.

use crate::codex::rollout::{ToolOutput, ToolRequest};

/// Returns true if a tool of Codex's own gave an answer that it never gives when it worked. Other tools' answers have
/// any form.
pub(super) fn is_foreign(request: &ToolRequest, output: &ToolOutput) -> bool {
    let ours = request.namespace.as_deref().is_none_or(|name| NAMESPACES.contains(&name));
    if !ours || request.hosted {
        return false;
    }
    let text = output.text.as_str();
    let begins = |starts: &[&str]| starts.iter().any(|start| text.starts_with(start));
    match request.name.as_str() {
        "exec" => !text.starts_with("Script "),
        "wait" if request.arguments.contains("\"cell_id\"") => !text.starts_with("Script "),
        "exec_command" | "write_stdin" | "shell" | "shell_command" => !begins(COMMANDS),
        "apply_patch" => !begins(PATCHES),
        "view_image" => output.images.is_empty() && !text.starts_with("attached local image"),
        "sleep" => !text.starts_with("Wall time: "),
        "update_plan" => text != "Plan updated",
        "send_message" | "followup_task" => !text.is_empty() && !begins(JSON),
        name => (ANSWERING_JSON.contains(&name) || RESOURCE_TOOLS.contains(&name)) && !begins(JSON),
    }
}

/// The namespaces of Codex's own tools; most have none.
const NAMESPACES: &[&str] = &["functions", "collaboration", "multi_agent_v1", "clock"];
const JSON: &[&str] = &["{", "["];
/// How a command's answer begins: with its cell, its time, its state, or as JSON in old releases. 0.118 repeats the command.
const COMMANDS: &[&str] = &[
    "Chunk ID: ",
    "Wall time: ",
    "Exit code: ",
    "Process ",
    "Command: ",
    "Output:",
    "Total output lines: ",
    "{",
];
const PATCHES: &[&str] = &["Exit code: ", "Success. ", "Done!", "{"];
/// Tools of Codex's own for what servers offer, which it notes as a server's.
pub(super) const RESOURCE_TOOLS: &[&str] =
    &["list_mcp_resources", "list_mcp_resource_templates", "read_mcp_resource"];

/// Tools that answer with an object.
const ANSWERING_JSON: &[&str] = &[
    "spawn_agent",
    "send_input",
    "wait_agent",
    "resume_agent",
    "close_agent",
    "list_agents",
    "interrupt_agent",
    "send_message_to_user_async",
    "request_user_input",
    "request_user_input_async",
    "request_permissions",
    "get_goal",
    "create_goal",
    "update_goal",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codex::rollout::Image;

    fn foreign(namespace: Option<&str>, name: &str, text: &str) -> bool {
        let request = ToolRequest {
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
            arguments: "{\"cell_id\":\"7\"}".to_owned(),
            ..ToolRequest::default()
        };
        is_foreign(&request, &ToolOutput { text: text.to_owned(), ..ToolOutput::default() })
    }

    /// What Codex 0.25 to 0.171 answered in recordings.
    #[test]
    fn answers_of_work_done_have_their_form() {
        for (namespace, name, text) in [
            (None, "exec", "Script completed\nWall time 0.1 seconds\nOutput:\n"),
            (Some("functions"), "exec", "Script failed\nWall time 0.1 seconds\nOutput:\n"),
            (None, "wait", "Script terminated\nWall time 0.1 seconds\nOutput:\n"),
            (
                None,
                "exec_command",
                "Chunk ID: 1\nWall time: 0.1 seconds\nProcess exited with code 0\nOutput:\nx",
            ),
            (None, "exec_command", "Command: /bin/zsh -lc 'cat'\nChunk ID: 2\n"),
            (None, "write_stdin", "Chunk ID: 1\nWall time: 1 seconds\nProcess running with session ID 4\n"),
            (None, "shell", "{\"output\":\"hi\\n\",\"metadata\":{\"exit_code\":0}}"),
            (None, "shell_command", "Exit code: 0\nWall time: 1 seconds\nOutput:\n"),
            (
                None,
                "apply_patch",
                "Exit code: 0\nWall time: 0 seconds\nOutput:\nSuccess. Updated the following files:",
            ),
            (None, "view_image", "attached local image path"),
            (Some("clock"), "sleep", "Wall time: 1.0 seconds\nSleep completed."),
            (None, "update_plan", "Plan updated"),
            (Some("collaboration"), "followup_task", ""),
            (Some("collaboration"), "list_agents", "{\"agents\":[]}"),
            (Some("multi_agent_v1"), "wait_agent", "{\"status\":{}}"),
            (None, "request_user_input", "{\"answers\":{}}"),
            (None, "get_goal", "{\"goal\":null}"),
            // Tools of others say what they like.
            (Some("mcp__demo"), "exec", "done"),
            (Some("mcp__demo"), "spawn_agent", "no such agent"),
            (None, "anything", "live agent path not found"),
        ] {
            assert!(!foreign(namespace, name, text), "{name}: {text}");
        }
        let request = ToolRequest { name: "view_image".to_owned(), ..ToolRequest::default() };
        let images = vec![Image("data:image/png;base64,AAAA".to_owned())];
        assert!(!is_foreign(&request, &ToolOutput { images, ..ToolOutput::default() }));
        let request = ToolRequest { name: "exec".to_owned(), hosted: true, ..ToolRequest::default() };
        assert!(!is_foreign(&request, &ToolOutput::default()));
    }

    /// What Codex 0.171 answered where nothing else says that the call failed.
    #[test]
    fn any_other_sentence_is_a_failure() {
        for (namespace, name, text) in [
            (None, "exec", "exec pragma fields must be non-negative safe integers"),
            (None, "exec", "exec expects raw JavaScript source text (non-empty)."),
            (None, "wait", "failed to parse function arguments: missing field"),
            (None, "exec_command", "failed to parse function arguments: missing field `cmd`"),
            (None, "write_stdin", "write_stdin failed: Unknown process id 4711"),
            (None, "shell", "execution error: Io(Custom)"),
            (None, "shell_command", "approval policy is Never"),
            (None, "apply_patch", "apply_patch verification failed: invalid patch"),
            (None, "view_image", "image path `/home/dev/project` is not a file"),
            (Some("clock"), "sleep", "duration_ms must be between 1 and 43200000"),
            (None, "update_plan", "update_plan is a TODO/checklist tool and is not allowed in Plan mode"),
            (Some("collaboration"), "send_message", "live agent path `/root/nobody` not found"),
            (Some("collaboration"), "followup_task", "live agent path `/root/nobody` not found"),
            (Some("collaboration"), "interrupt_agent", "live agent path `/root/nobody` not found"),
            (Some("collaboration"), "spawn_agent", "agent thread limit reached"),
            (Some("multi_agent_v1"), "close_agent", "agent not found"),
            (None, "request_user_input", "request_user_input is unavailable in Default mode"),
            (None, "request_user_input_async", "questions must not be empty"),
            (None, "create_goal", "cannot create a new goal because this thread has an unfinished goal"),
            (None, "update_goal", "unknown variant `strange`"),
            (None, "read_mcp_resource", "unknown MCP server 'nobody' for the selected environment"),
            (None, "list_mcp_resources", ""),
        ] {
            assert!(foreign(namespace, name, text), "{name}: {text}");
        }
    }
}
