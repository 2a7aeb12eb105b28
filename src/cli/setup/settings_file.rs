//! config.yaml as commands change it. The library writes no comments, so what a user wrote is kept as a copy first.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

use super::codex_config;
use crate::context::Paths;
use crate::file;
use crate::settings::document::Document;

/// State of config.yaml before and after install.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The copy of the file; none where there was no file.
    copy: Option<PathBuf>,
    /// A digest of what was written in its place.
    written: String,
}

/// Writes config.yaml. A file with comments is copied first; returns where the copy is.
///
/// # Errors
/// When the file cannot be read, copied or written.
pub fn save(document: &Document, paths: &Paths) -> anyhow::Result<Option<PathBuf>> {
    let old = read(paths)?
        .filter(|text| text.lines().any(|line| line.trim_start().starts_with('#') || line.contains(" #")));
    let copy = copy(old, paths)?;
    write(document, paths)?;
    Ok(copy)
}

/// Does what [`save`] does and remembers how the file was found, for [`put_back`].
///
/// # Errors
/// When the file cannot be read, copied or written.
pub fn save_for_install(document: &Document, paths: &Paths, found: &mut Option<Found>) -> anyhow::Result<()> {
    let copy = match found {
        Some(found) => found.copy.clone(),
        None => copy(read(paths)?, paths)?,
    };
    write(document, paths)?;
    *found = Some(Found { copy, written: digest(&read(paths)?.unwrap_or_default()) });
    Ok(())
}

/// Puts config.yaml back as install found it. Returns false, and does nothing, when it was changed since.
///
/// # Errors
/// When a file cannot be read or written.
pub fn put_back(paths: &Paths, found: &Found) -> anyhow::Result<bool> {
    if read(paths)?.is_none_or(|text| digest(&text) != found.written) {
        return Ok(false);
    }
    let path = paths.config_yaml();
    let Some(copy) = &found.copy else {
        std::fs::remove_file(&path).with_context(|| path.display().to_string())?;
        return Ok(true);
    };
    let Some(before) = file::read_bounded(copy, MAX_BYTES)? else { return Ok(false) };
    let real = std::fs::canonicalize(&path).unwrap_or(path);
    file::write_atomic(&real, &before).with_context(|| real.display().to_string())?;
    Ok(true)
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
