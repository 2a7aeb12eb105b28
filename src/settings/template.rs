//! Templates in `project_name` and `user_id`: `{workspace}`, `{branch}`, `{os_user}`, `{git_email}`.

use std::path::Path;

use crate::git;

/// Returns true if a text holds something to fill.
pub fn is_template(text: &str) -> bool {
    NAMES.iter().any(|name| text.contains(name))
}

/// Fills a text for a directory. What is not known there becomes nothing; a text that holds nothing else then is `None`.
pub fn fill(text: &str, directory: Option<&Path>, home: &Path, os_user: Option<&str>) -> Option<String> {
    let repository = || directory.and_then(git::read);
    let mut out = text.to_owned();
    for name in NAMES.into_iter().filter(|name| text.contains(name)) {
        let value = match name {
            WORKSPACE => directory
                .map(|d| git::root(d).unwrap_or_else(|| d.to_owned()))
                .and_then(|root| Some(root.file_name()?.to_string_lossy().into_owned())),
            BRANCH => repository().and_then(|r| r.branch),
            OS_USER => os_user.map(str::to_owned),
            _ => git::user_email(directory, home),
        };
        // Half of an address says nothing, and a name with a blank in its place would be another name.
        out = out.replace(name, value.as_deref().unwrap_or_default());
    }
    let out = out.trim_matches(|c: char| c.is_whitespace() || matches!(c, '/' | '-' | '_' | ':' | '.'));
    (!out.is_empty()).then(|| out.to_owned())
}

const WORKSPACE: &str = "{workspace}";
const BRANCH: &str = "{branch}";
const OS_USER: &str = "{os_user}";
const GIT_EMAIL: &str = "{git_email}";
const NAMES: [&str; 4] = [WORKSPACE, BRANCH, OS_USER, GIT_EMAIL];

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn names_are_filled_from_the_workspace() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("parser");
        fs::create_dir_all(root.join(".git/refs")).unwrap();
        fs::create_dir_all(root.join("src")).unwrap();
        fs::write(root.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        fs::write(
            home.path().join(".gitconfig"),
            "[core]\n\teditor = vi\n[user]\n\tname = D\n\temail = d@example.org\n",
        )
        .unwrap();
        let fill = |text: &str| fill(text, Some(&root.join("src")), home.path(), Some("dev"));
        for (text, filled) in [
            ("codex", "codex"),
            ("{workspace}", "parser"),
            ("codex-{workspace}-{branch}", "codex-parser-main"),
            ("{os_user}@{workspace}", "dev@parser"),
            ("{git_email}", "d@example.org"),
            ("{unknown}", "{unknown}"),
        ] {
            assert_eq!(fill(text).as_deref(), Some(filled), "{text}");
        }
        fs::write(root.join(".git/config"), "[user]\nemail = \"work@example.org\"\n").unwrap();
        assert_eq!(fill("{git_email}").as_deref(), Some("work@example.org"));
        assert_eq!(super::fill("{workspace}", None, home.path(), None), None);
        assert_eq!(super::fill("codex-{branch}", None, home.path(), None).as_deref(), Some("codex"));
    }
}
