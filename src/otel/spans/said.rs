//! Messages of a conversation, whoever said them and wherever they come from: a turn, or what came before it.

use crate::codex::rollout::Image;
use crate::codex::rollout::conversation::Item;
use crate::otel::redact::ContentClass;
use crate::turn::MessageRole;

/// A message of a conversation.
#[derive(Debug, PartialEq)]
pub(super) struct Said {
    pub role: &'static str,
    pub class: ContentClass,
    pub text: String,
    pub images: Vec<Image>,
    /// The call that it answers.
    pub answers: Option<String>,
    pub asks: Vec<Asked>,
}

/// A call that the model asked for.
#[derive(Debug, PartialEq)]
pub(super) struct Asked {
    pub id: String,
    pub name: String,
    pub arguments: String,
}

impl Said {
    pub fn text(role: &'static str, class: ContentClass, text: &str) -> Said {
        Said { role, class, text: text.to_owned(), images: Vec::new(), answers: None, asks: Vec::new() }
    }

    pub fn add_text(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.text.push_str(text);
    }

    pub fn add_item(&mut self, item: &Item) {
        match item {
            Item::Assistant(text) => self.add_text(text),
            Item::Call { id, name, arguments } => {
                self.asks.push(Asked { id: id.clone(), name: name.clone(), arguments: arguments.clone() });
            }
            _ => {}
        }
    }

    pub fn len(&self) -> usize {
        let images: usize = self.images.iter().map(|image| image.0.len()).sum();
        let asks: usize = self.asks.iter().map(|asked| asked.name.len() + asked.arguments.len()).sum();
        self.text.len() + images + asks + MESSAGE_BYTES
    }
}

/// The messages of a conversation; what the model answered at once is one.
pub(super) fn messages_of<'a>(items: impl Iterator<Item = &'a Item>) -> Vec<Said> {
    let mut said: Vec<Said> = Vec::new();
    for item in items {
        let message = match item {
            Item::System(text) => Said::text("system", ContentClass::Prompt, text),
            Item::Developer(text) => Said::text("developer", ContentClass::Prompt, text),
            Item::User { text, images } => {
                Said { images: images.clone(), ..Said::text("user", ContentClass::Prompt, text) }
            }
            Item::Result { id, text, images } => Said {
                images: images.clone(),
                answers: Some(id.clone()),
                ..Said::text("tool", ContentClass::ToolContent, text)
            },
            Item::Assistant(_) | Item::Call { .. } => {
                if said.last().is_none_or(|last| last.role != ASSISTANT) {
                    said.push(Said::text(ASSISTANT, ContentClass::Prompt, ""));
                }
                if let Some(last) = said.last_mut() {
                    last.add_item(item);
                }
                continue;
            }
        };
        said.push(message);
    }
    said
}

/// The role of a message in a request, and the switch that governs its text.
pub(super) fn role_and_class(role: MessageRole) -> (&'static str, ContentClass) {
    match role {
        MessageRole::Tool => ("tool", ContentClass::ToolContent),
        MessageRole::User | MessageRole::Agent | MessageRole::Summary => ("user", ContentClass::Prompt),
        MessageRole::System => ("system", ContentClass::Prompt),
        MessageRole::Developer => ("developer", ContentClass::Prompt),
    }
}

/// The role of what the model said.
pub(super) const ASSISTANT: &str = "assistant";
/// What a message takes beside its texts.
const MESSAGE_BYTES: usize = 64;
