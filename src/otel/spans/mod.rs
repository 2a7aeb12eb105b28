//! From a [`Turn`] to OpenInference spans, as either of two trees.
//!
//! `turn`: one LLM span that holds the whole turn, its tools below it. `calls`: an AGENT span, one LLM span a
//! model response and the tools below it, in time order: the tree whose costs are right. A subagent's turn is an
//! AGENT span below the call that set it to work, in the root's trace. Pure: the same turn and profile give the
//! same bytes. Each kind of span has a file: the turn (`root`), its responses (`model`), its calls (`tool`).

mod attributes;
mod model;
mod model_input;
mod root;
mod said;
mod sums;
#[cfg(test)]
mod tests;
mod tool;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status as WireStatus};
use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, Write};

use crate::ids::digest;
use crate::otel::entry::{self, Entry, EntryKey, Head, Summary};
use crate::otel::ids;
use crate::otel::ids::{SpanRole, TraceParent};
use crate::otel::prices::Prices;
use crate::otel::rate_limit;
use crate::otel::redact::{ContentClass, Redactor};
use crate::otel::spans::attributes::Attributes;
use crate::otel::spans::sums::Sums;
use crate::settings::{Profile, SpanTree};
use crate::time::Timestamp;
use crate::turn::shelf::Item;
use crate::turn::{Compaction, Origin, ToolCall, Turn};

/// A turn whose spans are built one by one, as they are asked for: all at once would take more memory than anything
/// else.
pub struct TurnSpans {
    turn: Turn,
    profile: Profile,
    prices: Prices,
    redactor: Redactor,
    sums: Sums,
    head: Head,
}

impl TurnSpans {
    pub fn new(turn: Turn, profile: &Profile, prices: &Prices) -> TurnSpans {
        let redactor = Redactor::new(profile);
        let sums = Sums::of(&turn);
        let head = Builder::new(&turn, profile, &redactor, prices, &sums).head();
        TurnSpans { turn, profile: profile.clone(), prices: prices.clone(), redactor, sums, head }
    }

    /// The line that lists show of the turn.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Calls `each` with every span, the turn's own first.
    ///
    /// # Errors
    /// What `each` fails with; also when a part of the turn could not be read back, so that what was built is not whole.
    pub fn each(&self, each: &mut dyn FnMut(Span) -> io::Result<()>) -> io::Result<()> {
        let builder = Builder::new(&self.turn, &self.profile, &self.redactor, &self.prices, &self.sums);
        builder.order().into_iter().try_for_each(|part| each(builder.part(part)))?;
        self.turn.scratch.check()
    }

    /// Writes the turn's entry span by span.
    ///
    /// # Errors
    /// When `out` cannot be written, or the turn cannot be read back.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        entry::write_head(out, &self.head)?;
        let mut encoded = Vec::new();
        self.each(&mut |span| entry::write_span(out, &span, &mut encoded))
    }

    /// How many spans there are.
    pub fn count(&self) -> u64 {
        Builder::new(&self.turn, &self.profile, &self.redactor, &self.prices, &self.sums).order().len() as u64
    }

    /// All of them at once.
    pub fn into_entry(self) -> Entry {
        let mut spans = Vec::new();
        // Neither fails: there is room for each, and what cannot be read back is left out.
        let _ = self.each(&mut |span| {
            spans.push(span);
            Ok(())
        });
        Entry { head: self.head, spans }
    }
}

/// Builds the entry of a turn: its spans, the turn's own first, and the line that lists show of it.
pub fn build(turn: Turn, profile: &Profile, prices: &Prices) -> Entry {
    TurnSpans::new(turn, profile, prices).into_entry()
}

struct Builder<'a> {
    turn: &'a Turn,
    profile: &'a Profile,
    redactor: &'a Redactor,
    prices: &'a Prices,
    sums: &'a Sums,
    trace_id: Vec<u8>,
    root_id: Vec<u8>,
    /// Bytes that the inputs of the turn's calls may still take.
    input_room: Cell<usize>,
}

/// What a span is about.
#[derive(Debug, Clone, Copy)]
enum Part {
    Turn,
    /// All responses together.
    Model,
    Call(u32),
    Tool(u32),
    Compaction(u32),
}

impl<'a> Builder<'a> {
    fn new(
        turn: &'a Turn,
        profile: &'a Profile,
        redactor: &'a Redactor,
        prices: &'a Prices,
        sums: &'a Sums,
    ) -> Builder<'a> {
        let outer = turn.traceparent.as_deref().and_then(TraceParent::parse);
        let own = ids::trace_id(&turn.root_thread, &turn.root_turn);
        let trace_id = outer.map_or(own, |o| o.trace).to_vec();
        let root_id = turn_span_id(turn, turn.part);
        let input_room = Cell::new(model_input::MOST_TURN_BYTES);
        Builder { turn, profile, redactor, prices, sums, trace_id, root_id, input_room }
    }

    /// The spans of the turn: its own, then the others in the order in which they began.
    fn order(&self) -> Vec<Part> {
        let calls = self.profile.span_tree == SpanTree::Calls;
        let mut inner: Vec<(Timestamp, Part)> = Vec::new();
        let numbered = |starts: &'a [Timestamp], part: fn(u32) -> Part| {
            starts.iter().zip(0..).map(move |(started, n)| (*started, part(n)))
        };
        if calls {
            inner.extend(numbered(&self.sums.calls_started, Part::Call));
        }
        let whole = if calls { inner.is_empty() && !self.turn.blocked } else { self.turn.agent.is_some() };
        if whole {
            inner.push((self.model_bounds().0, Part::Model));
        }
        inner.extend(numbered(&self.sums.tools_started, Part::Tool));
        inner.extend(self.turn.compactions.iter().zip(0..).map(|(c, n)| (c.started, Part::Compaction(n))));
        inner.sort_by_key(|(started, _)| *started);
        std::iter::once(Part::Turn).chain(inner.into_iter().map(|(_, part)| part)).collect()
    }

    fn part(&self, part: Part) -> Span {
        match part {
            Part::Turn => self.root(self.profile.span_tree == SpanTree::Calls),
            Part::Model => self.whole_model(),
            Part::Call(n) => self.model_call(n as usize, &self.turn.calls.at(n as usize)),
            Part::Tool(n) => self.tool(&self.turn.tools.at(n as usize)),
            Part::Compaction(n) => self.compaction(n as usize, &self.turn.compactions[n as usize]),
        }
    }

    /// Returns the call of a key.
    fn tool_of(&self, key: &str) -> Option<Item<'a, ToolCall>> {
        let at = self.sums.tools.get(&digest(key))?;
        Some(self.turn.tools.at(*at as usize)).filter(|tool| tool.key == key)
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
                Some(call) => ids::span_id(&parent.thread, &parent.turn, SpanRole::Tool, call),
                None => ids::span_id(&parent.thread, &parent.turn, SpanRole::Turn, FIRST_PART),
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
    fn error_class(&self) -> ContentClass {
        if self.redactor.shows(ContentClass::Prompt) {
            ContentClass::ToolContent
        } else {
            ContentClass::Prompt
        }
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
            a.value("output", ContentClass::Prompt, summary);
        }
        let times = (compaction.started, compaction.ended);
        let name = "Compaction".to_owned();
        self.span(Some(self.root_id.clone()), self.compaction_id(n), name, times, a, None)
    }

    fn compaction_id(&self, n: usize) -> Vec<u8> {
        self.id(SpanRole::Compaction, &format!("{}.{n}", self.turn.part))
    }

    fn id(&self, role: SpanRole, which: &str) -> Vec<u8> {
        let which = match (role, self.turn.part) {
            // Ordinals begin anew in every part; calls and responses have ids of their own.
            (SpanRole::Model, part @ 1..) => format!("{which}.{part}"),
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
        mut attributes: Attributes,
        error: Option<(&str, ContentClass, String)>,
    ) -> Span {
        let error = error.map(|(kind, class, message)| {
            (kind, self.redactor.text(class, &words_of(&message)).into_owned())
        });
        // Some backends show only what stands there. That of the turn itself is its answer, which no failure is.
        if let Some((_, message)) = error.as_ref().filter(|_| span_id != self.root_id) {
            attributes.error_as_output(message);
        }
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
        crate::truncate::cut(&self.redactor.text(ContentClass::Plain, name), NAME_BYTES).into_owned()
    }

    fn head(&self) -> Head {
        let (turn, redactor) = (self.turn, self.redactor);
        let prompt = turn.inputs.first().map(|m| redactor.text(ContentClass::Prompt, &m.text).into_owned());
        let prompt = prompt.unwrap_or_default();
        let line = prompt.lines().find(|l| !l.trim().is_empty()).unwrap_or_default();
        let usage = turn.usage.as_ref();
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
                tool_calls: self.sums.own.all,
                failed_tool_calls: self.sums.own.failed,
                nested_tool_calls: self.sums.nested.all,
                failed_nested_tool_calls: self.sums.nested.failed,
                model_calls: turn.calls.len() as u64,
                prompt_tokens: usage.map(|u| u.input_tokens),
                cached_tokens: usage.map(|u| u.cached_input_tokens),
                completion_tokens: usage.map(|u| u.output_tokens),
                reasoning_tokens: usage.map(|u| u.reasoning_output_tokens),
                uses: self.sums.uses.clone(),
                tools: self.sums.tool_uses.clone(),
                time: self.sums.time,
                compactions: turn.compactions.len() as u64,
                context: self.sums.context,
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

fn turn_span_id(turn: &Turn, part: u32) -> Vec<u8> {
    ids::span_id(&turn.thread, &turn.turn, SpanRole::Turn, &part.to_string()).to_vec()
}

fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Hooks => "hooks",
        Origin::Notify => "notify",
        Origin::Backfill => "backfill",
    }
}

/// The words of an error that Codex hands on as the model's server sent it, in JSON; any other text as it is.
fn words_of(message: &str) -> Cow<'_, str> {
    let is_object = message.trim_start().starts_with('{');
    let body: Option<serde_json::Value> = is_object.then(|| serde_json::from_str(message).ok()).flatten();
    let words = body.as_ref().and_then(|body| body["error"]["message"].as_str());
    words.map_or(Cow::Borrowed(message), |words| Cow::Owned(words.to_owned()))
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
