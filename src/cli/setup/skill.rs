//! The skill `manage-codex-tracing`, with which Codex itself sets tracing up and finds what is wrong.

use std::fs;
use std::path::{Path, PathBuf};

use crate::file;
use crate::file::replace;

/// Writes the skill into the user's skill directory and returns where.
///
/// # Errors
/// When it cannot be written, or a skill of that name is there that is not ours.
pub fn install(home: &Path) -> anyhow::Result<PathBuf> {
    let folder = folder(home);
    let path = folder.join("SKILL.md");
    if path.exists() && !is_ours(&path) {
        anyhow::bail!("{} is a different skill of the same name", path.display());
    }
    fs::create_dir_all(&folder)?;
    replace::write(&path, SKILL.as_bytes())?;
    Ok(path)
}

/// Returns where the skill lies.
pub fn folder(home: &Path) -> PathBuf {
    home.join(".agents/skills/manage-codex-tracing")
}

/// Removes a skill file that install wrote, and its directory when nothing else is in it.
pub fn remove(path: &Path) -> bool {
    if is_ours(path) && fs::remove_file(path).is_ok() {
        let _ = path.parent().map(fs::remove_dir);
        return true;
    }
    false
}

fn is_ours(path: &Path) -> bool {
    let text = file::read_bounded(path, MAX_BYTES).ok().flatten().unwrap_or_default();
    memchr::memmem::find(&text, MARK.as_bytes()).is_some()
}

const MAX_BYTES: u64 = 1024 * 1024;
const SKILL: &str = include_str!("SKILL.md");
const MARK: &str = "arize-codex";
