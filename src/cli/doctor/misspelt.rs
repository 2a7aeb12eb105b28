//! Settings in config.yaml that nothing reads, most of them misspelt: what they were to do is not done.

use super::Finding;
use crate::settings::document::Document;
use crate::settings::{CODEX_PREFIX, keys};

/// One finding for each setting of ours that does not exist. At the top level, which is everybody's, only a name close
/// to one of ours counts.
pub fn check(document: &Document) -> Vec<Finding> {
    let leaves = document.leaves();
    let unknown = leaves.iter().filter_map(|(path, _)| {
        let name = path.strip_prefix(CODEX_PREFIX);
        if is_known(name.unwrap_or(path)) || path.starts_with(HARNESSES) && name.is_none() {
            return None;
        }
        let meant = nearest(name.unwrap_or(path));
        let fix = match meant {
            Some(meant) => format!("is {meant} meant? `arize-codex config unset {path}` removes it"),
            None if name.is_some() => format!("`arize-codex config unset {path}` removes it"),
            None => return None,
        };
        Some(Finding::warning("settings", format!("no setting is called {path}, so it does nothing"), fix))
    });
    unknown.collect()
}

/// Returns true if a setting has this name, holds what has it, or groups settings that do.
fn is_known(name: &str) -> bool {
    let inside = |whole: &str, part: &str| part.strip_prefix(whole).is_some_and(|rest| rest.starts_with('.'));
    let maps = ["attributes", "headers"];
    keys::KEYS
        .iter()
        .any(|k| k.name == name || inside(name, k.name) || maps.contains(&k.name) && inside(k.name, name))
}

/// The setting whose name takes the fewest changes of a letter, when they are few.
fn nearest(name: &str) -> Option<&'static str> {
    let all = keys::KEYS.iter().map(|key| (distance(name, key.name), key.name));
    all.min().filter(|(changes, meant)| *changes <= 1 + meant.len() / 6).map(|(_, meant)| meant)
}

/// Returns how many letters must be added, taken away or replaced to make one word of another (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().take(MAX_NAME).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, match_with) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *match_with);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

/// Prefix of the settings of each tool.
const HARNESSES: &str = "harnesses.";
/// Longer than any name.
const MAX_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_setting_names_nearest() {
        let told = |yaml: &str| {
            let findings = check(&Document::parse(yaml).unwrap());
            findings
                .into_iter()
                .map(|f| format!("{} → {}", f.text, f.fix.unwrap()))
                .collect::<Vec<_>>()
                .join("\n")
        };
        let ours = |yaml: &str| told(&format!("harnesses: {{codex: {{{yaml}}}}}"));
        for (yaml, meant) in [
            ("loging: {prompts: false}", "is logging.prompts meant"),
            ("logging: {promts: false}", "is logging.prompts meant"),
            ("endpiont: x", "is endpoint meant"),
            ("apikey: x", "is api_key meant"),
            ("spantree: calls", "is span_tree meant"),
            ("nope: 1", "no setting is called harnesses.codex.nope"),
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
        assert_eq!(told("user_id: me\nother: 1\nharnesses: {claude-code: {loging: 1}}"), "");
        assert!(told("loging: {prompts: false}").contains("is logging.prompts meant"));
    }
}
