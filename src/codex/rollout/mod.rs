//! Codex's rollouts: the session files of every release, as one stream of facts.
//!
//! [`reader`] turns a file into [`Record`]s in bounded memory, [`wire`] knows the two history modes and the names
//! of older releases, [`turns`] cuts a whole file into its turns, [`locate`] finds the file of a thread and the place of a turn in it,
//! [`spawn`] the call that set a subagent to work. What the facts mean
//! for a turn is decided in `trace`.

mod ahead;
pub mod conversation;
pub mod foreign;
pub mod kinds;
pub mod locate;
pub mod numbering;
pub mod reader;
pub mod spawn;
pub mod turns;
mod wire;

use serde::{Deserialize, Serialize};

use crate::codex::payload::Usage;
use crate::time::Timestamp;

/// One line of a rollout that says something about a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub at: Timestamp,
    /// The turn the line names, where it names one.
    pub turn: Option<String>,
    pub fact: Fact,
}

/// Meaning of a line.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    Session(Box<SessionMeta>),
    TurnStarted(Box<TurnBeginning>),
    /// The settings in force from here on.
    Settings(Box<ThreadSettings>),
    /// What the thread works towards.
    Goal {
        objective: String,
    },
    Context(Box<TurnContext>),
    TurnEnded(TurnEnd),
    User(UserMessage),
    /// A user message with images, which comes as a message too; the images are whole here where that one only names
    /// their paths.
    UserImages {
        text: String,
        images: Vec<Image>,
    },
    /// A text the model is given that nobody typed: instructions of Codex's, the surroundings of the work. What a user
    /// typed comes in this form too, before it appears as a message.
    Given {
        developer: bool,
        text: String,
    },
    /// The tools the model is given, as JSON.
    Tools {
        schemas: Vec<String>,
    },
    /// A finished part of a model response.
    Output(ModelOutput),
    /// An assistant text as an event; `Output` repeats the same text in every release seen.
    AssistantEvent {
        text: String,
    },
    ToolOutput(ToolOutput),
    ToolDetail(Box<ToolDetail>),
    /// Exact usage of one response (from about 0.151).
    ResponseUsage {
        response_id: String,
        usage: Usage,
    },
    /// A running total, which older releases repeat.
    TokenCount {
        total: Usage,
        last: Usage,
        window: Option<u64>,
        /// What is left of the account's limits, as Codex writes it.
        rate_limits: Option<String>,
    },
    /// The history was replaced by a summary.
    Compacted {
        summary: String,
        /// What the model has from here on, where the release says.
        history: Option<Vec<Fact>>,
    },
    /// The bounds of a compaction.
    Compaction {
        started: Option<Timestamp>,
        completed: Option<Timestamp>,
    },
    /// Something happened to a subagent of this thread, by this thread's call.
    Subagent {
        call_id: String,
        kind: String,
        thread: String,
        path: Option<String>,
    },
    /// A message from another agent.
    AgentMessage {
        author: String,
        text: String,
    },
    /// An error shown to the user while the turn ran.
    Error {
        message: String,
    },
}

/// The first line of a rollout.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SessionMeta {
    pub id: Option<String>,
    /// The thread of the whole session; a subagent's names its root's.
    pub session: Option<String>,
    /// The thread whose history this one took over.
    pub forked_from: Option<String>,
    pub cwd: Option<String>,
    pub originator: Option<String>,
    pub cli_version: Option<String>,
    pub model_provider: Option<String>,
    /// cli, exec, vscode, mcp, or the kind of subagent.
    pub source: Option<String>,
    pub subagent: Option<SubagentSource>,
    pub git_branch: Option<String>,
    pub git_commit: Option<String>,
    pub git_remote: Option<String>,
    /// The model's instructions.
    pub instructions: Option<String>,
    /// What stands before the first line, in another file.
    pub goes_on_from: Option<HistoryBase>,
}

/// A place in the rollout of a thread: the conversation up to there is the beginning of another.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistoryBase {
    pub thread: String,
    /// In bytes.
    pub end: u64,
}

/// Origin of a subagent's thread.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SubagentSource {
    /// thread_spawn, review, compact, memory_consolidation, …
    pub kind: String,
    pub parent_thread: Option<String>,
    pub path: Option<String>,
    pub nickname: Option<String>,
    pub role: Option<String>,
}

/// The settings a turn ran under.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TurnContext {
    pub cwd: Option<String>,
    pub model: Option<String>,
    pub effort: Option<String>,
    pub summary: Option<String>,
    pub approval_policy: Option<String>,
    pub approvals_reviewer: Option<String>,
    pub sandbox: Option<String>,
    pub collaboration_mode: Option<String>,
}

/// What the line that begins a turn says of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TurnBeginning {
    pub root_turn: Option<String>,
    pub parent_turn: Option<String>,
    /// user, exec, goal, …
    pub trigger: Option<String>,
    /// What a turn without a user's message works towards.
    pub objective: Option<String>,
    /// The trace in Codex's own OpenTelemetry export.
    pub trace_id: Option<String>,
    pub context_window: Option<u64>,
}

/// The settings that requests are made with, as Codex resolved them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ThreadSettings {
    pub model: Option<String>,
    pub provider: Option<String>,
    pub service_tier: Option<String>,
    pub effort: Option<String>,
    pub summary: Option<String>,
}

/// End of a turn.
#[derive(Debug, Clone, PartialEq)]
pub enum TurnEnd {
    Completed {
        last_message: Option<String>,
        error: Option<String>,
        duration_ms: Option<u64>,
        first_token_ms: Option<u64>,
    },
    Aborted {
        reason: Option<String>,
        duration_ms: Option<u64>,
    },
}

/// Message of the user, or of a hook on the user's behalf.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserMessage {
    pub text: String,
    pub images: Vec<Image>,
}

/// An image, by data URL, address or path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Image(pub String);

/// A part of what the model answered.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelOutput {
    Message { text: String },
    Reasoning { text: String },
    Call(ToolRequest),
}

/// A tool the model asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolRequest {
    /// Empty where an old release gives none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub call_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// JSON, or free text of a custom tool.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub arguments: String,
    /// Run by the model's provider: request and result are one line.
    pub hosted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What a hosted tool made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
}

/// Result that went back to the model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolOutput {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub call_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// Written by older releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// What a script said while it ran (`notify`), not its result.
    pub progress: bool,
}

/// Codex's own note about a tool call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolDetail {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub call_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// completed, failed, declined, in_progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<Timestamp>,
    /// Running time, without the wait for permission.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<std::time::Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// What it was asked to do, as JSON in the form hooks know: a call of a script, or of the user, has no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FileChange>,
}

impl ToolDetail {
    /// Keeps what the call was and forgets what it came to.
    pub fn forget_the_result(&mut self) {
        self.exit_code = None;
        self.status = None;
        self.output = None;
        self.error = None;
        self.completed = None;
        self.duration = None;
    }
}

/// A file a patch touched.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FileChange {
    pub path: String,
    /// add, update, delete.
    pub kind: String,
    pub lines_added: u64,
    pub lines_removed: u64,
}
