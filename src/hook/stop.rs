//! Stop, SubagentStop, Interrupt and SessionEnd: the turn is closed and handed over.

use std::time::Duration;

use super::thread::{Thread, root_of};
use super::{Hook, debug};
use crate::codex::events::Event;
use crate::codex::payload::HookPayload;
use crate::codex::process::CodexProcess;
use crate::delivery;
use crate::delivery::processes::Marker;
use crate::ids::ThreadId;
use crate::otel::redact::{ContentClass, Redactor};
use crate::turn::closed::Reason;

/// A turn of the session, or of a subagent, is over.
pub(super) fn turn(hook: &Hook, payload: &HookPayload, event: Event) -> anyhow::Result<()> {
    let settings = hook.settings();
    if !settings.enabled {
        return Ok(());
    }
    debug::keep(hook, payload);
    let Some(id) = payload.thread() else { return Ok(()) };
    let at = hook.context.now();
    let root = root_of(hook, payload);
    let mut thread = Thread::open(hook, &id)?;
    // The turn may be new: a Stop no prompt was seen of, or one after another tool's hook made the turn go on.
    thread.take_up(payload, root, at)?;
    if let (Some(open), Some(message)) = (&mut thread.state.turn, &payload.last_assistant_message) {
        let redactor = Redactor::for_rows(&settings.profile);
        open.last_assistant_message = Some(redactor.text(ContentClass::Prompt, message).into_owned());
    }
    let (reason, budget) = match event {
        Event::Interrupt => (Reason::Interrupt, CLAMPED_BUDGET),
        _ => (Reason::Stop, super::SYNC_BUDGET),
    };
    thread.close(reason, at)?;
    drop(thread);
    super::deliver(hook, budget);
    Ok(())
}

/// The session is over: so is whatever it left open.
pub(super) fn session(hook: &Hook, payload: &HookPayload) -> anyhow::Result<()> {
    if !hook.settings().enabled {
        return Ok(());
    }
    debug::keep(hook, payload);
    let Some(id) = payload.thread() else { return Ok(()) };
    let agents = close(hook, &id)?;
    for agent in agents.iter().filter(|agent| **agent != id) {
        close(hook, agent)?;
    }
    if let Some(process) = CodexProcess::calling() {
        Marker { process, thread: id }.remove(hook.context.paths());
    }
    if delivery::has_work(hook.context) && !hook.settings().dry_run {
        super::deliver(hook, CLAMPED_BUDGET);
        delivery::wait_until_delivered(hook.context, CLAMPED_BUDGET);
    }
    Ok(())
}

/// Closes the turn of a thread that will not go on, and returns the thread's subagents.
fn close(hook: &Hook, id: &ThreadId) -> anyhow::Result<Vec<ThreadId>> {
    let mut thread = Thread::open(hook, id)?;
    // Codex before 0.155 lets two processes work on one thread: the one that ends does not end the other's turn.
    let others = |c: CodexProcess| Some(c) != CodexProcess::calling() && c.is_running();
    if !thread.state.codex.is_some_and(others) {
        thread.close(Reason::SessionEnd, hook.context.now())?;
        thread.leave_unseen()?;
    }
    Ok(thread.state.agents)
}

/// Codex ends a SessionEnd or Interrupt hook after 3 seconds.
const CLAMPED_BUDGET: Duration = Duration::from_secs(2);
