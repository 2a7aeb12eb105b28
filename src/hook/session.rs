//! SessionStart, UserPromptSubmit and SubagentStart: the thread's state.

use super::thread::{Thread, root_of};
use super::{Hook, debug};
use crate::codex::payload::HookPayload;
use crate::codex::process::CodexProcess;
use crate::handover::{self, live};
use crate::time;
use crate::trace::closing::Reason;
use crate::trace::redact::{Class, Redactor};

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
    let moved = thread.state.codex.is_some_and(|c| Some(c) != CodexProcess::calling());
    let reason = if moved { Reason::Orphaned } else { Reason::SessionEnd };
    thread.close(reason, time::now())?;
    thread.note_session(payload);
    thread.note_process();
    thread.save()?;
    drop(thread);
    deliver_leftovers(hook);
    Ok(())
}

/// A person says something: a turn begins, or the running one is steered.
pub(super) fn prompt(hook: &Hook, payload: &HookPayload) -> anyhow::Result<()> {
    let settings = hook.settings();
    if !settings.enabled {
        return Ok(());
    }
    debug::keep(hook, payload);
    let (Some(id), Some(turn)) = (payload.thread(), payload.turn()) else { return Ok(()) };
    let root = root_of(hook, payload);
    let mut thread = Thread::open(hook, &id)?;
    thread.note_session(payload);
    thread.note_process();
    thread.state.root = root.or(thread.state.root.take());
    thread.run_turn(&turn, time::now())?;
    if let (Some(open), Some(prompt)) = (&mut thread.state.turn, &payload.prompt) {
        let redactor = Redactor::for_rows(&settings.profile);
        open.prompts.push(redactor.text(Class::Prompt, prompt).into_owned());
    }
    thread.begin_rows()?;
    thread.save()?;
    drop(thread);
    deliver_leftovers(hook);
    Ok(())
}

/// A subagent sets to work: a thread of its own, in its root's trace.
pub(super) fn subagent(hook: &Hook, payload: &HookPayload) -> anyhow::Result<()> {
    if !hook.settings().enabled {
        return Ok(());
    }
    debug::keep(hook, payload);
    let (Some(id), Some(turn)) = (payload.thread(), payload.turn()) else { return Ok(()) };
    let root = root_of(hook, payload);
    if let Some(root) = root.as_ref().filter(|r| r.thread != id) {
        let mut owner = Thread::open(hook, &root.thread)?;
        if !owner.state.agents.contains(&id) {
            owner.state.agents.push(id.clone());
            owner.save()?;
        }
    }
    let mut thread = Thread::open(hook, &id)?;
    thread.note_session(payload);
    thread.note_process();
    thread.state.root = root.or(thread.state.root.take());
    thread.run_turn(&turn, time::now())?;
    thread.begin_rows()?;
    thread.save()?;
    Ok(())
}

/// What an earlier run could not deliver, and turns whose Codex is gone, are tried now.
fn deliver_leftovers(hook: &Hook) {
    let due = || crate::export::flush::is_due(hook.context.paths());
    if (handover::has_work(hook.context) && due()) || !live::orphans(hook.context.paths()).is_empty() {
        handover::start(hook.context, hook.settings());
    }
}
