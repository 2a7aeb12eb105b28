//! Every place of ours and of Codex's that a command looks at, with everything that may lie there instead, for every
//! command: each ends in time with a clear answer.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Mutex;

use crate::hostile::{Home, each, pipe, sparse};

const THREAD: &str = "01a20338-12a8-70e0-af71-2abbd9056370";
const TURN: &str = "01a20338-12a8-70e0-af71-2abbd9056371";

/// The places, below the home.
fn places() -> Vec<String> {
    let codex = |name: &str| format!(".codex/{name}");
    let harness = |name: &str| format!(".arize/harness/{name}");
    let state = |name: &str| format!(".arize/harness/state/codex/{name}");
    let turn = |folder: &str, extension: &str| state(&format!("{folder}/{TURN}.{THREAD}.0.{extension}"));
    vec![
        harness("config.yaml"),
        harness("config.json"),
        harness("logs/codex.log"),
        codex("arize-env.sh"),
        codex("config.toml"),
        codex("hooks.json"),
        codex("x.config.toml"),
        codex(ROLLOUT),
        state(&format!("state_{THREAD}.yaml")),
        state(&format!("spans_{THREAD}.jsonl")),
        state("delivered.keys"),
        state("backfilled.keys"),
        state("delivery.json"),
        state("flush.lock"),
        state("setup.json"),
        state("notify_chain.json"),
        state("last_sweep"),
        state("backups"),
        state("seen/Stop"),
        state("closing"),
        turn("closing", "json"),
        state("outbox"),
        turn("outbox", "turn"),
        state("outbox/rejected"),
        state("sent"),
        turn("sent", "turn"),
        ".agents/skills/manage-codex-tracing/SKILL.md".to_owned(),
    ]
}

/// What lies there.
const KINDS: [&str; 6] = ["nothing", "a folder", "a pipe", "a link to /dev/zero", "a hole", "rubbish"];

fn lay(path: &Path, kind: &str) {
    let _ = fs::remove_file(path);
    let _ = fs::remove_dir_all(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match kind {
        "nothing" => {}
        "a folder" => fs::create_dir_all(path.join("x")).unwrap(),
        "a pipe" => pipe(path),
        "a link to /dev/zero" => symlink("/dev/zero", path).unwrap(),
        // A rollout may be as long as it likes, and backfill reads all of it.
        "a hole" => sparse(path, if path.ends_with(ROLLOUT) { 48 << 20 } else { 6 << 30 }),
        _ => fs::write(path, b"\xff\0{[\"version: 99\n- &a [*a]\n\x1b[2J".repeat(50)).unwrap(),
    }
}

/// The commands, the one that takes everything away last.
const COMMANDS: [&str; 17] = [
    "install --yes --target local --with-skills",
    "preview last",
    "stats",
    "backfill --dry-run",
    "show last",
    "show last --html ../page.html",
    "list",
    "doctor",
    "config get harnesses.codex.target",
    "config set harnesses.codex.project_name mine",
    "config list",
    "flush --wait 1",
    "resend --since 1h",
    "backfill",
    "demo",
    "uninstall --dry-run",
    "uninstall",
];

/// A home with a turn that was delivered, one that is closed, one that waits, and a rollout of Codex's.
fn home() -> Home {
    let home = Home::new();
    let bin = home.harness("bin");
    fs::create_dir_all(&bin).unwrap();
    // It need not be copied.
    symlink(env!("CARGO_BIN_EXE_arize-codex"), bin.join("arize-codex")).unwrap();
    for (role, event) in [("session", "UserPromptSubmit"), ("tool", "PreToolUse"), ("stop", "Stop")] {
        let payload = format!(
            "{{\"hook_event_name\":\"{event}\",\"session_id\":\"{THREAD}\",\"turn_id\":\"{TURN}\",\"tool_name\":\"Bash\",\"tool_use_id\":\"c\",\"tool_input\":{{}},\"prompt\":\"hi\"}}"
        );
        home.role(role, payload.as_bytes(), "before anything hostile");
    }
    let sent = home.harness(&format!("state/codex/sent/{TURN}.{THREAD}.0.turn"));
    assert!(sent.is_file());
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/codex-0.169.0/tools");
    let rollout = fs::read_dir(fixture).unwrap().flatten().map(|e| e.path());
    let rollout = rollout
        .into_iter()
        .find(|p| p.extension().is_some_and(|e| e == "jsonl") && p.to_str().unwrap().contains("/rollout-"));
    fs::copy(rollout.unwrap(), home.path("home/.codex").join(ROLLOUT)).unwrap();
    home
}

#[test]
fn every_command_ends_on_hostile_files() {
    let mut cases = Vec::new();
    for place in places() {
        cases.extend(KINDS.iter().map(|kind| (place.clone(), *kind)));
    }
    let failures = Mutex::new(Vec::new());
    each(cases, |(place, kind)| {
        let home = home();
        let path = home.path("home").join(&place);
        for command in COMMANDS {
            lay(&path, kind);
            let args: Vec<OsString> = command.split(' ').map(OsString::from).collect();
            let ended = home.run(&args, b"");
            let what = format!("{command} with {kind} at {place}");
            if let Err(why) = ended.command_fault() {
                failures.lock().unwrap().push(format!("{what}: {why}"));
            }
            if (place.as_str(), kind) == HARMLESS && command != "doctor" && ended.code != Some(0) {
                failures.lock().unwrap().push(format!("{what} should be done: {}", ended.stderr));
            }
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

/// What every home has at first: all commands must do their work.
const HARMLESS: (&str, &str) = (".arize/harness/state/codex/setup.json", "nothing");
const ROLLOUT: &str =
    "sessions/2026/11/23/rollout-2026-11-23T00-00-00-01a20338-12a8-70e0-af71-2abbd9056372.jsonl";
