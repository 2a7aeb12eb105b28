//! What install, uninstall and doctor share: the files they write, find and check.

pub mod backend;
pub mod codex_cli;
pub mod codex_config;
pub mod links;
pub mod prompt;
pub mod record;
pub mod settings_file;
pub mod skill;

use crate::codex::events::EVENTS;
use crate::codex::hooks_config::Change;

/// Returns which hooks and what else a change of config.toml concerns, in words.
pub fn describe(changes: &[Change]) -> Vec<String> {
    let named = |wanted: fn(&Change) -> Option<&str>| changes.iter().filter_map(wanted).collect::<Vec<_>>();
    let mut lines = Vec::new();
    let mut say = |events: Vec<&str>, what: &str| {
        if !events.is_empty() {
            let all = events.len() == EVENTS.len();
            let which = if all { format!("all {}", EVENTS.len()) } else { events.join(", ") };
            lines.push(format!("{what}: {which}"));
        }
    };
    say(named(|c| if let Change::Added(e) = c { Some(e) } else { None }), "hooks registered");
    say(named(|c| if let Change::Rewritten(e) = c { Some(e) } else { None }), "earlier entries rewritten");
    say(named(|c| if let Change::TakenOut(e) = c { Some(e) } else { None }), "hooks removed");
    say(
        named(|c| if let Change::PlaceKept(e) = c { Some(e) } else { None }),
        "empty groups kept, so that the hooks after them stay trusted",
    );
    say(
        named(|c| if let Change::Moved(e) = c { Some(e) } else { None }),
        "other tools' hooks that Codex will ask you to review again",
    );
    for change in changes {
        lines.extend(match change {
            Change::NotifySet => Some("notify set".to_owned()),
            Change::NotifyReplaced => Some("notify set; the other program is called after ours".to_owned()),
            Change::NotifyRestored => Some("notify belongs to the other program again".to_owned()),
            Change::NotifyTakenOut => Some("notify removed".to_owned()),
            Change::NotifyLeft => Some("notify unchanged: the other program already calls ours".to_owned()),
            Change::TrustTakenOut(count) => Some(format!("{count} trust entries removed")),
            _ => None,
        });
    }
    lines
}
