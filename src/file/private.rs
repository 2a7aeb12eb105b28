//! Directories and files of this user alone: made so, kept so, refused when somebody else owns them.

use std::fs;
use std::io;
use std::path::Path;

use super::read_bounded;
use crate::platform::{self, Owner};

/// Makes `path` and its missing parents, mode 0700 each. Cheap for a directory that exists, so that it can be asked for
/// before each use.
///
/// # Errors
/// When it cannot be made, is a symbolic link, or belongs to another user.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) => return check_private_dir(path, &found),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    platform::make_private_dir(path)?;
    check_private_dir(path, &fs::symlink_metadata(path)?)
}

fn check_private_dir(path: &Path, found: &fs::Metadata) -> io::Result<()> {
    let refused = |why: &str| io::Error::other(format!("{} {why}", path.display()));
    if found.file_type().is_symlink() {
        return Err(refused("is a symbolic link"));
    }
    if !found.is_dir() {
        return Err(refused("is not a folder"));
    }
    let access = platform::access(path, found)?;
    if access.owner != Owner::User {
        return Err(refused("belongs to another user"));
    }
    if !access.is_private() {
        platform::close(path, found)?;
    }
    Ok(())
}

/// Checks the directory everything of ours lies in, if there is one. It may be a link, as people keep their dotfiles
/// behind, to a directory of their own; others may look into it and not write.
///
/// # Errors
/// When it belongs to another user, or the `state` in it, or what hooks keep below that, is a link or another user's.
pub fn check_home(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => {
            return Err(io::Error::other(format!("{} is not a folder", path.display())));
        }
        Ok(found) => check_owner(path, &found)?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    }
    for folder in ["state", "state/codex"].map(|name| path.join(name)) {
        match fs::symlink_metadata(&folder) {
            Ok(found) => check_private_dir(&folder, &found)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Refuses what another user owns, and takes away others' right to write.
fn check_owner(path: &Path, found: &fs::Metadata) -> io::Result<()> {
    let access = platform::access(path, found)?;
    if access.owner != Owner::User {
        return Err(io::Error::other(format!("{} belongs to another user", path.display())));
    }
    if access.others_write {
        platform::close_to_writers(path, found)?;
    }
    Ok(())
}

/// Makes a file that may hold keys private again when others may read or write it. Returns what the user should
/// hear of: that others could change it, or read a key in it.
///
/// # Errors
/// When another user owns it: what it says is not the user's word. Root's files are taken as the machine's.
pub fn make_private(path: &Path) -> io::Result<Option<String>> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let access = platform::access(path, &found)?;
    if access.owner != Owner::User {
        let trusted = access.owner == Owner::Administrator && !access.others_write;
        let refused = || io::Error::other(format!("{} belongs to another user", path.display()));
        return if trusted { Ok(None) } else { Err(refused()) };
    }
    if access.is_private() || !found.is_file() {
        return Ok(None);
    }
    let written = access.others_write;
    let holds_key = || {
        let content = read_bounded(path, MAX_KEY_FILE_BYTES).ok().flatten().unwrap_or_default();
        ["api_key", "API_KEY", "headers", "HEADERS"]
            .iter()
            .any(|name| memchr::memmem::find(&content, name.as_bytes()).is_some())
    };
    let tell = written || holds_key();
    platform::close(path, &found)?;
    let how = if written { "written" } else { "read" };
    Ok(tell.then(|| format!("{} could be {how} by other users; it is private now", path.display())))
}

const MAX_KEY_FILE_BYTES: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linked_directory_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real");
        create_private_dir(&real.join("deep")).unwrap();
        let link = folder.path().join("link");
        make_link(&real, &link);
        assert!(link.join("deep").exists() && create_private_dir(&link).is_err());
    }

    /// A link to a directory, of the kind that everybody may make.
    fn make_link(real: &Path, link: &Path) {
        #[cfg(unix)]
        std::os::unix::fs::symlink(real, link).unwrap();
        #[cfg(windows)]
        {
            let line = format!("mklink /J \"{}\" \"{}\"", link.display(), real.display());
            assert!(platform::shell(&line).output().unwrap().status.success());
        }
    }

    #[cfg(unix)]
    #[test]
    fn open_directory_is_closed() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        create_private_dir(folder.path()).unwrap();
        assert_eq!(fs::metadata(folder.path()).unwrap().mode() & 0o777, 0o700);
    }
}
