//! The heart: the pure, total step from (hooks, rollout, notify) to a [`Turn`].
//!
//! The rollout fills in the facts, the rows what only hooks saw, notify what is left. Each alone gives a correct,
//! poorer turn. Nothing here reads a file or a clock, and no input makes it fail.

mod room;
mod tools;
mod usage;

use std::collections::BTreeMap;
use std::time::Duration;

use self::room::Room;
use self::tools::ToolDraft;
use self::usage::TokenCounter;
use super::closing::{Closing, Reason};
use super::rows::{Kind, Row};
use super::turn::*;
use crate::codex::ids::{ThreadId, TurnId};
use crate::codex::rollout::spawn::SpawnCall;
use crate::codex::rollout::{Fact, Image, ModelOutput, Record, SessionMeta, TurnContext, TurnEnd};
use crate::time::Timestamp;

/// Everything that is known of a turn.
pub struct Evidence<'a, R: Iterator<Item = Record>> {
    pub closing: &'a Closing,
    pub rows: Vec<Row>,
    /// The first line of the thread's rollout.
    pub meta: Option<SessionMeta>,
    /// The rollout, from the turn's beginning or earlier.
    pub records: R,
    /// The call that set a subagent to work.
    pub spawn: Option<SpawnCall>,
    pub git: Git,
}

/// Works out what happened.
pub fn fold<R: Iterator<Item = Record>>(evidence: Evidence<'_, R>) -> Turn {
    let mut fold = Fold::new(evidence.closing);
    for record in evidence.records {
        if fold.is_over(&record) {
            break;
        }
        fold.record(record);
    }
    for row in evidence.rows {
        fold.row(&row);
    }
    fold.finish(evidence.closing, evidence.meta, evidence.spawn, evidence.git)
}

/// The turn as far as it has been told.
struct Fold<'a> {
    turn: &'a str,
    room: Room,
    /// The turn that lines without an id of their own belong to.
    current: Option<String>,
    first_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
    started_line: Option<(Option<String>, Option<String>)>,
    context: Option<TurnContext>,
    inputs: Vec<Message>,
    user_images: Vec<Image>,
    calls: Vec<ModelCall>,
    /// Whether the last call is finished: what the model writes next is another response.
    sealed: bool,
    /// What the next call will be the first to see.
    pending: Vec<Message>,
    /// When the last thing the model waits for was there.
    ready_at: Timestamp,
    /// An assistant's text told only as an event so far.
    untold_text: Option<(Timestamp, String)>,
    tools: Vec<ToolDraft>,
    by_call: BTreeMap<String, usize>,
    tokens: TokenCounter,
    compactions: Vec<Compaction>,
    /// Set between a summary and the first count of the new context.
    counting_after: bool,
    end: Option<(Timestamp, TurnEnd)>,
    last_error: Option<String>,
    open_compact: Option<(Timestamp, Option<String>)>,
}

impl<'a> Fold<'a> {
    fn new(closing: &'a Closing) -> Fold<'a> {
        Fold {
            turn: closing.turn.id.as_str(),
            room: Room::new(closing.profile.max_value_bytes),
            // A continuation is read from the middle of its turn.
            current: closing.turn.rollout_from.map(|_| closing.turn.id.as_str().to_owned()),
            first_at: None,
            last_at: None,
            started_line: None,
            context: None,
            inputs: Vec::new(),
            user_images: Vec::new(),
            calls: Vec::new(),
            sealed: false,
            pending: Vec::new(),
            ready_at: closing.turn.started,
            untold_text: None,
            tools: Vec::new(),
            by_call: BTreeMap::new(),
            tokens: TokenCounter::default(),
            compactions: Vec::new(),
            counting_after: false,
            end: None,
            last_error: None,
            open_compact: None,
        }
    }

    /// Whether nothing more of the turn can follow.
    fn is_over(&self, record: &Record) -> bool {
        let begins_another =
            matches!(record.fact, Fact::TurnStarted { .. }) && record.turn.as_deref() != Some(self.turn);
        self.end.is_some() && begins_another
    }

    fn record(&mut self, record: Record) {
        if let Fact::TurnStarted { .. } | Fact::Context(_) = record.fact {
            self.current = record.turn.clone().or(self.current.take());
        }
        if let Fact::TokenCount { total, last } = &record.fact {
            self.token_count(&record, total, last);
            return;
        }
        let turn = record.turn.as_deref().or(self.current.as_deref());
        if turn != Some(self.turn) {
            return;
        }
        if record.at > Timestamp::default() && self.end.is_none() {
            self.first_at.get_or_insert(record.at);
            self.last_at = Some(self.last_at.map_or(record.at, |last| last.max(record.at)));
        }
        self.fact(record.at, record.fact);
    }

    fn fact(&mut self, at: Timestamp, mut fact: Fact) {
        self.room.fit(&mut fact);
        match fact {
            Fact::TurnStarted { root_turn, parent_turn } => {
                self.started_line = Some((root_turn, parent_turn));
                self.ready_at = at;
            }
            Fact::Context(context) => {
                self.context = Some(*context);
                self.input_arrived(at, None);
            }
            Fact::UserImages(images) => self.user_images = images,
            Fact::User(message) => {
                let whole = std::mem::take(&mut self.user_images);
                let images = if whole.len() == message.images.len() { whole } else { message.images };
                let message = Message { role: Role::User, text: message.text, images, call_id: None };
                self.inputs.push(message.clone());
                self.input_arrived(at, Some(message));
            }
            Fact::AgentMessage { author, text } => {
                let text = format!("{author}: {text}");
                let message = Message { role: Role::Agent, text, images: Vec::new(), call_id: None };
                self.input_arrived(at, Some(message));
            }
            Fact::Output(output) => self.output(at, output),
            Fact::AssistantEvent { text } => {
                let told = self.calls.last().is_some_and(|c| c.output.contains(&Output::Text(text.clone())));
                if !told {
                    self.tell_untold_text();
                    self.untold_text = Some((at, text));
                }
            }
            Fact::ToolOutput(mut output) => {
                self.tell_untold_text();
                let told_code = tools::exit_code_in(&output.text);
                self.room.text(&mut output.text);
                output.images.iter_mut().for_each(|image| self.room.text(&mut image.0));
                let draft = self.tool(&output.call_id, at);
                draft.output_at = Some(at);
                draft.told_code = told_code;
                let call_id = output.call_id.clone();
                draft.output = Some(output);
                // The text stays with the tool: it may be large.
                let message = Message {
                    role: Role::Tool,
                    text: String::new(),
                    images: Vec::new(),
                    call_id: Some(call_id),
                };
                self.input_arrived(at, Some(message));
            }
            Fact::ToolDetail(detail) => {
                let known = self.by_call.contains_key(&detail.call_id);
                // A search of an old release is told by its event alone: its own line has no id.
                if known || !detail.call_id.is_empty() {
                    let draft = self.tool(&detail.call_id.clone(), detail.started.unwrap_or(at));
                    draft.detail_at = Some(at);
                    draft.detail = Some(*detail);
                }
            }
            Fact::ResponseUsage { response_id, usage } => {
                self.tell_untold_text();
                self.tokens.exact();
                let call = self.call_to_price(at);
                call.usage = Some(usage);
                call.ended = call.ended.max(at);
                if !response_id.is_empty() {
                    call.id = response_id;
                }
                self.sealed = true;
            }
            Fact::Compacted { summary } => self.compacted(at, summary),
            Fact::Compaction { started, completed } => self.compaction(at, started, completed),
            Fact::Subagent { call_id, kind, thread, .. } => {
                if kind == "started" {
                    self.tool(&call_id, at).spawned = Some(thread);
                }
            }
            Fact::TurnEnded(end) => {
                self.tell_untold_text();
                self.end.get_or_insert((at, end));
            }
            Fact::Error { message } => self.last_error = Some(message),
            Fact::Session(_) | Fact::TokenCount { .. } => {}
        }
    }

    fn output(&mut self, at: Timestamp, output: ModelOutput) {
        let part = match output {
            ModelOutput::Message { text } => {
                self.untold_text.take_if(|(_, untold)| *untold == text);
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
                let draft = self.tool(&call_id, at);
                draft.asked_at = Some(at);
                draft.request = Some(request);
                Output::Tool(call_id)
            }
        };
        self.tell_untold_text();
        self.call_at(at).output.push(part);
    }

    /// The id of a call that has none: that of the event that told of it, else its ordinal.
    fn nameless_call(&self, name: &str) -> String {
        let told = self.tools.iter().find(|t| t.request.is_none() && t.is_hosted_detail());
        told.map_or_else(|| format!("{name}-{}", self.tools.len() + 1), |t| t.call_id.clone())
    }

    fn tell_untold_text(&mut self) {
        if let Some((at, text)) = self.untold_text.take() {
            self.call_at(at).output.push(Output::Text(text));
        }
    }

    /// The response being written at `at`.
    fn call_at(&mut self, at: Timestamp) -> &mut ModelCall {
        if self.calls.is_empty() || self.sealed {
            self.begin_call(at);
        }
        let last = self.calls.len() - 1;
        let call = &mut self.calls[last];
        call.ended = call.ended.max(at);
        call
    }

    fn begin_call(&mut self, at: Timestamp) {
        self.sealed = false;
        let started = if self.ready_at == Timestamp::default() { at } else { self.ready_at.min(at) };
        self.calls.push(ModelCall {
            id: format!("response-{}", self.calls.len() + 1),
            started,
            ended: at,
            input: std::mem::take(&mut self.pending),
            output: Vec::new(),
            usage: None,
            error: None,
            compacts: false,
        });
    }

    /// The response that usage told now belongs to: the last one, unless it has its usage already.
    fn call_to_price(&mut self, at: Timestamp) -> &mut ModelCall {
        if self.calls.last().is_none_or(|c| c.usage.is_some()) {
            self.begin_call(at);
        }
        let last = self.calls.len() - 1;
        &mut self.calls[last]
    }

    /// Something the model waited for is there: the response before it is finished.
    fn input_arrived(&mut self, at: Timestamp, message: Option<Message>) {
        self.tell_untold_text();
        self.sealed = !self.calls.is_empty();
        self.ready_at = self.ready_at.max(at);
        self.pending.extend(message);
    }

    fn tool(&mut self, call_id: &str, at: Timestamp) -> &mut ToolDraft {
        // Calls beyond any real turn's are told as one.
        let next = self.tools.len().min(MAX_TOOLS);
        let at_index = *self.by_call.entry(call_id.to_owned()).or_insert(next);
        if at_index == self.tools.len() {
            self.tools.push(ToolDraft::new(call_id, at));
        }
        &mut self.tools[at_index]
    }

    fn token_count(&mut self, record: &Record, total: &usage::Usage, last: &usage::Usage) {
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
    fn compacted(&mut self, at: Timestamp, summary: String) {
        self.tell_untold_text();
        let wrote = |call: &ModelCall| match &call.output[..] {
            [.., Output::Text(text)] => !text.is_empty() && summary.contains(text.as_str()),
            _ => false,
        };
        let compacting = self.calls.last().is_some_and(wrote);
        let mut started = at;
        if let Some(call) = self.calls.last_mut().filter(|_| compacting) {
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
        let message = Message { role: Role::Summary, text: summary, images: Vec::new(), call_id: None };
        self.pending.clear();
        self.input_arrived(at, Some(message));
    }

    fn compaction(&mut self, at: Timestamp, started: Option<Timestamp>, completed: Option<Timestamp>) {
        if self.compactions.is_empty() && started.is_none() {
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
        for call in &mut self.calls {
            let writes = call.output.iter().any(|o| matches!(o, Output::Tool(_)));
            call.compacts |= call.started >= started && call.ended <= ended && !writes;
        }
        self.ready_at = self.ready_at.max(ended);
    }

    fn row(&mut self, row: &Row) {
        if row.turn.as_ref().is_some_and(|t| t.as_str() != self.turn) {
            return;
        }
        match row.row {
            Kind::PreToolUse => {
                self.hooked_tool(row);
            }
            Kind::PostToolUse => {
                self.hooked_tool(row).finished(row.at, row.output.as_deref());
            }
            Kind::PermissionRequest => tools::ask_permission(&mut self.tools, row),
            Kind::PreCompact => self.open_compact = Some((row.at, row.trigger.clone())),
            Kind::PostCompact => self.compacted_by_hook(row),
            Kind::Settings | Kind::Unknown => {}
        }
    }

    fn hooked_tool(&mut self, row: &Row) -> &mut ToolDraft {
        let draft = self.tool(&row.call_id, row.at);
        draft.hooked(row.at, &row.name, row.input.as_deref());
        draft
    }

    /// A compaction as hooks saw it: they know its trigger, the rollout the rest.
    fn compacted_by_hook(&mut self, row: &Row) {
        let (started, trigger) = self.open_compact.take().unwrap_or((row.at, None));
        let trigger = row.trigger.clone().or(trigger);
        let margin = Duration::from_millis(500);
        let same = self.compactions.iter_mut().find(|c| {
            c.trigger.is_none() && c.started <= row.at.plus(margin) && started <= c.ended.plus(margin)
        });
        match same {
            Some(compaction) => compaction.trigger = trigger,
            None => self.compactions.push(Compaction {
                started,
                ended: row.at,
                trigger,
                tokens_before: None,
                tokens_after: None,
                summary: None,
            }),
        }
    }

    fn finish(
        mut self,
        closing: &Closing,
        meta: Option<SessionMeta>,
        spawn: Option<SpawnCall>,
        git: Git,
    ) -> Turn {
        self.tell_untold_text();
        let status = self.status(closing);
        let (started, ended) = self.bounds(closing);
        self.note_failed_request(&status, ended);
        let reviewer = self.context.as_ref().and_then(|c| c.approvals_reviewer.clone());
        tools::mark_shared_refusals(&mut self.tools);
        let drafts = std::mem::take(&mut self.tools);
        let mut tools: Vec<ToolCall> = drafts
            .into_iter()
            .filter_map(|d| d.finish(started, ended, &status, reviewer.as_deref()))
            .collect();
        tools.sort_by_key(|t| t.started);
        let usage_of_calls = usage::sum(self.calls.iter().filter_map(|c| c.usage.as_ref()));
        let notified = closing.turn.token_usage;
        let usage_source = match (&notified, &usage_of_calls) {
            (Some(_), _) => Some("notify"),
            (None, Some(_)) => Some("rollout"),
            (None, None) => None,
        };
        let (root_thread, root_turn) = self.root(closing, meta.as_ref(), spawn.as_ref());
        let agent = self.agent(closing, meta.as_ref(), spawn);
        for call in &mut self.calls {
            call.started = call.started.max(started).min(ended);
            call.ended = call.ended.max(call.started).min(ended);
        }
        for compaction in &mut self.compactions {
            compaction.started = compaction.started.max(started).min(ended);
            compaction.ended = compaction.ended.max(compaction.started).min(ended);
        }
        let answer = self.answer(closing, &status);
        let inputs = self.told_inputs(closing, agent.as_ref());
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
            inputs,
            answer,
            about: about(closing, meta, self.context, self.end.map(|(_, end)| end), git),
            calls: self.calls,
            tools,
            compactions: self.compactions,
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

    fn status(&self, closing: &Closing) -> Status {
        let interrupted = |reason: &str| Status::Interrupted { reason: reason.to_owned() };
        match (&self.end, closing.reason) {
            (Some((_, TurnEnd::Completed { error: Some(message), .. })), _) => {
                Status::Failed { message: message.clone() }
            }
            (Some((_, TurnEnd::Completed { .. })), _) if self.lacks_its_answer(closing) => {
                Status::Failed { message: "the turn ended without an answer".to_owned() }
            }
            (Some((_, TurnEnd::Completed { .. })), _) => Status::Completed,
            (Some((_, TurnEnd::Aborted { reason, .. })), _) => {
                interrupted(reason.as_deref().unwrap_or("interrupted"))
            }
            (None, Reason::Stop | Reason::Compacted | Reason::Notified | Reason::NotifyOnly) => {
                Status::Completed
            }
            (None, _) if closing.turn.notified.is_some() => Status::Completed,
            (None, Reason::Interrupt) => interrupted("interrupted"),
            (None, reason) => match (&self.last_error, reason) {
                (Some(message), _) => Status::Failed { message: message.clone() },
                (None, Reason::NextTurn) => interrupted("another turn began"),
                (None, Reason::SessionEnd) => interrupted("the session ended"),
                (None, Reason::Orphaned) => interrupted("the Codex process ended"),
                (None, _) => interrupted("its end was never told"),
            },
        }
    }

    /// Releases before about 0.151 complete a turn whose request failed without a word of it: it has no answer,
    /// and neither Stop nor notify told of its end.
    fn lacks_its_answer(&self, closing: &Closing) -> bool {
        let told = matches!(closing.reason, Reason::Stop | Reason::Notified | Reason::NotifyOnly)
            || closing.turn.notified.is_some();
        !told
            && !self.calls.is_empty()
            && !self.tokens.is_exact()
            && self.compactions.is_empty()
            && self.final_text().is_none()
    }

    /// The text that ends the last response; none when it asks for a tool.
    fn final_text(&self) -> Option<&String> {
        let last = self.calls.iter().rev().find(|c| !c.compacts)?;
        let asks = last.output.iter().any(|o| matches!(o, Output::Tool(_)));
        let texts = last.output.iter().rev().filter(|_| !asks);
        texts.filter_map(|o| if let Output::Text(text) = o { Some(text) } else { None }).next()
    }

    /// From the first to the last moment of the turn. The rollout's own end is the truest; without one a turn
    /// that was found abandoned ended with the last thing known of it, not when it was found.
    fn bounds(&self, closing: &Closing) -> (Timestamp, Timestamp) {
        let hooked = self.tools.iter().flat_map(|t| [t.hook_at, t.finished_at]).flatten();
        let begun =
            if closing.turn.started > Timestamp::default() { Some(closing.turn.started) } else { None };
        let part = closing.turn.part > 0;
        let first = if part { self.first_at.or(begun) } else { self.first_at.into_iter().chain(begun).min() };
        let started = first.into_iter().chain(hooked.clone().min()).min().unwrap_or(closing.at);
        let last_known = self.last_at.into_iter().chain(hooked).chain(closing.turn.notified).max();
        let prompt = matches!(closing.reason, Reason::Stop | Reason::Interrupt);
        let ended = match &self.end {
            Some((at, _)) => *at,
            None if prompt => closing.at,
            None => last_known.unwrap_or(closing.at),
        };
        (started, ended.max(started))
    }

    /// A request the model never answered well: the turn failed while it waited.
    fn note_failed_request(&mut self, status: &Status, ended: Timestamp) {
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

    fn root(
        &self,
        closing: &Closing,
        meta: Option<&SessionMeta>,
        spawn: Option<&SpawnCall>,
    ) -> (ThreadId, TurnId) {
        let (mut thread, mut turn) = (closing.thread.clone(), closing.turn.id.clone());
        if let Some(root) = &closing.root {
            thread = root.thread.clone();
            let told = self.started_line.as_ref().and_then(|(root, _)| TurnId::parse(root.as_deref()?).ok());
            // The call's turn is the root's where the root itself made the call.
            let parent = meta.and_then(|m| m.subagent.as_ref()?.parent_thread.as_deref());
            let called = spawn.filter(|_| parent.is_none_or(|p| p == root.thread.as_str()));
            let called = called.and_then(|s| TurnId::parse(s.turn.as_deref()?).ok());
            turn = told.or_else(|| root.turn.clone()).or(called).unwrap_or(turn);
        }
        (thread, turn)
    }

    fn agent(
        &self,
        closing: &Closing,
        meta: Option<&SessionMeta>,
        spawn: Option<SpawnCall>,
    ) -> Option<(Agent, Option<String>)> {
        let root = closing.root.as_ref()?;
        let source = meta.and_then(|m| m.subagent.clone()).unwrap_or_default();
        let thread = source.parent_thread.as_deref().and_then(|t| ThreadId::parse(t).ok());
        let told = self.started_line.as_ref().and_then(|(_, parent)| parent.clone());
        let turn = spawn.as_ref().and_then(|s| s.turn.clone()).or(told);
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

    fn answer(&self, closing: &Closing, status: &Status) -> Option<String> {
        let told = match &self.end {
            Some((_, TurnEnd::Completed { last_message, .. })) => last_message.clone(),
            _ => None,
        };
        // What was written until a request failed is a part of an answer, told with the response.
        let written = || self.final_text().filter(|_| *status == Status::Completed).cloned();
        told.or_else(|| closing.turn.last_assistant_message.clone())
            .or_else(written)
            .filter(|a| !a.is_empty())
    }

    /// What the person said: as the rollout tells it, or as the hooks do where it knows of less.
    fn told_inputs(&mut self, closing: &Closing, agent: Option<&(Agent, Option<String>)>) -> Vec<Message> {
        let inputs = std::mem::take(&mut self.inputs);
        let task = agent.and_then(|(_, task)| task.as_ref());
        if inputs.len() >= closing.turn.prompts.len().max(1) {
            return inputs;
        }
        let user = |text: &String| Message {
            role: Role::User,
            text: text.clone(),
            images: Vec::new(),
            call_id: None,
        };
        let told = inputs.len();
        let mut all = inputs;
        // A subagent's prompt is its task: what notify repeats is its parent's.
        match task {
            Some(task) if told == 0 => all.push(user(task)),
            _ => all.extend(closing.turn.prompts.iter().skip(told).map(user)),
        }
        all
    }
}

const MAX_TOOLS: usize = 100_000;

fn about(
    closing: &Closing,
    meta: Option<SessionMeta>,
    context: Option<TurnContext>,
    end: Option<TurnEnd>,
    git: Git,
) -> About {
    let (meta, context) = (meta.unwrap_or_default(), context.unwrap_or_default());
    let session = &closing.session;
    let duration = match end {
        Some(TurnEnd::Completed { duration_ms, .. } | TurnEnd::Aborted { duration_ms, .. }) => duration_ms,
        None => None,
    };
    About {
        model: context.model.or_else(|| session.model.clone()),
        provider: meta.model_provider,
        effort: context.effort,
        reasoning_summary: context.summary,
        approval_policy: context.approval_policy,
        permission_mode: session.permission_mode.clone(),
        sandbox: context.sandbox,
        collaboration_mode: context.collaboration_mode,
        cwd: context.cwd.or_else(|| session.cwd.clone()).or(meta.cwd),
        codex_version: meta.cli_version,
        client: closing.turn.client.clone().or(meta.originator),
        session_source: session.source.clone().or(meta.source),
        duration: duration.map(Duration::from_millis),
        git: Git {
            branch: git.branch.or(meta.git_branch),
            commit: git.commit.or(meta.git_commit),
            remote: git.remote.or(meta.git_remote),
            dirty: git.dirty,
        },
    }
}
