//! notify: the backstop. It adds what it knows to a turn that hooks report, and reports turns no hook fires for.
//!
//! It fires after Stop, for subagents and for Codex's own threads that make titles (`docs::codex`).

use std::ffi::OsStr;

use super::{Hook, debug};
use crate::codex::notify_chain;
use crate::codex::payload::{NotifyPayload, json_fault};
use crate::codex::process::CodexProcess;
use crate::codex::rollout::locate;
use crate::context::var;
use crate::delivery;
use crate::delivery::{close, processes};
use crate::ids::{ThreadId, TurnId};
use crate::otel::redact::{ContentClass, Redactor};
use crate::time::Timestamp;
use crate::truncate::Shortener;
use crate::turn::closed::{Closing, Reason};
use crate::turn::owner::ThreadKind;
use crate::turn::state;
use crate::turn::state::{LockedState, Session, ThreadState};

/// Reads the payload from the last argument, calls the user's other notify program, and does what is left to do.
pub(super) fn run(hook: &Hook) -> anyhow::Result<()> {
    let Some(argument) = hook.context.args().iter().skip(1).next_back() else { return Ok(()) };
    // A user who asks for --help or --version; a payload is an object.
    if argument.as_encoded_bytes().starts_with(b"-") {
        return Ok(());
    }
    // The directory decides on the settings, which name the other program, which gets what is no payload of ours too.
    let parsed = parse(argument);
    let _ = hook.directory.set(parsed.as_ref().ok().and_then(|p| p.cwd.clone()));
    call_next(hook, argument);
    if !hook.settings().enabled {
        return Ok(());
    }
    let payload = parsed?;
    debug::keep_notify(hook, &payload);
    if payload.kind.as_deref().is_some_and(|k| k != TURN_COMPLETE) {
        return Ok(());
    }
    let (Some(thread), turn) = (payload.thread_id.as_deref(), payload.turn_id.as_deref()) else {
        return Ok(());
    };
    let thread = ThreadId::parse(thread)?;
    let turn = TurnId::parse(turn.unwrap_or("unknown-turn"))?;
    if known_to_hooks(hook, &payload, &thread, &turn)?
        || is_review(hook, &thread, &turn)
        || is_internal(hook, &payload, &thread)
    {
        return Ok(());
    }
    tell_alone(hook, &payload, thread, turn)
}

fn call_next(hook: &Hook, argument: &OsStr) {
    let chain = &hook.settings().notify_chain;
    if chain.is_empty() {
        return;
    }
    let inside = hook.context.var(notify_chain::MARK_VARIABLE).is_some();
    if let Err(error) = notify_chain::call(chain, argument, inside) {
        hook.log().error(format_args!("cannot call the other notify program: {error}"));
    }
}

fn parse(argument: &OsStr) -> anyhow::Result<NotifyPayload> {
    let bytes = argument.as_encoded_bytes();
    NotifyPayload::parse(bytes)
        .or_else(|first| {
            let mut shortener = Shortener::new(bytes.len());
            shortener.push(bytes);
            NotifyPayload::parse(&shortener.finish().unwrap_or_default()).map_err(|_| first)
        })
        .map_err(|e| anyhow::anyhow!("malformed notify payload: {}", json_fault(&e)))
}

/// Adds what notify knows to the running turn; true when hooks report, or reported, the turn.
fn known_to_hooks(
    hook: &Hook,
    payload: &NotifyPayload,
    thread: &ThreadId,
    turn: &TurnId,
) -> anyhow::Result<bool> {
    let paths = hook.context.paths();
    if state::peek(paths, thread)?.is_none() {
        return Ok(false);
    }
    let locked = LockedState::lock(paths, thread, super::thread::LOCK_PATIENCE)?;
    let Some(mut state) = locked.read()? else { return Ok(false) };
    if state.closed_turn(turn).is_some() {
        return Ok(true);
    }
    let unnamed = payload.turn_id.is_none();
    let Some(open) = state.turn.as_mut().filter(|t| t.id == *turn || unnamed) else { return Ok(false) };
    open.token_usage = payload.usage().or(open.token_usage);
    open.client = payload.client.clone().or(open.client.take());
    open.notified = Some(hook.context.now());
    if let Some(message) = &payload.last_assistant_message {
        let redactor = Redactor::for_rows(&hook.settings().profile);
        open.last_assistant_message = Some(redactor.text(ContentClass::Prompt, message).into_owned());
    }
    let turn = open.id.clone();
    locked.write(&state)?;
    drop(locked);
    // Its Stop was not called, nor will it be: a review has none, and hooks may be trusted in part.
    super::deliver_at_end(hook, thread, &turn, true);
    Ok(true)
}

/// Returns true if the turn is a review's that hooks reported under its session. No hook reports its end, so it is
/// waited for.
fn is_review(hook: &Hook, thread: &ThreadId, turn: &TurnId) -> bool {
    let rollout = locate::find_rollout(hook.context.paths().codex(), thread);
    let meta = rollout.as_deref().and_then(locate::read_session_meta);
    let ThreadKind::Review(session) = ThreadKind::of(thread, meta.as_ref()) else { return false };
    let state = state::peek(hook.context.paths(), &session).ok().flatten();
    let open = state.and_then(|state| state.turn).is_some_and(|open| open.id == *turn);
    if open {
        super::deliver_at_end(hook, &session, turn, true);
    }
    open
}

/// Returns true if the thread is one that Codex runs for itself: it belongs to a process whose hooks work and yet no
/// hook reported it, or to the terminal UI, and has no rollout.
fn is_internal(hook: &Hook, payload: &NotifyPayload, thread: &ThreadId) -> bool {
    let paths = hook.context.paths();
    let hook_fed = CodexProcess::calling().is_some_and(|p| processes::is_hook_fed(paths, p));
    hook_fed || payload.is_of_terminal() && locate::find_rollout(paths.codex(), thread).is_none()
}

/// Reports a turn that no hook fires for: its whole tree when it has a rollout, else one flat span.
fn tell_alone(hook: &Hook, payload: &NotifyPayload, thread: ThreadId, turn: TurnId) -> anyhow::Result<()> {
    let (context, settings) = (hook.context, hook.settings());
    let rollout = locate::find_rollout(context.paths().codex(), &thread);
    let meta = rollout.as_deref().and_then(locate::read_session_meta);
    let root = match ThreadKind::of(&thread, meta.as_ref()) {
        ThreadKind::Session => None,
        ThreadKind::Agent(root) => Some(root),
        ThreadKind::Review(_) | ThreadKind::Internal => return Ok(()),
    };
    let redactor = Redactor::for_rows(&settings.profile);
    let shown = |text: &str| redactor.text(ContentClass::Prompt, text).into_owned();
    let at = hook.context.now();
    let mut state = ThreadState::new(thread);
    state.session = Session {
        cwd: payload.cwd.clone(),
        transcript_path: rollout.map(|p| p.to_string_lossy().into_owned()),
        ..Session::default()
    };
    let began = Timestamp::of_uuid_v7(turn.as_str()).filter(|began| *began <= at).unwrap_or(at);
    // The rollout records the turn's number, where there is one.
    let numbered = state.session.transcript_path.is_some();
    let open = state.begin_turn(turn, began);
    open.number = 0;
    open.uncounted = numbered;
    open.prompts = own_prompt(payload).map(shown).into_iter().collect();
    open.token_usage = payload.usage();
    open.last_assistant_message = payload.last_assistant_message.as_deref().map(shown);
    open.client = payload.client.clone();
    open.notified = Some(at);
    open.traceparent = context.var(var::TRACEPARENT);
    let Some(turn) = state.turn else { return Ok(()) };
    let closing = Closing {
        version: Closing::VERSION,
        thread: state.thread_id,
        root,
        session: state.session,
        turn,
        rollout_to: None,
        rollout_bytes: None,
        codex: CodexProcess::calling(),
        reason: Reason::NotifyOnly,
        at,
        profile: settings.profile.clone(),
    };
    if settings.dry_run {
        return super::tell_dry_run(
            hook,
            &delivery::assemble::entry_of(context, &closing, crate::turn::rows::none()),
            &mut std::io::stdout(),
        );
    }
    close::write(context.paths(), &closing, None)?;
    super::deliver(hook, super::SYNC_BUDGET);
    Ok(())
}

/// The turn's own prompt: the last message that a user wrote.
fn own_prompt(payload: &NotifyPayload) -> Option<&str> {
    let messages = payload.input_messages();
    messages.into_iter().rev().find(|m| !m.starts_with(SUMMARY_PREFIX))
}

const TURN_COMPLETE: &str = "agent-turn-complete";
/// Beginning of the summary that replaces the history in a compaction (Codex 0.135 to 0.169).
const SUMMARY_PREFIX: &str = "Another language model started to solve this problem";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> NotifyPayload {
        parse(OsStr::new(json)).unwrap()
    }

    #[test]
    fn own_prompt_is_no_summary() {
        let summary = format!("{SUMMARY_PREFIX} and left this");
        for (messages, own) in [
            (r#"["first","second"]"#.to_owned(), Some("second")),
            (format!(r#"["first","{summary}"]"#), Some("first")),
            (format!(r#"["{summary}"]"#), None),
            (r#""one text""#.to_owned(), Some("one text")),
            ("[]".to_owned(), None),
            ("null".to_owned(), None),
        ] {
            let payload = parsed(&format!(r#"{{"input-messages":{messages}}}"#));
            assert_eq!(own_prompt(&payload), own, "{messages}");
        }
    }

    #[test]
    fn half_a_character_is_mended() {
        assert_eq!(
            parsed(r#"{"turn-id":"t","last-assistant-message":"\ud83d!"}"#).turn_id.as_deref(),
            Some("t")
        );
    }

    #[test]
    fn fault_repeats_nothing_of_the_payload() {
        let error = parse(OsStr::new(r#"{"turn-id": sesame}"#)).unwrap_err().to_string();
        assert!(error.starts_with("malformed notify payload") && !error.contains("sesame"), "{error}");
    }
}
