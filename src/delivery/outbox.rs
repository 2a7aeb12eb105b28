//! The outbox: one file for each turn that is to be delivered, and what becomes of it.
//!
//! An entry is in exactly one of three directories: `outbox/` until it is delivered, `sent/` afterwards,
//! `outbox/rejected/` when no backend takes it or the outbox has grown too large. It moves by rename alone, so a
//! killed process leaves it in one of them.

use opentelemetry_proto::tonic::trace::v1::Span;
use std::borrow::Borrow;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::context::Paths;
use crate::delivery::key_set::KeySet;
use crate::delivery::{checkpoint, in_part};
use crate::file;
use crate::layout::ENTRY_SUFFIX;
use crate::log::Log;
use crate::otel::entry;
use crate::otel::entry::{Entry, EntryKey, Head};
use crate::otel::spans::TurnSpans;

/// Puts a turn into the outbox, on the disk when this returns. Returns false, and writes nothing, when the turn
/// is known already: waiting, delivered or set aside.
///
/// # Errors
/// When the directory cannot be made or the file cannot be written.
pub fn put(paths: &Paths, entry: &Entry) -> io::Result<bool> {
    put_spans(paths, &entry.head, &entry.spans)
}

/// Does what [`put`] does with spans that are made as they are written, for turns too large for the memory.
///
/// # Errors
/// When the directory cannot be made or the file cannot be written.
pub fn put_spans<S: Borrow<Span>>(
    paths: &Paths,
    head: &Head,
    spans: impl IntoIterator<Item = S>,
) -> io::Result<bool> {
    put_with(paths, &head.key, |out| entry::write(out, head, spans))
}

/// Does what [`put`] does with a turn whose spans are built as they are written.
///
/// # Errors
/// As [`put`], and when the turn cannot be read back.
pub fn put_turn(paths: &Paths, turn: &TurnSpans) -> io::Result<bool> {
    put_with(paths, &turn.head().key, |out| turn.write(out))
}

/// Writes a turn over the one that waits, if one does, as [`put_turn`] writes it.
///
/// # Errors
/// As [`put_turn`].
pub fn replace(paths: &Paths, turn: &TurnSpans) -> io::Result<()> {
    make(&paths.outbox())?;
    write(&waiting(paths, &turn.head().key), |out| turn.write(out))
}

fn put_with(
    paths: &Paths,
    key: &EntryKey,
    content: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>,
) -> io::Result<bool> {
    if contains(paths, key) {
        return Ok(false);
    }
    make(&paths.outbox())?;
    let written = write(&waiting(paths, key), content);
    // The turn of a dry run is sent after all, by `backfill` for instance.
    let _ = fs::remove_file(paths.dry().join(key.file_name()));
    written.map(|()| true)
}

fn write(path: &Path, content: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>) -> io::Result<()> {
    let written = file::write_atomic_with(path, |file| {
        let mut out = BufWriter::with_capacity(64 * 1024, &mut *file);
        content(&mut out)?;
        out.flush()?;
        drop(out);
        // What the turn was made of is deleted next, so it must outlive a loss of power.
        file.sync_all()
    });
    written.map_err(|e| file::named(path, e))
}

/// Keeps the turn of a dry run, for `list`, `show` and `preview`; nothing sends it.
///
/// # Errors
/// When the directory cannot be made or the file cannot be written.
pub fn put_dry(paths: &Paths, entry: &Entry) -> io::Result<()> {
    if contains(paths, &entry.head.key) {
        return Ok(());
    }
    make(&paths.dry())?;
    let path = paths.dry().join(entry.head.key.file_name());
    file::write_atomic(&path, &entry.encode()).map_err(|e| file::named(&path, e))
}

/// Returns true if a turn is waiting, delivered (however long ago) or set aside.
pub fn contains(paths: &Paths, key: &EntryKey) -> bool {
    // In the order in which an entry moves, so that one that moves meanwhile is not missed.
    [waiting(paths, key), delivered(paths, key), set_aside(paths, key)].iter().any(|path| path.exists())
        || KeySet::delivered(paths).contains(&key.file_name())
}

/// The turns that wait, oldest first.
pub fn list(paths: &Paths) -> Vec<EntryKey> {
    let mut keys = keys_in(&paths.outbox());
    keys.sort();
    keys
}

/// The turns in a directory, in no order.
pub fn keys_in(folder: &Path) -> Vec<EntryKey> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().filter_map(|e| EntryKey::from_file_name(e.file_name().to_str()?)).collect()
}

/// Returns true if nothing waits, at a cost that does not grow with the outbox.
pub fn is_empty_quick(paths: &Paths) -> bool {
    let Ok(entries) = fs::read_dir(paths.outbox()) else { return true };
    let mut seen = 0;
    for entry in entries.flatten() {
        seen += 1;
        if entry.file_name().as_encoded_bytes().ends_with(ENTRY_SUFFIX.as_bytes()) || seen > LOOKED_AT {
            return false;
        }
    }
    true
}

/// Returns where a turn waits.
pub fn waiting(paths: &Paths, key: &EntryKey) -> PathBuf {
    paths.outbox().join(key.file_name())
}

/// Returns where a delivered turn lies.
pub fn delivered(paths: &Paths, key: &EntryKey) -> PathBuf {
    paths.sent().join(key.file_name())
}

/// Returns where a turn lies that was set aside.
pub fn set_aside(paths: &Paths, key: &EntryKey) -> PathBuf {
    rejected(paths).join(key.file_name())
}

/// The directory of what was set aside.
pub fn rejected(paths: &Paths) -> PathBuf {
    paths.rejected()
}

/// Moves a delivered turn into the archive, and forgets its progress then: a kill in between sends nothing again.
///
/// # Errors
/// When the archive cannot be made or the file cannot be moved.
pub fn move_to_sent(paths: &Paths, key: &EntryKey) -> io::Result<()> {
    make(&paths.sent())?;
    leave(paths, key, &delivered(paths, key))
}

/// Sets a turn aside, and forgets its progress.
///
/// # Errors
/// When the directory cannot be made or the file cannot be moved.
pub fn move_aside(paths: &Paths, key: &EntryKey) -> io::Result<()> {
    make(&rejected(paths))?;
    leave(paths, key, &set_aside(paths, key))
}

/// Moves a turn from the archive, or from where it was set aside, back into the outbox. Returns false when it
/// has moved meanwhile.
///
/// # Errors
/// When the outbox cannot be made or the file cannot be moved.
pub fn move_back(paths: &Paths, key: &EntryKey) -> io::Result<bool> {
    make(&paths.outbox())?;
    checkpoint::forget(paths, key);
    for from in [delivered(paths, key), set_aside(paths, key)] {
        match rename(&from, &waiting(paths, key)) {
            Ok(()) => {
                in_part::forget(paths, key);
                return Ok(true);
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(false)
}

fn make(folder: &Path) -> io::Result<()> {
    file::create_private_dir(folder).map_err(|e| file::named(folder, e))
}

fn leave(paths: &Paths, key: &EntryKey, to: &Path) -> io::Result<()> {
    rename(&waiting(paths, key), to)?;
    checkpoint::forget(paths, key);
    Ok(())
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to).map_err(|e| file::named(to, e))
}

/// Sets the oldest turns aside until the rest takes at most `limit` bytes; returns how many. The newest stays
/// whatever its size.
pub fn enforce_limit(paths: &Paths, limit: u64, log: &Log) -> u64 {
    let keys = list(paths);
    let size = |key: &EntryKey| fs::metadata(waiting(paths, key)).map_or(0, |m| m.len());
    let sizes: Vec<u64> = keys.iter().map(size).collect();
    let mut total: u64 = sizes.iter().sum();
    let mut count = 0;
    for (key, size) in keys.iter().zip(sizes).take(keys.len().saturating_sub(1)) {
        if total <= limit {
            break;
        }
        if move_aside(paths, key).is_ok() {
            total -= size;
            count += 1;
        }
    }
    if count > 0 {
        let folder = rejected(paths);
        let folder = folder.display();
        log.error(format!("outbox over outbox_mb: {count} oldest turns set aside in {folder}"));
    }
    count
}

/// More files of other kinds than ever lie in an outbox.
const LOOKED_AT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otel::testing;
    use crate::platform;

    fn is_private(path: &Path) -> bool {
        platform::access(path, &fs::metadata(path).unwrap()).unwrap().is_private()
    }

    #[test]
    fn outbox_takes_a_turn_once() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        let entry = testing::entry("turn-1", 2);
        let key = &entry.head.key;
        assert!(is_empty_quick(&paths) && list(&paths).is_empty());
        assert!(put(&paths, &entry).unwrap());
        assert!(is_private(&waiting(&paths, key)) && is_private(&paths.outbox()));
        assert!(!put(&paths, &entry).unwrap() && !is_empty_quick(&paths));
        move_to_sent(&paths, key).unwrap();
        assert!(!put(&paths, &entry).unwrap() && is_empty_quick(&paths));
        assert!(move_back(&paths, key).unwrap());
        move_aside(&paths, key).unwrap();
        assert!(!put(&paths, &entry).unwrap() && is_empty_quick(&paths));
        assert!(move_back(&paths, key).unwrap() && !move_back(&paths, key).unwrap());
        assert_eq!(list(&paths), std::slice::from_ref(key));
    }

    #[test]
    fn full_outbox_sets_oldest_aside() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        let log = Log::new(paths.log_file(), false);
        for turn in ["turn-3", "turn-1", "turn-2"] {
            put(&paths, &testing::entry(turn, 10)).unwrap();
        }
        let turns = || list(&paths).iter().map(|k| k.turn.to_string()).collect::<Vec<_>>();
        assert_eq!(turns(), ["turn-1", "turn-2", "turn-3"]);
        let one = fs::metadata(waiting(&paths, &list(&paths)[0])).unwrap().len();
        assert_eq!(enforce_limit(&paths, 3 * one, &log), 0);
        assert!(!log.path().exists());
        assert_eq!(enforce_limit(&paths, 2 * one, &log), 1);
        assert_eq!(turns(), ["turn-2", "turn-3"]);
        assert_eq!(enforce_limit(&paths, 0, &log), 1);
        assert_eq!(turns(), ["turn-3"], "the newest stays");
        assert_eq!(fs::read_to_string(log.path()).unwrap().lines().count(), 2);
    }

    #[test]
    fn stray_files_hide_no_waiting_turn() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        fs::create_dir_all(paths.outbox()).unwrap();
        for n in 0..64 {
            fs::write(paths.outbox().join(format!("{n}.stray")), b"").unwrap();
        }
        assert!(is_empty_quick(&paths), "all of them were looked at");
        fs::write(paths.outbox().join("one more"), b"").unwrap();
        assert!(!is_empty_quick(&paths), "what was not looked at may be a turn");
        assert!(list(&paths).is_empty());
    }

    #[test]
    fn turn_the_archive_forgot_is_still_known() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        let (told, new) = (testing::entry("turn-1", 1), testing::entry("turn-2", 1));
        file::create_private_dir(&paths.state()).unwrap();
        KeySet::delivered(&paths).add(std::iter::once(told.head.key.file_name().as_str())).unwrap();
        assert!(contains(&paths, &told.head.key) && !contains(&paths, &new.head.key));
    }

    #[test]
    fn dry_turn_is_kept_until_it_is_sent() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        let entry = testing::entry("turn-1", 1);
        let dry = || keys_in(&paths.dry()).len();
        put_dry(&paths, &entry).unwrap();
        assert_eq!((dry(), list(&paths).len()), (1, 0));
        assert!(put(&paths, &entry).unwrap());
        assert_eq!((dry(), list(&paths).len()), (0, 1));
        put_dry(&paths, &entry).unwrap();
        assert_eq!(dry(), 0, "it waits already");
    }

    #[test]
    fn turn_that_cannot_move_says_where() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        let entry = testing::entry("turn-1", 1);
        put(&paths, &entry).unwrap();
        move_to_sent(&paths, &entry.head.key).unwrap();
        fs::create_dir_all(waiting(&paths, &entry.head.key).join("in the way")).unwrap();
        let error = move_back(&paths, &entry.head.key).unwrap_err().to_string();
        assert!(error.contains(&*waiting(&paths, &entry.head.key).to_string_lossy()), "{error}");
    }

    #[test]
    fn oldest_turns_go_until_the_rest_fits() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        let log = Log::new(paths.log_file(), false);
        for (turn, spans) in [("turn-1", 1), ("turn-2", 200), ("turn-3", 1), ("turn-4", 1)] {
            put(&paths, &testing::entry(turn, spans)).unwrap();
        }
        let sizes: Vec<u64> =
            list(&paths).iter().map(|key| fs::metadata(waiting(&paths, key)).unwrap().len()).collect();
        assert_eq!(enforce_limit(&paths, sizes[2] + sizes[3], &log), 2);
        assert_eq!(list(&paths).len(), 2);
        assert!(fs::read_to_string(log.path()).unwrap().contains("2 oldest turns set aside"));
    }

    /// A turn of which only its answer is known.
    fn answered(answer: &str, home: &Path) -> TurnSpans {
        use crate::otel::prices::Prices;
        use crate::time::Timestamp;
        use crate::turn::closed::{Closing, Reason};
        use crate::turn::fold::{Evidence, fold};
        let (thread, turn) = (crate::ids::ThreadId::parse("thread"), crate::ids::TurnId::parse("turn-1"));
        let profile = testing::settings(home, "target: local").profile;
        let mut state = crate::turn::state::ThreadState::new(thread.unwrap());
        state.begin_turn(turn.unwrap(), Timestamp::from_millis(1));
        let mut closing = Closing::of(&state, Reason::Stop, Timestamp::from_millis(9), &profile).unwrap();
        closing.turn.last_assistant_message = Some(answer.to_owned());
        let (rows, records) = (crate::turn::rows::none(), std::iter::empty());
        let (meta, spawn, git, scratch) = Default::default();
        let turn = fold(Evidence { closing: &closing, rows, meta, records, spawn, git, scratch });
        TurnSpans::new(turn, &profile, &Prices::default())
    }

    #[test]
    fn waiting_turn_is_put_once_and_replaced() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        let (first, second) = (answered("first", home.path()), answered("second", home.path()));
        let key = &first.head().key;
        let content = || String::from_utf8_lossy(&fs::read(waiting(&paths, key)).unwrap()).into_owned();
        assert!(put_turn(&paths, &first).unwrap() && !put_turn(&paths, &second).unwrap());
        assert!(content().contains("first") && list(&paths).len() == 1);
        replace(&paths, &second).unwrap();
        assert!(content().contains("second") && !content().contains("first"));
    }
}
