//! Lossless editing of Codex's `config.toml`: our twelve hooks and `notify` in, and out again.
//!
//! toml_edit says what stands where ([`survey`]); every change is a splice into the text itself ([`splice`]), so
//! comments, order, line breaks, a byte order mark and a missing last line break stay as they are. [`insert`] only
//! ever appends to an event's groups, because Codex ties its trust to a hook's position; [`remove`] leaves an empty
//! group where a later hook would otherwise move. Nothing here reads or writes a file.

mod command;
mod insert;
mod remove;
mod spans;
mod splice;
pub mod survey;

use toml_edit::{Document, Item, Value};

use super::hook_events::{HookEvent, HookRole};
use super::trust::{self, ListedHook};
pub use command::{NOTIFY_NAME, is_notify, program as command_program};
use survey::Survey;

/// The absolute paths of our four executables as they are registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executables {
    pub session: String,
    pub tool: String,
    pub stop: String,
    pub notify: String,
}

impl Executables {
    /// The executables in a folder, under the names Codex knows them by.
    pub fn in_folder(folder: &str) -> Executables {
        let path = |name: &str| format!("{}/{name}", folder.trim_end_matches('/'));
        Executables {
            session: path("arize-hook-codex-session"),
            tool: path("arize-hook-codex-tool"),
            stop: path("arize-hook-codex-stop"),
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
    /// What `notify` was before, when it was another tool's.
    pub replaced_notify: Option<ForeignNotify>,
    pub changes: Vec<Change>,
}

/// A file after removing.
#[derive(Debug, PartialEq, Eq)]
pub struct Removed {
    pub text: String,
    pub changes: Vec<Change>,
}

/// One thing done to the file, for the person to read.
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

/// Registers our hooks and `notify`. Installing into a file that has them gives the same bytes.
///
/// # Errors
/// When the file is not valid TOML, or of a form Codex itself refuses.
pub fn install(text: &str, executables: &Executables) -> Result<Installed, ConfigError> {
    let mut changes = Vec::new();
    let migrated = insert::migrate(text, executables, &mut changes)?;
    let (notified, replaced_notify) = insert::set_notify(&migrated, executables, &mut changes)?;
    let edited = insert::add_missing(&notified, executables, &mut changes)?;
    check_others(text, &edited, true)?;
    Ok(Installed { text: edited, replaced_notify, changes })
}

/// Takes our hooks, `notify` and trust entries out. `restore` is what `notify` stood for before, as TOML;
/// `config_paths` are the spellings under which Codex may know this file.
///
/// # Errors
/// As [`install`].
pub fn uninstall(text: &str, config_paths: &[String], restore: Option<&str>) -> Result<Removed, ConfigError> {
    let mut changes = Vec::new();
    let unhooked = remove::take_out_hooks(text, config_paths, &mut changes)?;
    let edited = remove::restore_notify(&unhooked, restore, &mut changes)?;
    check_others(text, &edited, false)?;
    Ok(Removed { text: edited, changes })
}

/// Refuses an edit after which anything that is not ours reads differently.
fn check_others(before: &str, after: &str, same_places: bool) -> Result<(), ConfigError> {
    let others = |text: &str| -> Result<Vec<(String, String)>, ConfigError> {
        let hooks = trust::list(&Survey::of(text)?);
        let place = |h: &ListedHook| if same_places { h.place() } else { h.event.clone() };
        Ok(hooks.iter().filter(|h| !h.ours).map(|h| (place(h), h.hash())).collect())
    };
    let same = others(before)? == others(after)? && rest_of(before) == rest_of(after);
    if same { Ok(()) } else { Err(ConfigError::Unsafe) }
}

/// The meaning of everything outside `hooks` and `notify`.
fn rest_of(text: &str) -> Option<Vec<(String, String)>> {
    let document = Document::parse(text).ok()?;
    let rest = document.as_table().iter().filter(|(name, _)| *name != "hooks" && *name != "notify");
    let mut rest: Vec<_> = rest.map(|(name, item)| (name.to_owned(), meaning(item))).collect();
    rest.sort();
    Some(rest)
}

fn meaning(item: &Item) -> String {
    if let Some(table) = item.as_table_like() {
        let mut parts: Vec<String> = table.iter().map(|(k, v)| format!("{k:?}={}", meaning(v))).collect();
        parts.sort();
        return format!("{{{}}}", parts.join(","));
    }
    match item {
        Item::ArrayOfTables(tables) => {
            let parts: Vec<String> = tables.iter().map(|t| meaning(&Item::Table(t.clone()))).collect();
            format!("[{}]", parts.join(","))
        }
        Item::Value(Value::Array(array)) => {
            let parts: Vec<String> = array.iter().map(|v| meaning(&Item::Value(v.clone()))).collect();
            format!("[{}]", parts.join(","))
        }
        Item::Value(value) => match value.as_str() {
            Some(text) => format!("{text:?}"),
            None => value.to_string().trim().to_owned(),
        },
        _ => String::new(),
    }
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

#[cfg(test)]
mod tests;
