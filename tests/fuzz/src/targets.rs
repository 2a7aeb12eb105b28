//! One target for each foreign format, with the properties that must hold whatever comes in.

use std::path::Path;
use std::time::Duration;

use arize_codex::codex::hooks_config;
use arize_codex::codex::hooks_config::Executables;
use arize_codex::codex::payload::{HookPayload, NotifyPayload};
use arize_codex::codex::rollout::{locate, reader::Reader};
use arize_codex::delivery::transport::endpoint::Endpoint;
use arize_codex::delivery::transport::retry::parse_retry_after;
use arize_codex::otel::entry::Entry;
use arize_codex::otel::entry_reader::EntryReader;
use arize_codex::otel::prices::Prices;
use arize_codex::otel::redact::{ContentClass, Redactor};
use arize_codex::otel::scrub::Scrubber;
use arize_codex::otel::spans::TurnSpans;
use arize_codex::otel::{ids, text_tree};
use arize_codex::settings::{SpanTree, document::Document, env_file};
use arize_codex::time::Timestamp;
use arize_codex::truncate::{Shortener, cut, cut_at_word};
use arize_codex::turn::Git;
use arize_codex::turn::closed::Closing;
use arize_codex::turn::fold::{Evidence, fold};
use arize_codex::turn::rows;
use arize_codex::turn::shelf::Scratch;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

/// What is done with an input.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const ALL: [(&str, Target); 9] = [
    ("payload", payload),
    ("rollout", rollout),
    ("rows", hook_rows),
    ("config_toml", codex_config),
    ("env_file", env_file),
    ("settings", settings),
    ("outbox", outbox),
    ("answer", answer),
    ("scrub", scrub),
];

/// Payloads on stdin and in an argument: whole, or shortened however they arrive.
fn payload(data: &[u8]) {
    if let Ok(payload) = HookPayload::parse(data) {
        let _ = (payload.event(), payload.thread(), payload.turn(), payload.rollout(), payload.root_thread());
    }
    if let Ok(payload) = NotifyPayload::parse(data) {
        let _ = (payload.usage(), payload.is_of_terminal(), payload.input_messages());
    }
    let limit = data.first().map_or(64, |b| usize::from(*b) + 32);
    let shorten = |step: usize| {
        let mut shortener = Shortener::new(limit);
        data.chunks(step).for_each(|chunk| shortener.push(chunk));
        shortener.finish()
    };
    let whole = shorten(data.len().max(1));
    assert_eq!(whole, shorten(3), "the same however it arrives");
    let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).is_ok();
    if let Some(whole) = whole {
        assert!(!json(data) || json(&whole), "JSON stays JSON");
        let _ = HookPayload::parse(&whole);
    }
}

/// A rollout, folded into a turn and built into both trees, which survive their file.
fn rollout(data: &[u8]) {
    let path = scratch("rollout.jsonl", data);
    let meta = locate::read_session_meta(&path);
    for tree in [SpanTree::Turn, SpanTree::Calls] {
        let Some(closing) = closing(tree, data) else { return };
        let _ = locate::has_ended(&path, closing.turn.id.as_str());
        let from = locate::find_turn_start(&path, closing.turn.id.as_str()).ok().flatten().unwrap_or(0);
        let Ok(records) = Reader::open_at(&path, from) else { return };
        build(&closing, rows::parse(data), records, meta.clone());
    }
}

/// Rows of hooks alone.
fn hook_rows(data: &[u8]) {
    let Some(closing) = closing(SpanTree::Calls, data) else { return };
    build(&closing, rows::parse(data), std::iter::empty(), None);
    let _ = rows::first(data);
    let _ = serde_json::from_slice::<Closing>(data);
}

fn build(
    closing: &Closing,
    rows: Vec<rows::Row>,
    records: impl Iterator<Item = arize_codex::codex::rollout::Record>,
    meta: Option<arize_codex::codex::rollout::SessionMeta>,
) {
    let (rows, git, scratch) = (Box::new(rows.into_iter()), Git::default(), Scratch::default());
    let turn = fold(Evidence { closing, rows, meta, records, spawn: None, git, scratch });
    assert!(turn.started <= turn.ended);
    assert!(turn.tools.iter().all(|t| t.started <= t.ended));
    let spans = TurnSpans::new(turn, &closing.profile, &Prices::built_in());
    let mut written = Vec::new();
    spans.write(&mut written).expect("a vector takes every write");
    let entry = spans.into_entry();
    assert_eq!(written, entry.encode(), "the same turn gives the same spans");
    assert_eq!(Entry::decode(&entry.encode()).ok().as_ref(), Some(&entry), "an entry survives its file");
    let tree = text_tree::tree(&entry.spans);
    assert!(!tree.chars().any(|c| c.is_control() && c != '\n'), "no control characters");
}

fn closing(tree: SpanTree, data: &[u8]) -> Option<Closing> {
    // The turn of the tools recording of 0.169, or whichever the input names first.
    let text = String::from_utf8_lossy(data);
    let named =
        text.split_once("\"turn_id\":\"").and_then(|(_, rest)| rest.split_once('"')).map(|(id, _)| id);
    let turn = named.filter(|id| ids_parse(id)).unwrap_or("t");
    let template = serde_json::json!({
        "version": 1, "thread": "thread", "session": {}, "reason": "stop", "at": 1_795_350_400_000_000_000u64,
        "turn": {"id": turn, "started": 1_795_350_300_000_000_000u64, "prompts": ["hello"]},
        "profile": {
            "project_name": "p", "user_id": null, "attributes": [], "tags": [], "span_tree": tree,
            "logging": {"prompts": true, "tool_details": true, "tool_content": true},
            "redact_secrets": true, "redact_patterns": [], "max_value_bytes": 256,
        },
    });
    serde_json::from_value(template).ok()
}

fn ids_parse(id: &str) -> bool {
    arize_codex::ids::TurnId::parse(id).is_ok()
}

/// Codex's configuration: what was put in comes out again, and twice is once.
fn codex_config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let ours = Executables::in_folder("/home/dev/.arize/harness/bin");
    let Ok(installed) = hooks_config::edit::install(text, &ours) else { return };
    let again = hooks_config::edit::install(&installed.text, &ours).expect("what was written can be read");
    assert_eq!(again.text, installed.text, "installing twice is installing once");
    let source = installed.replaced_notify.as_ref().map(|n| n.source.as_str());
    let removed =
        hooks_config::edit::uninstall(&installed.text, &["/home/dev/.codex/config.toml".to_owned()], source);
    let removed = removed.expect("what was written can be taken out").text;
    if !text.contains("arize-hook-codex") {
        assert_eq!(removed, text, "taken out again, nothing is left");
    }
}

/// arize-env.sh.
fn env_file(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let found = env_file::parse(&text, |_| Some("outer".to_owned())).values;
    assert!(found.keys().all(|name| !name.is_empty()));
    let bytes: usize = found.values().map(String::len).sum();
    assert!(bytes <= text.len() + env_file::MAX_EXPANDED_BYTES, "{bytes} bytes");
}

/// config.yaml: what can be read can be written and read again.
fn settings(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(document) = Document::parse(&text) else { return };
    let names: Vec<String> = document.leaves().into_iter().map(|(name, _)| name).collect();
    if let Ok(yaml) = document.to_yaml() {
        let again = Document::parse(&yaml).expect("what was written can be read");
        let names_again: Vec<String> = again.leaves().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names_again, names);
    }
}

/// Files in the outbox, read at once and span by span.
fn outbox(data: &[u8]) {
    let decoded = Entry::decode(data).ok();
    if let Some(entry) = &decoded {
        assert_eq!(Entry::decode(&entry.encode()).ok().as_ref(), Some(entry));
        let _ = text_tree::tree(&entry.spans);
    }
    let Ok(mut reader) = EntryReader::open(&scratch("entry.turn", data)) else { return };
    let mut spans = 0;
    while let Ok(Some(_)) = reader.next_span() {
        spans += 1;
    }
    assert!(decoded.is_none_or(|e| e.spans.len() >= spans || spans == 0));
}

/// What servers answer, and the short forms people and systems write.
fn answer(data: &[u8]) {
    let _ = ExportTraceServiceResponse::decode(data);
    let text = String::from_utf8_lossy(data);
    if let Some(wait) = parse_retry_after(&text, Timestamp::from_millis(1_795_350_336_172)) {
        assert!(wait <= Duration::MAX);
    }
    let _ = ids::TraceParent::parse(&text);
    let _ = Timestamp::parse(&text);
    let _ = Timestamp::of_uuid_v7(&text);
    if let Ok(endpoint) = Endpoint::parse(&text, None, 1) {
        assert!(!endpoint.to_string().contains('@') || endpoint.path.contains('@'), "no credentials");
    }
    let stripped = arize_codex::git::without_credentials(&text);
    assert!(stripped.len() <= text.len());
}

/// Secrets: findings are apart and on character boundaries, what was scrubbed once stays as it is, the text grows by no
/// more than the marks, nothing that was hidden is in what is left, and cutting and withholding may be repeated.
fn scrub(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let scrubber = Scrubber::new(&[]).with_personal_data(data.len() % 2 == 1);
    let findings = scrubber.findings(&text);
    let mut end = 0;
    for finding in &findings {
        assert!(
            finding.range.start >= end
                && text.get(finding.range.clone()).is_some_and(|part| !part.is_empty())
        );
        end = finding.range.end;
    }
    let once = scrubber.scrub(&text).into_owned();
    assert_eq!(scrubber.scrub(&once), once, "scrubbing twice is scrubbing once");
    let marks = once.matches("<secret:").count();
    assert!(once.len() <= text.len() + marks * MOST_MARK_BYTES, "grows by marks alone");
    hidden_stays_hidden(&text, &findings, &once);
    for limit in [64, 300] {
        for cut in [cut, cut_at_word] {
            let once = cut(&text, limit).into_owned();
            assert_eq!(cut(&once, limit), once, "cutting twice is cutting once");
        }
        for shown in [true, false] {
            let logging = serde_json::from_value(
                serde_json::json!({"prompts": shown, "tool_details": shown, "tool_content": shown}),
            );
            let Ok(logging) = logging else { return };
            let redactor = Redactor::of_switches(logging, limit);
            let once = redactor.text(ContentClass::Prompt, &text).into_owned();
            assert_eq!(redactor.text(ContentClass::Prompt, &once), once, "redacting twice is redacting once");
            let once = redactor.json(ContentClass::ToolContent, &text);
            // What is no JSON is only ever read as a text.
            let json = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            let again = redactor.json(ContentClass::ToolContent, &once);
            assert!(!json || again == once, "of JSON as well: {once} {again}");
        }
    }
}

/// A secret that stood in the text once, and was long enough to be no accident, is nowhere in what is left.
fn hidden_stays_hidden(text: &str, findings: &[arize_codex::otel::scrub::Finding], once: &str) {
    for finding in findings {
        let secret = &text[finding.range.clone()];
        let single = secret.len() >= 16 && text.matches(secret).count() == 1;
        assert!(!single || !once.contains(secret), "{secret:?} is still in {once:?}");
    }
}

/// `<secret:KIND>` is no longer.
const MOST_MARK_BYTES: usize = 48;

/// A file of this process that holds the input.
fn scratch(name: &str, data: &[u8]) -> std::path::PathBuf {
    let shared = Path::new("/dev/shm");
    let folder = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
    let path = folder.join(format!("arize-codex-fuzz-{}-{name}", std::process::id()));
    std::fs::write(&path, data).expect("a temporary file can be written");
    path
}
