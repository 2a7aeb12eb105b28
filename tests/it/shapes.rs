//! The recordings against the catalogue of published rollouts: each kind of line, key and value that no recording has is
//! listed in `tests/lab/shapes-accepted.tsv`, with the reason why it is harmless.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
#[ignore = "needs python3"]
fn recordings_hold_what_published_rollouts_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("fixtures"), &mut files);
    assert!(files.len() > 200, "{}", files.len());
    let output = Command::new("python3")
        .arg(root.join("tests/lab/shapes.py"))
        .arg("--compare")
        .arg(root.join("fixtures/rollout-shapes.json"))
        .args(&files)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = String::from_utf8(output.stdout).unwrap();
    let missing: Vec<&str> = output.lines().filter_map(|line| line.strip_prefix("- ")).collect();
    let accepted = std::fs::read_to_string(root.join("tests/lab/shapes-accepted.tsv")).unwrap();
    let accepted: Vec<(&str, &str)> = accepted.lines().filter_map(|line| line.split_once('\t')).collect();
    assert!(accepted.iter().all(|(_, reason)| !reason.trim().is_empty()));
    let unlisted: Vec<_> =
        missing.iter().filter(|line| !accepted.iter().any(|(known, _)| line.starts_with(known))).collect();
    assert!(
        unlisted.is_empty(),
        "no recording has, and nobody has said why that is harmless:\n{unlisted:#?}"
    );
    let unneeded: BTreeSet<_> =
        accepted.iter().filter(|(known, _)| !missing.iter().any(|line| line.starts_with(known))).collect();
    assert!(unneeded.is_empty(), "recorded by now: {unneeded:#?}");
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        let is_rollout =
            || path.extension().is_some_and(|e| e == "jsonl") && entry.file_name() != "events.jsonl";
        if path.is_dir() {
            collect(&path, found);
        } else if is_rollout() {
            found.push(path);
        }
    }
    found.sort();
}
