//! install, uninstall and doctor as a user runs them, in a home of their own.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::collector::{Answer, GrpcCollector, HttpCollector};

/// A home that nothing but the test knows of.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    /// A home with this config.toml; none for a Codex that was never started.
    fn with(config: Option<&str>) -> Home {
        let home = Home { folder: tempfile::tempdir().unwrap() };
        if let Some(text) = config {
            fs::create_dir(home.path(".codex")).unwrap();
            fs::write(home.config(), text).unwrap();
        }
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.path(".codex/config.toml")
    }

    fn config_text(&self) -> String {
        fs::read_to_string(self.config()).unwrap()
    }

    fn run(&self, args: &[&str]) -> Output {
        self.run_with(args, &[])
    }

    fn run_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Output {
        self.command(args).envs(variables.iter().copied()).output().unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arize-codex"));
        command.args(args).env_clear().env("HOME", self.folder.path());
        command.env("PATH", self.path("no-codex-here")).stdin(Stdio::null());
        command
    }

    /// Installs for the local archive, so that no test depends on a backend.
    fn install(&self) {
        let output = self.run(&["install", "--yes", "--target", "local"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The checks of doctor that are not ok, as `check: text`.
    fn complaints(&self) -> Vec<String> {
        let output = self.run(&["doctor", "--json"]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let bad = findings.iter().filter(|f| f["status"] != "ok");
        assert!(bad.clone().all(|f| f["fix"].is_string()), "every complaint names its fix");
        bad.map(|f| format!("{}: {}", f["check"].as_str().unwrap(), f["text"].as_str().unwrap())).collect()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_config_survives_install_and_uninstall() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let original = fs::read_to_string(&path).unwrap();
        let home = Home::with(Some(&original));
        if name.starts_with("invalid-") {
            let output = home.run(&["install", "--yes", "--target", "local"]);
            assert_eq!(output.status.code(), Some(1), "{name}");
            assert!(stderr(&output).contains("line "), "{name}: {}", stderr(&output));
            assert!(!home.path(".arize").exists(), "{name}: nothing is written when the file is refused");
            assert_eq!(home.config_text(), original, "{name}");
            continue;
        }
        home.install();
        let installed = home.config_text();
        home.install();
        assert_eq!(home.config_text(), installed, "{name}");
        assert!(home.run(&["uninstall"]).status.success(), "{name}");
        if !name.starts_with("old-") {
            assert_eq!(home.config_text(), original, "{name}");
            assert!(!home.config_text().contains("arize-hook"), "{name}");
        }
    }
}

#[test]
fn purge_leaves_only_files_of_others() {
    let home = Home::with(None);
    home.install();
    assert!(home.config_text().contains("arize-hook-codex-stop"));
    assert!(home.run(&["uninstall", "--purge"]).status.success());
    assert!(!home.config().exists() && !home.path(".arize").exists());

    let others = "user_id: me\nharnesses:\n  claude-code:\n    target: arize\n";
    fs::create_dir_all(home.path(".arize/harness")).unwrap();
    fs::write(home.path(".arize/harness/config.yaml"), others).unwrap();
    home.install();
    assert!(home.run(&["uninstall", "--purge"]).status.success());
    assert_eq!(fs::read_to_string(home.path(".arize/harness/config.yaml")).unwrap(), others);
}

#[test]
fn linked_config_stays_a_link() {
    let home = Home::with(Some(""));
    let real = home.path("dotfiles.toml");
    fs::write(&real, "model = \"x\"\n").unwrap();
    fs::remove_file(home.config()).unwrap();
    symlink(&real, home.config()).unwrap();
    home.install();
    assert!(fs::symlink_metadata(home.config()).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("arize-hook-codex-stop"));

    let home = Home::with(Some("model = \"x\"\n"));
    fs::set_permissions(home.config(), fs::Permissions::from_mode(0o444)).unwrap();
    let output = home.run(&["install", "--yes", "--target", "local"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("read-only"), "{}", stderr(&output));
    assert_eq!(home.config_text(), "model = \"x\"\n");
}

#[test]
fn foreign_notify_is_chained_and_restored() {
    let original = "notify = [ 'bell', \"-x\" ]  # mine\nmodel = \"x\"\n";
    let home = Home::with(Some(original));
    home.install();
    let yaml = fs::read_to_string(home.path(".arize/harness/config.yaml")).unwrap();
    assert!(yaml.contains("notify_chain:\n    - bell\n    - -x\n"), "{yaml}");
    home.install();
    assert!(home.run(&["uninstall"]).status.success());
    assert_eq!(home.config_text(), original);
    assert!(!fs::read_to_string(home.path(".arize/harness/config.yaml")).unwrap().contains("notify_chain"));
}

#[test]
fn key_stays_with_its_backend() {
    let home = Home::with(Some(""));
    let key = home.path("key");
    fs::write(&key, "sesame-open\n").unwrap();
    let arize = ["install", "--yes", "--target", "arize", "--endpoint", "127.0.0.1:9", "--space-id", "s"];
    assert!(stderr(&home.run(&arize)).contains("--api-key-file"));
    let output = home.run(&[&arize[..], &["--api-key-file", key.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
    assert!(!said.contains("sesame"), "{said}");
    let yaml = home.path(".arize/harness/config.yaml");
    assert_eq!(fs::metadata(&yaml).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(&yaml).unwrap().contains("api_key: sesame-open"));
    home.run(&["install", "--yes", "--target", "phoenix", "--endpoint", "http://127.0.0.1:9"]);
    let text = fs::read_to_string(&yaml).unwrap();
    assert!(
        text.contains("target: phoenix") && !text.contains("sesame") && !text.contains("space_id"),
        "{text}"
    );
}

#[test]
fn broken_config_yaml_is_named() {
    let home = Home::with(Some("model = \"x\"\n"));
    fs::create_dir_all(home.path(".arize/harness")).unwrap();
    fs::write(home.path(".arize/harness/config.yaml"), "harnesses:\n  x: [\n").unwrap();
    let output = home.run(&["install", "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("config.yaml: line"), "{}", stderr(&output));
    assert_eq!(home.config_text(), "model = \"x\"\n");
}

#[test]
fn a_dry_run_writes_nothing() {
    let home = Home::with(Some("model = \"x\"\n"));
    assert!(home.run(&["install", "--dry-run", "--target", "local"]).status.success());
    assert!(!home.path(".arize").exists());
    home.install();
    let installed = home.config_text();
    assert!(home.run(&["uninstall", "--dry-run"]).status.success());
    assert_eq!(home.config_text(), installed);
}

#[test]
fn python_edition_is_taken_over() {
    let home = Home::with(Some(include_str!("../configs/old-python-edition.toml")));
    fs::create_dir_all(home.path(".arize/harness")).unwrap();
    let json = r#"{"harnesses": {"codex": {"target": "phoenix", "endpoint": "http://127.0.0.1:9", "project_name": "old"}}}"#;
    fs::write(home.path(".arize/harness/config.json"), json).unwrap();
    assert!(home.run(&["install", "--yes"]).status.success());
    let yaml = fs::read_to_string(home.path(".arize/harness/config.yaml")).unwrap();
    assert!(yaml.contains("project_name: old") && yaml.contains("http://127.0.0.1:9"), "{yaml}");
    assert!(!home.config_text().contains("venv"));
}

#[test]
fn doctor_names_each_thing_that_is_wrong() {
    type Break = fn(&Home);
    fn edit(home: &Home, change: impl Fn(String) -> String) {
        fs::write(home.config(), change(home.config_text())).unwrap();
    }
    fn yaml(home: &Home, text: &str) {
        fs::write(home.path(".arize/harness/config.yaml"), text).unwrap();
    }
    let cases: [(&str, Break, &str); 14] = [
        ("never reviewed", |_| (), "hooks: all 14 hooks: registered, but never reviewed"),
        (
            "one level",
            |h| {
                edit(h, |_| {
                    format!(
                        "[[hooks.Stop]]\ncommand = [\"{}/.arize/harness/bin/arize-hook-codex-stop\"]\n",
                        h.folder.path().display()
                    )
                })
            },
            "hooks: Stop: written in a form",
        ),
        (
            "notify taken",
            |h| edit(h, |t| t.replace("notify = [", "notify = [\"other\", ")),
            "notify: taken over by other",
        ),
        (
            "hooks off",
            |h| edit(h, |t| format!("{t}\n[features]\nhooks = false\n")),
            "hooks: Codex's hooks are switched off",
        ),
        (
            "entry gone",
            |h| {
                edit(h, |t| {
                    t.replace("[[hooks.Stop]]", "[[hooks.Other]]")
                        .replace("[[hooks.Stop.hooks]]", "[[hooks.Other.hooks]]")
                })
            },
            "hooks: Stop: not registered",
        ),
        (
            "other edition",
            |h| edit(h, |t| t.replace("/bin/arize-hook-codex-tool", "/venv/bin/arize-hook-codex-tool")),
            "registered with another program",
        ),
        (
            "asynchronous",
            |h| edit(h, |t| t.replacen("timeout = 30", "async = true", 1)),
            "hooks: our hooks are asynchronous",
        ),
        ("invalid toml", |h| edit(h, |t| format!("{t}[broken\n")), "unclosed table"),
        ("yaml broken", |h| yaml(h, "harnesses:\n  x: [\n"), "settings: "),
        (
            "no target",
            |h| yaml(h, "harnesses: {codex: {project_name: x}}\n"),
            "backend: no backend is configured",
        ),
        (
            "backend down",
            |h| yaml(h, "harnesses: {codex: {target: phoenix, endpoint: 'http://127.0.0.1:9'}}\n"),
            "backend: phoenix at http://127.0.0.1:9: no connection",
        ),
        (
            "link gone",
            |h| fs::remove_file(h.path(".arize/harness/bin/arize-hook-codex-stop")).unwrap(),
            "program: arize-hook-codex-stop does not point",
        ),
        (
            "readable key",
            |h| {
                fs::set_permissions(h.path(".arize/harness/config.yaml"), fs::Permissions::from_mode(0o644))
                    .unwrap()
            },
            "secrets: others on this machine",
        ),
        (
            "switched off",
            |h| fs::write(h.path(".codex/arize-env.sh"), "export ARIZE_TRACE_ENABLED=no\n").unwrap(),
            "settings: tracing is switched off",
        ),
    ];
    for (name, break_it, expected) in cases {
        let home = Home::with(Some("model = \"x\"\n"));
        home.install();
        break_it(&home);
        let complaints = home.complaints();
        assert!(complaints.iter().any(|c| c.contains(expected)), "{name}: {complaints:#?}");
    }
}

#[test]
fn closed_stdout_stops_no_action() {
    let home = Home::with(None);
    let unread = |args: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        home.command(args).stdout(writer).status().unwrap()
    };
    assert!(unread(&["install", "--yes", "--target", "local"]).success());
    assert!(home.config_text().contains("arize-hook-codex-stop") && home.path(".arize/harness/bin").exists());
    assert!(unread(&["uninstall", "--purge"]).success());
    assert!(!home.config().exists() && !home.path(".arize").exists());
}

#[test]
fn purge_restores_config_yaml() {
    let home = Home::with(None);
    let yaml = home.path(".arize/harness/config.yaml");
    let original = "# ours\nuser_id: me  # for all\nharnesses:\n  other: {target: \"arize\"}\n";
    fs::create_dir_all(yaml.parent().unwrap()).unwrap();
    fs::write(&yaml, original).unwrap();
    home.install();
    home.install();
    let installed = fs::read_to_string(&yaml).unwrap();
    assert!(!installed.split_once("codex:").unwrap().1.contains("user_id"), "{installed}");
    assert!(home.run(&["uninstall", "--purge"]).status.success());
    assert_eq!(fs::read_to_string(&yaml).unwrap(), original);
    // Changed by the user since, it loses our share and nothing else.
    home.install();
    assert!(home.run(&["config", "set", "harnesses.other.project_name", "p"]).status.success());
    assert!(home.run(&["uninstall", "--purge"]).status.success());
    let left = fs::read_to_string(&yaml).unwrap();
    assert!(left.contains("project_name: p") && !left.contains("codex"), "{left}");
    fs::write(&yaml, original).unwrap();
    let said = stderr(&home.run(&["config", "set", "user_id", "you"]));
    let copy = said.trim().rsplit(' ').next().unwrap();
    assert_eq!(fs::read_to_string(copy).unwrap(), original, "{said}");
}

#[test]
fn created_directories_are_removed() {
    let home = Home::with(None);
    fs::create_dir_all(home.path(".agents")).unwrap();
    let prefix = home.path("opt/local");
    let args =
        ["install", "--yes", "--target", "local", "--with-skills", "--prefix", prefix.to_str().unwrap()];
    assert!(home.run(&args).status.success());
    assert!(prefix.join("bin/arize-codex").exists());
    let told = home.run(&["uninstall", "--purge", "--dry-run"]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    for what in ["opt/local/bin/arize-codex", "SKILL.md", "state/codex", "config.yaml"] {
        assert!(told.contains(what), "{what}: {told}");
    }
    assert!(home.run(&["uninstall", "--purge"]).status.success());
    assert!(!home.path("opt").exists() && !home.path(".agents/skills").exists());
    assert!(home.path(".agents").exists(), "it was there before");
}

#[test]
fn secret_on_command_line_is_refused() {
    let home = Home::with(None);
    let key = "harnesses.codex.api_key";
    assert_eq!(home.run(&["config", "set", key, "sesame"]).status.code(), Some(2));
    assert!(!home.path(".arize/harness/config.yaml").exists());
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, b"sesame\n").unwrap();
    drop(writer);
    assert!(home.command(&["config", "set", key, "-"]).stdin(reader).status().unwrap().success());
    let got = home.run(&["config", "get", key]);
    assert_eq!(String::from_utf8_lossy(&got.stdout), "sesame\n");
    for args in [
        &["install", "--target", "foo"][..],
        &["config", "set", "harnesses.codex.redact_patterns", "("],
        &["install", "--span-tree", "foo"],
        &["demo", "--span-tree", "foo"],
        &["show", "--follow", "--html", "x"],
        &["config", "set", "harnesses.codex.target", "foo"],
        &["config", "set", "harnesses.codex.span_tree", "foo"],
        &["config", "set", "harnesses.codex.export_mode", "foo"],
        &["config", "set", "harnesses.codex.dry_run", "perhaps"],
        &["config", "set", "harnesses.codex.archive_days", "many"],
        &["list", "--since", "foo"],
        &["lst"],
    ] {
        assert_eq!(home.run(args).status.code(), Some(2), "{args:?}");
    }
    for args in [&["-h"][..], &["show", "-h"], &["-V"]] {
        assert!(home.run(args).status.success(), "{args:?}");
    }
    let said = stderr(&home.run(&["config", "set", "harnesses.codex.loging.prompts", "false"]));
    assert!(said.contains("unknown setting loging.prompts"), "{said}");
}

#[test]
fn doctor_says_when_hooks_cannot_write() {
    let home = Home::with(None);
    home.install();
    let state = home.path(".arize/harness/state/codex");
    fs::create_dir_all(&state).unwrap();
    let said = |home: &Home| home.complaints().into_iter().find(|c| c.starts_with("state: "));
    assert_eq!(said(&home), None);
    fs::create_dir_all(state.join("outbox")).unwrap();
    fs::remove_dir(state.join("outbox")).unwrap();
    fs::write(state.join("outbox"), "in the way").unwrap();
    assert!(said(&home).unwrap().contains("outbox cannot be written"), "{:?}", said(&home));
}

#[test]
fn endpoint_password_is_never_shown() {
    let home = Home::with(None);
    home.install();
    let yaml = home.path(".arize/harness/config.yaml");
    fs::write(&yaml, "harnesses: {codex: {target: phoenix, endpoint: 'https://user:sesame@127.0.0.1:9'}}\n")
        .unwrap();
    for args in [&["doctor"][..], &["doctor", "--json"], &["config", "list"], &["config", "list", "--json"]] {
        let output = home.run(args);
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
        assert!(said.contains("127.0.0.1:9") && !said.contains("sesame"), "{args:?}: {said}");
    }
    let dry = home.run(&["install", "--yes", "--dry-run"]);
    assert!(!(String::from_utf8_lossy(&dry.stdout).into_owned() + &stderr(&dry)).contains("sesame"));
}

#[test]
fn install_waits_for_codex_to_write_its_config() {
    let home = Home::with(Some("model = \"m\"\n"));
    let path = home.config();
    let writer = std::thread::spawn(move || {
        for n in 0..60 {
            // As Codex does: read, change, replace.
            let text = fs::read_to_string(&path).unwrap_or_default();
            let temporary = path.with_extension(format!("tmp{n}"));
            fs::write(&temporary, format!("{text}# {n}\n")).unwrap();
            fs::rename(&temporary, &path).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    });
    let output = home.run(&["install", "--yes", "--target", "local"]);
    writer.join().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn plugin_with_hooks_gets_no_entries() {
    let config = "[plugins.\"arize-codex@market\"]\nenabled = true\n";
    let home = Home::with(Some(config));
    let folder = home.path(".codex/plugins/cache/market/arize-codex/0.1.0/hooks");
    fs::create_dir_all(&folder).unwrap();
    let hooks = concat!(env!("CARGO_MANIFEST_DIR"), "/.agents/plugins/arize-codex/hooks/hooks.json");
    fs::copy(hooks, folder.join("hooks.json")).unwrap();
    let output = home.run(&["install", "--yes", "--target", "local"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("the plugin arize-codex@market provides the hooks"), "{said}");
    assert_eq!(home.config_text(), config);
}

#[test]
fn install_counts_past_sessions_and_takes_headers() {
    let home = Home::with(None);
    let day = home.path(".codex/sessions/2026/11/22");
    fs::create_dir_all(&day).unwrap();
    for n in 1..=2 {
        let name = format!("rollout-2026-11-22T10-00-00-01a20338-12a8-70e0-af71-2abbd905637{n}.jsonl");
        fs::write(day.join(name), "{}\n").unwrap();
    }
    let args =
        ["install", "--yes", "--target=otlp", "--endpoint=http://127.0.0.1:9", "--header", "x-team=a=b"];
    let output = home.run(&args);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("Found 2 past sessions on this machine") && said.contains("backfill` sends"),
        "{said}"
    );
    // Another backend has none of what was traced so far.
    let moved = home.run(&["install", "--yes", "--target", "phoenix", "--endpoint", "http://127.0.0.1:9"]);
    let moved = String::from_utf8(moved.stdout).unwrap();
    assert!(moved.contains("backfill --again` sends them as well"), "{moved}");
    let kept = home.run(&["install", "--yes"]);
    assert!(!String::from_utf8(kept.stdout).unwrap().contains("--again"));
    home.run(&args);
    let yaml = fs::read_to_string(home.path(".arize/harness/config.yaml")).unwrap();
    assert!(yaml.contains("x-team: a=b"), "{yaml}");
    assert_eq!(home.run(&["install", "--yes", "--target", "otlp", "--header", "bad"]).status.code(), Some(2));
    assert_eq!(home.run(&["install", "--yes", "--endpoint", "ftp://x"]).status.code(), Some(2));
}

#[test]
fn install_asks_collector_for_its_protocol() {
    let home = Home::with(None);
    let (http, grpc) = (HttpCollector::start(|_| Answer::Accept), GrpcCollector::start(|_| Answer::Accept));
    for (address, name) in
        [(http.address(), "http/protobuf"), (grpc.address(), "grpc"), (http.address(), "http/protobuf")]
    {
        let endpoint = format!("http://{address}");
        let output = home.run(&["install", "--yes", "--target", "otlp", "--endpoint", &endpoint]);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(&format!("otlp at {endpoint} answers in {name}")), "{said}");
        let yaml = fs::read_to_string(home.path(".arize/harness/config.yaml")).unwrap();
        assert!(yaml.contains(&format!("protocol: {name}")), "{yaml}");
    }
}

#[test]
fn install_keeps_headers_of_the_environment() {
    let collector = HttpCollector::start(|seen| match seen.headers.get("x-team").map(String::as_str) {
        Some("a b") => Answer::Accept,
        _ => Answer::Status(401, "", ""),
    });
    let home = Home::with(None);
    let args = ["install", "--yes", "--target", "otlp", "--endpoint", &collector.url()];
    let output = home.run_with(&args, &[("OTEL_EXPORTER_OTLP_HEADERS", "x-team=a%20b")]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("x-team of OTEL_EXPORTER_OTLP_HEADERS, kept") && !said.contains("a b"), "{said}");
    let doctor = String::from_utf8(home.run(&["doctor"]).stdout).unwrap();
    assert!(doctor.contains("answers and accepts requests"), "without the variable: {doctor}");
    // Another backend's headers are no headers of this one.
    let other = Home::with(None);
    other.run_with(
        &["install", "--yes", "--target", "phoenix"],
        &[("OTEL_EXPORTER_OTLP_HEADERS", "x-team=1")],
    );
    let yaml = fs::read_to_string(other.path(".arize/harness/config.yaml")).unwrap();
    assert!(!yaml.contains("x-team"), "{yaml}");
}

/// Secrets come from a file or standard input, and are neither told nor left on a command line.
#[test]
fn install_reads_headers_from_files() {
    let collector = HttpCollector::start(|seen| {
        let of = |name: &str| seen.headers.get(name).map(String::as_str);
        match (of("authorization"), of("x-team")) {
            (Some("Bearer sesame"), Some("open")) => Answer::Accept,
            _ => Answer::Status(401, "", ""),
        }
    });
    let home = Home::with(None);
    let file = home.path("header.txt");
    fs::write(&file, "Bearer sesame\n").unwrap();
    let header = format!("authorization=@{}", file.display());
    let args = ["install", "--yes", "--target=otlp", "--endpoint", &collector.url(), "--header", &header];
    let mut command = home.command(&args);
    let mut child =
        command.args(["--header", "x-team=@-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"open\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("answers in http/protobuf"), "{said}");
    let doctor = String::from_utf8(home.run(&["doctor"]).stdout).unwrap();
    assert!(doctor.contains("answers and accepts requests"), "{doctor}");
    assert!(!said.contains("sesame") && !doctor.contains("sesame"), "{said}{doctor}");
    fs::write(&file, "a\nb").unwrap();
    for bad in [header.as_str(), "authorization=@/nowhere"] {
        assert!(!home.run(&["install", "--yes", "--target=otlp", "--header", bad]).status.success(), "{bad}");
    }
}

#[test]
fn system_install_changes_no_home() {
    let home = Home::with(None);
    let prefix = home.path("opt");
    let output = home.run(&["install", "--system", prefix.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    for name in ["arize-codex", "arize-config", "arize-hook-codex-session", "arize-hook-codex-notify"] {
        assert!(prefix.join("bin").join(name).exists(), "{name}");
    }
    assert!(!home.path(".arize").exists() && !home.path(".codex/config.toml").exists());
}
