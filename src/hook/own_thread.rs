//! Threads that Codex runs for itself and whose hooks it calls all the same: they are none of the user's.
//!
//! They are known by what they are and not by what is said in them. A thread that consolidates memories works in a
//! directory of Codex's own. One that asks the model something aside (`thread/sample`) begins as a fork without a
//! rollout; its later hooks do not say so, hence its beginning is kept. Neither has a rollout, so a hook that names one
//! costs nothing here.

use super::Hook;
use super::thread::Thread;
use crate::codex::payload::{FORK, HookPayload};
use crate::turn::state;

/// Returns true if the payload is about a thread of Codex's own.
///
/// # Errors
/// When the beginning of such a thread cannot be kept.
pub(super) fn is_codexs(hook: &Hook, payload: &HookPayload) -> anyhow::Result<bool> {
    if payload.rollout().is_some() || payload.is_subagent() {
        return Ok(false);
    }
    let paths = hook.context.paths();
    if payload.is_of_memories(paths.codex()) {
        return Ok(true);
    }
    let Some(id) = payload.thread() else { return Ok(false) };
    if payload.begins_aside() {
        if hook.settings().enabled {
            let mut thread = Thread::open(hook, &id)?;
            thread.note_session(payload);
            thread.save()?;
        }
        return Ok(true);
    }
    let session = state::peek(paths, &id).ok().flatten().map(|state| state.session);
    Ok(session.is_some_and(|s| s.source.as_deref() == Some(FORK) && s.transcript_path.is_none()))
}
