//! Looks each setting up in its sources, in their order, and remembers where a value came from.

use serde_yml::Value;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use super::document::{Document, DocumentError, scalar_text};
use super::keys::{self, Key};
use super::patterns::{self, Pattern};
use super::rules::{self, Rule};
use super::{Protocol, Secret, Target, Variables, env_file, load_document, template};
use crate::context::{Context, var};
use crate::file;
use crate::git::{self, Repository};
use crate::platform;

/// The sources of the settings, loaded.
#[derive(Debug, Clone)]
pub struct Resolver {
    process: Variables,
    file: Variables,
    /// Rules that apply, then config.yaml; the same of the machine-wide file. The first that holds a value gives it.
    layers: Vec<Layer>,
    rules: Vec<(Owner, Rule)>,
    os_user: Option<String>,
    home: PathBuf,
    /// The workspace whose rules apply.
    directory: Option<PathBuf>,
    /// Why arize-env.sh could not be read, though it is there.
    unreadable: Option<Arc<std::io::Error>>,
    /// Repairs of the files themselves.
    warnings: Vec<String>,
}

/// A document among the others.
#[derive(Debug, Clone)]
struct Layer {
    owner: Owner,
    is_rule: bool,
    document: Document,
}

/// Whose a file of settings is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    User,
    Machine,
}

/// Source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Environment(&'static str),
    EnvFile(&'static str),
    /// The dotted path in config.yaml.
    Config(String),
    /// The dotted path in the machine-wide file.
    Machine(String),
    /// The key of a rule that applies in the directory.
    Rule(String),
    Default,
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub value: String,
    pub source: Source,
}

impl Resolver {
    /// Loads all sources.
    ///
    /// # Errors
    /// When config.yaml or arize-env.sh exists and cannot be read or parsed, or is another user's.
    pub fn load(context: &Context) -> Result<Resolver, DocumentError> {
        let paths = context.paths();
        let mut resolver = Resolver::without_document(context);
        if let Some(error) = resolver.unreadable.take() {
            let error = std::io::Error::new(error.kind(), error.to_string());
            return Err(DocumentError::Unreadable(file::named(&paths.env_file(), error)));
        }
        for path in [paths.config_yaml(), paths.config_json()] {
            let refused = |error| DocumentError::Unreadable(file::named(&path, error));
            resolver.note_mended(file::make_private(&path).map_err(refused)?);
        }
        let user = load_document(paths)?;
        let refused = |error| DocumentError::Unreadable(file::named(paths.machine_config(), error));
        platform::refuse_foreign(paths.machine_config()).map_err(refused)?;
        let machine = Document::load(paths.machine_config())?;
        resolver.take_documents(user, machine.unwrap_or_default());
        Ok(resolver)
    }

    /// Loads all sources but config.yaml.
    pub fn without_document(context: &Context) -> Resolver {
        let mut process = Variables::new();
        let names = keys::KEYS.iter().flat_map(|k| k.variables);
        for name in names {
            if let Some(value) = context.var(name) {
                process.insert((*name).to_owned(), value);
            }
        }
        let mut resolver = Resolver {
            process,
            file: Variables::new(),
            layers: Vec::new(),
            rules: Vec::new(),
            os_user: context.user(),
            home: context.var(var::HOME).map_or_else(|| super::home_of(context.paths()), PathBuf::from),
            directory: None,
            unreadable: None,
            warnings: Vec::new(),
        };
        let path = context.paths().env_file();
        let read = file::make_private(&path)
            .and_then(|mended| Ok((mended, file::read_bounded(&path, env_file::MAX_BYTES)?)));
        match read {
            Ok((mended, text)) => {
                let text = text.unwrap_or_default();
                resolver.take(env_file::parse(&String::from_utf8_lossy(&text), |name| context.var(name)));
                resolver.note_mended(mended);
            }
            Err(error) => resolver.unreadable = Some(Arc::new(error)),
        }
        resolver
    }

    /// Takes what arize-env.sh assigns. What could not be read counts as unset, save where it says what to withhold.
    fn take(&mut self, found: env_file::Assignments) {
        self.file = found.values;
        for (name, line) in found.unread {
            let key = keys::KEYS.iter().find(|k| k.variables.contains(&name.as_str()));
            let Some(key) = key.filter(|_| !self.process.contains_key(&name)) else { continue };
            let text = format!(
                "{name} in line {line} of arize-env.sh is not used: only a shell could tell its value"
            );
            self.warnings.push(text);
            if key.name.starts_with(LOGGING) {
                self.file.insert(name, UNREADABLE.to_owned());
            }
        }
    }

    /// Returns true if arize-env.sh is there and cannot be read.
    pub(super) fn lacks_env_file(&self) -> bool {
        self.unreadable.is_some()
    }

    /// Returns what was mended about the files the settings come from.
    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn note_mended(&mut self, mended: Option<String>) {
        self.warnings.extend(mended);
    }

    fn take_documents(&mut self, user: Document, machine: Document) {
        self.rules.clear();
        for (owner, document) in [(Owner::User, &user), (Owner::Machine, &machine)] {
            let found = rules::read(document, &self.home, &mut self.warnings);
            self.rules.extend(found.into_iter().map(|rule| (owner, rule)));
        }
        self.layers = vec![
            Layer { owner: Owner::User, is_rule: false, document: user },
            Layer { owner: Owner::Machine, is_rule: false, document: machine },
        ];
    }

    /// The same variables over another config.yaml.
    pub fn with_document(mut self, document: Document) -> Resolver {
        self.take_documents(document, Document::default());
        self
    }

    /// The document of config.yaml.
    pub fn document(&self) -> &Document {
        static NONE: LazyLock<Document> = LazyLock::new(Document::default);
        let own = self.layers.iter().find(|l| l.owner == Owner::User && !l.is_rule);
        own.map_or(&NONE, |layer| &layer.document)
    }

    /// Returns true if settings differ between directories.
    pub(super) fn depends_on_directory(&self) -> bool {
        let templates = ["project_name", "user_id"].iter().filter_map(|name| self.resolve(name));
        !self.rules.is_empty() || templates.into_iter().any(|r| template::is_template(&r.value))
    }

    /// The same sources with the rules that apply in a directory.
    pub(super) fn in_directory(&self, directory: &Path) -> Resolver {
        let mut resolver = self.clone();
        resolver.directory = Some(directory.to_owned());
        resolver.layers.retain(|layer| !layer.is_rule);
        let repository: OnceCell<Option<Repository>> = OnceCell::new();
        let read = || repository.get_or_init(|| git::read(directory)).clone();
        for (owner, rule) in self.rules.iter().rev().filter(|(_, rule)| rule.applies(directory, &read)) {
            let at = resolver.layers.iter().position(|l| l.owner == *owner).unwrap_or_default();
            let layer = Layer { owner: *owner, is_rule: true, document: rule.settings.clone() };
            resolver.layers.insert(at, layer);
        }
        resolver
    }

    /// A text with its templates filled for the directory; as it is where there is none.
    pub(super) fn filled(&self, text: String) -> Option<String> {
        if self.directory.is_none() || !template::is_template(&text) {
            return Some(text);
        }
        template::fill(&text, self.directory.as_deref(), &self.home, self.os_user.as_deref())
    }

    /// A setting's value and source; `None` when nothing sets it and it has no default.
    pub fn resolve(&self, name: &str) -> Option<Resolved> {
        let key = keys::find(name)?;
        let target = self.target(&mut Vec::new());
        self.in_variables(key, target).or_else(|| self.in_document(key.name)).or_else(|| {
            let default = default_of(key, target);
            (!default.is_empty()).then(|| Resolved { value: default.to_owned(), source: Source::Default })
        })
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.resolve(name).map(|r| r.value)
    }

    /// A setting that belongs to a backend. A value in config.yaml written for another target does not count:
    /// one backend's key must never be sent to another.
    pub(super) fn backend_text(&self, name: &str, target: Option<Target>) -> Option<String> {
        let key = keys::find(name)?;
        self.in_variables(key, target)
            .or_else(|| self.in_layers(name, |layer| layer.is_for(target)))
            .map(|r| r.value)
            .or_else(|| Some(default_of(key, target).to_owned()).filter(|d| !d.is_empty()))
    }

    pub(super) fn flag(&self, name: &str, problems: &mut Vec<String>) -> bool {
        let default = keys::find(name).is_some_and(|k| k.default == "true");
        let Some(found) = self.resolve(name) else { return default };
        let is_privacy = name.starts_with(LOGGING);
        match found.value.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => true,
            "false" | "0" | "no" => false,
            // What is to be withheld is not guessed at: an answer that cannot be read is a no.
            "off" if is_privacy => false,
            "on" if is_privacy => true,
            _ if is_privacy => {
                problems.push(format!("{name} is neither true nor false, so nothing of it is recorded"));
                false
            }
            _ => {
                problems.push(format!("{name} is neither true nor false, so {default} holds"));
                default
            }
        }
    }

    pub(super) fn number(&self, name: &str, problems: &mut Vec<String>) -> u64 {
        let default = keys::find(name).and_then(|k| k.default.parse().ok()).unwrap_or(0);
        let Some(found) = self.resolve(name) else { return default };
        found.value.trim().parse().unwrap_or_else(|_| {
            problems.push(format!("{name} is not a whole number, so {default} holds"));
            default
        })
    }

    /// One of the named choices; the first when nothing, or something unknown, is set.
    pub(super) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)], problems: &mut Vec<String>) -> T {
        let found = self.text(name).unwrap_or_default();
        if let Some((_, choice)) = choices.iter().find(|(n, _)| n.eq_ignore_ascii_case(found.trim())) {
            return *choice;
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        problems.push(format!("{name} is none of {}, so {} holds", names.join(", "), names[0]));
        choices[0].1
    }

    /// The backend. Variables choose before config.yaml does; when they name two, config.yaml decides.
    pub(super) fn target(&self, problems: &mut Vec<String>) -> Option<Target> {
        let configured = self.in_document("target").map(|r| r.value).filter(|v| v != "none");
        let parsed = configured.as_deref().and_then(Target::parse);
        if configured.is_some() && parsed.is_none() {
            // Its value is not repeated: somebody may have put a key there.
            problems.push("target is none of phoenix, arize, otlp, local".to_owned());
        }
        for variables in [&self.process, &self.file] {
            let has = |name: &str| variables.get(name).is_some_and(|v| !v.is_empty());
            let phoenix = has(var::PHOENIX_ENDPOINT);
            let arize = has(var::ARIZE_API_KEY) && has(var::ARIZE_SPACE_ID);
            match (phoenix, arize) {
                (true, true) if parsed == Some(Target::Arize) => return parsed,
                (true, _) => return Some(Target::Phoenix),
                (false, true) => return Some(Target::Arize),
                (false, false) => {}
            }
        }
        parsed
    }

    pub(super) fn project_name(&self, target: Option<Target>) -> String {
        let key = keys::find("project_name");
        let found =
            key.and_then(|k| self.in_variables(k, target)).or_else(|| self.in_document("project_name"));
        found.and_then(|r| self.filled(r.value)).unwrap_or_else(|| "codex".to_owned())
    }

    pub(super) fn protocol(&self, target: Option<Target>, problems: &mut Vec<String>) -> Protocol {
        match target {
            Some(Target::Arize) => return Protocol::Grpc,
            Some(Target::Otlp) => {}
            _ => return Protocol::HttpProtobuf,
        }
        let named = self.text("protocol");
        if let Some((_, protocol)) = Protocol::NAMES.iter().find(|(n, _)| named.as_deref() == Some(n)) {
            return *protocol;
        }
        if named.is_some() {
            problems.push("protocol is neither grpc nor http/protobuf".to_owned());
        }
        let endpoint = self.backend_text("endpoint", target).unwrap_or_default();
        if looks_like_http(&endpoint) { Protocol::HttpProtobuf } else { Protocol::Grpc }
    }

    pub(super) fn headers(&self, target: Option<Target>) -> Vec<(String, Secret)> {
        if target != Some(Target::Otlp) {
            return Vec::new();
        }
        self.pairs("headers").into_iter().map(|(name, value)| (name, Secret::new(value))).collect()
    }

    /// A mapping in config.yaml, or `key=value,…` text; variables override single keys of the mapping.
    pub(super) fn pairs(&self, name: &str) -> Vec<(String, String)> {
        let Some(key) = keys::find(name) else { return Vec::new() };
        let mut pairs = BTreeMap::new();
        for layer in self.layers.iter().rev() {
            for path in paths_of(name).into_iter().rev() {
                match layer.document.get(&path) {
                    Some(Value::Mapping(map)) => {
                        pairs.extend(map.iter().filter_map(|(k, v)| Some((scalar_text(k)?, scalar_text(v)?))))
                    }
                    Some(Value::String(text)) => pairs.extend(parse_pairs(text)),
                    _ => {}
                }
            }
        }
        for variables in [&self.file, &self.process] {
            for text in key.variables.iter().filter_map(|name| variables.get(*name)) {
                pairs.extend(parse_pairs(text));
            }
        }
        pairs.into_iter().collect()
    }

    /// A sequence in config.yaml, or one text.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        for (layer, path) in self.layers.iter().flat_map(|l| paths_of(name).map(|path| (l, path))) {
            match layer.document.get(&path) {
                Some(Value::Sequence(items)) => return items.iter().filter_map(scalar_text).collect(),
                Some(value) => return scalar_text(value).into_iter().collect(),
                None => {}
            }
        }
        Vec::new()
    }

    /// The patterns of a setting: a text, a sequence, or a mapping of their names.
    pub(super) fn patterns(&self, name: &str) -> Vec<Pattern> {
        let mut places = self.layers.iter().flat_map(|l| paths_of(name).map(|path| (l, path)));
        let found = places.find_map(|(layer, path)| layer.document.get(&path));
        found.map(patterns::of_value).unwrap_or_default()
    }

    fn in_variables(&self, key: &Key, target: Option<Target>) -> Option<Resolved> {
        let applies = |name: &&&'static str| applies_to(name, target);
        for name in key.variables.iter().filter(applies) {
            if let Some(value) = self.process.get(*name).filter(|v| !v.is_empty()) {
                return Some(Resolved { value: value.clone(), source: Source::Environment(name) });
            }
        }
        for name in key.variables.iter().filter(applies) {
            if let Some(value) = self.file.get(*name).filter(|v| !v.is_empty()) {
                return Some(Resolved { value: value.clone(), source: Source::EnvFile(name) });
            }
        }
        None
    }

    fn in_document(&self, name: &str) -> Option<Resolved> {
        self.in_layers(name, |_| true)
    }

    fn in_layers(&self, name: &str, counts: impl Fn(&Layer) -> bool) -> Option<Resolved> {
        self.layers.iter().filter(|layer| counts(layer)).find_map(|layer| layer.find(name))
    }
}

impl Layer {
    fn find(&self, name: &str) -> Option<Resolved> {
        paths_of(name).into_iter().find_map(|path| {
            let found = self.document.get(&path).or_else(|| {
                // `logging: false` means all of its switches.
                let whole = path.strip_suffix(name.strip_prefix(LOGGING)?)?;
                self.document.get(whole.trim_end_matches('.')).filter(|v| !v.is_mapping() && !v.is_null())
            })?;
            let odd = || (name.starts_with(LOGGING) && !found.is_null()).then(|| UNREADABLE.to_owned());
            let value = scalar_text(found).or_else(odd)?;
            let source = match (self.is_rule, self.owner) {
                (true, _) => Source::Rule(path),
                (false, Owner::User) => Source::Config(path),
                (false, Owner::Machine) => Source::Machine(path),
            };
            Some(Resolved { value, source })
        })
    }

    /// Returns true unless the file was written for another backend.
    fn is_for(&self, target: Option<Target>) -> bool {
        let own = self.find("target").and_then(|r| Target::parse(&r.value));
        own.is_none() || own == target
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Environment(name) => write!(f, "{name} in the environment"),
            Source::EnvFile(name) => write!(f, "{name} in arize-env.sh"),
            Source::Config(path) => write!(f, "{path} in config.yaml"),
            Source::Machine(path) => write!(f, "{path} in the machine-wide config.yaml"),
            Source::Rule(key) => write!(f, "{key} in a rule for this directory"),
            Source::Default => f.write_str("default"),
        }
    }
}

fn paths_of(name: &str) -> [String; 2] {
    [format!("{CODEX_PREFIX}{name}"), name.to_owned()]
}

/// Returns true if a backend's variable counts for the target in force.
fn applies_to(variable: &str, target: Option<Target>) -> bool {
    match variable {
        var::PHOENIX_ENDPOINT | var::PHOENIX_API_KEY | var::PHOENIX_PROJECT | var::PHOENIX_PROJECT_NAME => {
            target == Some(Target::Phoenix)
        }
        var::ARIZE_OTLP_ENDPOINT | var::ARIZE_API_KEY | var::ARIZE_SPACE_ID => target == Some(Target::Arize),
        var::OTLP_ENDPOINT | var::OTLP_HEADERS | var::OTLP_PROTOCOL => target == Some(Target::Otlp),
        _ => true,
    }
}

fn default_of(key: &Key, target: Option<Target>) -> &'static str {
    match (key.name, target) {
        ("endpoint", Some(Target::Phoenix)) => "http://localhost:6006",
        ("endpoint", Some(Target::Arize)) => "otlp.arize.com:443",
        ("span_tree", Some(Target::Otlp)) => "calls",
        ("span_tree", _) => "turn",
        ("semantic_conventions", Some(Target::Otlp)) => "both",
        ("semantic_conventions", _) => "openinference",
        _ => key.default,
    }
}

/// An OTLP endpoint with HTTP's port or a path is HTTP; anything else is gRPC, as Arize and collectors take it.
fn looks_like_http(endpoint: &str) -> bool {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    rest.trim_end_matches('/').contains('/') || rest.trim_end_matches('/').ends_with(":4318")
}

/// `key=value` pairs between commas, percent-decoded, as OTEL_RESOURCE_ATTRIBUTES and
/// OTEL_EXPORTER_OTLP_HEADERS are written (W3C Baggage).
fn parse_pairs(text: &str) -> Vec<(String, String)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (percent_decoded(key.trim()), percent_decoded(value.trim())))
        .filter(|(key, _)| !key.is_empty())
        .collect()
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Prefix of the switches that say what may be recorded.
const LOGGING: &str = "logging.";

/// Stands for an answer that cannot be read, which no switch takes for a yes.
const UNREADABLE: &str = "unreadable";

/// Prefix of our own settings in config.yaml.
pub const CODEX_PREFIX: &str = "harnesses.codex.";

#[cfg(test)]
mod tests {
    use super::super::{ExportMode, Settings, SpanTree};
    use super::*;

    fn settings(vars: &[(&str, &str)], env_sh: &str, yaml: &str) -> Settings {
        let home = tempfile::tempdir().unwrap();
        let mut all: Variables = vars.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        all.insert("HOME".into(), home.path().to_str().unwrap().into());
        let context = Context::given(vec![], all);
        std::fs::create_dir_all(context.paths().codex()).unwrap();
        std::fs::create_dir_all(context.paths().harness()).unwrap();
        std::fs::write(context.paths().env_file(), env_sh).unwrap();
        crate::file::write_atomic(&context.paths().config_yaml(), yaml.as_bytes()).unwrap();
        Settings::load(&context).unwrap()
    }

    const PHOENIX: &str = "harnesses:\n  codex:\n    target: phoenix\n    endpoint: http://p:1\n    api_key: pk\n    project_name: mine\nproject_name: top\nuser_id: me\n";

    #[test]
    fn the_first_source_that_is_set_wins() {
        let s = settings(&[], "", PHOENIX);
        assert_eq!((s.target, s.profile.project_name.as_str()), (Some(Target::Phoenix), "mine"));
        assert_eq!(s.profile.user_id.as_deref(), Some("me"), "top level");
        let s = settings(&[], "export ARIZE_PROJECT_NAME=file\nARIZE_SPAN_TREE=calls", PHOENIX);
        assert_eq!((s.profile.project_name.as_str(), s.profile.span_tree), ("file", SpanTree::Calls));
        let s = settings(
            &[(var::ARIZE_PROJECT_NAME, "env"), (var::EXPORT_MODE, "SYNC")],
            "export ARIZE_PROJECT_NAME=file",
            PHOENIX,
        );
        assert_eq!((s.profile.project_name.as_str(), s.export_mode), ("env", ExportMode::Sync));
        let s = settings(&[(var::ARIZE_PROJECT_NAME, "a"), (var::PHOENIX_PROJECT, "p")], "", PHOENIX);
        assert_eq!(s.profile.project_name, "p", "on Phoenix its own variable comes first");
    }

    #[test]
    fn one_backends_key_never_goes_to_another() {
        let s = settings(&[(var::ARIZE_API_KEY, "ak"), (var::ARIZE_SPACE_ID, "sp")], "", PHOENIX);
        assert_eq!(s.target, Some(Target::Arize));
        assert_eq!(s.endpoint.as_deref(), Some("otlp.arize.com:443"));
        assert_eq!(s.api_key.as_ref().map(Secret::expose), Some("ak"));
        let s = settings(&[(var::ARIZE_API_KEY, "ak")], "", PHOENIX);
        assert_eq!((s.target, s.api_key.as_ref().map(Secret::expose)), (Some(Target::Phoenix), Some("pk")));
        let s = settings(
            &[(var::PHOENIX_ENDPOINT, "http://q:2")],
            "",
            "harnesses: {codex: {target: arize, api_key: ak, space_id: sp}}",
        );
        assert_eq!((s.target, s.api_key), (Some(Target::Phoenix), None));
    }

    #[test]
    fn empty_settings_give_defaults() {
        let s = settings(&[], "", "");
        assert_eq!(
            (s.target, s.profile.project_name.as_str(), s.profile.max_value_bytes),
            (None, "codex", 65536)
        );
        assert!(s.enabled && s.profile.logging.prompts && s.profile.redact_secrets && !s.dry_run);
        assert!(s.problems.is_empty(), "{:?}", s.problems);
    }

    #[test]
    fn invalid_value_keeps_default() {
        let s = settings(&[(var::TRACE_ENABLED, "perhaps"), (var::MAX_VALUE_BYTES, "-1")], "", PHOENIX);
        assert!(s.enabled && s.profile.max_value_bytes == 65536 && s.problems.len() == 2, "{:?}", s.problems);
    }

    #[test]
    fn a_switch_that_cannot_be_read_withholds() {
        for yaml in [
            "logging: {prompts: 'off'}",
            "logging: {prompts: never}",
            "logging: false",
            "logging: [prompts]",
            "harnesses: {codex: {logging: {prompts: [x]}}}",
        ] {
            assert!(!settings(&[], "", yaml).profile.logging.prompts, "{yaml}");
        }
        for yaml in ["logging: {prompts: 'on'}", "logging: {prompts: null}", "logging:", "logging: {x: 1}"] {
            assert!(settings(&[], "", yaml).profile.logging.prompts, "{yaml}");
        }
    }

    #[test]
    fn unreadable_switch_disables_recording() {
        let s = settings(&[], "export ARIZE_USER_ID=$(whoami) ARIZE_LOG_PROMPTS=`cat x`; PATH=$(x)", PHOENIX);
        assert_eq!(s.profile.user_id.as_deref(), Some("me"), "config.yaml holds");
        assert!(!s.profile.logging.prompts);
        let told = s.problems.join("\n");
        assert!(told.contains("ARIZE_USER_ID in line 1 of arize-env.sh") && !told.contains("PATH"), "{told}");
        assert!(!told.contains("whoami"), "a value is never repeated");
    }

    #[test]
    fn attributes_are_merged_and_decoded() {
        let s = settings(
            &[(var::RESOURCE_ATTRIBUTES, "team=a%20b,broken,x=1")],
            "",
            "attributes: {x: 0, y: 2}\nharnesses: {codex: {target: otlp, endpoint: 'http://c:4318', attributes: {z: true}}}",
        );
        let pairs: Vec<_> = s.profile.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("team", "a b"), ("x", "1"), ("y", "2"), ("z", "true")]);
        assert_eq!(s.protocol, Protocol::HttpProtobuf);
    }
}
