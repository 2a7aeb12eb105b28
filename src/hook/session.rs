//! SessionStart, UserPromptSubmit and SubagentStart: the thread's state.

use std::time::Duration;

use super::thread::{Thread, root_of};
use super::{Hook, debug};
use crate::codex::payload::HookPayload;
use crate::codex::process::Life;
use crate::delivery;
use crate::delivery::flush;
use crate::delivery::{close, ended, processes};
use crate::otel::redact::{ContentClass, Redactor};
use crate::truncate::cut_at_word;
use crate::turn::closed::Reason;
use crate::turn::state::ThreadState;

/// A session starts, is resumed, cleared, or goes on after a compaction in the middle of a turn.
pub(super) fn start(hook: &Hook, payload: &HookPayload) -> anyhow::Result<()> {
    if !hook.settings().enabled {
        return Ok(());
    }
    debug::keep(hook, payload);
    let Some(id) = payload.thread() else { return Ok(()) };
    if payload.source.as_deref() == Some("compact") {
        return Ok(());
    }
    let mut thread = Thread::open(hook, &id)?;
    // A turn that was left open by an earlier process, or before the thread was cleared, is over.
    let gone = thread.state.codex.is_some_and(|c| c.life() == Life::Gone);
    let reason = if gone { Reason::Orphaned } else { Reason::SessionEnd };
    thread.close(reason, hook.context.now())?;
    thread.note_session(payload);
    // The end of the session took its marker away, also where the same process goes on with it.
    thread.state.codex = None;
    thread.note_process();
    if matches!(payload.source.as_deref(), Some("startup" | "clear")) && thread.state.turns == 0 {
        thread.state.uncounted = false;
    }
    thread.save()?;
    let Thread { state, locked, .. } = thread;
    drop(locked);
    deliver_leftovers(hook, &state);
    Ok(())
}

/// A user says something: a turn begins, or the running one is steered.
pub(super) fn prompt(hook: &Hook, payload: &HookPayload) -> anyhow::Result<()> {
    let settings = hook.settings();
    if !settings.enabled {
        return Ok(());
    }
    debug::keep(hook, payload);
    let (Some(id), Some(_)) = (payload.thread(), payload.turn()) else { return Ok(()) };
    let root = root_of(hook, payload);
    let mut thread = Thread::open(hook, &id)?;
    thread.take_up(payload, root, hook.context.now())?;
    if let (Some(open), Some(prompt)) = (&mut thread.state.turn, &payload.prompt) {
        let redactor = Redactor::for_rows(&settings.profile);
        keep_prompt(&mut open.prompts, &redactor.text(ContentClass::Prompt, prompt));
    }
    thread.begin_rows()?;
    thread.save()?;
    let Thread { state, locked, .. } = thread;
    drop(locked);
    deliver_leftovers(hook, &state);
    Ok(())
}

/// A subagent sets to work: a thread of its own, in its root's trace.
pub(super) fn subagent(hook: &Hook, payload: &HookPayload) -> anyhow::Result<()> {
    if !hook.settings().enabled {
        return Ok(());
    }
    debug::keep(hook, payload);
    let (Some(id), Some(_)) = (payload.thread(), payload.turn()) else { return Ok(()) };
    let root = root_of(hook, payload);
    if let Some(root) = root.as_ref().filter(|r| r.thread != id) {
        let mut owner = Thread::open(hook, &root.thread)?;
        if !owner.state.agents.contains(&id) && owner.state.agents.len() < MAX_AGENTS {
            owner.state.agents.push(id.clone());
            owner.save()?;
        }
    }
    let mut thread = Thread::open(hook, &id)?;
    thread.take_up(payload, root, hook.context.now())?;
    thread.begin_rows()?;
    thread.save()?;
    Ok(())
}

/// Adds what was said to the turn, in less and less detail where a user steers it without end: the rollout has it
/// all, and the state is read by every hook.
fn keep_prompt(prompts: &mut Vec<String>, prompt: &str) {
    let kept: usize = prompts.iter().map(String::len).sum();
    if prompts.len() < MAX_PROMPTS {
        let room = MAX_PROMPTS_BYTES.saturating_sub(kept).max(MIN_PROMPT_BYTES);
        prompts.push(cut_at_word(prompt, room).into_owned());
    }
}

/// Starts the delivery of what an earlier run could not deliver, and of turns whose Codex is gone.
fn deliver_leftovers(hook: &Hook, own: &ThreadState) {
    let paths = hook.context.paths();
    let waiting = delivery::has_work(hook.context) && (flush::is_due(paths) || close::any_closed(paths));
    // The process that calls is there; most often no other has a marker.
    let anything_ended = || {
        let markers = processes::list(paths);
        ended::any(paths, &markers, own) || !processes::orphans_among(markers, own.codex).is_empty()
    };
    if waiting || anything_ended() {
        super::deliver(hook, LEFTOVER_BUDGET);
    }
}

const MAX_PROMPTS: usize = 1000;
const MAX_PROMPTS_BYTES: usize = 2 * 1024 * 1024;
const MIN_PROMPT_BYTES: usize = 128;
/// More subagents are not closed with their session, but one by one.
const MAX_AGENTS: usize = 4096;
/// Longest wait for leftovers in sync mode.
const LEFTOVER_BUDGET: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steering_without_end_stays_bounded() {
        let mut prompts = Vec::new();
        for _ in 0..1500 {
            keep_prompt(&mut prompts, &"word ".repeat(2000));
        }
        assert_eq!(prompts.len(), MAX_PROMPTS);
        assert_eq!(prompts[0].len(), 10_000, "the first is whole");
        let kept: usize = prompts.iter().map(String::len).sum();
        assert!(kept < MAX_PROMPTS_BYTES + MAX_PROMPTS * 2 * MIN_PROMPT_BYTES, "{kept}");
        assert!(prompts[MAX_PROMPTS - 1].starts_with("word "), "the last is still recognised");
    }
}
