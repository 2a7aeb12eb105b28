//! Documents against the tree: what they cite is there, and nothing points out of the repository.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn cited_files_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    for (path, text) in documents(root) {
        for cited in text.split(|c: char| c.is_whitespace() || "`()[]\"'<>,;".contains(c)).filter_map(cited) {
            let beside = path.parent().unwrap().join(cited);
            let found =
                [root.join(cited), root.join("src").join(cited), root.join("tests").join(cited), beside];
            if !found.iter().any(|file| file.exists()) {
                missing.push(format!("{} cites {cited}", path.strip_prefix(root).unwrap().display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The path in a word that names a file of this repository: one of its top directories, then a name.
fn cited(word: &str) -> Option<&str> {
    let word = word.trim_end_matches(['.', ':', '/', '|']).split('#').next()?;
    let first = word.split('/').next()?;
    let ours = ["src", "tests", "fixtures", ".github", ".ci", ".agents", "shared"].contains(&first);
    let pattern = word.contains(['*', '{', '$', '…', '=']) || word.split('/').any(is_placeholder);
    (ours && word.contains('/') && !pattern).then_some(word)
}

/// Names in capitals stand for what a user puts there.
fn is_placeholder(part: &str) -> bool {
    let part = part.split('.').next().unwrap_or(part);
    let letters = || part.chars().filter(|c| c.is_alphabetic());
    part.contains("RELEASE") || letters().count() > 1 && letters().all(char::is_uppercase) && part != "README"
}

/// Markdown, and the comments of sources and scripts.
fn documents(root: &Path) -> Vec<(PathBuf, String)> {
    let mut found = vec![root.join("README.md"), root.join("install.sh")];
    for directory in ["src", "tests", ".github", ".ci", ".agents"] {
        collect(&root.join(directory), &mut found);
    }
    found.push(root.join("fixtures/README.md"));
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).ok()?;
        let markdown = path.extension().is_some_and(|e| e == "md");
        let comment = |line: &&str| {
            markdown || line.trim_start().starts_with("//") || line.trim_start().starts_with('#')
        };
        Some((path, text.lines().filter(comment).collect::<Vec<_>>().join("\n")))
    };
    found.into_iter().filter_map(read).collect()
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let skipped = ["target", "node_modules", "pictures", "configs"].iter().any(|s| name == *s);
        match path.is_dir() {
            true if !skipped => collect(&path, found),
            false => found.push(path),
            true => {}
        }
    }
}
