//! The files of the history: one for each month, named after it, and the mark that every turn of the archive is in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::layout::Paths;
use crate::otel::history_line::Line;
use crate::time::Timestamp;

/// The files of the history, the oldest month first.
pub fn months(paths: &Paths) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(paths.history()) else { return Vec::new() };
    let is_month = |name: &str| name.len() == "2026-11.jsonl".len() && name.ends_with(EXTENSION);
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_month))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// The month in which a turn began, from its id or else its first moment.
pub fn file_name(line: &Line) -> String {
    let at = Timestamp::of_uuid_v7(&line.turn).unwrap_or_else(|| line.started_at());
    let at =
        jiff::Timestamp::from_millisecond(i64::try_from(at.as_millis()).unwrap_or(0)).unwrap_or_default();
    format!("{}{EXTENSION}", at.strftime("%Y-%m"))
}

/// Returns true if turns that began at `at` or a month later can stand in a file: a turn may go on into the
/// next month.
pub fn may_hold(path: &Path, at: Timestamp) -> bool {
    let earliest = at.minus(LONGEST_TURN);
    let earliest = jiff::Timestamp::from_millisecond(i64::try_from(earliest.as_millis()).unwrap_or(0));
    let earliest = format!("{}{EXTENSION}", earliest.unwrap_or_default().strftime("%Y-%m"));
    path.file_name().is_some_and(|name| name.as_encoded_bytes() >= earliest.as_bytes())
}

/// Empty; there while every turn of the archive is in the history.
pub fn complete(paths: &Paths) -> PathBuf {
    paths.history().join("complete")
}

const EXTENSION: &str = ".jsonl";
const LONGEST_TURN: Duration = Duration::from_secs(7 * 24 * 3600);
