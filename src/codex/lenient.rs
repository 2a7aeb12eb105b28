//! Deserialising what is not ours: a field of an unexpected kind counts as absent, never as an error.

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A text; anything else is none.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(Scalar).map(|scalar| match scalar {
        ReadField::Text(text) => Some(text),
        _ => None,
    })
}

/// A whole number from zero up, written as a number; anything else is none.
pub fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    deserializer.deserialize_any(Scalar).map(|scalar| match scalar {
        ReadField::Number(number) => u64::try_from(number).ok(),
        _ => None,
    })
}

enum ReadField {
    Text(String),
    Number(i128),
    Other,
}

struct Scalar;

impl<'de> Visitor<'de> for Scalar {
    type Value = ReadField;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<ReadField, E> {
        Ok(ReadField::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<ReadField, E> {
        Ok(ReadField::Text(text))
    }

    fn visit_u64<E>(self, number: u64) -> Result<ReadField, E> {
        Ok(ReadField::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<ReadField, E> {
        Ok(ReadField::Number(number.into()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<ReadField, E> {
        Ok(ReadField::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<ReadField, E> {
        Ok(ReadField::Other)
    }

    fn visit_unit<E>(self) -> Result<ReadField, E> {
        Ok(ReadField::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ReadField, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(ReadField::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ReadField, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(ReadField::Other)
    }
}
