//! The number of a turn in its thread, counted over all of the thread's files.

use std::path::Path;

use super::locate;
use super::turns::Turns;
use crate::ids::TurnId;

/// A turn's number in its thread, according to its rollout.
pub fn number_of(path: &Path, turn: &TurnId) -> Option<u64> {
    let mut turns = Turns::open(path).ok()??;
    count_earlier_parts(&mut turns, path);
    std::iter::from_fn(|| turns.next_turn()).find(|t| t.id == *turn).map(|t| t.number)
}

/// Goes on counting where the thread's earlier files end.
pub fn count_earlier_parts(turns: &mut Turns, path: &Path) {
    let parts = locate::earlier_parts(path, turns.thread());
    turns.count_from(parts.iter().filter_map(|p| Some(Turns::open(p).ok()??.count())).sum());
}
