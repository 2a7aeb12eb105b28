//! In what a request differs from another of the same turn.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::BTreeMap;

/// Spans that come or go, and attributes that differ on those that stay.
pub fn differences(stored: &ExportTraceServiceRequest, other: &ExportTraceServiceRequest) -> Vec<String> {
    let spans = |request: &ExportTraceServiceRequest| -> BTreeMap<Vec<u8>, Span> {
        let all = request.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans);
        all.map(|s| (s.span_id.clone(), s.clone())).collect()
    };
    let resource = |request: &ExportTraceServiceRequest| -> Vec<KeyValue> {
        request.resource_spans.iter().filter_map(|r| r.resource.clone()).flat_map(|r| r.attributes).collect()
    };
    let mut found = BTreeMap::new();
    changes(RESOURCE, &resource(stored), &resource(other), &mut found);
    let (stored, other) = (spans(stored), spans(other));
    for (id, span) in &other {
        match stored.get(id) {
            None => *found.entry(('+', SPAN, unnumbered(&span.name))).or_default() += 1,
            Some(known) => changes(ATTRIBUTE, &known.attributes, &span.attributes, &mut found),
        }
    }
    for span in stored.iter().filter(|(id, _)| !other.contains_key(*id)).map(|(_, span)| span) {
        *found.entry(('-', SPAN, unnumbered(&span.name))).or_default() += 1;
    }
    let line = |((sign, what, name), count): ((char, &str, String), u64)| match count {
        1 => format!("{sign} {what} {name}"),
        n => format!("{sign} {what} {name}, {n} times"),
    };
    found.into_iter().map(line).collect()
}

fn changes(
    what: &'static str,
    stored: &[KeyValue],
    other: &[KeyValue],
    found: &mut BTreeMap<(char, &'static str, String), u64>,
) {
    let find = |list: &[KeyValue], key: &str| list.iter().find(|a| a.key == key).map(|a| a.value.clone());
    let mut note = |sign, key: &str| *found.entry((sign, what, key.to_owned())).or_default() += 1;
    // A turn built anew says so; what would have been sent does not.
    for attribute in other.iter().filter(|a| a.key != "codex.origin") {
        match find(stored, &attribute.key) {
            None => note('+', &attribute.key),
            Some(value) if value != attribute.value => note('~', &attribute.key),
            Some(_) => {}
        }
    }
    stored.iter().filter(|a| find(other, &a.key).is_none()).for_each(|a| note('-', &a.key));
}

/// `Model call 3` as `Model call`.
fn unnumbered(name: &str) -> String {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ').to_owned()
}

const RESOURCE: &str = "resource attribute";
const ATTRIBUTE: &str = "attribute";
const SPAN: &str = "span";

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::AnyValue;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};

    fn attribute(key: &str, value: &str) -> KeyValue {
        let value = Some(AnyValue { value: Some(Any::StringValue(value.to_owned())) });
        KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
    }

    /// An id, a name and attributes.
    type Given<'a> = (u8, &'a str, &'a [(&'a str, &'a str)]);

    fn request(spans: &[Given]) -> ExportTraceServiceRequest {
        let span = |(id, name, attributes): &Given| Span {
            span_id: vec![*id; 8],
            name: (*name).to_owned(),
            attributes: attributes.iter().map(|(k, v)| attribute(k, v)).collect(),
            ..Span::default()
        };
        let spans = ScopeSpans { spans: spans.iter().map(span).collect(), ..ScopeSpans::default() };
        let resource = Some(Resource::default());
        let spans = ResourceSpans { resource, scope_spans: vec![spans], ..ResourceSpans::default() };
        ExportTraceServiceRequest { resource_spans: vec![spans] }
    }

    #[test]
    fn what_differs_is_told_once_with_how_often() {
        let stored = request(&[(1, "Turn 1", &[("kind", "LLM"), ("gone", "1")]), (2, "Bash", &[])]);
        let other = request(&[
            (1, "Turn 1", &[("kind", "AGENT"), ("codex.origin", "backfill")]),
            (3, "Model call 1", &[]),
            (4, "Model call 2", &[]),
        ]);
        let expected = ["+ span Model call, 2 times", "- attribute gone", "- span Bash", "~ attribute kind"];
        assert_eq!(differences(&stored, &other), expected);
        assert!(differences(&stored, &stored).is_empty());
    }
}
