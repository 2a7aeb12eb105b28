//! Which call of a thread set a subagent to work.
//!
//! Releases since about 0.150 say it in the parent's rollout (SubAgentActivity, or collab events); before that only
//! the calls' own arguments and outputs name the agent's path, or its thread.

use std::path::Path;
use std::time::Duration;

use super::reader::Reader;
use super::{Fact, ModelOutput};
use crate::time::Timestamp;

/// The subagent whose call is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Sought<'a> {
    pub thread: &'a str,
    /// `/root/helper`, where the release names agents.
    pub path: Option<&'a str>,
    /// When the subagent's turn began.
    pub started: Timestamp,
}

/// A call that set a subagent to work.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpawnCall {
    pub call_id: String,
    pub turn: Option<String>,
    /// The agent's task.
    pub task: Option<String>,
}

/// A call seen so far.
struct Candidate {
    call: SpawnCall,
    at: Timestamp,
    related: bool,
}

/// Finds the last call in the parent's rollout, before the subagent's turn began, that is about the subagent.
pub fn find_call(parent: &Path, agent: &Sought) -> Option<SpawnCall> {
    let size = std::fs::metadata(parent).ok()?.len();
    let mut turn: Option<String> = None;
    let mut seen: Vec<Candidate> = Vec::new();
    for record in Reader::open_at(parent, size.saturating_sub(MAX_LOOK_BACK_BYTES)).ok()? {
        if let Fact::TurnStarted(_) = record.fact {
            turn.clone_from(&record.turn);
        }
        match record.fact {
            Fact::Output(ModelOutput::Call(call)) if is_agent_tool(&call.name) => {
                if seen.len() >= MAX_CALLS {
                    seen.retain(|s| s.related);
                }
                let turn = record.turn.or_else(|| turn.clone());
                let task = argument(&call.arguments, &["message", "prompt", "task", "input"]);
                let related = names_agent(&call.arguments, agent);
                let call = SpawnCall { call_id: call.call_id, turn, task };
                seen.push(Candidate { call, at: record.at, related });
            }
            Fact::ToolOutput(output) => {
                let about = names_agent(&output.text, agent);
                if let Some(call) = seen.iter_mut().find(|s| s.call.call_id == output.call_id) {
                    call.related |= about && output.success != Some(false);
                }
            }
            Fact::Subagent { call_id, thread, kind, .. } if thread == agent.thread && kind != "completed" => {
                match seen.iter_mut().find(|s| s.call.call_id == call_id) {
                    Some(call) => call.related = true,
                    None => {
                        let call =
                            SpawnCall { call_id, turn: record.turn.or_else(|| turn.clone()), task: None };
                        seen.push(Candidate { call, at: record.at, related: true });
                    }
                }
            }
            _ => {}
        }
    }
    let limit = agent.started.plus(MARGIN);
    seen.retain(|s| s.related);
    let last = seen.iter().rposition(|s| s.at <= limit).unwrap_or(0);
    (last < seen.len()).then(|| seen.swap_remove(last).call)
}

/// Returns true if a tool sets agents to work: spawn_agent, send_input, send_message, followup_task,
/// assign_task, …
fn is_agent_tool(name: &str) -> bool {
    name.contains("agent")
        && !name.starts_with("wait")
        && !name.starts_with("close")
        && !name.starts_with("list")
        || name.starts_with("send_")
        || name.ends_with("_task")
}

/// Returns true if a JSON text names the agent: its thread, its path, or the last part of its path.
fn names_agent(json: &str, agent: &Sought) -> bool {
    let holds = |name: &str| json.contains(&format!("\"{name}\""));
    let path = agent.path.unwrap_or_default();
    let short = path.rsplit('/').next().unwrap_or_default();
    holds(agent.thread) || (!path.is_empty() && holds(path)) || (!short.is_empty() && holds(short))
}

fn argument(arguments: &str, names: &[&str]) -> Option<String> {
    let arguments: serde_json::Value = serde_json::from_str(arguments).ok()?;
    names.iter().find_map(|name| arguments.get(*name)?.as_str()).map(str::to_owned)
}

/// The line of a call may be written a moment after the turn it caused.
const MARGIN: Duration = Duration::from_millis(100);
/// Most candidate calls held.
const MAX_CALLS: usize = 4096;
/// Most bytes of the parent's rollout that are read.
const MAX_LOOK_BACK_BYTES: u64 = 64 * 1024 * 1024;
