//! The flusher: one at a time, it drains the outbox, waits and tries again, and misses nobody who comes late.
//!
//! Whoever closes a turn leaves it in a folder and then starts a flusher. A flusher that finds the lock taken
//! goes away, so the one that holds it must look again after it has let go: whatever came before the newcomer
//! found the lock taken is seen by that last look.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::outbox;
use super::retry::Backoff;
use super::round::Round;
use super::status::Status;
use crate::context::Paths;
use crate::file::{self, Lock};
use crate::settings::Settings;
use crate::time;

/// How long a flusher may take.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    pub(super) deadline: Instant,
    /// How long one outage is borne before the rest is left to the next flusher.
    pub(super) outage: Duration,
    /// Whether it waits for another flusher to finish.
    pub(super) waits: bool,
    /// Whether a person asked, so that an earlier "not before" of the server does not count.
    pub(super) asked: bool,
}

/// What a flusher has done.
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

/// The right to deliver: held by one process at a time.
#[derive(Debug)]
pub struct Flusher<'a> {
    paths: &'a Paths,
    _lock: Lock,
}

impl Budget {
    /// For the detached process behind a hook: an outage of a minute, half an hour in all.
    pub fn background() -> Budget {
        Budget { outage: OUTAGE, waits: false, ..Budget::within(BACKGROUND) }
    }

    /// For a hook that waits, `export_mode: sync` and the end of a session.
    pub fn within(time: Duration) -> Budget {
        Budget { deadline: Instant::now() + time, outage: time, waits: true, asked: false }
    }

    /// For a person who waits.
    pub fn asked(time: Duration) -> Budget {
        Budget { asked: true, ..Budget::within(time) }
    }

    /// How much of the time is left.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// Whether a flusher is at work.
pub fn is_running(paths: &Paths) -> bool {
    // A shared lock, which a flusher that starts at this moment waits for.
    let lock = file::private_options().read(true).open(lock_path(paths));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}

/// Whether the backend may be called again, as far as it has asked to be left alone.
pub fn is_due(paths: &Paths) -> bool {
    Status::load(paths).wait(time::now()).is_zero()
}

/// Delivers what waits until nothing does or the budget ends. `refill` turns closed turns into entries; it is
/// called with the lock held, again and again until it brings nothing new.
pub fn run(paths: &Paths, settings: &Settings, refill: &mut dyn FnMut(), budget: Budget) -> Report {
    run_watched(paths, settings, refill, budget, &mut |_| {})
}

/// Does what [`run`] does and tells `watch` after each turn.
pub fn run_watched(
    paths: &Paths,
    settings: &Settings,
    refill: &mut dyn FnMut(),
    budget: Budget,
    watch: &mut dyn FnMut(&Report),
) -> Report {
    let mut report = Report::default();
    if settings.dry_run {
        report.left = names_in(paths).len() as u64;
        report.last_error = (report.left > 0).then(|| DRY_RUN.to_owned());
        return report;
    }
    if budget.asked && is_running(paths) {
        // One that pauses between two attempts gives way to a person.
        let _ = file::write_atomic(&wish_path(paths), b"");
    }
    loop {
        let patience = match (budget.asked, budget.waits) {
            (true, _) => budget.left(),
            // The one at work looks again before it ends, so what is left here is not missed.
            (false, true) => budget.left().min(HOOK_PATIENCE),
            (false, false) => LOCK_PATIENCE,
        };
        match Flusher::start(paths, patience) {
            Ok(Some(flusher)) => {
                let left_behind = flusher.work(settings, refill, budget, &mut report, watch);
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
    /// Takes the lock if it is free.
    ///
    /// # Errors
    /// When the state folder or the lock cannot be made.
    pub fn try_start(paths: &'a Paths) -> io::Result<Option<Flusher<'a>>> {
        Flusher::start(paths, LOCK_PATIENCE)
    }

    fn start(paths: &'a Paths, patience: Duration) -> io::Result<Option<Flusher<'a>>> {
        let (state, lock) = (paths.state(), lock_path(paths));
        file::create_private_dir(&state).map_err(|e| file::named(&state, e))?;
        match Lock::acquire(&lock, patience) {
            Ok(lock) => Ok(Some(Flusher { paths, _lock: lock })),
            Err(e) if e.kind() == io::ErrorKind::TimedOut => Ok(None),
            Err(e) => Err(file::named(&lock, e)),
        }
    }

    /// Drains the outbox and lets go of the lock, without the last look that [`run`] takes.
    pub fn run(self, settings: &Settings, refill: &mut dyn FnMut(), budget: Budget) -> Report {
        let paths = self.paths;
        let mut report = Report::default();
        self.work(settings, refill, budget, &mut report, &mut |_| {});
        report.left = names_in(paths).len() as u64;
        report
    }

    /// Returns what it could do nothing about and need not look at again; `None` when it had to stop early.
    fn work(
        self,
        settings: &Settings,
        refill: &mut dyn FnMut(),
        budget: Budget,
        report: &mut Report,
        watch: &mut dyn FnMut(&Report),
    ) -> Option<BTreeSet<OsString>> {
        let _ = std::fs::remove_file(wish_path(self.paths));
        let mut status = Status::load(self.paths);
        let known = status.clone();
        status.turn_to(settings);
        let mut round =
            Round { paths: self.paths, settings, budget, status, report, watch, backoff: Backoff::default() };
        let left_behind = loop {
            let before = names_in(self.paths);
            let done = (round.report.delivered, round.report.set_aside);
            refill();
            if !round.drain() {
                break None;
            }
            let after = names_in(self.paths);
            if after == before && done == (round.report.delivered, round.report.set_aside) {
                break Some(after);
            }
        };
        round.finish(&known);
        left_behind
    }
}

fn lock_path(paths: &Paths) -> PathBuf {
    paths.state().join("flush.lock")
}

/// A file that a person's flush leaves for the flusher whose lock it waits for.
pub(super) fn wish_path(paths: &Paths) -> PathBuf {
    paths.state().join("flush.wish")
}

/// What waits to be folded or delivered, by name.
fn names_in(paths: &Paths) -> BTreeSet<OsString> {
    let mut names: BTreeSet<OsString> =
        outbox::list(paths).iter().map(|key| OsString::from(key.file_name())).collect();
    let closing = std::fs::read_dir(paths.closing()).into_iter().flatten().flatten().map(|e| e.file_name());
    names.extend(closing.filter(|name| {
        let name = name.as_encoded_bytes();
        name.ends_with(RECORD_SUFFIX) && !name.starts_with(file::TEMPORARY_PREFIX.as_bytes())
    }));
    names
}

/// What a person is told who wants to deliver nevertheless.
const DRY_RUN: &str = "dry_run is on, so nothing is sent";
/// How the names of closed turns end; their rows lie beside them.
const RECORD_SUFFIX: &[u8] = b".json";
/// For as long as [`is_running`] may hold the lock of a flusher that starts.
const LOCK_PATIENCE: Duration = Duration::from_millis(50);
/// How long a hook waits for another flusher.
const HOOK_PATIENCE: Duration = Duration::from_secs(2);
const OUTAGE: Duration = Duration::from_secs(60);
const BACKGROUND: Duration = Duration::from_secs(1800);
