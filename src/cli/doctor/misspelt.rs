//! Settings in config.yaml that nothing reads, most of them misspelt: what they were to do is not done.

use super::Finding;
use crate::cli::line::nearest::nearest;
use crate::settings::document::Document;
use crate::settings::{CODEX_PREFIX, keys, rule_settings};

/// One finding for each setting of ours that does not exist. At the top level, which is everybody's, only a name close
/// to one of ours counts.
pub fn check(document: &Document) -> Vec<Finding> {
    let leaves = document.leaves();
    let unknown = leaves.iter().filter_map(|(path, _)| {
        let name = path.strip_prefix(CODEX_PREFIX);
        if keys::is_known(name.unwrap_or(path)) || path.starts_with(HARNESSES) && name.is_none() {
            return None;
        }
        let meant = nearest(name.unwrap_or(path), keys::KEYS.iter().map(|k| k.name));
        let fix = match meant {
            Some(meant) => {
                format!("did you mean {meant}? remove this one with `arize-codex config unset {path}`")
            }
            None if name.is_some() => format!("`arize-codex config unset {path}` removes it"),
            None => return None,
        };
        Some(Finding::warning("settings", format!("unknown setting {path}: it has no effect"), fix))
    });
    unknown.chain(in_rules(document)).collect()
}

/// The same for the settings in each rule.
fn in_rules(document: &Document) -> Vec<Finding> {
    let settings = rule_settings(document).into_iter().filter(|(_, name)| !keys::is_known(name));
    let findings = settings.map(|(rule, name)| {
        let fix = match nearest(&name, keys::KEYS.iter().map(|k| k.name)) {
            Some(meant) => format!("did you mean {meant}? fix rules in config.yaml"),
            None => "remove it from rules in config.yaml".to_owned(),
        };
        Finding::warning("settings", format!("unknown setting {name} in rule {rule}: it has no effect"), fix)
    });
    findings.collect()
}

/// Prefix of the settings of each tool.
const HARNESSES: &str = "harnesses.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_setting_names_nearest() {
        let reported = |yaml: &str| {
            let findings = check(&Document::parse(yaml).unwrap());
            findings
                .into_iter()
                .map(|f| format!("{} → {}", f.text, f.fix.unwrap()))
                .collect::<Vec<_>>()
                .join("\n")
        };
        let ours = |yaml: &str| reported(&format!("harnesses: {{codex: {{{yaml}}}}}"));
        for (yaml, meant) in [
            ("loging: {prompts: false}", "did you mean logging.prompts"),
            ("logging: {promts: false}", "did you mean logging.prompts"),
            ("endpiont: x", "did you mean endpoint"),
            ("apikey: x", "did you mean api_key"),
            ("spantree: calls", "did you mean span_tree"),
            ("nope: 1", "unknown setting harnesses.codex.nope"),
            ("backend: phoenix", "harnesses.codex.backend"),
            ("target: {phoenix: 1}", "harnesses.codex.target.phoenix"),
        ] {
            assert!(ours(yaml).contains(meant), "{yaml}: {}", ours(yaml));
        }
        for yaml in
            ["attributes: {a: {b: 1}}", "headers: {x: y}", "logging: false", "tags: [a]", "target: null"]
        {
            assert_eq!(ours(yaml), "", "{yaml}");
        }
        assert_eq!(reported("user_id: me\nother: 1\nharnesses: {claude-code: {loging: 1}}"), "");
        assert!(reported("loging: {prompts: false}").contains("did you mean logging.prompts"));
    }
}
