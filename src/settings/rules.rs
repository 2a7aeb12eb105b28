//! Rules: settings for some workspaces only, by the path of the directory or the address of its git remote.
//!
//! `rules` is a list in the user's or the machine's own file; a repository never brings its own. Of several rules that
//! match, the first one that sets a key wins. Rules outrank the plain settings of the file they stand in.

use serde_yml::{Mapping, Value};
use std::path::Path;

use super::document::{Document, scalar_text};
use crate::context::expand_home;
use crate::git::Repository;

/// One rule: where it applies, and what it sets.
#[derive(Debug, Clone)]
pub struct Rule {
    path: Option<glob::Pattern>,
    remote: Option<glob::Pattern>,
    pub settings: Document,
}

/// Reads the rules of a document; a rule that cannot be read becomes a problem, and withholds everywhere what it was
/// to withhold somewhere.
pub fn read(document: &Document, home: &Path, problems: &mut Vec<String>) -> Vec<Rule> {
    let lists = PATHS.iter().filter_map(|path| document.get(path));
    let mut rules = Vec::new();
    for (number, value) in lists.flat_map(items).enumerate() {
        match rule(value, home) {
            Ok(mut rule) => {
                // One outbox is delivered to one backend: a turn of another directory must not go there with it.
                for key in BACKEND.iter().filter(|key| rule.settings.unset(key)) {
                    problems.push(format!(
                        "rule {} of rules: {key} cannot differ by directory, so it is not used",
                        number + 1
                    ));
                }
                rules.push(rule);
            }
            Err(why) => {
                problems.push(format!("rule {} of rules is not used: {why}", number + 1));
                rules.extend(withholding(value));
            }
        }
    }
    rules
}

fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Sequence(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        other => vec![other],
    }
}

fn rule(value: &Value, home: &Path) -> Result<Rule, String> {
    let map = value.as_mapping().ok_or("it is not a mapping")?;
    let text =
        |name: &str| map.get(name).map(|v| scalar_text(v).ok_or(format!("{name} is not a text"))).transpose();
    let glob =
        |text: &str| glob::Pattern::new(text).map_err(|e| format!("{text} is not a pattern: {}", e.msg));
    let path =
        text("path")?.map(|p| expand_home(&p, home).to_string_lossy().trim_end_matches('/').to_owned());
    let remote = text("remote")?.map(|r| address(&r));
    if path.is_none() && remote.is_none() {
        return Err("it has neither path nor remote".to_owned());
    }
    Ok(Rule {
        path: path.map(|p| glob(&p)).transpose()?,
        remote: remote.map(|r| glob(&r)).transpose()?,
        settings: settings_of(map),
    })
}

fn settings_of(map: &Mapping) -> Document {
    let settings = map.iter().filter(|(key, _)| !matches!(key.as_str(), Some("path" | "remote" | "rules")));
    Document::of(settings.map(|(k, v)| (k.clone(), v.clone())).collect())
}

/// A rule for everywhere that records no content, in the place of one that cannot be read and was to withhold something.
fn withholding(value: &Value) -> Option<Rule> {
    let map = value.as_mapping()?;
    if !map.contains_key("logging") && !map.contains_key("trace_enabled") {
        return None;
    }
    let off = [(Value::from("logging"), Value::from(false))];
    Some(Rule { path: None, remote: None, settings: Document::of(off.into_iter().collect()) })
}

impl Rule {
    /// Returns true if the rule applies in this directory. A pattern that fits a directory fits all below it.
    pub fn applies(&self, directory: &Path, repository: &dyn Fn() -> Option<Repository>) -> bool {
        let fits = |pattern: &glob::Pattern, path: &Path| {
            path.ancestors().any(|part| pattern.matches_path_with(part, WHOLE_NAMES))
        };
        let path = self.path.as_ref().is_none_or(|pattern| {
            let real = || std::fs::canonicalize(directory).is_ok_and(|real| fits(pattern, &real));
            fits(pattern, directory) || real()
        });
        path && self.remote.as_ref().is_none_or(|pattern| {
            let remote = repository().and_then(|r| r.remote).map(|r| address(&r));
            remote.is_some_and(|remote| fits(pattern, Path::new(&remote)))
        })
    }
}

/// A remote's address as `host/path`, whichever way it is written.
fn address(remote: &str) -> String {
    let text = remote.trim();
    let (rest, has_scheme) = text.split_once("://").map_or((text, false), |(_, rest)| (rest, true));
    let rest = rest.split_once('@').filter(|(user, _)| !user.contains('/')).map_or(rest, |(_, rest)| rest);
    let rest = match rest.split_once(':') {
        // git@host:path, where no scheme says that a port follows.
        Some((host, path)) if !has_scheme && !host.contains('/') => {
            format!("{host}/{}", path.trim_start_matches('/'))
        }
        _ => rest.to_owned(),
    };
    let rest = rest.trim_end_matches('/');
    rest.strip_suffix(".git").unwrap_or(rest).to_owned()
}

const WHOLE_NAMES: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};
const PATHS: [&str; 2] = ["harnesses.codex.rules", "rules"];
/// Keys that only matter at delivery.
const BACKEND: [&str; 8] = [
    "target",
    "endpoint",
    "api_key",
    "space_id",
    "headers",
    "protocol",
    "allow_insecure",
    "max_request_bytes",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn applies(rule: &str, directory: &str, remote: Option<&str>) -> bool {
        let document = Document::parse(&format!("rules: [{{{rule}, tags: [x]}}]")).unwrap();
        let mut problems = Vec::new();
        let rules = read(&document, Path::new("/home/dev"), &mut problems);
        assert_eq!(problems, Vec::<String>::new());
        let repository =
            || remote.map(|r| Repository { remote: Some(r.to_owned()), ..Repository::default() });
        rules[0].applies(Path::new(directory), &repository)
    }

    #[test]
    fn patterns_fit_directories_and_all_below_them() {
        for (rule, directory, fits) in [
            ("path: '~/work/*'", "/home/dev/work/parser", true),
            ("path: '~/work/*'", "/home/dev/work/parser/src/lib", true),
            ("path: '~/work/*'", "/home/dev/work", false),
            ("path: '~/work/'", "/home/dev/work/parser", true),
            ("path: '/srv/**/secret'", "/srv/a/b/secret/x", true),
            ("path: '/srv/*/secret'", "/srv/a/b/secret/x", false),
            ("path: '~/work'", "/home/dev/workshop", false),
        ] {
            assert_eq!(applies(rule, directory, None), fits, "{rule} {directory}");
        }
    }

    #[test]
    fn remotes_are_compared_whichever_way_they_are_written() {
        let remotes = [
            "git@github.com:acme/secret.git",
            "https://github.com/acme/secret.git",
            "ssh://git@github.com/acme/secret",
            "https://user@github.com/acme/secret/",
        ];
        for remote in remotes {
            assert!(applies("remote: 'github.com/acme/*'", "/x", Some(remote)), "{remote}");
            assert!(applies("remote: 'git@github.com:acme/secret.git'", "/x", Some(remote)), "{remote}");
            assert!(!applies("remote: 'github.com/other/*'", "/x", Some(remote)), "{remote}");
            assert!(!applies("remote: 'github.com/acme/*', path: /y", "/x", Some(remote)), "{remote}");
        }
        assert!(!applies("remote: 'github.com/*/*'", "/x", None));
    }

    #[test]
    fn unreadable_rule_withholds_everywhere() {
        let document =
            Document::parse("rules: [{path: 'a[', logging: {prompts: false}}, {tags: [a]}, 3]").unwrap();
        let mut problems = Vec::new();
        let rules = read(&document, Path::new("/"), &mut problems);
        assert_eq!((rules.len(), problems.len()), (1, 3), "{problems:?}");
        assert!(rules[0].applies(Path::new("/anywhere"), &|| None));
    }
}
