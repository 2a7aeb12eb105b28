//! From the entries of the outbox to batches: several turns in one request up to the byte budget, a large turn in
//! several. A thread's turns stay in order: it has one batch on its way at a time, and other threads do not wait for it.

use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::sync::Arc;

use crate::context::Paths;
use crate::delivery::checkpoint::Checkpoint;
use crate::delivery::outbox;
use crate::file;
use crate::ids::ThreadId;
use crate::otel::entry::{Entry, EntryKey};
use crate::otel::entry_reader::{EntryReader, ReadError};
use crate::otel::resource::Decoration;
use crate::otel::size;
use crate::settings::Settings;

/// Spans to be sent together.
#[derive(Debug, Default)]
pub struct Batch {
    pub pieces: Vec<Piece>,
    /// Bytes on the wire.
    pub size: usize,
}

/// The part that one turn has in a batch.
#[derive(Debug)]
pub struct Piece {
    pub key: EntryKey,
    pub decoration: Arc<Decoration>,
    /// Each with its place in the entry.
    pub spans: Vec<(u64, Span)>,
    /// How many of them are neither acknowledged nor refused.
    pub unsent: usize,
    /// True if the entry ends with them.
    pub is_last: bool,
    pub progress: Checkpoint,
    pub last_refusal: String,
}

/// Outcome of a finished entry.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Delivered, but for as many spans as the backend refused, and as it dropped of requests with some of these.
    Delivered { refused: u64, dropped: u64 },
    /// Nothing of it can be delivered, for this reason.
    Hopeless(String),
    /// Its file is no longer there.
    Gone,
    /// Its file cannot be read, or the outbox not written; it stays.
    Unreadable(String),
}

/// How much goes into one batch.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    pub bytes: usize,
    pub turns: usize,
    pub spans: usize,
    /// True if the latest turn goes first, whatever waits before it in its thread.
    pub newest: bool,
}

/// An entry that is being sent.
struct Open {
    /// Gone behind the last span.
    reader: Option<EntryReader>,
    decoration: Arc<Decoration>,
    progress: Checkpoint,
    /// What surrounds its spans in a request, in bytes.
    envelope: usize,
    /// The place of the span that is read next.
    at: u64,
    /// Read already, for the next batch.
    ahead: Option<(u64, Span)>,
    damage: Option<String>,
    last_refusal: String,
}

/// The entries that wait, oldest first.
pub struct Queue<'a> {
    paths: &'a Paths,
    settings: &'a Settings,
    /// The rule that each of them remembers.
    rule: Option<String>,
    waiting: VecDeque<EntryKey>,
    open: HashMap<EntryKey, Open>,
    /// Threads with a batch on its way.
    held: HashSet<ThreadId>,
    finished: Vec<(EntryKey, Outcome)>,
}

impl<'a> Queue<'a> {
    pub fn new(
        paths: &'a Paths,
        settings: &'a Settings,
        rule: Option<String>,
        keys: Vec<EntryKey>,
    ) -> Queue<'a> {
        let waiting = keys.into();
        let (open, held, finished) = (HashMap::new(), HashSet::new(), Vec::new());
        Queue { paths, settings, rule, waiting, open, held, finished }
    }

    /// Returns whether a turn waits that is not on its way.
    pub fn has_more(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes what became of entries since the last call.
    pub fn take_finished(&mut self) -> Vec<(EntryKey, Outcome)> {
        std::mem::take(&mut self.finished)
    }

    /// Puts turns back that were taken out, into their order.
    pub fn put_back(&mut self, keys: Vec<EntryKey>) {
        for key in keys {
            if let Err(at) = self.waiting.binary_search(&key) {
                self.waiting.insert(at, key);
            }
        }
    }

    /// Takes a turn out that is not to be tried again now.
    pub fn take_out(&mut self, key: &EntryKey) {
        self.waiting.retain(|k| k != key);
    }

    /// The next batch; `None` while nothing more can be sent.
    pub fn next_batch(&mut self, measure: Measure) -> Option<Batch> {
        let mut batch = Batch::default();
        let mut at = if measure.newest { self.waiting.len().saturating_sub(1) } else { 0 };
        while at < self.waiting.len() && batch.pieces.len() < measure.turns.min(MOST_TURNS) {
            if self.held.contains(&self.waiting[at].thread) {
                at += 1;
                continue;
            }
            let Some(key) = self.waiting.remove(at) else { break };
            if !self.open(&key) {
                continue;
            }
            if !self.fill(&key, &mut batch, measure) {
                self.waiting.insert(at, key);
                break;
            }
        }
        self.held.extend(batch.pieces.iter().map(|p| p.key.thread.clone()));
        (!batch.pieces.is_empty()).then_some(batch)
    }

    /// Opens an entry unless it is open; returns whether it is now.
    fn open(&mut self, key: &EntryKey) -> bool {
        if self.open.contains_key(key) {
            return true;
        }
        let outcome = match EntryReader::open(&outbox::waiting(self.paths, key)) {
            // What could not be read a moment ago was taken for a turn of no rule.
            Ok(reader) if reader.head().backend_rule != self.rule => {
                Outcome::Unreadable("it goes to the backend of another rule".to_owned())
            }
            Ok(reader) => {
                let decoration = Decoration::new(self.settings, reader.head());
                let open = Open {
                    envelope: decoration.request(Vec::new()).encoded_len() + ENVELOPE_SLACK,
                    reader: Some(reader),
                    decoration: Arc::new(decoration),
                    progress: Checkpoint::load(self.paths, key),
                    at: 0,
                    ahead: None,
                    damage: None,
                    last_refusal: String::new(),
                };
                self.open.insert(key.clone(), open);
                return true;
            }
            Err(ReadError::Io(e)) if e.kind() == io::ErrorKind::NotFound => Outcome::Gone,
            Err(ReadError::Io(e)) => Outcome::Unreadable(e.to_string()),
            Err(ReadError::Entry(e)) => Outcome::Hopeless(e.to_string()),
        };
        self.finished.push((key.clone(), outcome));
        false
    }

    /// Puts spans of an entry into the batch; returns whether all that is left of it is in there.
    fn fill(&mut self, key: &EntryKey, batch: &mut Batch, measure: Measure) -> bool {
        let Some(open) = self.open.get_mut(key) else { return true };
        let mut spans = Vec::new();
        let mut is_last = false;
        while spans.len() < measure.spans {
            let (index, span) = match open.next(measure.bytes) {
                Ok(Some(next)) => next,
                Ok(None) => {
                    is_last = true;
                    break;
                }
                Err(e) => {
                    self.finished.push((key.clone(), Outcome::Unreadable(e.to_string())));
                    self.open.remove(key);
                    return true;
                }
            };
            let around = if spans.is_empty() { open.envelope } else { 0 };
            let cost = around + size::cost(&span);
            if batch.size > 0 && batch.size + cost > measure.bytes {
                open.ahead = Some((index, span));
                break;
            }
            batch.size += cost;
            spans.push((index, span));
        }
        if !spans.is_empty() || is_last {
            batch.pieces.push(Piece {
                key: key.clone(),
                decoration: open.decoration.clone(),
                unsent: spans.len(),
                spans,
                is_last,
                progress: std::mem::take(&mut open.progress),
                last_refusal: std::mem::take(&mut open.last_refusal),
            });
        }
        is_last
    }

    /// Takes a piece back whose batch was sent, or was left unfinished.
    pub fn returned(&mut self, piece: Piece) {
        self.held.remove(&piece.key.thread);
        let Some(mut open) = self.open.remove(&piece.key) else { return };
        if piece.unsent > 0 || !piece.is_last {
            // Without it the spans are sent again, under the same ids.
            let _ = piece.progress.save(self.paths, &piece.key);
        }
        if piece.unsent > 0 {
            self.put_back(vec![piece.key]);
            return;
        }
        open.progress = piece.progress;
        open.last_refusal = piece.last_refusal;
        if piece.is_last {
            let outcome = self.conclude(&piece.key, &open);
            self.finished.push((piece.key, outcome));
        } else {
            self.open.insert(piece.key, open);
        }
    }

    fn conclude(&self, key: &EntryKey, open: &Open) -> Outcome {
        if let Some(damage) = &open.damage {
            return Outcome::Hopeless(damage.clone());
        }
        let refused = open.progress.refused();
        if refused > 0 && !open.progress.any_accepted() {
            return Outcome::Hopeless(format!("the backend refuses it: {}", open.last_refusal));
        }
        if refused > 0
            && let Err(e) = self.keep_refused(key, &open.progress)
        {
            return Outcome::Unreadable(e.to_string());
        }
        Outcome::Delivered { refused, dropped: open.progress.dropped() }
    }

    /// Keeps the refused spans beside the turns set aside, for whoever looks into it; the turn itself goes on.
    fn keep_refused(&self, key: &EntryKey, progress: &Checkpoint) -> io::Result<()> {
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

impl Open {
    /// The next span that is not done with, made to fit a request of `limit` bytes.
    fn next(&mut self, limit: usize) -> io::Result<Option<(u64, Span)>> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        while let Some(reader) = &mut self.reader {
            match reader.next_span() {
                Ok(Some(span)) => {
                    let index = self.at;
                    self.at += 1;
                    if !self.progress.covers(index) {
                        // One that cannot be made to fit goes alone, and the backend decides.
                        let span = self.decoration.fitted(span, limit.saturating_sub(self.envelope));
                        return Ok(Some((index, span)));
                    }
                }
                Ok(None) => self.reader = None,
                Err(ReadError::Io(e)) => return Err(e),
                Err(ReadError::Entry(e)) => {
                    self.damage = Some(e.to_string());
                    self.reader = None;
                }
            }
        }
        Ok(None)
    }
}

/// The lengths around the spans grow with them by less than this.
const ENVELOPE_SLACK: usize = 32;
/// A batch of more small turns is no faster, and a kill between acknowledgement and rename would repeat them all.
const MOST_TURNS: usize = 256;
