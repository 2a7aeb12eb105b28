//! The way to one backend while the flusher holds the lock: batch by batch, with pauses, verdicts and notes.

use std::time::{Duration, Instant};

use crate::delivery::dispatch::{self, Event};
use crate::delivery::flush_context::FlushContext;
use crate::delivery::queue::{Outcome, Queue};
use crate::delivery::send::{Notice, Sender, Stop};
use crate::delivery::status::Health;
use crate::delivery::transport::endpoint::Endpoint;
use crate::delivery::transport::retry::{Backoff, Failure, Handling};
use crate::delivery::{acknowledged, in_part, outbox};
use crate::file;
use crate::otel::entry::EntryKey;
use crate::otel::redact::{self, Redactor};
use crate::settings::{Settings, Target};
use crate::text::printable;
use crate::{time, truncate};

/// The way to one backend.
pub(super) struct Lane<'l, 'a> {
    flush: &'l mut FlushContext<'a>,
    settings: &'l Settings,
    /// The rule that the turns remember.
    remembered: Option<String>,
    /// The rule whose backend this is.
    rule: Option<String>,
    backoff: Backoff,
    /// Since when nothing has been accepted.
    outage_began: Option<Instant>,
}

impl<'l, 'a> Lane<'l, 'a> {
    pub fn new(
        flush: &'l mut FlushContext<'a>,
        settings: &'l Settings,
        remembered: Option<String>,
        rule: Option<String>,
    ) -> Lane<'l, 'a> {
        let backoff = Backoff::default();
        Lane { flush, settings, remembered, rule, backoff, outage_began: None }
    }

    /// Delivers these turns; returns false when it has to stop.
    pub fn deliver(&mut self, keys: Vec<EntryKey>) -> bool {
        match (self.settings.target, &self.rule) {
            (None, None) => self.stop_with("no backend is set", "run `arize-codex install`", None),
            (None, Some(rule)) => {
                let text = format!("the rule {rule} names no backend that can be used");
                self.stop_with(&text, "`arize-codex doctor` says what is wrong with it", None)
            }
            (Some(Target::Local), _) => keys.iter().all(|key| self.file_away(key)),
            (Some(target), _) => self.send(target, keys),
        }
    }

    fn health(&mut self) -> &mut Health {
        self.flush.status.of(self.rule.as_deref())
    }

    fn send(&mut self, target: Target, keys: Vec<EntryKey>) -> bool {
        let wait = if self.flush.budget.asked { Duration::ZERO } else { self.health().wait(time::now()) };
        if wait > self.flush.budget.outage.min(self.flush.budget.left()) {
            self.flush.report.last_error = self.health().last_error.as_ref().map(|e| e.text.clone());
            return false;
        }
        if !self.flush.pause(wait) {
            return false;
        }
        let sender = match Sender::new(self.flush.paths, self.settings, self.flush.budget.deadline) {
            Ok(sender) => sender,
            Err(failure) => return self.stop_for(target, &failure),
        };
        let mut queue = Queue::new(self.flush.paths, self.settings, self.remembered.clone(), keys);
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
            Event::Finished(finished) => self.file_all(target, finished),
            Event::Notice(notice) => self.notice(target, &notice),
        }
    }

    /// Waits after a failure; returns false when this run has to end with it.
    fn bear(&mut self, target: Target, failure: &Failure) -> bool {
        if failure.class() == Handling::Permanent {
            return self.stop_for(target, failure);
        }
        let mut random = [0; 8];
        file::fill_random(&mut random);
        let pause = self.backoff.next(failure.retry_after, u64::from_ne_bytes(random));
        let borne = self.outage_began.get_or_insert_with(Instant::now).elapsed();
        if borne + pause > self.flush.budget.outage || pause > self.flush.budget.left() {
            return self.stop_for(target, failure);
        }
        self.note(target, failure);
        self.flush.save_status();
        self.flush.pause(pause) || self.stop_for(target, failure)
    }

    /// Files the turns away that are done with; those of one request are noted together before the first moves.
    fn file_all(&mut self, target: Target, finished: Vec<(EntryKey, Outcome)>) {
        let delivered = |(key, outcome): &(EntryKey, Outcome)| match outcome {
            Outcome::Delivered { .. } => Some(key.clone()),
            _ => None,
        };
        let together: Vec<EntryKey> = finished.iter().filter_map(delivered).collect();
        let noted = together.len() > 1 && acknowledged::note(self.flush.paths, &together).is_ok();
        for (key, outcome) in finished {
            match outcome {
                Outcome::Gone => {}
                Outcome::Delivered { refused, dropped } => self.delivered(target, &key, refused, dropped),
                Outcome::Hopeless(why) => self.set_aside(&key, &why),
                Outcome::Unreadable(why) => {
                    self.settings.log.error(format!("turn {} cannot be delivered: {why}", key.turn));
                }
            }
        }
        if noted {
            acknowledged::forget(self.flush.paths);
        }
    }

    /// Notes what the backend said about a request that it accepted: for the log, `doctor` and `list`.
    fn notice(&mut self, target: Target, notice: &Notice) {
        let redactor = Redactor::new(&self.settings.profile);
        let said = truncate::cut(&redactor.text(redact::ContentClass::Plain, &notice.message), MAX_MESSAGE)
            .into_owned();
        let said = if said.is_empty() { said } else { format!(": {}", printable(&said)) };
        let text = match notice.rejected {
            0 => format!("{} accepts turns with a warning{said}", target.name()),
            n => format!("{} took a request but dropped {n} of {} spans{said}", target.name(), notice.of),
        };
        if self.health().warned(time::now(), &text) {
            self.settings.log.error(&text);
        }
        self.flush.status.dropped_spans += notice.rejected;
    }

    fn delivered(&mut self, target: Target, key: &EntryKey, refused: u64, dropped: u64) {
        self.backoff.reset();
        self.outage_began = None;
        if refused > 0 {
            let folder = outbox::rejected(self.flush.paths);
            let (name, turn, folder) = (target.name(), &key.turn, folder.display());
            self.settings
                .log
                .error(format!("{name} refuses {refused} spans of turn {turn}, kept in {folder}"));
            self.flush.status.refused_spans += refused;
        }
        if refused + dropped > 0 {
            self.note_part(target, key, refused, dropped);
        }
        if self.health().last_error.is_some() {
            self.settings.log.info(format!("{} accepts turns again", target.name()));
        }
        self.health().succeeded(time::now());
        self.file_away(key);
    }

    /// Marks a turn of which something is missing at the backend, for `list` and `show`.
    fn note_part(&mut self, target: Target, key: &EntryKey, refused: u64, dropped: u64) {
        let name = target.name();
        let mut why = Vec::new();
        if refused > 0 {
            why.push(format!("{name} refuses {refused} of its spans"));
        }
        if dropped > 0 {
            let said = self.health().last_warning.as_ref().map(|w| w.text.clone()).unwrap_or_default();
            why.push(format!("{name} dropped {dropped} spans of requests with this turn: {said}"));
        }
        if let Err(e) = in_part::note(self.flush.paths, key, &why.join("; ")) {
            self.settings.log.error(format!("turn {} arrived in part, which cannot be noted: {e}", key.turn));
        }
    }

    fn file_away(&mut self, key: &EntryKey) -> bool {
        if let Err(e) = outbox::move_to_sent(self.flush.paths, key) {
            self.settings.log.error(format!("turn {} is delivered but cannot be archived: {e}", key.turn));
            // Out of the way, so that it does not come again and holds no other turn up.
            return outbox::move_aside(self.flush.paths, key).is_ok();
        }
        match self.settings.target {
            Some(Target::Local) => self.flush.status.kept += 1,
            _ => self.flush.status.delivered += 1,
        }
        self.flush.report.delivered += 1;
        self.settings.log.info(format!("delivered turn {}", key.turn));
        (self.flush.watch)(self.flush.report);
        true
    }

    fn set_aside(&mut self, key: &EntryKey, why: &str) {
        if let Err(e) = outbox::move_aside(self.flush.paths, key) {
            self.settings.log.error(format!("turn {} cannot be set aside: {e}", key.turn));
            return;
        }
        let folder = outbox::rejected(self.flush.paths);
        self.settings.log.error(format!("turn {} set aside in {}: {why}", key.turn, folder.display()));
        self.flush.status.set_aside += 1;
        self.flush.report.set_aside += 1;
    }

    fn stop_for(&mut self, target: Target, failure: &Failure) -> bool {
        let advice = failure.advice(target);
        self.stop_with(&self.describe(target, failure), advice, failure.retry_after)
    }

    fn stop_with(&mut self, text: &str, advice: &str, wait: Option<Duration>) -> bool {
        self.record(text, advice, wait);
        self.flush.report.last_error = Some(format!("{text}; {advice}"));
        false
    }

    fn note(&mut self, target: Target, failure: &Failure) {
        let text = self.describe(target, failure);
        self.record(&text, failure.advice(target), failure.retry_after);
    }

    fn record(&mut self, text: &str, advice: &str, wait: Option<Duration>) {
        if self.health().failed(time::now(), text, advice, wait) {
            self.settings.log.error(format!("{text}; {advice}; turns are kept in the outbox"));
        }
    }

    fn describe(&self, target: Target, failure: &Failure) -> String {
        match Endpoint::of(self.settings) {
            Ok(endpoint) => format!("{} at {endpoint}: {failure}", target.name()),
            Err(_) => format!("{}: {failure}", target.name()),
        }
    }
}

/// How much of a backend's own words is kept.
const MAX_MESSAGE: usize = 300;

#[cfg(test)]
mod tests;
