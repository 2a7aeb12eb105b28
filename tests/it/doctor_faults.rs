//! Doctor against deliberate faults: each is named, with a mend; and against set-ups that are well, which it must not
//! fault.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::collector::{Answer, HttpCollector};

struct Home {
    folder: tempfile::TempDir,
    /// Variables that doctor is called with.
    variables: Vec<(String, String)>,
    /// What must go on until doctor has been called.
    _kept: Vec<Box<dyn std::any::Any>>,
}

impl Home {
    /// A home in which tracing is installed for the local archive.
    fn installed() -> Home {
        let home = Home { folder: tempfile::tempdir().unwrap(), variables: Vec::new(), _kept: Vec::new() };
        fs::create_dir(home.path(".codex")).unwrap();
        fs::write(home.path(".codex/config.toml"), "model = \"x\"\n").unwrap();
        let output = home.command(&["install", "--yes", "--target", "local"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arize-codex"));
        command.args(args).env_clear().env("HOME", self.folder.path()).env("PATH", self.path("none"));
        command.env("ARIZE_MACHINE_CONFIG", self.path("machine.yaml"));
        command.envs(self.variables.clone()).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Changes config.toml.
    fn toml(&self, change: impl Fn(String) -> String) {
        let path = self.path(".codex/config.toml");
        let text = change(fs::read_to_string(&path).unwrap());
        fs::write(path, text).unwrap();
    }

    /// Replaces our settings.
    fn yaml(&self, codex: &str) {
        let text = format!("harnesses: {{codex: {{{codex}}}}}\n");
        fs::write(self.path(".arize/harness/config.yaml"), text).unwrap();
    }

    fn env(&self, line: &str) {
        fs::write(self.path(".codex/arize-env.sh"), format!("{line}\n")).unwrap();
    }

    /// What doctor complains of, as `check: text → fix`.
    fn complaints(&self) -> Vec<String> {
        let output = self.command(&["doctor", "--json"]).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let bad = report["checks"].as_array().unwrap().iter().filter(|f| f["status"] != "ok");
        bad.map(|f| {
            let text = |name: &str| f[name].as_str().unwrap_or_default().to_owned();
            format!("{}: {} → {}", text("check"), text("text"), text("fix"))
        })
        .collect()
    }
}

/// A listener that answers everything with these bytes.
fn answering(bytes: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
            let _ = stream.write_all(bytes);
        }
    });
    port
}

fn phoenix(home: &mut Home, answer: fn(&crate::collector::Seen) -> Answer) -> String {
    let collector = HttpCollector::start(answer);
    let url = collector.url();
    home._kept.push(Box::new(collector));
    url
}

type Break = fn(&mut Home);

/// A fault, what doctor says of it, and a part of the mend.
const FAULTS: &[(&str, Break, &str, &str)] = &[
    ("never reviewed", |_| (), "all 14 hooks: registered, but never reviewed", "Trust all"),
    ("no codex", |_| (), "no codex on the PATH", "npm install"),
    ("hooks off", |h| h.toml(|t| format!("{t}\n[features]\nhooks = false\n")), "switched off", "[features]"),
    (
        "codex_hooks off",
        |h| h.toml(|t| format!("{t}\n[features]\ncodex_hooks = false\n")),
        "switched off",
        "[features]",
    ),
    (
        "one level",
        |h| {
            let bin = h.path(".arize/harness/bin/arize-hook-codex-stop").display().to_string();
            h.toml(|_| format!("[[hooks.Stop]]\ncommand = [\"{bin}\"]\n"));
        },
        "Stop: written in a form",
        "install",
    ),
    (
        "notify taken",
        |h| h.toml(|t| t.replace("notify = [", "notify = [\"other\", ")),
        "taken over by other",
        "install",
    ),
    (
        "notify gone",
        |h| h.toml(|t| t.lines().filter(|l| !l.starts_with("notify")).map(|l| format!("{l}\n")).collect()),
        "notify: not registered",
        "install",
    ),
    (
        "words behind notify",
        |h| h.toml(|t| t.replace("codex-notify\"]", "codex-notify\", \"other\"]")),
        "never run",
        "install",
    ),
    (
        "entry gone",
        |h| h.toml(|t| t.replace("[[hooks.Stop", "[[hooks.Other")),
        "Stop: not registered",
        "install",
    ),
    (
        "other edition",
        |h| h.toml(|t| t.replace("/bin/arize-hook-codex-tool", "/venv/bin/arize-hook-codex-tool")),
        "with another program",
        "install",
    ),
    (
        "asynchronous",
        |h| h.toml(|t| t.replacen("timeout = 30", "async = true", 1)),
        "asynchronous",
        "async = true",
    ),
    (
        "matcher",
        |h| h.toml(|t| t.replacen("[[hooks.PreToolUse]]\n", "[[hooks.PreToolUse]]\nmatcher = \"Bash\"\n", 1)),
        "limited by a matcher",
        "matcher",
    ),
    ("invalid toml", |h| h.toml(|t| format!("{t}[broken\n")), "unclosed table", "fix the line"),
    (
        "config not text",
        |h| fs::write(h.path(".codex/config.toml"), b"a = \"\xff\"").unwrap(),
        "invalid UTF-8",
        "readable",
    ),
    (
        "uninstalled entries",
        |h| h.toml(|_| "model = \"x\"\n".into()),
        "all 14 hooks: not registered",
        "install",
    ),
    (
        "yaml broken",
        |h| fs::write(h.path(".arize/harness/config.yaml"), "harnesses:\n  x: [\n").unwrap(),
        "not valid YAML",
        "fix the line",
    ),
    (
        "config.yaml a directory",
        |h| {
            fs::remove_file(h.path(".arize/harness/config.yaml")).unwrap();
            fs::create_dir(h.path(".arize/harness/config.yaml")).unwrap();
        },
        "settings: ",
        "a file of your own",
    ),
    (
        "machine file broken",
        |h| fs::write(h.path("machine.yaml"), "a: [\n").unwrap(),
        "machine.yaml",
        "fix the line",
    ),
    ("no target", |h| h.yaml("project_name: x"), "no backend is configured", "install"),
    ("unknown target", |h| h.yaml("target: foo"), "target is none of", "harnesses.codex.target"),
    (
        "misspelt key",
        |h| h.yaml("target: local, endpiont: x"),
        "unknown setting harnesses.codex.endpiont",
        "did you mean endpoint",
    ),
    ("misspelt switch", |h| h.yaml("target: local, trace_debug: perhaps"), "neither true nor false", "fix"),
    ("number", |h| h.yaml("target: local, archive_days: many"), "not a whole number", "fix"),
    ("span tree", |h| h.yaml("target: local, span_tree: bogus"), "span_tree is none of", "fix"),
    (
        "content off",
        |h| h.yaml("target: local, logging: {prompts: false, tool_details: false, tool_content: false}"),
        "replaced by their length",
        "logging",
    ),
    ("bad pattern", |h| h.yaml("target: local, redact_patterns: ['ok', '(']"), "redact_patterns", "fix"),
    (
        "bad rule",
        |h| h.yaml("target: local, rules: [{tags: [x]}]"),
        "rule 1 of rules is not used",
        "fix rules",
    ),
    (
        "rule without target",
        |h| h.yaml("target: local, rules: [{path: /x, endpoint: 'http://y'}]"),
        "rule 1 of rules: endpoint needs target beside it",
        "fix rules",
    ),
    (
        "misspelt in a rule",
        |h| h.yaml("target: local, rules: [{path: /x, logging: {promts: false}}]"),
        "unknown setting logging.promts in rule 1",
        "did you mean logging.prompts",
    ),
    (
        "backend of a rule down",
        |h| h.yaml("target: local, rules: [{path: /x, target: otlp, endpoint: 'http://127.0.0.1:9'}]"),
        "rule path /x: otlp at http://127.0.0.1:9: no connection",
        "it is running",
    ),
    (
        "relative log",
        |h| h.yaml("target: local, log_file: here.log"),
        "log_file is not an absolute path",
        "fix",
    ),
    (
        "switched off",
        |h| h.env("export ARIZE_TRACE_ENABLED=no"),
        "tracing is switched off",
        "ARIZE_TRACE_ENABLED",
    ),
    ("dry run", |h| h.env("export ARIZE_DRY_RUN=true"), "printed instead of sent", "ARIZE_DRY_RUN"),
    (
        "shell in env file",
        |h| h.env("export ARIZE_USER_ID=$(whoami)"),
        "ARIZE_USER_ID in line 1",
        "write the value",
    ),
    (
        "readable key",
        |h| {
            let path = h.path(".arize/harness/config.yaml");
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        },
        "secrets: others on this machine",
        "",
    ),
    (
        "backend down",
        |h| h.yaml("target: phoenix, endpoint: 'http://127.0.0.1:9'"),
        "no connection",
        "phoenix serve",
    ),
    (
        "collector down",
        |h| h.yaml("target: otlp, endpoint: 'http://127.0.0.1:9'"),
        "no connection",
        "it is running",
    ),
    (
        "grpc port",
        |h| h.yaml("target: phoenix, endpoint: 'http://127.0.0.1:4317'"),
        "phoenix at http://127.0.0.1:4317",
        "4317 is Phoenix's gRPC port",
    ),
    (
        "https on http",
        |h| {
            let port = answering(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
            h.yaml(&format!("target: phoenix, endpoint: 'https://127.0.0.1:{port}'"));
        },
        "no trusted connection",
        "write http://",
    ),
    (
        "web page",
        |h| {
            let url = phoenix(h, |_| Answer::Status(404, "text/html", "<html>"));
            h.yaml(&format!("target: phoenix, endpoint: '{url}'"));
        },
        "backend: phoenix at",
        "endpoint",
    ),
    (
        "wrong key",
        |h| {
            let url = phoenix(h, |_| Answer::Status(401, "", ""));
            h.yaml(&format!("target: phoenix, endpoint: '{url}', api_key: wrong"));
        },
        "HTTP status 401",
        "api_key",
    ),
    (
        "endpoint is no address",
        |h| h.yaml("target: phoenix, endpoint: 'ftp://x'"),
        "endpoint is not a URL",
        "install",
    ),
    (
        "password in endpoint",
        |h| h.yaml("target: phoenix, endpoint: 'http://u:p@127.0.0.1:9'"),
        "contains a user name or password",
        "install",
    ),
    (
        "key over plain http",
        |h| h.yaml("target: phoenix, endpoint: 'http://192.0.2.1:6006', api_key: k"),
        "plain",
        "",
    ),
    (
        "authorities",
        |h| h.set("SSL_CERT_FILE", "/no/such/file.pem"),
        "SSL_CERT_FILE names /no/such/file.pem",
        "replaces",
    ),
    (
        "link gone",
        |h| fs::remove_file(h.path(".arize/harness/bin/arize-hook-codex-stop")).unwrap(),
        "does not point to",
        "install",
    ),
    (
        "program gone",
        |h| fs::remove_file(h.path(".arize/harness/bin/arize-codex")).unwrap(),
        "missing or cannot be executed",
        "install",
    ),
    (
        "state a file",
        |h| {
            fs::remove_dir_all(h.path(".arize/harness/state")).unwrap();
            fs::write(h.path(".arize/harness/state"), "").unwrap();
        },
        "state",
        "remove or rename what is in its place",
    ),
    (
        "outbox a file",
        |h| {
            let state = h.path(".arize/harness/state/codex");
            let _ = fs::remove_dir_all(state.join("outbox"));
            fs::write(state.join("outbox"), "").unwrap();
        },
        "outbox cannot be written",
        "remove or rename what is in its place",
    ),
    (
        "other CODEX_HOME",
        |h| {
            fs::create_dir(h.path("elsewhere")).unwrap();
            h.set("CODEX_HOME", &h.path("elsewhere").display().to_string());
        },
        "install registered the hooks in",
        "CODEX_HOME=",
    ),
    (
        "project not trusted",
        |h| {
            let hooks = fs::read_to_string(h.path(".codex/config.toml")).unwrap();
            h.toml(|_| "model = \"x\"\n".into());
            h.set("CODEX_HOME", &h.path("codex-home").display().to_string());
            fs::create_dir(h.path("codex-home")).unwrap();
            fs::write(h.path(".codex/config.toml"), hooks).unwrap();
        },
        "Codex does not trust this project",
        "trust",
    ),
    (
        "other harness home",
        |h| h.set("ARIZE_HARNESS_HOME", &h.path(".arize/harness").display().to_string()),
        "ARIZE_HARNESS_HOME is",
        "Codex is started with it",
    ),
    ("never called", |_| (), "Codex has not run a hook yet", "one turn"),
];

#[test]
fn doctor_names_each_of_forty_faults() {
    assert!(FAULTS.len() >= 40, "{}", FAULTS.len());
    let mut missed = Vec::new();
    for (name, break_it, text, fix) in FAULTS {
        let mut home = Home::installed();
        break_it(&mut home);
        let complaints = home.complaints();
        let named = |c: &&String| {
            c.split_once(" → ").is_some_and(|(told, mend)| told.contains(text) && mend.contains(fix))
        };
        if !complaints.iter().any(|c| named(&c)) {
            missed.push(format!("{name}: {complaints:#?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// Set-ups that are well. What Codex still has to do once, trusting and calling, is no fault of theirs.
#[test]
fn doctor_faults_no_healthy_setup() {
    const OPEN: [&str; 3] = ["never reviewed", "no codex on the PATH", "Codex has not run a hook yet"];
    let healthy: [(&str, Break); 8] = [
        ("local", |_| ()),
        ("phoenix", |h| {
            let url = phoenix(h, |_| Answer::Accept);
            h.yaml(&format!("target: phoenix, endpoint: '{url}'"));
        }),
        ("collector", |h| {
            let url = phoenix(h, |_| Answer::Accept);
            h.yaml(&format!("target: otlp, endpoint: '{url}/v1/traces'"));
        }),
        ("machine-wide", |h| {
            let url = phoenix(h, |_| Answer::Accept);
            fs::write(h.path("machine.yaml"), format!("target: otlp\nendpoint: '{url}/v1/traces'\n"))
                .unwrap();
            h.yaml("project_name: mine");
        }),
        ("rules and templates", |h| {
            h.yaml("target: local, project_name: '{workspace}', rules: [{path: ~/x, tags: [a]}], redact_patterns: [a+]");
        }),
        ("one switch off", |h| h.yaml("target: local, logging: {prompts: false}")),
        ("attributes", |h| h.yaml("target: local, attributes: {team: a}, tags: [a, b]")),
        ("another harness", |h| {
            let text = "harnesses: {codex: {target: local}, claude-code: {whatever: 1}}\nuser_id: me\n";
            fs::write(h.path(".arize/harness/config.yaml"), text).unwrap();
        }),
    ];
    for (name, make) in healthy {
        let mut home = Home::installed();
        make(&mut home);
        let complaints = home.complaints();
        let others = complaints.iter().filter(|c| !OPEN.iter().any(|open| c.contains(open)));
        assert_eq!(others.count(), 0, "{name}: {complaints:#?}");
    }
}

#[test]
fn doctor_json_has_stable_keys() {
    let home = Home::installed();
    let output = home.command(&["doctor", "--json"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for key in [
        "version",
        "status",
        "host",
        "user",
        "target",
        "codex_version",
        "waiting",
        "last_delivered_at",
        "checks",
    ] {
        assert!(report.get(key).is_some(), "{key}: {report}");
    }
    assert_eq!((&report["target"], &report["waiting"]), (&"local".into(), &0.into()));
    assert!(report["host"].is_string());
}
