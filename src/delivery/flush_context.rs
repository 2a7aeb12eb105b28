//! What a flusher has while it holds the lock: its time, its notes, and how it pauses.

use std::time::{Duration, Instant};

use crate::context::Paths;
use crate::delivery::archive;
use crate::delivery::budget::{Budget, Report};
use crate::delivery::status::DeliveryStatus;
use crate::settings::Settings;
use crate::time;

/// One flusher's work under the lock.
pub(super) struct FlushContext<'a> {
    pub paths: &'a Paths,
    pub settings: &'a Settings,
    pub budget: Budget,
    pub status: DeliveryStatus,
    pub report: &'a mut Report,
    pub watch: &'a mut dyn FnMut(&Report),
}

impl FlushContext<'_> {
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

    pub fn finish(mut self, known: &DeliveryStatus) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file;
    use crate::otel::testing;
    use crate::time::Timestamp;

    /// Does something with a flush in an empty home, and returns what was saved of its status.
    fn flush<T>(
        budget: Budget,
        wish: bool,
        status: DeliveryStatus,
        run: impl FnOnce(FlushContext) -> T,
    ) -> (T, DeliveryStatus) {
        let home = tempfile::tempdir().unwrap();
        let (paths, settings) = (testing::paths(home.path()), testing::settings(home.path(), ""));
        file::create_private_dir(&paths.state()).unwrap();
        if wish {
            std::fs::write(paths.flush_wish(), b"").unwrap();
        }
        let (mut report, mut watch) = (Report::default(), |_: &Report| {});
        let flush = FlushContext {
            paths: &paths,
            settings: &settings,
            budget,
            status,
            report: &mut report,
            watch: &mut watch,
        };
        let done = run(flush);
        (done, DeliveryStatus::load(&paths))
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn flush_is_over_for_time_or_for_a_user() {
        let is_over =
            |budget, wish| flush(budget, wish, DeliveryStatus::default(), |flush| flush.is_over()).0;
        assert!(!is_over(Budget::within(MINUTE), false) && is_over(Budget::within(MINUTE), true));
        assert!(is_over(Budget::within(Duration::ZERO), false));
        assert!(!is_over(Budget::asked(MINUTE), true), "the user's own delivery gives way to none");
    }

    #[test]
    fn pause_gives_way_to_a_user() {
        let pause =
            |budget, wish, time| flush(budget, wish, DeliveryStatus::default(), |flush| flush.pause(time)).0;
        assert!(!pause(Budget::within(MINUTE), true, MINUTE));
        assert!(pause(Budget::within(MINUTE), true, Duration::ZERO), "nothing to wait for");
        assert!(pause(Budget::asked(MINUTE), true, Duration::from_millis(1)));
        let begun = Instant::now();
        assert!(pause(Budget::within(MINUTE), false, Duration::from_millis(20)));
        assert!(begun.elapsed() >= Duration::from_millis(20));
    }

    /// A status as a first flusher finds it.
    fn fresh(pruned_at: Option<Timestamp>) -> DeliveryStatus {
        let home = tempfile::tempdir().unwrap();
        let mut status = DeliveryStatus::load(&testing::paths(home.path()));
        status.pruned_at = pruned_at;
        status
    }

    #[test]
    fn archive_is_pruned_now_and_then() {
        let now = time::now();
        let ago = |seconds| Some(now.minus(Duration::from_secs(seconds)));
        let ahead = Some(now.plus(Duration::from_secs(86_400)));
        for (pruned_at, due) in [(None, true), (ago(900), true), (ago(300), false), (ahead, true)] {
            let (status, known) = (fresh(pruned_at), fresh(pruned_at));
            let (_, saved) = flush(Budget::asked(MINUTE), false, status, |flush| flush.finish(&known));
            assert_eq!(
                saved.pruned_at.is_some_and(|at| at >= now && Some(at) != ahead),
                due,
                "{pruned_at:?}"
            );
        }
    }

    #[test]
    fn status_is_saved_where_it_changed() {
        for (delivered, saved) in [(7, true), (0, false)] {
            let known = fresh(Some(time::now()));
            let mut status = known.clone();
            status.delivered = delivered;
            let (_, on_disk) = flush(Budget::asked(MINUTE), false, status, |flush| flush.finish(&known));
            assert_eq!((on_disk.delivered, on_disk.pruned_at.is_some()), (delivered, saved));
        }
    }
}
