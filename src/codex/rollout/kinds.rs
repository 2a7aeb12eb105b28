//! The kinds of lines that rollouts are known to hold. An unknown one is harmless: its line is passed over. `doctor`
//! names it, because what it says may be missing in a trace.

use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::file::open_regular;

/// Returns the kinds in the last part of a plain rollout that this version does not know: `type/payload/item`.
///
/// # Errors
/// When the file cannot be opened or read.
pub fn unknown(path: &Path) -> io::Result<BTreeSet<String>> {
    let mut file = open_regular(path)?;
    let from = file.metadata()?.len().saturating_sub(MAX_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut lines = BufReader::new(file.take(MAX_BYTES));
    if from > 0 {
        lines.read_until(b'\n', &mut Vec::new())?;
    }
    unknown_in(&mut lines)
}

fn unknown_in(lines: &mut BufReader<io::Take<File>>) -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        found.extend(kind_of(&line).filter(|kind| !is_known(kind)));
        line.clear();
    }
    Ok(found)
}

/// Returns the kind of a line; none when it is no line of a rollout.
fn kind_of(line: &[u8]) -> Option<String> {
    let line: Line = serde_json::from_slice(line).ok()?;
    let payload = line.payload.r#type.into_iter().chain(line.payload.item.and_then(|item| item.r#type));
    let parts: Vec<String> = [line.r#type].into_iter().chain(payload).collect();
    let is_word = |part: &String| {
        part.len() <= MAX_WORD && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    parts.iter().all(is_word).then(|| parts.join("/"))
}

fn is_known(kind: &str) -> bool {
    KNOWN.split_whitespace().any(|known| known == kind)
}

#[derive(Deserialize)]
struct Line {
    r#type: String,
    #[serde(default)]
    payload: Payload,
}

#[derive(Deserialize, Default)]
struct Payload {
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    item: Option<Item>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    r#type: Option<String>,
}

const MAX_BYTES: u64 = 4 * 1024 * 1024;
const MAX_WORD: usize = 64;
/// Of the recordings, of published rollouts since 0.63, and of the executable's own words where neither has one.
const KNOWN: &str = "
compacted id_allocation inter_agent_communication inter_agent_communication_metadata retained_context
retained_context/verified_answer session_meta
token_usage_record turn_context world_state function_call function_call_output message reasoning
event_msg/agent_message event_msg/agent_reasoning event_msg/agent_reasoning_raw_content event_msg/background_event
event_msg/collab_agent_interaction_end event_msg/collab_agent_spawn_end event_msg/collab_close_end event_msg/collab_waiting_end
event_msg/context_compacted event_msg/dynamic_tool_call_request event_msg/dynamic_tool_call_response
event_msg/entered_review_mode event_msg/error event_msg/exec_command_end event_msg/exited_review_mode
event_msg/image_generation_end event_msg/mcp_tool_call_end event_msg/patch_apply_end event_msg/stream_error
event_msg/sub_agent_activity event_msg/task_complete event_msg/task_started event_msg/thread_goal_updated
event_msg/thread_name_updated event_msg/thread_rolled_back event_msg/thread_settings_applied event_msg/token_count
event_msg/turn_aborted event_msg/user_message event_msg/view_image_tool_call event_msg/warning event_msg/web_search_end
event_msg/item_completed/AgentMessage event_msg/item_completed/CollabAgentToolCall
event_msg/item_completed/CommandExecution event_msg/item_completed/ContextCompaction
event_msg/item_completed/DynamicToolCall event_msg/item_completed/EnteredReviewMode
event_msg/item_completed/ExitedReviewMode event_msg/item_completed/Extension event_msg/item_completed/FileChange
event_msg/item_completed/HookPrompt event_msg/item_completed/ImageGeneration event_msg/item_completed/ImageView
event_msg/item_completed/McpToolCall event_msg/item_completed/Plan event_msg/item_completed/Reasoning
event_msg/item_completed/SubAgentActivity event_msg/item_completed/UserMessage event_msg/item_completed/WebSearch
response_item/additional_tools response_item/agent_message response_item/compaction
response_item/context_compaction response_item/custom_tool_call
response_item/custom_tool_call_output response_item/function_call response_item/function_call_output
response_item/ghost_snapshot response_item/image_generation_call response_item/local_shell_call response_item/message
response_item/reasoning response_item/tool_search_call response_item/tool_search_output response_item/web_search_call
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_kinds_are_named_and_rubbish_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines = "{\"type\":\"event_msg\",\"payload\":{\"type\":\"task_started\"}}\n\
             {\"type\":\"event_msg\",\"payload\":{\"type\":\"of_tomorrow\"}}\n\
             {\"type\":\"event_msg\",\"payload\":{\"type\":\"item_completed\",\"item\":{\"type\":\"Tomorrow\"}}}\n\
             {\"type\":\"a b\"}\n{\"type\":\"new_line\"}\nrubbish\n{\"x\":1}\n{\"type\":\"torn";
        std::fs::write(file.path(), lines).unwrap();
        let found: Vec<String> = unknown(file.path()).unwrap().into_iter().collect();
        assert_eq!(found, ["event_msg/item_completed/Tomorrow", "event_msg/of_tomorrow", "new_line"]);
    }

    #[test]
    fn every_recording_holds_known_kinds_alone() {
        let mut checked = 0;
        let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap().flatten() {
                let path = entry.path();
                let name = entry.file_name().to_string_lossy().into_owned();
                if path.is_dir() {
                    directories.push(path);
                } else if name.starts_with("rollout-") && name.ends_with(".jsonl") {
                    let found = unknown(&path).unwrap();
                    assert!(found.is_empty(), "{}: {found:?}", path.display());
                    checked += 1;
                }
            }
        }
        assert!(checked > 200, "{checked}");
    }
}
