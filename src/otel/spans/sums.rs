//! What the spans and the head of a turn need of all its calls: gathered in one pass over each, because a large turn's calls
//! lie in a file.

use std::collections::HashMap;

use crate::ids::digest;
use crate::otel::time_spent::{self, Bounds, TimeSpent};
use crate::otel::token_use::{self, TokenUse};
use crate::otel::tool_use::{self, ToolUse};
use crate::time::Timestamp;
use crate::turn::Turn;

/// Figures of a turn.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// The place of each tool call, by its key's digest; of equal keys the last.
    pub tools: HashMap<u64, u32>,
    pub tools_started: Vec<Timestamp>,
    pub calls_started: Vec<Timestamp>,
    /// Calls that the model asked for.
    pub own: Count,
    /// Calls that a script of the model's made.
    pub nested: Count,
    pub tool_uses: Vec<ToolUse>,
    pub uses: Vec<TokenUse>,
    pub time: TimeSpent,
    /// The most tokens that a response left in the context, and how many that holds.
    pub context: Option<(u64, Option<u64>)>,
}

/// How many calls there were, and how many of them failed.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub all: u64,
    pub failed: u64,
}

impl Sums {
    pub fn of(turn: &Turn) -> Sums {
        let (mut sums, mut bounds, mut uses) = (Sums::default(), Bounds::default(), Vec::new());
        for (tool, at) in turn.tools.iter().zip(0..) {
            sums.tools.insert(digest(&tool.key), at);
            sums.tools_started.push(tool.started);
            let count = if tool.is_nested() { &mut sums.nested } else { &mut sums.own };
            count.all += 1;
            count.failed += u64::from(tool.error.is_some());
            tool_use::count(&mut sums.tool_uses, &tool);
            bounds.note_tool(&tool);
        }
        for call in turn.calls.iter() {
            sums.calls_started.push(call.started);
            bounds.note_call(&call);
            token_use::count(&mut uses, &call, turn.about.model.as_deref());
            let filled = call.usage.map(|usage| (usage.total_tokens, call.context_window));
            let most = sums.context.map(|(tokens, _)| tokens);
            // Of equal ones the last counts.
            sums.context =
                filled.filter(|(tokens, _)| most.is_none_or(|most| *tokens >= most)).or(sums.context);
        }
        Sums { uses: token_use::of_turn(turn, uses), time: time_spent::of_turn(turn, bounds), ..sums }
    }
}
