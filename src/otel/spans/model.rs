//! The model's part in a turn: one LLM span for each response, or one for all of them.

use opentelemetry_proto::tonic::trace::v1::Span;

use crate::otel::ids;
use crate::otel::prices::Bill;
use crate::otel::redact::ContentClass;
use crate::otel::spans::Builder;
use crate::otel::spans::attributes::{Attributes, said_in};
use crate::otel::token_use;
use crate::time::Timestamp;
use crate::turn::{Compaction, MessageRole, ModelCall, Output};

impl Builder<'_> {
    /// One response of the model.
    pub(super) fn model_call(&self, n: usize, call: &ModelCall) -> Span {
        let mut a = Attributes::new(self.redactor, "LLM");
        self.common(&mut a);
        self.model(&mut a, call.model.as_deref());
        self.request(&mut a, call);
        self.input_of_call(&mut a, n, call);
        a.output_message(call, &|key| self.tool_of(key));
        if let Some(last) = call.input.last() {
            let tool = last.call_id.as_ref().and_then(|id| self.tool_of(id));
            match tool.filter(|_| last.text.is_empty()) {
                Some(tool) => {
                    a.value("input", ContentClass::ToolContent, &self.tool_output(&tool).unwrap_or_default());
                }
                None if last.role == MessageRole::Tool => {
                    a.value("input", ContentClass::ToolContent, &said_in(last))
                }
                None => a.value("input", ContentClass::Prompt, &said_in(last)),
            }
        }
        let said: Vec<&str> = call
            .output
            .iter()
            .filter_map(|o| if let Output::Text(text) = o { Some(text.as_str()) } else { None })
            .collect();
        if !said.is_empty() {
            a.value("output", ContentClass::Prompt, &said.join("\n\n"));
        }
        a.messages_as_output();
        if let Some(usage) = &call.usage {
            a.usage(usage);
        }
        let used = token_use::of_call(call, self.turn.about.model.as_deref());
        a.cost(&Bill::of([&used], self.prices));
        a.plain("codex.response_id", &call.id);
        if let Some(attempts) = call.attempts {
            a.number("codex.request.attempts", attempts);
        }
        let parent = match self.turn.compactions.iter().position(|c| call.compacts && within(call, c)) {
            Some(at) => self.compaction_id(at),
            None => self.root_id.clone(),
        };
        let error = call.error.clone().map(|e| ("ModelError", self.error_class(), e));
        let name = format!("Model call {}", n + 1);
        self.span(
            Some(parent),
            self.id(ids::SpanRole::Model, &call.id),
            name,
            (call.started, call.ended),
            a,
            error,
        )
    }

    /// The model's whole part in the turn, where single responses are unknown or not wanted.
    pub(super) fn whole_model(&self) -> Span {
        let turn = self.turn;
        let mut a = Attributes::new(self.redactor, "LLM");
        self.common(&mut a);
        self.conversation(&mut a);
        self.model_of_turn(&mut a, true);
        a.messages_as_output();
        if let Some(usage) = &turn.usage {
            a.usage(usage);
        }
        a.cost(&self.bill());
        let (started, ended) = self.model_bounds();
        let id = self.id(ids::SpanRole::Model, "all");
        self.span(Some(self.root_id.clone()), id, "Model".to_owned(), (started, ended.max(started)), a, None)
    }

    /// From the first response to the last.
    pub(super) fn model_bounds(&self) -> (Timestamp, Timestamp) {
        let turn = self.turn;
        let ended = turn.calls.last().map_or(turn.ended, |c| c.ended);
        let started = turn.calls.first().map_or(turn.started, |c| c.started);
        (started, ended)
    }

    /// The cost of the turn's responses, each in its own tier and step.
    pub(super) fn bill(&self) -> Bill {
        Bill::of(&self.sums.uses, self.prices)
    }

    /// The model's part in the turn as one: what it was given and answered. `whole` where no span of a response has what
    /// the model was given beside that.
    pub(super) fn model_of_turn(&self, a: &mut Attributes, whole: bool) {
        self.model(a, None);
        let first = self.turn.calls.first().filter(|_| whole && self.profile.model_input);
        match &first {
            Some(call) => self.input_of_turn(a, call),
            None => a.messages(&self.messages_of_turn(&self.turn.inputs)),
        }
        if let Some(answer) = &self.turn.answer {
            a.answer(answer);
        }
    }

    /// Adds the settings a single request ran under.
    fn request(&self, a: &mut Attributes, call: &ModelCall) {
        a.plain_if("codex.service_tier", call.service_tier.as_deref());
        if let Some(first) = call.time_to_first_token {
            a.number("codex.time_to_first_token_ms", u64::try_from(first.as_millis()).unwrap_or(u64::MAX));
        }
        if let Some(window) = call.context_window {
            a.number("codex.context_window", window);
        }
    }

    fn model(&self, a: &mut Attributes, of_call: Option<&str>) {
        let about = &self.turn.about;
        a.plain_if("llm.model_name", of_call.or(about.model.as_deref()));
        a.plain_if("llm.provider", about.provider.as_deref());
        a.plain("llm.system", "openai");
        let mut parameters = serde_json::Map::new();
        let settings = [("reasoning_effort", &about.effort), ("reasoning_summary", &about.reasoning_summary)];
        for (name, value) in settings {
            if let Some(value) = value {
                parameters.insert(name.to_owned(), value.as_str().into());
            }
        }
        if !parameters.is_empty() {
            a.json(
                "llm.invocation_parameters",
                ContentClass::Plain,
                &serde_json::Value::from(parameters).to_string(),
            );
        }
    }
}

fn within(call: &ModelCall, compaction: &Compaction) -> bool {
    call.started >= compaction.started && call.ended <= compaction.ended
}
