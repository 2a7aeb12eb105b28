//! What a model call was sent: what was new in it, or with `logging.model_input` all of it, so that a backend can make
//! the request again.
//!
//! Each request repeats the conversation, so the spans of a long turn would take the square of its length. A span holds at
//! most about as much as a context does, those of a turn together a few times that. What does not fit is left out from the
//! oldest on, and the span says so; it also says what no rollout has.

use crate::codex::rollout::conversation::{Conversation, Item, MOST_BYTES};
use crate::otel::redact::ContentClass;
use crate::otel::spans::Builder;
use crate::otel::spans::attributes::Attributes;
use crate::otel::spans::said::{ASSISTANT, Asked, Said, messages_of, role_and_class};
use crate::turn::{Message, MessageRole, ModelCall, Output};

/// What a call was sent, the newest message first.
struct Input {
    messages: Vec<Said>,
    left: usize,
    is_cut: bool,
}

impl Input {
    /// Puts messages in front of those there are, from the last one on. The first that does not fit ends it.
    fn put_in_front(&mut self, messages: Vec<Said>) {
        for message in messages.into_iter().rev() {
            self.is_cut |= message.len() > self.left;
            if self.is_cut {
                return;
            }
            self.left -= message.len();
            self.messages.push(message);
        }
    }
}

/// Why a request cannot be made again as it was.
#[derive(Default)]
struct Lacks {
    reasoning: bool,
    history: bool,
    tools: bool,
}

impl Lacks {
    fn say(&self, a: &mut Attributes) {
        let all = [(self.reasoning, "reasoning"), (self.history, "history"), (self.tools, "tools")];
        let names: Vec<String> =
            all.iter().filter(|(lacks, _)| *lacks).map(|(_, n)| (*n).to_owned()).collect();
        if !names.is_empty() {
            a.list("codex.model_input.lacks", &names);
        }
    }
}

impl Builder<'_> {
    /// Adds what a call was sent, the `n`th of its turn: all of it where that is wanted, else what was new.
    pub(super) fn input_of_call(&self, a: &mut Attributes, n: usize, call: &ModelCall) {
        let Some(before) = self.turn.before.as_ref().filter(|_| self.profile.model_input) else {
            a.messages(&self.messages_of_turn(&call.input));
            a.tools(&call.tools);
            let history = self.profile.model_input;
            return Lacks { history, ..Lacks::default() }.say(a);
        };
        let reserved: usize = messages_of(instructions(before)).iter().map(Said::len).sum();
        let mut input = Input { messages: Vec::new(), left: usize::MAX, is_cut: false };
        input.put_in_front(self.new_messages(call));
        let new: usize = input.messages.iter().map(Said::len).sum();
        input.left = self.input_room.get().min(MOST_BYTES).saturating_sub(reserved + new);
        let mut lacks = Lacks::default();
        let mut tools = call.tools.clone();
        let mut base = call.base.clone();
        for at in (0..n).rev() {
            if base.is_some() || input.is_cut {
                break;
            }
            let earlier = self.turn.calls.at(at);
            lacks.reasoning |= earlier.usage.is_some_and(|usage| usage.reasoning_output_tokens > 0);
            input.put_in_front(self.answer_of(&earlier).into_iter().collect());
            input.put_in_front(self.new_messages(&earlier));
            tools = if tools.is_empty() { earlier.tools.clone() } else { tools };
            base = earlier.base.clone();
        }
        let start = base.as_deref().unwrap_or(before);
        input.put_in_front(messages_of(start.items.iter().skip_while(|item| item.instructs())));
        let tools = [&tools, &start.tools, &before.tools].into_iter().find(|tools| !tools.is_empty());
        lacks.reasoning |= start.reasoned;
        lacks.history = start.is_torn;
        lacks.tools = tools.is_none();
        let mut messages = messages_of(before.items.iter().filter(|item| matches!(item, Item::System(_))));
        messages.extend(messages_of(instructions(start).filter(|item| !matches!(item, Item::System(_)))));
        messages.extend(input.messages.into_iter().rev());
        let total: usize = messages.iter().map(Said::len).sum();
        self.input_room.set(self.input_room.get().saturating_sub(total));
        a.messages(&messages);
        a.tools(tools.map_or(&[], Vec::as_slice));
        if input.is_cut || start.left_out > 0 {
            a.flag("codex.model_input.is_cut", true);
        }
        lacks.say(a);
    }

    /// Adds what the turn's model was given as one: the conversation before it, and all that was said in the turn.
    pub(super) fn input_of_turn(&self, a: &mut Attributes, first: &ModelCall) {
        let mut messages = Vec::new();
        let before = self.turn.before.as_ref();
        if let Some(before) = before {
            messages.extend(messages_of(before.items.iter()));
        }
        let given = first.input.iter().filter(|message| !self.turn.inputs.contains(message));
        let said = given
            .chain(&self.turn.inputs)
            .filter(|message| message.role != MessageRole::System || before.is_none());
        messages.extend(said.map(|message| self.said(message)));
        a.messages(&messages);
        let tools = if first.tools.is_empty() { before.map(|b| &b.tools) } else { Some(&first.tools) };
        a.tools(tools.map_or(&[], Vec::as_slice));
        if before.is_some_and(|before| before.left_out > 0) {
            a.flag("codex.model_input.is_cut", true);
        }
        let lacks = Lacks {
            reasoning: before.is_some_and(|before| before.reasoned),
            history: before.is_none_or(|before| before.is_torn),
            tools: tools.is_none_or(Vec::is_empty),
        };
        lacks.say(a);
    }

    /// The messages that were new to the model, without the instructions that stand in front of the whole conversation
    /// and the summary that its new beginning holds.
    fn new_messages(&self, call: &ModelCall) -> Vec<Said> {
        let repeated = |role: MessageRole| {
            role == MessageRole::System || role == MessageRole::Summary && call.base.is_some()
        };
        call.input.iter().filter(|message| !repeated(message.role)).map(|m| self.said(m)).collect()
    }

    /// The messages of a turn as they were sent.
    pub(super) fn messages_of_turn(&self, messages: &[Message]) -> Vec<Said> {
        messages.iter().map(|message| self.said(message)).collect()
    }

    /// A message of the turn, with the result of the call that it answers.
    pub(super) fn said(&self, message: &Message) -> Said {
        let answered = message.call_id.as_ref().and_then(|id| self.tool_of(id));
        let (role, class) = role_and_class(message.role);
        let (text, images) = match &answered {
            // What a script said while it ran is no result.
            Some(tool) if message.text.is_empty() => {
                (tool.output.as_deref().unwrap_or_default(), &tool.images)
            }
            _ => (message.text.as_str(), &message.images),
        };
        let answers =
            message.call_id.as_ref().map(|id| answered.as_ref().map_or(id, |tool| &tool.call_id).clone());
        Said { images: images.clone(), answers, ..Said::text(role, class, text) }
    }

    /// What the model answered, as a later request repeats it; its reasoning is encrypted there.
    fn answer_of(&self, call: &ModelCall) -> Option<Said> {
        let mut answer = Said::text(ASSISTANT, ContentClass::Prompt, "");
        for output in &call.output {
            match output {
                Output::Text(text) => answer.add_text(text),
                Output::Reasoning(_) => {}
                Output::Tool(key) => {
                    let tool = self.tool_of(key);
                    answer.asks.push(Asked {
                        id: tool.as_ref().map_or(key, |tool| &tool.call_id).clone(),
                        name: tool.as_ref().map(|tool| tool.name_of_model().to_owned()).unwrap_or_default(),
                        arguments: tool.as_ref().map(|tool| tool.arguments.clone()).unwrap_or_default(),
                    });
                }
            }
        }
        Some(answer).filter(|answer| !answer.text.is_empty() || !answer.asks.is_empty())
    }
}

fn instructions(conversation: &Conversation) -> impl Iterator<Item = &Item> {
    conversation.items.iter().take_while(|item| item.instructs())
}

/// Most bytes that the inputs of a turn's spans take together.
pub(super) const MOST_TURN_BYTES: usize = 16 * MOST_BYTES;
