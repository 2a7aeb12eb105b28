//! Model requests as PreModelRequest and PostModelRequest report them (Codex 0.169 on).
//!
//! They know what no rollout does: when a request was made and when it was answered, and how often it was tried. The
//! rollout knows what was said in it. A response's id joins both; where there is no rollout the hooks' half stands
//! alone, with exact tokens. Where both count, they must agree: what differs is reported, and the rollout holds.

use std::collections::HashMap;

use crate::ids::digest;
use crate::turn::fold::Fold;
use crate::turn::fold::attempts::Attempted;
use crate::turn::rows::{Kind, Row};
use crate::turn::shelf::Shelf;
use crate::turn::{ModelCall, Output, Status};

impl Fold<'_> {
    /// Takes up a row of a request.
    pub(super) fn request(&mut self, row: &Row) {
        let Some(request) = row.request.as_deref() else { return };
        let known = match request.id.is_empty() {
            // One that is not named is answered before the next is made.
            true => self.unanswered_request().filter(|_| row.row == Kind::PostModelRequest),
            false => self.by_request.get(&digest(&request.id)).copied(),
        };
        if known.is_none() && self.requests.len() < MAX_REQUESTS {
            let place = u32::try_from(self.requests.len()).unwrap_or(u32::MAX);
            self.by_request.insert(digest(&request.id), place);
            self.requests.push(Attempted { id: request.id.clone(), ..Attempted::default() });
        }
        let at = known.map_or(self.requests.len() - 1, |known| known as usize);
        let attempted = self.requests.at_mut(at);
        attempted.note(row, request);
        if row.row == Kind::PostModelRequest && self.first_at.is_none() {
            self.last_error = attempted.error.clone().filter(|_| attempted.failed());
        }
    }

    /// The place of the last request, if it has no answer yet.
    fn unanswered_request(&self) -> Option<u32> {
        let last = self.requests.last().filter(|request| request.ended.is_none());
        last.and_then(|_| u32::try_from(self.requests.len() - 1).ok())
    }

    /// Gives each model call the bounds and attempts of its request. Without a rollout the requests are the calls.
    pub(super) fn join_requests(&mut self, status: &Status) {
        let requests = std::mem::replace(&mut self.requests, Shelf::new(&self.scratch));
        if self.first_at.is_none() {
            self.calls = self.calls_of(requests);
            return;
        }
        let mut by_response: HashMap<u64, u32> = HashMap::new();
        if !requests.is_empty() {
            for (at, call) in self.calls.iter().enumerate() {
                by_response.entry(digest(&call.id)).or_insert(u32::try_from(at).unwrap_or(u32::MAX));
            }
        }
        for request in requests.iter() {
            let Some(response) = &request.response else { continue };
            match by_response.get(&digest(response)) {
                Some(at) => {
                    let call = self.calls.at_mut(*at as usize);
                    let difference = difference(call, &request);
                    bound(call, &request);
                    self.differs(difference);
                }
                None if self.end.is_some() && self.tokens.is_exact() => {
                    self.differs(Some(format!("request {}: its response is not in the rollout", request.id)));
                }
                None => {}
            }
        }
        self.join_nameless(&requests);
        // The request that failed, or that an interrupt cut off, has no response: it is the last of both.
        let last = requests.last().filter(|request| request.response.is_none() && !request.completed());
        let call = self.calls.last_mut().filter(|call| call.usage.is_none());
        if let (Some(request), Some(call), true) = (last, call, *status != Status::Completed) {
            bound(call, &request);
        }
    }

    /// Gives the calls the bounds of requests without a name, in their order, where both count the same.
    fn join_nameless(&mut self, requests: &Shelf<Attempted>) {
        let reported: Vec<Attempted> = requests
            .iter()
            .filter(|request| request.is_nameless() && request.completed())
            .map(|request| request.clone())
            .collect();
        let counted: Vec<usize> =
            (0..self.calls.len()).filter(|at| self.calls.at(*at).usage.is_some()).collect();
        let same = |(at, request): (&usize, &Attempted)| self.calls.at(*at).usage == request.usage;
        if reported.is_empty() || reported.len() != counted.len() || !counted.iter().zip(&reported).all(same)
        {
            return;
        }
        for (at, request) in counted.into_iter().zip(&reported) {
            bound(self.calls.at_mut(at), request);
        }
    }

    fn differs(&mut self, difference: Option<String>) {
        if self.differences.len() < MOST_DIFFERENCES {
            self.differences.extend(difference);
        }
    }

    fn calls_of(&self, requests: Shelf<Attempted>) -> Shelf<ModelCall> {
        let mut calls = Shelf::new(&self.scratch);
        let mut starts = Vec::new();
        for (n, request) in requests.into_items().enumerate() {
            let Some(started) = request.started.or(request.ended) else { continue };
            let ended = request.ended.unwrap_or(started).max(started);
            let failed = request.failed();
            starts.push(started);
            calls.push(ModelCall {
                id: request.response.unwrap_or_else(|| format!("response-{}", n + 1)),
                started,
                ended,
                usage: request.usage,
                model: request.model,
                attempts: Some(request.attempts).filter(|attempts| *attempts > 0),
                error: request.error.filter(|_| failed),
                compacts: request.compacts,
                ..ModelCall::default()
            });
        }
        // A tool was asked for by the last request that was made before it ran.
        let in_order = starts.is_sorted();
        for (place, tool) in self.tools.briefs().iter().enumerate() {
            let Some(at) = tool.hook_at else { continue };
            let asked = match in_order {
                true => starts.partition_point(|started| *started <= at).checked_sub(1),
                false => starts.iter().rposition(|started| *started <= at),
            };
            if let Some(asked) = asked {
                calls.at_mut(asked).output.push(Output::Tool(self.tools.at(place).key()));
            }
        }
        calls
    }
}

fn bound(call: &mut ModelCall, request: &Attempted) {
    call.attempts = Some(request.attempts).filter(|attempts| *attempts > 0);
    if let Some((started, ended)) = request.started.zip(request.ended) {
        (call.started, call.ended) = (started, ended.max(started));
    }
}

fn difference(call: &ModelCall, request: &Attempted) -> Option<String> {
    let (reported, counted) = (request.usage?, call.usage?);
    let same = reported.input_tokens == counted.input_tokens
        && reported.output_tokens == counted.output_tokens
        && reported.cached_input_tokens == counted.cached_input_tokens;
    (!same).then(|| {
        format!(
            "request {}: hooks count {} and {} tokens, the rollout {} and {}",
            request.id,
            reported.input_tokens,
            reported.output_tokens,
            counted.input_tokens,
            counted.output_tokens
        )
    })
}

/// More than any turn makes.
const MAX_REQUESTS: usize = 100_000;
/// More than anybody reads.
const MOST_DIFFERENCES: usize = 100;
