//! Stop, SubagentStop, Interrupt and SessionEnd: the turn is closed and handed over.

use std::time::Duration;

use super::thread::{Thread, root_of};
use super::{Hook, debug};
use crate::codex::payload::{Event, HookPayload};
use crate::codex::process::CodexProcess;
use crate::handover::live::Marker;
use crate::handover::{self, reap};
use crate::trace::closing::Reason;
use crate::trace::redact::{Class, Redactor};

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
        open.last_assistant_message = Some(redactor.text(Class::Prompt, message).into_owned());
    }
    if settings.dry_run {
        return super::dry_run(hook, thread);
    }
    let reason = if event == Event::Interrupt { Reason::Interrupt } else { Reason::Stop };
    thread.close(reason, at)?;
    drop(thread);
    super::deliver(hook, super::SYNC_BUDGET);
    Ok(())
}

/// The session is over: so is whatever it left open.
pub(super) fn session(hook: &Hook, payload: &HookPayload) -> anyhow::Result<()> {
    let settings = hook.settings();
    if !settings.enabled {
        return Ok(());
    }
    debug::keep(hook, payload);
    let Some(id) = payload.thread() else { return Ok(()) };
    let paths = hook.context.paths();
    reap::close_thread(paths, settings, &id, None, Reason::SessionEnd)?;
    if let Some(process) = CodexProcess::calling() {
        Marker { process, thread: id }.remove(paths);
    }
    if handover::has_work(hook.context) {
        super::deliver(hook, SESSION_END_PATIENCE);
        handover::wait_until_delivered(hook.context, SESSION_END_PATIENCE);
    }
    Ok(())
}

/// Codex ends a SessionEnd hook after 3 seconds.
const SESSION_END_PATIENCE: Duration = Duration::from_secs(2);
