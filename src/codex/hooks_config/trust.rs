//! Codex's trust in hooks, worked out as Codex does: the hash of a handler, the key it is stored under, its state.
//!
//! The hash is SHA-256 over compact JSON with sorted keys of the event's name, the matcher and the one handler
//! with its effective timeout (`docs::codex`). Compared with what Codex 0.169.0 and 0.171.0 list for
//! every event.

use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

use crate::codex::events::{EVENTS, HookEvent};
use crate::codex::hooks_config::survey::Survey;
use crate::codex::hooks_config::{Executables, command_program};

/// One handler as Codex lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedHook {
    /// The event's name in config.toml.
    pub event: String,
    pub group: usize,
    pub handler: usize,
    pub matcher: Option<String>,
    pub command: String,
    /// Effective timeout after Codex's default and limits, in seconds.
    pub timeout_s: u64,
    pub is_async: bool,
    pub status_message: Option<String>,
    pub context_limit: Option<i64>,
    pub ours: bool,
}

/// State of one of our hooks in Codex's eyes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookState {
    Trusted,
    /// Registered, and nobody has approved it.
    NeverReviewed,
    /// Approved once, and other since; the hash that was approved.
    Changed(String),
    /// Not registered.
    Missing,
    /// Registered in a form that Codex accepts and never runs.
    WrongForm,
    /// Switched off in Codex's `/hooks`.
    Disabled,
    /// Registered with another program than the one installed here.
    OtherProgram(String),
}

/// A hook of ours and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OurHook {
    pub event: &'static HookEvent,
    pub state: HookState,
    /// A matcher that keeps calls away from us.
    pub matcher: Option<String>,
    /// True if it runs in the background, which releases before 0.169 skip.
    pub is_async: bool,
}

impl ListedHook {
    /// The end of the key under which Codex stores its trust: event, group and handler.
    pub fn place(&self) -> String {
        let key = HookEvent::named(&self.event).map_or(self.event.as_str(), |e| e.key);
        format!("{key}:{}:{}", self.group, self.handler)
    }

    /// The hash Codex stores when the hook is trusted.
    pub fn hash(&self) -> String {
        let event = HookEvent::named(&self.event);
        let identity = Identity {
            event_name: event.map_or(self.event.as_str(), |e| e.key),
            hooks: [HashedHandler {
                additional_context_limit: self
                    .context_limit
                    .filter(|_| event.is_some_and(|e| e.adds_context)),
                is_async: self.is_async,
                command: &self.command,
                status_message: self.status_message.as_deref(),
                timeout: self.timeout_s,
                kind: "command",
            }],
            matcher: self.matcher.as_deref().filter(|_| event.is_some_and(|e| e.has_matcher)),
        };
        // Serialising these types cannot fail; an empty text would only ever compare as changed.
        let json = serde_json::to_vec(&identity).unwrap_or_default();
        let mut hash = String::from("sha256:");
        for byte in Sha256::digest(&json) {
            let _ = write!(hash, "{byte:02x}");
        }
        hash
    }
}

/// Every command hook of a file, in the order of the file's events.
pub fn list(survey: &Survey) -> Vec<ListedHook> {
    let mut hooks = Vec::new();
    for event in &survey.events {
        let known = HookEvent::named(&event.name);
        for (group_index, group) in event.groups.iter().enumerate() {
            for (handler_index, handler) in group.handlers.iter().enumerate() {
                let Some(command) = handler.command.clone().filter(|_| handler.kind == "command") else {
                    continue;
                };
                let (default, longest) =
                    known.map_or((600, u64::MAX), |e| (e.default_timeout_s, e.max_timeout_s));
                hooks.push(ListedHook {
                    event: event.name.clone(),
                    group: group_index,
                    handler: handler_index,
                    matcher: group.matcher.clone(),
                    command,
                    timeout_s: handler.timeout_s.unwrap_or(default).max(1).min(longest),
                    is_async: handler.is_async,
                    status_message: handler.status_message.clone(),
                    context_limit: handler.context_limit,
                    ours: handler.is_ours(),
                });
            }
        }
    }
    hooks
}

/// The state of each of our hooks. `config_paths` are the spellings under which Codex may know the file.
pub fn our_hooks(survey: &Survey, executables: &Executables, config_paths: &[String]) -> Vec<OurHook> {
    let listed = list(survey);
    let of = |event: &'static HookEvent| {
        let ours = || listed.iter().filter(move |h| h.ours && h.event == event.name);
        let runs =
            |h: &&ListedHook| command_program(&h.command).as_deref() == Some(executables.path(event.role));
        let found = ours().find(runs).or_else(|| ours().next());
        let state = match found {
            None => unlisted(survey, event),
            Some(hook) if !runs(&hook) => {
                HookState::OtherProgram(command_program(&hook.command).unwrap_or_default())
            }
            Some(hook) => trust_of(survey, hook, config_paths),
        };
        OurHook {
            event,
            state,
            matcher: found.and_then(|h| h.matcher.clone()).filter(|_| event.has_matcher),
            is_async: found.is_some_and(|h| h.is_async),
        }
    };
    EVENTS.iter().map(of).collect()
}

fn unlisted(survey: &Survey, event: &HookEvent) -> HookState {
    let groups = survey.event(event.name).map_or(&[][..], |e| &e.groups);
    let dead = groups.iter().any(|g| g.owner() != crate::codex::hooks_config::survey::Owner::Other);
    if dead { HookState::WrongForm } else { HookState::Missing }
}

/// Returns what Codex's stored state says of a hook, ours or another.
pub fn trust_of(survey: &Survey, hook: &ListedHook, config_paths: &[String]) -> HookState {
    let place = hook.place();
    let is_its = |key: &str| {
        config_paths.iter().any(|path| {
            key.trim().strip_prefix(path.as_str()).and_then(|k| k.strip_prefix(':')) == Some(place.as_str())
        })
    };
    let states = || survey.states.iter().filter(|s| is_its(&s.key));
    if states().any(|s| s.enabled == Some(false)) {
        return HookState::Disabled;
    }
    let hash = hook.hash();
    let mut approved = states().filter_map(|s| s.trusted_hash.clone());
    // Codex 0.169 puts a second hash behind a plugin's hook, `<ours>/<another>`.
    let same = |other: &str| other.split('/').next() == Some(hash.as_str());
    match approved.next() {
        None => HookState::NeverReviewed,
        Some(first) if same(&first) || approved.any(|other| same(&other)) => HookState::Trusted,
        Some(first) => HookState::Changed(first),
    }
}

/// The identity Codex hashes; the fields stand in the order of their names.
#[derive(Serialize)]
struct Identity<'a> {
    event_name: &'a str,
    hooks: [HashedHandler<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    matcher: Option<&'a str>,
}

#[derive(Serialize)]
struct HashedHandler<'a> {
    #[serde(rename = "additionalContextLimit", skip_serializing_if = "Option::is_none")]
    additional_context_limit: Option<i64>,
    #[serde(rename = "async")]
    is_async: bool,
    command: &'a str,
    #[serde(rename = "statusMessage", skip_serializing_if = "Option::is_none")]
    status_message: Option<&'a str>,
    timeout: u64,
    #[serde(rename = "type")]
    kind: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `hooks/list` of Codex for `/bin/true`: with a timeout of 3 (plain), with a matcher, a status message and more
    /// (all), with a timeout beyond every limit (long), and with blanks around the command and no time at all (zero).
    const LISTED: &str = include_str!("../../../tests/trust-hashes.txt");

    #[test]
    fn hashes_are_those_codex_lists() {
        let mut compared = 0;
        for line in LISTED.lines().filter(|l| !l.starts_with('#')) {
            let [name, wording, hash] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let (matcher, handler) = match wording {
                "plain" => ("", "command = \"/bin/true\"\ntimeout = 3\n"),
                "long" => ("", "command = \"/bin/true\"\ntimeout = 100000\n"),
                "zero" => ("", "command = \"  /bin/true  \"\ntimeout = 0\n"),
                _ => (
                    "matcher = \"Ba.*\"\n",
                    "command = \"/bin/true\"\nstatusMessage = \"tracing\"\nasync = true\nadditionalContextLimit = 5\n",
                ),
            };
            let text =
                format!("[[hooks.{name}]]\n{matcher}[[hooks.{name}.hooks]]\ntype = \"command\"\n{handler}");
            let hooks = list(&Survey::of(&text).unwrap());
            assert_eq!(hooks[0].hash(), hash, "{name} {wording}");
            compared += 1;
        }
        assert_eq!(compared, 4 * EVENTS.len());
    }

    // Written in the names of a POSIX system.
    #[cfg(unix)]
    #[test]
    fn each_way_to_be_out_of_order_has_its_name() {
        let ours = Executables::in_folder("/b");
        let paths = ["/c/config.toml".to_owned()];
        let state = |stop: &str| {
            let survey = Survey::of(stop).unwrap();
            let hooks = our_hooks(&survey, &ours, &paths);
            hooks.into_iter().find(|h| h.event.name == "Stop").unwrap().state
        };
        let entry = "[[hooks.Stop]]\nhooks = [{ type = \"command\", command = \"/b/arize-hook-codex-stop\", timeout = 30 }]\n";
        let hash = list(&Survey::of(entry).unwrap())[0].hash();
        let with = |line: &str| format!("{entry}[hooks.state.\"/c/config.toml:stop:0:0\"]\n{line}\n");
        for (text, expected) in [
            (String::new(), HookState::Missing),
            (entry.to_owned(), HookState::NeverReviewed),
            (with(&format!("trusted_hash = \"{hash}\"")), HookState::Trusted),
            (with(&format!("trusted_hash = \"{hash}\"")).replace("0:0\"]", "0:0 \"]"), HookState::Trusted),
            (
                with(&format!("trusted_hash = \"{hash}\"")).replace("0:0\"]", "0:1\"]"),
                HookState::NeverReviewed,
            ),
            (with("trusted_hash = \"sha256:0\""), HookState::Changed("sha256:0".into())),
            (with("enabled = false"), HookState::Disabled),
            ("[[hooks.Stop]]\ncommand = [\"/b/arize-hook-codex-stop\"]\n".into(), HookState::WrongForm),
            (entry.replace("/b/", "/v/"), HookState::OtherProgram("/v/arize-hook-codex-stop".into())),
            (with(&format!("trusted_hash = \"{hash}\"")).replace("/c/", "/d/"), HookState::NeverReviewed),
            (with(&format!("trusted_hash = \"{hash}/sha256:1\"")), HookState::Trusted),
            (
                with(&format!("trusted_hash = \"sha256:1/{hash}\"")),
                HookState::Changed(format!("sha256:1/{hash}")),
            ),
            (entry.replace("/b/arize-hook-codex-stop", "/b/another"), HookState::Missing),
            (entry.replace("hooks.Stop", "hooks.PreCompact"), HookState::Missing),
            (entry.replace("type = \"command\"", "type = \"prompt\""), HookState::WrongForm),
        ] {
            assert_eq!(state(&text), expected, "{text}");
        }
    }

    #[test]
    fn hash_approved_under_any_spelling_counts() {
        let entry =
            "[[hooks.Stop]]\nhooks = [{ type = \"command\", command = \"/b/arize-hook-codex-stop\" }]\n";
        let paths = ["/c/config.toml".to_owned(), "/link/config.toml".to_owned()];
        let hook = list(&Survey::of(entry).unwrap()).remove(0);
        let state = |path: &str, hash: &str| {
            format!("[hooks.state.\"{path}:stop:0:0\"]\ntrusted_hash = \"{hash}\"\n")
        };
        let of = |states: [String; 2]| {
            trust_of(&Survey::of(&format!("{entry}{}", states.concat())).unwrap(), &hook, &paths)
        };
        let (old, new) = ("sha256:0".to_owned(), hook.hash());
        assert_eq!(of([state(&paths[0], &old), state(&paths[1], &new)]), HookState::Trusted);
        assert_eq!(of([state(&paths[0], &new), state(&paths[1], &old)]), HookState::Trusted);
        assert_eq!(of([state(&paths[0], &old), state(&paths[1], &old)]), HookState::Changed(old));
    }

    // Written in the names of a POSIX system.
    #[cfg(unix)]
    #[test]
    fn our_own_program_is_found_behind_an_old_one() {
        let group = |folder: &str, more: &str| {
            let command = format!("{folder}/arize-hook-codex-tool");
            format!(
                "[[hooks.PreToolUse]]\n{more}hooks = [{{ type = \"command\", command = \"{command}\" }}]\n"
            )
        };
        let text = [group("/old", ""), group("/b", "matcher = \"Bash\"\n")].concat();
        let ours = our_hooks(&Survey::of(&text).unwrap(), &Executables::in_folder("/b"), &[]);
        let hook = ours.iter().find(|h| h.event.name == "PreToolUse").unwrap();
        assert_eq!((&hook.state, hook.matcher.as_deref()), (&HookState::NeverReviewed, Some("Bash")));
        assert!(!hook.is_async && ours.len() == EVENTS.len());
    }
}
