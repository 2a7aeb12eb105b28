//! What the model is given beside prompts and results: instructions, surroundings, the tools' schemas.
//!
//! Codex writes each of it down once, before the first request that has it, and every later request of the session
//! repeats it. It is reported just so: with that request, and not again.

use crate::turn::{Message, MessageRole};

/// What the next request is the first to have.
#[derive(Debug, Default)]
pub(super) struct Given {
    messages: Vec<Message>,
    tools: Vec<String>,
}

impl Given {
    pub fn message(&mut self, role: MessageRole, text: String) {
        if !text.is_empty() {
            self.messages.push(Message { role, text, images: Vec::new(), call_id: None });
        }
    }

    pub fn tools(&mut self, schemas: Vec<String>) {
        self.tools = schemas;
    }

    /// Forgets what turns out to be what a user said: it is reported as such.
    pub fn said(&mut self, text: &str) {
        self.messages
            .retain(|message| message.role != MessageRole::User || message.text.trim() != text.trim());
    }

    /// Takes everything out.
    pub fn take(&mut self) -> (Vec<Message>, Vec<String>) {
        let Given { messages, tools } = std::mem::take(self);
        (messages, tools)
    }
}
