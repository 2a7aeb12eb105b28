//! What doctor finds, and the advice it gives: each case is a way in which a person's machine was out of order.

use serde_json::Value;
use std::fs;
use std::path::Path;

use crate::lab::Lab;

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

/// A home in which a person has installed for the local archive.
fn installed() -> Lab {
    let lab = Lab::new("target: local");
    let output = lab.run(&["install", "--yes"]);
    assert!(output.status.success(), "{output:?}");
    lab
}

#[test]
fn a_plugin_is_as_good_as_entries_in_config_toml_and_both_are_one_too_many() {
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
    assert!(hooks[0].contains("all twelve hooks: registered by the plugin"), "{hooks:?}");
    assert!(!hooks[0].contains("install"), "{hooks:?}");
    assert!(of(&lab, "notify")[0].starts_with("ok "));

    fs::write(lab.paths().codex_config(), format!("{entries}\n{plugin}")).unwrap();
    let hooks = of(&lab, "hooks");
    let both = hooks.iter().find(|f| f.contains("runs each twice")).unwrap();
    assert!(both.contains("codex plugin remove arize-codex@arize-codex"), "{both}");
}

#[test]
fn a_setting_that_does_nothing_is_told_with_what_would() {
    let lab = installed();
    lab.configure("target: local, loging: {prompts: false}, span_tree: bogus");
    fs::write(lab.paths().env_file(), "export ARIZE_USER_ID=$(whoami)\n").unwrap();
    let told = of(&lab, "settings").join("\n");
    assert!(
        told.contains("harnesses.codex.loging.prompts, so it does nothing → is logging.prompts"),
        "{told}"
    );
    assert!(
        told.contains("span_tree is none of turn, calls, so turn holds → mend harnesses.codex.span_tree in"),
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
    assert!(told.contains("a file of your own") && !told.contains("mend the line"), "{told}");
}
