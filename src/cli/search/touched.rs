//! Finds turns by a file that a call changed, or that a command names.

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;
use std::path::{Component, Path, PathBuf};

use super::Match;
use super::archive;
use super::pattern::Pattern;
use crate::cli::selection;
use crate::cli::selection::selectors::Selectors;
use crate::context::Context;
use crate::otel::attribute::string;
use crate::otel::redact::Redactor;

/// Returns the selected turns that touched the file, newest first; none when the path names no file.
pub fn search(
    path: &str,
    redactor: &Redactor,
    selectors: &Selectors,
    limit: usize,
    context: &Context,
) -> Option<Vec<Match>> {
    let wanted = normal(Path::new(path));
    // Most turns hold nothing of it, which shows without reading their spans.
    let name = Pattern::new(wanted.file_name()?.to_str()?)?;
    let found = selection::selected(context, selectors).filter_map(|(number, trace)| {
        let cwd = trace.head().summary.cwd.clone().map(PathBuf::from).unwrap_or_default();
        archive::search_trace(number, &trace, &name, &mut |span, hits| {
            for (place, text) in touches(span, &cwd, &wanted) {
                if let Some(excerpt) = name.excerpt(text.as_bytes(), redactor) {
                    hits.note(place.to_owned(), excerpt);
                }
            }
        })
    });
    Some(found.take(limit).collect())
}

/// How a call touches the file, and the line that says so.
fn touches(span: &Span, cwd: &Path, wanted: &Path) -> Vec<(&'static str, String)> {
    if string(span, "openinference.span.kind") != Some("TOOL") {
        return Vec::new();
    }
    let Some(input) = string(span, "input.value") else { return Vec::new() };
    let mut texts = Vec::new();
    match serde_json::from_str::<Value>(input) {
        Ok(value) => collect(&value, &mut texts),
        Err(_) => texts.push(input.to_owned()),
    }
    let mut found = Vec::new();
    let is_it = |path: &str| is_same(&normal(&cwd.join(path)), wanted);
    for line in texts.iter().flat_map(|text| text.lines()) {
        let header = HEADERS.iter().find_map(|(start, place)| Some((*place, line.strip_prefix(start)?)));
        match header {
            Some((place, path)) if is_it(path.trim()) => found.push((place, line.to_owned())),
            Some(_) => {}
            // The content of a patch is no command.
            None if line.starts_with(['+', '-', ' ', '@']) => {}
            None if line.split(BETWEEN_WORDS).any(|word| !word.is_empty() && is_it(word)) => {
                found.push((NAMED, line.to_owned()));
            }
            None => {}
        }
    }
    found
}

/// The texts of a call's arguments.
fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(map) => map.values().for_each(|item| collect(item, texts)),
        _ => {}
    }
}

/// Returns true if a path is the one wanted, or ends with it where only its end was given.
fn is_same(path: &Path, wanted: &Path) -> bool {
    if wanted.is_absolute() { path == wanted } else { path.ends_with(wanted) }
}

/// The path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// The headers of Codex's patches, and what each does to its file.
const HEADERS: [(&str, &str); 4] = [
    ("*** Add File: ", "added"),
    ("*** Update File: ", "changed"),
    ("*** Delete File: ", "deleted"),
    ("*** Move to: ", "moved"),
];
const NAMED: &str = "named";
/// What stands between the words of a command.
const BETWEEN_WORDS: [char; 16] =
    [' ', '\t', '"', '\'', '`', '=', ':', ';', '|', '&', '(', ')', '<', '>', ',', '{'];

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

    fn places(input: &str, wanted: &str) -> Vec<&'static str> {
        let pair = |key: &str, value: &str| KeyValue {
            key: key.into(),
            value: Some(AnyValue { value: Some(Any::StringValue(value.into())) }),
            ..KeyValue::default()
        };
        let attributes = vec![pair("openinference.span.kind", "TOOL"), pair("input.value", input)];
        let span = Span { attributes, ..Span::default() };
        touches(&span, Path::new("/w/repo"), &normal(Path::new(wanted))).into_iter().map(|(p, _)| p).collect()
    }

    #[test]
    fn patches_and_commands_touch_their_files() {
        let patch = "*** Begin Patch\n*** Update File: src/a.rs\n-x\n+see src/b.rs\n*** Add File: src/c.rs\n*** End Patch";
        for (input, wanted, found) in [
            (patch, "src/a.rs", &["changed"][..]),
            (patch, "a.rs", &["changed"]),
            (patch, "/w/repo/src/a.rs", &["changed"]),
            (patch, "/w/other/src/a.rs", &[]),
            (patch, "src/b.rs", &[]),
            (patch, "./src/c.rs", &["added"]),
            (r#"{"cmd":"sed -n 1,3p ./src/a.rs"}"#, "src/a.rs", &["named"]),
            (r#"{"cmd":"cat 'src/a.rs' > out"}"#, "src/a.rs", &["named"]),
            (r#"{"cmd":"cat src/aa.rs"}"#, "a.rs", &[]),
            (
                r#"{"command":["apply_patch","*** Begin Patch\n*** Delete File: old.md\n*** End Patch"]}"#,
                "old.md",
                &["deleted"],
            ),
        ] {
            assert_eq!(places(input, wanted), found, "{input} {wanted}");
        }
    }
}
