//! The page on attributes against the spans of the recordings.

use std::collections::BTreeSet;
use std::path::Path;

use arize_codex::otel::resource::Decoration;
use arize_codex::settings::Settings;

use crate::lab::Lab;
use crate::replay;

/// An attribute's name with `N` and `M` for its numbers.
fn general(key: &str) -> String {
    let mut letters = ["N", "M", "M"].into_iter();
    let part = |part: &str| {
        let number = part.bytes().all(|b| b.is_ascii_digit());
        if number { letters.next().unwrap_or("N").to_owned() } else { part.to_owned() }
    };
    key.split('.').map(part).collect::<Vec<_>>().join(".")
}

/// The names on the page. `.role` behind a name stands for that name with another last part.
fn documented() -> BTreeSet<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/docs/attributes.md");
    let text = std::fs::read_to_string(page).unwrap();
    let mut names = BTreeSet::new();
    for row in text.lines().filter(|line| line.starts_with("| ")) {
        let mut stem = String::new();
        for quoted in row.split('`').skip(1).step_by(2) {
            if let Some(rest) = quoted.strip_prefix('.') {
                names.insert(format!("{stem}.{rest}"));
            } else {
                let ends = ["message.role", "message_content.type", "tool_call.id"];
                let end = ends.iter().find(|end| quoted.ends_with(**end));
                let last = end.and_then(|end| end.split_once('.')).map_or(0, |(_, last)| last.len() + 1);
                stem = quoted[..quoted.len() - last].to_owned();
                names.insert(quoted.to_owned());
            }
        }
    }
    // Settings and values are named too.
    names.retain(|name| {
        (name.contains('.') || name == "metadata") && !name.contains(' ') && !name.starts_with("logging.")
    });
    names
}

#[test]
fn attributes_page_names_what_spans_have() {
    let documented = documented();
    let mut found = BTreeSet::new();
    let recordings = replay::recordings().into_iter().filter(|path| path.to_string_lossy().contains("0.171"));
    let recordings: Vec<_> = recordings.map(|path| replay::Recording::load(&path)).collect();
    for (backend, tree) in [
        ("target: otlp, endpoint: 'http://localhost:1', user_id: me, tags: [a]", "calls"),
        ("target: arize, api_key: k, space_id: s", "turn"),
    ] {
        let lab = Lab::new(backend);
        let settings = Settings::load(lab.context()).unwrap();
        for entry in recordings.iter().flat_map(|recording| recording.replay(tree).entries) {
            let decoration = Decoration::new(&settings, &entry.head);
            let spans = entry.spans.into_iter().map(|span| decoration.span(span)).collect();
            for part in decoration.request(spans).resource_spans {
                let resource = part.resource.into_iter().flat_map(|resource| resource.attributes);
                let spans = part.scope_spans.into_iter().flat_map(|scope| scope.spans);
                let all = spans.flat_map(|span| span.attributes).chain(resource);
                found.extend(all.map(|attribute| general(&attribute.key)));
            }
        }
    }
    let unknown: Vec<_> = found.difference(&documented).collect();
    assert!(unknown.is_empty(), "not on the page: {unknown:#?}");
    // What needs a setting, a backend or another release of Codex.
    let elsewhere = [
        "user.id",
        "tag.tags",
        "llm.tools.N.tool.json_schema",
        "gen_ai.tool.definitions",
        "codex.model_input.is_cut",
        "codex.model_input.lacks",
        "llm.input_messages.N.message.tool_calls.M.tool_call.id",
        "llm.input_messages.N.message.tool_calls.M.tool_call.function.name",
        "llm.input_messages.N.message.tool_calls.M.tool_call.function.arguments",
        "codex.trace_id",
        "codex.usage_source",
        "codex.notify_fallback",
    ];
    let absent: Vec<_> =
        documented.difference(&found).filter(|name| !elsewhere.contains(&name.as_str())).collect();
    assert!(absent.is_empty(), "on no span of a recording: {absent:#?}");
}
