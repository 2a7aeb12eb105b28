//! Messages: from OpenInference's numbered attributes to the JSON text of the GenAI convention.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Returns the messages below `prefix` as JSON; `None` where there are none. Messages of the model say why it stopped.
pub fn to_json(attributes: &[KeyValue], prefix: &str, finish_reason: Option<&str>) -> Option<String> {
    let mut messages: BTreeMap<usize, Message> = BTreeMap::new();
    for (key, text) in texts(attributes, prefix) {
        let Some((number, field)) = numbered(key) else { continue };
        let Some(field) = field.strip_prefix("message.") else { continue };
        messages.entry(number).or_default().take(field, text);
    }
    if messages.is_empty() {
        return None;
    }
    let is_output = prefix.contains("output");
    let reason = finish_reason.filter(|_| is_output);
    Some(Value::from_iter(messages.into_values().map(|m| m.into_json(reason))).to_string())
}

/// Returns the definitions of the tools that the model was offered as a JSON list; `None` where none are known.
pub fn tool_definitions(attributes: &[KeyValue]) -> Option<String> {
    let tools = texts(attributes, "llm.tools.");
    let schemas = tools.filter(|(key, _)| key.ends_with(".tool.json_schema")).map(|(_, text)| parsed(text));
    let schemas: Vec<Value> = schemas.collect();
    (!schemas.is_empty()).then(|| Value::from(schemas).to_string())
}

/// A message read from its attributes.
#[derive(Default)]
struct Message<'a> {
    role: &'a str,
    content: Option<&'a str>,
    /// The call that a tool's message answers.
    answers: Option<&'a str>,
    contents: BTreeMap<usize, Content<'a>>,
    calls: BTreeMap<usize, Call<'a>>,
}

#[derive(Default)]
struct Content<'a> {
    kind: &'a str,
    text: &'a str,
    image: Option<&'a str>,
}

#[derive(Default)]
struct Call<'a> {
    id: &'a str,
    name: &'a str,
    arguments: &'a str,
}

impl<'a> Message<'a> {
    fn take(&mut self, field: &str, text: &'a str) {
        match field {
            "role" => self.role = text,
            "content" => self.content = Some(text),
            "tool_call_id" => self.answers = Some(text),
            _ => self.take_part(field, text),
        }
    }

    fn take_part(&mut self, field: &str, text: &'a str) {
        if let Some((number, field)) = field.strip_prefix("contents.").and_then(numbered) {
            let content = self.contents.entry(number).or_default();
            match field {
                "message_content.type" => content.kind = text,
                "message_content.text" => content.text = text,
                "message_content.image.image.url" => content.image = Some(text),
                _ => {}
            }
        } else if let Some((number, field)) = field.strip_prefix("tool_calls.").and_then(numbered) {
            let call = self.calls.entry(number).or_default();
            match field {
                "tool_call.id" => call.id = text,
                "tool_call.function.name" => call.name = text,
                "tool_call.function.arguments" => call.arguments = text,
                _ => {}
            }
        }
    }

    fn into_json(self, finish_reason: Option<&str>) -> Value {
        let mut parts: Vec<Value> = Vec::new();
        match (self.answers, self.content) {
            (Some(id), _) => parts.push(self.answer(id)),
            (None, Some(text)) => parts.push(json!({ "type": "text", "content": text })),
            (None, None) => parts.extend(self.contents.values().map(Content::to_json)),
        }
        parts.extend(self.calls.values().map(|call| {
            json!({ "type": "tool_call", "id": call.id, "name": call.name, "arguments": parsed(call.arguments) })
        }));
        let mut message = Map::new();
        message.insert("role".to_owned(), self.role.into());
        message.insert("parts".to_owned(), parts.into());
        if let Some(reason) = finish_reason {
            message.insert("finish_reason".to_owned(), reason.into());
        }
        message.into()
    }

    fn answer(&self, id: &str) -> Value {
        let response = match self.content {
            Some(text) => Value::from(text),
            None => self.contents.values().map(Content::to_json).collect(),
        };
        json!({ "type": "tool_call_response", "id": id, "response": response })
    }
}

impl Content<'_> {
    fn to_json(&self) -> Value {
        match self.image {
            Some(url) => image(url),
            None if self.kind == "reasoning" => json!({ "type": "reasoning", "content": self.text }),
            None => json!({ "type": "text", "content": self.text }),
        }
    }
}

/// An image by its address, or by its bytes where the address holds them.
fn image(url: &str) -> Value {
    let data = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    match data {
        Some((mime, bytes)) => {
            json!({ "type": "blob", "modality": "image", "mime_type": mime, "content": bytes })
        }
        None => json!({ "type": "uri", "modality": "image", "uri": url }),
    }
}

/// A text that holds a JSON object or list as that, anything else as the text it is.
fn parsed(text: &str) -> Value {
    let value = Some(text).filter(|t| t.starts_with(['{', '['])).and_then(|t| serde_json::from_str(t).ok());
    value.unwrap_or_else(|| text.into())
}

fn texts<'a>(attributes: &'a [KeyValue], prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    attributes.iter().filter_map(move |attribute| {
        let key = attribute.key.strip_prefix(prefix)?;
        match attribute.value.as_ref()?.value.as_ref()? {
            Any::StringValue(text) => Some((key, text.as_str())),
            _ => None,
        }
    })
}

/// Splits `3.rest` into its number and the rest.
fn numbered(key: &str) -> Option<(usize, &str)> {
    let (number, rest) = key.split_once('.')?;
    Some((number.parse().ok()?, rest))
}
