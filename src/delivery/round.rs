//! What a flusher has while it holds the lock: its time, its notes, and how it pauses.

use std::time::{Duration, Instant};

use crate::context::Paths;
use crate::delivery::archive;
use crate::delivery::budget::{Budget, Report};
use crate::delivery::status::Status;
use crate::settings::Settings;
use crate::time;

/// One flusher's work under the lock.
pub(super) struct Round<'a> {
    pub paths: &'a Paths,
    pub settings: &'a Settings,
    pub budget: Budget,
    pub status: Status,
    pub report: &'a mut Report,
    pub watch: &'a mut dyn FnMut(&Report),
}

impl Round<'_> {
    /// Returns true if no time is left, or a user wants the lock.
    pub fn is_over(&self) -> bool {
        self.budget.left().is_zero() || self.is_wished_for()
    }

    fn is_wished_for(&self) -> bool {
        !self.budget.asked && self.paths.flush_wish().exists()
    }

    /// Waits; returns false when a user wants the lock meanwhile.
    pub fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            if self.is_wished_for() {
                return false;
            }
            std::thread::sleep(left.min(WISH_INTERVAL));
        }
    }

    pub fn save_status(&self) {
        if let Err(e) = self.status.save(self.paths) {
            self.settings.log.error(e);
        }
    }

    pub fn finish(mut self, known: &Status) {
        let now = time::now();
        let due = self.status.pruned_at.is_none_or(|at| at > now || now.since(at) > PRUNED_EVERY);
        if due {
            archive::prune(self.paths, self.settings);
            self.status.pruned_at = Some(now);
        }
        if self.status != *known {
            self.save_status();
        }
        (self.watch)(self.report);
    }
}

const WISH_INTERVAL: Duration = Duration::from_millis(200);
const PRUNED_EVERY: Duration = Duration::from_secs(600);
