//! config.yaml as commands change it. The library writes no comments, so what a user wrote is kept as a copy first.

use anyhow::Context as _;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

use super::codex_config;
use super::record::SavedSettings;
use crate::context::Paths;
use crate::file;
use crate::settings::CODEX_PREFIX;
use crate::settings::document::Document;

/// Writes config.yaml and keeps a copy of the file as it was. Returns where the copy is when comments were lost.
///
/// # Errors
/// When the file cannot be read, copied or written.
pub fn save(document: &Document, paths: &Paths) -> anyhow::Result<Option<PathBuf>> {
    let old = read(paths)?;
    let has_comments =
        |text: &String| text.lines().any(|line| line.trim_start().starts_with('#') || line.contains(" #"));
    let comments = old.as_ref().is_some_and(has_comments);
    let copy = copy(old, paths)?;
    write(document, paths)?;
    Ok(copy.filter(|_| comments))
}

/// Does what [`save`] does and remembers how the file was found, for [`put_back`].
///
/// # Errors
/// When the file cannot be read, copied or written.
pub fn save_for_install(
    document: &Document,
    paths: &Paths,
    found: &mut Option<SavedSettings>,
) -> anyhow::Result<()> {
    let copy = match found {
        Some(found) => found.copy.clone(),
        None => copy(read(paths)?, paths)?,
    };
    write(document, paths)?;
    *found = Some(SavedSettings { copy, written: digest(&read(paths)?.unwrap_or_default()) });
    Ok(())
}

/// Puts config.yaml back as install found it, comments included. Returns false, and does nothing, when somebody else has
/// changed more than our own settings since.
///
/// # Errors
/// When a file cannot be read or written.
pub fn put_back(paths: &Paths, found: &SavedSettings) -> anyhow::Result<bool> {
    let Some(now) = read(paths)? else { return Ok(false) };
    let path = paths.config_yaml();
    let before = match &found.copy {
        Some(copy) => match file::read_bounded(copy, MAX_BYTES)? {
            Some(before) => Some(String::from_utf8_lossy(&before).into_owned()),
            None => return Ok(false),
        },
        None => None,
    };
    let others = |text: &str| others_of(text).map(|document| document.to_yaml().ok());
    if digest(&now) != found.written && others(&now) != others(before.as_deref().unwrap_or_default()) {
        return Ok(false);
    }
    match before {
        None => std::fs::remove_file(&path).with_context(|| path.display().to_string())?,
        Some(before) => {
            let real = std::fs::canonicalize(&path).unwrap_or(path);
            file::write_atomic(&real, before.as_bytes()).with_context(|| real.display().to_string())?;
        }
    }
    Ok(true)
}

/// Returns what a text holds beside our settings; none for one that cannot be read.
fn others_of(text: &str) -> Option<Document> {
    let mut document = Document::parse(text).ok()?;
    document.unset(CODEX_PREFIX.trim_end_matches('.'));
    if document.get("harnesses").is_some_and(|h| h.is_null() || h.as_mapping().is_some_and(|m| m.is_empty()))
    {
        document.unset("harnesses");
    }
    Some(document)
}

fn copy(text: Option<String>, paths: &Paths) -> anyhow::Result<Option<PathBuf>> {
    let copy = text.map(|text| codex_config::back_up(NAME, &text, &codex_config::backups(paths)));
    Ok(copy.transpose()?)
}

fn write(document: &Document, paths: &Paths) -> anyhow::Result<()> {
    let path = paths.config_yaml();
    document.save(&path).with_context(|| format!("cannot write {}", path.display()))
}

fn read(paths: &Paths) -> anyhow::Result<Option<String>> {
    let content = file::read_bounded(&paths.config_yaml(), MAX_BYTES)?;
    Ok(content.map(|c| String::from_utf8_lossy(&c).into_owned()))
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect()
}

const NAME: &str = "config.yaml";
const MAX_BYTES: u64 = 1024 * 1024;
