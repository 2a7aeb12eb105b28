//! Settings: what the user wants, from the environment, `arize-env.sh` and `config.yaml`.
//!
//! The first that is set wins: process environment, `$CODEX_HOME/arize-env.sh`, `harnesses.codex.*` in
//! config.yaml, its top level, the default. [`keys`] lists every setting once,
//! [`document`] reads and edits config.yaml, [`env_file`] reads the shell file without running it. Writing
//! config.yaml is for `cli`; hooks only read.

pub mod document;
pub mod env_file;
pub mod keys;
pub mod pairs;
pub mod patterns;
mod resolve;
mod rules;
mod template;
mod typed;
mod values;
pub mod yaml_bounds;

pub use resolve::{CODEX_PREFIX, Resolved, Resolver, Source};
pub use rules::rule_settings;
pub use values::{ExportMode, Protocol, Secret, SemanticConventions, SpanTree, Target};

use crate::context::{Context, Paths, var};
use crate::file;
use crate::log::Log;
use document::{Document, DocumentError};
pub use patterns::Pattern;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Every setting, resolved.
#[derive(Debug, Clone)]
pub struct Settings {
    pub enabled: bool,
    /// Destination of spans; `None` when nothing has been configured yet.
    pub target: Option<Target>,
    pub endpoint: Option<String>,
    pub api_key: Option<Secret>,
    pub space_id: Option<String>,
    /// Extra request headers for an OTLP target, from OTEL_EXPORTER_OTLP_HEADERS or `headers`.
    pub headers: Vec<(String, Secret)>,
    /// The wire protocol of an OTLP target.
    pub protocol: Protocol,
    /// True if a setting says so; otherwise the endpoint's form decides.
    pub names_protocol: bool,
    /// Lets a key travel over plain http to a host that is not loopback.
    pub allow_insecure: bool,
    /// The variable of the environment that names the backend here, and perhaps in no other shell.
    pub backend_variable: Option<&'static str>,
    /// Settings that shape the spans, fixed when a turn is closed.
    pub profile: Profile,
    /// Whose attribute names the backend is sent.
    pub semantic_conventions: SemanticConventions,
    pub export_mode: ExportMode,
    pub archive_days: u64,
    pub archive_mb: u64,
    pub outbox_mb: u64,
    /// The largest request body in bytes.
    pub max_request_bytes: usize,
    pub dry_run: bool,
    pub trace_debug: bool,
    /// True if a line is kept for each turn, for good.
    pub history: bool,
    /// Another tool's notify program, called after ours with the same payload.
    pub notify_chain: Vec<String>,
    pub log: Log,
    /// Problems of single settings; the default holds for each.
    pub problems: Vec<String>,
    /// The sources, where settings differ between directories.
    by_directory: Option<Arc<(Resolver, Paths)>>,
}

/// The part of the settings that decides what a span says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Profile {
    /// The rule whose backend the turn goes to; none where it goes to the one in force everywhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_rule: Option<String>,
    pub project_name: String,
    pub user_id: Option<String>,
    /// Attributes put on every root span.
    pub attributes: Vec<(String, String)>,
    pub tags: Vec<String>,
    pub span_tree: SpanTree,
    pub logging: Logging,
    /// True if what the model is given beside prompts and results is recorded too.
    #[serde(default)]
    pub model_input: bool,
    pub redact_secrets: bool,
    /// Regular expressions of the user's own secrets.
    pub redact_patterns: Vec<Pattern>,
    /// True if personal data are replaced as well: cards, bank accounts, e-mail addresses.
    #[serde(default)]
    pub redact_pii: bool,
    pub max_value_bytes: usize,
    /// A file with prices of the user's own.
    #[serde(default)]
    pub prices: Option<String>,
}

/// Content that may be recorded; the rest is replaced by its length before anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Logging {
    /// Prompts, answers and reasoning.
    pub prompts: bool,
    /// Tool arguments: commands, paths, patches.
    pub tool_details: bool,
    /// Results of tools.
    pub tool_content: bool,
}

/// Why no settings could be had.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error(transparent)]
    Document(#[from] DocumentError),
}

impl Settings {
    /// The same settings with another protocol.
    pub fn speaking(&self, protocol: Protocol) -> Settings {
        Settings { protocol, ..self.clone() }
    }

    /// Reads all settings.
    ///
    /// # Errors
    /// When config.yaml exists and cannot be read or parsed.
    pub fn load(context: &Context) -> Result<Settings, SettingsError> {
        Ok(Settings::from_resolver(&Resolver::load(context)?, context.paths()))
    }

    /// Returns what holds while config.yaml cannot be read: the environment and the defaults, no delivery,
    /// and no content at all when the broken text so much as mentions the logging switches, or cannot be seen
    /// whole.
    pub fn without_config(context: &Context) -> Settings {
        let paths = context.paths();
        let resolver = Resolver::without_document(context);
        let mut settings = Settings::from_resolver(&resolver, paths);
        settings.target = None;
        settings.notify_chain = remembered_chain(paths);
        let silent = |path: &Path, of: &str| match file::read_bounded(path, MAX_BROKEN_BYTES) {
            Ok(Some(text)) => memchr::memmem::find(&text, of.as_bytes()).is_none(),
            Ok(None) => true,
            Err(_) => false,
        };
        let files = [paths.config_yaml(), paths.config_json(), paths.machine_config().to_owned()];
        if resolver.lacks_env_file() || files.iter().any(|p| !silent(p, "logging")) {
            settings.profile.logging = Logging { prompts: false, tool_details: false, tool_content: false };
        }
        if files.iter().any(|p| !silent(p, "rules")) {
            settings.profile.backend_rule = Some(rules::UNDECIDED.to_owned());
        }
        settings
    }

    /// Works every setting out of its sources.
    pub fn from_resolver(resolver: &Resolver, paths: &Paths) -> Settings {
        let mut problems = resolver.warnings().to_vec();
        let mut flag = |name: &str| resolver.flag(name, &mut problems);
        let mut logging = Logging {
            prompts: flag("logging.prompts"),
            tool_details: flag("logging.tool_details"),
            tool_content: flag("logging.tool_content"),
        };
        let model_input = flag("logging.model_input");
        let (redact_secrets, redact_pii) = (flag("redact_secrets"), flag("redact_pii"));
        let (enabled, dry_run, verbose) = (flag("trace_enabled"), flag("dry_run"), flag("verbose"));
        let (trace_debug, allow_insecure) = (flag("trace_debug"), flag("allow_insecure"));
        let history = flag("history");
        let mut number = |name: &str| resolver.number(name, &mut problems);
        let (archive_days, archive_mb, outbox_mb) =
            (number("archive_days"), number("archive_mb"), number("outbox_mb"));
        let mut within = |name: &str, least: usize, most: usize| {
            let asked = usize::try_from(resolver.number(name, &mut problems)).unwrap_or(usize::MAX);
            let held = asked.clamp(least, most);
            if held != asked {
                problems.push(format!("{name} is {asked}, so {held} is used"));
            }
            held
        };
        let max_value_bytes = within("max_value_bytes", MIN_VALUE_BYTES, MAX_VALUE_BYTES);
        let max_request_bytes = within("max_request_bytes", MIN_REQUEST_BYTES, usize::MAX);
        let target = resolver.target(&mut problems);
        let log_file = resolver.text("log_file").map(|p| crate::context::expand_home(&p, &home_of(paths)));
        if log_file.as_ref().is_some_and(|path| path.is_relative()) {
            problems.push("log_file is not an absolute path, so logs/codex.log is used".to_owned());
        }
        let redact_patterns = resolver.patterns("redact_patterns");
        let faults = if redact_secrets { patterns::faults(&redact_patterns) } else { Vec::new() };
        if !faults.is_empty() {
            // What the pattern was to find cannot be told from the rest.
            logging = Logging { prompts: false, tool_details: false, tool_content: false };
            problems
                .extend(faults.into_iter().map(|f| format!("{f}; no content is recorded until it is fixed")));
        }
        let profile = Profile {
            backend_rule: resolver.backend_rule().map(|rule| rule.name.clone()),
            project_name: resolver.project_name(target),
            user_id: resolver.text("user_id").and_then(|user| resolver.filled(user)),
            attributes: resolver.pairs("attributes"),
            tags: resolver.list("tags"),
            span_tree: resolver.choice("span_tree", &SpanTree::NAMES, &mut problems),
            logging,
            model_input,
            redact_secrets,
            redact_patterns,
            redact_pii,
            max_value_bytes,
            prices: resolver.text("prices").map(|p| whole_path(&p, paths)),
        };
        Settings {
            enabled,
            target,
            endpoint: resolver.backend_text("endpoint", target),
            api_key: resolver.backend_text("api_key", target).map(Secret::new),
            space_id: resolver.backend_text("space_id", target),
            headers: resolver.headers(target),
            protocol: resolver.protocol(target, &mut problems),
            names_protocol: resolver.text("protocol").is_some(),
            allow_insecure,
            backend_variable: resolver.backend_variable(target),
            profile,
            semantic_conventions: resolver.choice(
                "semantic_conventions",
                &SemanticConventions::NAMES,
                &mut problems,
            ),
            export_mode: resolver.choice("export_mode", &ExportMode::NAMES, &mut problems),
            archive_days,
            archive_mb,
            outbox_mb,
            max_request_bytes,
            dry_run,
            trace_debug,
            history,
            notify_chain: resolver.list("notify_chain"),
            log: Log::new(absolute(log_file, paths), verbose),
            problems,
            by_directory: resolver
                .depends_on_directory()
                .then(|| Arc::new((resolver.clone(), paths.clone()))),
        }
    }

    /// The settings in a directory: with the rules that apply there, and templates filled.
    pub fn in_directory(&self, directory: Option<&str>) -> Cow<'_, Settings> {
        let known = directory.map(Path::new).filter(|d| d.is_absolute());
        match (&self.by_directory, known) {
            (Some(sources), Some(directory)) => {
                let (resolver, paths) = &**sources;
                Cow::Owned(Settings::from_resolver(&resolver.in_directory(directory), paths))
            }
            _ => Cow::Borrowed(self),
        }
    }

    /// The settings by which a turn is delivered that remembers a rule: what the rule says now. Where no rule has that
    /// name any more, the rules that fit the turn's directory decide. None when none of them names a backend.
    pub fn of_rule(&self, name: &str, directory: Option<&str>) -> Option<Settings> {
        let Some((resolver, paths)) = self.by_directory.as_deref() else {
            return (name == rules::UNDECIDED).then(|| self.clone());
        };
        if let Some(resolver) = resolver.with_backend_of(name) {
            return Some(Settings::from_resolver(&resolver, paths));
        }
        let here = self.in_directory(directory).into_owned();
        (name == rules::UNDECIDED || here.profile.backend_rule.is_some()).then_some(here)
    }

    /// The rules with a backend of their own, each with the settings that hold for its turns.
    pub fn backend_rules(&self) -> Vec<(String, Settings)> {
        let Some((resolver, paths)) = self.by_directory.as_deref() else { return Vec::new() };
        let settings = |name: String| {
            let settings = Settings::from_resolver(&resolver.with_backend_of(&name)?, paths);
            Some((name, settings))
        };
        resolver.backend_rules().into_iter().filter_map(settings).collect()
    }

    /// Logs what was wrong with single settings.
    pub fn report_problems(&self) {
        for problem in &self.problems {
            self.log.error(problem);
        }
    }
}

/// Keeps the other notify program beside config.yaml: it is called whatever becomes of that file. None forgets it.
///
/// # Errors
/// When the file cannot be written or removed.
pub fn remember_chain(paths: &Paths, chain: &[String]) -> std::io::Result<()> {
    if !chain.is_empty() {
        file::create_private_dir(&paths.state())?;
        return file::write_atomic(&paths.notify_chain(), &serde_json::to_vec(chain)?);
    }
    match std::fs::remove_file(paths.notify_chain()) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn remembered_chain(paths: &Paths) -> Vec<String> {
    let content = file::read_bounded(&paths.notify_chain(), MAX_BROKEN_BYTES).ok().flatten();
    content.and_then(|c| serde_json::from_slice(&c).ok()).unwrap_or_default()
}

/// The log to use before, or without, any settings.
pub fn early_log(context: &Context) -> Log {
    let paths = context.paths();
    let file = context.var(var::LOG_FILE).map(|p| crate::context::expand_home(&p, &home_of(paths)));
    Log::new(absolute(file, paths), false)
}

/// The log a user has named. A relative name would mean another file in each directory that Codex works in.
fn absolute(named: Option<PathBuf>, paths: &Paths) -> PathBuf {
    named.filter(|path| path.is_absolute()).unwrap_or_else(|| paths.log_file())
}

fn whole_path(path: &str, paths: &Paths) -> String {
    crate::context::expand_home(path, &home_of(paths)).to_string_lossy().into_owned()
}

fn home_of(paths: &Paths) -> PathBuf {
    home::home_dir().unwrap_or_else(|| paths.harness().to_path_buf())
}

/// Reads config.yaml, or the Python edition's config.json beside it when that is all there is.
///
/// # Errors
/// When the file cannot be read or parsed.
pub fn load_document(paths: &Paths) -> Result<Document, DocumentError> {
    match Document::load(&paths.config_yaml())? {
        Some(document) => Ok(document),
        None => Ok(Document::load(&paths.config_json())?.unwrap_or_default()),
    }
}

const MIN_VALUE_BYTES: usize = 64;
const MIN_REQUEST_BYTES: usize = 4096;
/// The most that is kept of a value whatever the settings say; payloads and rollout lines are cut here on arrival.
pub const MAX_VALUE_BYTES: usize = 1024 * 1024;
/// Most bytes read of a config.yaml that cannot be parsed.
const MAX_BROKEN_BYTES: u64 = 1024 * 1024;

pub(crate) type Variables = BTreeMap<String, String>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_pattern_withholds_content_and_is_a_problem() {
        let context =
            Context::given(Vec::new(), BTreeMap::from([("HOME".to_owned(), "/nowhere".to_owned())]));
        for (yaml, withheld) in [("['a+']", false), ("['a+', '(']", true), ("{acme: 'A[0-9]'}", false)] {
            let yaml = format!("harnesses: {{codex: {{redact_patterns: {yaml}}}}}");
            let document = Document::parse(&yaml).unwrap();
            let resolver = Resolver::without_document(&context).with_document(document);
            let settings = Settings::from_resolver(&resolver, context.paths());
            assert_eq!(settings.profile.logging.prompts, !withheld, "{yaml}");
            let reported =
                settings.problems.iter().any(|p| p.starts_with("redact_patterns: pattern 2 cannot"));
            assert_eq!(reported, withheld, "{:?}", settings.problems);
        }
    }

    // Written in the names of a POSIX system.
    #[cfg(unix)]
    #[test]
    fn log_file_needs_absolute_path() {
        let log = |name: &str| {
            let vars = [("HOME", "/home/dev"), (var::LOG_FILE, name)];
            let vars = vars.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            let context = Context::given(Vec::new(), vars);
            early_log(&context).path().to_path_buf()
        };
        assert_eq!(log("/var/log/x"), PathBuf::from("/var/log/x"));
        assert_eq!(log("logs/x"), PathBuf::from("/home/dev/.arize/harness/logs/codex.log"));
        assert!(log("~/x").is_absolute() && log("~/x").ends_with("x"));
    }
}
