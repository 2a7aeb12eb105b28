//! `acknowledged`: the turns of one request that the backend has acknowledged and that are not all moved yet. Written
//! before the first of them moves, so that a process killed among the renames repeats none of them.

use std::fs;
use std::io;

use crate::context::Paths;
use crate::delivery::outbox;
use crate::file;
use crate::otel::entry::EntryKey;

/// Notes turns that are acknowledged, before the first of them moves.
///
/// # Errors
/// When the file cannot be written; a kill among the renames then repeats turns.
pub fn note(paths: &Paths, keys: &[EntryKey]) -> io::Result<()> {
    let names: Vec<String> = keys.iter().map(EntryKey::file_name).collect();
    file::write_atomic(&paths.acknowledged(), names.join("\n").as_bytes())
}

/// Forgets them: all have moved.
pub fn forget(paths: &Paths) {
    let _ = fs::remove_file(paths.acknowledged());
}

/// Moves what a killed process has left; before anything is sent, and before a turn comes back into the outbox.
pub fn recover(paths: &Paths) {
    let Ok(Some(content)) = file::read_bounded(&paths.acknowledged(), MAX_BYTES) else { return };
    let content = String::from_utf8_lossy(&content);
    for key in content.lines().filter_map(EntryKey::from_file_name) {
        if outbox::waiting(paths, &key).exists() && outbox::move_to_sent(paths, &key).is_err() {
            return;
        }
    }
    forget(paths);
}

const MAX_BYTES: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otel::testing;

    #[test]
    fn killed_among_renames_repeats_no_turn() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        for turn in ["turn-1", "turn-2", "turn-3"] {
            outbox::put(&paths, &testing::entry(turn, 1)).unwrap();
        }
        let keys = outbox::list(&paths);
        note(&paths, &keys[..2]).unwrap();
        outbox::move_to_sent(&paths, &keys[0]).unwrap();
        recover(&paths);
        assert_eq!(outbox::list(&paths), keys[2..]);
        assert!(!paths.acknowledged().exists());
    }

    #[test]
    fn turn_that_comes_back_is_sent_again() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        outbox::put(&paths, &testing::entry("turn-1", 1)).unwrap();
        let keys = outbox::list(&paths);
        note(&paths, &keys).unwrap();
        outbox::move_to_sent(&paths, &keys[0]).unwrap();
        recover(&paths);
        outbox::move_back(&paths, &keys[0]).unwrap();
        recover(&paths);
        assert_eq!(outbox::list(&paths), keys);
    }
}
