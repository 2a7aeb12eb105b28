//! The roles Codex calls, and the guard around them: whatever happens, exit code 0, nothing on stdout, in time.
//!
//! A role is only the wiring; what is done follows from the event in the payload, so a wrong wiring still works.

mod debug;
mod notify;
mod own_thread;
mod session;
mod stop;
mod thread;
mod tool;

use std::cell::OnceCell;
use std::io::{IsTerminal, Read, Write};
use std::time::Duration;

use crate::arena;
use crate::codex::events::Event;
use crate::codex::payload::{HookPayload, json_fault};
use crate::context::{Context, var};
use crate::delivery;
use crate::delivery::budget::Budget;
use crate::delivery::hook_calls;
use crate::delivery::outbox;
use crate::file;
use crate::ids::{ThreadId, TurnId};
use crate::log::Log;
use crate::otel::entry::Entry;
use crate::otel::text_tree;
use crate::platform;
use crate::settings::{self, ExportMode, MAX_VALUE_BYTES, Settings};
use crate::truncate::Shortener;

/// A role of the executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Session,
    Tool,
    Stop,
    Notify,
}

impl Role {
    pub const ALL: [(&'static str, Role); 4] =
        [("session", Role::Session), ("tool", Role::Tool), ("stop", Role::Stop), ("notify", Role::Notify)];

    pub fn parse(name: &str) -> Option<Role> {
        Role::ALL.iter().find(|(n, _)| *n == name).map(|(_, role)| *role)
    }
}

/// Does what a hook has started to outlive it, where the system has no fork: assembles and delivers.
pub fn deliver_detached(context: &Context) {
    let early = settings::early_log(context);
    platform::end_quietly_on_panic(move |message| early.error(message));
    platform::begin_detached();
    if file::check_home(context.paths().harness()).is_ok() {
        let hook = Hook { context, settings: OnceCell::new(), directory: OnceCell::new() };
        delivery::work_detached(context, hook.settings());
    }
}

/// Runs a role. Returns, or ends the process with exit code 0: nothing that happens here is an error to Codex.
pub fn run(role: Role, context: &Context) {
    let early = settings::early_log(context);
    platform::end_quietly_on_panic(move |message| early.error(message));
    platform::set_deadline(DEADLINE_SECONDS);
    arena::end_quietly_without_memory();
    let mut stdin = std::io::stdin().lock();
    if role != Role::Notify && stdin.is_terminal() {
        return;
    }
    if let Err(error) = file::check_home(context.paths().harness()) {
        // A log inside it would be another user's too: only one that lies elsewhere is written.
        if context.var(var::LOG_FILE).is_some() {
            settings::early_log(context).error(error);
        }
        if role != Role::Notify {
            // Codex takes input that is not read for a failure.
            let _ = std::io::copy(&mut stdin, &mut std::io::sink());
        }
        return;
    }
    serve(role, context, &mut stdin);
}

/// Does what a role does, without the guard: reads the payload from `input`, or for notify from the last argument.
/// What goes wrong is logged.
pub fn serve(role: Role, context: &Context, input: &mut dyn Read) {
    let hook = Hook { context, settings: OnceCell::new(), directory: OnceCell::new() };
    let outcome = match role {
        Role::Notify => {
            let done = notify::run(&hook);
            hook_calls::note(context.paths(), hook_calls::NOTIFY);
            done
        }
        Role::Session | Role::Tool | Role::Stop => on_event(&hook, input),
    };
    if let Err(error) = outcome {
        hook.log().error(format_args!("{error:#}"));
        hook_calls::note(context.paths(), hook_calls::FAILED);
    }
}

fn on_event(hook: &Hook, input: &mut dyn Read) -> anyhow::Result<()> {
    let Some(payload) = read_payload(input)? else { return Ok(()) };
    let Some(event) = payload.event() else { return Ok(()) };
    let _ = hook.directory.set(payload.cwd.clone());
    if own_thread::is_codexs(hook, &payload)? {
        return Ok(());
    }
    let done = match event {
        Event::SessionStart => session::start(hook, &payload),
        Event::UserPromptSubmit => session::prompt(hook, &payload),
        Event::SubagentStart => session::subagent(hook, &payload),
        Event::PreToolUse
        | Event::PostToolUse
        | Event::PermissionRequest
        | Event::PreCompact
        | Event::PostCompact
        | Event::PreModelRequest
        | Event::PostModelRequest => tool::run(hook, &payload, event),
        Event::Stop | Event::SubagentStop | Event::Interrupt => stop::turn(hook, &payload, event),
        Event::SessionEnd => stop::session(hook, &payload),
    };
    hook_calls::note(hook.context.paths(), event.name());
    done
}

/// Context of one hook call.
struct Hook<'a> {
    context: &'a Context,
    settings: OnceCell<Settings>,
    /// Where Codex works, as the payload says: some settings hold there alone.
    directory: OnceCell<Option<String>>,
}

impl Hook<'_> {
    /// The settings, read when they are first needed. A config.yaml that cannot be read is logged and kept out of
    /// the way: turns are recorded, and delivered once it is mended.
    fn settings(&self) -> &Settings {
        self.settings.get_or_init(|| match Settings::load(self.context) {
            Ok(settings) => {
                settings.report_problems();
                let directory = self.directory.get().and_then(Option::as_deref);
                settings.in_directory(directory).into_owned()
            }
            Err(error) => {
                let settings = Settings::without_config(self.context);
                settings.log.error(format_args!("{error}; turns are kept until it is fixed"));
                settings
            }
        })
    }

    fn log(&self) -> Log {
        self.settings.get().map_or_else(|| settings::early_log(self.context), |s| s.log.clone())
    }
}

/// Reads the input to its end, in bounded memory; none when there is nothing.
fn read_payload(mut input: &mut dyn Read) -> anyhow::Result<Option<HookPayload>> {
    let mut head = Vec::with_capacity(FIRST_READ_BYTES);
    read_patiently(|| (&mut input).take(SMALL_PAYLOAD_BYTES - head.len() as u64).read_to_end(&mut head))?;
    let whole = (head.len() as u64) < SMALL_PAYLOAD_BYTES;
    if whole && head.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    if let Some(payload) = whole.then(|| HookPayload::parse(&head).ok()).flatten() {
        return Ok(Some(payload));
    }
    let mut shortener = Shortener::bounded(MAX_VALUE_BYTES, MAX_PAYLOAD_BYTES);
    shortener.push(&head);
    drop(head);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match read_patiently(|| input.read(&mut chunk))? {
            0 => break,
            read => shortener.push(&chunk[..read]),
        }
    }
    let short =
        shortener.finish().ok_or_else(|| anyhow::anyhow!("a payload that is too large was ignored"))?;
    HookPayload::parse(&short).map(Some).map_err(|e| anyhow::anyhow!("malformed payload: {}", json_fault(&e)))
}

/// Reads again where nothing was there yet: whoever made the pipe may have made it one that does not wait.
fn read_patiently(mut read: impl FnMut() -> std::io::Result<usize>) -> std::io::Result<usize> {
    loop {
        match read() {
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => platform::let_stdin_wait()?,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Starts the delivery; in sync mode, does it here, within `budget`. In a dry run nothing leaves.
fn deliver(hook: &Hook, budget: Duration) {
    if hook.settings().dry_run {
        return;
    }
    match hook.settings().export_mode {
        ExportMode::Background => delivery::start(hook.context, hook.settings()),
        ExportMode::Sync if delivery::has_heavy_work(hook.context) => {
            delivery::start(hook.context, hook.settings());
            delivery::wait_until_delivered(hook.context, budget);
        }
        ExportMode::Sync => {
            delivery::flush::run(hook.context, hook.settings(), Budget::within(budget));
        }
    }
}

/// Starts a process that waits for the end of an open turn, which no hook may report, and delivers it. In sync mode no
/// process is started: who can wait does so here, and others leave the turn to the next look.
fn deliver_at_end(hook: &Hook, thread: &ThreadId, turn: &TurnId, waits: bool) {
    let (context, settings) = (hook.context, hook.settings());
    if settings.dry_run {
        return;
    }
    if settings.export_mode == ExportMode::Sync {
        if waits {
            delivery::ended::wait(context.paths(), thread, turn, END_PATIENCE);
            deliver(hook, SYNC_BUDGET - END_PATIENCE);
        }
        return;
    }
    if let Err(error) = delivery::start_at_end(context, settings, thread, turn) {
        hook.log().error(format_args!("cannot wait for the end of a turn: {error}"));
    }
}

/// How long notify, for which Codex does not wait, waits for the end of a turn in sync mode.
const END_PATIENCE: Duration = Duration::from_secs(5);
/// Longest delivery in place; Codex itself waits 30 seconds.
const SYNC_BUDGET: Duration = Duration::from_secs(15);

/// Prints what would be sent for a turn, says so in the log, and keeps the turn for `list`, `show` and `preview`.
fn tell_dry_run(hook: &Hook, entry: &Entry, out: &mut dyn Write) -> anyhow::Result<()> {
    let name = entry.spans.first().map_or("", |s| s.name.as_str());
    hook.log().note(format_args!("[arize] DRY RUN: {name}, {} spans, kept and not sent", entry.spans.len()));
    outbox::put_dry(hook.context.paths(), entry)?;
    writeln!(out, "[arize] DRY RUN: {name}")?;
    write!(out, "{}", text_tree::tree(&entry.spans))?;
    Ok(())
}

/// Below the 30 seconds after which Codex ends a hook itself.
const DEADLINE_SECONDS: u32 = 20;
const FIRST_READ_BYTES: usize = 8 * 1024;
const SMALL_PAYLOAD_BYTES: u64 = 256 * 1024;
const CHUNK_BYTES: usize = 64 * 1024;
/// The most that is kept of a payload whose strings were cut; it is held a few times over while it is written down.
const MAX_PAYLOAD_BYTES: usize = 5 * 1024 * 1024 / 2;
