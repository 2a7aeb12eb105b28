//! `setup.json`: what install has added, so that uninstall takes out exactly that.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::context::Paths;
use crate::file;

/// Everything install has added to this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// By the path of each config.toml.
    #[serde(default)]
    pub configs: BTreeMap<PathBuf, Config>,
    /// Links outside our own directory.
    #[serde(default)]
    pub links: BTreeSet<PathBuf>,
    /// Directories that were made for links and skills.
    #[serde(default)]
    pub folders: BTreeSet<PathBuf>,
    /// State of config.yaml before install.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<SavedSettings>,
    /// Skill files.
    #[serde(default)]
    pub skills: BTreeSet<PathBuf>,
}

/// State of one config.toml before install.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// There was no file before.
    #[serde(default)]
    pub created: bool,
    /// The value of `notify` before ours, as it stood there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<String>,
}

/// State of config.yaml before and after install.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSettings {
    /// The copy of the file; none where there was no file.
    pub copy: Option<PathBuf>,
    /// A digest of what was written in its place.
    pub written: String,
}

impl Default for Record {
    fn default() -> Self {
        Record {
            version: VERSION,
            configs: BTreeMap::new(),
            links: BTreeSet::new(),
            folders: BTreeSet::new(),
            settings: None,
            skills: BTreeSet::new(),
        }
    }
}

impl Record {
    /// Reads the record; a missing one is empty.
    ///
    /// # Errors
    /// When it cannot be read, or a newer arize-codex wrote it.
    pub fn load(paths: &Paths) -> anyhow::Result<Record> {
        let path = path(paths);
        let Some(content) = file::read_bounded(&path, MAX_BYTES)? else { return Ok(Record::default()) };
        let record: Record =
            serde_json::from_slice(&content).map_err(|e| anyhow::anyhow!("{}: {e}", path.display()))?;
        if record.version > VERSION {
            anyhow::bail!("{} was written by a newer arize-codex", path.display());
        }
        Ok(record)
    }

    /// Writes the record, or removes its file when nothing is left to remember.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, paths: &Paths) -> anyhow::Result<()> {
        let path = path(paths);
        if *self == Record::default() {
            let _ = std::fs::remove_file(&path);
            return Ok(());
        }
        file::create_private_dir(&paths.state())?;
        file::write_atomic(&path, &serde_json::to_vec_pretty(self)?)?;
        Ok(())
    }

    /// Remembers the directories that making `directory` will make.
    pub fn note_missing(&mut self, folder: &Path) {
        self.folders.extend(folder.ancestors().take_while(|f| !f.exists()).map(Path::to_owned));
    }

    /// Returns what is remembered of a config.toml.
    pub fn config(&self, path: &Path) -> Config {
        self.configs.get(path).cloned().unwrap_or_default()
    }
}

fn path(paths: &Paths) -> PathBuf {
    paths.setup_record()
}

const VERSION: u32 = 1;
const MAX_BYTES: u64 = 1024 * 1024;
