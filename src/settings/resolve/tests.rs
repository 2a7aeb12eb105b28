//! Tests of what wins over what.

use super::super::{ExportMode, Protocol, Secret, Settings, SpanTree};
use super::*;

fn settings(vars: &[(&str, &str)], env_sh: &str, yaml: &str) -> Settings {
    let home = tempfile::tempdir().unwrap();
    let mut all: Variables = vars.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    all.insert("HOME".into(), home.path().to_str().unwrap().into());
    let context = Context::given(vec![], all);
    std::fs::create_dir_all(context.paths().codex()).unwrap();
    std::fs::create_dir_all(context.paths().harness()).unwrap();
    std::fs::write(context.paths().env_file(), env_sh).unwrap();
    crate::file::write_atomic(&context.paths().config_yaml(), yaml.as_bytes()).unwrap();
    Settings::load(&context).unwrap()
}

const PHOENIX: &str = "harnesses:\n  codex:\n    target: phoenix\n    endpoint: http://p:1\n    api_key: pk\n    project_name: mine\nproject_name: top\nuser_id: me\n";

#[test]
fn the_first_source_that_is_set_wins() {
    let s = settings(&[], "", PHOENIX);
    assert_eq!((s.target, s.profile.project_name.as_str()), (Some(Target::Phoenix), "mine"));
    assert_eq!(s.profile.user_id.as_deref(), Some("me"), "top level");
    let s = settings(&[], "export ARIZE_PROJECT_NAME=file\nARIZE_SPAN_TREE=calls", PHOENIX);
    assert_eq!((s.profile.project_name.as_str(), s.profile.span_tree), ("file", SpanTree::Calls));
    let s = settings(
        &[(var::ARIZE_PROJECT_NAME, "env"), (var::EXPORT_MODE, "SYNC")],
        "export ARIZE_PROJECT_NAME=file",
        PHOENIX,
    );
    assert_eq!((s.profile.project_name.as_str(), s.export_mode), ("env", ExportMode::Sync));
    let s = settings(&[(var::ARIZE_PROJECT_NAME, "a"), (var::PHOENIX_PROJECT, "p")], "", PHOENIX);
    assert_eq!(s.profile.project_name, "p", "on Phoenix its own variable comes first");
}

#[test]
fn one_backends_key_never_goes_to_another() {
    let s = settings(&[(var::ARIZE_API_KEY, "ak"), (var::ARIZE_SPACE_ID, "sp")], "", PHOENIX);
    assert_eq!(s.target, Some(Target::Arize));
    assert_eq!(s.endpoint.as_deref(), Some("otlp.arize.com:443"));
    assert_eq!(s.api_key.as_ref().map(Secret::expose), Some("ak"));
    let s = settings(&[(var::ARIZE_API_KEY, "ak")], "", PHOENIX);
    assert_eq!((s.target, s.api_key.as_ref().map(Secret::expose)), (Some(Target::Phoenix), Some("pk")));
    let s = settings(
        &[(var::PHOENIX_ENDPOINT, "http://q:2")],
        "",
        "harnesses: {codex: {target: arize, api_key: ak, space_id: sp}}",
    );
    assert_eq!((s.target, s.api_key), (Some(Target::Phoenix), None));
}

#[test]
fn empty_settings_give_defaults() {
    let s = settings(&[], "", "");
    assert_eq!(
        (s.target, s.profile.project_name.as_str(), s.profile.max_value_bytes),
        (None, "codex", 65536)
    );
    assert!(s.enabled && s.profile.logging.prompts && s.profile.redact_secrets && !s.dry_run);
    assert!(s.problems.is_empty(), "{:?}", s.problems);
}

#[test]
fn invalid_value_keeps_default() {
    let s = settings(&[(var::TRACE_ENABLED, "perhaps"), (var::MAX_VALUE_BYTES, "-1")], "", PHOENIX);
    assert!(s.enabled && s.profile.max_value_bytes == 65536 && s.problems.len() == 2, "{:?}", s.problems);
}

#[test]
fn a_switch_that_cannot_be_read_withholds() {
    for yaml in [
        "logging: {prompts: 'off'}",
        "logging: {prompts: never}",
        "logging: false",
        "logging: [prompts]",
        "harnesses: {codex: {logging: {prompts: [x]}}}",
    ] {
        assert!(!settings(&[], "", yaml).profile.logging.prompts, "{yaml}");
    }
    for yaml in ["logging: {prompts: 'on'}", "logging: {prompts: null}", "logging:", "logging: {x: 1}"] {
        assert!(settings(&[], "", yaml).profile.logging.prompts, "{yaml}");
    }
}

#[test]
fn unreadable_switch_disables_recording() {
    let s = settings(&[], "export ARIZE_USER_ID=$(whoami) ARIZE_LOG_PROMPTS=`cat x`; PATH=$(x)", PHOENIX);
    assert_eq!(s.profile.user_id.as_deref(), Some("me"), "config.yaml holds");
    assert!(!s.profile.logging.prompts);
    let reported = s.problems.join("\n");
    assert!(
        reported.contains("ARIZE_USER_ID in line 1 of arize-env.sh") && !reported.contains("PATH"),
        "{reported}"
    );
    assert!(!reported.contains("whoami"), "a value is never repeated");
}

#[test]
fn attributes_are_merged_and_decoded() {
    let s = settings(
        &[(var::RESOURCE_ATTRIBUTES, "team=a%20b,broken,x=1")],
        "",
        "attributes: {x: 0, y: 2}\nharnesses: {codex: {target: otlp, endpoint: 'http://c:4318', attributes: {z: true}}}",
    );
    let pairs: Vec<_> = s.profile.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(pairs, [("team", "a b"), ("x", "1"), ("y", "2"), ("z", "true")]);
    assert_eq!(s.protocol, Protocol::HttpProtobuf);
}
