//! The table of settings: name, environment variables, default, meaning. The table in .github/docs/settings.md is tested against it.

use crate::context::var;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its path under `harnesses.codex` in config.yaml, or at the top level; also its name in `config`.
    pub name: &'static str,
    /// The variables that override it, first wins. Those of a backend apply to that backend alone.
    pub variables: &'static [&'static str],
    /// Default value; empty for none.
    pub default: &'static str,
    pub about: &'static str,
}

/// Finds a setting by its name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|k| k.name == name)
}

/// Returns true if a setting has this name, holds what has it, or groups settings that do.
pub fn is_known(name: &str) -> bool {
    let inside = |whole: &str, part: &str| part.strip_prefix(whole).is_some_and(|rest| rest.starts_with('.'));
    let maps = ["attributes", "headers"];
    KEYS.iter()
        .any(|k| k.name == name || inside(name, k.name) || maps.contains(&k.name) && inside(k.name, name))
}

const fn key(
    name: &'static str,
    variables: &'static [&'static str],
    default: &'static str,
    about: &'static str,
) -> Key {
    Key { name, variables, default, about }
}

/// Every setting.
pub const KEYS: &[Key] = &[
    key(
        "target",
        &[],
        "",
        "Backend: phoenix, arize, otlp or local; PHOENIX_ENDPOINT selects phoenix, ARIZE_API_KEY with ARIZE_SPACE_ID selects arize",
    ),
    key(
        "endpoint",
        &[var::PHOENIX_ENDPOINT, var::ARIZE_OTLP_ENDPOINT, var::OTLP_ENDPOINT],
        "",
        "Address of the backend; http://localhost:6006 for phoenix, otlp.arize.com:443 for arize",
    ),
    key("api_key", &[var::PHOENIX_API_KEY, var::ARIZE_API_KEY], "", "API key of the backend"),
    key("space_id", &[var::ARIZE_SPACE_ID], "", "Space ID in Arize AX"),
    key("headers", &[var::OTLP_HEADERS], "", "Extra request headers for an otlp target"),
    key(
        "protocol",
        &[var::OTLP_PROTOCOL],
        "",
        "grpc or http/protobuf for an otlp target; if unset, the endpoint's port and path decide",
    ),
    key("allow_insecure", &[], "false", "Allow a key to be sent over plain HTTP to another machine"),
    key(
        "project_name",
        &[var::PHOENIX_PROJECT, var::PHOENIX_PROJECT_NAME, var::ARIZE_PROJECT_NAME],
        "codex",
        "Project in Phoenix or Arize AX; may contain {workspace}, {branch}, {os_user} and {git_email}",
    ),
    key(
        "user_id",
        &[var::ARIZE_USER_ID],
        "",
        "User ID, sent with every span as user.id; may contain the same",
    ),
    key("attributes", &[var::RESOURCE_ATTRIBUTES], "", "More attributes for every turn, as key=value,…"),
    key("tags", &[], "", "Tags of every turn, sent as tag.tags"),
    key(
        "span_tree",
        &[var::SPAN_TREE],
        "",
        "Layout of a trace: turn (one LLM span per turn) or calls (one per model call, for accurate costs); if unset, calls for otlp and turn for the others",
    ),
    key(
        "semantic_conventions",
        &[var::SEMANTIC_CONVENTIONS],
        "",
        "Attribute names to send: openinference, gen_ai or both; if unset, both for otlp and openinference for the others",
    ),
    key(
        "export_mode",
        &[var::EXPORT_MODE],
        "background",
        "background, or sync to deliver inside the Stop hook",
    ),
    key("logging.prompts", &[var::LOG_PROMPTS], "true", "Record prompts, answers and reasoning"),
    key("logging.tool_details", &[var::LOG_TOOL_DETAILS], "true", "Record tool arguments"),
    key("logging.tool_content", &[var::LOG_TOOL_CONTENT], "true", "Record tool results"),
    key(
        "logging.model_input",
        &[var::LOG_MODEL_INPUT],
        "false",
        "Record with each model call all that it was sent: instructions, context, the conversation so far, the tools' schemas; a playground can then repeat the call",
    ),
    key(
        "redact_secrets",
        &[var::REDACT_SECRETS],
        "true",
        "Replace keys and tokens of known formats with <secret:KIND>",
    ),
    key(
        "redact_patterns",
        &[],
        "",
        "Regular expressions for your own secrets: one, a list, or NAME: PATTERN",
    ),
    key("redact_pii", &[], "false", "Also replace card numbers, IBANs and e-mail addresses"),
    key("max_value_bytes", &[var::MAX_VALUE_BYTES], "65536", "Longer values are truncated, with a mark"),
    key("max_request_bytes", &[], "4000000", "Largest request body in bytes"),
    key("archive_days", &[], "7", "Days for which delivered turns are kept on this machine"),
    key("archive_mb", &[], "256", "Space for delivered turns on this machine, in MB"),
    key("outbox_mb", &[], "1024", "Space for undelivered turns, in MB; beyond it the oldest are set aside"),
    key(
        "prices",
        &[var::PRICES],
        "",
        "File with your own prices in LiteLLM's format; they take precedence over the built-in table",
    ),
    key("history", &[], "true", "Keep one line per turn permanently, without its content"),
    key("rules", &[], "", "List of rules: each has a path or a remote, and the settings that apply there"),
    key("notify_chain", &[], "", "Notify program of another tool, called after ours"),
    key("trace_enabled", &[var::TRACE_ENABLED], "true", "Turn tracing on or off"),
    key("dry_run", &[var::DRY_RUN], "false", "Print spans instead of sending them"),
    key("verbose", &[var::VERBOSE], "false", "Also log routine activity"),
    key("trace_debug", &[var::TRACE_DEBUG], "false", "Keep hook payloads as JSON in state/codex/debug/"),
    key(
        "log_file",
        &[var::LOG_FILE],
        "",
        "Path of the log; if unset, logs/codex.log in the harness directory",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (i, key) in KEYS.iter().enumerate() {
            assert!(KEYS[i + 1..].iter().all(|k| k.name != key.name), "{}", key.name);
        }
    }
}
