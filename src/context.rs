//! What a process was given: its arguments, its environment and the directories that follow from them.
//!
//! Everything else asks here instead of the operating system, so tests can give a process of their own.
//! Every environment variable the project reads is listed once, in [`var`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use crate::layout::Paths;
use crate::platform;
use crate::time::{self, Timestamp};

/// The names of the environment variables, each read through [`Context::var`].
pub mod var {
    pub const HARNESS_HOME: &str = "ARIZE_HARNESS_HOME";
    pub const CODEX_HOME: &str = "CODEX_HOME";
    pub const MACHINE_CONFIG: &str = "ARIZE_MACHINE_CONFIG";
    pub const HOME: &str = "HOME";
    pub const USER: &str = "USER";
    pub const LOGNAME: &str = "LOGNAME";
    /// What Windows calls USER.
    pub const USERNAME: &str = "USERNAME";
    pub const TRACEPARENT: &str = "TRACEPARENT";
    pub const TRACE_ENABLED: &str = "ARIZE_TRACE_ENABLED";
    pub const DRY_RUN: &str = "ARIZE_DRY_RUN";
    pub const VERBOSE: &str = "ARIZE_VERBOSE";
    pub const TRACE_DEBUG: &str = "ARIZE_TRACE_DEBUG";
    pub const LOG_FILE: &str = "ARIZE_LOG_FILE";
    pub const PHOENIX_ENDPOINT: &str = "PHOENIX_ENDPOINT";
    pub const PHOENIX_API_KEY: &str = "PHOENIX_API_KEY";
    pub const PHOENIX_PROJECT: &str = "PHOENIX_PROJECT";
    pub const PHOENIX_PROJECT_NAME: &str = "PHOENIX_PROJECT_NAME";
    pub const ARIZE_API_KEY: &str = "ARIZE_API_KEY";
    pub const ARIZE_SPACE_ID: &str = "ARIZE_SPACE_ID";
    pub const ARIZE_OTLP_ENDPOINT: &str = "ARIZE_OTLP_ENDPOINT";
    pub const ARIZE_PROJECT_NAME: &str = "ARIZE_PROJECT_NAME";
    pub const ARIZE_USER_ID: &str = "ARIZE_USER_ID";
    pub const SPAN_TREE: &str = "ARIZE_SPAN_TREE";
    pub const SEMANTIC_CONVENTIONS: &str = "ARIZE_SEMANTIC_CONVENTIONS";
    pub const EXPORT_MODE: &str = "ARIZE_EXPORT_MODE";
    pub const LOG_PROMPTS: &str = "ARIZE_LOG_PROMPTS";
    pub const LOG_TOOL_DETAILS: &str = "ARIZE_LOG_TOOL_DETAILS";
    pub const LOG_TOOL_CONTENT: &str = "ARIZE_LOG_TOOL_CONTENT";
    pub const LOG_MODEL_INPUT: &str = "ARIZE_LOG_MODEL_INPUT";
    pub const REDACT_SECRETS: &str = "ARIZE_REDACT_SECRETS";
    pub const PRICES: &str = "ARIZE_PRICES";
    pub const MAX_VALUE_BYTES: &str = "ARIZE_MAX_VALUE_BYTES";
    pub const OTLP_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    pub const OTLP_HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
    pub const OTLP_PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
    pub const RESOURCE_ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
    pub const SSL_CERT_FILE: &str = "SSL_CERT_FILE";
    pub const NO_COLOR: &str = "NO_COLOR";
    pub const BROWSER: &str = "BROWSER";
    pub const CLICOLOR_FORCE: &str = "CLICOLOR_FORCE";
    pub const COLUMNS: &str = "COLUMNS";
    pub const PAGER: &str = "PAGER";
    pub const TERM: &str = "TERM";
}

/// The arguments, environment and directories of one process.
#[derive(Debug, Clone)]
pub struct Context {
    args: Vec<OsString>,
    vars: Vars,
    /// Variables that the command line overrides; empty counts as unset.
    overrides: BTreeMap<&'static str, &'static str>,
    paths: Paths,
    /// The present moment, for a process that is replayed.
    fixed_now: Option<Timestamp>,
}

#[derive(Debug, Clone)]
enum Vars {
    Process,
    Given(BTreeMap<String, String>),
}

impl Context {
    /// Takes the arguments and environment of this process.
    pub fn from_process() -> Context {
        Context::new(std::env::args_os().collect(), Vars::Process)
    }

    /// Makes a context of given arguments and variables, for tests and for `demo`.
    pub fn given(args: Vec<OsString>, vars: BTreeMap<String, String>) -> Context {
        Context::new(args, Vars::Given(vars))
    }

    fn new(args: Vec<OsString>, vars: Vars) -> Context {
        let paths = vars.paths();
        Context { args, vars, overrides: BTreeMap::new(), paths, fixed_now: None }
    }

    /// The same context at a given moment, to replay what happened then.
    pub fn at(mut self, now: Timestamp) -> Context {
        self.fixed_now = Some(now);
        self
    }

    /// The same context with a variable that an option of the command line stands for.
    pub fn with_var(mut self, name: &'static str, value: &'static str) -> Context {
        self.overrides.insert(name, value);
        self
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.fixed_now.unwrap_or_else(time::now)
    }

    /// The arguments, the program's own name first.
    pub fn args(&self) -> &[OsString] {
        &self.args
    }

    /// The value of an environment variable; unset, empty and not Unicode all count as none.
    pub fn var(&self, name: &str) -> Option<String> {
        match self.overrides.get(name) {
            Some(value) => Some((*value).to_owned()).filter(|v| !v.is_empty()),
            None => self.vars.get(name),
        }
    }

    /// The user's name on this machine.
    pub fn user(&self) -> Option<String> {
        [var::USER, var::LOGNAME, var::USERNAME].iter().find_map(|name| self.var(name))
    }

    /// The directories this process works in.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }
}

impl Vars {
    fn get(&self, name: &str) -> Option<String> {
        let value = match self {
            Vars::Process => std::env::var(name).ok(),
            Vars::Given(map) => map.get(name).cloned(),
        };
        value.filter(|v| !v.is_empty())
    }

    fn paths(&self) -> Paths {
        let home = match self {
            Vars::Process => home::home_dir(),
            Vars::Given(map) => map.get("HOME").map(PathBuf::from),
        };
        // Without any home the paths stay relative to nothing that exists, so every write fails and is logged.
        let home = home.filter(|h| h.is_absolute()).unwrap_or_else(|| PathBuf::from("/nonexistent"));
        let under = |name: &str, default: PathBuf| match self.get(name) {
            // The detached process works in another directory, where a relative path would mean another one.
            Some(path) => std::path::absolute(expand_home(&path, &home)).map_or(default, platform::plain),
            None => default,
        };
        let harness = under(var::HARNESS_HOME, home.join(".arize").join("harness"));
        let paths = Paths::new(harness, under(var::CODEX_HOME, home.join(".codex")));
        let machine = under(var::MACHINE_CONFIG, paths.machine_config().to_owned());
        paths.with_machine_config(machine)
    }
}

/// Resolves a leading `~/` against `home`, as a shell would.
pub fn expand_home(path: &str, home: &Path) -> PathBuf {
    match path.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None if path == "~" => home.to_path_buf(),
        None => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(vars: &[(&str, &str)]) -> Context {
        let vars = vars.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Context::given(vec!["arize-codex".into()], vars)
    }

    // Written in the names of a POSIX system.
    #[cfg(unix)]
    #[test]
    fn directories_follow_home_and_variables() {
        let plain = context(&[("HOME", "/home/dev")]);
        assert_eq!(plain.paths().config_yaml(), Path::new("/home/dev/.arize/harness/config.yaml"));
        assert_eq!(plain.paths().codex_config(), Path::new("/home/dev/.codex/config.toml"));
        let moved =
            context(&[("HOME", "/home/dev"), (var::HARNESS_HOME, "~/h"), (var::CODEX_HOME, "/srv/codex")]);
        assert_eq!(moved.paths().outbox(), Path::new("/home/dev/h/state/codex/outbox"));
        assert_eq!(moved.paths().env_file(), Path::new("/srv/codex/arize-env.sh"));
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        assert_eq!(context(&[("HOME", "/h"), (var::DRY_RUN, "")]).var(var::DRY_RUN), None);
    }
}
