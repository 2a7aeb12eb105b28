//! Lossless editing of Codex's `config.toml`: our hooks and `notify` in, and out again.
//!
//! toml_edit says what stands where ([`survey`]); every change is a splice into the text itself ([`splice`]), so
//! comments, order, line breaks, a byte order mark and a missing last line break stay as they are. [`insert`] only
//! ever appends to an event's groups, because Codex ties its trust to a hook's position; [`remove`] leaves an empty
//! group where a later hook would otherwise move. Nothing here reads or writes a file.

mod command;
pub mod edit;
mod insert;
mod ranges;
mod remove;
mod splice;
pub mod survey;
pub mod trust;

use toml_edit::Value;

use crate::codex::events::{HookEvent, HookRole};
pub use command::{
    KEYS as COMMAND_KEYS, NOTIFY_NAME, PLUGIN_BIN, is_notify, program as command_program, quoted,
};

/// The absolute paths of our four executables as they are registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executables {
    pub session: String,
    pub tool: String,
    pub stop: String,
    pub notify: String,
}

impl Executables {
    /// The executables in a directory, under the names Codex knows them by.
    pub fn in_folder(folder: &str) -> Executables {
        let path = |name: &str| {
            let (folder, separator) = (folder.trim_end_matches(['/', '\\']), std::path::MAIN_SEPARATOR);
            format!("{folder}{separator}{name}{}", crate::platform::EXE_SUFFIX)
        };
        Executables {
            session: path(HookRole::Session.link()),
            tool: path(HookRole::Tool.link()),
            stop: path(HookRole::Stop.link()),
            notify: path(NOTIFY_NAME),
        }
    }

    /// The executable that serves a role.
    pub fn path(&self, role: HookRole) -> &str {
        match role {
            HookRole::Session => &self.session,
            HookRole::Tool => &self.tool,
            HookRole::Stop => &self.stop,
        }
    }

    /// The shell command registered for an event.
    pub fn command(&self, event: &HookEvent) -> String {
        command::quoted(self.path(event.role))
    }
}

/// Another tool's `notify`, taken out of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignNotify {
    pub argv: Vec<String>,
    /// The value as it stood in the file, to be put back on removal.
    pub source: String,
}

/// A file after installing.
#[derive(Debug, PartialEq, Eq)]
pub struct Installed {
    pub text: String,
    /// The previous `notify`, when it was another tool's.
    pub replaced_notify: Option<ForeignNotify>,
    pub changes: Vec<Change>,
}

/// A file after removing.
#[derive(Debug, PartialEq, Eq)]
pub struct Removed {
    pub text: String,
    pub changes: Vec<Change>,
}

/// One thing done to the file, for the user to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A hook was registered for an event.
    Added(String),
    /// An entry of ours in a form or with a path of before was rewritten at its place.
    Rewritten(String),
    /// An entry of ours was taken out.
    TakenOut(String),
    /// An empty group stays so that the hooks after it keep their trust.
    PlaceKept(String),
    /// Another hook of the same group has moved; Codex will ask to review it again.
    Moved(String),
    NotifySet,
    NotifyReplaced,
    NotifyRestored,
    NotifyTakenOut,
    /// `notify` belongs to another program that calls ours already.
    NotifyLeft,
    /// So many trust entries of ours were taken out.
    TrustTakenOut(usize),
}

/// Why a file is left as it is.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    #[error("line {line}: {reason}")]
    Syntax { line: usize, reason: String },
    #[error("line {line}: {what}")]
    WrongType { line: usize, what: String },
    #[error("the edit would have changed more than our own entries")]
    Unsafe,
}

/// A string as TOML.
fn toml_string(text: &str) -> String {
    Value::from(text).to_string()
}

/// Ends `edited` as `original` ended when the last line was edited away.
fn with_same_end(original: &str, edited: String) -> String {
    if original.ends_with('\n') || !edited.ends_with('\n') {
        return edited;
    }
    let end = edited.strip_suffix("\r\n").or_else(|| edited.strip_suffix('\n')).unwrap_or(&edited).len();
    edited[..end].to_owned()
}

/// The comment above the entries we append.
const MARK: &str = "# Tracing by arize-codex; `arize-codex uninstall` takes these entries out.";
/// The comment in a group that stays empty.
const PLACE_MARK: &str = "# Kept empty by arize-codex: the trust in the hooks below hangs on their position.";

#[cfg(test)]
mod tests;
