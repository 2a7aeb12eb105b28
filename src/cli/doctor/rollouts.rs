//! Codex's newest rollouts: whether they hold what this version does not know.

use std::collections::BTreeSet;

use super::Finding;
use crate::codex::rollout::kinds;
use crate::context::Context;
use crate::delivery::past_turns;

/// Names kinds of lines that are passed over; says nothing when there are none.
pub fn check(context: &Context) -> Option<Finding> {
    let rollouts = past_turns::rollouts(context.paths().codex(), &[]).ok()?;
    let newest =
        rollouts.iter().rev().filter(|path| path.extension().is_some_and(|e| e == "jsonl")).take(LOOKED_AT);
    let found: BTreeSet<String> = newest.filter_map(|path| kinds::unknown(path).ok()).flatten().collect();
    if found.is_empty() {
        return None;
    }
    let names: Vec<&str> = found.iter().map(String::as_str).take(SHOWN).collect();
    let text = format!("note: Codex writes entries that this version ignores: {}", names.join(", "));
    Some(Finding::ok("rollouts", text))
}

const LOOKED_AT: usize = 5;
const SHOWN: usize = 12;
