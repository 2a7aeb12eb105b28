//! The table of settings: name, environment variables, default, meaning. The README's table is tested against it.

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
        "Backend: phoenix, arize, otlp or local; PHOENIX_ENDPOINT, or ARIZE_API_KEY with ARIZE_SPACE_ID, chooses one",
    ),
    key(
        "endpoint",
        &[var::PHOENIX_ENDPOINT, var::ARIZE_OTLP_ENDPOINT, var::OTLP_ENDPOINT],
        "",
        "Where the backend listens; http://localhost:6006 for phoenix, otlp.arize.com:443 for arize",
    ),
    key("api_key", &[var::PHOENIX_API_KEY, var::ARIZE_API_KEY], "", "The backend's key"),
    key("space_id", &[var::ARIZE_SPACE_ID], "", "Arize AX space"),
    key("headers", &[var::OTLP_HEADERS], "", "Extra request headers of an otlp target"),
    key(
        "protocol",
        &[var::OTLP_PROTOCOL],
        "",
        "grpc or http/protobuf for an otlp target; by default from the endpoint's port and path",
    ),
    key("allow_insecure", &[], "false", "Send a key over plain http to a host that is not this machine"),
    key(
        "project_name",
        &[var::PHOENIX_PROJECT, var::PHOENIX_PROJECT_NAME, var::ARIZE_PROJECT_NAME],
        "codex",
        "Project in Phoenix or Arize AX; may hold {workspace}, {branch}, {os_user}, {git_email}",
    ),
    key("user_id", &[var::ARIZE_USER_ID], "", "user.id on the spans; may hold the same"),
    key("attributes", &[var::RESOURCE_ATTRIBUTES], "", "Further attributes, key=value,…"),
    key("tags", &[], "", "tag.tags on the turn"),
    key(
        "span_tree",
        &[var::SPAN_TREE],
        "",
        "turn: one LLM span a turn; calls: one LLM span a model response, for accurate costs; by default calls for otlp, turn for the others",
    ),
    key(
        "semantic_conventions",
        &[var::SEMANTIC_CONVENTIONS],
        "",
        "Names of the attributes: openinference, gen_ai or both; by default both for otlp, openinference for the others",
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
        "redact_secrets",
        &[var::REDACT_SECRETS],
        "true",
        "Replace keys and tokens of known form by <secret:KIND>",
    ),
    key("redact_patterns", &[], "", "Regular expressions of your own secrets: one, a list, or NAME: PATTERN"),
    key("redact_pii", &[], "false", "Replace card numbers, IBANs and e-mail addresses as well"),
    key("max_value_bytes", &[var::MAX_VALUE_BYTES], "65536", "Longer values are cut, with a mark"),
    key("max_request_bytes", &[], "4000000", "Largest request body"),
    key("archive_days", &[], "7", "How long delivered turns are kept locally"),
    key("archive_mb", &[], "256", "How much of them is kept"),
    key("outbox_mb", &[], "1024", "How much undelivered is kept before the oldest is set aside"),
    key(
        "prices",
        &[var::PRICES],
        "",
        "File with prices of your own, in LiteLLM's form, over the built-in table",
    ),
    key("history", &[], "true", "Keep one line a turn for good, without its content; false keeps none"),
    key(
        "rules",
        &[],
        "",
        "List of rules, each with path or remote (globs) and the settings that hold there; never read from a repository",
    ),
    key("notify_chain", &[], "", "Another tool's notify program, called after ours"),
    key("trace_enabled", &[var::TRACE_ENABLED], "true", "Tracing on or off"),
    key("dry_run", &[var::DRY_RUN], "false", "Print spans instead of sending them"),
    key("verbose", &[var::VERBOSE], "false", "Log routine activity too"),
    key("trace_debug", &[var::TRACE_DEBUG], "false", "Keep payloads as JSON in state/codex/debug/"),
    key("log_file", &[var::LOG_FILE], "", "The log; logs/codex.log under the harness folder"),
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
