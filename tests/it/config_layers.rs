//! Settings of some workspaces, of a machine, and the `config` command over them.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use arize_codex::context::Context;
use arize_codex::settings::{Settings, Target};
use std::collections::BTreeMap;

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new(user: &str, machine: &str) -> Home {
        let folder = tempfile::tempdir().unwrap();
        let home = Home { folder };
        fs::create_dir_all(home.path(".arize/harness")).unwrap();
        if !user.is_empty() {
            fs::write(home.path(".arize/harness/config.yaml"), user).unwrap();
        }
        if !machine.is_empty() {
            fs::write(home.path("machine.yaml"), machine).unwrap();
        }
        home
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn variables(&self) -> BTreeMap<String, String> {
        let text = |name: &str| self.path(name).to_str().unwrap().to_owned();
        BTreeMap::from([
            ("HOME".to_owned(), text("")),
            ("USER".to_owned(), "dev".to_owned()),
            ("ARIZE_MACHINE_CONFIG".to_owned(), text("machine.yaml")),
        ])
    }

    fn settings(&self) -> Settings {
        Settings::load(&Context::given(Vec::new(), self.variables())).unwrap()
    }

    fn config(&self, args: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arize-codex"));
        command.arg("config").args(args).env_clear().envs(self.variables());
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), text)
    }

    fn yaml(&self) -> String {
        fs::read_to_string(self.path(".arize/harness/config.yaml")).unwrap_or_default()
    }
}

#[test]
fn machine_file_is_the_lowest_layer() {
    let home = Home::new(
        "harnesses: {codex: {project_name: mine}}",
        "target: otlp\nendpoint: http://collector:4318\nproject_name: everybody\nlogging: {prompts: false}\n",
    );
    let settings = home.settings();
    assert_eq!(settings.target, Some(Target::Otlp));
    assert_eq!(settings.endpoint.as_deref(), Some("http://collector:4318"));
    assert_eq!(settings.profile.project_name, "mine");
    assert!(!settings.profile.logging.prompts);
    // A backend's endpoint and key never go to another backend.
    let home = Home::new(
        "harnesses: {codex: {target: phoenix}}",
        "harnesses: {codex: {target: arize, endpoint: 'otlp.example.com:443', api_key: k}}",
    );
    let settings = home.settings();
    assert_eq!(settings.endpoint.as_deref(), Some("http://localhost:6006"));
    assert!(settings.api_key.is_none());
}

#[test]
fn broken_machine_file_is_an_error() {
    let home = Home::new("harnesses: {codex: {target: local}}", "harnesses: [\n");
    assert!(Settings::load(&Context::given(Vec::new(), home.variables())).is_err());
}

#[test]
fn rules_hold_in_their_directories_alone() {
    let user = "harnesses:\n  codex:\n    target: phoenix\n    project_name: '{workspace}'\n    rules:\n    - path: ~/private/**\n      trace_enabled: false\n    - path: ~/work/acme\n      project_name: acme\n      tags: [work]\n      logging: {tool_content: false}\n      target: otlp\n      endpoint: http://collector:4318\n    - remote: github.com/acme/*\n      project_name: by-remote\n";
    let home = Home::new(user, "rules: [{path: '~/work', tags: [machine], user_id: '{os_user}'}]");
    fs::create_dir_all(home.path("work/other/.git")).unwrap();
    let settings = home.settings();
    let here = |name: &str| settings.in_directory(home.path(name).to_str()).into_owned();
    assert!(!here("private/diary").enabled);
    let acme = here("work/acme/src");
    assert!(acme.enabled && !acme.profile.logging.tool_content && acme.profile.logging.prompts);
    assert_eq!((acme.profile.project_name.as_str(), acme.profile.tags), ("acme", vec!["work".to_owned()]));
    // One outbox, one backend: a rule never sends turns of other directories elsewhere.
    assert_eq!(acme.target, Some(Target::Phoenix));
    assert!(settings.problems.iter().any(|p| p.contains("target cannot differ by directory")));
    let other = here("work/other/src");
    assert_eq!(
        (other.profile.project_name.as_str(), other.profile.tags),
        ("other", vec!["machine".to_owned()])
    );
    assert_eq!(other.profile.user_id.as_deref(), Some("dev"));
    assert_eq!(other.target, Some(Target::Phoenix));
    let cloned = home.path("src/clone/.git");
    fs::create_dir_all(&cloned).unwrap();
    fs::write(cloned.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(cloned.join("config"), "[remote \"origin\"]\n\turl = git@github.com:acme/parser.git\n")
        .unwrap();
    assert_eq!(here("src/clone").profile.project_name, "by-remote");
}

/// A repository's own files never decide on settings.
#[test]
fn repository_brings_no_rules() {
    let home = Home::new("harnesses: {codex: {target: local}}", "");
    let evil = home.path("evil/.arize/harness");
    fs::create_dir_all(&evil).unwrap();
    fs::write(evil.join("config.yaml"), "rules: [{path: '/**', target: otlp, endpoint: http://evil}]")
        .unwrap();
    let settings = home.settings();
    assert_eq!(settings.in_directory(home.path("evil").to_str()).target, Some(Target::Local));
}

/// The hooks themselves: a directory that is opted out leaves nothing, another is recorded under its own project.
#[test]
fn hooks_follow_the_rules_of_the_directory() {
    let user = "harnesses: {codex: {target: local, rules: [{path: '/opted/out', trace_enabled: false}, {path: /srv/acme, project_name: acme, logging: {prompts: false}}]}}";
    for (directory, turns) in [("/opted/out/x", 0), ("/srv/acme/y", 1)] {
        let home = Home::new(user, "");
        let common = format!(
            "\"session_id\":\"01a20338-12a8-70e0-af71-2abbd9056370\",\"turn_id\":\"01a20338-12bb-7000-8000-000000000001\",\"cwd\":\"{directory}\",\"transcript_path\":null,\"model\":\"m\""
        );
        for (role, event, more) in [
            ("session", "UserPromptSubmit", ",\"prompt\":\"a very private prompt\""),
            ("stop", "Stop", ",\"last_assistant_message\":\"done\""),
        ] {
            let payload = format!("{{\"hook_event_name\":\"{event}\",{common}{more}}}");
            let mut child = Command::new(env!("CARGO_BIN_EXE_arize-codex"))
                .args(["hook", role])
                .env_clear()
                .envs(home.variables())
                .env("ARIZE_EXPORT_MODE", "sync")
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(payload.as_bytes()).unwrap();
            assert!(child.wait().unwrap().success());
        }
        let listed = Command::new(env!("CARGO_BIN_EXE_arize-codex"))
            .args(["list", "--json"])
            .env_clear()
            .envs(home.variables())
            .output()
            .unwrap();
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        assert_eq!(listed.as_array().unwrap().len(), turns, "{listed}");
        if turns > 0 {
            assert_eq!(listed[0]["project"], "acme");
            assert!(!listed.to_string().contains("private prompt"), "{listed}");
        }
    }
}

#[test]
fn config_takes_bare_keys_and_lists_and_refuses_unknown_ones() {
    let home = Home::new("# mine\nuser_id: me\nharnesses:\n  other: {x: 1}\n", "");
    for (args, code, said) in [
        (&["set", "project_name", "demo"][..], 0, "comments are not kept"),
        (&["get", "project_name"], 0, "demo"),
        (&["get", "harnesses.codex.project_name"], 0, "demo"),
        (&["set", "tags", "a,b"], 0, ""),
        (&["get", "tags"], 0, "- a\n- b"),
        (&["get", "user_id"], 0, "me"),
        (&["set", "logging.prompts", "false"], 0, ""),
        (&["set", "logging", "nonsense"], 0, ""),
        (&["set", "projectname", "x"], 2, "did you mean project_name?"),
        (&["set", "harnesses.codex.tgas", "x"], 2, "did you mean tags?"),
        (&["get", "nonsense"], 2, "no setting is called nonsense"),
        (&["set", "rules", "x"], 2, "rules are a list"),
        (&["unset", "tags"], 0, ""),
        (&["unset", "tags"], 1, ""),
        (&["unset", "harnesses.other.x"], 0, ""),
    ] {
        let (got, text) = home.config(args);
        assert!(got == code && text.contains(said), "{args:?}: {got} {text}");
    }
    assert!(home.yaml().contains("project_name: demo"));
    let copies = fs::read_dir(home.path(".arize/harness/state/codex/backups")).unwrap().count();
    assert!(copies >= 5, "a copy before every change: {copies}");
}
