//! The tools of a turn by name: how often, how long, how often in vain, and how long somebody was asked before.

use serde::{Deserialize, Serialize};

use crate::turn::{Decision, ToolCall};

/// All calls of one tool in a turn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolUse {
    pub name: String,
    #[serde(rename = "n", default)]
    pub calls: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// Calls that a script of the model's made, among them all.
    #[serde(rename = "nest", default, skip_serializing_if = "is_zero")]
    pub nested: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed_nested: u64,
    #[serde(default)]
    pub ms: u64,
    /// Calls that a permission was asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub asked: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub denied: u64,
    /// How long the answers took.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub wait_ms: u64,
}

/// Counts one more call among the tools of a turn, the first used first.
pub fn count(all: &mut Vec<ToolUse>, call: &ToolCall) {
    let at = all.iter().position(|known| known.name == call.name).unwrap_or_else(|| {
        all.push(ToolUse { name: call.name.clone(), ..ToolUse::default() });
        all.len() - 1
    });
    let used = &mut all[at];
    used.calls += 1;
    used.failed += u64::from(call.error.is_some());
    used.nested += u64::from(call.is_nested());
    used.failed_nested += u64::from(call.is_nested() && call.error.is_some());
    used.ms += millis(call.ended.since(call.started));
    if let Some(permission) = &call.permission {
        used.asked += 1;
        used.denied += u64::from(permission.decision == Decision::Denied);
        used.wait_ms += permission.wait.map_or(0, millis);
    }
}

impl ToolUse {
    /// Adds the calls of another turn.
    pub fn add(&mut self, other: &ToolUse) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.nested += other.nested;
        self.failed_nested += other.failed_nested;
        self.ms += other.ms;
        self.asked += other.asked;
        self.denied += other.denied;
        self.wait_ms += other.wait_ms;
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
