//! The one table of Codex's hook events: name, role, trust key, timeouts and the release that brought each.
//!
//! Payloads, installing, trust, `doctor`, `demo` and the README's tables all read it. Names, clamps and what the
//! trust hash leaves out are those that `hooks/list` of Codex 0.169.0 and 0.171.0 shows; an older release ignores the
//! names it does not know.

use std::fmt;

/// Which of the three hook executables serves an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookRole {
    Session,
    Tool,
    Stop,
}

impl HookRole {
    pub const ALL: [HookRole; 3] = [HookRole::Session, HookRole::Tool, HookRole::Stop];

    /// Returns the role's name, as in `arize-codex hook NAME`.
    pub const fn name(self) -> &'static str {
        match self {
            HookRole::Session => "session",
            HookRole::Tool => "tool",
            HookRole::Stop => "stop",
        }
    }

    /// Returns the name of the link that Codex calls.
    pub const fn link(self) -> &'static str {
        match self {
            HookRole::Session => "arize-hook-codex-session",
            HookRole::Tool => "arize-hook-codex-tool",
            HookRole::Stop => "arize-hook-codex-stop",
        }
    }
}

/// A point of a session at which Codex calls a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    SessionStart,
    UserPromptSubmit,
    SubagentStart,
    PreToolUse,
    PostToolUse,
    PermissionRequest,
    PreCompact,
    PostCompact,
    Stop,
    SubagentStop,
    Interrupt,
    SessionEnd,
    PreModelRequest,
    PostModelRequest,
}

impl Event {
    /// Returns the event's row of the table.
    pub fn about(self) -> &'static HookEvent {
        &EVENTS[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.about().name
    }
}

/// A release of Codex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u64, pub u64, pub u64);

impl Version {
    /// Reads the number in `codex-cli 0.169.0`.
    pub fn parse(text: &str) -> Option<Version> {
        let number = text.split_whitespace().find(|w| w.starts_with(|c: char| c.is_ascii_digit()))?;
        let mut parts = number.split(['.', '-']).map(|p| p.parse().ok());
        Some(Version(parts.next()??, parts.next()??, parts.next()??))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// One hook event: how Codex names it, calls it and trusts it, and what we do with it.
#[derive(Debug, PartialEq, Eq)]
pub struct HookEvent {
    pub event: Event,
    /// The name under `[hooks]` and in payloads.
    pub name: &'static str,
    /// The name in trust keys and in the hashed identity.
    pub key: &'static str,
    pub role: HookRole,
    /// The first release of those tried that calls it; it is harmless in older ones.
    pub since: Version,
    /// The timeout we register, in seconds.
    pub timeout_s: u64,
    /// Timeout of a handler that names none, in seconds.
    pub default_timeout_s: u64,
    /// The longest timeout Codex grants, in seconds; a longer one is clamped with a warning.
    pub max_timeout_s: u64,
    /// True if Codex reads a `matcher`; elsewhere it is dropped before hashing.
    pub has_matcher: bool,
    /// True if the event can add context; elsewhere `additionalContextLimit` is dropped before hashing.
    pub adds_context: bool,
}

impl HookEvent {
    /// Finds an event by its name in `config.toml`.
    pub fn named(name: &str) -> Option<&'static HookEvent> {
        EVENTS.iter().find(|event| event.name == name)
    }

    /// Sets the timeouts of an event that Codex does not wait for long.
    const fn clamped(self) -> HookEvent {
        HookEvent { timeout_s: 3, default_timeout_s: 1, max_timeout_s: 3, ..self }
    }

    const fn since(self, since: Version) -> HookEvent {
        HookEvent { since, ..self }
    }

    const fn without_matcher(self) -> HookEvent {
        HookEvent { has_matcher: false, ..self }
    }

    const fn adding_context(self) -> HookEvent {
        HookEvent { adds_context: true, ..self }
    }
}

const fn event(event: Event, name: &'static str, key: &'static str, role: HookRole) -> HookEvent {
    HookEvent {
        event,
        name,
        key,
        role,
        since: FIRST_WITH_HOOKS,
        timeout_s: 30,
        default_timeout_s: 600,
        max_timeout_s: u64::MAX,
        has_matcher: true,
        adds_context: false,
    }
}

/// The first release of those tried that calls hooks; before, there is notify alone.
pub const FIRST_WITH_HOOKS: Version = Version(0, 142, 5);

use HookRole::{Session, Stop, Tool};

/// Every event we register, in the order of [`Event`], in which they are written too.
pub static EVENTS: [HookEvent; 14] = [
    event(Event::SessionStart, "SessionStart", "session_start", Session).adding_context(),
    event(Event::UserPromptSubmit, "UserPromptSubmit", "user_prompt_submit", Session)
        .adding_context()
        .without_matcher(),
    event(Event::SubagentStart, "SubagentStart", "subagent_start", Session).adding_context(),
    event(Event::PreToolUse, "PreToolUse", "pre_tool_use", Tool).adding_context(),
    event(Event::PostToolUse, "PostToolUse", "post_tool_use", Tool).adding_context(),
    event(Event::PermissionRequest, "PermissionRequest", "permission_request", Tool),
    event(Event::PreCompact, "PreCompact", "pre_compact", Tool),
    event(Event::PostCompact, "PostCompact", "post_compact", Tool),
    event(Event::Stop, "Stop", "stop", Stop).without_matcher(),
    event(Event::SubagentStop, "SubagentStop", "subagent_stop", Stop),
    event(Event::Interrupt, "Interrupt", "interrupt", Stop)
        .since(Version(0, 155, 0))
        .clamped()
        .without_matcher(),
    event(Event::SessionEnd, "SessionEnd", "session_end", Stop).since(Version(0, 146, 1)).clamped(),
    event(Event::PreModelRequest, "PreModelRequest", "pre_model_request", Tool)
        .since(Version(0, 169, 0))
        .without_matcher(),
    event(Event::PostModelRequest, "PostModelRequest", "post_model_request", Tool)
        .since(Version(0, 169, 0))
        .without_matcher(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_stands_at_its_own_place_under_one_name() {
        for (place, row) in EVENTS.iter().enumerate() {
            assert_eq!((row.event as usize, row.event.about()), (place, row));
            assert_eq!(format!("{:?}", row.event), row.name);
            assert_eq!(HookEvent::named(row.name), Some(row));
            let snake: String = row.name.chars().enumerate().fold(String::new(), |mut snake, (n, c)| {
                if c.is_ascii_uppercase() && n > 0 {
                    snake.push('_');
                }
                snake.push(c.to_ascii_lowercase());
                snake
            });
            assert_eq!(row.key, snake);
        }
        assert_eq!(HookEvent::named("Tomorrow"), None);
    }

    #[test]
    fn the_number_of_a_release_is_read_wherever_it_stands() {
        assert_eq!(Version::parse("codex-cli 0.169.0\n"), Some(Version(0, 169, 0)));
        assert_eq!(Version::parse("codex 0.171.0-alpha.2"), Some(Version(0, 171, 0)));
        assert_eq!(Version::parse("codex"), None);
        let before = Version::parse("x 0.139.0");
        assert!(before < Some(FIRST_WITH_HOOKS) && Version::parse("x 1.0.0") > Some(FIRST_WITH_HOOKS));
    }
}
