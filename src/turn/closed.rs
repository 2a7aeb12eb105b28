//! A turn as hooks leave it when it ends: all they know of it, and the settings it is to be reported under.

use serde::{Deserialize, Serialize};

use crate::codex::process::CodexProcess;
use crate::ids::ThreadId;
use crate::settings::Profile;
use crate::time::Timestamp;
use crate::turn::state::{OpenTurn, Root, Session, ThreadState};

/// Everything hooks, notify or a rollout of the past know of a turn that is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Closing {
    pub version: u32,
    pub thread: ThreadId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Root>,
    pub session: Session,
    pub turn: OpenTurn,
    /// The rollout's length when Stop was called: what follows is the turn's end, or a further part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_to: Option<u64>,
    /// The rollout's length when the turn was closed: its end stands there or behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_bytes: Option<u64>,
    /// The Codex process that ran the turn, which writes its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codex: Option<CodexProcess>,
    pub reason: Reason,
    /// When the turn was closed.
    pub at: Timestamp,
    pub profile: Profile,
}

/// Cause of a turn's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Stop,
    Interrupt,
    /// The turn was a compaction a user asked for, and it is done.
    Compacted,
    /// Another turn of the same thread began.
    NextTurn,
    SessionEnd,
    /// The Codex process is gone.
    Orphaned,
    /// Nothing was heard of it for a day.
    Idle,
    /// No hook fires at all; notify alone reported it.
    NotifyOnly,
    /// No hook reported it; it stands in the rollout before a turn that hooks reported.
    Unseen,
    /// It has not ended: it is shown, never delivered.
    Running,
    /// The rollout recorded its end, and no hook reported it: a failed request, a review, a subagent that was interrupted.
    Ended,
    Backfill,
}

impl Closing {
    pub const VERSION: u32 = 1;

    /// Returns what is known of the open turn of a thread; none when it has none.
    pub fn of(state: &ThreadState, reason: Reason, at: Timestamp, profile: &Profile) -> Option<Closing> {
        Some(Closing {
            version: Closing::VERSION,
            thread: state.thread_id.clone(),
            root: state.root.clone(),
            session: state.session.clone(),
            turn: state.turn.clone()?,
            rollout_to: None,
            rollout_bytes: None,
            codex: state.codex,
            reason,
            at,
            profile: profile.clone(),
        })
    }
}
