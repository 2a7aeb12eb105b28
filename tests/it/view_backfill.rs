//! Backfill reports past sessions just what live tracing would have told, and nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use arize_codex::context::Context;
use arize_codex::delivery::archive;
use arize_codex::delivery::archive::Item;
use arize_codex::delivery::outbox;
use arize_codex::delivery::past_turns;
use arize_codex::delivery::past_turns::{FoundTurn, Wanted};
use arize_codex::otel::attribute::string;
use arize_codex::otel::entry::{Entry, EntryKey};
use arize_codex::settings::Settings;
use serde_json::Value;

use crate::lab::Lab;
use crate::live::{get, phoenix, spans_in};
use crate::replay::{Recording, recordings};

#[test]
fn backfill_adds_only_unknown_turns() {
    let mut failures = Vec::new();
    for folder in recordings() {
        let recording = Recording::load(&folder);
        let home = tempfile::tempdir().unwrap();
        let context = recording.context(home.path(), "turn");
        let live: BTreeSet<EntryKey> =
            recording.replay_in(&context).entries.into_iter().map(|e| e.head.key).collect();
        let added = backfill(&context);
        let again = backfill(&context);
        let hooks = recording.expected["hooks"].as_bool() != Some(false);
        // Where no hook fires, turns that failed or were interrupted are told by their rollout alone.
        let surprising = added.iter().filter(|e| hooks || e.head.summary.status == "completed");
        for entry in surprising {
            failures.push(format!("{}: {:?} beside {live:?}", recording.name, entry.head));
        }
        assert!(again.is_empty(), "{}: a second run adds {}", recording.name, again.len());
    }
    assert!(failures.is_empty(), "{} turns told twice\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn old_rollouts_split_at_prompts() {
    for (release, turns) in [("codex-0.25.0", 1), ("codex-0.80.0", 2)] {
        let home = tempfile::tempdir().unwrap();
        let context = given(home.path());
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(release).join("resumed");
        let target = context.paths().codex().join("sessions/2026/11/23");
        fs::create_dir_all(&target).unwrap();
        for entry in fs::read_dir(fixture).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with("rollout-") {
                fs::copy(entry.path(), target.join(entry.file_name())).unwrap();
            }
        }
        let entries = backfill(&context);
        assert_eq!(entries.len(), turns, "{release}");
        let said = ["first prompt", "second prompt"];
        let answers = ["done one", "second answer"];
        for (n, entry) in entries.iter().enumerate() {
            let root = &entry.spans[0];
            assert_eq!(string(root, "input.value"), Some(said[n]), "{release}");
            assert_eq!(string(root, "output.value"), Some(answers[n]), "{release}");
            assert_eq!(entry.head.summary.status, "completed", "{release}");
            assert_eq!(root.name, format!("Turn {}", n + 1));
            assert_eq!(entry.spans.len(), if n == 0 { 2 } else { 1 }, "{release}: the shell call");
        }
        assert!(backfill(&context).is_empty(), "the ids are the same the second time");
    }
}

/// Months of sessions, much smaller than what anybody has, into the real Phoenix.
#[test]
#[ignore = "needs Phoenix"]
fn backfill_brings_phoenix_each_turn_once() {
    let phoenix = phoenix();
    let project = format!("backfill-{}", std::process::id());
    let yaml = format!("target: phoenix, endpoint: 'http://{phoenix}', project_name: {project}");
    let lab = Lab::new(&yaml);
    let made = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/synthesize.py"))
        .arg(lab.paths().codex())
        .args(["60", "100000000"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let turns = made["turns"].as_u64().unwrap();
    assert!(turns >= 60 && made["bytes"].as_u64().unwrap() > 90_000_000, "{made}");

    let first = Backfill::of(&lab);
    assert_eq!(first.turns_sent, turns, "{}", first.said);
    let peak = first.peak_kib;
    println!("{turns} turns of {} bytes, peak memory {peak} KiB", made["bytes"]);
    assert!(peak < 64 * 1024, "{peak} KiB for {}", made["bytes"]);
    let archived: Vec<Item> = archive::items(lab.paths()).collect();
    assert_eq!(archived.len() as u64, turns);
    let mut wanted = BTreeMap::new();
    for item in archived {
        for span in Entry::decode(&fs::read(item.path).unwrap()).unwrap().spans {
            let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
            wanted.insert(hex(&span.span_id), hex(&span.trace_id));
        }
    }
    spans_in(&phoenix, &project, wanted.len());
    assert_eq!(all_spans(&phoenix, &project), wanted);

    let again = Backfill::of(&lab);
    assert_eq!(again.turns_sent, 0, "{}", again.said);
    assert_eq!(archive::items(lab.paths()).count() as u64, turns);
    assert_eq!(all_spans(&phoenix, &project), wanted);
    lab.assert_at_rest();
}

/// One run of the command.
struct Backfill {
    said: String,
    turns_sent: u64,
    peak_kib: u64,
}

impl Backfill {
    fn of(lab: &Lab) -> Backfill {
        let mut command = Command::new("python3");
        command.args(["-c", PEAK, env!("CARGO_BIN_EXE_arize-codex"), "backfill"]).env_clear();
        command.env("HOME", lab.folder()).env("PATH", "/usr/bin:/bin").current_dir("/");
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let reported = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}\n{reported}");
        let peak_kib = reported.lines().last().and_then(|l| l.parse().ok()).expect(&reported);
        let delivered = said.lines().next().unwrap().rsplit(", ").next().unwrap();
        let (count, what) = delivered.split_once(' ').unwrap();
        assert!(what.ends_with(" delivered"), "{said}");
        Backfill { turns_sent: count.parse().unwrap(), said, peak_kib }
    }
}

/// Runs its arguments and prints the largest memory of a child, in KiB, as its last line on stderr.
const PEAK: &str = "import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)";

/// Each span of a project with its trace, page by page. A span that is there twice fails the test.
fn all_spans(phoenix: &str, project: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let answer = get(phoenix, &format!("/v1/projects/{project}/spans?limit=1000{cursor}"));
        for span in answer["data"].as_array().unwrap() {
            let id = |key: &str| span["context"][key].as_str().unwrap().to_owned();
            assert_eq!(found.insert(id("span_id"), id("trace_id")), None, "{span}");
        }
        match answer["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

pub fn given(home: &Path) -> Context {
    let vars = BTreeMap::from([("HOME".to_owned(), home.to_str().unwrap().to_owned())]);
    Context::given(vec![], vars)
}

/// Puts every turn that is found into the outbox and returns those that were not known.
pub fn backfill(context: &Context) -> Vec<Entry> {
    let settings = Settings::load(context).unwrap();
    let mut added = Vec::new();
    for path in past_turns::rollouts(context.paths().codex(), &[]).unwrap() {
        let long_ago = SystemTime::now() - Duration::from_secs(48 * 3600);
        File::options().append(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        past_turns::scan(context, &settings, &path, &Wanted::default(), &mut |found| {
            if let FoundTurn::Turn(turn) = found
                && outbox::put_turn(context.paths(), &turn)?
            {
                added.push(turn.into_entry());
            }
            Ok(())
        })
        .unwrap();
    }
    added
}
