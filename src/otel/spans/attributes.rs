//! The attributes of a span, each through the redactor, under OpenInference's names.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};

use crate::codex::payload::Usage;
use crate::codex::rollout::Image;
use crate::otel::gen_ai::messages;
use crate::otel::prices::Bill;
use crate::otel::redact::{ContentClass, Redactor};
use crate::otel::spans::said::Said;
use crate::turn::shelf::Item;
use crate::turn::{Message, ModelCall, Output, ToolCall};

/// Finds a call of the turn by its key.
pub(super) type FindTool<'a, 't> = &'a dyn Fn(&str) -> Option<Item<'t, ToolCall>>;

/// Collects the attributes of one span.
pub(super) struct Attributes<'a> {
    redactor: &'a Redactor,
    list: Vec<KeyValue>,
}

impl<'a> Attributes<'a> {
    pub fn new(redactor: &'a Redactor, kind: &str) -> Attributes<'a> {
        let mut attributes = Attributes { redactor, list: Vec::with_capacity(24) };
        attributes.plain("openinference.span.kind", kind);
        attributes
    }

    pub fn finish(self) -> Vec<KeyValue> {
        self.list
    }

    /// A name, an id, a setting.
    pub fn plain(&mut self, key: impl Into<String>, value: &str) {
        self.text(key, ContentClass::Plain, value);
    }

    pub fn plain_if(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.plain(key, value);
        }
    }

    /// An attribute of a user's own, which replaces none of ours.
    pub fn plain_unless_set(&mut self, key: String, value: &str) {
        if !self.list.iter().any(|known| known.key == key) {
            self.plain(key, value);
        }
    }

    pub fn flag(&mut self, key: &str, value: bool) {
        self.push(key, Any::BoolValue(value));
    }

    pub fn text(&mut self, key: impl Into<String>, class: ContentClass, value: &str) {
        let value = self.redactor.text(class, value).into_owned();
        self.push(key, Any::StringValue(value));
    }

    /// A JSON text that stays JSON when it is cut.
    pub fn json(&mut self, key: &str, class: ContentClass, json: &str) {
        let value = self.redactor.json(class, json);
        self.push(key, Any::StringValue(value));
    }

    pub fn number(&mut self, key: &str, value: u64) {
        self.push(key, Any::IntValue(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    pub fn integer(&mut self, key: &str, value: i64) {
        self.push(key, Any::IntValue(value));
    }

    pub fn decimal(&mut self, key: &str, value: f64) {
        self.push(key, Any::DoubleValue(value));
    }

    pub fn list(&mut self, key: &str, values: &[String]) {
        let one = |v: &String| AnyValue {
            value: Some(Any::StringValue(self.redactor.text(ContentClass::Plain, v).into_owned())),
        };
        let values = values.iter().map(one).collect();
        self.push(key, Any::ArrayValue(ArrayValue { values }));
    }

    fn push(&mut self, key: impl Into<String>, value: Any) {
        let value = Some(AnyValue { value: Some(value) });
        self.list.push(KeyValue { key: key.into(), value, ..KeyValue::default() });
    }

    /// `input.value` or `output.value` with its type.
    pub fn value(&mut self, side: &str, class: ContentClass, text: &str) {
        if text.is_empty() {
            return;
        }
        let json = self.redactor.shows(class) && is_json(text);
        self.text_or_json(format!("{side}.value"), class, text, json);
        self.plain(format!("{side}.mime_type"), if json { "application/json" } else { "text/plain" });
    }

    /// JSON that stays JSON when it is cut, or a text.
    fn text_or_json(&mut self, key: String, class: ContentClass, text: &str, json: bool) {
        if json { self.json(&key, class, text) } else { self.text(key, class, text) }
    }

    /// Token counts; zeros are kept, what is unknown stays absent.
    pub fn usage(&mut self, usage: &Usage) {
        self.number("llm.token_count.prompt", usage.input_tokens);
        self.number("llm.token_count.completion", usage.output_tokens);
        self.number("llm.token_count.total", usage.total_tokens);
        self.number("llm.token_count.prompt_details.cache_read", usage.cached_input_tokens);
        if let Some(written) = usage.cache_write_input_tokens {
            self.number("llm.token_count.prompt_details.cache_write", written);
        }
        self.number("llm.token_count.completion_details.reasoning", usage.reasoning_output_tokens);
    }

    /// Writes what the tokens cost, as far as prices are known. An unknown price leaves no attribute: zero would be a lie.
    pub fn cost(&mut self, bill: &Bill) {
        if bill.known().is_some() {
            self.decimal("llm.cost.prompt", bill.prompt.usd());
            self.decimal("llm.cost.completion", bill.completion.usd());
            self.decimal("llm.cost.total", bill.total().usd());
            self.plain("codex.cost.source", &bill.source());
        }
        if bill.is_partial() {
            self.number("codex.cost.unknown_calls", bill.unknown_calls);
        }
    }

    /// Adds the messages that were sent to the model.
    pub fn messages(&mut self, messages: &[Said]) {
        for (n, said) in messages.iter().enumerate() {
            let prefix = format!("llm.input_messages.{n}.message");
            self.plain(format!("{prefix}.role"), said.role);
            if let Some(id) = &said.answers {
                self.plain(format!("{prefix}.tool_call_id"), id);
            }
            if said.asks.is_empty() || !said.text.is_empty() || !said.images.is_empty() {
                self.message_content(&prefix, said.class, &said.text, &said.images);
            }
            for (asked, call) in said.asks.iter().enumerate() {
                self.asked(&prefix, asked, &call.id, &call.name, &call.arguments);
            }
        }
    }

    fn asked(&mut self, prefix: &str, n: usize, id: &str, name: &str, arguments: &str) {
        let at = format!("{prefix}.tool_calls.{n}.tool_call");
        self.plain(format!("{at}.id"), id);
        self.plain(format!("{at}.function.name"), name);
        self.text_or_json(
            format!("{at}.function.arguments"),
            ContentClass::ToolDetail,
            arguments,
            is_json(arguments),
        );
    }

    /// Adds the schemas of the tools the model was given.
    pub fn tools(&mut self, schemas: &[String]) {
        for (n, schema) in schemas.iter().enumerate() {
            self.json(&format!("llm.tools.{n}.tool.json_schema"), ContentClass::Prompt, schema);
        }
    }

    fn message_content(&mut self, prefix: &str, class: ContentClass, text: &str, images: &[Image]) {
        if images.is_empty() {
            self.text(format!("{prefix}.content"), class, text);
            return;
        }
        let mut part = 0;
        if !text.is_empty() {
            self.content_part(prefix, &mut part, "text", class, text);
        }
        for image in images {
            let whole = crate::truncate::split_mark(&image.0).0.len() == image.0.len();
            if self.redactor.shows(class) && whole && image.0.len() <= self.redactor.limit() {
                let at = format!("{prefix}.contents.{part}.message_content");
                self.plain(format!("{at}.type"), "image");
                self.text(format!("{at}.image.image.url"), class, &image.0);
                part += 1;
            } else {
                self.content_part(prefix, &mut part, "text", class, &describe_image(image));
            }
        }
    }

    fn content_part(&mut self, prefix: &str, part: &mut usize, kind: &str, class: ContentClass, text: &str) {
        let at = format!("{prefix}.contents.{part}.message_content");
        self.plain(format!("{at}.type"), kind);
        self.text(format!("{at}.text"), class, text);
        *part += 1;
    }

    /// Adds the message the model answered with in one response.
    pub fn output_message(&mut self, call: &ModelCall, tools: FindTool) {
        if call.output.is_empty() {
            return;
        }
        let prefix = "llm.output_messages.0.message";
        self.plain(format!("{prefix}.role"), "assistant");
        let only_text = match &call.output[..] {
            [Output::Text(text)] => Some(text),
            _ => None,
        };
        if let Some(text) = only_text {
            self.text(format!("{prefix}.content"), ContentClass::Prompt, text);
        }
        let (mut part, mut asked) = (0, 0);
        for output in call.output.iter().filter(|_| only_text.is_none()) {
            match output {
                Output::Text(text) => {
                    self.content_part(prefix, &mut part, "text", ContentClass::Prompt, text)
                }
                Output::Reasoning(text) => {
                    self.content_part(prefix, &mut part, "reasoning", ContentClass::Prompt, text);
                }
                Output::Tool(id) => {
                    let tool = tools(id);
                    let tool = tool.as_deref();
                    let id = tool.map_or(id.as_str(), |t| &t.call_id);
                    let (name, arguments) =
                        tool.map_or(("", ""), |t| (t.name.as_str(), t.arguments.as_str()));
                    self.asked(prefix, asked, id, name, arguments);
                    asked += 1;
                }
            }
        }
    }

    /// Makes `output.value` of the output messages where no text of the model's stands there: backends show a span
    /// without it as empty. The messages have been through the redactor.
    pub fn messages_as_output(&mut self) {
        if self.list.iter().any(|a| a.key == "output.value") {
            return;
        }
        if let Some(messages) = messages::to_json(&self.list, "llm.output_messages.", None) {
            self.json("output.value", ContentClass::Plain, &messages);
            self.plain("output.mime_type", "application/json");
        }
    }

    /// Makes `output.value` of why a span failed, where nothing else stands there. The text has been through the redactor.
    pub fn error_as_output(&mut self, message: &str) {
        if !self.list.iter().any(|a| a.key == "output.value") {
            self.value("output", ContentClass::Plain, message);
        }
    }

    /// The assistant's answer as the only message.
    pub fn answer(&mut self, answer: &str) {
        self.plain("llm.output_messages.0.message.role", "assistant");
        self.text("llm.output_messages.0.message.content", ContentClass::Prompt, answer);
    }
}

/// A message as a text: what was written, or which images were shown where nothing was.
pub(super) fn said_in(message: &Message) -> Cow<'_, str> {
    if !message.text.is_empty() {
        return Cow::Borrowed(&message.text);
    }
    Cow::Owned(message.images.iter().map(describe_image).collect::<Vec<_>>().join("\n"))
}

/// An image that is not shown, by its kind and size.
pub(super) fn describe_image(image: &Image) -> String {
    match image.0.strip_prefix("data:").and_then(|rest| rest.split_once(',')) {
        Some((kind, data)) => {
            let mime = kind.split(';').next().unwrap_or_default();
            let (data, total) = crate::truncate::split_mark(data);
            let encoded = total.max(data.len() as u64);
            format!("[image {mime}, {} bytes]", encoded / 4 * 3)
        }
        None => format!("[image {}]", image.0),
    }
}

/// Returns true if a text is a JSON object or array.
pub(super) fn is_json(text: &str) -> bool {
    text.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}
