//! What the backend in force needs around and on the spans: resource, scope, project names (`docs::backends`).
//!
//! Entries hold nothing of a backend; this is added at delivery, so a turn goes wherever the settings point now.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

use crate::otel::entry::Head;
use crate::otel::gen_ai::Translator;
use crate::otel::names::Names;
use crate::otel::size;
use crate::settings::{Settings, Target};

/// The surroundings of one entry's spans.
#[derive(Debug, Clone)]
pub struct Decoration {
    resource: Resource,
    on_spans: Vec<KeyValue>,
    translator: Translator,
    names: Names,
}

impl Decoration {
    /// Returns what `settings` want around the spans of the entry `head`.
    pub fn new(settings: &Settings, head: &Head) -> Decoration {
        let project = head.project_name.as_str();
        let mut resource = vec![
            attribute("service.name", SERVICE_NAME),
            attribute("service.version", env!("CARGO_PKG_VERSION")),
            attribute("openinference.project.name", project),
        ];
        let mut on_spans = Vec::new();
        if settings.target == Some(Target::Arize) {
            resource.push(attribute("arize.project.name", project));
            resource.push(attribute("arize.project.type", "harness"));
            on_spans.push(attribute("arize.project.name", project));
        }
        for (key, value) in &settings.profile.attributes {
            resource.retain(|known| known.key != *key);
            resource.push(attribute(key, value));
        }
        Decoration {
            resource: Resource { attributes: resource, ..Resource::default() },
            on_spans,
            translator: Translator::new(settings.semantic_conventions, head),
            names: Names::new(settings, head),
        }
    }

    /// Makes a span the backend's own, at a cost of at most `limit` bytes: texts are cut before they are said in
    /// another convention, whose messages so stay JSON. One that cannot be cut that far stays larger.
    pub fn fitted(&self, mut span: Span, limit: usize) -> Span {
        if size::cost(&span) <= limit / MOST_GROWTH {
            return self.span(span);
        }
        let mut room = limit;
        loop {
            size::fit(&mut span, room);
            let decorated = self.span(span.clone());
            if size::cost(&decorated) <= limit || room < SMALLEST {
                return decorated;
            }
            room /= 2;
        }
    }

    /// Adds what belongs on a span itself.
    pub fn span(&self, mut span: Span) -> Span {
        self.names.apply(&mut span);
        self.translator.apply(&mut span);
        for added in &self.on_spans {
            if !span.attributes.iter().any(|known| known.key == added.key) {
                span.attributes.push(added.clone());
            }
        }
        span
    }

    /// Puts decorated spans into a request.
    pub fn request(&self, spans: Vec<Span>) -> ExportTraceServiceRequest {
        let scope = InstrumentationScope {
            name: SERVICE_NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let spans = ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() };
        let spans = ResourceSpans {
            resource: Some(self.resource.clone()),
            scope_spans: vec![spans],
            ..ResourceSpans::default()
        };
        ExportTraceServiceRequest { resource_spans: vec![spans] }
    }
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

/// How many times as large another convention can make a span, when every character is escaped.
const MOST_GROWTH: usize = 8;
/// A span is not cut below this.
const SMALLEST: usize = 1024;
const SERVICE_NAME: &str = "arize-codex";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otel::testing::{entry, settings, span};

    fn keys(decoration: &Decoration) -> Vec<&str> {
        decoration.resource.attributes.iter().map(|a| a.key.as_str()).collect()
    }

    #[test]
    fn each_backend_gets_what_it_asks_for() {
        let home = tempfile::tempdir().unwrap();
        let head = entry("turn", 1).head;
        let phoenix = Decoration::new(&settings(home.path(), "target: phoenix"), &head);
        assert_eq!(keys(&phoenix), ["service.name", "service.version", "openinference.project.name"]);
        assert_eq!(phoenix.span(span(1, 2)), span(1, 2));
        let arize = Decoration::new(&settings(home.path(), "target: arize"), &head);
        assert_eq!(keys(&arize)[3..], ["arize.project.name", "arize.project.type"]);
        let decorated = arize.span(arize.span(span(1, 2)));
        let project: Vec<_> = decorated.attributes.iter().filter(|a| a.key == "arize.project.name").collect();
        assert_eq!(project, [&attribute("arize.project.name", "project")]);
        let request = arize.request(vec![decorated]);
        assert_eq!(request.resource_spans[0].scope_spans[0].scope.as_ref().unwrap().name, SERVICE_NAME);
    }

    #[test]
    fn messages_stay_json_in_a_span_that_is_cut() {
        let home = tempfile::tempdir().unwrap();
        let otlp =
            Decoration::new(&settings(home.path(), "target: otlp, endpoint: c"), &entry("turn", 1).head);
        let mut llm = span(1, 10);
        for (key, value) in [
            ("openinference.span.kind", "LLM"),
            ("llm.input_messages.0.message.role", "user"),
            ("llm.input_messages.0.message.content", &"\"\n".repeat(20_000)),
        ] {
            llm.attributes.push(attribute(key, value));
        }
        let fitted = otlp.fitted(llm, 20_000);
        assert!(size::cost(&fitted) <= 20_000 && size::cost(&fitted) > 5_000);
        let messages = crate::otel::attribute::string(&fitted, "gen_ai.input.messages").unwrap();
        let messages: serde_json::Value = serde_json::from_str(messages).unwrap();
        assert!(messages[0]["parts"][0]["content"].as_str().unwrap().ends_with(" of 40000 bytes]"));
    }

    #[test]
    fn user_resource_attributes_win() {
        let home = tempfile::tempdir().unwrap();
        let own = settings(home.path(), "target: otlp, endpoint: c, attributes: {service.name: mine, a: b}");
        let decoration = Decoration::new(&own, &entry("turn", 1).head);
        let attributes = &decoration.resource.attributes;
        assert_eq!(attributes.iter().filter(|a| a.key == "service.name").count(), 1);
        assert!(attributes.contains(&attribute("service.name", "mine")));
        assert!(attributes.contains(&attribute("a", "b")));
    }
}
