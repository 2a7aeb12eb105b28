//! Closing a turn under its thread's lock: three steps, after each of which a killed process loses nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::context::Paths;
use crate::file;
use crate::layout::{RECORD, ROWS, TRIED};
use crate::otel::entry::EntryKey;
use crate::settings::Settings;
use crate::time::Timestamp;
use crate::turn::closed::{Closing, Reason};
use crate::turn::state::{LockedState, StateError, ThreadState};

/// Closes the open turn of a thread, if it has one, and writes the state without it.
///
/// First the rows move, then the record of the turn is written, then the state forgets the turn. A process killed
/// after the first step is followed by one that closes the turn again and finds the rows where they are; killed
/// after the second, by one that assembles the turn and another that closes it once more, which the outbox ignores.
///
/// # Errors
/// When the state or the record cannot be written; the turn is then still open.
pub fn close_turn(
    paths: &Paths,
    settings: &Settings,
    locked: &LockedState,
    state: &mut ThreadState,
    reason: Reason,
    at: Timestamp,
) -> Result<bool, StateError> {
    let profile = &settings.in_directory(state.session.cwd.as_deref()).profile;
    let Some(mut closing) = Closing::of(state, reason, at, profile) else { return Ok(false) };
    let rollout = closing.session.transcript_path.as_deref();
    let rollout_bytes = rollout.and_then(|p| fs::metadata(p).ok()).map(|m| m.len());
    // A review's hooks name its own rollout, whose length says nothing of the session's.
    let own = rollout.is_some_and(|p| p.contains(closing.thread.as_str()));
    closing.rollout_bytes = rollout_bytes;
    closing.rollout_to = rollout_bytes.filter(|_| reason == Reason::Stop);
    write(paths, &closing, Some(locked.rows()))?;
    let may_go_on = matches!(closing.reason, Reason::Idle | Reason::Orphaned);
    state.remember_closed(&closing.turn, rollout_bytes, may_go_on);
    state.seen_to = if own { rollout_bytes } else { state.seen_to };
    state.turn = None;
    locked.write(state)?;
    Ok(true)
}

/// Leaves a turn to be assembled, with its rows if it has any.
///
/// # Errors
/// When it cannot be written.
pub fn write(paths: &Paths, closing: &Closing, rows: Option<&Path>) -> Result<(), StateError> {
    let folder = paths.closing();
    let record = record_path(paths, &key_of(closing));
    let failed = |error| StateError::Io(file::named(&record, error));
    file::create_private_dir(&folder).map_err(failed)?;
    if let Some(rows) = rows {
        move_rows(rows, &record.with_extension(ROWS)).map_err(failed)?;
    }
    // A record holds strings and numbers only, which always serialise.
    let json = serde_json::to_vec(closing).unwrap_or_default();
    file::write_atomic(&record, &json).map_err(failed)
}

/// Moves rows, behind those that an earlier attempt moved already.
fn move_rows(from: &Path, to: &Path) -> io::Result<()> {
    if !to.exists() {
        return match fs::rename(from, to) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
    }
    match file::open_regular(from) {
        Ok(mut rows) => {
            io::copy(&mut rows, &mut file::private_options().append(true).open(to)?)?;
            fs::remove_file(from)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// The records of closed turns, oldest turn first.
pub fn list(paths: &Paths) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(paths.closing()) else { return Vec::new() };
    let records = entries.flatten().map(|e| e.path());
    let mut records: Vec<PathBuf> = records.filter(|p| is_record(p)).collect();
    records.sort();
    records
}

/// Returns true if any turn waits to be assembled.
pub fn any_closed(paths: &Paths) -> bool {
    fs::read_dir(paths.closing()).is_ok_and(|entries| entries.flatten().any(|e| is_record(&e.path())))
}

/// Returns how often a turn was begun to be assembled, and not done: the length of a file beside its record.
pub(super) fn attempts(record: &Path) -> u64 {
    fs::metadata(record.with_extension(TRIED)).map_or(0, |m| m.len())
}

pub(super) fn note_attempt(record: &Path) {
    // Where nothing can be written the turn cannot be assembled either, and that error is reported.
    let _ = file::append_line(&record.with_extension(TRIED), b"\n");
}

pub(super) fn forget_attempts(record: &Path) {
    let _ = fs::remove_file(record.with_extension(TRIED));
}

/// Deletes rows whose record could never be written and whose thread no longer knows the turn: what a full disk
/// leaves behind.
pub(super) fn remove_orphaned_rows(paths: &Paths, idle: Duration) {
    file::remove_older(&paths.closing(), idle, |path| {
        let ours = path.extension().is_some_and(|e| e == ROWS || e == TRIED);
        ours && !path.with_extension(RECORD).exists()
    });
}

fn is_record(path: &Path) -> bool {
    let temporary = path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
    !temporary && path.extension().is_some_and(|e| e == RECORD)
}

/// Returns what identifies the entry a closed turn will become.
pub fn key_of(closing: &Closing) -> EntryKey {
    EntryKey { turn: closing.turn.id.clone(), thread: closing.thread.clone(), part: closing.turn.part }
}

fn record_path(paths: &Paths, key: &EntryKey) -> PathBuf {
    paths.closing().join(format!("{}.{}.{}.{RECORD}", key.turn, key.thread, key.part))
}
