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

use super::deliver::{Outcome, Sender, Stop, forget_progress};
use super::endpoint::Endpoint;
use super::entry::EntryKey;
use super::retry::{Backoff, Class, Failure};
use super::status::Status;
use super::{archive, outbox};
use crate::context::Paths;
use crate::file::{self, Lock};
use crate::settings::{Settings, Target};
use crate::time;

/// How long a flusher may take.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    deadline: Instant,
    /// How long one outage is borne before the rest is left to the next flusher.
    outage: Duration,
    /// Whether it waits for another flusher to finish.
    waits: bool,
    /// Whether a person asked, so that an earlier "not before" of the server does not count.
    asked: bool,
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

    fn left(&self) -> Duration {
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
    loop {
        let patience = if budget.waits { budget.left() } else { LOCK_PATIENCE };
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
                settings.log.error(format!("outbox: {e}"));
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
        file::create_private_dir(&paths.state())?;
        match Lock::acquire(&lock_path(paths), patience) {
            Ok(lock) => Ok(Some(Flusher { paths, _lock: lock })),
            Err(e) if e.kind() == io::ErrorKind::TimedOut => Ok(None),
            Err(e) => Err(e),
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

/// One flusher's work under the lock.
struct Round<'a> {
    paths: &'a Paths,
    settings: &'a Settings,
    budget: Budget,
    status: Status,
    report: &'a mut Report,
    watch: &'a mut dyn FnMut(&Report),
    backoff: Backoff,
}

impl Round<'_> {
    /// Delivers every entry in the outbox; returns false when it has to stop.
    fn drain(&mut self) -> bool {
        let limit = self.settings.outbox_mb.saturating_mul(1024 * 1024);
        let over = outbox::enforce_limit(self.paths, limit, &self.settings.log);
        self.status.set_aside += over;
        self.report.set_aside += over;
        let keys = outbox::list(self.paths);
        match self.settings.target {
            _ if keys.is_empty() => true,
            None => self.stop_with("no backend is set", "run `arize-codex install`", None),
            Some(Target::Local) => keys.iter().all(|key| self.file_away(key)),
            Some(target) => self.deliver(target, &keys),
        }
    }

    fn deliver(&mut self, target: Target, keys: &[EntryKey]) -> bool {
        let wait = if self.budget.asked { Duration::ZERO } else { self.status.wait(time::now()) };
        if wait > self.budget.outage.min(self.budget.left()) {
            self.report.last_error = self.status.last_error.as_ref().map(|e| e.text.clone());
            return false;
        }
        std::thread::sleep(wait);
        let mut sender = match Sender::new(self.paths, self.settings, self.budget.deadline) {
            Ok(sender) => sender,
            Err(failure) => return self.stop_for(target, &failure),
        };
        keys.iter().all(|key| self.deliver_one(target, &mut sender, key))
    }

    fn deliver_one(&mut self, target: Target, sender: &mut Sender<'_>, key: &EntryKey) -> bool {
        let mut outage_began: Option<Instant> = None;
        loop {
            let failure = match sender.deliver(key) {
                Ok(Outcome::Gone) => return true,
                Ok(Outcome::Delivered { refused }) => return self.delivered(target, key, refused),
                Ok(Outcome::Hopeless(why)) => return self.set_aside(key, &why),
                Err(Stop::OutOfTime) => return false,
                Err(Stop::Local(e)) => {
                    self.settings.log.error(format!("turn {} cannot be delivered: {e}", key.turn));
                    return true;
                }
                Err(Stop::Failed(failure)) => failure,
            };
            if failure.class() == Class::Permanent {
                return self.stop_for(target, &failure);
            }
            let mut random = [0; 8];
            file::fill_random(&mut random);
            let pause = self.backoff.next(failure.retry_after, u64::from_ne_bytes(random));
            let borne = outage_began.get_or_insert_with(Instant::now).elapsed();
            if borne + pause > self.budget.outage || pause > self.budget.left() {
                return self.stop_for(target, &failure);
            }
            self.note(target, &failure);
            self.save_status();
            std::thread::sleep(pause);
        }
    }

    fn delivered(&mut self, target: Target, key: &EntryKey, refused: u64) -> bool {
        self.backoff.reset();
        if refused > 0 {
            let folder = outbox::rejected(self.paths);
            let (name, turn, folder) = (target.name(), &key.turn, folder.display());
            self.settings
                .log
                .error(format!("{name} refuses {refused} spans of turn {turn}, kept in {folder}"));
            self.status.refused_spans += refused;
        }
        if self.status.last_error.is_some() {
            self.settings.log.info(format!("{} takes turns again", target.name()));
        }
        self.status.succeeded(time::now());
        self.file_away(key)
    }

    fn file_away(&mut self, key: &EntryKey) -> bool {
        forget_progress(self.paths, key);
        if let Err(e) = outbox::move_to_sent(self.paths, key) {
            self.settings.log.error(format!("turn {} is delivered but stays in the outbox: {e}", key.turn));
            return false;
        }
        self.status.delivered += 1;
        self.report.delivered += 1;
        self.settings.log.info(format!("delivered turn {}", key.turn));
        (self.watch)(self.report);
        true
    }

    fn set_aside(&mut self, key: &EntryKey, why: &str) -> bool {
        forget_progress(self.paths, key);
        if let Err(e) = outbox::move_aside(self.paths, key) {
            self.settings.log.error(format!("turn {} cannot be set aside: {e}", key.turn));
            return true;
        }
        let folder = outbox::rejected(self.paths);
        self.settings.log.error(format!("turn {} set aside in {}: {why}", key.turn, folder.display()));
        self.status.set_aside += 1;
        self.report.set_aside += 1;
        true
    }

    fn stop_for(&mut self, target: Target, failure: &Failure) -> bool {
        let advice = failure.advice(target);
        self.stop_with(&self.describe(target, failure), advice, failure.retry_after)
    }

    fn stop_with(&mut self, text: &str, advice: &str, wait: Option<Duration>) -> bool {
        self.record(text, advice, wait);
        self.report.last_error = Some(format!("{text}; {advice}"));
        false
    }

    fn note(&mut self, target: Target, failure: &Failure) {
        let text = self.describe(target, failure);
        self.record(&text, failure.advice(target), failure.retry_after);
    }

    fn record(&mut self, text: &str, advice: &str, wait: Option<Duration>) {
        if self.status.failed(time::now(), text, advice, wait) {
            self.settings.log.error(format!("{text}; {advice}; turns are kept in the outbox"));
        }
    }

    fn describe(&self, target: Target, failure: &Failure) -> String {
        match Endpoint::of(self.settings) {
            Ok(endpoint) => format!("{} at {endpoint}: {failure}", target.name()),
            Err(_) => format!("{}: {failure}", target.name()),
        }
    }

    fn save_status(&self) {
        if let Err(e) = self.status.save(self.paths) {
            self.settings.log.error(format!("delivery.json: {e}"));
        }
    }

    fn finish(mut self, known: &Status) {
        let now = time::now();
        let due = self.status.pruned_at.is_none_or(|at| at > now || now.since(at) > PRUNED_EVERY);
        if due {
            archive::prune(self.paths, self.settings);
            self.status.pruned_at = Some(now);
        }
        if self.status != *known {
            self.save_status();
        }
    }
}

fn lock_path(paths: &Paths) -> PathBuf {
    paths.state().join("flush.lock")
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

/// How the names of closed turns end; their rows lie beside them.
const RECORD_SUFFIX: &[u8] = b".json";
/// For as long as [`is_running`] may hold the lock of a flusher that starts.
const LOCK_PATIENCE: Duration = Duration::from_millis(50);
const OUTAGE: Duration = Duration::from_secs(60);
const BACKGROUND: Duration = Duration::from_secs(1800);
const PRUNED_EVERY: Duration = Duration::from_secs(600);
