//! Codex's configuration file on disk: read, backed up, replaced where it really lies.

use anyhow::{Context as _, bail};
use std::fs;
use std::path::{Path, PathBuf};

use crate::context::Paths;
use crate::{file, platform};

/// The file as it was read.
#[derive(Debug)]
pub struct CodexConfig {
    /// The path Codex reads.
    pub path: PathBuf,
    /// None when there is no such file.
    pub text: Option<String>,
    rights: Option<fs::Permissions>,
}

/// Another program has written the file between our reading and our writing, as Codex does when it starts.
#[derive(Debug, thiserror::Error)]
#[error("{path} has just been changed by another program; try again", path = .0.display())]
pub struct ChangedMeanwhile(PathBuf);

impl CodexConfig {
    /// Reads a file that may be missing.
    ///
    /// # Errors
    /// When it is there and cannot be read, is too large or no UTF-8.
    pub fn read(path: &Path) -> anyhow::Result<CodexConfig> {
        let name = || path.display().to_string();
        let content = file::read_bounded(path, MAX_BYTES).with_context(name)?;
        let rights = fs::metadata(path).ok().map(|m| m.permissions());
        let text = content.map(String::from_utf8).transpose();
        let text = text.map_err(|e| {
            let valid = e.utf8_error().valid_up_to();
            let line = e.as_bytes()[..valid].iter().filter(|b| **b == b'\n').count() + 1;
            anyhow::anyhow!("{}: line {line}: invalid UTF-8", path.display())
        })?;
        Ok(CodexConfig { path: path.to_owned(), text, rights })
    }

    /// The text; that of a missing file is empty.
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// Refuses a file that its owner has made read-only.
    ///
    /// # Errors
    /// When it is.
    pub fn check_writable(&self) -> anyhow::Result<()> {
        if self.rights.as_ref().is_some_and(platform::is_read_only) {
            bail!(
                "{} is read-only; allow writing with `{}`, or edit it where it comes from",
                self.path.display(),
                platform::command_to_allow_writing(&self.path)
            );
        }
        Ok(())
    }

    /// Replaces the file by `text`, after a copy of the old one into `backups`. A symbolic link stays one.
    ///
    /// # Errors
    /// When the file has changed since it was read, or cannot be written.
    pub fn write(&self, text: &str, backups: &Path) -> anyhow::Result<()> {
        let name = || format!("cannot write {}", self.path.display());
        let now = file::read_bounded(&self.path, MAX_BYTES).with_context(name)?;
        if now.as_deref() != self.text.as_ref().map(String::as_bytes) {
            return Err(ChangedMeanwhile(self.path.clone()).into());
        }
        if let Some(old) = &self.text {
            back_up("config.toml", old, backups)
                .with_context(|| format!("cannot write into {}", backups.display()))?;
        }
        let real = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        if let Some(folder) = real.parent().filter(|f| !f.exists()) {
            file::create_private_dir(folder).with_context(name)?;
        }
        let old = self.text.as_ref().map(String::as_bytes);
        let rights = self.rights.as_ref();
        let done =
            file::replace::write_if_unchanged(&real, old, text.as_bytes(), rights).with_context(name)?;
        if done { Ok(()) } else { Err(ChangedMeanwhile(self.path.clone()).into()) }
    }
}

/// The spellings under which Codex may know its file: as it is, when CODEX_HOME is unset, or with the links on the
/// way resolved, when it is set.
pub fn spellings(path: &Path) -> Vec<String> {
    let mut found = vec![path.to_string_lossy().into_owned()];
    let resolved =
        path.parent().and_then(|p| fs::canonicalize(p).ok()).map(platform::plain).zip(path.file_name());
    let resolved = resolved.map(|(folder, name)| folder.join(name).to_string_lossy().into_owned());
    found.extend(resolved.filter(|r| *r != found[0]));
    found
}

/// Returns where copies of what stood in config.toml and config.yaml before our changes are kept.
pub fn backups(paths: &Paths) -> PathBuf {
    paths.backups()
}

/// Keeps a text as a copy of the file `name`, and forgets the oldest of many; returns where it is.
///
/// # Errors
/// When the directory cannot be made or read, or the copy not written.
pub fn back_up(name: &str, text: &str, folder: &Path) -> std::io::Result<PathBuf> {
    file::create_private_dir(folder)?;
    let at = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ");
    let copy = folder.join(format!("{name}.{at}"));
    file::write_atomic(&copy, text.as_bytes())?;
    let of_it = |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(name));
    let mut copies: Vec<PathBuf> = fs::read_dir(folder)?.flatten().map(|e| e.path()).filter(of_it).collect();
    copies.sort();
    for old in copies.iter().rev().skip(KEPT_BACKUPS) {
        let _ = fs::remove_file(old);
    }
    Ok(copy)
}

/// Codex's own limit is the memory; a larger file than this is none that a user wrote.
const MAX_BYTES: u64 = 32 * 1024 * 1024;
const KEPT_BACKUPS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
    use std::time::{Duration, Instant};

    #[cfg(unix)]
    #[test]
    fn linked_config_keeps_link_and_mode() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("dotfiles.toml"), folder.path().join("config.toml"));
        fs::write(&real, "a = 1\n").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&real, &link).unwrap();
        let config = CodexConfig::read(&link).unwrap();
        let backups = folder.path().join("state/backups");
        config.write("a = 2\n", &backups).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "a = 2\n");
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o777, 0o640);
        let copy = fs::read_dir(&backups).unwrap().next().unwrap().unwrap();
        assert_eq!(fs::read_to_string(copy.path()).unwrap(), "a = 1\n");
        assert!(config.write("a = 3\n", &backups).unwrap_err().to_string().contains("try again"));
    }

    /// The other program adds its entries as Codex does: reads, writes a file beside, renames it. It pauses for up to
    /// twice as long as a write of ours takes, so that some of ours come between and others come too late.
    #[test]
    fn racing_writer_loses_no_entry() {
        let folder = tempfile::tempdir().unwrap();
        let (path, backups) = (folder.path().join("config.toml"), folder.path().join("state/backups"));
        fs::write(&path, "# start\n").unwrap();
        let (written, refused, took) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU64::new(0));
        let rounds = std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                for n in 0..MOST_ROUNDS {
                    if written.load(Relaxed) >= 20 && refused.load(Relaxed) >= 20 {
                        return n;
                    }
                    add_as_codex(&path, &folder.path().join("own"), &format!("theirs_{n} = 1\n"));
                    std::thread::sleep(Duration::from_micros(took.load(Relaxed) * u64::from(n % 5) / 2));
                }
                MOST_ROUNDS
            });
            while !other.is_finished() {
                let start = Instant::now();
                let config = CodexConfig::read(&path).unwrap();
                let text = format!("{}ours_{} = 1\n", config.text(), written.load(Relaxed));
                let count = match config.write(&text, &backups) {
                    Ok(()) => &written,
                    Err(error) if error.is::<ChangedMeanwhile>() => &refused,
                    Err(error) => panic!("{error:#}"),
                };
                count.fetch_add(1, Relaxed);
                took.store(start.elapsed().as_micros() as u64, Relaxed);
            }
            other.join().unwrap()
        });
        assert!(rounds < MOST_ROUNDS, "{written:?} writes of ours, {refused:?} refused");
        let text = fs::read_to_string(&path).unwrap();
        let lost: Vec<_> = (0..rounds).filter(|n| !text.contains(&format!("theirs_{n} ="))).collect();
        // The two steps of putting a file back leave a moment, of microseconds, in which ours can still be read; where
        // files cannot be exchanged there is one between the last look and the renaming.
        assert!(lost.len() < 2, "{lost:?}");
    }

    fn add_as_codex(path: &Path, own: &Path, line: &str) {
        loop {
            let text = fs::read_to_string(path).unwrap();
            fs::write(own, format!("{text}{line}")).unwrap();
            match fs::rename(own, path) {
                // Windows may refuse to replace a file while we read it.
                Err(error) if cfg!(windows) && error.kind() == std::io::ErrorKind::PermissionDenied => (),
                done => return done.unwrap(),
            }
        }
    }

    const MOST_ROUNDS: u32 = 5000;

    #[test]
    fn what_cannot_be_edited_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, b"a = 1\nb = \"\xff\"\n").unwrap();
        assert!(CodexConfig::read(&path).unwrap_err().to_string().ends_with("line 2: invalid UTF-8"));
        fs::write(&path, b"a = 1\n").unwrap();
        let mut rights = fs::metadata(&path).unwrap().permissions();
        rights.set_readonly(true);
        fs::set_permissions(&path, rights).unwrap();
        assert!(CodexConfig::read(&path).unwrap().check_writable().is_err());
    }
}
