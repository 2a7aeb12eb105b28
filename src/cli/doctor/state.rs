//! Proof that hooks can write where they must. It is tried: permissions, mounts and free space each show only a part of it.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::Finding;
use crate::context::Paths;
use crate::delivery::outbox;
use crate::file::{self, Lock};
use crate::platform;

/// Does in each of our directories what hooks and deliveries do there.
pub fn check(paths: &Paths) -> Finding {
    if let Err(error) = file::check_home(paths.harness()) {
        let state = paths.state();
        let in_the_way = state.ancestors().take(3).find(|p| p.exists() && !p.is_dir());
        let fix = match in_the_way {
            Some(path) => format!("remove or rename what is in its place: {}", path.display()),
            None => make_own(paths.harness()),
        };
        return Finding::failure("state", format!("hooks do nothing: {error}"), fix);
    }
    let folders = [paths.state(), paths.closing(), paths.outbox(), outbox::rejected(paths), paths.sent()];
    for folder in &folders {
        if let Err(error) = try_to_write(folder) {
            let text = format!("{} cannot be written: {error}", folder.display());
            return Finding::failure("state", text, advice(&error, folder));
        }
    }
    Finding::ok("state", format!("{} can be written", paths.state().display()))
}

fn try_to_write(folder: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return can_be_made(folder),
        found => found?,
    };
    if !found.is_dir() {
        return Err(io::Error::new(ErrorKind::NotADirectory, "it is not a directory"));
    }
    if platform::access(folder, &found)?.owner != platform::Owner::User {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "it belongs to another user"));
    }
    file::create_private_dir(folder)?;
    let probe = folder.join(format!("{}doctor-{}", file::TEMPORARY_PREFIX, std::process::id()));
    let written = file::write_atomic_with(&probe, |file| {
        file.write_all(&[b'\n'; PROBE_BYTES])?;
        file.sync_all()
    });
    let locked = written.and_then(|()| Lock::try_acquire(&probe).map(|_| ()));
    let _ = fs::remove_file(&probe);
    locked
}

/// Checks that a directory that is not there yet could be made when it is needed.
fn can_be_made(folder: &Path) -> io::Result<()> {
    let nearest = folder.ancestors().find(|path| path.exists()).unwrap_or(folder);
    platform::can_write_into(nearest)
}

fn advice(error: &io::Error, folder: &Path) -> String {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free some disk space; turns are lost until then".to_owned()
        }
        ErrorKind::ReadOnlyFilesystem => {
            "make it writable, or set ARIZE_HARNESS_HOME to another directory".to_owned()
        }
        ErrorKind::NotADirectory => "remove or rename what is in its place".to_owned(),
        _ => make_own(folder),
    }
}

fn make_own(folder: &Path) -> String {
    platform::command_to_own(folder)
}

/// About what a short turn takes.
const PROBE_BYTES: usize = 8 * 1024;
