//! Our hooks as a Codex plugin brings them.
//!
//! Codex keeps a plugin in `plugins/cache/<marketplace>/<name>/<version>`, switches it on in config.toml under
//! `[plugins."<name>@<marketplace>"]`, and trusts its hooks there under `<name>@<marketplace>:hooks/hooks.json`
//! (`hooks/list` of Codex 0.142.5 to 0.169.0).

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

use crate::codex::hooks_config::survey::{EventGroups, Group, Handler, Survey};
use crate::codex::hooks_config::trust;
use crate::codex::hooks_config::trust::{HookState, OurHook};
use crate::codex::hooks_config::{COMMAND_KEYS, Executables, PLUGIN_BIN};
use crate::file;

/// A plugin that is switched on and registers hooks of ours.
#[derive(Debug, PartialEq, Eq)]
pub struct Plugin {
    /// `<name>@<marketplace>`, as Codex's commands take it.
    pub id: String,
    pub hooks: Vec<OurHook>,
}

/// The first plugin with hooks of ours.
pub fn find(codex_home: &Path, config: &Survey) -> Option<Plugin> {
    config.plugins.iter().find_map(|id| {
        let (name, marketplace) = id.rsplit_once('@')?;
        let versions = codex_home.join("plugins/cache").join(marketplace).join(name);
        let json = file::read_bounded(&newest(&versions)?.join(HOOKS), MAX_BYTES).ok()??;
        let mut survey = survey_of(&serde_json::from_slice(&json).ok()?);
        survey.states = config.states.clone();
        let hooks =
            trust::our_hooks(&survey, &Executables::in_folder(PLUGIN_BIN), &[format!("{id}:{HOOKS}")]);
        let any = hooks.iter().any(|hook| hook.state != HookState::Missing);
        any.then(|| Plugin { id: id.clone(), hooks })
    })
}

fn newest(versions: &Path) -> Option<PathBuf> {
    fs::read_dir(versions).ok()?.flatten().map(|e| e.path()).max()
}

/// A hooks.json, in the shape of config.toml's hooks.
fn survey_of(json: &Value) -> Survey {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let handler = |value: &Value| Handler {
        kind: text(value, "type").unwrap_or_default(),
        command: COMMAND_KEYS.iter().find_map(|key| text(value, key)),
        timeout_s: value.get("timeout").and_then(Value::as_u64),
        is_async: value.get("async").and_then(Value::as_bool).unwrap_or(false),
        status_message: text(value, "statusMessage"),
        context_limit: value.get("additionalContextLimit").and_then(Value::as_i64),
        ..Handler::default()
    };
    let group = |value: &Value| Group {
        matcher: text(value, "matcher"),
        handlers: list(value.get("hooks")).iter().map(handler).collect(),
        ..Group::default()
    };
    let events = json.get("hooks").and_then(Value::as_object);
    let events = events.into_iter().flatten().map(|(name, groups)| EventGroups {
        name: name.clone(),
        groups: list(Some(groups)).iter().map(group).collect(),
        array: None,
    });
    Survey { events: events.collect(), ..Survey::default() }
}

const HOOKS: &str = "hooks/hooks.json";
const MAX_BYTES: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codex::events::EVENTS;

    const OURS: &str = include_str!("../../.agents/plugins/arize-codex/hooks/hooks.json");
    /// `hooks/list` of Codex 0.155.0 for that file; 0.169.0 puts a second hash behind it.
    const PRE_TOOL_USE: &str = "sha256:f9ac9916fdaabeeb64bdf4737a700016db637074a4b107b22ab108922f74de95";
    const SECOND: &str = "sha256:44a79f1c1f09c1ddf48b43e56d7598af8e055a71830028445fb3de74f39e1c93";

    fn state_of_pre_tool_use(config: &str) -> Option<HookState> {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("plugins/cache/market/arize-codex/0.1.0/hooks");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("hooks.json"), OURS).unwrap();
        let plugin = find(home.path(), &Survey::of(config).unwrap())?;
        assert_eq!((plugin.id.as_str(), plugin.hooks.len()), ("arize-codex@market", EVENTS.len()));
        plugin.hooks.into_iter().find(|h| h.event.name == "PreToolUse").map(|h| h.state)
    }

    #[test]
    fn plugin_registers_every_event_of_table() {
        let survey = survey_of(&serde_json::from_str(OURS).unwrap());
        let listed = trust::list(&survey);
        assert_eq!(listed.len(), EVENTS.len());
        let executables = Executables::in_folder(PLUGIN_BIN);
        for event in &EVENTS {
            let hook = listed.iter().find(|h| h.event == event.name).unwrap();
            let quoted = format!("\"{}\"", executables.path(event.role));
            assert_eq!(hook.command.trim_start_matches("& "), quoted, "{}", event.name);
            assert_eq!(hook.timeout_s, event.timeout_s, "{}", event.name);
        }
    }

    /// PowerShell runs a quoted path only behind `&`, and knows `$HOME`.
    #[test]
    fn plugin_has_command_for_windows() {
        let json: Value = serde_json::from_str(OURS).unwrap();
        for event in &EVENTS {
            let handler = &json["hooks"][event.name][0]["hooks"][0];
            let path = format!(r"$HOME\.arize\harness\bin\{}.exe", event.role.link());
            assert_eq!(handler["commandWindows"], format!("& \"{path}\""), "{}", event.name);
        }
    }

    // Written in the names of a POSIX system.
    #[cfg(unix)]
    #[test]
    fn plugin_counts_when_enabled_and_trusted() {
        let on = "[plugins.\"arize-codex@market\"]\nenabled = true\n";
        let trusted = |hash: &str| {
            let key = "arize-codex@market:hooks/hooks.json:pre_tool_use:0:0";
            state_of_pre_tool_use(&format!("{on}[hooks.state.\"{key}\"]\ntrusted_hash = \"{hash}\"\n"))
        };
        assert_eq!(state_of_pre_tool_use(""), None);
        assert_eq!(state_of_pre_tool_use(&on.replace("true", "false")), None);
        assert_eq!(state_of_pre_tool_use(on), Some(HookState::NeverReviewed));
        assert_eq!(trusted(PRE_TOOL_USE), Some(HookState::Trusted));
        assert_eq!(trusted(&format!("{PRE_TOOL_USE}/{SECOND}")), Some(HookState::Trusted));
        assert!(matches!(trusted(SECOND), Some(HookState::Changed(_))));
    }
}
