//! Hostile files in the places of ours: every role still ends well, every command says what it found, and what a link
//! leads to is left alone.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::hostile::{Home, each, pipe, sparse};

const THREAD: &str = "01a20338-12a8-70e0-af71-2abbd9056370";
const TURN: &str = "01a20338-12a8-70e0-af71-2abbd9056371";

/// The files and directories of ours, below the harness directory.
fn places() -> Vec<String> {
    let state = |name: &str| format!("state/codex/{name}");
    vec![
        state(&format!("state_{THREAD}.yaml")),
        state(&format!("state_{THREAD}.lock")),
        state(&format!("spans_{THREAD}.jsonl")),
        state(&format!("closing/{TURN}.{THREAD}.0.json")),
        state(&format!("closing/{TURN}.{THREAD}.0.jsonl")),
        state(&format!("outbox/{TURN}.{THREAD}.0.turn")),
        state(&format!("sent/{TURN}.{THREAD}.0.turn")),
        state(&format!("live/1-1-{THREAD}")),
        state("delivery.json"),
        state("flush.lock"),
        state("last_sweep"),
        state("outbox"),
        state("sent"),
        state("closing"),
        state("live"),
        state("debug"),
        "state/codex".to_owned(),
        "state".to_owned(),
        "logs/codex.log".to_owned(),
        "logs".to_owned(),
        "config.yaml".to_owned(),
        "config.json".to_owned(),
        "../../.codex/arize-env.sh".to_owned(),
    ]
}

/// What lies there instead.
const KINDS: [&str; 7] =
    ["a link", "a link to a folder", "a pipe", "a folder", "rubbish", "endless", "nothing in it"];

fn lay(home: &Home, path: &Path, kind: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let _ = fs::remove_file(path);
    match kind {
        "a link" => symlink(home.path("outside/canary"), path).unwrap(),
        "a link to a folder" => symlink(home.path("outside"), path).unwrap(),
        "a pipe" => pipe(path),
        "a folder" => fs::create_dir_all(path.join("x")).unwrap(),
        "rubbish" => fs::write(path, b"\xff\0{[\"version: 99\n- &a [*a]\n\x1b[2J".repeat(50)).unwrap(),
        "endless" => sparse(path, 6 << 30),
        _ => fs::write(path, b"").unwrap(),
    }
}

#[test]
fn hostile_files_never_fail_roles() {
    let mut cases = Vec::new();
    for place in places() {
        cases.extend(KINDS.iter().map(|kind| (place.clone(), *kind)));
    }
    assert!(cases.len() >= 130);
    each(cases, |(place, kind)| {
        let name = format!("{kind} at {place}");
        let home = Home::new();
        lay(&home, &home.harness(&place), kind);
        let before = home.elsewhere();
        let payload = |event: &str| {
            format!(
                "{{\"hook_event_name\":\"{event}\",\"session_id\":\"{THREAD}\",\"turn_id\":\"{TURN}\",\"tool_name\":\"Bash\",\"tool_use_id\":\"c\",\"tool_input\":{{}},\"prompt\":\"hi\"}}"
            )
        };
        for (role, event) in [("session", "UserPromptSubmit"), ("tool", "PreToolUse"), ("stop", "Stop")] {
            home.role(role, payload(event).as_bytes(), &name);
        }
        let flush = home.run(&[OsString::from("flush"), "--wait".into(), "1".into()], b"");
        flush.check_command(&format!("flush with {name}"));
        assert_eq!(home.elsewhere(), before, "{name}");
    });
}

#[test]
fn hostile_files_never_fail_views() {
    let commands =
        [&["config", "list"][..], &["list"], &["show", "last"], &["resend", "--since", "1h"], &["doctor"]];
    let mut cases = Vec::new();
    for place in
        ["state/codex/sent", "state/codex/outbox", "state/codex/delivery.json", "config.yaml", "state"]
    {
        for kind in KINDS {
            cases.extend(commands.iter().map(|command| (place, kind, *command)));
        }
    }
    each(cases, |(place, kind, command)| {
        let home = Home::new();
        lay(&home, &home.harness(place), kind);
        let before = home.elsewhere();
        let args: Vec<OsString> = command.iter().map(OsString::from).collect();
        home.run(&args, b"").check_command(&format!("{command:?} with {kind} at {place}"));
        assert_eq!(home.elsewhere(), before);
    });
}

#[test]
fn full_directories_are_read_in_bounded_time() {
    let home = Home::new();
    for folder in ["outbox", "sent", "closing", "live", "debug"] {
        let folder = home.harness("state/codex").join(folder);
        fs::create_dir_all(&folder).unwrap();
        for n in 0..3000 {
            let name = match folder.file_name().unwrap().to_str().unwrap() {
                "outbox" | "sent" => format!("turn-{n}.thread-{n}.0.turn"),
                "closing" => format!("turn-{n}.thread-{n}.0.json.{n}"),
                _ => format!("{}-1-thread-{n}", 4_000_000 + n),
            };
            fs::write(folder.join(name), b"x").unwrap();
        }
    }
    let payload = format!(
        "{{\"hook_event_name\":\"SessionStart\",\"session_id\":\"{THREAD}\",\"source\":\"startup\"}}"
    );
    home.role("session", payload.as_bytes(), "thousands of files");
    home.run(&["flush".into(), "--wait".into(), "5".into()], b"").check_command("flush");
}

#[test]
fn open_permissions_are_closed() {
    let home = Home::new();
    home.configure("target: local, api_key: k, notify_chain: [/bin/true]");
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let has = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let config = home.harness("config.yaml");
    fs::create_dir_all(home.harness("state/codex/outbox")).unwrap();
    mode(&config, 0o666);
    for folder in ["", "state", "state/codex", "state/codex/outbox"] {
        mode(&home.harness(folder), 0o777);
    }
    let payload =
        format!("{{\"hook_event_name\":\"Stop\",\"session_id\":\"{THREAD}\",\"turn_id\":\"{TURN}\"}}");
    home.role("stop", payload.as_bytes(), "open to all");
    home.run(&["flush".into()], b"").check_command("flush");
    assert_eq!((has(&config), has(&home.harness(""))), (0o600, 0o755));
    for folder in ["state", "state/codex", "state/codex/outbox", "state/codex/sent", "logs"] {
        assert_eq!(has(&home.harness(folder)), 0o700, "{folder}");
    }
    let log = fs::read_to_string(home.harness("logs/codex.log")).unwrap();
    assert!(log.contains("could be written by other users"), "{log}");
}
