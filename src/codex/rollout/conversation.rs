//! The conversation as the model has it: all that a rollout says goes into the next request, in its order.
//!
//! Codex sends the whole conversation with each request and writes each part of it once. A compaction replaces what was
//! there by a new beginning, which its line holds. What a model reasoned is encrypted, and a release may leave out tools: then
//! a request cannot be made again exactly, and the span says why (`codex.model_input.lacks`).

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

use super::reader::{Reader, is_compressed};
use super::{Fact, Image, ModelOutput, SessionMeta, locate};
use crate::truncate::cut_at_word;

/// What a request is given, but for what is new in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conversation {
    pub items: Vec<Item>,
    /// The schemas of the tools, as JSON.
    pub tools: Vec<String>,
    /// How many items were left out because there are too many.
    pub left_out: u64,
    /// True if the model reasoned, which nobody but its provider can read.
    pub reasoned: bool,
    /// True if what came before the first item is not known.
    pub is_torn: bool,
    bytes: usize,
}

/// A part of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Item {
    /// The model's own instructions.
    System(String),
    Developer(String),
    User {
        text: String,
        images: Vec<Image>,
    },
    Assistant(String),
    Call {
        id: String,
        name: String,
        arguments: String,
    },
    Result {
        id: String,
        text: String,
        images: Vec<Image>,
    },
}

impl Item {
    /// Returns the bytes of its texts.
    pub fn len(&self) -> usize {
        let of_images = |images: &[Image]| images.iter().map(|image| image.0.len()).sum::<usize>();
        match self {
            Item::System(text) | Item::Developer(text) | Item::Assistant(text) => text.len(),
            Item::User { text, images } => text.len() + of_images(images),
            Item::Call { id, name, arguments } => id.len() + name.len() + arguments.len(),
            Item::Result { id, text, images } => id.len() + text.len() + of_images(images),
        }
    }

    /// Returns true if nothing was said.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns true if it is an instruction, which is never left out.
    pub fn instructs(&self) -> bool {
        matches!(self, Item::System(_) | Item::Developer(_))
    }
}

/// Where a conversation is read up to: whichever comes first.
#[derive(Debug, Clone, Copy)]
pub struct Stop<'a> {
    /// A byte of the file, decompressed.
    pub end: u64,
    /// The beginning of a turn.
    pub turn: Option<&'a str>,
}

impl Conversation {
    /// Reads what stands in a rollout before a place, and in those it goes on from. `find` knows where the rollout of a
    /// thread lies. No text is longer than `limit`.
    pub fn before(
        path: &Path,
        stop: Stop,
        limit: usize,
        find: &dyn Fn(&str) -> Option<PathBuf>,
    ) -> Conversation {
        Conversation::read(path, stop, limit, find, MOST_FILES)
    }

    /// The conversation at the beginning of a rollout: empty, or that of another it goes on from.
    pub fn at_beginning(
        meta: &SessionMeta,
        limit: usize,
        find: &dyn Fn(&str) -> Option<PathBuf>,
    ) -> Conversation {
        let mut conversation = Conversation::base(meta, limit, find, MOST_FILES);
        conversation.instruct(meta, limit);
        conversation
    }

    fn read(
        path: &Path,
        stop: Stop,
        limit: usize,
        find: &dyn Fn(&str) -> Option<PathBuf>,
        files: usize,
    ) -> Conversation {
        let meta = locate::read_session_meta(path).unwrap_or_default();
        // Nothing before the last compaction counts.
        let places = if is_compressed(path) { Vec::new() } else { compactions_before(path, stop.end) };
        let from = places.into_iter().find(|place| begins_anew(path, *place)).unwrap_or(0);
        let mut conversation = match from {
            0 => Conversation::base(&meta, limit, find, files),
            _ => Conversation::default(),
        };
        conversation.instruct(&meta, limit);
        let Ok(mut reader) = Reader::open_at(path, from) else {
            conversation.is_torn = true;
            return conversation;
        };
        while let Some(record) = reader.next() {
            let begins = matches!(record.fact, Fact::TurnStarted(_)) && record.turn.as_deref() == stop.turn;
            if reader.line_at() >= stop.end || begins && stop.turn.is_some() {
                break;
            }
            conversation.take(&record.fact, limit);
        }
        conversation
    }

    fn base(
        meta: &SessionMeta,
        limit: usize,
        find: &dyn Fn(&str) -> Option<PathBuf>,
        files: usize,
    ) -> Conversation {
        let Some(base) = &meta.goes_on_from else { return Conversation::default() };
        let path = find(&base.thread).filter(|path| files > 0 && reaches(path, base.end));
        match path {
            Some(path) => {
                let stop = Stop { end: base.end, turn: None };
                Conversation::read(&path, stop, limit, find, files - 1)
            }
            None => Conversation { is_torn: true, ..Conversation::default() },
        }
    }

    /// Puts the model's own instructions in front.
    fn instruct(&mut self, meta: &SessionMeta, limit: usize) {
        if let Some(text) = meta.instructions.as_deref().filter(|_| !self.is_instructed()) {
            let item = Item::System(cut_at_word(text, limit).into_owned());
            self.bytes += item.len();
            self.items.insert(0, item);
        }
    }

    fn is_instructed(&self) -> bool {
        matches!(self.items.first(), Some(Item::System(_)))
    }

    /// Takes what a line adds to the conversation. No text is longer than `limit`.
    pub fn take(&mut self, fact: &Fact, limit: usize) {
        let cut = |text: &str| cut_at_word(text, limit).into_owned();
        let item = match fact {
            Fact::Given { developer: true, text } => Item::Developer(cut(text)),
            Fact::Given { developer: false, text } => Item::User { text: cut(text), images: Vec::new() },
            Fact::UserImages { text, images } => Item::User { text: cut(text), images: images.clone() },
            // Releases before 0.32 write it once, later ones repeat it as an event.
            Fact::User(message) if !self.was_said(&message.text) => {
                Item::User { text: cut(&message.text), images: message.images.clone() }
            }
            Fact::AgentMessage { author, text } => {
                Item::User { text: cut(&format!("{author}: {text}")), images: Vec::new() }
            }
            Fact::Output(ModelOutput::Message { text }) => Item::Assistant(cut(text)),
            Fact::Output(ModelOutput::Call(call)) => Item::Call {
                id: call.call_id.clone(),
                name: call.name.clone(),
                arguments: cut(&call.arguments),
            },
            Fact::ToolOutput(output) => Item::Result {
                id: output.call_id.clone(),
                text: cut(&output.text),
                images: output.images.clone(),
            },
            Fact::Output(ModelOutput::Reasoning { .. }) => {
                self.reasoned = true;
                return;
            }
            // The usage says so where the reasoning itself is not written.
            Fact::ResponseUsage { usage, .. } => {
                self.reasoned |= usage.reasoning_output_tokens > 0;
                return;
            }
            Fact::Tools { schemas } => {
                self.tools.clone_from(schemas);
                return;
            }
            Fact::Compacted { summary, history } => {
                self.begin_anew(summary, history.as_deref(), limit);
                return;
            }
            _ => return,
        };
        self.push(item);
    }

    /// Takes the new beginning that a compaction gives the conversation, or its summary where that is all it tells.
    pub fn begin_anew(&mut self, summary: &str, history: Option<&[Fact]>, limit: usize) {
        let system = self.is_instructed().then(|| self.items.swap_remove(0));
        let tools = std::mem::take(&mut self.tools);
        *self = Conversation { tools, is_torn: history.is_none(), ..Conversation::default() };
        system.into_iter().for_each(|system| self.push(system));
        match history {
            Some(facts) => facts.iter().for_each(|fact| self.take(fact, limit)),
            None if summary.is_empty() => {}
            None => {
                self.push(Item::User { text: cut_at_word(summary, limit).into_owned(), images: Vec::new() })
            }
        }
    }

    fn push(&mut self, item: Item) {
        if item.is_empty() {
            return;
        }
        self.bytes += item.len();
        self.items.push(item);
        if self.bytes > MOST_BYTES + MOST_BYTES / 4 {
            self.leave_out();
        }
    }

    /// Leaves the oldest of what was said out, so that the newest fits.
    fn leave_out(&mut self) {
        let mut over = self.bytes.saturating_sub(MOST_BYTES);
        let (bytes, left_out) = (&mut self.bytes, &mut self.left_out);
        self.items.retain(|item| {
            if over == 0 || item.instructs() {
                return true;
            }
            over = over.saturating_sub(item.len());
            *bytes -= item.len();
            *left_out += 1;
            false
        });
    }

    fn was_said(&self, text: &str) -> bool {
        let said = self.items.iter().rev().take(MOST_BETWEEN);
        said.into_iter()
            .any(|item| matches!(item, Item::User { text: known, .. } if known.trim() == text.trim()))
    }
}

/// Returns the places of the lines before `end` that look like a compaction's, the last one first.
fn compactions_before(path: &Path, end: u64) -> Vec<u64> {
    let mut places = Vec::new();
    let size = std::fs::metadata(path).map_or(0, |m| m.len());
    let mut end = end.min(size);
    while places.len() < MOST_COMPACTIONS {
        let found = locate::find_words_before(path, end, &["compacted"]).unwrap_or_default();
        let Some(place) = found.first().copied().filter(|place| *place < end) else { break };
        places.push(place);
        end = place;
    }
    places
}

fn begins_anew(path: &Path, place: u64) -> bool {
    let first = Reader::open_at(path, place).ok().and_then(|mut reader| reader.next());
    first.is_some_and(|record| matches!(record.fact, Fact::Compacted { .. }))
}

fn reaches(path: &Path, end: u64) -> bool {
    is_compressed(path) || std::fs::metadata(path).is_ok_and(|m| m.len() >= end)
}

/// Most bytes of texts that are kept: about as much as the largest context holds.
pub const MOST_BYTES: usize = 1024 * 1024;
/// More files than a thread goes on from.
const MOST_FILES: usize = 8;
/// Lines that may look like a compaction's and are none.
const MOST_COMPACTIONS: usize = 8;
/// More items than stand between a user's message and the event that repeats it.
const MOST_BETWEEN: usize = 4;

#[cfg(test)]
mod tests {
    use super::super::{ToolOutput, ToolRequest};
    use super::*;

    fn said(text: &str) -> Fact {
        Fact::Given { developer: false, text: text.into() }
    }

    fn user(text: &str) -> Item {
        Item::User { text: text.into(), images: Vec::new() }
    }

    fn taken(facts: &[Fact]) -> Conversation {
        let mut conversation = Conversation::default();
        facts.iter().for_each(|fact| conversation.take(fact, 1000));
        conversation
    }

    #[test]
    fn conversation_holds_what_goes_to_the_model() {
        let call = ToolRequest {
            call_id: "c".into(),
            name: "exec".into(),
            arguments: "{}".into(),
            ..ToolRequest::default()
        };
        let output = ToolOutput { call_id: "c".into(), text: "out".into(), ..ToolOutput::default() };
        let repeated = super::super::UserMessage { text: "hello".into(), images: Vec::new() };
        let conversation = taken(&[
            Fact::Given { developer: true, text: "obey".into() },
            said("hello"),
            Fact::User(repeated),
            Fact::Output(ModelOutput::Reasoning { text: String::new() }),
            Fact::Output(ModelOutput::Call(call)),
            Fact::ToolOutput(output),
            Fact::Output(ModelOutput::Message { text: "done".into() }),
            Fact::Tools { schemas: vec!["{}".into()] },
        ]);
        let expected = [
            Item::Developer("obey".into()),
            user("hello"),
            Item::Call { id: "c".into(), name: "exec".into(), arguments: "{}".into() },
            Item::Result { id: "c".into(), text: "out".into(), images: Vec::new() },
            Item::Assistant("done".into()),
        ];
        assert_eq!(conversation.items, expected);
        assert!(conversation.reasoned && !conversation.is_torn && conversation.tools.len() == 1);
    }

    #[test]
    fn compaction_begins_anew() {
        let history = Some(vec![said("kept"), said("summary")]);
        let compacted = Fact::Compacted { summary: "summary".into(), history };
        let conversation = taken(&[said("old"), compacted, said("new")]);
        assert_eq!(conversation.items, [user("kept"), user("summary"), user("new")]);
        assert!(!conversation.is_torn);
        let alone = Fact::Compacted { summary: "summary".into(), history: None };
        let conversation = taken(&[said("old"), alone]);
        assert_eq!(conversation.items, [user("summary")]);
        assert!(conversation.is_torn);
    }

    #[test]
    fn conversation_goes_on_from_another_file() {
        let directory = tempfile::tempdir().unwrap();
        let line = |kind: &str, payload: serde_json::Value| {
            serde_json::json!({"timestamp": "2026-11-22T12:25:36.172Z", "type": kind, "payload": payload})
                .to_string()
                + "\n"
        };
        let message = |text: &str| {
            let content = serde_json::json!([{"type": "input_text", "text": text}]);
            line("response_item", serde_json::json!({"type": "message", "role": "user", "content": content}))
        };
        let first = line("session_meta", serde_json::json!({"id": "a"})) + &message("shared");
        let (a, b) = (directory.path().join("a.jsonl"), directory.path().join("b.jsonl"));
        std::fs::write(&a, first.clone() + &message("in the original")).unwrap();
        let base = serde_json::json!({"thread_id": "a", "end_byte_offset": first.len()});
        let meta = line("session_meta", serde_json::json!({"id": "b", "history_base": base}));
        std::fs::write(&b, meta + &message("in the fork")).unwrap();
        let stop = Stop { end: u64::MAX, turn: None };
        let found = Conversation::before(&b, stop, 1000, &|thread| (thread == "a").then(|| a.clone()));
        assert_eq!((found.items, found.is_torn), (vec![user("shared"), user("in the fork")], false));
        let lost = Conversation::before(&b, stop, 1000, &|_| None);
        assert_eq!((lost.items, lost.is_torn), (vec![user("in the fork")], true));
    }

    #[test]
    fn oldest_messages_are_left_out() {
        let mut conversation = Conversation::default();
        conversation.take(&Fact::Given { developer: true, text: "obey".into() }, 1000);
        for n in 0..3000 {
            conversation.take(&said(&format!("{n} {}", "word ".repeat(190))), 1000);
        }
        assert!(conversation.bytes <= MOST_BYTES + MOST_BYTES / 4);
        assert_eq!(conversation.items[0], Item::Developer("obey".into()));
        assert!(
            matches!(conversation.items.last(), Some(Item::User { text, .. }) if text.starts_with("2999 "))
        );
        assert_eq!(conversation.left_out as usize + conversation.items.len(), 3001);
    }
}
