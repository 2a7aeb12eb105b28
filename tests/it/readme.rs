//! README and the reference pages say what the code does: their tables are the code's, their examples print what they
//! show, and each command and option they name exists.

use std::fs;
use std::process::Command;

use arize_codex::codex::events::{EVENTS, HookRole};
use arize_codex::settings::keys::KEYS;

fn readme() -> String {
    page("README.md")
}

fn page(name: &str) -> String {
    fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// README and the reference pages, each with its name.
pub fn pages() -> Vec<(String, String)> {
    let docs = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.github/docs")).unwrap();
    let names = docs.map(|entry| format!(".github/docs/{}", entry.unwrap().file_name().to_str().unwrap()));
    let names = names.chain(["README.md".to_owned(), "src/cli/setup/SKILL.md".to_owned()]);
    names.map(|name| (name.clone(), page(&name))).collect()
}

#[test]
fn settings_table_matches_code() {
    let settings = page(".github/docs/settings.md");
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
        assert!(settings.contains(&row), "settings.md lacks\n{row}");
    }
}

#[test]
fn readme_is_short() {
    assert!(readme().lines().count() < 200);
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
fn documented_dry_run_prints_as_shown() {
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
    let settings = page(".github/docs/settings.md");
    assert!(settings.contains("[arize] DRY RUN: Turn") && settings.contains(payload));
}

#[test]
fn demo_shows_the_views_of_a_turn() {
    let home = tempfile::tempdir().unwrap();
    let demo = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arize-codex"));
        command.arg("demo").args(args).env_clear().env("HOME", home.path()).env("TMPDIR", home.path());
        let output = command.env("PATH", "/usr/bin:/bin").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "demo leaves nothing behind");
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = demo(&[]);
    // What `show` shows: the state, the prompt, the tree with a time axis, failures with their reason, the next step.
    for part in ["Turn 1  completed in", "› look around", "├─ ", "█", "✗ ", "exit code 3", " install\n"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(demo(&["--span-tree", "calls"]).contains("Model call 1"));
    let page = demo(&["--html", "-"]);
    assert!(page.starts_with("<!") && page.contains("exit code 3"), "{}", &page[..200]);
}

#[test]
fn demo_writes_its_page_to_a_file() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_arize-codex"));
    command.args(["demo", "--html"]).env_clear().env("HOME", home.path()).env("TMPDIR", home.path());
    // A browser that only takes note of what it is to open.
    command.env("BROWSER", "/bin/cat").env("PATH", "/usr/bin:/bin");
    let output = command.output().unwrap();
    let path = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && path.ends_with("/demo.html\n"), "{path}");
    assert!(fs::read_to_string(path.trim()).unwrap().contains("exit code 3"), "it is there for the browser");
}

/// Each command that README, a reference page or the skill names exists, with each of its options.
#[test]
fn documented_commands_and_options_exist() {
    let help = |command: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_arize-codex")).args(command).arg("--help").output();
        let output = output.unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    };
    let mut known = std::collections::BTreeMap::new();
    let mut count = 0;
    for (name, text) in pages() {
        for rest in text.split("arize-codex ").skip(1) {
            let line = rest.split(['`', '\n', '|']).next().unwrap();
            let Some(command) =
                line.split_whitespace().next().filter(|w| w.bytes().all(|b| b.is_ascii_lowercase()))
            else {
                continue;
            };
            // A sentence about the program, not a command line.
            if PROSE.contains(&command) {
                continue;
            }
            let help = known.entry(command.to_owned()).or_insert_with(|| help(&[command]));
            let help = help.as_ref().unwrap_or_else(|| panic!("{name}: no command {command}: {line}"));
            for option in line.split([' ', '[', ']', '=']).filter(|w| w.starts_with("--") && w.len() > 2) {
                let option = option.trim_end_matches([',', '.', ';', ':', ')']);
                assert!(
                    help.contains(&format!("{option} ")) || help.contains(&format!("{option}\n")),
                    "{name}: {command} has no {option}"
                );
                count += 1;
            }
        }
    }
    assert!(known.len() > 12 && count > 15, "{} {count}", known.len());
}

/// Words that follow the program's name in sentences.
const PROSE: [&str; 4] = ["is", "there", "itself", "version"];

#[test]
fn readme_names_every_command() {
    let output = Command::new(env!("CARGO_BIN_EXE_arize-codex")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let commands = help.split_once("Commands:\n").unwrap().1.split("\n\n").next().unwrap();
    let names = commands.lines().filter(|l| l.starts_with("  ") && !l.starts_with("   "));
    let readme = readme();
    let section = readme.split_once("## Everyday commands").unwrap().1.split_once("\n## ").unwrap().0;
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
    for (page, text) in pages() {
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
