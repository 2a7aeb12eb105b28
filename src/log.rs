//! The log: errors always, routine activity when verbose; bounded; it never fails and never speaks to Codex.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::{file, platform};

/// Destination and level of the log.
#[derive(Debug, Clone)]
pub struct Log {
    path: PathBuf,
    verbose: bool,
}

impl Log {
    pub fn new(path: PathBuf, verbose: bool) -> Log {
        Log { path, verbose }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Notes something that went wrong.
    pub fn error(&self, message: impl std::fmt::Display) {
        self.line("error", &message.to_string());
    }

    /// Notes what the user asked to be told, whether or not the log is verbose.
    pub fn note(&self, message: impl std::fmt::Display) {
        self.line("note", &message.to_string());
    }

    /// Notes routine activity, when the log is verbose.
    pub fn info(&self, message: impl std::fmt::Display) {
        if self.verbose {
            self.line("info", &message.to_string());
        }
    }

    fn line(&self, level: &str, message: &str) {
        // What cannot be logged is let go: there is nobody left to hear it.
        let _ = self.try_line(level, message);
    }

    fn try_line(&self, level: &str, message: &str) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent()
            && !folder.exists()
        {
            file::create_private_dir(folder)?;
        }
        let mut out = self.open()?;
        if out.metadata()?.len() > MAX_BYTES {
            let mut old = self.path.clone().into_os_string();
            old.push(".1");
            // A file that is open cannot be renamed everywhere.
            drop(out);
            std::fs::rename(&self.path, old)?;
            out = self.open()?;
        }
        let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
        let mut text = message.replace(|c: char| c.is_control(), " ");
        if text.len() > MAX_LINE_BYTES {
            text.truncate(text.floor_char_boundary(MAX_LINE_BYTES));
        }
        out.write_all(format!("{at} {level} [{}] {text}\n", std::process::id()).as_bytes())
    }

    /// Opens the log. One that others could read, as in a shared directory, is made private or, when it is another
    /// user's, not written to.
    fn open(&self) -> std::io::Result<std::fs::File> {
        let out = file::private_options().create(true).append(true).open(&self.path)?;
        let access = platform::access_of(&out)?;
        if !out.metadata()?.is_file() || access.owner != platform::Owner::User {
            return Err(std::io::Error::other("the log file belongs to another user"));
        }
        if !access.is_private() {
            platform::close_file(&out)?;
        }
        Ok(out)
    }
}

const MAX_BYTES: u64 = 1024 * 1024;
const MAX_LINE_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::new(folder.path().join("logs/codex.log"), false);
        log.info("not verbose");
        assert!(!log.path().exists());
        log.error("two\nlines");
        assert_eq!(std::fs::read_to_string(log.path()).unwrap().lines().count(), 1);
        for _ in 0..1200 {
            log.error("x".repeat(2000));
        }
        let size = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().len();
        assert!(size("logs/codex.log") <= MAX_BYTES + 4096 && size("logs/codex.log.1") <= MAX_BYTES + 4096);
    }
}
