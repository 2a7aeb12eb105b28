//! A turn: everything that is known of it once it is over. The heart of the project, plain data.
//!
//! [`state`] and [`rows`] are what hooks leave behind, a [`closed`] turn is what they know when it ends, and
//! [`fold`] is the pure step from hooks, rollout and notify to a [`Turn`]. What a large turn consists of lies on a
//! [`shelf`], of which a part is in memory.

pub mod closed;
mod flat_yaml;
pub mod fold;
pub mod owner;
pub mod rows;
pub mod shelf;
pub mod state;

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::codex::payload::Usage;
use crate::codex::rollout::conversation::Conversation;
use crate::codex::rollout::{FileChange, Image};
use crate::ids::{ThreadId, TurnId};
use crate::time::Timestamp;
use crate::turn::shelf::{Scratch, Shelf};

/// A finished turn of a thread, or a later part of one.
#[derive(Debug)]
pub struct Turn {
    pub thread: ThreadId,
    pub turn: TurnId,
    /// 0, or the number of the continuation when Codex went on after a Stop (another tool's hook asked it to).
    pub part: u32,
    pub root_thread: ThreadId,
    pub root_turn: TurnId,
    /// The W3C trace context found in Codex's environment, `00-<trace>-<span>-<flags>`.
    pub traceparent: Option<String>,
    /// The turn's number in its session, from 1.
    pub number: Option<u64>,
    pub started: Timestamp,
    pub ended: Timestamp,
    pub status: Status,
    /// True if the user's own hook kept the prompt from the model, which had no part in the turn.
    pub blocked: bool,
    pub inputs: Vec<Message>,
    /// What the model knew when the turn began; none where it is not to be recorded, or no rollout says.
    pub before: Option<Conversation>,
    pub answer: Option<String>,
    pub about: About,
    pub calls: Shelf<ModelCall>,
    pub tools: Shelf<ToolCall>,
    pub compactions: Vec<Compaction>,
    pub usage: Option<Usage>,
    pub usage_source: Option<&'static str>,
    pub agent: Option<Agent>,
    pub origin: Origin,
    /// What hooks and rollout report differently, for the log.
    pub differences: Vec<String>,
    /// Where the calls of a large turn lie.
    pub scratch: Scratch,
}

/// End of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    Completed,
    /// It has not ended.
    Running,
    Failed {
        message: String,
    },
    Interrupted {
        reason: String,
    },
}

impl Status {
    pub fn name(&self) -> &'static str {
        match self {
            Status::Completed => "completed",
            Status::Running => "running",
            Status::Failed { .. } => "failed",
            Status::Interrupted { .. } => "interrupted",
        }
    }
}

/// Source of the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Hooks,
    /// No hook fired; notify reported the turn.
    Notify,
    Backfill,
}

/// The circumstances of a turn; what is unknown is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct About {
    pub model: Option<String>,
    pub provider: Option<String>,
    pub effort: Option<String>,
    pub reasoning_summary: Option<String>,
    pub approval_policy: Option<String>,
    pub permission_mode: Option<String>,
    pub sandbox: Option<String>,
    pub collaboration_mode: Option<String>,
    pub service_tier: Option<String>,
    pub context_window: Option<u64>,
    /// What was left of the account's limits at the last response, as JSON.
    pub rate_limits: Option<String>,
    /// The trace in Codex's own OpenTelemetry export.
    pub trace_id: Option<String>,
    /// What began the turn: user, exec, goal, …
    pub trigger: Option<String>,
    pub cwd: Option<String>,
    pub codex_version: Option<String>,
    pub client: Option<String>,
    /// What runs the session: cli, exec, vscode, …
    pub session_source: Option<String>,
    /// How the session began, as hooks report it: startup, resume, fork, clear.
    pub session_start: Option<String>,
    /// Codex's own measure of the turn.
    pub duration: Option<Duration>,
    pub git: Git,
}

/// The state of the repository the turn worked in, as far as it could be read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Git {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Without credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dirty: Option<bool>,
}

/// Something said to the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub role: MessageRole,
    pub text: String,
    pub images: Vec<Image>,
    /// The call a tool's message answers.
    pub call_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageRole {
    User,
    Tool,
    /// Another agent.
    Agent,
    /// The summary that replaced the history.
    Summary,
    /// The model's own instructions.
    System,
    /// Instructions Codex adds.
    Developer,
}

/// One response of the model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelCall {
    /// The response's id, or its ordinal in the turn where the release records none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    pub started: Timestamp,
    pub ended: Timestamp,
    /// Messages that were new to the model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub input: Vec<Message>,
    /// What the conversation was replaced by before these messages, with `logging.model_input`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Box<Conversation>>,
    /// The schemas of tools that were new to the model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<Output>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The model that was asked; it can change within a turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The tier in force when the request was made (`priority` is fast mode), where the release records it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// From the turn's beginning to its first token; known of a turn's first response alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_to_first_token: Option<Duration>,
    /// Size of the model's context, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u64>,
    /// How often it was asked for, as hooks report it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// True if the response is the summary of a compaction.
    pub compacts: bool,
}

/// A part of a response, in the order it was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Output {
    Text(String),
    Reasoning(String),
    /// The key of the tool asked for.
    Tool(String),
}

/// One tool call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolCall {
    /// Unique id of the call in its turn: its own id, numbered where the model used it again.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub call_id: String,
    /// The key of the call whose script made this one (code mode); the model asked for every other call itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The name Codex shows to hooks: Bash, apply_patch, mcp__server__tool, …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The name the model used, where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp: Option<(String, String)>,
    /// What a script does (code mode).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<Script>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub arguments: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// What a script said while it ran (code mode); it is no part of the output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub progress: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    pub started: Timestamp,
    pub ended: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<Permission>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FileChange>,
}

impl ToolCall {
    /// Returns the name the model used.
    pub fn name_of_model(&self) -> &str {
        self.model_name.as_deref().unwrap_or(&self.name)
    }

    /// Returns whether a script of the model's made the call, known or not.
    pub fn is_nested(&self) -> bool {
        self.parent.is_some() || self.call_id.starts_with(NESTED_ID)
    }
}

/// What a script of the model's does, by the names of the tools it calls.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Script {
    /// The calls Codex noted: each tool once, the first called first, with how often it was called.
    pub calls: Vec<(String, usize)>,
    /// Tools that its source names beside them.
    pub named: Vec<String>,
}

/// How the ids of calls begin that a script makes (0.146 to 0.171).
pub const NESTED_ID: &str = "exec-";

/// A permission that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Permission {
    pub decision: Decision,
    /// user, policy, hook, or the reviewer Codex was set to ask.
    pub decided_by: String,
    /// From the question to the decision, where that moment is known.
    pub wait: Option<Duration>,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decision {
    Approved,
    Denied,
    /// The turn ended before anyone answered, or nothing shows which of several equal requests was refused.
    Unknown,
}

/// The replacement of the history by a summary.
#[derive(Debug, Clone, PartialEq)]
pub struct Compaction {
    pub started: Timestamp,
    pub ended: Timestamp,
    /// auto or manual.
    pub trigger: Option<String>,
    pub tokens_before: Option<u64>,
    pub tokens_after: Option<u64>,
    pub summary: Option<String>,
}

/// The place of a subagent's turn in its root's trace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Agent {
    pub kind: Option<String>,
    pub path: Option<String>,
    pub nickname: Option<String>,
    pub parent: Option<AgentParent>,
}

/// The call that set a subagent to work.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentParent {
    pub thread: ThreadId,
    pub turn: TurnId,
    pub call_id: Option<String>,
}
