//! Turns that run now, as far as hooks and rollout have recorded them. Nothing is written, and no lock is taken.

use std::fs;

use crate::codex::process::Life;
use crate::context::Context;
use crate::delivery::assemble;
use crate::layout;
use crate::otel::entry::Entry;
use crate::settings::Settings;
use crate::turn::closed::{Closing, Reason};
use crate::turn::rows;
use crate::turn::state::{self, ThreadState};

/// Returns the turns that run, subagents behind the turn they belong to, the oldest first.
pub fn turns(context: &Context, settings: &Settings) -> Vec<Entry> {
    let paths = context.paths();
    let mut found: Vec<Entry> = open_states(context)
        .iter()
        .filter_map(|state| {
            let closing = Closing::of(state, Reason::Running, context.now(), &settings.profile)?;
            let rows = rows::read(&paths.thread_rows(&state.thread_id));
            Some(assemble::entry_of(context, &closing, rows))
        })
        .collect();
    found.sort_by(|a, b| {
        let own = |entry: &Entry| entry.head.key.thread != entry.head.root_thread;
        let order = |entry: &Entry| (entry.head.root_turn.clone(), own(entry), entry.head.started_at);
        order(a).cmp(&order(b))
    });
    found
}

/// Returns true if any turn runs.
pub fn any(context: &Context) -> bool {
    !open_states(context).is_empty()
}

/// The states of threads with an open turn whose Codex is not known to be gone.
fn open_states(context: &Context) -> Vec<ThreadState> {
    let paths = context.paths();
    let Ok(entries) = fs::read_dir(paths.state()) else { return Vec::new() };
    let is_state = |name: &str| name.ends_with(".yaml");
    let threads = entries.flatten().filter_map(|entry| {
        let name = entry.file_name();
        layout::thread_of(name.to_str().filter(|name| is_state(name))?)
    });
    let states = threads.take(MAX_STATES).filter_map(|thread| state::peek(paths, &thread).ok().flatten());
    states
        .filter(|state| state.turn.is_some())
        .filter(|state| state.codex.is_none_or(|codex| codex.life() != Life::Gone))
        .collect()
}

/// More threads than run on one machine.
const MAX_STATES: usize = 2000;
