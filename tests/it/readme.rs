//! The README says what the code does: its settings table is the code's, its dry run prints what it shows.

use std::fs;
use std::process::Command;

use arize_codex::codex::events::{EVENTS, HookRole};
use arize_codex::settings::keys::KEYS;

fn readme() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

#[test]
fn settings_table_matches_code() {
    let readme = readme();
    for key in KEYS {
        let code = |text: &str| format!("`{text}`");
        let variables: Vec<String> = key.variables.iter().map(|v| code(v)).collect();
        let or_dash = |text: String| if text.is_empty() { "–".to_owned() } else { text };
        let default = if key.default.is_empty() { String::new() } else { code(key.default) };
        let row = format!(
            "| `{}` | {} | {} | {} |",
            key.name,
            or_dash(variables.join(", ")),
            or_dash(default),
            key.about
        );
        assert!(readme.contains(&row), "the README lacks\n{row}");
    }
}

#[test]
fn readme_lists_events_of_each_link() {
    let readme = readme();
    for role in HookRole::ALL {
        let served = EVENTS.iter().filter(|event| event.role == role).map(|event| event.name);
        let row = format!("| `{}` | {} |", role.link(), served.collect::<Vec<_>>().join(", "));
        assert!(readme.contains(&row), "the README lacks\n{row}");
    }
}

#[test]
fn readme_dry_run_prints_as_shown() {
    let home = tempfile::tempdir().unwrap();
    let payload = r#"{"type":"agent-turn-complete","thread-id":"test-123","turn-id":"turn-1","cwd":"/tmp","input-messages":"hello","last-assistant-message":"hi there"}"#;
    let mut command = Command::new(env!("CARGO_BIN_EXE_arize-codex"));
    command
        .args(["hook", "notify", payload])
        .env_clear()
        .env("HOME", home.path())
        .env("ARIZE_DRY_RUN", "true");
    let output = command.output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && printed.starts_with("[arize] DRY RUN: Turn\n"), "{printed}");
    assert!(readme().contains("[arize] DRY RUN: Turn"));
}

#[test]
fn readme_tree_matches_demo() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_arize-codex"));
    let output = command
        .arg("demo")
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let readme = readme();
    for line in printed.lines() {
        let shown: String = line.chars().take(60).collect();
        assert!(readme.contains(shown.trim_end()), "the README does not show: {line}");
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "demo leaves nothing behind");
}

#[test]
fn readme_names_every_command() {
    let output = Command::new(env!("CARGO_BIN_EXE_arize-codex")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let commands = help.split_once("Commands:\n").unwrap().1.split("\n\n").next().unwrap();
    let names = commands.lines().filter(|l| l.starts_with("  ") && !l.starts_with("   "));
    let readme = readme();
    let section = readme.split_once("## Commands").unwrap().1.split_once("\n## ").unwrap().0;
    let mut count = 0;
    for name in names.filter_map(|line| line.split_whitespace().next()) {
        assert!(section.contains(name), "README does not name {name}");
        count += 1;
    }
    assert!(count > 10, "{help}");
}

/// The settings shown in README and the reference pages are understood, every line of them.
#[test]
fn shown_settings_are_understood() {
    for page in ["README.md", ".github/docs/fleet.md"] {
        let text = fs::read_to_string(format!("{}/{page}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        for yaml in text.split("```yaml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0) {
            let home = tempfile::tempdir().unwrap();
            fs::create_dir_all(home.path().join(".arize/harness")).unwrap();
            fs::write(home.path().join(".arize/harness/config.yaml"), yaml).unwrap();
            let mut command = Command::new(env!("CARGO_BIN_EXE_arize-codex"));
            let output =
                command.args(["doctor", "--json"]).env_clear().env("HOME", home.path()).output().unwrap();
            let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            let settings = report["checks"].as_array().unwrap().iter().filter(|f| f["check"] == "settings");
            assert_eq!(settings.filter(|f| f["status"] != "ok").count(), 0, "{page}: {yaml}\n{report:#}");
        }
    }
}
