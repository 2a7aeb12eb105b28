//! The document people set Codex tracing up by before there was this program: each of its commands, files, variables and
//! settings works as written here, or README names what replaces it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn installed() -> Home {
        let home = Home { folder: tempfile::tempdir().unwrap() };
        let output = home.shell("\"$PROGRAM\" install --yes --target local --prefix \"$HOME/.local\"");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A line of the document in a shell that has `~/.local/bin` on its PATH.
    fn shell(&self, line: &str) -> Output {
        let path = format!("{}:/usr/bin:/bin", self.path(".local/bin").display());
        let mut command = Command::new("bash");
        command.args(["-c", line]).env_clear().env("HOME", self.folder.path()).env("PATH", path);
        command.env("PROGRAM", env!("CARGO_BIN_EXE_arize-codex")).stdin(Stdio::null()).output().unwrap()
    }

    fn said(&self, line: &str) -> String {
        let output = self.shell(line);
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{line}: {text}");
        text
    }
}

#[test]
fn commands_of_the_document_work_as_written() {
    let home = Home::installed();
    home.said("mkdir -p ~/.arize/harness/{logs,state/codex}");
    home.said("arize-config set harnesses.codex.project_name codex");
    assert_eq!(home.said("arize-config get harnesses.codex.project_name"), "codex\n");
    home.said("cat > ~/.codex/arize-env.sh << 'EOF'\nexport ARIZE_TRACE_ENABLED=true\nEOF\nchmod 600 ~/.codex/arize-env.sh");
    let env = home.said("source ~/.codex/arize-env.sh && echo \"ARIZE_TRACE_ENABLED=$ARIZE_TRACE_ENABLED\"");
    assert_eq!(env, "ARIZE_TRACE_ENABLED=true\n");
    let dry = r#"ARIZE_DRY_RUN=true arize-hook-codex-notify '{"type":"agent-turn-complete","thread-id":"test-123","turn-id":"turn-1","cwd":"/tmp","input-messages":"hello","last-assistant-message":"hi there"}'"#;
    assert!(home.said(dry).starts_with("[arize] DRY RUN: Turn\n"));
    home.said("rm -rf ~/.arize/harness/state/codex/state_*.yaml ~/.arize/harness/state/codex/spans_*.jsonl");
    assert!(
        home.said("arize-codex list").contains("Turn") || home.said("arize-codex list").contains("hello")
    );
}

#[test]
fn entries_of_the_document_are_registered() {
    let home = Home::installed();
    let toml = home.said("cat ~/.codex/config.toml");
    let notify = toml.lines().find(|l| l.starts_with("notify = [")).expect("notify at the top level");
    assert!(notify.contains("arize-hook-codex-notify"), "{notify}");
    for (event, role) in [
        ("SessionStart", "session"),
        ("UserPromptSubmit", "session"),
        ("PreToolUse", "tool"),
        ("PostToolUse", "tool"),
        ("PermissionRequest", "tool"),
        ("Stop", "stop"),
    ] {
        let header = format!("[[hooks.{event}]]");
        let entry = toml.split_once(&header).expect("registered").1;
        let command = entry.lines().find(|l| l.trim_start().starts_with("command = ")).unwrap();
        assert!(command.contains(&format!("arize-hook-codex-{role}")), "{event}: {command}");
    }
    for link in ["session", "tool", "stop", "notify"] {
        assert!(home.path(&format!(".arize/harness/bin/arize-hook-codex-{link}")).exists());
    }
}

/// The document's own config.yaml, both of them.
#[test]
fn settings_of_the_document_are_understood() {
    let home = Home::installed();
    for yaml in [
        "harnesses:\n  codex:\n    project_name: codex\n    target: phoenix\n    endpoint: http://localhost:6006\n    api_key: \"\"\n",
        "harnesses:\n  codex:\n    project_name: codex\n    target: arize\n    endpoint: otlp.arize.com:443\n    api_key: key\n    space_id: space\n",
    ] {
        fs::write(home.path(".arize/harness/config.yaml"), yaml).unwrap();
        let report = home.shell("arize-codex doctor --json");
        let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
        let settings = report["checks"].as_array().unwrap().iter().filter(|f| f["check"] == "settings");
        assert_eq!(settings.filter(|f| f["status"] != "ok").count(), 0, "{report:#}");
        let target = if yaml.contains("phoenix") { "phoenix" } else { "arize" };
        assert_eq!(report["target"], target);
    }
}

#[test]
fn readme_names_every_variable_and_file_of_the_document() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    for name in [
        "ARIZE_API_KEY",
        "ARIZE_SPACE_ID",
        "ARIZE_OTLP_ENDPOINT",
        "PHOENIX_ENDPOINT",
        "PHOENIX_API_KEY",
        "ARIZE_PROJECT_NAME",
        "ARIZE_USER_ID",
        "ARIZE_TRACE_ENABLED",
        "ARIZE_DRY_RUN",
        "ARIZE_VERBOSE",
        "ARIZE_TRACE_DEBUG",
        "ARIZE_LOG_FILE",
        "~/.arize/harness/config.yaml",
        "~/.arize/harness/logs/codex.log",
        "~/.codex/arize-env.sh",
        "~/.codex/config.toml",
        "arize-hook-codex-session",
        "arize-hook-codex-tool",
        "arize-hook-codex-stop",
        "arize-hook-codex-notify",
        "state_<thread>.yaml",
        "spans_<thread>.jsonl",
        "pip install arize-phoenix",
        "phoenix serve",
        "http://localhost:6006",
        "otlp.arize.com:443",
        "/hooks",
        // What replaces: paths into a Python environment, entries of one level, a wrapper for two notify programs.
        "command = [\"…\"]",
        "calls it after ours",
        "Python edition",
    ] {
        assert!(readme.contains(name), "README does not name {name}");
    }
}

/// Every command that the skill tells a coding agent to run prints JSON.
#[test]
fn commands_of_the_skill_print_json() {
    let home = Home::installed();
    let dry = r#"ARIZE_DRY_RUN=true arize-hook-codex-notify '{"type":"agent-turn-complete","thread-id":"test-123","turn-id":"turn-1","cwd":"/tmp","input-messages":"hello","last-assistant-message":"hi there"}'"#;
    home.said(dry);
    let skill = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/setup/SKILL.md")).unwrap();
    let commands = skill.split('`').filter(|c| c.starts_with("arize-codex ") && c.contains("--json"));
    let mut count = 0;
    for command in commands {
        let output = home.shell(command);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{command}: {text}");
        count += 1;
    }
    assert!(count >= 6, "{count}");
}
