//! The ids and attributes of spans as JSON.

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Map, Value};

use crate::otel::attribute::json_object;
use crate::otel::ids::hex;

/// Returns how many of the spans fit into about `bytes`, at least one, and these as a JSON array.
pub fn json<'a>(spans: impl Iterator<Item = &'a Span>, bytes: usize) -> (usize, String) {
    let mut out = Vec::from(b"[");
    let mut taken = 0;
    for span in spans {
        if taken > 0 {
            out.push(b',');
        }
        // A vector takes every write, and all keys are strings.
        let details = Details { i: hex(&span.span_id), a: json_object(&span.attributes) };
        let _ = serde_json::to_writer(&mut out, &details);
        taken += 1;
        if out.len() > bytes {
            break;
        }
    }
    out.push(b']');
    (taken, String::from_utf8_lossy(&out).into_owned())
}

#[derive(serde::Serialize)]
struct Details {
    i: String,
    a: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

    fn span(id: u8, attributes: &[(&str, Any)]) -> Span {
        let one = |(key, value): &(&str, Any)| KeyValue {
            key: (*key).to_owned(),
            value: Some(AnyValue { value: Some(value.clone()) }),
            ..KeyValue::default()
        };
        Span { span_id: vec![id; 8], attributes: attributes.iter().map(one).collect(), ..Span::default() }
    }

    #[test]
    fn attributes_of_every_type_are_written() {
        let spans = [span(
            1,
            &[
                ("text", Any::StringValue("a\"<\n".into())),
                ("flag", Any::BoolValue(true)),
                ("count", Any::IntValue(-7)),
                ("cost", Any::DoubleValue(0.5)),
                ("none", Any::DoubleValue(f64::NAN)),
            ],
        )];
        let (taken, json) = json(spans.iter(), usize::MAX);
        let attributes = r#"{"cost":0.5,"count":-7,"flag":true,"none":null,"text":"a\"<\n"}"#;
        assert_eq!((taken, json), (1, format!(r#"[{{"i":"0101010101010101","a":{attributes}}}]"#)));
    }

    #[test]
    fn chunk_ends_when_it_is_full() {
        let spans: Vec<Span> = (0..9).map(|n| span(n, &[("x", Any::StringValue("y".repeat(100)))])).collect();
        let (taken, json) = json(spans.iter(), 300);
        assert_eq!((taken, serde_json::from_str::<Vec<serde_json::Value>>(&json).unwrap().len()), (3, 3));
        assert_eq!(super::json(spans.iter(), 0).0, 1);
        assert_eq!(super::json(std::iter::empty(), 0), (0, "[]".to_owned()));
    }
}
