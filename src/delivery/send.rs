//! Sends one batch: puts it into a request, and splits what is refused until the span at fault is alone. Used by
//! several threads at once; waiting and trying again are the flusher's.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::context::Paths;
use crate::delivery::queue::{Batch, Piece};
use crate::delivery::transport::client::Client;
use crate::delivery::transport::connection::Accepted;
use crate::delivery::transport::retry::{Cause, Failure, Handling};
use crate::otel::resource::Decoration;
use crate::otel::size;
use crate::settings::Settings;

/// Sends batches to the backend in force.
#[derive(Debug)]
pub struct Sender<'a> {
    paths: &'a Paths,
    client: Client,
    most_bytes: usize,
    /// The largest request in bytes; it shrinks when requests are refused for their size or take too long.
    limit: AtomicUsize,
    /// True if the backend has accepted spans in this run, so that a refusal is about the content.
    proven: AtomicBool,
    /// True if the backend drops spans of requests that it accepts: only a turn alone shows whose they were.
    drops: AtomicBool,
    deadline: Instant,
}

/// Why a batch was left unfinished.
#[derive(Debug)]
pub enum Stop {
    Failed(Failure),
    /// Refused by a backend that has accepted nothing yet: the backend, or the turn, may be the wrong one.
    Unproven(Failure),
    OutOfTime,
}

/// What became of a batch. Each piece knows which of its spans are done with.
#[derive(Debug)]
pub struct Sent {
    pub pieces: Vec<Piece>,
    pub size: usize,
    pub stop: Option<Stop>,
    pub notices: Vec<Notice>,
}

/// What a backend said about a request that it accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub rejected: u64,
    pub of: usize,
    pub message: String,
}

/// Spans of one piece that go into one request.
struct Part {
    piece: usize,
    decoration: Arc<Decoration>,
    spans: Vec<(u64, Span)>,
}

impl<'a> Sender<'a> {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When the settings do not allow a connection.
    pub fn new(paths: &'a Paths, settings: &Settings, deadline: Instant) -> Result<Sender<'a>, Failure> {
        Ok(Sender {
            paths,
            client: Client::new(settings)?,
            most_bytes: settings.max_request_bytes,
            limit: AtomicUsize::new(settings.max_request_bytes),
            proven: AtomicBool::new(false),
            drops: AtomicBool::new(false),
            deadline,
        })
    }

    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    pub fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    pub fn drops(&self) -> bool {
        self.drops.load(Ordering::Relaxed)
    }

    /// Sends a batch, in as many requests as it takes.
    pub fn send(&self, batch: Batch) -> Sent {
        let mut pieces = batch.pieces;
        let part = |(piece, p): (usize, &mut Piece)| Part {
            piece,
            decoration: p.decoration.clone(),
            spans: std::mem::take(&mut p.spans),
        };
        let whole: Vec<Part> =
            pieces.iter_mut().enumerate().map(part).filter(|p| !p.spans.is_empty()).collect();
        let mut sent = Sent { pieces, size: batch.size, stop: None, notices: Vec::new() };
        let mut stack = vec![whole];
        while let Some(parts) = stack.pop().filter(|_| sent.stop.is_none()) {
            if !parts.is_empty() {
                self.send_parts(parts, &mut stack, &mut sent);
            }
        }
        sent
    }

    fn send_parts(&self, mut parts: Vec<Part>, stack: &mut Vec<Vec<Part>>, sent: &mut Sent) {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            sent.stop = Some(Stop::OutOfTime);
            return;
        }
        let failure = match self.request(&mut parts, left.min(REQUEST_TIME)) {
            Ok(accepted) => return self.accept(&parts, &accepted, stack.is_empty(), sent),
            Err(failure) => failure,
        };
        match failure.class() {
            Handling::Retry | Handling::Permanent => {
                self.shrink_when_slow(&failure, &parts);
                sent.stop = Some(Stop::Failed(failure));
            }
            Handling::Poison if !self.is_proven() => sent.stop = Some(Stop::Unproven(failure)),
            Handling::TooLarge if count_of(&parts) > 1 => {
                self.limit.fetch_min((size_of(&parts) / 2).max(SMALLEST_LIMIT), Ordering::Relaxed);
                split(parts, stack);
            }
            Handling::Poison if count_of(&parts) > 1 => split(parts, stack),
            Handling::Poison | Handling::TooLarge => self.refuse(parts, failure, stack, sent),
        }
    }

    fn request(&self, parts: &mut [Part], timeout: Duration) -> Result<Accepted, Failure> {
        let mut request = ExportTraceServiceRequest::default();
        for part in parts.iter_mut() {
            let spans = part.spans.iter_mut().map(|(_, span)| std::mem::take(span)).collect();
            request.resource_spans.extend(part.decoration.request(spans).resource_spans);
        }
        let answer = self.client.send(&request, timeout);
        for (part, group) in parts.iter_mut().zip(request.resource_spans) {
            let spans = group.scope_spans.into_iter().flat_map(|s| s.spans);
            part.spans.iter_mut().zip(spans).for_each(|((_, place), span)| *place = span);
        }
        answer
    }

    /// Notes what was acknowledged. Where more of the batch is to be sent, it is on the disk before that.
    fn accept(&self, parts: &[Part], accepted: &Accepted, is_last: bool, sent: &mut Sent) {
        let of = count_of(parts);
        let all_dropped = accepted.rejected_spans >= of as u64;
        if accepted.rejected_spans > 0 || !accepted.message.is_empty() {
            self.drops.fetch_or(accepted.rejected_spans > 0, Ordering::Relaxed);
            let (rejected, message) = (accepted.rejected_spans, accepted.message.clone());
            sent.notices.push(Notice { rejected, of, message });
        }
        self.proven.fetch_or(!all_dropped, Ordering::Relaxed);
        for part in parts {
            let piece = &mut sent.pieces[part.piece];
            for (index, _) in &part.spans {
                if all_dropped { piece.progress.refuse(*index) } else { piece.progress.accept(*index) }
            }
            if all_dropped {
                piece.last_refusal = format!("it dropped every span: {}", accepted.message);
            }
            piece.progress.drop_some(if all_dropped { 0 } else { accepted.rejected_spans });
            piece.unsent -= part.spans.len();
            if !is_last {
                // Without it the spans are sent again, under the same ids.
                let _ = piece.progress.save(self.paths, &piece.key);
            }
        }
    }

    /// Cuts a span that is too large alone, or gives it up.
    fn refuse(&self, mut parts: Vec<Part>, failure: Failure, stack: &mut Vec<Vec<Part>>, sent: &mut Sent) {
        let Some(part) = parts.first_mut() else { return };
        let Some((index, span)) = part.spans.first_mut() else { return };
        let smaller = size::cost(span) / 2;
        if failure.class() == Handling::TooLarge && size::fit(span, smaller) {
            stack.push(parts);
        } else if !self.is_proven() {
            sent.stop = Some(Stop::Unproven(failure));
        } else {
            let piece = &mut sent.pieces[part.piece];
            piece.progress.refuse(*index);
            piece.unsent -= 1;
            piece.last_refusal = failure.to_string();
        }
    }

    /// On a slow line the next attempt sends half as much at once.
    fn shrink_when_slow(&self, failure: &Failure, parts: &[Part]) {
        if failure.cause == Cause::Timeout && count_of(parts) > 1 {
            let half = (size_of(parts) / 2).max(SLOW_LIMIT.min(self.most_bytes));
            self.limit.fetch_min(half, Ordering::Relaxed);
        }
    }
}

/// Puts both halves on the stack, the first on top: of the turns, or of a lone turn's spans.
fn split(mut parts: Vec<Part>, stack: &mut Vec<Vec<Part>>) {
    if parts.len() > 1 {
        let second = parts.split_off(parts.len() / 2);
        stack.push(second);
    } else if let Some(part) = parts.first_mut() {
        let spans = part.spans.split_off(part.spans.len() / 2);
        stack.push(vec![Part { piece: part.piece, decoration: part.decoration.clone(), spans }]);
    }
    stack.push(parts);
}

fn count_of(parts: &[Part]) -> usize {
    parts.iter().map(|p| p.spans.len()).sum()
}

fn size_of(parts: &[Part]) -> usize {
    parts.iter().flat_map(|p| &p.spans).map(|(_, span)| size::cost(span)).sum()
}

/// The longest that one request may take, name lookup and answer included.
const REQUEST_TIME: Duration = Duration::from_secs(10);
const SMALLEST_LIMIT: usize = 4096;
const SLOW_LIMIT: usize = 64 * 1024;
