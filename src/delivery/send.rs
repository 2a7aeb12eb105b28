//! Delivers one entry: cuts it into requests, splits what is refused down to single spans, remembers how far it
//! came. Waiting and trying again are the flusher's.

use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::io;
use std::time::{Duration, Instant};

use crate::context::Paths;
use crate::delivery::checkpoint;
use crate::delivery::checkpoint::Progress;
use crate::delivery::outbox;
use crate::delivery::transport::client::Client;
use crate::delivery::transport::retry::{Cause, Class, Failure};
use crate::file;
use crate::otel::entry::{Entry, EntryKey};
use crate::otel::entry_reader::{EntryReader, ReadError};
use crate::otel::resource::Decoration;
use crate::otel::size;
use crate::settings::Settings;

/// Sends entries to the backend in force.
#[derive(Debug)]
pub struct Sender<'a> {
    paths: &'a Paths,
    settings: &'a Settings,
    client: Client,
    /// The largest request in bytes; it shrinks when requests are refused for their size or take too long.
    limit: usize,
    /// True if the backend has taken an empty request, so that a refusal is about the content.
    speaks_otlp: bool,
    deadline: Instant,
}

/// Outcome of a finished entry.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Delivered, but for as many spans as the backend refused.
    Delivered { refused: u64 },
    /// Nothing of it can be delivered, for this reason.
    Hopeless(String),
    /// Its file is no longer there.
    Gone,
}

/// Why the delivery of an entry stopped. What was acknowledged is remembered.
#[derive(Debug)]
pub enum Stop {
    Failed(Failure),
    OutOfTime,
    /// The file cannot be read or the outbox not written.
    Local(io::Error),
}

/// Spans to be sent together, each with its place in the entry.
type Batch = Vec<(u64, Span)>;

impl<'a> Sender<'a> {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When the settings do not allow a connection.
    pub fn new(paths: &'a Paths, settings: &'a Settings, deadline: Instant) -> Result<Sender<'a>, Failure> {
        let client = Client::new(settings)?;
        let limit = settings.max_request_bytes;
        Ok(Sender { paths, settings, client, limit, speaks_otlp: false, deadline })
    }

    /// Sends what is left of an entry. Its file stays where it is.
    ///
    /// # Errors
    /// When the backend cannot be reached or refuses everything, time is up, or the file cannot be read.
    pub fn deliver(&mut self, key: &EntryKey) -> Result<Outcome, Stop> {
        let mut reader = match EntryReader::open(&outbox::waiting(self.paths, key)) {
            Ok(reader) => reader,
            Err(ReadError::Io(e)) if e.kind() == io::ErrorKind::NotFound => return Ok(Outcome::Gone),
            Err(ReadError::Io(e)) => return Err(Stop::Local(e)),
            Err(ReadError::Entry(e)) => return Ok(Outcome::Hopeless(e.to_string())),
        };
        let mut delivery = Delivery {
            decoration: Decoration::new(self.settings, reader.head()),
            progress: Progress::load(self.paths, key),
            unsaved: false,
            last_refusal: String::new(),
        };
        let sent = self.send_all(key, &mut reader, &mut delivery);
        if sent.is_err() && delivery.unsaved {
            // Without it the spans are sent again, under the same ids.
            let _ = delivery.progress.save(self.paths, key);
        }
        if let Some(damage) = sent? {
            return Ok(Outcome::Hopeless(damage));
        }
        self.conclude(key, &delivery)
    }

    /// Sends all spans of an entry; returns what is wrong with the file when it breaks off.
    fn send_all(
        &mut self,
        key: &EntryKey,
        reader: &mut EntryReader,
        delivery: &mut Delivery,
    ) -> Result<Option<String>, Stop> {
        let envelope = delivery.decoration.request(Vec::new()).encoded_len() + ENVELOPE_SLACK;
        let mut batch = Batch::new();
        let mut size = envelope;
        let mut damage = None;
        for index in 0.. {
            let span = match reader.next_span() {
                Ok(Some(span)) => span,
                Ok(None) => break,
                Err(ReadError::Io(e)) => return Err(Stop::Local(e)),
                Err(ReadError::Entry(e)) => {
                    damage = Some(e.to_string());
                    break;
                }
            };
            if delivery.progress.covers(index) {
                continue;
            }
            // One that cannot be made to fit goes alone, and the backend decides.
            let span = delivery.decoration.fitted(span, self.limit.saturating_sub(envelope));
            let cost = size::cost(&span);
            if !batch.is_empty() && size + cost > self.limit {
                self.send_batch(key, std::mem::take(&mut batch), delivery)?;
                size = envelope;
            }
            size += cost;
            batch.push((index, span));
        }
        if !batch.is_empty() {
            self.send_batch(key, batch, delivery)?;
        }
        Ok(damage)
    }

    fn send_batch(&mut self, key: &EntryKey, batch: Batch, delivery: &mut Delivery) -> Result<(), Stop> {
        let mut stack = vec![batch];
        while let Some(mut batch) = stack.pop() {
            if delivery.unsaved {
                let _ = delivery.progress.save(self.paths, key);
                delivery.unsaved = false;
            }
            let spans = batch.iter().map(|(_, span)| span.clone()).collect();
            let Err(failure) = self.send(&delivery.decoration, spans)? else {
                batch.iter().for_each(|(index, _)| delivery.progress.accept(*index));
                delivery.unsaved = true;
                continue;
            };
            match failure.class() {
                Class::Retry | Class::Permanent => return Err(self.give_up(failure, &batch)),
                Class::Poison | Class::TooLarge => self.probe(delivery, &failure)?,
            }
            if batch.len() > 1 {
                if failure.class() == Class::TooLarge {
                    self.limit = (size_of(&batch) / 2).max(SMALLEST_LIMIT);
                }
                let second = batch.split_off(batch.len() / 2);
                stack.push(second);
                stack.push(batch);
            } else if let Some((index, mut span)) = batch.pop() {
                let smaller = size::cost(&span) / 2;
                if failure.class() == Class::TooLarge && size::fit(&mut span, smaller) {
                    stack.push(vec![(index, span)]);
                } else {
                    delivery.progress.refuse(index);
                    delivery.unsaved = true;
                    delivery.last_refusal = failure.to_string();
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, decoration: &Decoration, spans: Vec<Span>) -> Result<Result<(), Failure>, Stop> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Stop::OutOfTime);
        }
        let count = spans.len();
        let answer = self.client.send(&decoration.request(spans), left.min(REQUEST_TIME));
        Ok(answer.map(|accepted| {
            self.speaks_otlp = true;
            if accepted.rejected_spans > 0 {
                let target = self.settings.target.map_or("backend", |t| t.name());
                let rejected = accepted.rejected_spans;
                self.settings
                    .log
                    .error(format!("{target} took a request but dropped {rejected} of {count} spans"));
            }
        }))
    }

    /// Finds out whether a refusal is about the spans: a backend that refuses even a request without any is not
    /// the right one, and no turn may be given up for it.
    fn probe(&mut self, delivery: &Delivery, refusal: &Failure) -> Result<(), Stop> {
        if self.speaks_otlp {
            return Ok(());
        }
        match self.send(&delivery.decoration, Vec::new())? {
            Ok(()) => Ok(()),
            Err(failure) if matches!(failure.class(), Class::Poison | Class::TooLarge) => {
                Err(Stop::Failed(Failure::new(Cause::NotOtlp(refusal.to_string()))))
            }
            Err(failure) => Err(Stop::Failed(failure)),
        }
    }

    fn give_up(&mut self, failure: Failure, batch: &Batch) -> Stop {
        if failure.cause == Cause::Timeout && batch.len() > 1 {
            // A slow line: the next attempt sends half as much at once.
            self.limit = (size_of(batch) / 2).max(SLOW_LIMIT.min(self.settings.max_request_bytes));
        }
        Stop::Failed(failure)
    }

    fn conclude(&self, key: &EntryKey, delivery: &Delivery) -> Result<Outcome, Stop> {
        let refused = delivery.progress.refused();
        if refused > 0 && !delivery.progress.any_accepted() {
            return Ok(Outcome::Hopeless(format!("the backend refuses it: {}", delivery.last_refusal)));
        }
        if refused > 0 {
            self.keep_refused(key, &delivery.progress).map_err(Stop::Local)?;
        }
        Ok(Outcome::Delivered { refused })
    }

    /// Keeps the refused spans beside the turns set aside, for whoever looks into it; the turn itself goes on.
    fn keep_refused(&self, key: &EntryKey, progress: &Progress) -> io::Result<()> {
        let other = |e: ReadError| io::Error::other(e.to_string());
        let mut reader = EntryReader::open(&outbox::waiting(self.paths, key)).map_err(other)?;
        let mut spans = Vec::new();
        for index in 0.. {
            match reader.next_span().map_err(other)? {
                Some(span) if progress.is_refused(index) => spans.push(span),
                Some(_) => {}
                None => break,
            }
        }
        let folder = outbox::rejected(self.paths);
        file::create_private_dir(&folder)?;
        let entry = Entry { head: reader.head().clone(), spans };
        file::write_atomic(&folder.join(format!("{}.refused", key.file_name())), &entry.encode())
    }
}

struct Delivery {
    decoration: Decoration,
    progress: Progress,
    unsaved: bool,
    last_refusal: String,
}

fn size_of(batch: &Batch) -> usize {
    batch.iter().map(|(_, span)| size::cost(span)).sum()
}

/// Forgets how far an entry had come; before it leaves the outbox.
pub(super) fn forget_progress(paths: &Paths, key: &EntryKey) {
    checkpoint::forget(paths, key);
}

/// The longest that one request may take, name lookup and answer included.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// The lengths around the spans grow with them by less than this.
const ENVELOPE_SLACK: usize = 32;
const SMALLEST_LIMIT: usize = 4096;
const SLOW_LIMIT: usize = 64 * 1024;
