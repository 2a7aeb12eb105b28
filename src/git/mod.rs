//! The state of a git repository: branch, commit, remote and cleanliness from bounded reads of `.git`. Git itself is
//! never run: the repository may be a stranger's.

mod index;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::file;

/// Facts read from a repository; all `None` outside of one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Repository {
    pub branch: Option<String>,
    pub commit: Option<String>,
    /// The address of `origin`, or of the only remote, without credentials.
    pub remote: Option<String>,
}

/// Reads the repository `directory` lies in.
pub fn read(folder: &Path) -> Option<Repository> {
    let (git, _) = git_folder(folder)?;
    let common = common_folder(&git);
    let head = read_text(&git.join("HEAD"))?;
    let head = head.lines().next().unwrap_or_default();
    let mut repository = Repository { remote: remote(&common), ..Repository::default() };
    match head.trim().strip_prefix("ref: ") {
        Some(reference) => {
            let branch = reference.strip_prefix("refs/heads/").filter(|b| b.len() <= MAX_NAME_BYTES);
            repository.branch = branch.map(str::to_owned);
            repository.commit = resolve(&git, &common, reference);
        }
        None => repository.commit = Some(head.trim().to_owned()).filter(|c| is_hash(c)),
    }
    Some(repository)
}

/// Returns true if tracked files were changed since git last looked; none when that cannot be found out within
/// `patience`. Run it where nobody waits: it looks at every tracked file.
pub fn is_dirty(folder: &Path, patience: Duration) -> Option<bool> {
    let (git, root) = git_folder(folder)?;
    let config = read_text(&common_folder(&git).join("config"))?;
    let names_worktree = |l: &str| {
        l.trim_start().strip_prefix("worktree").is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let elsewhere = config.lines().any(names_worktree);
    if elsewhere { None } else { index::is_dirty(&git, &root, patience) }
}

/// A remote's address without user name and password.
pub fn without_credentials(address: &str) -> String {
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let authority = rest.split('/').next().unwrap_or_default();
            // A password may hold a slash, where it is no address by the book: then what follows the colon is no port.
            let port = authority.rsplit_once(':').map(|(_, port)| port);
            let odd = port.is_some_and(|port| !port.bytes().all(|b| b.is_ascii_digit()));
            let rest = match rest.rsplit_once('@') {
                Some((_, after)) if odd && !authority.contains(['@', '[']) => after,
                _ => rest,
            };
            let (host, path) = rest.split_once('/').map_or((rest, None), |(h, p)| (h, Some(p)));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            let path = path.map(|p| format!("/{p}")).unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => address.to_owned(),
    }
}

/// The directory of the repository that a directory lies in.
pub fn root(folder: &Path) -> Option<PathBuf> {
    git_folder(folder).map(|(_, root)| root)
}

/// The e-mail address git would put into a commit made in this directory: the repository's own, else the user's.
pub fn user_email(folder: Option<&Path>, home: &Path) -> Option<String> {
    let own = folder.and_then(git_folder).map(|(git, _)| common_folder(&git).join("config"));
    let files = own.into_iter().chain([home.join(".gitconfig"), home.join(".config/git/config")]);
    files.into_iter().find_map(|path| email_in(&read_text(&path)?))
}

fn email_in(config: &str) -> Option<String> {
    let mut in_user = false;
    for line in config.lines().map(str::trim) {
        if line.starts_with('[') {
            in_user = line.eq_ignore_ascii_case("[user]");
        } else if let Some(value) = line.strip_prefix("email").and_then(|l| l.trim_start().strip_prefix('='))
            && in_user
        {
            let value = value.split(['#', ';']).next().unwrap_or_default().trim().trim_matches('"');
            return Some(value.to_owned()).filter(|v| !v.is_empty() && v.len() <= MAX_NAME_BYTES);
        }
    }
    None
}

/// The directory git keeps its data in, and the root of the files it tracks.
fn git_folder(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let root = folder.ancestors().take(MAX_DEPTH).find(|f| f.is_absolute() && f.join(".git").exists())?;
    let found = root.join(".git");
    if found.is_dir() {
        return Some((found, root.to_owned()));
    }
    // A worktree or submodule: a file that names the real directory.
    let text = read_text(&found)?;
    let target = text.trim().strip_prefix("gitdir: ")?;
    Some((root.join(target), root.to_owned()))
}

fn common_folder(git: &Path) -> PathBuf {
    read_text(&git.join("commondir")).map_or_else(|| git.to_owned(), |text| git.join(text.trim()))
}

fn resolve(git: &Path, common: &Path, reference: &str) -> Option<String> {
    if !reference.starts_with("refs/") || reference.split('/').any(|part| part == "..") {
        return None;
    }
    let loose = [git, common].into_iter().find_map(|folder| read_text(&folder.join(reference)));
    let packed = || {
        let text = read_text(&common.join("packed-refs"))?;
        text.lines()
            .find_map(|l| l.split_once(' ').filter(|(_, r)| *r == reference).map(|(h, _)| h.to_owned()))
    };
    loose.map(|t| t.trim().to_owned()).or_else(packed).filter(|c| is_hash(c))
}

fn remote(common: &Path) -> Option<String> {
    let config = read_text(&common.join("config"))?;
    let mut section = "";
    let mut first = None;
    for line in config.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if let Some(url) = line.strip_prefix("url").and_then(|l| l.trim_start().strip_prefix('=')) {
            let url = url.trim();
            if url.len() > MAX_NAME_BYTES {
                continue;
            }
            if section == "[remote \"origin\"]" {
                return Some(without_credentials(url));
            }
            if section.starts_with("[remote ") {
                first.get_or_insert_with(|| without_credentials(url));
            }
        }
    }
    first
}

fn is_hash(text: &str) -> bool {
    (40..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn read_text(path: &Path) -> Option<String> {
    let content = file::read_bounded(path, MAX_FILE_BYTES).ok()??;
    String::from_utf8(content).ok()
}

const MAX_DEPTH: usize = 64;
/// No branch or address that means something is longer.
const MAX_NAME_BYTES: usize = 2048;
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn git(folder: &Path, args: &[&str]) {
        let run = std::process::Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"])
            .args(args)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(run.status.success(), "{args:?}");
    }

    #[test]
    fn git_is_read_in_subdirectory_and_worktree() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repo");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        assert_eq!(read(&root), None);
        git(&root, &["init", "-q"]);
        std::fs::write(root.join("a"), "1").unwrap();
        git(&root, &["add", "."]);
        git(&root, &["commit", "-qm", "x"]);
        git(&root, &["remote", "add", "origin", "https://user:secret@example.org/a/b.git"]);
        let found = read(&root.join("sub")).unwrap();
        assert_eq!(found.branch.as_deref(), Some("main"));
        assert_eq!(found.remote.as_deref(), Some("https://example.org/a/b.git"));
        assert!(found.commit.is_some());
        let patience = Duration::from_secs(20);
        assert_ne!(is_dirty(&root, patience), Some(true));
        std::fs::write(root.join("a"), "12").unwrap();
        assert_eq!(is_dirty(&root.join("sub"), patience), Some(true));
        git(&root, &["add", "."]);
        assert_eq!(is_dirty(&root, patience), Some(true), "staged");
        git(&root, &["commit", "-qm", "y"]);
        assert_ne!(is_dirty(&root, patience), Some(true));
        std::fs::remove_file(root.join("a")).unwrap();
        assert_eq!(is_dirty(&root, patience), Some(true), "deleted");
        git(&root, &["checkout", "-q", "a"]);
        let found = read(&root).unwrap();
        git(&root, &["worktree", "add", "-q", "../tree"]);
        git(&root, &["pack-refs", "--all"]);
        let tree = read(&folder.path().join("tree")).unwrap();
        assert_eq!((tree.branch.as_deref(), tree.commit), (Some("tree"), found.commit));
        assert_eq!(is_dirty(folder.path(), patience), None);
    }

    #[test]
    fn a_strangers_repository_runs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (root, ran) = (folder.path().join("repo"), folder.path().join("ran"));
        std::fs::create_dir_all(&root).unwrap();
        git(&root, &["init", "-q"]);
        std::fs::write(root.join("a"), "1").unwrap();
        git(&root, &["add", "."]);
        git(&root, &["commit", "-qm", "x"]);
        let command = format!("touch {}", ran.display());
        for key in ["core.fsmonitor", "filter.x.clean", "core.sshCommand", "core.pager", "diff.external"] {
            git(&root, &["config", key, &command]);
        }
        std::fs::write(root.join(".gitattributes"), "* filter=x\n").unwrap();
        std::fs::write(root.join("a"), "2").unwrap();
        assert!(read(&root).is_some());
        is_dirty(&root, Duration::from_secs(5));
        assert!(!ran.exists());
    }

    #[test]
    fn addresses_without_credentials_stay() {
        for (address, want) in [
            ("https://token@github.com/a/b", "https://github.com/a/b"),
            ("https://u:p%40@host:8443/a@b", "https://host:8443/a@b"),
            ("https://u:pa/ss@host/a", "https://host/a"),
            ("https://[::1]/@a", "https://[::1]/@a"),
            ("git@github.com:a/b.git", "git@github.com:a/b.git"),
            ("ssh://git@host/a", "ssh://host/a"),
            ("/srv/git/a", "/srv/git/a"),
        ] {
            assert_eq!(without_credentials(address), want);
        }
    }
}
