//! Turns that run: `list`, `show --follow` and the page know them.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const THREAD: &str = "01a208b7-4665-7351-8821-05e2a116e8e7";
const TURN: &str = "01a208b7-467d-7581-acaf-06e37ecc6ebd";

fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arize-codex"));
    command.env_clear().env("HOME", home);
    command
}

/// Calls a hook; this process stands for Codex.
fn hook(home: &Path, role: &str, event: &str, more: serde_json::Value) {
    let mut payload = serde_json::json!({
        "session_id": THREAD, "turn_id": TURN, "hook_event_name": event, "cwd": home, "model": "gpt-5.5",
        "transcript_path": null, "permission_mode": "default",
    });
    payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut child = program(home).args(["hook", role]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(payload.to_string().as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

struct Followed(Child);

impl Drop for Followed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn follow_prints_calls_as_they_start_and_end() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    std::fs::create_dir_all(home.join(".arize/harness")).unwrap();
    std::fs::write(home.join(".arize/harness/config.yaml"), "harnesses: {codex: {target: local}}\n").unwrap();
    hook(home, "session", "UserPromptSubmit", serde_json::json!({"prompt": "look around"}));
    let call = serde_json::json!({"tool_name": "Bash", "tool_input": {"command": "sleep 9"}, "tool_use_id": "call_1"});
    hook(home, "tool", "PreToolUse", call.clone());
    hook(home, "tool", "PermissionRequest", call.clone());
    let list = program(home).arg("list").output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.starts_with("running  ") && list.contains("look around"), "{list}");
    let mut child = program(home).args(["show", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let _followed = Followed(child);
    let mut until = |wanted: &str| {
        let found = lines.by_ref().map_while(Result::ok).take(60).find(|line| line.contains(wanted));
        found.unwrap_or_else(|| panic!("no line with {wanted}"))
    };
    until("started  Turn");
    until("started  Bash");
    until("waits  for your approval: Bash sleep 9");
    let mut done = call;
    done["tool_response"] = "slept".into();
    hook(home, "tool", "PostToolUse", done);
    assert!(until("Bash").contains('s'), "its end has a duration");
    hook(home, "stop", "Stop", serde_json::json!({"last_assistant_message": "all done"}));
    until("completed in");
    let list = program(home).arg("list").output().unwrap();
    assert!(!String::from_utf8(list.stdout).unwrap().contains("running"), "it has ended");
}
