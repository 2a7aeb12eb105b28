//! The turn once everything is reported: how and when it ended, whose it was, what was answered.

use std::time::Duration;

use crate::codex::rollout::spawn::SpawnCall;
use crate::codex::rollout::{SessionMeta, TurnEnd};
use crate::ids::{ThreadId, TurnId};
use crate::time::Timestamp;
use crate::truncate::withheld;
use crate::turn::closed::{Closing, Reason};
use crate::turn::fold::tool_call::Frame;
use crate::turn::fold::tools::Tools;
use crate::turn::fold::{Fold, permission, scripts, sealed, usage};
use crate::turn::shelf::{Scratch, Shelf};
use crate::turn::*;

impl Fold<'_> {
    pub(super) fn finish(
        mut self,
        closing: &Closing,
        meta: Option<SessionMeta>,
        spawn: Option<SpawnCall>,
        git: Git,
    ) -> Turn {
        self.keep_unreported_text();
        let status = self.status(closing);
        let (started, ended) = self.bounds(closing);
        self.note_failed_request(&status, ended);
        self.join_requests(&status);
        self.give_instructions(closing, meta.as_ref());
        let blocked = self.was_blocked(closing);
        let reviewer = self.context.as_ref().and_then(|c| c.approvals_reviewer.clone());
        scripts::place_nested(&mut self.tools, ended);
        permission::mark_shared_refusals(&mut self.tools);
        let in_rollout = self.first_at.is_some();
        let frame = Frame { started, ended, status: &status, reviewer: reviewer.as_deref(), in_rollout };
        let tools = self.finish_tools(&frame);
        let usage_of_calls = self.bound_calls(started, ended);
        let notified = closing.turn.token_usage;
        let usage_source = match (&notified, &usage_of_calls) {
            (Some(_), _) => Some("notify"),
            (None, Some(_)) if self.first_at.is_none() => Some("hooks"),
            (None, Some(_)) => Some("rollout"),
            (None, None) => None,
        };
        let (root_thread, root_turn) = self.root(closing, meta.as_ref(), spawn.as_ref());
        let agent = self.agent(closing, meta.as_ref(), spawn);
        for compaction in &mut self.compactions {
            compaction.started = compaction.started.max(started).min(ended);
            compaction.ended = compaction.ended.max(compaction.started).min(ended);
        }
        self.note_first_token();
        let answer = self.answer(closing, &status);
        let differences = std::mem::take(&mut self.differences);
        let mut inputs = self.reported_inputs(closing, agent.as_ref());
        if blocked {
            // It may have been blocked for what it holds, and nobody has read it.
            inputs.iter_mut().for_each(|input| input.text = withheld(&input.text).into_owned());
        }
        let calls = std::mem::replace(&mut self.calls, Shelf::new(&Scratch::default()));
        let (compactions, scratch) = (std::mem::take(&mut self.compactions), self.scratch.clone());
        Turn {
            thread: closing.thread.clone(),
            turn: closing.turn.id.clone(),
            part: closing.turn.part,
            root_thread,
            root_turn,
            traceparent: closing.turn.traceparent.clone(),
            number: Some(closing.turn.number).filter(|n| *n > 0),
            started,
            ended,
            status,
            blocked,
            inputs,
            before: None,
            answer,
            about: self.about(closing, meta, git),
            calls,
            tools,
            compactions,
            differences,
            scratch,
            usage: notified.or(usage_of_calls),
            usage_source,
            agent: agent.map(|(agent, _)| agent),
            origin: match closing.reason {
                Reason::Backfill => Origin::Backfill,
                Reason::NotifyOnly => Origin::Notify,
                _ => Origin::Hooks,
            },
        }
    }

    /// Returns the calls of the turn in the order in which they began.
    fn finish_tools(&mut self, frame: &Frame) -> Shelf<ToolCall> {
        let drafts = std::mem::replace(&mut self.tools, Tools::new(&self.scratch));
        let mut tools = Shelf::new(&self.scratch);
        let mut starts = Vec::new();
        let ours = drafts.into_drafts().filter(|d| d.is_of_this_turn(frame.in_rollout));
        for tool in ours.filter_map(|d| d.finish(frame)) {
            starts.push(tool.started);
            tools.push(tool);
        }
        tools.sort_by_keys(&starts);
        tools
    }

    /// Keeps every response within the turn, and returns what they used together.
    fn bound_calls(&mut self, started: Timestamp, ended: Timestamp) -> Option<Usage> {
        let mut used = None;
        for at in 0..self.calls.len() {
            let call = self.calls.at(at);
            let reported = (call.started, call.ended);
            call.usage.iter().for_each(|usage| usage::add(&mut used, usage));
            drop(call);
            let begins = reported.0.max(started).min(ended);
            let bounds = (begins, reported.1.max(begins).min(ended));
            if bounds != reported {
                let call = self.calls.at_mut(at);
                (call.started, call.ended) = bounds;
            }
        }
        used
    }

    pub(super) fn status(&self, closing: &Closing) -> Status {
        let interrupted = |reason: &str| Status::Interrupted { reason: reason.to_owned() };
        match (&self.end, closing.reason) {
            (Some((_, TurnEnd::Completed { error: Some(message), .. })), _) => {
                Status::Failed { message: message.clone() }
            }
            (Some((_, TurnEnd::Completed { last_message: None, .. })), _) if self.was_blocked(closing) => {
                interrupted("the prompt was blocked")
            }
            (Some((_, TurnEnd::Completed { last_message: None, .. })), _)
                if self.lacks_its_answer(closing) =>
            {
                Status::Failed { message: "the turn ended without an answer".to_owned() }
            }
            (Some((_, TurnEnd::Completed { .. })), _) => Status::Completed,
            (Some((_, TurnEnd::Aborted { reason, .. })), _) => {
                interrupted(reason.as_deref().unwrap_or("interrupted"))
            }
            (None, Reason::Stop | Reason::Compacted | Reason::NotifyOnly) => Status::Completed,
            (None, _) if closing.turn.notified.is_some() => Status::Completed,
            (None, Reason::Running) => Status::Running,
            (None, Reason::Interrupt) => interrupted("interrupted"),
            (None, reason) => match (&self.last_error, reason) {
                (Some(message), _) => Status::Failed { message: message.clone() },
                (None, Reason::NextTurn) => interrupted("another turn began"),
                (None, Reason::SessionEnd) => interrupted("the session ended"),
                (None, Reason::Orphaned) => interrupted("the Codex process ended"),
                (None, _) => interrupted("its end was never reported"),
            },
        }
    }

    /// Returns true if a user's own hook kept the prompt from the model: the rollout reports the turn's
    /// end and of nothing said or asked in it.
    pub(super) fn was_blocked(&self, closing: &Closing) -> bool {
        let nothing = self.inputs.is_empty() && self.calls.is_empty() && self.tools.is_empty();
        let ended = matches!(self.end, Some((_, TurnEnd::Completed { last_message: None, error: None, .. })));
        ended && nothing && self.compactions.is_empty() && !closing.turn.prompts.is_empty()
    }

    /// Releases before about 0.151 complete a turn whose request failed without a word of it: it has no answer,
    /// and neither Stop nor notify reported its end.
    pub(super) fn lacks_its_answer(&self, closing: &Closing) -> bool {
        let reported =
            matches!(closing.reason, Reason::Stop | Reason::NotifyOnly) || closing.turn.notified.is_some();
        let asked = !self.calls.is_empty() || !self.inputs.is_empty();
        !reported
            && asked
            && !self.tokens.is_exact()
            && self.compactions.is_empty()
            && self.final_text().is_none()
    }

    /// The text that ends the last response; none when it asks for a tool.
    pub(super) fn final_text(&self) -> Option<String> {
        let last = self.calls.iter().rev().find(|c| !c.compacts)?;
        let asks = last.output.iter().any(|o| matches!(o, Output::Tool(_)));
        let texts = last.output.iter().rev().filter(|_| !asks);
        texts.filter_map(|o| if let Output::Text(text) = o { Some(text.clone()) } else { None }).next()
    }

    /// From the first to the last moment of the turn. The rollout's own end is the truest; without one a turn
    /// that was found abandoned ended with the last thing known of it, not when it was found.
    pub(super) fn bounds(&self, closing: &Closing) -> (Timestamp, Timestamp) {
        let hooked = self.tools.briefs().iter().flat_map(|t| [t.hook_at, t.finished_at]).flatten();
        // Of a turn that only notify reports, the rollout knows better when it began.
        let guessed = closing.reason == Reason::NotifyOnly && self.first_at.is_some();
        let begun = Some(closing.turn.started).filter(|at| *at > Timestamp::default() && !guessed);
        let part = closing.turn.part > 0;
        let first = if part { self.first_at.or(begun) } else { self.first_at.into_iter().chain(begun).min() };
        let started = first.into_iter().chain(hooked.clone().min()).min().unwrap_or(closing.at);
        let last_known = self.last_at.into_iter().chain(hooked).chain(closing.turn.notified).max();
        let prompt = matches!(closing.reason, Reason::Stop | Reason::Interrupt | Reason::Running);
        let ended = match &self.end {
            Some((at, _)) => *at,
            None if prompt => closing.at,
            None => last_known.unwrap_or(closing.at),
        };
        (started, ended.max(started))
    }

    /// A request the model never answered well: the turn failed while it waited.
    pub(super) fn note_failed_request(&mut self, status: &Status, ended: Timestamp) {
        let Status::Failed { message } = status else { return };
        let answering = !self.sealed && self.calls.last().is_some_and(|c| c.usage.is_none());
        if !answering {
            self.begin_call(ended);
        }
        if let Some(call) = self.calls.last_mut() {
            call.error = Some(message.clone());
            call.ended = ended;
        }
    }

    pub(super) fn root(
        &self,
        closing: &Closing,
        meta: Option<&SessionMeta>,
        spawn: Option<&SpawnCall>,
    ) -> (ThreadId, TurnId) {
        let (mut thread, mut turn) = (closing.thread.clone(), closing.turn.id.clone());
        if let Some(root) = &closing.root {
            thread = root.thread.clone();
            let reported = self.beginning.as_ref().and_then(|b| TurnId::parse(b.root_turn.as_deref()?).ok());
            // The call's turn is the root's where the root itself made the call. What the session's hooks know is the
            // turn that ran when this one ended, which may be a later one.
            let parent = meta.and_then(|m| m.subagent.as_ref()?.parent_thread.as_deref());
            let called = spawn.filter(|_| parent.is_none_or(|p| p == root.thread.as_str()));
            let called = called.and_then(|s| TurnId::parse(s.turn.as_deref()?).ok());
            turn = reported.or(called).or_else(|| root.turn.clone()).unwrap_or(turn);
        }
        (thread, turn)
    }

    pub(super) fn agent(
        &self,
        closing: &Closing,
        meta: Option<&SessionMeta>,
        spawn: Option<SpawnCall>,
    ) -> Option<(Agent, Option<String>)> {
        let root = closing.root.as_ref()?;
        let source = meta.and_then(|m| m.subagent.clone()).unwrap_or_default();
        let thread = source.parent_thread.as_deref().and_then(|t| ThreadId::parse(t).ok());
        let reported = self.beginning.as_ref().and_then(|b| b.parent_turn.clone());
        let turn = spawn.as_ref().and_then(|s| s.turn.clone()).or(reported);
        let turn = turn.and_then(|t| TurnId::parse(&t).ok()).or_else(|| root.turn.clone());
        let parent = turn.map(|turn| AgentParent {
            thread: thread.unwrap_or_else(|| root.thread.clone()),
            turn,
            call_id: spawn.as_ref().map(|s| s.call_id.clone()),
        });
        let agent = Agent {
            kind: source.role.or_else(|| root.agent_type.clone()),
            path: source.path,
            nickname: source.nickname,
            parent,
        };
        Some((agent, spawn.and_then(|s| s.task)))
    }

    pub(super) fn answer(&self, closing: &Closing, status: &Status) -> Option<String> {
        let reported = match &self.end {
            Some((_, TurnEnd::Completed { last_message, .. })) => last_message.clone(),
            _ => None,
        };
        // What was written until a request failed is a part of an answer, reported with the response.
        // An interrupt after the last response was whole came while hooks ran: its text is the answer all the same.
        let whole = || {
            let last = self.calls.iter().rev().find(|call| !call.compacts);
            matches!(status, Status::Interrupted { .. }) && last.is_some_and(|call| call.usage.is_some())
        };
        let written = || self.final_text().filter(|_| *status == Status::Completed || whole());
        reported
            .or_else(|| closing.turn.last_assistant_message.clone())
            .or_else(written)
            .filter(|a| !a.is_empty())
    }

    /// Returns what the user said: as the rollout tells it, or as the hooks do where it knows of less.
    pub(super) fn reported_inputs(
        &mut self,
        closing: &Closing,
        agent: Option<&(Agent, Option<String>)>,
    ) -> Vec<Message> {
        let mut inputs = std::mem::take(&mut self.inputs);
        inputs.iter_mut().for_each(|input| input.text = sealed::unsealed(&input.text));
        let task = agent.and_then(|(_, task)| task.as_deref()).map(sealed::unsealed);
        if let Some(objective) = self.objective().filter(|_| inputs.is_empty()) {
            return vec![Message {
                role: MessageRole::User,
                text: objective,
                images: Vec::new(),
                call_id: None,
            }];
        }
        if inputs.len() >= closing.turn.prompts.len().max(1) {
            return inputs;
        }
        let user = |text: &String| Message {
            role: MessageRole::User,
            text: text.clone(),
            images: Vec::new(),
            call_id: None,
        };
        let reported = inputs.len();
        // Hooks that are registered twice, by a plugin as well, say everything twice.
        let new = |prompt: &&String| !inputs.iter().any(|input| input.text == **prompt);
        let more: Vec<Message> = closing.turn.prompts.iter().skip(reported).filter(new).map(user).collect();
        let mut all = inputs;
        // A subagent's prompt is its task: what notify repeats is its parent's.
        match task {
            Some(task) if reported == 0 => all.push(user(&task)),
            _ => all.extend(more),
        }
        all
    }

    /// Returns what a turn that a goal began works towards: it has no message of the user's.
    fn objective(&self) -> Option<String> {
        let beginning = self.beginning.as_ref().filter(|b| b.trigger.as_deref() == Some("goal"))?;
        beginning.objective.clone().or_else(|| self.goal.clone())
    }

    /// Puts the model's own instructions before everything else of a session's first turn.
    fn give_instructions(&mut self, closing: &Closing, meta: Option<&SessionMeta>) {
        let first = closing.turn.number == 1 && closing.turn.part == 0;
        if !closing.profile.model_input || !first {
            return;
        }
        let Some(mut text) = meta.and_then(|meta| meta.instructions.clone()) else { return };
        self.room.text(&mut text);
        if let Some(call) = self.calls.first_mut() {
            let system = Message { role: MessageRole::System, text, images: Vec::new(), call_id: None };
            call.input.insert(0, system);
        }
    }

    /// Codex measures it once a turn, for its first response.
    fn note_first_token(&mut self) {
        let Some((_, TurnEnd::Completed { first_token_ms: Some(ms), .. })) = self.end else { return };
        if !self.calls.is_empty() {
            let call = self.calls.at_mut(0);
            call.time_to_first_token = Some(Duration::from_millis(ms));
        }
    }

    fn about(self, closing: &Closing, meta: Option<SessionMeta>, git: Git) -> About {
        let (meta, context) = (meta.unwrap_or_default(), self.context.unwrap_or_default());
        let settings = self.settings.unwrap_or_default();
        let beginning = self.beginning.unwrap_or_default();
        let session = &closing.session;
        let duration = match self.end {
            Some((_, TurnEnd::Completed { duration_ms, .. } | TurnEnd::Aborted { duration_ms, .. })) => {
                duration_ms
            }
            None => None,
        };
        About {
            model: context.model.or(settings.model).or_else(|| session.model.clone()),
            provider: meta.model_provider.or(settings.provider),
            effort: context.effort.or(settings.effort),
            // The turn's own line may say "none" where the requests asked for more.
            reasoning_summary: settings.summary.or(context.summary),
            service_tier: settings.service_tier,
            context_window: self.window,
            rate_limits: self.rate_limits,
            trace_id: beginning.trace_id,
            trigger: beginning.trigger,
            approval_policy: context.approval_policy,
            permission_mode: session.permission_mode.clone(),
            sandbox: context.sandbox,
            collaboration_mode: context.collaboration_mode,
            cwd: context.cwd.or_else(|| session.cwd.clone()).or(meta.cwd),
            codex_version: meta.cli_version,
            client: closing.turn.client.clone().or(meta.originator),
            session_source: meta.source,
            session_start: session.source.clone(),
            duration: duration.map(Duration::from_millis),
            git: Git {
                branch: git.branch.or(meta.git_branch),
                commit: git.commit.or(meta.git_commit),
                remote: git.remote.or(meta.git_remote),
                dirty: git.dirty,
            },
        }
    }
}
