//! What a backend has taken only a part of: a note beside the turns that were set aside, with the backend's words, for as
//! long as the turn is in the archive.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::context::Paths;
use crate::file;
use crate::otel::entry::EntryKey;

/// Notes that a delivered turn arrived in part.
///
/// # Errors
/// When the note cannot be written.
pub fn note(paths: &Paths, key: &EntryKey, why: &str) -> io::Result<()> {
    file::create_private_dir(&paths.rejected())?;
    file::write_atomic(&path(paths, key), why.as_bytes())
}

/// Forgets the note: the turn is sent anew.
pub fn forget(paths: &Paths, key: &EntryKey) {
    let _ = fs::remove_file(path(paths, key));
}

/// Returns what is noted of a turn; `None` when it arrived whole.
pub fn why(paths: &Paths, key: &EntryKey) -> Option<String> {
    let content = file::read_bounded(&path(paths, key), MAX_BYTES).ok()??;
    Some(String::from_utf8_lossy(&content).into_owned())
}

/// The names of the entries that something is noted of.
pub fn names(paths: &Paths) -> HashSet<String> {
    let entries = fs::read_dir(paths.rejected()).into_iter().flatten().flatten();
    entries.filter_map(|e| Some(e.file_name().to_str()?.strip_suffix(SUFFIX)?.to_owned())).collect()
}

fn path(paths: &Paths, key: &EntryKey) -> PathBuf {
    paths.rejected().join(format!("{}{SUFFIX}", key.file_name()))
}

const SUFFIX: &str = ".part";
const MAX_BYTES: u64 = 64 * 1024;
