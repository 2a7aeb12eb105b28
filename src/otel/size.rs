//! The byte budget of a request: how large spans are on the wire, and how one that is too large is made to fit.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::truncate;

/// Returns what a span adds to a request, in bytes: itself, its key and its length.
pub fn cost(span: &Span) -> usize {
    let len = span.encoded_len();
    1 + prost::encoding::encoded_len_varint(len as u64) + len
}

/// Makes a span cost at most `limit` bytes by cutting its longest texts, with a mark; ids, counts and structure
/// stay. Returns whether it fits now: many thousand short values cannot be cut.
pub fn fit(span: &mut Span, limit: usize) -> bool {
    let mut keep = longest(span);
    while cost(span) > limit {
        if keep <= SHORTEST {
            return false;
        }
        keep = (keep / 2).max(SHORTEST);
        for_each_text(span, &mut |text| cut(text, keep));
    }
    true
}

fn cut(text: &mut String, keep: usize) {
    if text.len() > keep + MARK_ROOM
        && let std::borrow::Cow::Owned(shorter) = truncate::cut(text, keep)
    {
        *text = shorter;
    }
}

fn longest(span: &mut Span) -> usize {
    let mut longest = 0;
    for_each_text(span, &mut |text| longest = longest.max(text.len()));
    longest
}

fn for_each_text(span: &mut Span, act: &mut impl FnMut(&mut String)) {
    act(&mut span.name);
    if let Some(status) = &mut span.status {
        act(&mut status.message);
    }
    in_attributes(&mut span.attributes, act);
    for event in &mut span.events {
        in_attributes(&mut event.attributes, act);
    }
    for link in &mut span.links {
        in_attributes(&mut link.attributes, act);
    }
}

fn in_attributes(attributes: &mut [KeyValue], act: &mut impl FnMut(&mut String)) {
    attributes.iter_mut().filter_map(|a| a.value.as_mut()).for_each(|value| in_value(value, act));
}

fn in_value(value: &mut AnyValue, act: &mut impl FnMut(&mut String)) {
    match &mut value.value {
        Some(Value::StringValue(text)) => act(text),
        Some(Value::ArrayValue(array)) => array.values.iter_mut().for_each(|v| in_value(v, act)),
        Some(Value::KvlistValue(list)) => in_attributes(&mut list.values, act),
        _ => {}
    }
}

/// No text is cut below this many bytes, so ids and kinds stay whole.
const SHORTEST: usize = 128;
/// Cutting pays only for texts that are longer than what is kept and the mark together.
const MARK_ROOM: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otel::testing;

    #[test]
    fn oversized_span_keeps_its_structure() {
        let mut span = testing::span(3, 1_000_000);
        let whole = span.clone();
        assert!(fit(&mut span, 10_000));
        assert!(cost(&span) <= 10_000 && cost(&span) > 4_000, "{}", cost(&span));
        assert_eq!((&span.span_id, &span.attributes[1]), (&whole.span_id, &whole.attributes[1]));
        let Some(Value::StringValue(text)) = &span.attributes[0].value.as_ref().unwrap().value else {
            panic!("no text")
        };
        assert!(text.ends_with(" of 1000000 bytes]"), "the mark names the whole length");
        let once = span.clone();
        assert!(fit(&mut span, 10_000));
        assert_eq!(span, once, "what fits stays");
    }

    #[test]
    fn events_and_lists_are_cut_too() {
        let long = || "é".repeat(50_000);
        let text = |t: String| AnyValue { value: Some(Value::StringValue(t)) };
        let list = opentelemetry_proto::tonic::common::v1::ArrayValue { values: vec![text(long())] };
        let mut span = testing::span(1, 10);
        span.name = long();
        span.status = Some(opentelemetry_proto::tonic::trace::v1::Status { message: long(), code: 2 });
        let attribute = |value| KeyValue { key: "k".into(), value: Some(value), ..KeyValue::default() };
        span.events = vec![opentelemetry_proto::tonic::trace::v1::span::Event {
            attributes: vec![attribute(text(long()))],
            ..Default::default()
        }];
        span.attributes.push(attribute(AnyValue { value: Some(Value::ArrayValue(list)) }));
        assert!(fit(&mut span, 5000));
        assert!(cost(&span) <= 5000);
    }

    #[test]
    fn what_cannot_be_cut_is_said_not_to_fit() {
        let mut span = testing::span(1, 100);
        assert!(!fit(&mut span, 50));
        assert_eq!(span, testing::span(1, 100));
    }
}
