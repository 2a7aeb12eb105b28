//! `state_<thread>.yaml`: what is known of a thread between two hooks, under a lock, in whole replacements.

use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::codex::payload::Usage;
use crate::codex::process::CodexProcess;
use crate::context::Paths;
use crate::file::{self, Lock};
use crate::ids::{ThreadId, TurnId};
use crate::settings::yaml_bounds;
use crate::time::Timestamp;
use crate::turn::flat_yaml;

/// A thread as hooks have seen it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThreadState {
    pub version: u32,
    pub thread_id: ThreadId,
    /// Set for a subagent's thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Root>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codex: Option<CodexProcess>,
    #[serde(default)]
    pub session: Session,
    /// Number of turns that have begun.
    #[serde(default)]
    pub turns: u64,
    /// True if turns may have come before the first that hooks saw: `turns` leaves them out until the rollout
    /// was asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uncounted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<OpenTurn>,
    /// The length of the thread's own rollout when its last turn was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_to: Option<u64>,
    /// The last turns that were closed, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<ClosedTurn>,
    /// Subagents of this session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<ThreadId>,
}

/// The session a subagent belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Root {
    pub thread: ThreadId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_type: Option<String>,
}

/// Facts about the session that every hook repeats.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript_path: Option<String>,
}

/// A turn that has begun and not ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenTurn {
    pub id: TurnId,
    #[serde(default)]
    pub number: u64,
    /// True if `number` leaves out what came before the first turn that hooks saw.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uncounted: bool,
    #[serde(default)]
    pub part: u32,
    pub started: Timestamp,
    /// The user's prompts, steering included, as far as they may be recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<String>,
    /// The rollout's length when the part before this one was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_from: Option<u64>,
    /// The rollout's length when the turn before this one was closed: no hook reported what lies between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen_from: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_usage: Option<Usage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_assistant_message: Option<String>,
    /// When notify said that the turn is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// A turn that was closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClosedTurn {
    pub id: TurnId,
    /// Number of parts that were closed.
    #[serde(default)]
    pub parts: u32,
    #[serde(default)]
    pub number: u64,
    /// The rollout's length at that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_bytes: Option<u64>,
    /// Nothing said that the turn was over: it may go on when the machine has slept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_go_on: bool,
}

/// Why a state could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Made by [`file::named`]. It is no source: a printed chain would name it twice.
    #[error("{0}")]
    Io(io::Error),
    #[error("{path}: {reason}", path = .path.display())]
    Malformed { path: PathBuf, reason: String },
    #[error("{path}: written by a newer arize-codex (version {version})", path = .path.display())]
    Newer { path: PathBuf, version: u32 },
}

/// The state of one thread, locked: the only way to change it.
#[derive(Debug)]
pub struct LockedState {
    path: PathBuf,
    rows: PathBuf,
    _lock: Lock,
}

impl LockedState {
    /// Locks a thread's state, making the directory on the way.
    ///
    /// # Errors
    /// When the directory is not ours, or another process holds the lock for all of `patience`.
    pub fn lock(paths: &Paths, thread: &ThreadId, patience: Duration) -> Result<LockedState, StateError> {
        let path = paths.thread_state(thread);
        let failed = |error| StateError::Io(file::named(&path, error));
        let lock_path = paths.thread_lock(thread);
        file::create_private_dir(&paths.state()).map_err(failed)?;
        let lock = Lock::acquire(&lock_path, patience).map_err(failed)?;
        Ok(LockedState { rows: paths.thread_rows(thread), path, _lock: lock })
    }

    /// Reads the state; none when the thread has none.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or is of a newer version.
    pub fn read(&self) -> Result<Option<ThreadState>, StateError> {
        read_path(&self.path)
    }

    /// Replaces the state.
    ///
    /// # Errors
    /// When it cannot be written; the old one is then still there.
    pub fn write(&self, state: &ThreadState) -> Result<(), StateError> {
        let malformed =
            |e: serde_json::Error| StateError::Malformed { path: self.path.clone(), reason: e.to_string() };
        let yaml = flat_yaml::to_string(state).map_err(malformed)?;
        file::write_atomic(&self.path, yaml.as_bytes())
            .map_err(|error| StateError::Io(file::named(&self.path, error)))
    }

    /// The thread's rows.
    pub fn rows(&self) -> &std::path::Path {
        &self.rows
    }

    /// Puts a state that cannot be read out of the way, so that the thread can go on.
    pub fn set_aside(&self) {
        let mut aside = self.path.clone().into_os_string();
        aside.push(format!(".{}", crate::layout::DAMAGED));
        let _ = std::fs::rename(&self.path, aside);
    }
}

/// Reads a thread's state without its lock: a whole one, perhaps a moment old.
///
/// # Errors
/// When it cannot be read, is damaged, or is of a newer version.
pub fn peek(paths: &Paths, thread: &ThreadId) -> Result<Option<ThreadState>, StateError> {
    read_path(&paths.thread_state(thread))
}

fn read_path(path: &std::path::Path) -> Result<Option<ThreadState>, StateError> {
    let failed = |error| StateError::Io(file::named(path, error));
    let malformed = |reason: String| StateError::Malformed { path: path.to_owned(), reason };
    let content = match file::read_bounded(path, MAX_STATE_BYTES) {
        Ok(Some(content)) => content,
        Ok(None) => return Ok(None),
        Err(e) if e.kind() == io::ErrorKind::FileTooLarge => return Err(malformed("too large".to_owned())),
        Err(e) => return Err(failed(e)),
    };
    let text = std::str::from_utf8(&content).map_err(|e| malformed(e.to_string()))?;
    let version = text.lines().find_map(|l| l.strip_prefix("version: ")?.trim().parse().ok());
    if let Some(version) = version.filter(|v| *v > VERSION) {
        return Err(StateError::Newer { path: path.to_owned(), version });
    }
    if let Some(state) = flat_yaml::from_str(text) {
        return Ok(Some(state));
    }
    if let Some((line, what)) = yaml_bounds::excess(text) {
        return Err(malformed(format!("{what} in line {line}")));
    }
    // The library's own words would repeat what stands there.
    serde_yml::from_str(text).map(Some).map_err(|e| {
        let line = e.location().map(|l| format!(" in line {}", l.line())).unwrap_or_default();
        malformed(format!("not a thread's state{line}"))
    })
}

impl ThreadState {
    /// A thread nothing is known of.
    pub fn new(thread: ThreadId) -> ThreadState {
        ThreadState {
            version: VERSION,
            thread_id: thread,
            root: None,
            codex: None,
            session: Session::default(),
            turns: 0,
            uncounted: false,
            turn: None,
            seen_to: None,
            closed: Vec::new(),
            agents: Vec::new(),
        }
    }

    /// The record of a turn that was closed.
    pub fn closed_turn(&self, turn: &TurnId) -> Option<&ClosedTurn> {
        self.closed.iter().rev().find(|c| c.id == *turn)
    }

    /// Begins a turn, as a further part when it was closed before.
    pub fn begin_turn(&mut self, id: TurnId, at: Timestamp) -> &mut OpenTurn {
        let before = self.closed_turn(&id).cloned();
        if before.is_none() {
            self.turns = self.turns.saturating_add(1);
        }
        let turn = OpenTurn {
            number: before.as_ref().map_or(self.turns, |b| b.number),
            uncounted: self.uncounted,
            part: before.as_ref().map_or(0, |b| b.parts),
            unseen_from: if before.is_some() { None } else { self.seen_to },
            rollout_from: before.and_then(|b| b.rollout_bytes),
            id,
            started: at,
            prompts: Vec::new(),
            traceparent: None,
            token_usage: None,
            last_assistant_message: None,
            notified: None,
            client: None,
        };
        self.turn.insert(turn)
    }

    /// Counts the turns in that came before the first that hooks reported.
    pub fn count_in(&mut self, before: u64) {
        self.uncounted = false;
        self.turns = self.turns.saturating_add(before);
        if let Some(turn) = &mut self.turn {
            turn.uncounted = false;
            turn.number = turn.number.saturating_add(before);
        }
        for closed in &mut self.closed {
            closed.number = closed.number.saturating_add(before);
        }
    }

    /// Notes that a turn was closed, and forgets the oldest of many.
    pub fn remember_closed(&mut self, turn: &OpenTurn, rollout_bytes: Option<u64>, may_go_on: bool) {
        self.closed.retain(|c| c.id != turn.id);
        let record = ClosedTurn {
            id: turn.id.clone(),
            parts: turn.part.saturating_add(1),
            number: turn.number,
            rollout_bytes,
            may_go_on,
        };
        self.closed.push(record);
        if self.closed.len() > MAX_CLOSED {
            self.closed.drain(..self.closed.len() - MAX_CLOSED);
        }
    }
}

const VERSION: u32 = 1;
const MAX_CLOSED: usize = 16;
const MAX_STATE_BYTES: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;

    fn paths(folder: &std::path::Path) -> Paths {
        let vars = [("HOME".to_string(), folder.to_str().unwrap().to_string())].into();
        Context::given(vec![], vars).paths().clone()
    }

    #[test]
    fn state_survives_hostile_text() {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path());
        let thread = ThreadId::parse("t").unwrap();
        let locked = LockedState::lock(&paths, &thread, Duration::ZERO).unwrap();
        assert_eq!(locked.read().unwrap(), None);
        let mut state = ThreadState::new(thread.clone());
        for prompt in [
            "",
            " - a: b",
            "version: 99\n",
            "\u{0}\u{1}\u{7f}\u{85}\u{feff}",
            "'\"\\#!&*|>%@`",
            "😀\r\n\t",
            "2026-01-01",
            "~",
            "1e999",
        ] {
            let turn = state.begin_turn(TurnId::parse("x").unwrap(), Timestamp::from_millis(1));
            turn.prompts = vec![prompt.to_owned()];
            locked.write(&state).unwrap();
            assert_eq!(locked.read().unwrap().as_ref(), Some(&state), "{prompt:?}");
        }
        assert_eq!(peek(&paths, &thread).unwrap(), Some(state));
    }

    #[test]
    fn newer_state_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path());
        let thread = ThreadId::parse("t").unwrap();
        let locked = LockedState::lock(&paths, &thread, Duration::ZERO).unwrap();
        std::fs::write(paths.thread_state(&thread), "version: 2\nthread_id: t\n").unwrap();
        assert!(matches!(locked.read(), Err(StateError::Newer { version: 2, .. })));
        std::fs::write(paths.thread_state(&thread), "version: 1\nthread_id: [").unwrap();
        assert!(matches!(locked.read(), Err(StateError::Malformed { .. })));
        locked.set_aside();
        assert_eq!(locked.read().unwrap(), None);
    }

    #[test]
    fn continued_turn_is_a_further_part() {
        let mut state = ThreadState::new(ThreadId::parse("t").unwrap());
        let id = |t: &str| TurnId::parse(t).unwrap();
        let first = state.begin_turn(id("a"), Timestamp::default()).clone();
        state.remember_closed(&first, Some(10), false);
        let again = state.begin_turn(id("a"), Timestamp::default()).clone();
        assert_eq!((again.number, again.part, again.rollout_from), (1, 1, Some(10)));
        assert_eq!(state.begin_turn(id("b"), Timestamp::default()).number, 2);
        for n in 0..40 {
            let turn = state.begin_turn(id(&format!("n{n}")), Timestamp::default()).clone();
            state.remember_closed(&turn, None, false);
        }
        assert!(state.closed.len() <= MAX_CLOSED && state.closed_turn(&id("n39")).is_some());
    }
}
