//! The twelve hook events of Codex and which of our executables each is registered for.
//!
//! Names, the clamp of two timeouts and what the trust hash leaves out were observed on Codex 0.169.0;
//! an older release ignores the names it does not know.

/// Which of the three hook executables serves an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookRole {
    Session,
    Tool,
    Stop,
}

/// One hook event as it is written in `config.toml`.
#[derive(Debug, PartialEq, Eq)]
pub struct HookEvent {
    /// The name under `[hooks]`.
    pub name: &'static str,
    /// The name in trust keys and in the hashed identity.
    pub key: &'static str,
    pub role: HookRole,
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
}

const fn event(name: &'static str, key: &'static str, role: HookRole) -> HookEvent {
    let short = matches!(key.as_bytes(), b"interrupt" | b"session_end");
    let has_matcher = !matches!(key.as_bytes(), b"user_prompt_submit" | b"stop" | b"interrupt");
    let adds_context = matches!(
        key.as_bytes(),
        b"pre_tool_use" | b"post_tool_use" | b"session_start" | b"user_prompt_submit" | b"subagent_start"
    );
    HookEvent {
        name,
        key,
        role,
        timeout_s: if short { 3 } else { 30 },
        default_timeout_s: if short { 1 } else { 600 },
        max_timeout_s: if short { 3 } else { u64::MAX },
        has_matcher,
        adds_context,
    }
}

/// Every event we register, in the order they are written.
pub static EVENTS: [HookEvent; 12] = [
    event("SessionStart", "session_start", HookRole::Session),
    event("UserPromptSubmit", "user_prompt_submit", HookRole::Session),
    event("SubagentStart", "subagent_start", HookRole::Session),
    event("PreToolUse", "pre_tool_use", HookRole::Tool),
    event("PostToolUse", "post_tool_use", HookRole::Tool),
    event("PermissionRequest", "permission_request", HookRole::Tool),
    event("PreCompact", "pre_compact", HookRole::Tool),
    event("PostCompact", "post_compact", HookRole::Tool),
    event("Stop", "stop", HookRole::Stop),
    event("SubagentStop", "subagent_stop", HookRole::Stop),
    event("Interrupt", "interrupt", HookRole::Stop),
    event("SessionEnd", "session_end", HookRole::Stop),
];
