//! The archive: delivered turns, kept a while for `show`, `list` and `resend`, bounded by age and size.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::context::Paths;
use crate::delivery::key_set::KeySet;
use crate::delivery::{in_part, outbox};
use crate::file;
use crate::layout::{CHECKPOINT_SUFFIX, ENTRY_SUFFIX};
use crate::log::Log;
use crate::otel::entry::{EntryKey, Head};
use crate::otel::entry_reader;
use crate::settings::{Settings, Target};

/// A turn in the archive or in the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub head: Head,
    pub place: DeliveryState,
    pub path: PathBuf,
}

/// Directory that holds a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Delivered.
    Sent,
    /// Delivered, but for some spans.
    SentInPart,
    /// In the outbox, to be delivered.
    Waiting,
    /// Refused by the backend, or set aside because the outbox was full.
    SetAside,
    /// Deleted; its line in the history is left.
    Deleted,
    /// Shown in a dry run, and never to be sent.
    Dry,
}

/// The turns kept on this machine, newest first. Heads are read as they are asked for; files that cannot be read
/// are passed over.
pub fn items(paths: &Paths) -> impl Iterator<Item = Item> + use<> {
    let mut found: Vec<(EntryKey, DeliveryState, PathBuf)> = Vec::new();
    let in_part = in_part::names(paths);
    for (folder, place) in folders(paths) {
        for key in outbox::keys_in(&folder) {
            let part = place == DeliveryState::Sent && in_part.contains(&key.file_name());
            let place = if part { DeliveryState::SentInPart } else { place };
            let path = folder.join(key.file_name());
            found.push((key, place, path));
        }
    }
    found.sort_by(|a, b| b.0.cmp(&a.0));
    found.into_iter().filter_map(|(_, place, path)| {
        let head = entry_reader::read_head(&path).ok()?;
        Some(Item { head, place, path })
    })
}

/// One turn by its key.
pub fn find(paths: &Paths, key: &EntryKey) -> Option<Item> {
    folders(paths).into_iter().find_map(|(folder, place)| {
        let path = folder.join(key.file_name());
        let head = entry_reader::read_head(&path).ok()?;
        let part = place == DeliveryState::Sent && in_part::why(paths, key).is_some();
        Some(Item { head, place: if part { DeliveryState::SentInPart } else { place }, path })
    })
}

fn folders(paths: &Paths) -> [(PathBuf, DeliveryState); 4] {
    [
        (paths.outbox(), DeliveryState::Waiting),
        (paths.sent(), DeliveryState::Sent),
        (outbox::rejected(paths), DeliveryState::SetAside),
        (paths.dry(), DeliveryState::Dry),
    ]
}

/// Deletes what is older than `archive_days` (not where the archive is the only copy), then the oldest beyond `archive_mb`; in the archive, and likewise
/// in what was set aside, where the loss is logged. Also clears what killed processes left lying about.
pub fn prune(paths: &Paths, settings: &Settings) {
    let days = oldest_kept(settings);
    let bytes = settings.archive_mb.saturating_mul(1024 * 1024);
    let delivered = KeySet::delivered(paths);
    prune_folder(&paths.sent(), days, bytes, &|names| delivered.add(names));
    // What was never delivered may come again, from its rollout.
    let lost = prune_folder(&outbox::rejected(paths), days, bytes, &|_| Ok(()));
    prune_folder(&paths.dry(), days, bytes, &|_| Ok(()));
    report_loss(lost, &settings.log);
    remove_orphaned_checkpoints(paths);
    for (folder, _) in folders(paths) {
        file::remove_stale_temporaries(&folder);
    }
    file::remove_stale_temporaries(&paths.state());
}

/// Removes progress whose entry has left the outbox.
fn remove_orphaned_checkpoints(paths: &Paths) {
    file::remove_files(&paths.outbox(), |path| {
        let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(CHECKPOINT_SUFFIX));
        let key = name.and_then(EntryKey::from_file_name);
        key.is_some_and(|key| !outbox::waiting(paths, &key).exists())
    });
}

/// Returns how old a turn may get in the archive. Where nothing is sent anywhere, or a rule sends nothing, the archive is
/// the only copy, and has no limit of age.
pub fn oldest_kept(settings: &Settings) -> Duration {
    let local = |settings: &Settings| settings.target == Some(Target::Local);
    match local(settings) || settings.backend_rules().iter().any(|(_, settings)| local(settings)) {
        true => Duration::MAX,
        false => Duration::from_secs(settings.archive_days.saturating_mul(24 * 3600)),
    }
}

fn report_loss(lost: u64, log: &Log) {
    if lost > 0 {
        log.error(format!("{lost} turns set aside earlier were deleted (archive_days, archive_mb)"));
    }
}

/// Deletes the files over the limits once `note` has taken down their names.
fn prune_folder(
    folder: &Path,
    days: Duration,
    bytes: u64,
    note: &dyn Fn(&mut dyn Iterator<Item = &str>) -> io::Result<()>,
) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let mut files: Vec<(Duration, u64, PathBuf)> = Vec::new();
    for entry in entries.flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        let hidden = entry.file_name().as_encoded_bytes().starts_with(file::TEMPORARY_PREFIX.as_bytes());
        if metadata.is_file() && !hidden {
            files.push((file::age(&metadata), metadata.len(), entry.path()));
        }
    }
    // The latest turns first, by the time in their names: what `backfill` has just brought makes no room for itself.
    files.sort_by(|a, b| b.2.cmp(&a.2));
    let mut kept = 0u64;
    files.retain(|(age, len, _)| {
        kept = kept.saturating_add(*len);
        *age > days || kept > bytes
    });
    let mut names = files.iter().filter_map(|(_, _, path)| path.file_name()?.to_str());
    if note(&mut names).is_err() {
        return 0;
    }
    let is_turn = |path: &Path| path.to_str().is_some_and(|p| p.ends_with(ENTRY_SUFFIX));
    files.iter().filter(|(_, _, path)| fs::remove_file(path).is_ok() && is_turn(path)).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::checkpoint::Checkpoint;
    use crate::otel::testing;

    #[test]
    fn archive_lists_newest_first() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        for turn in ["turn-1", "turn-2", "turn-3"] {
            outbox::put(&paths, &testing::entry(turn, 1)).unwrap();
        }
        let keys = outbox::list(&paths);
        outbox::move_to_sent(&paths, &keys[0]).unwrap();
        outbox::move_aside(&paths, &keys[2]).unwrap();
        fs::write(paths.sent().join("turn-0.thread.0.turn"), b"damaged").unwrap();
        let listed: Vec<_> = items(&paths).map(|i| (i.head.key.turn.to_string(), i.place)).collect();
        let expected = [
            ("turn-3", DeliveryState::SetAside),
            ("turn-2", DeliveryState::Waiting),
            ("turn-1", DeliveryState::Sent),
        ];
        assert_eq!(listed, expected.map(|(turn, place)| (turn.to_owned(), place)));
        assert_eq!(find(&paths, &keys[0]).unwrap().place, DeliveryState::Sent);
    }

    #[test]
    fn archive_is_bounded_by_age_and_size() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        for turn in ["turn-1", "turn-2", "turn-3", "turn-4"] {
            outbox::put(&paths, &testing::entry(turn, 40)).unwrap();
        }
        let keys = outbox::list(&paths);
        for key in &keys[..3] {
            outbox::move_to_sent(&paths, key).unwrap();
        }
        let old = std::time::SystemTime::now() - Duration::from_secs(8 * 24 * 3600);
        let first = fs::File::options().append(true).open(outbox::delivered(&paths, &keys[0])).unwrap();
        first.set_modified(old).unwrap();
        drop(first);
        prune(&paths, &testing::settings(home.path(), "target: local"));
        assert!(find(&paths, &keys[0]).is_some(), "the only copy has no age");
        let mut settings = testing::settings(home.path(), "target: phoenix");
        prune(&paths, &settings);
        assert!(find(&paths, &keys[0]).is_none() && find(&paths, &keys[1]).is_some());
        assert!(!outbox::put(&paths, &testing::entry("turn-1", 40)).unwrap(), "it was delivered");
        settings.archive_mb = 0;
        prune(&paths, &settings);
        let left: Vec<_> = items(&paths).map(|i| i.head.key).collect();
        assert_eq!(left, [keys[3].clone()]);
    }

    #[test]
    fn checkpoint_never_outlives_its_entry() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        let entry = testing::entry("turn-1", 3);
        let key = &entry.head.key;
        outbox::put(&paths, &entry).unwrap();
        let mut progress = Checkpoint::load(&paths, key);
        progress.accept(1);
        progress.save(&paths, key).unwrap();
        remove_orphaned_checkpoints(&paths);
        assert_eq!(Checkpoint::load(&paths, key), progress);
        outbox::move_to_sent(&paths, key).unwrap();
        assert!(outbox::is_empty_quick(&paths));
        remove_orphaned_checkpoints(&paths);
        assert_eq!(Checkpoint::load(&paths, key), Checkpoint::default());
        // What a kill left behind tells nothing of a turn that comes back.
        progress.save(&paths, key).unwrap();
        outbox::move_back(&paths, key).unwrap();
        assert_eq!(Checkpoint::load(&paths, key), Checkpoint::default());
    }
}
