//! Model requests as PreModelRequest and PostModelRequest report them (Codex 0.169 on).
//!
//! They know what no rollout does: when a request was made and when it was answered, and how often it was tried. The
//! rollout knows what was said in it. A response's id joins both; where there is no rollout the hooks' half stands
//! alone, with exact tokens. Where both count, they must agree: what differs is reported, and the rollout holds.

use crate::turn::fold::Fold;
use crate::turn::fold::attempts::Attempted;
use crate::turn::rows::{Kind, Row};
use crate::turn::{ModelCall, Output, Status};

impl Fold<'_> {
    /// Takes up a row of a request.
    pub(super) fn request(&mut self, row: &Row) {
        let Some(request) = row.request.as_deref() else { return };
        let known = self.requests.iter().rposition(|known| known.id == request.id);
        if known.is_none() && self.requests.len() < MAX_REQUESTS {
            self.requests.push(Attempted { id: request.id.clone(), ..Attempted::default() });
        }
        let at = known.unwrap_or(self.requests.len() - 1);
        let attempted = &mut self.requests[at];
        attempted.note(row, request);
        if row.row == Kind::PostModelRequest && self.first_at.is_none() {
            self.last_error = attempted.error.clone().filter(|_| attempted.failed());
        }
    }

    /// Gives each model call the bounds and attempts of its request. Without a rollout the requests are the calls.
    pub(super) fn join_requests(&mut self, status: &Status) {
        let requests = std::mem::take(&mut self.requests);
        if self.first_at.is_none() {
            self.calls = self.calls_of(requests);
            return;
        }
        let answered = |request: &&Attempted| request.response.is_some();
        for request in requests.iter().filter(answered) {
            let call = self.calls.iter_mut().find(|call| Some(&call.id) == request.response.as_ref());
            match call {
                Some(call) => {
                    self.differences.extend(difference(call, request));
                    bound(call, request);
                }
                None if self.end.is_some() && self.tokens.is_exact() => {
                    self.differences
                        .push(format!("request {}: its response is not in the rollout", request.id));
                }
                None => {}
            }
        }
        // The request that failed, or that an interrupt cut off, has no response: it is the last of both.
        let last = requests.last().filter(|request| request.response.is_none());
        let call = self.calls.last_mut().filter(|call| call.usage.is_none());
        if let (Some(request), Some(call), true) = (last, call, *status != Status::Completed) {
            bound(call, request);
        }
    }

    fn calls_of(&self, requests: Vec<Attempted>) -> Vec<ModelCall> {
        let mut calls: Vec<ModelCall> = Vec::new();
        for (n, request) in requests.into_iter().enumerate() {
            let Some(started) = request.started.or(request.ended) else { continue };
            let ended = request.ended.unwrap_or(started).max(started);
            let failed = request.failed();
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
        for tool in &self.tools {
            let asked = tool.hook_at.and_then(|at| calls.iter_mut().rev().find(|call| call.started <= at));
            if let Some(call) = asked {
                call.output.push(Output::Tool(tool.key()));
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
    let (told, counted) = (request.usage?, call.usage?);
    let same = told.input_tokens == counted.input_tokens
        && told.output_tokens == counted.output_tokens
        && told.cached_input_tokens == counted.cached_input_tokens;
    (!same).then(|| {
        format!(
            "request {}: hooks count {} and {} tokens, the rollout {} and {}",
            request.id, told.input_tokens, told.output_tokens, counted.input_tokens, counted.output_tokens
        )
    })
}

/// More than any turn makes.
const MAX_REQUESTS: usize = 100_000;
