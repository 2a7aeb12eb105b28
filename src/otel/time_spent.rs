//! Where a turn's time went: each moment of it counts once, for the first of these that it belongs to: waiting for an
//! approval, compaction, the model, tools.
//!
//! Other programs' hooks leave no record of their own. What can be seen of them is the time between the last response
//! and the end of a completed turn, in which Codex does nothing but wait for Stop hooks.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::time::Timestamp;
use crate::turn::{ModelCall, Status, ToolCall, Turn};

/// The parts of a turn's time, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TimeSpent {
    #[serde(rename = "m", skip_serializing_if = "is_zero")]
    pub model_ms: u64,
    /// From the turn's beginning to the model's first token; part of `model_ms`.
    #[serde(rename = "f", skip_serializing_if = "is_zero")]
    pub first_token_ms: u64,
    #[serde(rename = "t", skip_serializing_if = "is_zero")]
    pub tools_ms: u64,
    #[serde(rename = "a", skip_serializing_if = "is_zero")]
    pub approvals_ms: u64,
    #[serde(rename = "h", skip_serializing_if = "is_zero")]
    pub hooks_ms: u64,
    #[serde(rename = "c", skip_serializing_if = "is_zero")]
    pub compaction_ms: u64,
}

/// From when to when the calls of a turn ran.
#[derive(Debug, Default)]
pub struct Bounds {
    waits: Vec<(Timestamp, Timestamp)>,
    calls: Vec<(Timestamp, Timestamp)>,
    tools: Vec<(Timestamp, Timestamp)>,
}

impl Bounds {
    pub fn note_call(&mut self, call: &ModelCall) {
        self.calls.push((call.started, call.ended));
    }

    pub fn note_tool(&mut self, tool: &ToolCall) {
        let wait = tool.permission.as_ref().and_then(|permission| permission.wait);
        self.waits.extend(wait.map(|wait| (tool.started, tool.started.plus(wait))));
        self.tools.push((tool.started, tool.ended));
    }
}

/// Works out where the time of a turn went.
pub fn of_turn(turn: &Turn, bounds: Bounds) -> TimeSpent {
    let mut taken = Intervals::default();
    let approvals_ms = taken.add(bounds.waits.into_iter());
    let compaction_ms = taken.add(turn.compactions.iter().map(|c| (c.started, c.ended)));
    let model_ms = taken.add(bounds.calls.into_iter());
    let tools_ms = taken.add(bounds.tools.into_iter());
    let done = taken.0.iter().map(|(_, end)| *end).max();
    let tail = done.filter(|_| turn.status == Status::Completed).map(|at| turn.ended.since(at));
    let first_token = turn.calls.first().and_then(|call| call.time_to_first_token);
    TimeSpent {
        model_ms,
        first_token_ms: first_token.map_or(0, millis),
        tools_ms,
        approvals_ms,
        hooks_ms: tail.map_or(0, millis),
        compaction_ms,
    }
}

impl TimeSpent {
    /// Adds another turn's time.
    pub fn add(&mut self, other: &TimeSpent) {
        self.model_ms += other.model_ms;
        self.first_token_ms += other.first_token_ms;
        self.tools_ms += other.tools_ms;
        self.approvals_ms += other.approvals_ms;
        self.hooks_ms += other.hooks_ms;
        self.compaction_ms += other.compaction_ms;
    }

    /// Its parts by name, in the order they are shown; the time to the first token is within the model's.
    pub fn parts(&self) -> [(&'static str, u64); 5] {
        [
            ("model", self.model_ms),
            ("tools", self.tools_ms),
            ("approvals", self.approvals_ms),
            ("hooks", self.hooks_ms),
            ("compaction", self.compaction_ms),
        ]
    }

    /// Returns true if nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == TimeSpent::default()
    }
}

/// Moments that are taken: disjoint intervals in order.
#[derive(Default)]
struct Intervals(Vec<(Timestamp, Timestamp)>);

impl Intervals {
    /// Takes more intervals; returns how many milliseconds of them nothing had taken before.
    fn add(&mut self, more: impl Iterator<Item = (Timestamp, Timestamp)>) -> u64 {
        let before = self.length();
        self.0.extend(more.filter(|(start, end)| start < end));
        self.0.sort();
        let mut joined: Vec<(Timestamp, Timestamp)> = Vec::with_capacity(self.0.len());
        for (start, end) in self.0.drain(..) {
            match joined.last_mut() {
                Some((_, last)) if start <= *last => *last = (*last).max(end),
                _ => joined.push((start, end)),
            }
        }
        self.0 = joined;
        millis(self.length().saturating_sub(before))
    }

    fn length(&self) -> Duration {
        self.0.iter().map(|(start, end)| end.since(*start)).sum()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_count_each_moment_once() {
        let at = |ms: i64| Timestamp::from_millis(ms);
        let mut taken = Intervals::default();
        let pairs = |list: &[(i64, i64)]| list.iter().map(|(a, b)| (at(*a), at(*b))).collect::<Vec<_>>();
        for (more, counted) in [
            (pairs(&[(10, 20)]), 10),
            (pairs(&[(15, 25), (0, 5)]), 10),
            (pairs(&[(0, 100)]), 80),
            (pairs(&[(30, 20), (7, 7)]), 0),
        ] {
            assert_eq!(taken.add(more.iter().copied()), counted, "{more:?}");
        }
    }
}
