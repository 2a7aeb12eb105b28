//! One tool call as its up to five reports come in: the model's request, its output, Codex's own note, two hooks.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::codex::rollout::{ToolDetail, ToolOutput, ToolRequest};
use crate::time::Timestamp;
use crate::turn::fold::outcome::says_error;
use crate::turn::{NESTED_ID, Script};

/// A tool call as far as it has been reported.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ToolDraft {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub call_id: String,
    /// Number of earlier calls of the turn with this id.
    pub repeat: u32,
    /// The first moment anything was heard of it.
    pub first_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<ToolRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<ToolOutput>,
    /// The exit code its whole text reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_code: Option<i64>,
    /// What its script died of, as its whole text reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_error: Option<String>,
    /// What its script said while it ran.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub progress: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<ToolDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook_name: Option<String>,
    /// True if a hook reported it before it ran.
    pub announced: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook_input: Option<String>,
    /// Digest of its arguments, as a permission request repeats them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook_request: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook_output: Option<String>,
    pub hook_error: bool,
    /// The question whether it may run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// The thread of the subagent this call started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spawned: Option<String>,
    /// A script of an earlier turn made the call, in the time of this one.
    pub earlier: bool,
    /// The script that made the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Nesting>,
    /// What the call does, where it is a script itself.
    pub script: Option<Script>,
}

/// The question whether a call may run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Asked {
    pub at: Timestamp,
    pub reason: Option<String>,
    /// True if others were asked about and cut off with it.
    pub shared: bool,
}

/// Where a nested call belongs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Nesting {
    /// The key of the `exec` or the `wait`.
    pub parent: String,
    pub from: Timestamp,
    pub to: Timestamp,
    pub started: Timestamp,
    /// When a call without a result was over at the latest: it is not running on.
    pub settled: Option<Timestamp>,
    /// Why it failed, as far as its script knew.
    pub failure: Option<String>,
}

impl ToolDraft {
    pub fn new(call_id: &str, at: Timestamp) -> ToolDraft {
        ToolDraft { call_id: call_id.to_owned(), first_at: at, ..ToolDraft::default() }
    }

    /// Returns the id that only this call has in its turn.
    pub fn key(&self) -> String {
        match self.repeat {
            0 => self.call_id.clone(),
            repeat => format!("{}#{}", self.call_id, repeat + 1),
        }
    }

    /// Returns whether only an event reported this call, as of a search in old releases.
    pub fn is_hosted_detail(&self) -> bool {
        self.detail
            .as_ref()
            .is_some_and(|d| d.kind.starts_with("web_search") || d.kind.starts_with("image_gen"))
    }

    /// Takes what a hook said before, or after, the tool ran.
    pub fn hooked(&mut self, at: Timestamp, name: &str, input: Option<&RawValue>) {
        self.hook_at.get_or_insert(at);
        if !name.is_empty() {
            self.hook_name.get_or_insert_with(|| name.to_owned());
        }
        if let Some(input) = input {
            self.hook_input.get_or_insert_with(|| input.get().to_owned());
            self.hook_request.get_or_insert_with(|| request_of(input.get()));
        }
    }

    /// Takes what PostToolUse said.
    pub fn finished(&mut self, at: Timestamp, output: Option<&RawValue>) {
        self.finished_at.get_or_insert(at);
        let Some(output) = output else { return };
        self.hook_error |= says_error(output.get());
        // What went back to the model tells the same.
        if self.output.is_none() {
            self.hook_output = Some(plain_or_json(output.get()));
        }
    }

    /// Returns whether the call was made in this turn. A command of an earlier turn that ends in this one is reported
    /// by PostToolUse alone, with this turn's id.
    pub fn is_of_this_turn(&self, in_rollout: bool) -> bool {
        self.request.is_some() || self.detail.is_some() || self.announced || !in_rollout
    }

    /// Returns whether the model asked for a script, or waits for one.
    pub fn is_script(&self) -> bool {
        let ours = |n: &Option<String>| n.as_deref().is_none_or(|n| n == "functions");
        self.request.as_ref().filter(|r| ours(&r.namespace)).is_some_and(|r| match r.name.as_str() {
            "exec" => true,
            "wait" => r.arguments.contains("\"cell_id\""),
            _ => false,
        })
    }

    /// Returns whether a script of this turn made the call.
    pub fn is_nested(&self) -> bool {
        self.request.is_none() && self.call_id.starts_with(NESTED_ID) && !self.earlier
    }
}

/// A JSON string as its text, other JSON as it is.
fn plain_or_json(json: &str) -> String {
    serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned())
}

/// Returns what a call is asked to do as a number, without the description that only a permission request
/// carries.
pub(super) fn request_of(input: &str) -> u64 {
    let mut value: serde_json::Value = serde_json::from_str(input).unwrap_or_default();
    if let Some(map) = value.as_object_mut() {
        map.remove("description");
    }
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
