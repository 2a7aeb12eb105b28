//! Where one model response ends and the next begins, whose usage is whose, and what a compaction replaced.

use crate::codex::rollout::conversation::Conversation;
use crate::codex::rollout::{Fact, ModelOutput, Record};
use crate::time::Timestamp;
use crate::turn::fold::given::Given;
use crate::turn::fold::{Fold, usage};
use crate::turn::{Compaction, Message, MessageRole, ModelCall, Output};

impl Fold<'_> {
    pub(super) fn output(&mut self, at: Timestamp, output: ModelOutput) {
        let part = match output {
            ModelOutput::Message { text } => {
                // The event showed it without the marks that are not for a user to see.
                self.unreported_text = None;
                Output::Text(text)
            }
            ModelOutput::Reasoning { text } if text.is_empty() => {
                self.call_at(at);
                return;
            }
            ModelOutput::Reasoning { text } => Output::Reasoning(text),
            ModelOutput::Call(mut request) => {
                if request.call_id.is_empty() {
                    request.call_id = self.nameless_call(&request.name);
                }
                let call_id = request.call_id.clone();
                self.tools.renew(&call_id, at, |t| t.request.is_some() && t.output.is_some());
                Output::Tool(self.tool(&call_id, at, |draft| {
                    draft.asked_at = Some(at);
                    draft.request = Some(request);
                    draft.key()
                }))
            }
        };
        self.keep_unreported_text();
        self.call_at(at).output.push(part);
    }

    /// The id of a call that has none: that of the event that reported it, else its ordinal.
    pub(super) fn nameless_call(&self, name: &str) -> String {
        let reported = self.tools.briefs().iter().position(|t| t.hosted_alone);
        let id = reported.map(|place| self.tools.at(place).call_id.clone());
        id.unwrap_or_else(|| format!("{name}-{}", self.tools.len() + 1))
    }

    pub(super) fn keep_unreported_text(&mut self) {
        if let Some((at, text)) = self.unreported_text.take() {
            self.call_at(at).output.push(Output::Text(text));
        }
    }

    /// The response being written at `at`.
    pub(super) fn call_at(&mut self, at: Timestamp) -> &mut ModelCall {
        if self.calls.is_empty() || self.sealed {
            self.begin_call(at);
        }
        let last = self.calls.len() - 1;
        let call = self.calls.at_mut(last);
        call.ended = call.ended.max(at);
        call
    }

    pub(super) fn begin_call(&mut self, at: Timestamp) {
        self.sealed = false;
        // A request that is made again begins after the one before, whatever both waited for.
        let ready = self.calls.last().map_or(self.ready_at, |before| before.ended.max(self.ready_at));
        let started = if ready == Timestamp::default() { at } else { ready.min(at) };
        let (mut input, tools) = self.given.as_mut().map(Given::take).unwrap_or_default();
        input.append(&mut self.pending);
        self.calls.push(ModelCall {
            id: format!("response-{}", self.calls.len() + 1),
            started,
            ended: at,
            input,
            base: self.base.take(),
            tools,
            output: Vec::new(),
            usage: None,
            attempts: None,
            model: self.model_in_force(),
            service_tier: self.settings.as_ref().and_then(|s| s.service_tier.clone()),
            time_to_first_token: None,
            context_window: self.window,
            error: None,
            compacts: false,
        });
    }

    fn model_in_force(&self) -> Option<String> {
        let context = self.context.as_ref().and_then(|c| c.model.clone());
        context.or_else(|| self.settings.as_ref().and_then(|s| s.model.clone()))
    }

    /// The response that usage reported now belongs to: the last one, unless it has its usage already.
    pub(super) fn call_to_price(&mut self, at: Timestamp) -> &mut ModelCall {
        if self.calls.last().is_none_or(|c| c.usage.is_some()) {
            self.begin_call(at);
        }
        let last = self.calls.len() - 1;
        self.calls.at_mut(last)
    }

    /// Something the model waited for is there: the response before it is finished.
    pub(super) fn input_arrived(&mut self, at: Timestamp, message: Option<Message>) {
        self.keep_unreported_text();
        self.sealed = !self.calls.is_empty();
        self.ready_at = self.ready_at.max(at);
        self.pending.extend(message);
    }

    pub(super) fn token_count(&mut self, record: &Record, total: &usage::Usage, last: &usage::Usage) {
        let ours = record.turn.as_deref().or(self.current.as_deref()) == Some(self.turn);
        if ours && self.counting_after {
            if let Some(compaction) = self.compactions.last_mut() {
                compaction.tokens_after = Some(last.total_tokens).filter(|t| *t > 0);
            }
            self.counting_after = false;
        }
        let unpriced = self.calls.last().is_some_and(|c| c.usage.is_none());
        if let Some(used) = self.tokens.count(ours, unpriced, total, last) {
            self.call_to_price(record.at).usage = Some(used);
            self.sealed = true;
        }
    }

    /// The line that replaces the history: the response before it wrote the summary.
    pub(super) fn compacted(&mut self, at: Timestamp, summary: String, history: Option<Vec<Fact>>) {
        self.keep_unreported_text();
        if self.given.is_some() {
            let mut base = Conversation::default();
            base.begin_anew(&summary, history.as_deref(), self.room.limit());
            self.base = Some(Box::new(base));
        }
        let wrote = |call: &ModelCall| match &call.output[..] {
            [.., Output::Text(text)] => !text.is_empty() && summary.contains(text.as_str()),
            _ => false,
        };
        let compacting = self.calls.last().is_some_and(|call| wrote(&call));
        // What was compacted elsewhere comes without a summary: it was waited for since the line before.
        let mut started = self.line_before.filter(|_| summary.is_empty()).unwrap_or(at).min(at);
        if compacting && let Some(call) = self.calls.last_mut() {
            call.compacts = true;
            started = call.started;
        }
        let before = self.calls.iter().rev().find(|c| !c.compacts).and_then(|c| c.usage);
        self.compactions.push(Compaction {
            started,
            ended: at,
            trigger: None,
            tokens_before: before.map(|u| u.total_tokens),
            tokens_after: None,
            summary: Some(summary.clone()).filter(|s| !s.is_empty()),
        });
        self.counting_after = true;
        let message =
            Message { role: MessageRole::Summary, text: summary, images: Vec::new(), call_id: None };
        self.pending.clear();
        self.input_arrived(at, Some(message));
    }

    pub(super) fn compaction(
        &mut self,
        at: Timestamp,
        started: Option<Timestamp>,
        completed: Option<Timestamp>,
    ) {
        // An event without times follows the line that replaced the history, which is reported already.
        if started.is_none() && completed.is_none() {
            return;
        }
        let (started, ended) = (started.unwrap_or(at), completed.unwrap_or(at));
        match self.compactions.last_mut() {
            Some(last) if last.ended >= started || last.summary.is_some() => {
                last.started = last.started.min(started);
                last.ended = last.ended.max(ended);
            }
            _ => self.compactions.push(Compaction {
                started,
                ended,
                trigger: None,
                tokens_before: None,
                tokens_after: None,
                summary: None,
            }),
        }
        let writes = |call: &ModelCall| call.output.iter().any(|o| matches!(o, Output::Tool(_)));
        for at in (0..self.calls.len()).rev().take(MOST_COMPACTING) {
            let call = self.calls.at(at);
            let compacts = !call.compacts && call.started >= started && call.ended <= ended && !writes(&call);
            drop(call);
            if compacts {
                self.calls.at_mut(at).compacts = true;
            }
        }
        self.ready_at = self.ready_at.max(ended);
    }
}

/// More responses than a compaction ever takes.
const MOST_COMPACTING: usize = 1000;
