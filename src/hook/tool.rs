//! PreToolUse, PostToolUse, PermissionRequest, PreCompact, PostCompact: one row each.
//!
//! This role runs most often, so it reads no settings: the first row of the turn's file holds what it needs.

use std::fs::File;
use std::io::{Read, Write};

use super::thread::{LOCK_PATIENCE, Thread, hook_settings, root_of};
use super::{Hook, debug};
use crate::codex::events::Event;
use crate::codex::payload::HookPayload;
use crate::file;
use crate::ids::{ThreadId, TurnId};
use crate::otel::redact::{ContentClass, Redactor};
use crate::time::Timestamp;
use crate::truncate::cut_at_word;
use crate::turn::closed::Reason;
use crate::turn::rows;
use crate::turn::rows::{HookSettings, Kind, Request, Row};
use crate::turn::state::LockedState;

/// Appends what the payload says to the rows of its turn.
pub(super) fn run(hook: &Hook, payload: &HookPayload, event: Event) -> anyhow::Result<()> {
    let at = hook.context.now();
    let (Some(id), turn) = (payload.thread(), payload.turn()) else { return Ok(()) };
    let begun = append_to_begun(hook, &id, turn.as_ref(), |settings| row(payload, event, at, settings))?;
    if let Some(settings) = begun {
        if settings.debug {
            debug::keep(hook, payload);
        }
        end_unhooked(hook, payload, event, &id);
        return end_compaction(hook, payload, event, &id);
    }
    // What comes after the end of a turn does not begin it again: an answer to a request that was cut off.
    if event == Event::PostModelRequest {
        return Ok(());
    }
    // No hook has reported this turn before: the session role is not trusted, or the turn has no prompt.
    let settings = hook.settings();
    if !settings.enabled {
        return Ok(());
    }
    debug::keep(hook, payload);
    if turn.is_none() {
        return Ok(());
    }
    let root = root_of(hook, payload);
    let mut thread = Thread::open(hook, &id)?;
    // A result behind the end of its turn belongs to a call that is told there already, as running on.
    let is_over = |turn| thread.state.closed_turn(&turn).is_some_and(|closed| !closed.may_go_on);
    if event == Event::PostToolUse && turn.is_some_and(is_over) {
        return Ok(());
    }
    thread.take_up(payload, root, at)?;
    thread.begin_rows()?;
    thread.save()?;
    let line = row(payload, event, at, &hook_settings(settings)).to_line();
    file::append_line(thread.locked.rows(), &line)?;
    drop(thread);
    end_compaction(hook, payload, event, &id)
}

/// Starts the delivery of turns whose end no hook reports: one whose request failed for good, and that of a subagent
/// another one interrupted.
fn end_unhooked(hook: &Hook, payload: &HookPayload, event: Event, id: &ThreadId) {
    let failed = event == Event::PostModelRequest && payload.status.as_deref() == Some("failed");
    if let Some(turn) = payload.turn().filter(|_| failed) {
        super::deliver_at_end(hook, id, &turn, false);
    }
    let interrupts = |tool: &str| tool.ends_with("interrupt_agent") || tool.ends_with("close_agent");
    if event == Event::PostToolUse && payload.tool_name.as_deref().is_some_and(interrupts) {
        super::deliver(hook, super::SYNC_BUDGET);
    }
}

/// A compaction a user asked for is a turn of its own that no Stop ends (`docs::codex`).
fn end_compaction(hook: &Hook, payload: &HookPayload, event: Event, id: &ThreadId) -> anyhow::Result<()> {
    if event != Event::PostCompact || payload.trigger.as_deref() != Some("manual") {
        return Ok(());
    }
    let mut thread = Thread::open(hook, id)?;
    let alone = thread
        .state
        .turn
        .as_ref()
        .is_some_and(|t| t.prompts.is_empty() && Some(&t.id) == payload.turn().as_ref());
    if alone && thread.close(Reason::Compacted, hook.context.now())? {
        drop(thread);
        super::deliver(hook, super::SYNC_BUDGET);
    }
    Ok(())
}

/// Appends a row when the turn's file has been begun, or that of the turn in which a call of an earlier one runs: a
/// script of code mode goes on in the next turn, under the id of its own. Returns the settings the file was begun with.
fn append_to_begun(
    hook: &Hook,
    id: &ThreadId,
    turn: Option<&TurnId>,
    make: impl FnOnce(&HookSettings) -> Row,
) -> anyhow::Result<Option<HookSettings>> {
    let path = hook.context.paths().thread_rows(id);
    if !path.exists() {
        return Ok(None);
    }
    let locked = LockedState::lock(hook.context.paths(), id, LOCK_PATIENCE)?;
    let mut file = match file::private_options().read(true).append(true).open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let Some(first) = first_row(&mut file)? else { return Ok(None) };
    let another = turn.filter(|turn| first.turn.as_ref().is_some_and(|first| first != *turn));
    let was_closed = |turn: &TurnId| {
        let state = locked.read().ok().flatten();
        state.is_some_and(|state| state.closed_turn(turn).is_some())
    };
    let ours = another.is_none_or(was_closed);
    let Some(settings) = first.settings.filter(|_| ours) else { return Ok(None) };
    let mut row = make(&settings);
    if file.metadata()?.len() > MAX_ROWS_BYTES {
        // That the call was made is still reported.
        (row.input, row.output) = (None, None);
        row.request.iter_mut().for_each(|request| request.error = None);
    }
    file.write_all(&row.to_line())?;
    Ok(Some(settings))
}

fn first_row(file: &mut File) -> std::io::Result<Option<Row>> {
    let mut head = [0u8; FIRST_ROW_BYTES];
    let read = file.read(&mut head)?;
    Ok(rows::first(&head[..read]))
}

fn row(payload: &HookPayload, event: Event, at: Timestamp, settings: &HookSettings) -> Row {
    let redactor = Redactor::of_switches(settings.logging, settings.max_value_bytes);
    let kept = |class, json: &Option<Box<serde_json::value::RawValue>>| {
        let json = json.as_ref()?;
        serde_json::value::RawValue::from_string(redactor.json(class, json.get())).ok()
    };
    let kind = match event {
        Event::PreToolUse => Kind::PreToolUse,
        Event::PostToolUse => Kind::PostToolUse,
        Event::PermissionRequest => Kind::PermissionRequest,
        Event::PreCompact => Kind::PreCompact,
        Event::PostCompact => Kind::PostCompact,
        Event::PreModelRequest => Kind::PreModelRequest,
        Event::PostModelRequest => Kind::PostModelRequest,
        _ => Kind::Unknown,
    };
    // What a tool was asked to do is reported before it runs; afterwards only the result is new.
    let input =
        if kind == Kind::PostToolUse { None } else { kept(ContentClass::ToolDetail, &payload.tool_input) };
    Row {
        row: kind,
        at,
        turn: payload.turn(),
        call_id: name_of(payload.tool_use_id.as_deref()),
        name: name_of(payload.tool_name.as_deref()),
        input,
        output: kept(ContentClass::ToolContent, &payload.tool_response),
        trigger: payload.trigger.clone(),
        request: request_of(payload, kind, &redactor),
        settings: None,
    }
}

/// Returns the request to the model that a payload describes, if it describes one. 0.169 names neither the request nor the
/// attempt.
fn request_of(payload: &HookPayload, kind: Kind, redactor: &Redactor) -> Option<Box<Request>> {
    if !matches!(kind, Kind::PreModelRequest | Kind::PostModelRequest) {
        return None;
    }
    let short = |text: &Option<String>| text.as_deref().map(|text| name_of(Some(text)));
    Some(Box::new(Request {
        id: name_of(payload.request_id.as_deref()),
        attempt: payload.attempt_number.unwrap_or(u64::from(payload.request_id.is_some())),
        kind: short(&payload.kind),
        model: short(&payload.model),
        status: short(&payload.status),
        response: short(&payload.response_id),
        usage: payload.usage(),
        // A provider's refusal may repeat the prompt.
        error: payload.error.as_deref().map(|error| redactor.text(ContentClass::Prompt, error).into_owned()),
    }))
}

fn name_of(text: Option<&str>) -> String {
    cut_at_word(text.unwrap_or_default(), MAX_NAME_BYTES).into_owned()
}

const FIRST_ROW_BYTES: usize = 1024;
const MAX_NAME_BYTES: usize = 512;
/// Most content that hooks keep of one turn's calls; the rollout has the rest.
const MAX_ROWS_BYTES: u64 = 32 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Logging;

    fn settings(prompts: bool, tool_details: bool, tool_content: bool) -> HookSettings {
        let logging = Logging { prompts, tool_details, tool_content };
        HookSettings { logging, max_value_bytes: 1000, debug: false }
    }

    fn row_of(payload: &str, event: Event, settings: &HookSettings) -> Row {
        row(&HookPayload::parse(payload.as_bytes()).unwrap(), event, Timestamp::from_millis(7), settings)
    }

    const CALL: &str = r#"{"session_id":"s","turn_id":"t","tool_use_id":"c1","tool_name":"Bash",
        "tool_input":{"command":"make it"},"tool_response":"made it"}"#;

    #[test]
    fn input_is_kept_of_the_first_hook() {
        let all = settings(true, true, true);
        let text = |row: &Row| {
            let of =
                |json: &Option<Box<serde_json::value::RawValue>>| json.as_ref().map(|j| j.get().to_owned());
            (of(&row.input), of(&row.output))
        };
        let before = row_of(CALL, Event::PreToolUse, &all);
        assert_eq!(
            (before.row, before.call_id.as_str(), before.name.as_str()),
            (Kind::PreToolUse, "c1", "Bash")
        );
        assert_eq!(text(&before).0.as_deref(), Some(r#"{"command":"make it"}"#));
        let after = row_of(CALL, Event::PostToolUse, &all);
        assert_eq!(text(&after), (None, Some("\"made it\"".to_owned())));
        assert_eq!(after.at, Timestamp::from_millis(7));
    }

    #[test]
    fn rows_withhold_what_switches_say() {
        for (event, text_of_it, details, content, shown) in [
            (Event::PreToolUse, "make it", true, false, true),
            (Event::PreToolUse, "make it", false, true, false),
            (Event::PostToolUse, "made it", false, true, true),
            (Event::PostToolUse, "made it", true, false, false),
        ] {
            let line = row_of(CALL, event, &settings(true, details, content)).to_line();
            let text = String::from_utf8(line).unwrap();
            assert_eq!(text.contains(text_of_it), shown, "{event:?} {text}");
        }
    }

    #[test]
    fn request_error_is_under_the_prompt_switch() {
        let failed = r#"{"turn_id":"t","request_id":"r1","status":"failed","error":"no: xyzzy","model":"m"}"#;
        for prompts in [true, false] {
            let row = row_of(failed, Event::PostModelRequest, &settings(prompts, true, true));
            let request = row.request.unwrap();
            assert_eq!((request.id.as_str(), request.attempt), ("r1", 1));
            assert_eq!(request.error.unwrap().contains("xyzzy"), prompts);
        }
        assert!(row_of(CALL, Event::PreToolUse, &settings(true, true, true)).request.is_none());
    }

    #[test]
    fn names_without_end_are_cut() {
        let long = format!(r#"{{"turn_id":"t","tool_use_id":"{0}","tool_name":"{0}"}}"#, "n".repeat(100_000));
        let row = row_of(&long, Event::PreToolUse, &settings(true, true, true));
        assert!(row.call_id.len() < 600 && row.name.len() < 600);
    }

    /// Half of a secret is not known for one when the spans are scrubbed.
    #[test]
    fn names_are_never_cut_inside_a_word() {
        let secret = ["gh", "p_", "R7wq2ZtV9xLmK4sD8fHbN3cJ6yPgT1aE5uQo"].concat();
        let long = format!(
            r#"{{"turn_id":"t","tool_use_id":"c","tool_name":"{} {secret}","agent_type":"{0} {secret}"}}"#,
            "n".repeat(MAX_NAME_BYTES - 20)
        );
        let row = row_of(&long, Event::PreToolUse, &settings(true, true, true));
        assert!(row.name.starts_with("nnn") && row.name.contains("[cut: "), "{}", row.name);
        assert!(!row.name.contains(&secret[..4]), "{}", row.name);
    }
}
