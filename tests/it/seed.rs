//! The document people set Codex tracing up by before there was this program: each of its commands, files, variables and
//! settings works as written here, or README names what replaces it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use arize_codex::context::Context;
use arize_codex::settings::{Settings, Target};

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
    for (event, role) in EVENTS {
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
fn pages_name_variables_and_files() {
    let readme: String = crate::readme::pages().into_iter().map(|(_, text)| text).collect();
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
        assert!(readme.contains(name), "no page names {name}");
    }
}

/// config.toml as the document writes it by hand, with its Python environment and entries of one level.
#[test]
fn entries_of_the_document_are_rewritten() {
    let home = Home { folder: tempfile::tempdir().unwrap() };
    let bin = "~/.arize/harness/venv/bin/arize-hook-codex";
    let mut toml = format!("notify = [\"{bin}-notify\"]\n");
    for (event, role) in EVENTS {
        toml.push_str(&format!("[[hooks.{event}]]\ncommand = [\"{bin}-{role}\"]\n"));
    }
    fs::create_dir(home.path(".codex")).unwrap();
    fs::write(home.path(".codex/config.toml"), toml).unwrap();
    home.said("\"$PROGRAM\" install --yes --target local --prefix \"$HOME/.local\"");
    let toml = home.said("cat ~/.codex/config.toml");
    assert!(!toml.contains("/venv/"), "{toml}");
    for (event, role) in EVENTS {
        assert!(toml.contains(&format!("[[hooks.{event}.hooks]]")), "{event}: {toml}");
        assert!(toml.contains(&format!("/bin/arize-hook-codex-{role}")), "{role}: {toml}");
    }
    let yaml = home.said("cat ~/.arize/harness/config.yaml");
    assert!(!yaml.contains("notify_chain"), "the older edition's notify is not called as well: {yaml}");
}

/// What an earlier edition, or another harness, has written into config.yaml stays.
#[test]
fn settings_there_before_are_kept() {
    let home = Home { folder: tempfile::tempdir().unwrap() };
    fs::create_dir_all(home.path(".arize/harness")).unwrap();
    let before = "user_id: me\nharnesses:\n  claude-code:\n    api_key: theirs\n  codex:\n    target: arize\n    api_key: mine\n    space_id: space\n    project_name: old\n";
    fs::write(home.path(".arize/harness/config.yaml"), before).unwrap();
    home.said("\"$PROGRAM\" install --yes --prefix \"$HOME/.local\"");
    for (key, value) in [
        ("harnesses.claude-code.api_key", "theirs"),
        ("target", "arize"),
        ("space_id", "space"),
        ("project_name", "old"),
        ("user_id", "me"),
    ] {
        assert_eq!(home.said(&format!("arize-config get {key}")), format!("{value}\n"), "{key}");
    }
    assert!(home.said("cat ~/.arize/harness/config.yaml").contains("api_key: mine"));
}

/// Each variable of the document, written where it says: into arize-env.sh.
#[test]
fn variables_of_the_document_have_effect() {
    let home = Home::installed();
    let log = home.path("my.log");
    let env = format!(
        "export ARIZE_PROJECT_NAME=seeded\nexport ARIZE_USER_ID=\"someone\"\nexport ARIZE_DRY_RUN=true\nexport ARIZE_VERBOSE=true\nexport ARIZE_TRACE_DEBUG=true\nexport ARIZE_LOG_FILE={}\n",
        log.display()
    );
    fs::write(home.path(".codex/arize-env.sh"), env).unwrap();
    let payload = r#"{"type":"agent-turn-complete","thread-id":"test-123","turn-id":"turn-1","cwd":"/tmp","input-messages":"hello","last-assistant-message":"hi there"}"#;
    assert!(
        home.said(&format!("arize-hook-codex-notify '{payload}'")).starts_with("[arize] DRY RUN: Turn\n")
    );
    let preview = home.said("arize-codex preview last --json");
    assert!(preview.contains("\"seeded\"") && preview.contains("someone"), "{preview}");
    assert!(fs::metadata(&log).is_ok_and(|m| m.len() > 0), "ARIZE_LOG_FILE and ARIZE_VERBOSE");
    assert!(fs::read_dir(home.path(".arize/harness/state/codex/debug")).unwrap().count() > 0);
    fs::write(home.path(".codex/arize-env.sh"), "export ARIZE_TRACE_ENABLED=false\n").unwrap();
    assert_eq!(home.said(&format!("arize-hook-codex-notify '{}'", payload.replace("turn-1", "turn-2"))), "");
    let listed: serde_json::Value = serde_json::from_str(&home.said("arize-codex list --json")).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
}

/// Variables that choose a backend, as the document's table has them.
#[test]
fn variables_choose_documents_backend() {
    let home = Home::installed();
    fs::remove_file(home.path(".arize/harness/config.yaml")).unwrap();
    for (env, target, endpoint) in [
        ("export PHOENIX_ENDPOINT=http://127.0.0.1:9 PHOENIX_API_KEY=k", "phoenix", "http://127.0.0.1:9"),
        ("export ARIZE_API_KEY=k ARIZE_SPACE_ID=s", "arize", "otlp.arize.com:443"),
        ("export ARIZE_API_KEY=k ARIZE_SPACE_ID=s ARIZE_OTLP_ENDPOINT=127.0.0.1:9", "arize", "127.0.0.1:9"),
    ] {
        let paths = Context::given(
            Vec::new(),
            [("HOME".to_owned(), home.folder.path().to_str().unwrap().to_owned())].into(),
        );
        fs::write(home.path(".codex/arize-env.sh"), format!("{env}\n")).unwrap();
        let settings = Settings::load(&paths).unwrap();
        assert_eq!(settings.target.map(Target::name), Some(target), "{env}");
        assert_eq!(settings.endpoint.as_deref(), Some(endpoint), "{env}");
    }
}

/// Each row of the document's troubleshooting table has an answer in ours.
#[test]
fn problems_of_the_document_are_answered() {
    let page =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.github/docs/troubleshooting.md")).unwrap();
    for row in [
        ["no traces", "ARIZE_TRACE_ENABLED"],
        ["hooks are not listed", "arize-codex install"],
        ["not trusted", "`/hooks`"],
        ["notify does not fire", "~/.codex/config.toml"],
        ["Phoenix is unreachable", "/v1/traces"],
        ["nothing in the terminal", "~/.arize/harness/logs/codex.log"],
        ["test without sending", "ARIZE_DRY_RUN=true"],
        ["look at the log", "ARIZE_VERBOSE=true"],
        ["wrong project", "ARIZE_PROJECT_NAME"],
        ["another tool's notify", "wrapper"],
        ["stale state", "rm -rf ~/.arize/harness/state/codex/state_*.yaml"],
        ["flat traces", "hooks are not trusted"],
        ["no user ID", "ARIZE_USER_ID"],
        ["debug", "ARIZE_TRACE_DEBUG=true"],
    ] {
        for part in row {
            assert!(page.contains(part), "troubleshooting.md lacks {part}");
        }
    }
}

/// The skill asks what the document asks, and leads to the same backends.
#[test]
fn skill_covers_documents_questions() {
    let skill = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/setup/SKILL.md")).unwrap();
    for part in [
        "name: manage-codex-tracing",
        "set up codex tracing",
        "configure Arize for Codex",
        "configure Phoenix for Codex",
        "enable codex tracing",
        "setup-codex-tracing",
        "pip install arize-phoenix && phoenix serve",
        "docker run -p 6006:6006 arizephoenix/phoenix:latest",
        "http://localhost:6006",
        "otlp.arize.com:443",
        "on-premises",
        "https://app.arize.com",
        "Settings",
        "API Keys",
        "Create API Key",
        "space ID",
        "ARIZE_DRY_RUN=true",
        "ARIZE_VERBOSE=true",
        "ARIZE_TRACE_DEBUG=true",
        "/hooks",
    ] {
        assert!(skill.contains(part), "the skill lacks {part}");
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

/// The events that the document registers, and the role of each.
const EVENTS: [(&str, &str); 6] = [
    ("SessionStart", "session"),
    ("UserPromptSubmit", "session"),
    ("PreToolUse", "tool"),
    ("PostToolUse", "tool"),
    ("PermissionRequest", "tool"),
    ("Stop", "stop"),
];
