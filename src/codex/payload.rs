//! What Codex hands to a hook (JSON on stdin) and to notify (JSON as an argument), read tolerantly.
//!
//! Fields as observed, see `docs::codex`.

use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::events::{Event, HookEvent};
use super::lenient;
use crate::ids::{ThreadId, TurnId};

/// The payload of a hook.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct HookPayload {
    #[serde(deserialize_with = "lenient::text")]
    pub hook_event_name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub session_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub turn_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub agent_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub agent_type: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub transcript_path: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub agent_transcript_path: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub cwd: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub model: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub permission_mode: Option<String>,
    /// Why a session started: startup, resume, fork, clear or compact.
    #[serde(deserialize_with = "lenient::text")]
    pub source: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub prompt: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub tool_name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub tool_use_id: Option<String>,
    pub tool_input: Option<Box<RawValue>>,
    pub tool_response: Option<Box<RawValue>>,
    #[serde(deserialize_with = "lenient::text")]
    pub last_assistant_message: Option<String>,
    /// Cause of a compaction: auto or manual.
    #[serde(deserialize_with = "lenient::text")]
    pub trigger: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub reason: Option<String>,
    /// A request to the model, the same for each attempt at it.
    #[serde(deserialize_with = "lenient::text")]
    pub request_id: Option<String>,
    #[serde(deserialize_with = "lenient::count")]
    pub attempt_number: Option<u64>,
    /// sampling or foreground_compaction.
    #[serde(deserialize_with = "lenient::text")]
    pub kind: Option<String>,
    /// What became of a request: completed, failed or cancelled.
    #[serde(deserialize_with = "lenient::text")]
    pub status: Option<String>,
    /// Why a request failed.
    #[serde(deserialize_with = "lenient::text")]
    pub error: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub response_id: Option<String>,
    token_usage: Option<serde_json::Value>,
}

impl HookPayload {
    /// Reads a payload.
    ///
    /// # Errors
    /// When it is no JSON object; the position is in the message.
    pub fn parse(json: &[u8]) -> Result<HookPayload, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// The event, when it is one that is known.
    pub fn event(&self) -> Option<Event> {
        HookEvent::named(self.hook_event_name.as_deref()?).map(|row| row.event)
    }

    /// The thread the call is about: the subagent's own, else the session's.
    pub fn thread(&self) -> Option<ThreadId> {
        let id = self.agent_id.as_deref().or(self.session_id.as_deref())?;
        ThreadId::parse(id).ok()
    }

    /// The thread of the whole session, also when a subagent calls.
    pub fn root_thread(&self) -> Option<ThreadId> {
        ThreadId::parse(self.session_id.as_deref()?).ok()
    }

    pub fn turn(&self) -> Option<TurnId> {
        TurnId::parse(self.turn_id.as_deref()?).ok()
    }

    /// Returns the tokens a request used.
    pub fn usage(&self) -> Option<Usage> {
        Usage::from_value(self.token_usage.as_ref()?)
    }

    /// Returns true if a subagent calls.
    pub fn is_subagent(&self) -> bool {
        self.agent_id.is_some()
    }

    /// Returns true if the thread is one that consolidates memories: Codex runs it in a directory of its own below its
    /// home, without a rollout.
    pub fn is_of_memories(&self, codex_home: &Path) -> bool {
        let below = self.cwd.as_deref().and_then(|cwd| Path::new(cwd).strip_prefix(codex_home).ok());
        let first = below.and_then(|path| path.components().next());
        self.rollout().is_none()
            && first.and_then(|name| name.as_os_str().to_str()).is_some_and(|n| n.starts_with(MEMORIES))
    }

    /// Returns true if Codex begins a thread for a question of its own (`thread/sample`): a fork without a rollout.
    pub fn begins_aside(&self) -> bool {
        self.source.as_deref() == Some(FORK) && self.rollout().is_none()
    }

    /// The rollout of the thread the call is about. SubagentStop names the subagent's apart from the root's.
    pub fn rollout(&self) -> Option<&str> {
        self.agent_transcript_path.as_deref().or(self.transcript_path.as_deref())
    }
}

/// The payload of notify, which fires when an agent's turn is complete.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct NotifyPayload {
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    pub kind: Option<String>,
    #[serde(alias = "thread_id", deserialize_with = "lenient::text")]
    pub thread_id: Option<String>,
    #[serde(alias = "turn_id", deserialize_with = "lenient::text")]
    pub turn_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub cwd: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub client: Option<String>,
    #[serde(alias = "input_messages")]
    input_messages: Option<Messages>,
    #[serde(alias = "last_assistant_message", deserialize_with = "lenient::text")]
    pub last_assistant_message: Option<String>,
    #[serde(alias = "token_usage")]
    token_usage: Option<serde_json::Value>,
}

/// A list from Codex, a single text from a user who tries the command by hand.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Messages {
    One(String),
    Many(Vec<serde_json::Value>),
    #[allow(dead_code, reason = "stands for any other kind of value, which counts as no messages")]
    Other(serde_json::Value),
}

impl NotifyPayload {
    /// Reads a payload.
    ///
    /// # Errors
    /// When it is no JSON object; the position is in the message.
    pub fn parse(json: &[u8]) -> Result<NotifyPayload, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// The user's messages of the thread so far; after a compaction the last is its summary.
    pub fn input_messages(&self) -> Vec<&str> {
        match &self.input_messages {
            Some(Messages::One(text)) => vec![text],
            Some(Messages::Many(list)) => list.iter().filter_map(|m| m.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    /// Token usage, should a release send it, under any of the names releases have used.
    pub fn usage(&self) -> Option<Usage> {
        Usage::from_value(self.token_usage.as_ref()?)
    }

    /// Returns true if the terminal UI calls. It keeps a rollout of every session of a user's; its threads without one
    /// are its own (titles, recaps).
    pub fn is_of_terminal(&self) -> bool {
        self.client.as_deref() == Some(TERMINAL_CLIENT)
    }
}

/// Returns what is wrong with a JSON text and where, in words that repeat nothing of it: the library's own
/// quote what they found.
pub fn json_fault(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Io => "cannot be read",
        serde_json::error::Category::Syntax => "no JSON",
        serde_json::error::Category::Data => "not what was expected",
        serde_json::error::Category::Eof => "ends early",
    };
    format!("{what}, line {} column {}", error.line(), error.column())
}

/// Tokens of one model response, or of several added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Tokens read, cached ones included.
    pub input_tokens: u64,
    pub cached_input_tokens: u64,
    /// None where the release does not say.
    #[serde(deserialize_with = "lenient::count", skip_serializing_if = "Option::is_none")]
    pub cache_write_input_tokens: Option<u64>,
    /// Tokens written, reasoning included.
    pub output_tokens: u64,
    pub reasoning_output_tokens: u64,
    pub total_tokens: u64,
}

impl Usage {
    /// Reads usage from an object, tolerating the names of different releases and missing details.
    pub fn from_value(value: &serde_json::Value) -> Option<Usage> {
        let number = |names: &[&str]| names.iter().find_map(|n| value.get(n)?.as_u64());
        let input = number(&["input_tokens", "prompt_tokens", "input-tokens"])?;
        let output = number(&["output_tokens", "completion_tokens", "output-tokens"]).unwrap_or(0);
        Some(Usage {
            input_tokens: input,
            cached_input_tokens: number(&[
                "cached_input_tokens",
                "cache_read_input_tokens",
                "cached-input-tokens",
            ])
            .unwrap_or(0),
            cache_write_input_tokens: number(&["cache_write_input_tokens"]),
            output_tokens: output,
            reasoning_output_tokens: number(&["reasoning_output_tokens", "reasoning_tokens"]).unwrap_or(0),
            total_tokens: number(&["total_tokens"]).unwrap_or(input.saturating_add(output)),
        })
    }

    /// Adds what another response used.
    pub fn add(&mut self, other: &Usage) {
        self.combine(other, u64::saturating_add);
    }

    /// Returns what was used beyond `earlier`, of two running totals.
    pub fn minus(mut self, earlier: &Usage) -> Usage {
        self.combine(earlier, u64::saturating_sub);
        self
    }

    fn combine(&mut self, other: &Usage, with: fn(u64, u64) -> u64) {
        self.input_tokens = with(self.input_tokens, other.input_tokens);
        self.cached_input_tokens = with(self.cached_input_tokens, other.cached_input_tokens);
        self.output_tokens = with(self.output_tokens, other.output_tokens);
        self.reasoning_output_tokens = with(self.reasoning_output_tokens, other.reasoning_output_tokens);
        self.total_tokens = with(self.total_tokens, other.total_tokens);
        self.cache_write_input_tokens = match (self.cache_write_input_tokens, other.cache_write_input_tokens)
        {
            (None, None) => None,
            (mine, theirs) => Some(with(mine.unwrap_or(0), theirs.unwrap_or(0))),
        };
    }
}

/// The session source of a thread that goes on from another one's history.
pub const FORK: &str = "fork";
/// Beginning of the name of the directories for memories: `memories`, `memories_v2`.
const MEMORIES: &str = "memories";
/// What the terminal UI calls itself (Codex 0.142 to 0.171).
const TERMINAL_CLIENT: &str = "codex-tui";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_with_wrong_types_is_read_in_part() {
        let payload = HookPayload::parse(
            br#"{"hook_event_name":"PreToolUse","session_id":7,"turn_id":["x"],"agent_id":null,"prompt":{"a":1},
                "tool_input":{"command":"ls"},"tool_use_id":"c1","new_field":1.5}"#,
        )
        .unwrap();
        assert_eq!(payload.event(), Some(Event::PreToolUse));
        assert_eq!((payload.thread(), payload.turn(), payload.prompt.as_deref()), (None, None, None));
        assert_eq!(payload.tool_input.unwrap().get(), r#"{"command":"ls"}"#);
        assert!(HookPayload::parse(b"{\"a\":").is_err() && HookPayload::parse(b"").is_err());
    }

    #[test]
    fn a_subagents_call_is_about_its_own_thread() {
        let payload = HookPayload::parse(
            br#"{"hook_event_name":"SubagentStop","session_id":"root","agent_id":"agent","transcript_path":"/r","agent_transcript_path":"/a"}"#,
        )
        .unwrap();
        assert_eq!(payload.thread().unwrap().as_str(), "agent");
        assert_eq!(payload.root_thread().unwrap().as_str(), "root");
        assert_eq!(payload.rollout(), Some("/a"));
    }

    #[test]
    fn notify_reads_every_message_and_usage_form() {
        let one = NotifyPayload::parse(
            br#"{"type":"agent-turn-complete","thread-id":"t","input-messages":"hello"}"#,
        );
        assert_eq!(one.unwrap().input_messages(), ["hello"]);
        let many = NotifyPayload::parse(
            br#"{"thread_id":"t","input-messages":["a",5,"b"],
                 "token_usage":{"input_tokens":10,"cached_input_tokens":4,"output_tokens":2}}"#,
        )
        .unwrap();
        assert_eq!(many.input_messages().len(), 2);
        assert_eq!(many.usage().unwrap().total_tokens, 12);
        let odd = NotifyPayload::parse(br#"{"input-messages":{"a":1},"token_usage":"many"}"#).unwrap();
        assert!(odd.input_messages().is_empty() && odd.usage().is_none());
    }
}
