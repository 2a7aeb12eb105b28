//! YAML that a hook can read and write without a YAML library: one line a key, its value in flow style.
//!
//! JSON is flow-style YAML, so the JSON library does the work, in a small part of the instructions
//! (`docs::hook_time`). Any YAML library reads what is written here, and
//! what a user, or an earlier release, wrote in another style is read by the full library.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::fmt::Write;

/// Writes a structure, whose fields become the lines.
///
/// # Errors
/// When it does not serialise to a mapping.
pub(super) fn to_string<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    let fields: Map<String, Value> = serde_json::from_value(serde_json::to_value(value)?)?;
    let mut text = String::with_capacity(1024);
    for (key, value) in &fields {
        let _ = writeln!(text, "{key}: {value}");
    }
    Ok(printable(text))
}

/// Reads a structure back; none when the text is of another style, or no such structure.
pub(super) fn from_str<T: DeserializeOwned>(text: &str) -> Option<T> {
    let mut json = String::with_capacity(text.len() + 64);
    for line in text.lines() {
        let (key, value) = line.split_once(": ")?;
        let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if !plain {
            return None;
        }
        json.push(if json.is_empty() { '{' } else { ',' });
        let _ = write!(json, "\"{key}\":{value}");
    }
    json.push('}');
    serde_json::from_str(&json).ok()
}

/// Escapes what JSON leaves as it is and YAML takes for a line break or for no text at all. Such characters only
/// stand inside strings, and both languages read the escape alike.
fn printable(text: String) -> String {
    let odd = |c: char| {
        matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    if !text.contains(odd) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        match odd(c) {
            true => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            false => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        text: String,
        list: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        inner: Option<Box<Sample>>,
        number: u64,
    }

    fn samples() -> Vec<Sample> {
        let every: String =
            (0u32..0x2100).chain(0xd7f0..0xe010).chain(0xfef0..0x1_0010).filter_map(char::from_u32).collect();
        let texts = [
            "",
            "1",
            "~",
            "- a: b",
            "version: 9",
            "'\"\\#!&*|>%@`{}[],:?",
            "😀\u{10ffff}",
            "a\r\nb\t",
            " x ",
            &every,
        ];
        let one = |text: &str, inner| Sample {
            text: text.to_owned(),
            list: vec![text.to_owned(), text.repeat(2)],
            inner,
            number: u64::MAX,
        };
        texts.iter().map(|t| one(t, Some(Box::new(one(t, None))))).collect()
    }

    #[test]
    fn flat_yaml_reads_back_by_both_readers() {
        for sample in samples() {
            let text = to_string(&sample).unwrap();
            assert_eq!(from_str::<Sample>(&text).as_ref(), Some(&sample), "{:?}", sample.text);
            let full: Sample =
                serde_yml::from_str(&text).unwrap_or_else(|e| panic!("{e}: {:?}", sample.text));
            assert_eq!(full, sample);
        }
    }

    #[test]
    fn another_style_is_left_to_the_full_reader() {
        for sample in samples() {
            let text = serde_yml::to_string(&sample).unwrap();
            let read = from_str::<Sample>(&text);
            assert!(read.is_none_or(|read| read == sample), "{text}");
        }
        for text in ["", "text", "text: \"a\"\n  number: 1", "# note\ntext: \"a\"", "{text: a}"] {
            assert!(from_str::<Sample>(text).is_none(), "{text}");
        }
    }
}
