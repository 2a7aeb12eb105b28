//! From a [`Turn`] to OpenInference spans, as either of two trees (shared/DESIGN.md, "Span trees").
//!
//! `turn`: one LLM span that holds the whole turn, its tools below it. `calls`: an AGENT span, one LLM span a
//! model response and the tools below it, in time order: the tree whose costs are right. A subagent's turn is an
//! AGENT span below the call that set it to work, in the root's trace. Pure: the same turn and profile give the
//! same bytes.

mod attributes;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status as WireStatus};

use self::attributes::{Attributes, Tools, describe_image, is_json};
use super::ids::{self, Role, TraceParent};
use super::redact::{Class, Redactor};
use super::turn::{Agent, Compaction, Decision, ModelCall, Origin, Output, Status, ToolCall, Turn};
use crate::export::entry::{Entry, EntryKey, Head, Summary};
use crate::settings::{Profile, SpanTree};
use crate::time::Timestamp;

/// Builds the entry of a turn: its spans, the turn's own first, and the line that lists show of it.
pub fn build(turn: &Turn, profile: &Profile) -> Entry {
    let redactor = Redactor::new(profile);
    let builder = Builder::new(turn, profile, &redactor);
    Entry { head: builder.head(), spans: builder.spans() }
}

struct Builder<'a> {
    turn: &'a Turn,
    profile: &'a Profile,
    redactor: &'a Redactor,
    tools: Tools<'a>,
    trace_id: Vec<u8>,
    root_id: Vec<u8>,
}

impl<'a> Builder<'a> {
    fn new(turn: &'a Turn, profile: &'a Profile, redactor: &'a Redactor) -> Builder<'a> {
        let outer = turn.traceparent.as_deref().and_then(TraceParent::parse);
        let own = ids::trace_id(&turn.root_thread, &turn.root_turn);
        let trace_id = outer.map_or(own, |o| o.trace).to_vec();
        let root_id = turn_span_id(turn, turn.part);
        // Of two calls with one id the first is meant, as it was when each was looked for.
        let tools = turn.tools.iter().rev().map(|t| (t.call_id.as_str(), t)).collect();
        Builder { turn, profile, redactor, tools, trace_id, root_id }
    }

    fn spans(&self) -> Vec<Span> {
        let calls = self.profile.span_tree == SpanTree::Calls;
        let mut spans = vec![self.root(calls)];
        let mut inner = Vec::new();
        if calls {
            inner.extend(self.turn.calls.iter().enumerate().map(|(n, call)| self.model_call(n, call)));
            if self.turn.calls.is_empty() {
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

    /// The turn itself.
    fn root(&self, calls: bool) -> Span {
        let turn = self.turn;
        let is_agent = calls || turn.agent.is_some();
        let mut a = Attributes::new(self.redactor, if is_agent { "AGENT" } else { "LLM" });
        self.common(&mut a);
        self.conversation(&mut a);
        if !is_agent {
            self.model_of_turn(&mut a);
        } else {
            a.plain_if("codex.model", turn.about.model.as_deref());
        }
        if let Some(agent) = &turn.agent {
            self.agent(&mut a, agent);
        }
        self.circumstances(&mut a);
        let name = self.name();
        let error = match &turn.status {
            Status::Completed => None,
            Status::Failed { message } => Some(("TurnFailed", self.error_class(), message.clone())),
            Status::Interrupted { reason } => Some(("TurnInterrupted", Class::Plain, reason.clone())),
        };
        let parent = self.parent();
        self.span(Some(parent), self.root_id.clone(), name, (turn.started, turn.ended), a, error)
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

    /// What every span carries.
    fn common(&self, a: &mut Attributes) {
        a.plain("session.id", self.turn.root_thread.as_str());
        a.plain_if("user.id", self.profile.user_id.as_deref());
    }

    fn conversation(&self, a: &mut Attributes) {
        let prompts: Vec<&str> = self.turn.inputs.iter().map(|m| m.text.as_str()).collect();
        if !prompts.is_empty() {
            let shown: Vec<_> = prompts.iter().map(|p| self.redactor.text(Class::Prompt, p)).collect();
            a.value("input", Class::Plain, &shown.join("\n\n"));
        }
        if let Some(answer) = &self.turn.answer {
            a.value("output", Class::Prompt, answer);
        }
    }

    /// The model's part in the turn as one: what it was told and answered, and what all of it used.
    fn model_of_turn(&self, a: &mut Attributes) {
        self.model(a);
        a.input_messages(&self.turn.inputs, &self.tools);
        if let Some(answer) = &self.turn.answer {
            a.answer(answer);
        }
        if let Some(usage) = &self.turn.usage {
            a.usage(usage);
        }
    }

    fn model(&self, a: &mut Attributes) {
        let about = &self.turn.about;
        a.plain_if("llm.model_name", about.model.as_deref());
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
                Class::Plain,
                &serde_json::Value::from(parameters).to_string(),
            );
        }
    }

    fn agent(&self, a: &mut Attributes, agent: &Agent) {
        a.plain("agent.name", agent.path.as_deref().or(agent.nickname.as_deref()).unwrap_or("subagent"));
        a.plain("codex.agent.id", self.turn.thread.as_str());
        a.plain_if("codex.agent.type", agent.kind.as_deref());
        a.plain_if("codex.agent.path", agent.path.as_deref());
        a.plain_if("codex.agent.nickname", agent.nickname.as_deref());
    }

    fn circumstances(&self, a: &mut Attributes) {
        let (turn, about) = (self.turn, &self.turn.about);
        a.plain("project.name", &self.profile.project_name);
        if let Some(number) = turn.number {
            a.number("trace.number", number);
        }
        a.plain("codex.thread_id", turn.thread.as_str());
        a.plain("codex.turn_id", turn.turn.as_str());
        a.plain_if("codex.cwd", about.cwd.as_deref());
        a.plain_if(
            "codex.workspace",
            about.cwd.as_deref().and_then(|c| c.rsplit('/').find(|p| !p.is_empty())),
        );
        let approval = about.approval_policy.as_deref().or(about.permission_mode.as_deref());
        a.plain_if("codex.approval_mode", approval);
        a.plain_if("codex.sandbox_mode", about.sandbox.as_deref());
        a.plain("codex.turn.status", turn.status.name());
        let duration = about.duration.unwrap_or_else(|| turn.ended.since(turn.started));
        a.number("codex.turn.duration_ms", u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        a.plain_if("codex.usage_source", turn.usage_source);
        a.plain("codex.origin", origin_name(turn.origin));
        a.json("metadata", Class::Plain, &self.metadata());
        if !self.profile.tags.is_empty() {
            a.list("tag.tags", &self.profile.tags);
        }
        for (key, value) in &self.profile.attributes {
            a.plain(self.short(key), value);
        }
    }

    fn metadata(&self) -> String {
        let about = &self.turn.about;
        let mut map = serde_json::Map::new();
        let mut set = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                map.insert(name.to_owned(), value.into());
            }
        };
        set("git_branch", about.git.branch.as_deref());
        set("git_commit", about.git.commit.as_deref());
        set("git_remote", about.git.remote.as_deref());
        set("cwd", about.cwd.as_deref());
        set("codex_version", about.codex_version.as_deref());
        set("client", about.client.as_deref());
        set("session_source", about.session_source.as_deref());
        set("approval_policy", about.approval_policy.as_deref());
        set("permission_mode", about.permission_mode.as_deref());
        set("sandbox", about.sandbox.as_deref());
        set("collaboration_mode", about.collaboration_mode.as_deref());
        set("reasoning_effort", about.effort.as_deref());
        set("arize_codex_version", Some(env!("CARGO_PKG_VERSION")));
        if let Some(dirty) = about.git.dirty {
            map.insert("git_dirty".to_owned(), dirty.into());
        }
        serde_json::Value::from(map).to_string()
    }

    /// One response of the model.
    fn model_call(&self, n: usize, call: &ModelCall) -> Span {
        let mut a = Attributes::new(self.redactor, "LLM");
        self.common(&mut a);
        self.model(&mut a);
        a.input_messages(&call.input, &self.tools);
        a.output_message(call, &self.tools);
        if let Some(last) = call.input.last() {
            let tool = last.call_id.as_ref().and_then(|id| self.tools.get(id.as_str()));
            match tool {
                Some(tool) => {
                    a.value("input", Class::ToolContent, tool.output.as_deref().unwrap_or_default());
                }
                None => a.value("input", Class::Prompt, &last.text),
            }
        }
        let said: Vec<&str> = call
            .output
            .iter()
            .filter_map(|o| if let Output::Text(text) = o { Some(text.as_str()) } else { None })
            .collect();
        if !said.is_empty() {
            a.value("output", Class::Prompt, &said.join("\n\n"));
        }
        if let Some(usage) = &call.usage {
            a.usage(usage);
        }
        a.plain("codex.response_id", &call.id);
        let parent = match self.turn.compactions.iter().position(|c| call.compacts && within(call, c)) {
            Some(at) => self.compaction_id(at),
            None => self.root_id.clone(),
        };
        let error = call.error.clone().map(|e| ("ModelError", self.error_class(), e));
        let name = format!("Model call {}", n + 1);
        self.span(Some(parent), self.id(Role::Model, &call.id), name, (call.started, call.ended), a, error)
    }

    /// The model's whole part in the turn, where single responses are unknown or not wanted.
    fn whole_model(&self) -> Span {
        let turn = self.turn;
        let mut a = Attributes::new(self.redactor, "LLM");
        self.common(&mut a);
        self.conversation(&mut a);
        self.model_of_turn(&mut a);
        let ended = turn.calls.last().map_or(turn.ended, |c| c.ended);
        let started = turn.calls.first().map_or(turn.started, |c| c.started);
        let id = self.id(Role::Model, "all");
        self.span(Some(self.root_id.clone()), id, "Model".to_owned(), (started, ended.max(started)), a, None)
    }

    fn tool(&self, tool: &ToolCall) -> Span {
        let mut a = Attributes::new(self.redactor, "TOOL");
        self.common(&mut a);
        a.plain("tool.name", &tool.name);
        let json = is_json(&tool.arguments);
        let parameters = if json {
            tool.arguments.clone()
        } else {
            serde_json::json!({ "input": tool.arguments }).to_string()
        };
        a.json("tool.parameters", Class::ToolDetail, &parameters);
        a.value("input", Class::ToolDetail, &tool.arguments);
        if let Some(output) = self.tool_output(tool) {
            a.value("output", Class::ToolContent, &output);
        }
        a.plain("tool_call.id", &tool.call_id);
        a.plain("codex.tool.call_id", &tool.call_id);
        a.plain_if("codex.tool.model_name", tool.model_name.as_deref());
        if let Some((server, name)) = &tool.mcp {
            a.plain("codex.mcp.server", server);
            a.plain("codex.mcp.tool", name);
        }
        if let Some(code) = tool.exit_code {
            a.integer("codex.tool.exit_code", code);
        }
        self.permission(&mut a, tool);
        self.changes(&mut a, tool);
        let error = tool.error.as_ref().map(|message| {
            // Codex's own words about an exit hold nothing of the tool's.
            let plain = tool.exit_code.is_some_and(|code| *message == format!("exit code {code}"));
            let class = if plain { Class::Plain } else { Class::ToolContent };
            ("ToolError", class, message.clone())
        });
        let times = (tool.started, tool.ended);
        let id = self.id(Role::Tool, &tool.call_id);
        self.span(Some(self.root_id.clone()), id, tool.name.clone(), times, a, error)
    }

    /// What a failure of the model says may repeat a prompt as well as a result.
    fn error_class(&self) -> Class {
        if self.redactor.shows(Class::Prompt) { Class::ToolContent } else { Class::Prompt }
    }

    fn tool_output(&self, tool: &ToolCall) -> Option<String> {
        if tool.images.is_empty() {
            return tool.output.clone();
        }
        let images = tool.images.iter().map(describe_image);
        let parts = tool.output.iter().filter(|o| !o.is_empty()).cloned().chain(images);
        Some(parts.collect::<Vec<_>>().join("\n"))
    }

    fn permission(&self, a: &mut Attributes, tool: &ToolCall) {
        let Some(permission) = &tool.permission else {
            a.plain("codex.permission.decision", "none");
            return;
        };
        let decision = match permission.decision {
            Decision::Approved => "approved",
            Decision::Denied => "denied",
            Decision::Unknown => "unknown",
        };
        a.plain("codex.permission.decision", decision);
        a.plain("codex.permission.decided_by", &permission.decided_by);
        if let Some(wait) = permission.wait {
            a.number("codex.permission.wait_ms", u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        }
        if let Some(reason) = &permission.reason {
            a.text("codex.permission.reason", Class::ToolDetail, reason);
        }
    }

    fn changes(&self, a: &mut Attributes, tool: &ToolCall) {
        if tool.changes.is_empty() {
            return;
        }
        if self.redactor.shows(Class::ToolDetail) {
            let files: Vec<String> = tool.changes.iter().map(|c| format!("{} {}", c.kind, c.path)).collect();
            a.list("codex.patch.files", &files);
        }
        a.number("codex.patch.file_count", tool.changes.len() as u64);
        a.number("codex.patch.lines_added", tool.changes.iter().map(|c| c.lines_added).sum());
        a.number("codex.patch.lines_removed", tool.changes.iter().map(|c| c.lines_removed).sum());
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
        crate::codex::shorten::cut(&self.redactor.text(Class::Plain, name), NAME_BYTES).into_owned()
    }

    fn head(&self) -> Head {
        let (turn, redactor) = (self.turn, self.redactor);
        let prompt = turn.inputs.first().map(|m| redactor.text(Class::Prompt, &m.text).into_owned());
        let prompt = prompt.unwrap_or_default();
        let line = prompt.lines().find(|l| !l.trim().is_empty()).unwrap_or_default();
        let usage = turn.usage.as_ref();
        Head {
            key: EntryKey { turn: turn.turn.clone(), thread: turn.thread.clone(), part: turn.part },
            root_thread: turn.root_thread.clone(),
            root_turn: turn.root_turn.clone(),
            project_name: self.short(&self.profile.project_name),
            started_at: turn.started,
            ended_at: turn.ended,
            summary: Summary {
                name: self.short(&self.name()),
                prompt: crate::codex::shorten::cut(line, PROMPT_LINE_BYTES).into_owned(),
                model: turn.about.model.as_deref().map(|m| self.short(m)),
                cwd: turn.about.cwd.as_deref().map(|c| self.short(c)),
                status: turn.status.name().to_owned(),
                tool_calls: turn.tools.len() as u64,
                failed_tool_calls: turn.tools.iter().filter(|t| t.error.is_some()).count() as u64,
                model_calls: turn.calls.len() as u64,
                prompt_tokens: usage.map(|u| u.input_tokens),
                cached_tokens: usage.map(|u| u.cached_input_tokens),
                completion_tokens: usage.map(|u| u.output_tokens),
                reasoning_tokens: usage.map(|u| u.reasoning_output_tokens),
                origin: origin_name(turn.origin).to_owned(),
            },
        }
    }
}

fn turn_span_id(turn: &Turn, part: u32) -> Vec<u8> {
    ids::span_id(&turn.thread, &turn.turn, Role::Turn, &part.to_string()).to_vec()
}

fn within(call: &ModelCall, compaction: &Compaction) -> bool {
    call.started >= compaction.started && call.ended <= compaction.ended
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
