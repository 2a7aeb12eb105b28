//! The flusher: one at a time, it drains the outbox, waits and tries again, and misses nobody who comes late.
//!
//! Whoever closes a turn leaves it in a directory and then starts a flusher. A flusher that finds the lock taken
//! goes away, so the one that holds it must look again after it has let go: whatever came before the newcomer
//! found the lock taken is seen by that last look.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::context::{Context, Paths};
use crate::delivery::assemble::{self};
use crate::delivery::budget::{Budget, Report};
use crate::delivery::ended;
use crate::delivery::flush_context::FlushContext;
use crate::delivery::orphans;
use crate::delivery::outbox;
use crate::delivery::status::DeliveryStatus;
use crate::file::{self, Lock};
use crate::layout;
use crate::settings::Settings;
use crate::time;

/// The right to deliver: held by one process at a time.
#[derive(Debug)]
struct Flusher<'a> {
    context: &'a Context,
    _lock: Lock,
}

/// Returns true if a flusher is at work.
pub fn is_running(paths: &Paths) -> bool {
    // A shared lock, which a flusher that starts at this moment waits for.
    let lock = file::private_options().read(true).open(paths.flush_lock());
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}

/// Returns true if the backend may be called again, as far as it has asked to be left alone.
pub fn is_due(paths: &Paths) -> bool {
    DeliveryStatus::load(paths).wait(time::now()).is_zero()
}

/// Assembles and delivers what waits, until nothing does or the budget ends. Both happen with the lock held, again
/// and again until there is nothing new.
pub fn run(context: &Context, settings: &Settings, budget: Budget) -> Report {
    run_watched(context, settings, budget, &mut |_| {})
}

/// Does what [`run`] does and calls `watch` after each turn, and once more right before the lock is released.
pub fn run_watched(
    context: &Context,
    settings: &Settings,
    budget: Budget,
    watch: &mut dyn FnMut(&Report),
) -> Report {
    let paths = context.paths();
    let mut report = Report::default();
    if settings.dry_run {
        report.left = names_in(paths).len() as u64;
        report.last_error = (report.left > 0).then(|| DRY_RUN.to_owned());
        return report;
    }
    if let Err(error) = file::check_home(paths.harness()) {
        report.last_error = Some(error.to_string());
        return report;
    }
    if budget.asked && is_running(paths) {
        // One that pauses between two attempts gives way to a user.
        let _ = file::write_atomic(&paths.flush_wish(), b"");
    }
    loop {
        let patience = match (budget.asked, budget.waits) {
            (true, _) => budget.left(),
            // The one at work looks again before it ends, so what is left here is not missed.
            (false, true) => budget.left().min(HOOK_PATIENCE),
            (false, false) => LOCK_PATIENCE,
        };
        match Flusher::start(context, patience) {
            Ok(Some(flusher)) => {
                let left_behind = flusher.work(settings, budget, &mut report, watch);
                // The lock is free here. Whoever found it taken until now has left its turn before that.
                if left_behind.is_none_or(|names| names_in(paths).is_subset(&names)) {
                    break;
                }
            }
            Ok(None) => {
                report.busy = true;
                break;
            }
            Err(e) => {
                settings.log.error(format!("nothing can be delivered: {e}"));
                report.last_error = Some(e.to_string());
                break;
            }
        }
    }
    report.left = names_in(paths).len() as u64;
    report
}

impl<'a> Flusher<'a> {
    fn start(context: &'a Context, patience: Duration) -> io::Result<Option<Flusher<'a>>> {
        let paths = context.paths();
        let (state, lock) = (paths.state(), paths.flush_lock());
        file::create_private_dir(&state).map_err(|e| file::named(&state, e))?;
        match Lock::acquire(&lock, patience) {
            Ok(lock) => Ok(Some(Flusher { context, _lock: lock })),
            Err(e) if e.kind() == io::ErrorKind::TimedOut => Ok(None),
            Err(e) => Err(file::named(&lock, e)),
        }
    }

    /// Returns what it could do nothing about and need not look at again; `None` when it had to stop early.
    fn work(
        self,
        settings: &Settings,
        budget: Budget,
        report: &mut Report,
        watch: &mut dyn FnMut(&Report),
    ) -> Option<BTreeSet<OsString>> {
        let paths = self.context.paths();
        let _ = std::fs::remove_file(paths.flush_wish());
        let mut status = DeliveryStatus::load(paths);
        let known = status.clone();
        status.turn_to(settings);
        let mut flush = FlushContext { paths, settings, budget, status, report, watch };
        let mut pause = ended::FIRST_PAUSE;
        let mut last_look: Option<Instant> = None;
        let left_behind = loop {
            let before = names_in(paths);
            let done = (flush.report.delivered, flush.report.set_aside);
            orphans::close_all(self.context, settings);
            if last_look.is_none_or(|at| at.elapsed() > LOOK_EVERY) {
                ended::close_all(self.context, settings);
                last_look = Some(Instant::now());
            }
            let awaited = assemble::assemble_all(self.context, settings, budget.hurry());
            if !flush.run() {
                break None;
            }
            let after = names_in(paths);
            if after != before || done != (flush.report.delivered, flush.report.set_aside) {
                pause = ended::FIRST_PAUSE;
                continue;
            }
            // The ends of closed turns are waited for here, where nobody else waits.
            let gives_way = !budget.asked && paths.flush_wish().exists();
            if awaited == 0 || gives_way || budget.left() < pause {
                break Some(after);
            }
            std::thread::sleep(pause);
            pause = ended::next_pause(pause);
        };
        flush.finish(&known);
        left_behind
    }
}

/// Returns what waits to be folded or delivered, by name.
fn names_in(paths: &Paths) -> BTreeSet<OsString> {
    let mut names: BTreeSet<OsString> =
        outbox::list(paths).iter().map(|key| OsString::from(key.file_name())).collect();
    let closing = std::fs::read_dir(paths.closing()).into_iter().flatten().flatten().map(|e| e.file_name());
    names.extend(closing.filter(|name| {
        let record = Path::new(name).extension().is_some_and(|e| e == layout::RECORD);
        record && !name.as_encoded_bytes().starts_with(file::TEMPORARY_PREFIX.as_bytes())
    }));
    names
}

/// Shown to a user who wants to deliver nevertheless.
const DRY_RUN: &str = "dry_run is on, so nothing is sent";
/// For as long as [`is_running`] may hold the lock of a flusher that starts.
const LOCK_PATIENCE: Duration = Duration::from_millis(50);
/// How often the rollouts of open turns are asked for their end.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Longest wait of a hook for another delivery.
const HOOK_PATIENCE: Duration = Duration::from_secs(2);
