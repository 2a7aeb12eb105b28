//! One turn, one story: live tracing, `resend` and `backfill` of a turn give equal spans, in every name, attribute, status
//! and time, but for what hooks alone can know. That is written down here; backfill leaves it out and never
//! contradicts it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use arize_codex::context::Context;
use arize_codex::delivery::{archive, past_turns};
use arize_codex::otel::attribute::string;
use arize_codex::otel::entry::{Entry, EntryKey};
use opentelemetry_proto::tonic::trace::v1::Span;
use ruzstd::decoding::StreamingDecoder;
use serde_json::Value;

use crate::replay::{Recording, fixture, recordings};
use crate::view_backfill::backfill;

/// Attributes that only hooks, or notify, can know. Backfill has none of them, or less.
const ONLY_HOOKS_KNOW: &[&str] = &[
    // Who told the turn.
    "codex.origin",
    // In metadata: the mode and the beginning of the session, and the client as notify names it.
    "permission_mode",
    "session_start",
    "codex.approval_mode",
    // Questions whether a call may run.
    "codex.permission.decision",
    "codex.permission.decided_by",
    "codex.permission.wait_ms",
    "codex.permission.reason",
    // When a request was made and answered, how often, and what follows from that for where the time went.
    "codex.request.attempts",
    "codex.time.model_ms",
    "codex.time.tools_ms",
    "codex.time.hooks_ms",
    "codex.time.approvals_ms",
    "codex.agent.type",
    "codex.compaction.trigger",
];
/// Attributes of calls that scripts make: what the tool was asked, and what it gave, where Codex's note lacks it.
const ONLY_HOOKS_KNOW_OF_NESTED: &[&str] =
    &["input.value", "input.mime_type", "tool.parameters", "output.value", "output.mime_type"];
/// Attributes that follow from the model's name, which releases before 0.155 do not note for a compaction by hand.
const ONLY_HOOKS_KNOW_OF_COMPACTIONS: &[&str] = &[
    "llm.model_name",
    "codex.cost.source",
    "codex.cost.unknown_calls",
    "llm.cost.prompt",
    "llm.cost.completion",
    "llm.cost.total",
];

#[test]
fn backfill_tells_the_story_of_live() {
    let (mut failures, mut compared) = (Vec::new(), 0);
    for folder in recordings() {
        // The process behind a hook waits for the end of the turn; a replay, which has none, is shown it at once.
        let recording = Recording::load(&folder).waiting();
        for tree in ["turn", "calls"] {
            let home = tempfile::tempdir().unwrap();
            let live = recording.replay_in(&recording.context(home.path(), tree)).entries;
            failures.extend(
                resent(home.path(), &live).map(|told| format!("{} ({tree}): {told}", recording.name)),
            );
            let home = tempfile::tempdir().unwrap();
            let context = recording.context(home.path(), tree);
            recording.lay_rollouts(context.paths().codex());
            let rollouts = rollouts_of(&context);
            let past: BTreeMap<EntryKey, Entry> =
                backfill(&context).into_iter().map(|e| (e.head.key.clone(), e)).collect();
            for entry in live.iter().filter(|e| recording.has_rollout(e.head.key.thread.as_str())) {
                // A turn that went on after its end is one turn in hindsight.
                if live.iter().any(|e| e.head.key.turn == entry.head.key.turn && e.head.key.part > 0) {
                    continue;
                }
                let at = format!("{} ({tree}) turn {}", recording.name, entry.head.key.turn);
                let Some(found) = past.get(&entry.head.key) else {
                    failures.push(format!("{at}: not found"));
                    continue;
                };
                compared += 1;
                let differences =
                    Story { reports_requests: recording.reports_requests(), rollouts: &rollouts }
                        .differences(entry, found);
                failures.extend(differences.into_iter().map(|line| format!("{at}: {line}")));
            }
        }
    }
    assert!(compared >= 400, "only {compared} turns");
    assert!(failures.is_empty(), "{} differences\n{}", failures.len(), failures.join("\n"));
}

/// What holds for a turn may stand far before it.
#[test]
fn long_turns_tell_the_same_story() {
    let mut failures = Vec::new();
    for name in ["app-goal", "app-goal-classic", "default-resume", "default-ten-turns", "compaction-twice"] {
        let recording = fixture("0.171.0", name).unwrap().padded().waiting();
        let live = recording.replay("calls").entries;
        let home = tempfile::tempdir().unwrap();
        let context = recording.context(home.path(), "calls");
        recording.lay_rollouts(context.paths().codex());
        let rollouts = rollouts_of(&context);
        let past = backfill(&context);
        assert_eq!(live.len(), past.len(), "{name}");
        for entry in &live {
            let found = past.iter().find(|found| found.head.key == entry.head.key).unwrap();
            let differences = Story { reports_requests: true, rollouts: &rollouts }.differences(entry, found);
            failures.extend(differences.into_iter().map(|line| format!("{name}: {line}")));
        }
    }
    assert!(failures.is_empty(), "{} differences\n{}", failures.len(), failures.join("\n"));
}

/// Sends everything in a home's archive again; says what became of it when it is not what it was.
fn resent(home: &Path, live: &[Entry]) -> Option<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arize-codex"));
    command.args(["resend", "--since", "3650d"]).env_clear().env("HOME", home).current_dir("/");
    let output = command.output().unwrap();
    let vars = BTreeMap::from([("HOME".to_owned(), home.to_str().unwrap().to_owned())]);
    let context = Context::given(Vec::new(), vars);
    let sent = archive::items(context.paths()).filter(|item| item.place == archive::DeliveryState::Sent);
    let again: Vec<Entry> = sent.map(|item| Entry::decode(&fs::read(&item.path).unwrap()).unwrap()).collect();
    let told = |entries: &[Entry]| -> BTreeMap<EntryKey, Vec<Span>> {
        entries.iter().map(|entry| (entry.head.key.clone(), entry.spans.clone())).collect()
    };
    (!output.status.success() || told(live) != told(&again))
        .then(|| format!("resent otherwise: {} turns for {}, {output:?}", again.len(), live.len()))
}

/// The text of all rollouts of a home.
fn rollouts_of(context: &Context) -> String {
    let found = past_turns::rollouts(context.paths().codex(), &[]).unwrap();
    let read = |path: &Path| {
        let mut text = String::new();
        let file = fs::File::open(path).unwrap();
        match path.extension().is_some_and(|e| e == "zst") {
            true => StreamingDecoder::new(file).unwrap().read_to_string(&mut text).unwrap(),
            false => { file }.read_to_string(&mut text).unwrap(),
        };
        text
    };
    found.iter().map(|path| read(path)).collect()
}

/// Compares two tellings of a turn.
pub struct Story<'a> {
    /// Codex called hooks for each request, which know its bounds.
    pub reports_requests: bool,
    /// The text of all rollouts.
    pub rollouts: &'a str,
}

impl Story<'_> {
    pub fn differences(&self, live: &Entry, past: &Entry) -> Vec<String> {
        let by_id = |entry: &Entry| -> BTreeMap<Vec<u8>, Span> {
            entry.spans.iter().map(|span| (span.span_id.clone(), span.clone())).collect()
        };
        let said = past.spans[0].status.as_ref().map_or("", |status| status.message.as_str());
        let endless = said == "its end was never reported";
        let (mut want, mut got) = (by_id(live), by_id(past));
        // Of a nested call that failed without a note, hooks alone know.
        want.retain(|_, span| {
            let id = string(span, "tool_call.id").filter(|id| id.starts_with("exec-"));
            id.is_none_or(|id| self.rollouts.contains(id))
        });
        let mut found = Vec::new();
        let ids: Vec<Vec<u8>> = want.keys().cloned().collect();
        for id in ids {
            let live = want.remove(&id).unwrap();
            match got.remove(&id) {
                Some(past) => {
                    let name = &live.name;
                    found.extend(
                        self.spans(&live, &past, endless).into_iter().map(|line| format!("{name}: {line}")),
                    );
                }
                None => found.push(format!("live only {}", live.name)),
            }
        }
        found.extend(got.values().map(|span| format!("past only {}", span.name)));
        found
    }

    /// Of a turn without an end, hooks know why it has none and when Codex was heard of last.
    fn spans(&self, live: &Span, past: &Span, endless: bool) -> Vec<String> {
        let mut found = Vec::new();
        let id = string(live, "tool_call.id").unwrap_or_default();
        let late = id.starts_with("exec-") && self.is_noted_late(id);
        let mut check = |what: &str, live: String, past: String| {
            if live != past {
                found.push(format!("{what}: live {live}, past {past}"));
            }
        };
        check("name", live.name.clone(), past.name.clone());
        check("parent", format!("{:?}", live.parent_span_id), format!("{:?}", past.parent_span_id));
        check("trace", format!("{:?}", live.trace_id), format!("{:?}", past.trace_id));
        let by_requests = self.reports_requests && string(live, "openinference.span.kind") == Some("LLM");
        // Hooks know when a call was asked for whose note was written after the turn's end.
        if !by_requests && !late {
            check("start", live.start_time_unix_nano.to_string(), past.start_time_unix_nano.to_string());
        }
        if !by_requests && !endless {
            check("end", live.end_time_unix_nano.to_string(), past.end_time_unix_nano.to_string());
        }
        check("verdict", format!("{:?}", code(live)), format!("{:?}", code(past)));
        if !endless {
            check("status", format!("{:?}", live.status), format!("{:?}", past.status));
        }
        let nested = string(live, "tool_call.id").is_some_and(|id| id.starts_with("exec-"));
        let (live, past) = (attributes(live), attributes(past));
        let has = |all: &BTreeMap<String, String>, key: &str| all.contains_key(key);
        let untold = |key: &str| {
            let empty = past.get(key).is_none_or(|told| told.contains(r#"{\"input\":\"\"}"#));
            ONLY_HOOKS_KNOW_OF_NESTED.contains(&key) && nested && empty
        };
        let nameless = has(&live, "llm.model_name") && !has(&past, "llm.model_name");
        let unnamed = |key: &str| nameless && ONLY_HOOKS_KNOW_OF_COMPACTIONS.contains(&key);
        for key in live.keys().chain(past.keys()).collect::<std::collections::BTreeSet<_>>() {
            if endless && key == "codex.turn.duration_ms" {
                continue;
            }
            if !ONLY_HOOKS_KNOW.contains(&key.as_str()) && !untold(key) && !unnamed(key) {
                let of = |all: &BTreeMap<String, String>| all.get(key).cloned().unwrap_or("-".to_owned());
                check(key, of(&live), of(&past));
            }
        }
        found
    }
}

/// The attributes of a span, those in its metadata by their own names.
fn attributes(span: &Span) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> =
        span.attributes.iter().map(|pair| (pair.key.clone(), format!("{:?}", pair.value))).collect();
    found.remove("metadata");
    let metadata = serde_json::from_str(string(span, "metadata").unwrap_or("{}")).unwrap();
    if let Value::Object(metadata) = metadata {
        found.extend(metadata.into_iter().map(|(key, value)| (key, value.to_string())));
    }
    found
}

impl Story<'_> {
    /// Returns true if Codex noted a call behind the end of its turn.
    fn is_noted_late(&self, call: &str) -> bool {
        let noted =
            self.rollouts.lines().find(|line| line.contains(call) && line.contains("\"item_completed\""));
        let note: Value = noted.map(|line| serde_json::from_str(line).unwrap()).unwrap_or_default();
        let turn = note["payload"]["turn_id"].as_str().unwrap_or("-").to_owned();
        let before = self.rollouts.lines().take_while(|line| Some(*line) != noted);
        let ends = |line: &str| line.contains("\"task_complete\"") || line.contains("\"turn_aborted\"");
        before.into_iter().any(|line| ends(line) && line.contains(&turn))
    }
}

fn code(span: &Span) -> Option<i32> {
    span.status.as_ref().map(|status| status.code)
}
