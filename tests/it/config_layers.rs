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
    assert_eq!((acme.target, acme.endpoint.as_deref()), (Some(Target::Otlp), Some("http://collector:4318")));
    assert_eq!(acme.profile.span_tree, arize_codex::settings::SpanTree::Calls, "the default of its backend");
    assert_eq!(acme.profile.backend_rule.as_deref(), Some("path ~/work/acme"));
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

/// A rule names its whole backend: no key or address of another one is ever used with it.
#[test]
fn rule_backend_stands_alone() {
    let plain = "target: phoenix, endpoint: 'https://phoenix', api_key: users";
    let headers = "headers: {x-key: users}";
    let in_force = |rules: &str, machine: &str, variables: &[(&str, &str)]| {
        let home =
            Home::new(&format!("harnesses: {{codex: {{{plain}, {headers}, rules: [{rules}]}}}}"), machine);
        let mut all = home.variables();
        all.extend(variables.iter().map(|(k, v)| (k.to_string(), v.to_string())));
        let settings = Settings::load(&Context::given(Vec::new(), all)).unwrap();
        let here = settings.in_directory(home.path("acme").to_str()).into_owned();
        (here, settings)
    };
    let key = |s: &Settings| s.api_key.as_ref().map(|k| k.expose().to_owned());
    let (acme, _) = in_force("{path: '~/acme', target: phoenix, endpoint: 'https://acme'}", "", &[]);
    assert_eq!((acme.endpoint.as_deref(), key(&acme)), (Some("https://acme"), None));
    let environment = [("PHOENIX_ENDPOINT", "https://env"), ("PHOENIX_API_KEY", "envs")];
    let (acme, all) = in_force("{path: '~/acme', target: phoenix, api_key: acmes}", "", &environment);
    assert_eq!(
        (acme.endpoint.as_deref(), key(&acme).as_deref()),
        (Some("http://localhost:6006"), Some("acmes"))
    );
    assert_eq!((all.endpoint.as_deref(), key(&all).as_deref()), (Some("https://env"), Some("envs")));
    let (acme, _) = in_force(
        "{path: '~/acme', target: otlp, endpoint: 'http://c:4318'}",
        "",
        &[("OTEL_EXPORTER_OTLP_HEADERS", "a=b")],
    );
    assert!(acme.headers.is_empty(), "{:?}", acme.headers);
    // Of two rules the first that names a backend names all of it.
    let (acme, _) = in_force(
        "{path: '~/acme', target: otlp, endpoint: 'http://c'}, {path: '~/**', target: arize, api_key: other, space_id: s}",
        "",
        &[],
    );
    assert_eq!(
        (acme.target, acme.endpoint.as_deref(), key(&acme), acme.space_id),
        (Some(Target::Otlp), Some("http://c"), None, None)
    );
    // A rule whose backend cannot be made out has none: its turns are kept.
    for rule in [
        "{path: '~/acme', endpoint: 'https://acme'}",
        "{path: '~/acme', target: phenix}",
        "{path: 'a[', target: otlp}",
    ] {
        let (acme, all) = in_force(rule, "", &[]);
        assert_eq!((acme.target, acme.profile.backend_rule.is_some()), (None, true), "{rule}");
        assert!(all.problems.iter().any(|p| p.starts_with("rule 1 of rules")), "{:?}", all.problems);
    }
    // The machine's file is the lowest layer.
    let (acme, _) = in_force("", "rules: [{path: '~/acme', target: local}]", &[]);
    assert_eq!((acme.target, acme.profile.backend_rule), (Some(Target::Phoenix), None));
    let home = Home::new("", "target: phoenix\nrules: [{path: '~/acme', target: local}]");
    assert_eq!(home.settings().in_directory(home.path("acme").to_str()).target, Some(Target::Local));
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
        (&["set", "project_name", "demo"][..], 0, "comments are not preserved"),
        (&["get", "project_name"], 0, "demo"),
        (&["get", "harnesses.codex.project_name"], 0, "demo"),
        (&["set", "tags", "a,b"], 0, ""),
        (&["get", "tags"], 0, "- a\n- b"),
        (&["get", "user_id"], 0, "me"),
        (&["set", "logging.prompts", "false"], 0, ""),
        (&["set", "logging", "nonsense"], 0, ""),
        (&["set", "projectname", "x"], 2, "did you mean project_name?"),
        (&["set", "harnesses.codex.tgas", "x"], 2, "did you mean tags?"),
        (&["get", "nonsense"], 2, "unknown setting nonsense"),
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
