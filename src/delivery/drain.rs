//! One flusher's work while it holds the lock: batch by batch, with pauses, verdicts and notes.

use std::time::{Duration, Instant};

use crate::context::Paths;
use crate::delivery::budget::{Budget, Report};
use crate::delivery::dispatch::{self, Event};
use crate::delivery::queue::{Outcome, Queue};
use crate::delivery::send::{Notice, Sender, Stop};
use crate::delivery::status::Status;
use crate::delivery::transport::endpoint::Endpoint;
use crate::delivery::transport::retry::{Backoff, Class, Failure};
use crate::delivery::{acknowledged, archive, checkpoint, outbox};
use crate::file;
use crate::otel::entry::EntryKey;
use crate::otel::redact::{self, Redactor};
use crate::otel::text_tree::printable;
use crate::settings::{Settings, Target};
use crate::{time, truncate};

/// One flusher's work under the lock.
pub(super) struct Drain<'a> {
    pub paths: &'a Paths,
    pub settings: &'a Settings,
    pub budget: Budget,
    pub status: Status,
    pub report: &'a mut Report,
    pub watch: &'a mut dyn FnMut(&Report),
    pub backoff: Backoff,
    /// Since when nothing has been accepted.
    pub outage_began: Option<Instant>,
}

impl Drain<'_> {
    /// Delivers every entry in the outbox; returns false when it has to stop.
    pub fn run(&mut self) -> bool {
        let limit = self.settings.outbox_mb.saturating_mul(1024 * 1024);
        let over = outbox::enforce_limit(self.paths, limit, &self.settings.log);
        self.status.set_aside += over;
        self.report.set_aside += over;
        acknowledged::settle(self.paths);
        let keys = outbox::list(self.paths);
        match self.settings.target {
            _ if keys.is_empty() => true,
            None => self.stop_with("no backend is set", "run `arize-codex install`", None),
            Some(Target::Local) => keys.iter().all(|key| self.file_away(key)),
            Some(target) => self.deliver(target, keys),
        }
    }

    fn deliver(&mut self, target: Target, keys: Vec<EntryKey>) -> bool {
        let wait = if self.budget.asked { Duration::ZERO } else { self.status.wait(time::now()) };
        if wait > self.budget.outage.min(self.budget.left()) {
            self.report.last_error = self.status.last_error.as_ref().map(|e| e.text.clone());
            return false;
        }
        if !self.pause(wait) {
            return false;
        }
        let sender = match Sender::new(self.paths, self.settings, self.budget.deadline) {
            Ok(sender) => sender,
            Err(failure) => return self.stop_for(target, &failure),
        };
        let mut queue = Queue::new(self.paths, self.settings, keys);
        loop {
            let failure =
                match dispatch::run(&sender, &mut queue, &mut |event| self.note_event(target, event)) {
                    None => return true,
                    Some(Stop::OutOfTime) => return false,
                    Some(Stop::Failed(failure) | Stop::Unproven(failure)) => failure,
                };
            if !self.bear(target, &failure) {
                return false;
            }
        }
    }

    fn note_event(&mut self, target: Target, event: Event) {
        match event {
            Event::Settled(settled) => self.settle(target, settled),
            Event::Notice(notice) => self.notice(target, &notice),
        }
    }

    /// Waits after a failure; returns false when this run has to end with it.
    fn bear(&mut self, target: Target, failure: &Failure) -> bool {
        if failure.class() == Class::Permanent {
            return self.stop_for(target, failure);
        }
        let mut random = [0; 8];
        file::fill_random(&mut random);
        let pause = self.backoff.next(failure.retry_after, u64::from_ne_bytes(random));
        let borne = self.outage_began.get_or_insert_with(Instant::now).elapsed();
        if borne + pause > self.budget.outage || pause > self.budget.left() {
            return self.stop_for(target, failure);
        }
        self.note(target, failure);
        self.save_status();
        self.pause(pause) || self.stop_for(target, failure)
    }

    /// Files the turns away that are done with; those of one request are noted together before the first moves.
    fn settle(&mut self, target: Target, settled: Vec<(EntryKey, Outcome)>) {
        let delivered = |(key, outcome): &(EntryKey, Outcome)| match outcome {
            Outcome::Delivered { .. } => Some(key.clone()),
            _ => None,
        };
        let together: Vec<EntryKey> = settled.iter().filter_map(delivered).collect();
        let noted = together.len() > 1 && acknowledged::note(self.paths, &together).is_ok();
        for (key, outcome) in settled {
            match outcome {
                Outcome::Gone => {}
                Outcome::Delivered { refused } => self.delivered(target, &key, refused),
                Outcome::Hopeless(why) => self.set_aside(&key, &why),
                Outcome::Unreadable(why) => {
                    self.settings.log.error(format!("turn {} cannot be delivered: {why}", key.turn));
                }
            }
        }
        if noted {
            acknowledged::forget(self.paths);
        }
    }

    /// Notes what the backend said about a request that it accepted: for the log, `doctor` and `list`.
    fn notice(&mut self, target: Target, notice: &Notice) {
        let redactor = Redactor::new(&self.settings.profile);
        let said =
            truncate::cut(&redactor.text(redact::Class::Plain, &notice.message), MAX_MESSAGE).into_owned();
        let said = if said.is_empty() { said } else { format!(": {}", printable(&said)) };
        let text = match notice.rejected {
            0 => format!("{} accepts turns with a warning{said}", target.name()),
            n => format!("{} took a request but dropped {n} of {} spans{said}", target.name(), notice.of),
        };
        if self.status.warned(time::now(), &text) {
            self.settings.log.error(&text);
        }
        self.status.dropped_spans += notice.rejected;
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

    fn delivered(&mut self, target: Target, key: &EntryKey, refused: u64) {
        self.backoff.reset();
        self.outage_began = None;
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
        self.file_away(key);
    }

    fn file_away(&mut self, key: &EntryKey) -> bool {
        checkpoint::forget(self.paths, key);
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

    fn set_aside(&mut self, key: &EntryKey, why: &str) {
        checkpoint::forget(self.paths, key);
        if let Err(e) = outbox::move_aside(self.paths, key) {
            self.settings.log.error(format!("turn {} cannot be set aside: {e}", key.turn));
            return;
        }
        let folder = outbox::rejected(self.paths);
        self.settings.log.error(format!("turn {} set aside in {}: {why}", key.turn, folder.display()));
        self.status.set_aside += 1;
        self.report.set_aside += 1;
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
        (self.watch)(self.report);
    }
}

/// How much of a backend's own words is kept.
const MAX_MESSAGE: usize = 300;
const WISH_INTERVAL: Duration = Duration::from_millis(200);
const PRUNED_EVERY: Duration = Duration::from_secs(600);
