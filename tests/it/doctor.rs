//! What doctor finds, and the advice it gives: each case is a way in which a user's machine was out of order.

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::collector::{Answer, GrpcCollector, HttpCollector};
use crate::lab::{Lab, Session};
use crate::namespace::{self, mount};

/// The findings of doctor, as `status check: text → fix`.
fn findings(lab: &Lab) -> Vec<String> {
    let output = lab.run(&["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let all = report["findings"].as_array().unwrap().iter();
    all.map(|f| {
        format!("{} {}: {} → {}", text(f, "status"), text(f, "check"), text(f, "text"), text(f, "fix"))
    })
    .collect()
}

/// The findings of one check.
fn of(lab: &Lab, check: &str) -> Vec<String> {
    let named = format!(" {check}: ");
    findings(lab)
        .into_iter()
        .filter(|f| f.split_once(' ').is_some_and(|(_, f)| format!(" {f}").starts_with(&named)))
        .collect()
}

/// A home in which a user has installed for the local archive.
fn installed() -> Lab {
    let lab = Lab::new("target: local");
    let output = lab.run(&["install", "--yes"]);
    assert!(output.status.success(), "{output:?}");
    lab
}

#[test]
fn doctor_accepts_plugin_or_entries_not_both() {
    let lab = installed();
    let codex = lab.paths().codex();
    let entries = fs::read_to_string(lab.paths().codex_config()).unwrap();
    let plugin = "[plugins.\"arize-codex@arize-codex\"]\nenabled = true\n";
    fs::write(lab.paths().codex_config(), plugin).unwrap();
    let cache = codex.join("plugins/cache/arize-codex/arize-codex/0.1.0/hooks");
    fs::create_dir_all(&cache).unwrap();
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join(".agents/plugins/arize-codex/hooks/hooks.json");
    fs::copy(ours, cache.join("hooks.json")).unwrap();
    let hooks = of(&lab, "hooks");
    assert_eq!(hooks.len(), 1, "{hooks:?}");
    assert!(hooks[0].contains("all 14 hooks: registered by the plugin"), "{hooks:?}");
    assert!(!hooks[0].contains("install"), "{hooks:?}");
    assert!(of(&lab, "notify")[0].starts_with("ok "));

    fs::write(lab.paths().codex_config(), format!("{entries}\n{plugin}")).unwrap();
    let hooks = of(&lab, "hooks");
    let both = hooks.iter().find(|f| f.contains("runs each one twice")).unwrap();
    assert!(both.contains("codex plugin remove arize-codex@arize-codex"), "{both}");
}

/// The newest session is one that a release of tomorrow wrote: a recorded one, with lines nobody knows yet.
#[test]
fn doctor_notes_entries_of_a_newer_release() {
    let mut lab = installed();
    let bin = lab.folder().join("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("codex"), "#!/bin/sh\necho codex-cli 0.199.0\n").unwrap();
    fs::set_permissions(bin.join("codex"), fs::Permissions::from_mode(0o755)).unwrap();
    lab.environment.push(("PATH".into(), format!("{}:/usr/bin:/bin", bin.display())));
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/codex-0.171.0/default-tools");
    let rollout = fs::read_dir(recorded).unwrap().flatten().map(|entry| entry.path());
    let rollout = rollout.into_iter().find(|path| path.to_str().unwrap().contains("/rollout-")).unwrap();
    let sessions = lab.paths().codex().join("sessions/2026/11/27");
    fs::create_dir_all(&sessions).unwrap();
    let place = sessions.join(rollout.file_name().unwrap());
    let today = fs::read_to_string(rollout).unwrap().replace("0.171.0", "0.199.0");
    fs::write(&place, &today).unwrap();
    assert!(of(&lab, "codex")[0].starts_with("ok codex: 0.199.0 at "), "{:?}", of(&lab, "codex"));
    assert_eq!(of(&lab, "rollouts"), [""; 0], "every line of it is known");
    let tomorrow = r#"
{"timestamp":"2026-11-27T12:00:00.000Z","type":"event_msg","payload":{"type":"of_tomorrow","said":"my secret plan"}}
{"timestamp":"2026-11-27T12:00:00.000Z","type":"event_msg","payload":{"type":"item_completed","item":{"type":"Tomorrow","id":"x"}}}
{"timestamp":"2026-11-27T12:00:00.000Z","type":"response_item","payload":{"type":"dream"}}
{"timestamp":"2026-11-27T12:00:00.000Z","type":"new_line","payload":{}}
"#;
    fs::write(&place, today + tomorrow).unwrap();
    assert_eq!(
        of(&lab, "rollouts"),
        [
            "ok rollouts: note: Codex writes entries that this version ignores: event_msg/item_completed/Tomorrow, \
          event_msg/of_tomorrow, new_line, response_item/dream → "
        ]
    );
    let failed = findings(&lab).iter().filter(|finding| !finding.starts_with("ok ")).count();
    fs::remove_file(&place).unwrap();
    let before = findings(&lab).iter().filter(|finding| !finding.starts_with("ok ")).count();
    assert_eq!(failed, before, "it is a note, no failure");
}

#[test]
fn doctor_names_settings_without_effect() {
    let lab = installed();
    lab.configure("target: local, loging: {prompts: false}, span_tree: bogus");
    fs::write(lab.paths().env_file(), "export ARIZE_USER_ID=$(whoami)\n").unwrap();
    let told = of(&lab, "settings").join("\n");
    assert!(
        told.contains("harnesses.codex.loging.prompts: it has no effect → did you mean logging.prompts"),
        "{told}"
    );
    assert!(
        told.contains("span_tree is none of turn, calls, so turn is used → fix harnesses.codex.span_tree in"),
        "{told}"
    );
    assert!(told.contains("ARIZE_USER_ID in line 1 of arize-env.sh is not used"), "{told}");
    assert!(
        !findings(&lab).iter().any(|f| f.contains("bogus")),
        "what does not hold is not shown as if it did"
    );
    fs::remove_file(lab.paths().config_yaml()).unwrap();
    fs::create_dir(lab.paths().config_yaml()).unwrap();
    let told = of(&lab, "settings").join("\n");
    assert!(told.contains("a file of your own") && !told.contains("fix the line"), "{told}");
}

#[test]
fn errors_belong_to_one_backend() {
    let collector = HttpCollector::start(|seen| match seen.headers["authorization"].as_str() {
        "Bearer right" => Answer::Accept,
        _ => Answer::Status(401, "", ""),
    });
    let backend = |key: &str| format!("target: phoenix, endpoint: '{}', api_key: {key}", collector.url());
    let lab = Lab::new(&backend("wrong"));
    Session::start(&lab, 1).turn(0, 1);
    assert_eq!(lab.run(&["flush", "--wait", "1"]).status.code(), Some(1));
    let told = of(&lab, "delivery");
    assert!(told[0].starts_with("failure ") && told[0].contains("401"), "{told:?}");
    lab.configure(&backend("right"));
    let told = of(&lab, "delivery");
    assert!(told[0].starts_with("warning ") && !told[0].contains("401"), "{told:?}");
    assert!(told[0].ends_with("run `arize-codex flush` to deliver now"), "{told:?}");
    lab.flush();
    assert!(of(&lab, "delivery")[0].contains("last delivered"), "{:?}", of(&lab, "delivery"));
    lab.configure(&backend("another"));
    let told = of(&lab, "delivery");
    assert!(told[0].contains("nothing delivered to this backend yet; in total 1 turn delivered"), "{told:?}");
}

/// A variable that only the hooks have: doctor, called without it, says what they use.
#[test]
fn doctor_names_backend_of_the_hooks() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let lab = Lab::new("target: local");
    Session::start(&lab, 1).turn(0, 1);
    let mut flush = std::process::Command::new(env!("CARGO_BIN_EXE_arize-codex"));
    flush.arg("flush").env_clear().env("HOME", lab.folder()).env("PHOENIX_ENDPOINT", collector.url());
    assert!(flush.status().unwrap().success());
    let told = of(&lab, "settings").join("\n");
    let expected = format!("the hooks last used phoenix at {}, named by PHOENIX_ENDPOINT", collector.url());
    assert!(told.contains(&expected), "{told}");
    assert!(told.contains("set PHOENIX_ENDPOINT alike here"), "{told}");
    // A change of config.yaml is no such thing.
    lab.run(&["flush"]);
    lab.configure("target: otlp, endpoint: 'http://127.0.0.1:9'");
    let told = of(&lab, "settings").join("\n");
    assert!(told.contains("ok ") && told.contains("have changed since"), "{told}");
}

#[test]
fn local_turns_count_as_kept() {
    let lab = installed();
    Session::start(&lab, 1).turn(0, 1);
    lab.flush();
    let told = of(&lab, "delivery");
    assert!(
        told[0].contains("in total 1 turn kept on this machine only") && !told[0].contains("delivered"),
        "{told:?}"
    );
    let calls = of(&lab, "calls");
    assert!(calls[0].contains("Codex last ran a hook") && calls.len() == 2, "{calls:?}");
    assert!(calls[1].contains("PreToolUse 1, ") && calls[1].contains("; never called: "), "{calls:?}");
}

#[test]
fn doctor_advises_on_endpoints() {
    for (yaml, advice) in [
        (
            "target: phoenix, endpoint: 'htp://x'".to_owned(),
            "fix the setting where doctor says it comes from",
        ),
        ("target: otlp, endpoint: 'http://127.0.0.1:9'".to_owned(), "endpoint and protocol are right"),
    ] {
        let told = of(&Lab::new(&yaml), "backend");
        assert!(told[0].starts_with("failure ") && told[0].contains(advice), "{yaml}: {told:?}");
    }
}

#[test]
fn doctor_asks_what_a_collector_speaks() {
    let http = HttpCollector::start(|_| Answer::Accept);
    let refuses = HttpCollector::start(|_| Answer::Status(422, "", ""));
    let grpc = GrpcCollector::start(|_| Answer::Accept);
    for (endpoint, name) in [
        (format!("http://{}", http.address()), "http/protobuf"),
        (format!("http://{}", refuses.address()), "http/protobuf"),
        (format!("http://{}/v1/traces", grpc.address()), "grpc"),
    ] {
        let lab = Lab::new(&format!("target: otlp, endpoint: '{endpoint}'"));
        let told = of(&lab, "protocol");
        assert!(told[0].starts_with("ok ") && told[0].contains(&format!("speaks {name}, not")), "{told:?}");
        assert!(!of(&lab, "backend")[0].starts_with("failure "), "{endpoint}");
        assert!(of(&lab, "protocol").is_empty(), "it stands in config.yaml");
        // What a user has set is not overwritten.
        let other = if name == "grpc" { "http/protobuf" } else { "grpc" };
        let lab = Lab::new(&format!("target: otlp, endpoint: '{endpoint}', protocol: {other}"));
        for _ in 0..2 {
            let told = of(&lab, "protocol");
            assert!(
                told[0].starts_with("failure ") && told[0].contains(&format!("set protocol {name}")),
                "{told:?}"
            );
        }
    }
}

#[test]
fn a_file_without_a_key_was_no_secret() {
    let lab = installed();
    let open = |text: &str| {
        fs::write(lab.paths().env_file(), text).unwrap();
        fs::set_permissions(lab.paths().env_file(), fs::Permissions::from_mode(0o644)).unwrap();
        of(&lab, "secrets").remove(0)
    };
    assert!(!open("export ARIZE_VERBOSE=true\n").contains("replace the key"));
    assert!(open("export PHOENIX_API_KEY=sesame\n").contains("replace the key"));
}

#[test]
fn doctor_names_unwritable_disk() {
    namespace::run("doctor::on_disks_that_cannot_be_written");
}

#[test]
#[ignore = "a part of another test, which starts it in a namespace"]
fn on_disks_that_cannot_be_written() {
    if !namespace::is_inside() {
        return;
    }
    let lab = installed();
    let outbox = lab.paths().outbox();
    Session::start(&lab, 1).turn(0, 1);
    lab.flush();
    assert!(of(&lab, "state")[0].starts_with("ok "), "{:?}", of(&lab, "state"));
    fs::create_dir_all(&outbox).unwrap();
    mount(&["-t", "tmpfs", "-o", "size=64k,mode=700", "none"], &outbox);
    let ballast = fs::write(outbox.join("ballast"), vec![0; 1 << 20]);
    assert!(ballast.is_err(), "the disk is full");
    let told = of(&lab, "state").remove(0);
    assert!(
        told.contains("outbox cannot be written: No space") && told.contains("free some disk space"),
        "{told}"
    );
    mount(&["-o", "remount,ro"], &outbox);
    let told = of(&lab, "state").remove(0);
    assert!(
        told.contains("outbox cannot be written: Read-only") && told.contains("make it writable"),
        "{told}"
    );

    let state = lab.paths().state();
    mount(&["-t", "tmpfs", "-o", "mode=700", "none"], &state);
    mount(&["-o", "remount,ro"], &state);
    assert!(of(&lab, "calls").is_empty(), "nothing could be counted");
    Session::start(&lab, 2).turn(0, 0);
    let output = lab.run(&["flush", "--wait", "1"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &lab.log();
    for line in said.lines().filter(|line| line.contains("os error 30")) {
        assert_eq!(line.matches("os error").count(), 1, "{line}");
        assert_eq!(line.matches(state.to_str().unwrap()).count(), 1, "{line}");
    }
    assert!(said.contains("flush.lock: Read-only") && said.contains("state_"), "{said}");
}

#[test]
fn notify_help_is_no_failure() {
    let lab = installed();
    Session::start(&lab, 1).turn(0, 0);
    for (argument, told) in [("--help", 0), ("--version", 0), ("{", 1)] {
        assert!(lab.command("arize-hook-codex-notify").arg(argument).status().unwrap().success());
        assert_eq!(of(&lab, "failures").len(), told, "{argument}");
    }
}
