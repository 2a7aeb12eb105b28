//! Rules: settings for some workspaces only, by the path of the directory or the address of its git remote.
//!
//! `rules` is a list in the user's or the machine's own file; a repository never brings its own. Of several rules that
//! match, the first one that sets a key wins. Rules outrank the plain settings of the file they stand in.
//!
//! A rule with `target` names a backend of its own, and names all of it: no address, key or header of another rule, of
//! the plain settings or of the environment is used with it. Turns remember the rule by its name, which is its `path`
//! and `remote`, and are delivered by what the rule says at that time.

use serde_yml::{Mapping, Value};
use std::path::Path;

use super::document::{Document, scalar_text};
use super::values::Target;
use crate::context::expand_home;
use crate::git::Repository;
use crate::platform;

/// One rule: where it applies, and what it sets.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its `path` and `remote` as they are written.
    pub name: String,
    path: Option<glob::Pattern>,
    remote: Option<glob::Pattern>,
    pub settings: Document,
    /// The backend it names, where it names one.
    pub backend: Option<Document>,
}

/// Reads the rules of a document; a rule that cannot be read becomes a problem, and withholds everywhere what it was
/// to withhold somewhere.
pub fn read(document: &Document, home: &Path, problems: &mut Vec<String>) -> Vec<Rule> {
    let lists = PATHS.iter().filter_map(|path| document.get(path));
    let mut rules = Vec::new();
    for (number, value) in lists.flat_map(items).enumerate() {
        match rule(value, home) {
            Ok(mut rule) => {
                if let Err(why) = rule.take_backend() {
                    problems.push(format!(
                        "rule {} of rules: {why}; turns there are kept until it is fixed",
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

/// Returns the names of the settings in each rule, with the rule's number.
pub fn rule_settings(document: &Document) -> Vec<(usize, String)> {
    let lists = PATHS.iter().filter_map(|path| document.get(path));
    let rules = lists.flat_map(items).enumerate().filter_map(|(n, rule)| Some((n + 1, rule.as_mapping()?)));
    let names = |(n, map): (usize, &Mapping)| {
        let settings = settings_of(map);
        settings.leaves().into_iter().map(|(name, _)| (n, name)).collect::<Vec<_>>()
    };
    rules.flat_map(names).collect()
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
    let (path, remote) = (text("path")?, text("remote")?.map(|r| address(&r)));
    let name = [("path", path.clone()), ("remote", remote.clone())];
    let name: Vec<String> = name.into_iter().filter_map(|(k, v)| Some(format!("{k} {}", v?))).collect();
    let path = path.map(|p| {
        expand_home(&p, home).to_string_lossy().trim_end_matches(std::path::is_separator).to_owned()
    });
    if path.is_none() && remote.is_none() {
        return Err("it has neither path nor remote".to_owned());
    }
    Ok(Rule {
        name: name.join(", "),
        path: path.map(|p| glob(&p)).transpose()?,
        remote: remote.map(|r| glob(&r)).transpose()?,
        settings: settings_of(map),
        backend: None,
    })
}

fn settings_of(map: &Mapping) -> Document {
    let settings = map
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), Some("path" | "remote" | "rules" | "harnesses")));
    Document::of(settings.map(|(k, v)| (k.clone(), v.clone())).collect())
}

/// A rule for everywhere in the place of one that cannot be read: it records no content where that one was to withhold
/// some, and keeps turns where that one was to send them elsewhere.
fn withholding(value: &Value) -> Option<Rule> {
    let map = value.as_mapping()?;
    let has = |name: &&str| map.contains_key(*name);
    let (content, backend) = (["logging", "trace_enabled"].iter().any(has), BACKEND.iter().any(has));
    let off = content.then(|| (Value::from("logging"), Value::from(false)));
    let settings = Document::of(off.into_iter().collect());
    let backend = backend.then(Document::default);
    let rule = Rule { name: UNDECIDED.to_owned(), path: None, remote: None, settings, backend };
    (content || rule.backend.is_some()).then_some(rule)
}

impl Rule {
    /// Moves the keys of a backend out of the settings.
    ///
    /// # Errors
    /// When they name no backend that there is. Then the rule has one nobody can deliver to, which keeps its turns from
    /// going elsewhere.
    fn take_backend(&mut self) -> Result<(), String> {
        let backend = self.settings.split_off(&BACKEND);
        let Some(first) = backend.leaves().first().map(|(key, _)| key.clone()) else { return Ok(()) };
        let target = backend.get("target").and_then(scalar_text);
        let known = target.as_deref().is_some_and(|t| Target::parse(t).is_some());
        self.backend = Some(backend);
        match (target, known) {
            (_, true) => Ok(()),
            // Its value is not repeated: somebody may have put a key there.
            (Some(_), false) => Err("target is none of phoenix, arize, otlp, local".to_owned()),
            (None, _) => Err(format!("{first} needs target beside it")),
        }
    }

    /// Returns true if the rule applies in this directory. A pattern that fits a directory fits all below it.
    pub fn applies(&self, directory: &Path, repository: &dyn Fn() -> Option<Repository>) -> bool {
        let fits = |pattern: &glob::Pattern, path: &Path| {
            path.ancestors().any(|part| pattern.matches_path_with(part, WHOLE_NAMES))
        };
        let path = self.path.as_ref().is_none_or(|pattern| {
            let real =
                || std::fs::canonicalize(directory).is_ok_and(|real| fits(pattern, &platform::plain(real)));
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

/// Name of the rule of turns whose rules could not be read. What holds is decided when they are delivered.
pub const UNDECIDED: &str = "?";
const WHOLE_NAMES: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: platform::PATHS_HAVE_CASE,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};
const PATHS: [&str; 2] = ["harnesses.codex.rules", "rules"];
/// Keys that say where and how turns are delivered.
pub const BACKEND: [&str; 9] = [
    "target",
    "endpoint",
    "api_key",
    "space_id",
    "headers",
    "protocol",
    "allow_insecure",
    "max_request_bytes",
    "semantic_conventions",
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

    #[cfg(windows)]
    #[test]
    fn windows_paths_fit_in_any_spelling() {
        for (rule, directory, fits) in [
            (r"path: 'C:\work\'", r"C:\work", true),
            (r"path: 'C:\work'", r"c:\WORK\client", true),
            ("path: 'c:/work/*'", r"C:\work\client", true),
            (r"path: 'C:\work'", r"C:\workshop", false),
            (r"path: 'C:\work'", r"D:\work", false),
        ] {
            assert_eq!(applies(rule, directory, None), fits, "{rule} {directory}");
        }
        let folder = tempfile::tempdir().unwrap();
        let pattern = platform::plain(std::fs::canonicalize(folder.path()).unwrap());
        let rule = format!("path: '{}'", pattern.parent().unwrap().display());
        assert!(applies(&rule, &format!(r"\\?\{}", pattern.display()), None), "{rule}");
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
