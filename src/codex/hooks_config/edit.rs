//! Installs into a config.toml and uninstalls from it, and refuses an edit that would change anything of others.

use toml_edit::{Document, Item, Value};

use crate::codex::hooks_config::survey::Survey;
use crate::codex::hooks_config::trust::{self, ListedHook};
use crate::codex::hooks_config::{ConfigError, Executables, Installed, Removed, insert, remove};

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

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "model = \"m\"\nnotify = [\"a\"]\n\n[[hooks.Stop]]\n[[hooks.Stop.hooks]]\n\
                          type = \"command\"\ncommand = \"theirs\"\n\n[[hooks.Stop]]\n[[hooks.Stop.hooks]]\n\
                          type = \"command\"\ncommand = \"other\"\n";

    #[test]
    fn edit_of_others_is_refused() {
        let moved =
            "[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = \"command\"\ncommand = \"first\"\n\n[[hooks.Stop]]";
        for (changed, by) in [
            ("another command", BEFORE.replace("theirs", "changed")),
            ("another timeout", BEFORE.replace("\"theirs\"\n", "\"theirs\"\ntimeout = 3\n")),
            ("a hook lost", BEFORE.replace("\"command\"\ncommand = \"other\"", "\"prompt\"")),
            ("a hook at another place", BEFORE.replacen("[[hooks.Stop]]", moved, 1)),
            ("another value", BEFORE.replace("\"m\"", "\"n\"")),
            ("a new value", format!("sandbox = \"off\"\n{BEFORE}")),
            ("a value lost", BEFORE.replace("model = \"m\"\n", "")),
        ] {
            for same_places in [true, false] {
                let checked = check_others(BEFORE, &by, same_places);
                assert_eq!(checked, Err(ConfigError::Unsafe), "{changed}");
            }
        }
        let ours = BEFORE.replace("[\"a\"]", "[\"/bin/arize-hook-codex-notify\"]");
        assert_eq!(check_others(BEFORE, &ours, true), Ok(()));
        assert_eq!(check_others(BEFORE, &format!("# more\n{BEFORE}"), true), Ok(()));
    }

    #[test]
    fn restored_notify_cannot_bring_more() {
        let text = "notify = [\"/bin/arize-hook-codex-notify\"]\n";
        let removed = uninstall(text, &[], Some("[\"a\"]\nsandbox_mode = \"danger-full-access\""));
        assert_eq!(removed, Err(ConfigError::Unsafe));
        assert_eq!(uninstall(text, &[], Some("[\"a\"]")).unwrap().text, "notify = [\"a\"]\n");
    }
}
