//! The heart: the pure, total step from (hooks, rollout, notify) to a [`Turn`].
//!
//! The rollout fills in the facts, the rows what only hooks saw, notify what is left. Each alone gives a correct,
//! poorer turn. Nothing here reads a file or a clock, and no input makes it fail. Calls lie on shelves, of which a part is
//! in memory: they are gone through in order, or looked at near the end.

mod attempts;
mod calls;
mod draft;
mod finish;
mod forms;
mod given;
mod names;
mod outcome;
mod permission;
mod requests;
mod scripts;
mod sealed;
mod text_budget;
mod tool_call;
mod tools;
mod usage;

use std::collections::HashMap;
use std::time::Duration;

use crate::codex::rollout::conversation::Conversation;
use crate::codex::rollout::spawn::SpawnCall;
use crate::codex::rollout::{
    Fact, Image, Record, SessionMeta, ThreadSettings, ToolDetail, ToolOutput, TurnBeginning, TurnContext,
    TurnEnd,
};
use crate::time::Timestamp;
use crate::turn::closed::Closing;
use crate::turn::fold::attempts::Attempted;
use crate::turn::fold::draft::ToolDraft;
use crate::turn::fold::given::Given;
use crate::turn::fold::text_budget::TextBudget;
use crate::turn::fold::tools::Tools;
use crate::turn::fold::usage::TokenCounter;
use crate::turn::rows::{Kind, Row, Rows};
use crate::turn::shelf::Scratch;
use crate::turn::*;

/// Everything that is known of a turn.
pub struct Evidence<'a, R: Iterator<Item = Record>> {
    pub closing: &'a Closing,
    pub rows: Rows,
    /// The first line of the thread's rollout.
    pub meta: Option<SessionMeta>,
    /// The rollout, from the turn's beginning or earlier.
    pub records: R,
    /// The call that set a subagent to work.
    pub spawn: Option<SpawnCall>,
    pub git: Git,
    /// Where the calls of a large turn go.
    pub scratch: Scratch,
}

/// Works out what happened.
pub fn fold<R: Iterator<Item = Record>>(evidence: Evidence<'_, R>) -> Turn {
    let mut fold = Fold::new(evidence.closing, &evidence.scratch);
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

/// The turn as far as it has been reported.
struct Fold<'a> {
    turn: &'a str,
    room: TextBudget,
    /// The turn that lines without an id of their own belong to.
    current: Option<String>,
    first_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
    /// Times of this line and of the one before, whatever they say.
    line_at: Option<Timestamp>,
    line_before: Option<Timestamp>,
    beginning: Option<TurnBeginning>,
    settings: Option<ThreadSettings>,
    goal: Option<String>,
    window: Option<u64>,
    rate_limits: Option<String>,
    context: Option<TurnContext>,
    inputs: Vec<Message>,
    user_images: Vec<Image>,
    /// None where it is not to be recorded.
    given: Option<Given>,
    /// What replaced the conversation, for the next call.
    base: Option<Box<Conversation>>,
    calls: Shelf<ModelCall>,
    /// True once the last call is finished: the model's next output is another response.
    sealed: bool,
    /// Messages the next call is the first to see.
    pending: Vec<Message>,
    /// When the last thing the model waits for was there.
    ready_at: Timestamp,
    /// An assistant's text reported only as an event so far.
    unreported_text: Option<(Timestamp, String)>,
    tools: Tools,
    tokens: TokenCounter,
    compactions: Vec<Compaction>,
    /// Set between a summary and the first count of the new context.
    counting_after: bool,
    end: Option<(Timestamp, TurnEnd)>,
    last_error: Option<String>,
    open_compact: Option<(Timestamp, Option<String>)>,
    requests: Shelf<Attempted>,
    /// The place of each request, by its id's digest.
    by_request: HashMap<u64, u32>,
    differences: Vec<String>,
    scratch: Scratch,
}

impl<'a> Fold<'a> {
    fn new(closing: &'a Closing, scratch: &Scratch) -> Fold<'a> {
        Fold {
            turn: closing.turn.id.as_str(),
            room: TextBudget::new(closing.profile.max_value_bytes, closing.reason),
            // A continuation is read from the middle of its turn.
            current: closing.turn.rollout_from.map(|_| closing.turn.id.as_str().to_owned()),
            first_at: None,
            last_at: None,
            line_at: None,
            line_before: None,
            beginning: None,
            settings: None,
            goal: None,
            window: None,
            rate_limits: None,
            context: None,
            inputs: Vec::new(),
            user_images: Vec::new(),
            given: closing.profile.model_input.then(Given::default),
            base: None,
            calls: Shelf::new(scratch),
            sealed: false,
            pending: Vec::new(),
            ready_at: closing.turn.started,
            unreported_text: None,
            tools: Tools::new(scratch),
            tokens: TokenCounter::default(),
            compactions: Vec::new(),
            counting_after: false,
            end: None,
            last_error: None,
            open_compact: None,
            requests: Shelf::new(scratch),
            by_request: HashMap::new(),
            differences: Vec::new(),
            scratch: scratch.clone(),
        }
    }

    /// Returns true if nothing more of the turn can follow.
    fn is_over(&self, record: &Record) -> bool {
        let begins_another =
            matches!(record.fact, Fact::TurnStarted(_)) && record.turn.as_deref() != Some(self.turn);
        self.end.is_some() && begins_another
    }

    fn record(&mut self, record: Record) {
        self.line_before = self.line_at.replace(record.at);
        if let Fact::TurnStarted(_) | Fact::Context(_) = record.fact {
            self.current = record.turn.clone().or(self.current.take());
        }
        // A turn without an end of its own is over where another begins.
        let passed = self.first_at.is_some() && self.current.as_deref() != Some(self.turn);
        match &record.fact {
            Fact::TokenCount { total, last, window, rate_limits } => {
                self.token_count(&record, total, last);
                if self.end.is_none() && !passed {
                    self.window = window.or(self.window);
                    self.rate_limits = rate_limits.clone().or(self.rate_limits.take());
                }
                return;
            }
            // Written before the line that begins the turn they hold for.
            Fact::Settings(settings) if self.end.is_none() && !passed => {
                self.settings = Some((**settings).clone())
            }
            Fact::Goal { objective } if self.end.is_none() && !passed => self.goal = Some(objective.clone()),
            _ => {}
        }
        let turn = record.turn.as_deref().or(self.current.as_deref());
        if turn != Some(self.turn) {
            let Some((call_id, started)) = self.call_here(&record) else { return };
            self.tool(&call_id, started, |draft| draft.earlier = true);
        }
        if record.at > Timestamp::default() && self.end.is_none() {
            self.first_at.get_or_insert(record.at);
            self.last_at = Some(self.last_at.map_or(record.at, |last| last.max(record.at)));
        }
        self.fact(record.at, record.fact);
    }

    /// Returns the call, and its beginning, of a record that notes one a script of an earlier turn made in the time of this
    /// one: a script that is not waited for rests when its turn ends, and goes on with the next.
    fn call_here(&self, record: &Record) -> Option<(String, Timestamp)> {
        let Fact::ToolDetail(detail) = &record.fact else { return None };
        let runs = self.current.as_deref() == Some(self.turn) && self.end.is_none();
        let started = detail.started.filter(|at| self.first_at.is_some_and(|first| *at >= first))?;
        (detail.call_id.starts_with(NESTED_ID) && runs).then(|| (detail.call_id.clone(), started))
    }

    fn fact(&mut self, at: Timestamp, mut fact: Fact) {
        if self.given.is_none() && matches!(fact, Fact::Given { .. } | Fact::Tools { .. }) {
            return;
        }
        self.room.fit(&mut fact);
        match fact {
            Fact::TurnStarted(beginning) => {
                self.window = beginning.context_window.or(self.window);
                self.beginning = Some(*beginning);
                self.ready_at = at;
            }
            Fact::Context(context) => {
                self.context = Some(*context);
                self.input_arrived(at, None);
            }
            Fact::UserImages { images, .. } => self.user_images = images,
            Fact::Given { developer, text } => {
                let role = if developer { MessageRole::Developer } else { MessageRole::User };
                self.given.iter_mut().for_each(|given| given.message(role, text.clone()));
            }
            Fact::Tools { schemas } => self.given.iter_mut().for_each(|given| given.tools(schemas.clone())),
            Fact::User(message) => {
                self.given.iter_mut().for_each(|given| given.said(&message.text));
                let whole = std::mem::take(&mut self.user_images);
                let images = if whole.len() == message.images.len() { whole } else { message.images };
                let message = Message { role: MessageRole::User, text: message.text, images, call_id: None };
                self.inputs.push(message.clone());
                self.input_arrived(at, Some(message));
            }
            Fact::AgentMessage { author, text } => {
                let text = format!("{author}: {}", sealed::unsealed(&text));
                let message = Message { role: MessageRole::Agent, text, images: Vec::new(), call_id: None };
                self.input_arrived(at, Some(message));
            }
            Fact::Output(output) => self.output(at, output),
            Fact::AssistantEvent { text } => {
                let reported =
                    self.calls.last().is_some_and(|c| c.output.contains(&Output::Text(text.clone())));
                if !reported {
                    self.keep_unreported_text();
                    self.unreported_text = Some((at, text));
                }
            }
            Fact::ToolOutput(output) => self.tool_output(at, output),
            Fact::ToolDetail(detail) => self.tool_detail(at, *detail),
            Fact::ResponseUsage { response_id, usage } => {
                self.keep_unreported_text();
                self.tokens.exact();
                let call = self.call_to_price(at);
                call.usage = Some(usage);
                call.ended = call.ended.max(at);
                if !response_id.is_empty() {
                    call.id = response_id;
                }
                self.sealed = true;
            }
            Fact::Compacted { summary, history } => self.compacted(at, summary, history),
            Fact::Compaction { started, completed } => self.compaction(at, started, completed),
            Fact::Subagent { call_id, kind, thread, .. } => {
                if kind == "started" {
                    self.tool(&call_id, at, |draft| draft.spawned = Some(thread));
                }
            }
            Fact::TurnEnded(end) => {
                self.keep_unreported_text();
                self.end.get_or_insert((at, end));
            }
            Fact::Error { message } => self.last_error = Some(message),
            Fact::Session(_) | Fact::TokenCount { .. } | Fact::Settings(_) | Fact::Goal { .. } => {}
        }
    }

    /// Takes the output that went back to the model. What a script said meanwhile is written behind its result, under
    /// the same id.
    fn tool_output(&mut self, at: Timestamp, mut output: ToolOutput) {
        self.keep_unreported_text();
        let reported_code = outcome::exit_code_in(&output.text);
        let mut reported_error = outcome::script_error(&output.text);
        self.room.text(&mut output.text);
        output.images.iter_mut().for_each(|image| self.room.text(&mut image.0));
        reported_error.iter_mut().for_each(|error| self.room.text(error));
        let call_id = output.call_id.clone();
        let (key, text) = self.tool(&call_id, at, |draft| {
            if output.progress {
                draft.progress.push(output.text.clone());
                return (draft.key(), output.text);
            }
            draft.output_at = Some(at);
            draft.reported_code = reported_code;
            draft.reported_error = reported_error.filter(|_| draft.is_script());
            // The text stays with the tool: it may be large.
            draft.output = Some(output);
            (draft.key(), String::new())
        });
        let message = Message { role: MessageRole::Tool, text, images: Vec::new(), call_id: Some(key) };
        self.input_arrived(at, Some(message));
    }

    fn tool_detail(&mut self, at: Timestamp, mut detail: ToolDetail) {
        // A search of an old release is reported by its event alone: its own line has no id.
        if detail.call_id.is_empty() && !self.tools.contains(&detail.call_id) {
            return;
        }
        // What a command that was left running came to after the turn is none of the turn's: nobody has seen it.
        let late = self.end.is_some();
        if late {
            let begun = detail.started.unwrap_or_default();
            if self.end.as_ref().is_some_and(|(end, _)| begun > *end) {
                return;
            }
            detail.forget_the_result();
        }
        self.tool(&detail.call_id.clone(), detail.started.unwrap_or(at), |draft| {
            draft.detail_at = Some(at).filter(|_| !late);
            draft.detail = Some(detail);
        });
    }

    /// Changes the call of an id, which is a new one when nothing was heard of it before.
    fn tool<T>(&mut self, call_id: &str, at: Timestamp, change: impl FnOnce(&mut ToolDraft) -> T) -> T {
        let place = self.tools.place(call_id, at);
        self.tools.change(place, change)
    }

    fn row(&mut self, row: &Row) {
        let of_another = row.turn.as_ref().is_some_and(|t| t.as_str() != self.turn);
        if of_another {
            if !self.is_of_a_call_here(row) {
                return;
            }
            self.tool(&row.call_id, row.at, |draft| draft.earlier = true);
        }
        match row.row {
            Kind::PreToolUse => {
                if self.first_at.is_none() {
                    self.tools.renew(&row.call_id, row.at, |t| t.announced && t.finished_at.is_some());
                }
                self.hooked_tool(row, |draft| draft.announced = true);
            }
            Kind::PostToolUse => {
                self.hooked_tool(row, |draft| draft.finished(row.at, row.output.as_deref()));
            }
            Kind::PermissionRequest => permission::ask_permission(&mut self.tools, row),
            Kind::PreCompact => self.open_compact = Some((row.at, row.trigger.clone())),
            Kind::PostCompact => self.compacted_by_hook(row),
            Kind::PreModelRequest | Kind::PostModelRequest => self.request(row),
            Kind::Settings | Kind::Unknown => {}
        }
    }

    /// Returns true if a row of another turn tells of a call that its script makes in the time of this one.
    fn is_of_a_call_here(&self, row: &Row) -> bool {
        let begins = row.row == Kind::PreToolUse && row.call_id.starts_with(NESTED_ID);
        begins || row.row == Kind::PostToolUse && self.tools.contains(&row.call_id)
    }

    fn hooked_tool(&mut self, row: &Row, change: impl FnOnce(&mut ToolDraft)) {
        self.tool(&row.call_id, row.at, |draft| {
            draft.hooked(row.at, &row.name, row.input.as_deref());
            change(draft);
        });
    }

    /// A compaction as hooks saw it: they know its trigger, the rollout the rest.
    fn compacted_by_hook(&mut self, row: &Row) {
        let (started, trigger) = self.open_compact.take().unwrap_or((row.at, None));
        let trigger = row.trigger.clone().or(trigger);
        let margin = Duration::from_millis(500);
        let same = |c: &Compaction| c.started <= row.at.plus(margin) && started <= c.ended.plus(margin);
        let reported = self.compactions.iter().any(same);
        match self.compactions.iter_mut().find(|c| c.trigger.is_none() && same(c)) {
            Some(compaction) => compaction.trigger = trigger,
            None if reported => {}
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
}

#[cfg(test)]
mod tests;
