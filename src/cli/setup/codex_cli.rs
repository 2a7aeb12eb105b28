//! The Codex on this machine: where it is, its version, its profiles, and what an administrator decreed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use toml_edit::{Document, Item};

use crate::codex::events::Version;
use crate::context::Context;
use crate::{file, platform};

/// Finds `codex` on the PATH.
pub fn find(context: &Context) -> Option<PathBuf> {
    let path = context.var("PATH")?;
    let names = |folder: PathBuf| platform::CODEX_NAMES.iter().map(move |name| folder.join(name));
    std::env::split_paths(&path).flat_map(names).find(|p| p.is_file())
}

/// Asks a Codex for its version, and waits a few seconds at most.
pub fn version(codex: &Path) -> Option<Version> {
    let mut child = Command::new(codex)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let deadline = Instant::now() + Duration::from_secs(5);
    while child.try_wait().ok()?.is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().ok()?;
    Version::parse(&String::from_utf8_lossy(&output.stdout))
}

/// A `<name>.config.toml` beside config.toml, used by `codex --profile name`.
#[derive(Debug)]
pub struct Profile {
    pub name: String,
    /// Problems that keep our hooks or notify from being called.
    pub problems: Vec<String>,
}

/// The profiles of a Codex home.
pub fn profiles(codex_home: &Path) -> Vec<Profile> {
    let Ok(entries) = std::fs::read_dir(codex_home) else { return Vec::new() };
    let mut found: Vec<Profile> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().to_str()?.strip_suffix(".config.toml")?.to_owned();
            let text = read_text(&entry.path())?;
            Some(Profile { name, problems: problems_in(&text) })
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The text of a configuration of Codex; none when there is none, or none that could be one.
pub fn read_text(path: &Path) -> Option<String> {
    String::from_utf8(file::read_bounded(path, MAX_BYTES).ok()??).ok()
}

fn problems_in(text: &str) -> Vec<String> {
    let Ok(document) = Document::parse(text) else { return vec!["it is not valid TOML".to_owned()] };
    let mut problems = Vec::new();
    if hooks_switched_off(document.as_item()) {
        problems.push("it turns hooks off (features.hooks = false)".to_owned());
    }
    let notify = document.get("notify").and_then(|n| n.get(0)).and_then(Item::as_str);
    if notify.is_some_and(|program| !crate::codex::hooks_config::is_notify(program)) {
        problems.push("it sets its own notify program, so ours is not called".to_owned());
    }
    problems
}

/// Returns true if a configuration switches hooks off, by the name of today or the one of before.
pub fn hooks_switched_off(root: &Item) -> bool {
    let features = root.get("features");
    ["hooks", "codex_hooks"]
        .iter()
        .any(|name| features.and_then(|f| f.get(name)).and_then(Item::as_bool) == Some(false))
}

/// Returns true if a config.toml says that Codex trusts a project.
pub fn trusts_project(config: &str, root: &Path) -> bool {
    let Ok(document) = Document::parse(config) else { return false };
    let projects = document.get("projects").and_then(Item::as_table_like);
    let name = root.to_string_lossy();
    let level = projects.and_then(|p| p.get(&name)?.get("trust_level")?.as_str());
    level == Some("trusted")
}

/// What an administrator decrees for Codex on this machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Requirements {
    /// The file it stands in.
    pub place: String,
    /// In the form of requirements.toml.
    pub text: String,
}

/// Reads what the administrator and the device management have laid down.
pub fn requirements() -> Vec<Requirements> {
    let path = platform::codex_requirements();
    let file = read_text(&path).map(|text| Requirements { place: path.display().to_string(), text });
    let managed = platform::codex_preferences();
    let managed = managed.and_then(|(place, value)| Some(Requirements { place, text: from_base64(&value)? }));
    file.into_iter().chain(managed).collect()
}

fn from_base64(value: &str) -> Option<String> {
    let value: Vec<u8> = value.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(value).ok()?).ok()
}

/// Returns what requirements say against hooks of ours.
pub fn decreed(requirements: &str) -> Option<String> {
    let document = Document::parse(requirements).ok()?;
    if document.get("allow_managed_hooks_only").and_then(Item::as_bool) == Some(true) {
        return Some("only the administrator's own hooks run (allow_managed_hooks_only)".to_owned());
    }
    hooks_switched_off(document.as_item()).then(|| "the administrator has switched hooks off".to_owned())
}

/// More than any configuration a user writes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decree_of_device_management_is_decoded() {
        let text = from_base64("W2ZlYXR1cmVzXQpob29rcyA9IGZh\nbHNlCg==\n").unwrap();
        assert_eq!(text, "[features]\nhooks = false\n");
        assert!(decreed(&text).unwrap().contains("switched hooks off"));
        assert!(decreed("allow_managed_hooks_only = true").unwrap().contains("own hooks"));
        assert_eq!(decreed(""), None);
        assert_eq!(from_base64("no base64"), None);
    }

    #[test]
    fn a_profile_that_silences_us_is_named() {
        assert_eq!(problems_in("model = \"x\"\n[features]\nhooks = true\n"), Vec::<String>::new());
        assert_eq!(problems_in("features.codex_hooks = false\nnotify = [\"bell\"]\n").len(), 2);
    }
}
