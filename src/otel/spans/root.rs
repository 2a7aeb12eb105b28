//! The turn's own span: what was said and answered, how it ended, and under which circumstances.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Link;

use crate::otel::redact::ContentClass;
use crate::otel::spans::attributes::{Attributes, said_in};
use crate::otel::spans::{Builder, origin_name};
use crate::turn::{Agent, Origin, Status};

impl Builder<'_> {
    /// The turn itself.
    pub(super) fn root(&self, calls: bool) -> Span {
        let turn = self.turn;
        let is_agent = calls || turn.agent.is_some();
        let mut a = Attributes::new(self.redactor, if is_agent { "AGENT" } else { "LLM" });
        self.common(&mut a);
        self.conversation(&mut a);
        self.model_of_turn(&mut a, !is_agent);
        if !is_agent {
            a.messages_as_output();
        }
        // Tokens are counted once: here, or by the model's own spans below.
        if let Some(usage) = turn.usage.as_ref().filter(|_| !is_agent) {
            a.usage(usage);
            a.cost(&self.bill());
        }
        if let Some(agent) = &turn.agent {
            self.agent(&mut a, agent);
        }
        self.circumstances(&mut a);
        let name = self.name();
        let error = match &turn.status {
            Status::Completed | Status::Running => None,
            Status::Failed { message } => Some(("TurnFailed", self.error_class(), message.clone())),
            Status::Interrupted { reason } => Some(("TurnInterrupted", ContentClass::Plain, reason.clone())),
        };
        let parent = self.parent();
        let times = (turn.started, turn.ended);
        let span = self.span(Some(parent), self.root_id.clone(), name, times, a, error);
        Span { links: self.own_trace().into_iter().collect(), ..span }
    }

    /// A link to the trace in Codex's own export. Codex records no span id, so the link names the trace's last bytes in
    /// its place: what follows links by trace finds the turn.
    fn own_trace(&self) -> Option<Link> {
        let hex = self.turn.about.trace_id.as_deref().filter(|id| id.len() == 32 && id.is_ascii())?;
        let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
        let trace_id: Vec<u8> = (0..32).step_by(2).map(byte).collect::<Option<_>>()?;
        Some(Link { span_id: trace_id[8..].to_vec(), trace_id, ..Link::default() })
    }

    pub(super) fn conversation(&self, a: &mut Attributes) {
        let prompts: Vec<_> = self.turn.inputs.iter().map(said_in).collect();
        if !prompts.is_empty() {
            let shown: Vec<_> = prompts.iter().map(|p| self.redactor.text(ContentClass::Prompt, p)).collect();
            a.value("input", ContentClass::Plain, &shown.join("\n\n"));
        }
        if let Some(answer) = &self.turn.answer {
            a.value("output", ContentClass::Prompt, answer);
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
            about.cwd.as_deref().and_then(|c| {
                // Only a Windows path is cut at backslashes: `C:\…`, `\\server\…` or `\\?\C:\…`.
                let windows = c.as_bytes().get(1) == Some(&b':') || c.starts_with(r"\\");
                c.rsplit(|x| x == '/' || x == '\\' && windows).find(|p| !p.is_empty())
            }),
        );
        let approval = about.approval_policy.as_deref().or(about.permission_mode.as_deref());
        a.plain_if("codex.approval_mode", approval);
        a.plain_if("codex.sandbox_mode", about.sandbox.as_deref());
        a.plain("codex.turn.status", turn.status.name());
        let duration = about.duration.unwrap_or_else(|| turn.ended.since(turn.started));
        a.number("codex.turn.duration_ms", u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        self.time_spent(a);
        a.plain_if("codex.turn.trigger", about.trigger.as_deref());
        a.plain_if("codex.trace_id", about.trace_id.as_deref());
        a.plain_if("codex.service_tier", about.service_tier.as_deref());
        let first_token = turn.calls.first().and_then(|call| call.time_to_first_token);
        if let Some(first) = first_token {
            a.number("codex.time_to_first_token_ms", u64::try_from(first.as_millis()).unwrap_or(u64::MAX));
        }
        if let Some(window) = about.context_window {
            a.number("codex.context_window", window);
        }
        if let Some((used, _)) = self.sums.context {
            a.number("codex.context_tokens", used);
        }
        if let Some(limits) = &about.rate_limits {
            a.json("codex.rate_limits", ContentClass::Plain, limits);
        }
        a.plain_if("codex.usage_source", turn.usage_source);
        a.plain("codex.origin", origin_name(turn.origin));
        if turn.origin == Origin::Notify && turn.calls.is_empty() && turn.tools.is_empty() {
            a.flag("codex.notify_fallback", true);
        }
        a.json("metadata", ContentClass::Plain, &self.metadata());
        if !self.profile.tags.is_empty() {
            a.list("tag.tags", &self.profile.tags);
        }
        for (key, value) in &self.profile.attributes {
            a.plain_unless_set(self.short(key), value);
        }
    }

    /// Adds where the turn's time went.
    fn time_spent(&self, a: &mut Attributes) {
        let spent = self.sums.time;
        if spent.is_empty() {
            return;
        }
        for (part, ms) in spent.parts() {
            a.number(&format!("codex.time.{part}_ms"), ms);
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
        set("session_start", about.session_start.as_deref());
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
}
