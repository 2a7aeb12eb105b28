//! How long a delivery may take, and what it has done.

use std::time::{Duration, Instant};

use crate::delivery::assemble::Hurry;

/// Time that a delivery may take.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    pub(super) deadline: Instant,
    /// Longest outage before the rest is left to the next delivery.
    pub(super) outage: Duration,
    /// True if it waits for another delivery to finish.
    pub(super) waits: bool,
    /// True if a user asked, so that the server's earlier "not before" does not count.
    pub(super) asked: bool,
    /// True if Codex waits for this process.
    in_hook: bool,
}

/// Result of a delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub delivered: u64,
    /// Turns that still wait, folded or not.
    pub left: u64,
    pub set_aside: u64,
    /// The failure that ended the run, with advice.
    pub last_error: Option<String>,
    /// Another flusher was at work.
    pub busy: bool,
}

impl Budget {
    /// For the detached process behind a hook: an outage of a minute, half an hour in all.
    pub fn background() -> Budget {
        Budget { outage: OUTAGE, waits: false, in_hook: false, ..Budget::within(BACKGROUND) }
    }

    /// For a hook that waits, `export_mode: sync` and the end of a session.
    pub fn within(time: Duration) -> Budget {
        Budget { deadline: Instant::now() + time, outage: time, waits: true, asked: false, in_hook: true }
    }

    /// For a user who waits.
    pub fn asked(time: Duration) -> Budget {
        Budget { asked: true, in_hook: false, ..Budget::within(time) }
    }

    /// Returns how turns are assembled within this budget.
    pub(super) fn hurry(&self) -> Hurry {
        if self.in_hook { Hurry::Until(self.deadline) } else { Hurry::None }
    }

    /// Returns how much of the time is left.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

const OUTAGE: Duration = Duration::from_secs(60);
const BACKGROUND: Duration = Duration::from_secs(1800);
