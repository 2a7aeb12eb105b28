//! One flusher's work while it holds the lock: entry by entry, with pauses, verdicts and notes.

use std::time::{Duration, Instant};

use crate::context::Paths;
use crate::delivery::budget::{Budget, Report};
use crate::delivery::send::{Outcome, Sender, Stop, forget_progress};
use crate::delivery::status::Status;
use crate::delivery::transport::endpoint::Endpoint;
use crate::delivery::transport::retry::{Backoff, Class, Failure};
use crate::delivery::{archive, outbox};
use crate::file;
use crate::otel::entry::EntryKey;
use crate::settings::{Settings, Target};
use crate::time;

/// One flusher's work under the lock.
pub(super) struct Drain<'a> {
    pub paths: &'a Paths,
    pub settings: &'a Settings,
    pub budget: Budget,
    pub status: Status,
    pub report: &'a mut Report,
    pub watch: &'a mut dyn FnMut(&Report),
    pub backoff: Backoff,
}

impl Drain<'_> {
    /// Delivers every entry in the outbox; returns false when it has to stop.
    pub fn run(&mut self) -> bool {
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
        if !self.pause(wait) {
            return false;
        }
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
            if !self.pause(pause) {
                return self.stop_for(target, &failure);
            }
        }
    }

    /// Waits; returns false when a user wants the lock meanwhile.
    fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            if !self.budget.asked && self.paths.flush_wish().exists() {
                return false;
            }
            std::thread::sleep(left.min(WISH_INTERVAL));
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
            self.settings.log.error(format!("turn {} is delivered but cannot be archived: {e}", key.turn));
            // Out of the way, so that it does not come again and holds no other turn up.
            return outbox::move_aside(self.paths, key).is_ok();
        }
        match self.settings.target {
            Some(Target::Local) => self.status.kept += 1,
            _ => self.status.delivered += 1,
        }
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
    }
}

const WISH_INTERVAL: Duration = Duration::from_millis(200);
const PRUNED_EVERY: Duration = Duration::from_secs(600);
