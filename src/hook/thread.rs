//! What the roles do alike to a thread: lock its state, open a turn, write the first row.

use std::io::Write;
use std::time::Duration;

use super::Hook;
use crate::codex::payload::HookPayload;
use crate::codex::process::CodexProcess;
use crate::context::var;
use crate::delivery::processes::Marker;
use crate::delivery::{assemble, close, ended};
use crate::file;
use crate::ids::{ThreadId, TurnId};
use crate::settings::Settings;
use crate::time::Timestamp;
use crate::truncate::cut_at_word;
use crate::turn::closed::{Closing, Reason};
use crate::turn::rows;
use crate::turn::rows::{HookSettings, Kind, Row};
use crate::turn::state::{LockedState, Root, StateError, ThreadState};

/// A thread's state, locked and read.
pub(super) struct Thread<'a> {
    hook: &'a Hook<'a>,
    pub locked: LockedState,
    pub state: ThreadState,
}

impl<'a> Thread<'a> {
    /// Locks and reads a thread's state, a new one when it has none. A damaged one is put aside: what it knew of
    /// the running turn is in the rollout too.
    ///
    /// # Errors
    /// When the state cannot be locked or read, or a newer release wrote it.
    pub fn open(hook: &'a Hook<'a>, id: &ThreadId) -> Result<Thread<'a>, StateError> {
        let locked = LockedState::lock(hook.context.paths(), id, LOCK_PATIENCE)?;
        let state = match locked.read() {
            Err(error @ StateError::Malformed { .. }) => {
                hook.log().error(format_args!("{error}; it was put aside"));
                locked.set_aside();
                None
            }
            other => other?,
        };
        // Only a session's start proves that nothing came before.
        let new = || ThreadState { uncounted: true, ..ThreadState::new(id.clone()) };
        Ok(Thread { hook, state: state.unwrap_or_else(new), locked })
    }

    /// Takes up what a payload reports: its turn is the running one from now on, and the session is as it says. Another
    /// turn is closed first, while the session is still as it was for that one.
    ///
    /// # Errors
    /// When the other turn cannot be closed.
    pub fn take_up(
        &mut self,
        payload: &HookPayload,
        root: Option<Root>,
        at: Timestamp,
    ) -> Result<(), StateError> {
        if let Some(turn) = payload.turn() {
            self.run_turn(&turn, at)?;
        }
        self.note_session(payload);
        self.state.root = root.or(self.state.root.take());
        self.note_process();
        Ok(())
    }

    /// Copies what the payload says about the session. What it leaves out stays as it was.
    pub fn note_session(&mut self, payload: &HookPayload) {
        let session = &mut self.state.session;
        let set = |field: &mut Option<String>, value: Option<&str>| {
            if let Some(value) = value {
                *field = Some(cut_at_word(value, MAX_NAME_BYTES).into_owned());
            }
        };
        set(&mut session.cwd, payload.cwd.as_deref());
        set(&mut session.model, payload.model.as_deref());
        set(&mut session.permission_mode, payload.permission_mode.as_deref());
        set(&mut session.transcript_path, payload.rollout());
        if payload.source.as_deref() != Some("compact") {
            set(&mut session.source, payload.source.as_deref());
        }
    }

    /// Notes the Codex process that calls, so that its end can be noticed.
    pub fn note_process(&mut self) {
        let Some(process) = CodexProcess::calling() else { return };
        if self.state.codex == Some(process) {
            return;
        }
        self.state.codex = Some(process);
        if self.state.root.is_none() {
            let marker = Marker { process, thread: self.state.thread_id.clone() };
            if let Err(error) = marker.place(self.hook.context.paths()) {
                self.hook.log().error(format_args!("cannot note the Codex process: {error}"));
            }
        }
    }

    /// Makes `turn` the running one: a different one is closed first, the same one goes on.
    ///
    /// # Errors
    /// When the other turn cannot be closed.
    fn run_turn(&mut self, turn: &TurnId, at: Timestamp) -> Result<(), StateError> {
        if self.state.turn.as_ref().is_some_and(|t| t.id == *turn) {
            return Ok(());
        }
        self.close(Reason::NextTurn, at)?;
        let traceparent = self.hook.context.var(var::TRACEPARENT);
        self.state.begin_turn(turn.clone(), at).traceparent = traceparent;
        Ok(())
    }

    /// Closes the running turn, if there is one.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn close(&mut self, reason: Reason, at: Timestamp) -> Result<bool, StateError> {
        let settings = self.hook.settings();
        if settings.dry_run {
            return self.show(reason, at);
        }
        let paths = self.hook.context.paths();
        close::close_turn(paths, settings, &self.locked, &mut self.state, reason, at)
    }

    /// Leaves the turns behind the last one that no hook reported: commands the user ran with `!`.
    ///
    /// # Errors
    /// When they cannot be written down.
    pub fn leave_unseen(&mut self) -> Result<(), StateError> {
        let settings = self.hook.settings();
        if settings.dry_run {
            return Ok(());
        }
        ended::leave_unseen(self.hook.context.paths(), settings, &self.locked, &mut self.state)
    }

    /// Prints the running turn instead of handing it over, and forgets it.
    fn show(&mut self, reason: Reason, at: Timestamp) -> Result<bool, StateError> {
        let profile = &self.hook.settings().in_directory(self.state.session.cwd.as_deref()).profile;
        let Some(closing) = Closing::of(&self.state, reason, at, profile) else { return Ok(false) };
        let entry = assemble::entry_of(self.hook.context, &closing, rows::read(self.locked.rows()));
        let _ = std::fs::remove_file(self.locked.rows());
        self.state.remember_closed(&closing.turn, None, false);
        self.state.turn = None;
        self.save()?;
        if let Err(error) = super::tell_dry_run(self.hook, &entry, &mut std::io::stderr()) {
            self.hook.log().error(format_args!("cannot show a dry run: {error}"));
        }
        Ok(true)
    }

    /// Begins the rows of the running turn with the settings the tool role needs.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn begin_rows(&self) -> std::io::Result<()> {
        // Made under the thread's lock, so that nobody appends before its first row stands.
        let mut file = match file::private_options().create_new(true).append(true).open(self.locked.rows()) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
            made => made?,
        };
        let turn = self.state.turn.as_ref().map(|t| t.id.clone());
        let settings = Some(hook_settings(self.hook.settings()));
        let row = Row { row: Kind::Settings, turn, settings, ..Row::default() };
        file.write_all(&row.to_line())
    }

    /// Writes the state.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self) -> Result<(), StateError> {
        self.locked.write(&self.state)
    }
}

/// The settings the tool role needs.
pub(super) fn hook_settings(settings: &Settings) -> HookSettings {
    HookSettings {
        logging: settings.profile.logging,
        max_value_bytes: settings.profile.max_value_bytes,
        debug: settings.trace_debug,
    }
}

/// The session a subagent's payload belongs to; none for a payload of the session itself.
pub(super) fn root_of(hook: &Hook, payload: &HookPayload) -> Option<Root> {
    let thread = payload.root_thread().filter(|_| payload.is_subagent())?;
    let root = crate::turn::state::peek(hook.context.paths(), &thread).ok().flatten();
    let running = root.as_ref().and_then(|s| s.turn.as_ref().map(|t| t.id.clone()));
    let turn = running.or_else(|| root.as_ref()?.closed.last().map(|c| c.id.clone()));
    Some(Root { thread, turn, agent_type: payload.agent_type.clone() })
}

/// No path or name that means something is longer (PATH_MAX).
const MAX_NAME_BYTES: usize = 4096;
/// Longest wait of a hook for another one of the same thread.
pub(super) const LOCK_PATIENCE: Duration = Duration::from_secs(2);
