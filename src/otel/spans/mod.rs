//! From a [`Turn`] to OpenInference spans, as either of two trees.
//!
//! `turn`: one LLM span that holds the whole turn, its tools below it. `calls`: an AGENT span, one LLM span a
//! model response and the tools below it, in time order: the tree whose costs are right. A subagent's turn is an
//! AGENT span below the call that set it to work, in the root's trace. Pure: the same turn and profile give the
//! same bytes. Each kind of span has a file: the turn (`root`), its responses (`model`), its calls (`tool`).

mod attributes;
mod model;
mod root;
#[cfg(test)]
mod tests;
mod tool;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status as WireStatus};

use crate::otel::entry::{Entry, EntryKey, Head, Summary};
use crate::otel::ids;
use crate::otel::ids::{Role, TraceParent};
use crate::otel::prices::Prices;
use crate::otel::rate_limit;
use crate::otel::redact::{Class, Redactor};
use crate::otel::spans::attributes::{Attributes, Tools};
use crate::otel::{time_spent, token_use, tool_use};
use crate::settings::{Profile, SpanTree};
use crate::time::Timestamp;
use crate::turn::{Compaction, Origin, ToolCall, Turn};

/// Builds the entry of a turn: its spans, the turn's own first, and the line that lists show of it.
pub fn build(turn: &Turn, profile: &Profile, prices: &Prices) -> Entry {
    let redactor = Redactor::new(profile);
    let builder = Builder::new(turn, profile, &redactor, prices);
    Entry { head: builder.head(), spans: builder.spans() }
}

struct Builder<'a> {
    turn: &'a Turn,
    profile: &'a Profile,
    redactor: &'a Redactor,
    prices: &'a Prices,
    tools: Tools<'a>,
    trace_id: Vec<u8>,
    root_id: Vec<u8>,
}

impl<'a> Builder<'a> {
    fn new(turn: &'a Turn, profile: &'a Profile, redactor: &'a Redactor, prices: &'a Prices) -> Builder<'a> {
        let outer = turn.traceparent.as_deref().and_then(TraceParent::parse);
        let own = ids::trace_id(&turn.root_thread, &turn.root_turn);
        let trace_id = outer.map_or(own, |o| o.trace).to_vec();
        let root_id = turn_span_id(turn, turn.part);
        let tools = turn.tools.iter().map(|t| (t.key.as_str(), t)).collect();
        Builder { turn, profile, redactor, prices, tools, trace_id, root_id }
    }

    fn spans(&self) -> Vec<Span> {
        let calls = self.profile.span_tree == SpanTree::Calls;
        let mut spans = vec![self.root(calls)];
        let mut inner = Vec::new();
        if calls {
            inner.extend(self.turn.calls.iter().enumerate().map(|(n, call)| self.model_call(n, call)));
            if self.turn.calls.is_empty() && !self.turn.blocked {
                inner.push(self.whole_model());
            }
        } else if self.turn.agent.is_some() {
            inner.push(self.whole_model());
        }
        inner.extend(self.turn.tools.iter().map(|tool| self.tool(tool)));
        inner.extend(self.turn.compactions.iter().enumerate().map(|(n, c)| self.compaction(n, c)));
        inner.sort_by_key(|span| span.start_time_unix_nano);
        spans.extend(inner);
        spans
    }

    /// `Turn 3`, `Turn`, `Turn 3 (continued)`, or the subagent's name.
    fn name(&self) -> String {
        let number = self.turn.number.map(|n| format!(" {n}")).unwrap_or_default();
        let continued = if self.turn.part > 0 { " (continued)" } else { "" };
        match &self.turn.agent {
            Some(agent) => {
                let called = agent.path.as_deref().or(agent.nickname.as_deref()).or(agent.kind.as_deref());
                format!("Agent {}{continued}", called.unwrap_or("subagent"))
            }
            None => format!("Turn{number}{continued}"),
        }
    }

    fn parent(&self) -> Vec<u8> {
        if self.turn.part > 0 {
            return turn_span_id(self.turn, 0);
        }
        if let Some(parent) = self.turn.agent.as_ref().and_then(|a| a.parent.as_ref()) {
            let id = match &parent.call_id {
                Some(call) => ids::span_id(&parent.thread, &parent.turn, Role::Tool, call),
                None => ids::span_id(&parent.thread, &parent.turn, Role::Turn, FIRST_PART),
            };
            return id.to_vec();
        }
        let outer = self.turn.traceparent.as_deref().and_then(TraceParent::parse);
        outer.map(|o| o.span.to_vec()).unwrap_or_default()
    }

    /// Adds the attributes every span has.
    fn common(&self, a: &mut Attributes) {
        a.plain("session.id", self.turn.root_thread.as_str());
        a.plain_if("user.id", self.profile.user_id.as_deref());
    }

    /// Returns the class of a model error, whose text may repeat a prompt as well as a tool result.
    fn error_class(&self) -> Class {
        if self.redactor.shows(Class::Prompt) { Class::ToolContent } else { Class::Prompt }
    }

    fn compaction(&self, n: usize, compaction: &Compaction) -> Span {
        let mut a = Attributes::new(self.redactor, "CHAIN");
        self.common(&mut a);
        a.plain_if("codex.compaction.trigger", compaction.trigger.as_deref());
        if let Some(tokens) = compaction.tokens_before {
            a.number("codex.compaction.tokens_before", tokens);
        }
        if let Some(tokens) = compaction.tokens_after {
            a.number("codex.compaction.tokens_after", tokens);
        }
        if let Some(summary) = &compaction.summary {
            a.value("output", Class::Prompt, summary);
        }
        let times = (compaction.started, compaction.ended);
        let name = "Compaction".to_owned();
        self.span(Some(self.root_id.clone()), self.compaction_id(n), name, times, a, None)
    }

    fn compaction_id(&self, n: usize) -> Vec<u8> {
        self.id(Role::Compaction, &format!("{}.{n}", self.turn.part))
    }

    fn id(&self, role: Role, which: &str) -> Vec<u8> {
        let which = match (role, self.turn.part) {
            // Ordinals begin anew in every part; calls and responses have ids of their own.
            (Role::Model, part @ 1..) => format!("{which}.{part}"),
            _ => which.to_owned(),
        };
        ids::span_id(&self.turn.thread, &self.turn.turn, role, &which).to_vec()
    }

    fn span(
        &self,
        parent: Option<Vec<u8>>,
        span_id: Vec<u8>,
        name: String,
        (started, ended): (Timestamp, Timestamp),
        attributes: Attributes,
        error: Option<(&str, Class, String)>,
    ) -> Span {
        let error =
            error.map(|(kind, class, message)| (kind, self.redactor.text(class, &message).into_owned()));
        let status = match &error {
            None => WireStatus { code: StatusCode::Ok as i32, message: String::new() },
            Some((_, message)) => WireStatus { code: StatusCode::Error as i32, message: message.clone() },
        };
        Span {
            trace_id: self.trace_id.clone(),
            span_id,
            parent_span_id: parent.unwrap_or_default(),
            name: self.short(&name),
            kind: SpanKind::Internal as i32,
            start_time_unix_nano: started.as_nanos(),
            end_time_unix_nano: ended.as_nanos(),
            attributes: attributes.finish(),
            events: error.map(|(kind, message)| exception(ended, kind, message)).into_iter().collect(),
            status: Some(status),
            ..Span::default()
        }
    }

    /// A name as it may be written, in a line.
    fn short(&self, name: &str) -> String {
        crate::truncate::cut(&self.redactor.text(Class::Plain, name), NAME_BYTES).into_owned()
    }

    fn head(&self) -> Head {
        let (turn, redactor) = (self.turn, self.redactor);
        let prompt = turn.inputs.first().map(|m| redactor.text(Class::Prompt, &m.text).into_owned());
        let prompt = prompt.unwrap_or_default();
        let line = prompt.lines().find(|l| !l.trim().is_empty()).unwrap_or_default();
        let usage = turn.usage.as_ref();
        let calls = |nested: bool, failed: bool| {
            let counts = |t: &&ToolCall| t.is_nested() == nested && (t.error.is_some() || !failed);
            turn.tools.iter().filter(counts).count() as u64
        };
        Head {
            key: EntryKey { turn: turn.turn.clone(), thread: turn.thread.clone(), part: turn.part },
            root_thread: turn.root_thread.clone(),
            root_turn: turn.root_turn.clone(),
            project_name: self.short(&self.profile.project_name),
            backend_rule: self.profile.backend_rule.clone(),
            started_at: turn.started,
            ended_at: turn.ended,
            summary: Summary {
                name: self.short(&self.name()),
                prompt: crate::truncate::cut(line, PROMPT_LINE_BYTES).into_owned(),
                model: turn.about.model.as_deref().map(|m| self.short(m)),
                cwd: turn.about.cwd.as_deref().map(|c| self.short(c)),
                branch: turn.about.git.branch.as_deref().map(|b| self.short(b)),
                status: turn.status.name().to_owned(),
                tool_calls: calls(false, false),
                failed_tool_calls: calls(false, true),
                nested_tool_calls: calls(true, false),
                failed_nested_tool_calls: calls(true, true),
                model_calls: turn.calls.len() as u64,
                prompt_tokens: usage.map(|u| u.input_tokens),
                cached_tokens: usage.map(|u| u.cached_input_tokens),
                completion_tokens: usage.map(|u| u.output_tokens),
                reasoning_tokens: usage.map(|u| u.reasoning_output_tokens),
                uses: token_use::of_turn(turn),
                tools: tool_use::of_calls(&turn.tools),
                time: time_spent::of_turn(turn),
                compactions: turn.compactions.len() as u64,
                context: context_fill(turn),
                limits: turn
                    .about
                    .rate_limits
                    .as_deref()
                    .map_or_else(Vec::new, |l| rate_limit::parse(l, turn.ended)),
                number: turn.number,
                commit: turn.about.git.commit.as_deref().map(|c| self.short(c)),
                origin: origin_name(turn.origin).to_owned(),
            },
        }
    }
}

/// Returns the most tokens a call of the turn left in the context, and how many that holds.
fn context_fill(turn: &Turn) -> Option<(u64, Option<u64>)> {
    let filled = turn.calls.iter().filter_map(|call| Some((call.usage?.total_tokens, call.context_window)));
    filled.max_by_key(|(tokens, _)| *tokens)
}

fn turn_span_id(turn: &Turn, part: u32) -> Vec<u8> {
    ids::span_id(&turn.thread, &turn.turn, Role::Turn, &part.to_string()).to_vec()
}

fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Hooks => "hooks",
        Origin::Notify => "notify",
        Origin::Backfill => "backfill",
    }
}

fn exception(at: Timestamp, kind: &str, message: String) -> Event {
    let text = |key: &str, value: String| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Any::StringValue(value)) }),
        ..KeyValue::default()
    };
    Event {
        time_unix_nano: at.as_nanos(),
        name: "exception".to_owned(),
        attributes: vec![text("exception.type", kind.to_owned()), text("exception.message", message)],
        ..Event::default()
    }
}

const FIRST_PART: &str = "0";
const PROMPT_LINE_BYTES: usize = 200;
const NAME_BYTES: usize = 1024;
