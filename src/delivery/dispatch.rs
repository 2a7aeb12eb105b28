//! Several requests in flight: a few threads that send, and the flusher's own, which makes batches and assembles them.
//!
//! A refusal by a backend that has accepted nothing yet proves nothing about a turn. Then turns are tried alone, one
//! after another; one that is accepted proves the backend, and the refused ones are to blame. If none is, the first
//! span of one is tried, and if that is refused as well everything stays where it is.

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;

use crate::delivery::queue::{Batch, Measure, Outcome, Queue};
use crate::delivery::send::{Notice, Sender, Sent, Stop};
use crate::delivery::transport::retry::{Cause, Failure};
use crate::otel::entry::EntryKey;

/// News of a delivery.
pub enum Event {
    /// Turns that are done with, those of one request together.
    Finished(Vec<(EntryKey, Outcome)>),
    Notice(Notice),
}

/// Sends what is queued and reports to `tell`. Returns why it stopped before the queue was empty.
pub fn run(sender: &Sender, queue: &mut Queue, tell: &mut dyn FnMut(Event)) -> Option<Stop> {
    let mut trial = Trial::default();
    std::thread::scope(|scope| {
        let mut crew = Crew::new(scope, sender);
        let mut stop = None;
        loop {
            while stop.is_none() && crew.has_room(trial.is_on(sender)) {
                let Some(batch) = queue.next_batch(trial.measure(sender)) else { break };
                crew.send(batch, queue.has_more());
            }
            tell(Event::Finished(queue.take_finished()));
            let Some(sent) = crew.next() else { break };
            let failed = take(sent, queue, &mut trial, crew.in_flight, tell);
            if sender.is_proven() {
                queue.put_back(std::mem::take(&mut trial.suspects));
            }
            stop = stop.or(failed);
        }
        queue.put_back(std::mem::take(&mut trial.suspects));
        stop
    })
}

/// Takes what became of a batch while as many others are `in_flight`; returns why to stop.
fn take(
    sent: Sent,
    queue: &mut Queue,
    trial: &mut Trial,
    in_flight: usize,
    tell: &mut dyn FnMut(Event),
) -> Option<Stop> {
    let keys: Vec<EntryKey> = sent.pieces.iter().map(|p| p.key.clone()).collect();
    sent.notices.into_iter().for_each(|notice| tell(Event::Notice(notice)));
    sent.pieces.into_iter().for_each(|piece| queue.returned(piece));
    tell(Event::Finished(queue.take_finished()));
    match sent.stop {
        Some(Stop::Unproven(failure)) => trial.refused(&keys, queue, in_flight, &failure),
        stop => stop,
    }
}

/// The search for a turn that the backend accepts.
#[derive(Default)]
struct Trial {
    stage: Stage,
    /// Turns that were refused alone.
    suspects: Vec<EntryKey>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    NotNeeded,
    Turns,
    Span,
}

impl Trial {
    fn is_on(&self, sender: &Sender) -> bool {
        self.stage != Stage::NotNeeded && !sender.is_proven()
    }

    fn measure(&self, sender: &Sender) -> Measure {
        let (on, bytes) = (self.is_on(sender), sender.limit());
        let turns = if on || sender.drops() { 1 } else { usize::MAX };
        let spans = if on && self.stage == Stage::Span { 1 } else { usize::MAX };
        // By turns from both ends: old turns that nobody takes must not stand before the latest for ever.
        let newest = on && self.suspects.len() % 2 == 1;
        Measure { bytes, turns, spans, newest }
    }

    /// Goes on after a refusal; returns a failure when nothing is left to try. What is still on its way may prove the
    /// backend yet.
    fn refused(
        &mut self,
        keys: &[EntryKey],
        queue: &mut Queue,
        in_flight: usize,
        failure: &Failure,
    ) -> Option<Stop> {
        if self.stage == Stage::Span {
            return Some(Stop::Failed(Failure::new(Cause::NotOtlp(failure.to_string()))));
        }
        self.stage = Stage::Turns;
        if let [key] = keys {
            queue.take_out(key);
            self.suspects.push(key.clone());
        }
        if in_flight == 0 && (self.suspects.len() >= MOST_TRIED || !queue.has_more()) {
            self.stage = Stage::Span;
            queue.put_back(std::mem::take(&mut self.suspects));
        }
        None
    }
}

/// The threads that send, started when there is something for them.
struct Crew<'scope, 'env, 'a> {
    scope: &'scope Scope<'scope, 'env>,
    sender: &'env Sender<'a>,
    jobs: mpsc::Sender<Batch>,
    taken: Arc<Mutex<Receiver<Batch>>>,
    done: mpsc::Sender<Sent>,
    results: Receiver<Sent>,
    threads: usize,
    in_flight: usize,
    bytes: usize,
}

impl<'scope, 'env, 'a> Crew<'scope, 'env, 'a> {
    fn new(scope: &'scope Scope<'scope, 'env>, sender: &'env Sender<'a>) -> Crew<'scope, 'env, 'a> {
        let (jobs, taken) = mpsc::channel();
        let (done, results) = mpsc::channel();
        let taken = Arc::new(Mutex::new(taken));
        Crew { scope, sender, jobs, taken, done, results, threads: 0, in_flight: 0, bytes: 0 }
    }

    /// Returns whether one more request may go: the memory of two full ones at most.
    fn has_room(&self, one_by_one: bool) -> bool {
        let most = if one_by_one { 1 } else { MOST_IN_FLIGHT };
        self.in_flight < most && (self.in_flight == 0 || self.bytes < self.sender.limit())
    }

    /// Sends a batch: on this thread when it is alone, as it mostly is.
    fn send(&mut self, batch: Batch, more_to_come: bool) {
        self.in_flight += 1;
        self.bytes += batch.size;
        if self.in_flight == 1 && !more_to_come {
            let _ = self.done.send(self.sender.send(batch));
            return;
        }
        if self.threads < self.in_flight {
            self.threads += 1;
            let (taken, done, sender) = (self.taken.clone(), self.done.clone(), self.sender);
            self.scope.spawn(move || {
                loop {
                    let job = taken.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(batch) = job else { return };
                    if done.send(sender.send(batch)).is_err() {
                        return;
                    }
                }
            });
        }
        let _ = self.jobs.send(batch);
    }

    /// Waits for the next result; `None` when nothing is in flight.
    fn next(&mut self) -> Option<Sent> {
        if self.in_flight == 0 {
            return None;
        }
        let sent = self.results.recv().ok()?;
        self.in_flight -= 1;
        self.bytes -= sent.size;
        Some(sent)
    }
}

const MOST_IN_FLIGHT: usize = 4;
/// More refusals of different turns are the backend's fault.
const MOST_TRIED: usize = 4;
