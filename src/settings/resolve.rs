//! Looks each setting up in its sources, in their order, and remembers where a value came from.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use super::document::{Document, DocumentError, scalar_text};
use super::keys::{self, Key};
use super::rules::{self, Rule};
use super::{Target, Variables, env_file, load_document, template};
use crate::context::{Context, var};
use crate::file;
use crate::git::{self, Repository};
use crate::platform;

/// The sources of the settings, loaded.
#[derive(Debug, Clone)]
pub struct Resolver {
    pub(super) process: Variables,
    pub(super) file: Variables,
    /// Rules that apply, then config.yaml; the same of the machine-wide file. The first that holds a value gives it.
    pub(super) layers: Vec<Layer>,
    rules: Vec<(Owner, Rule)>,
    /// The rule whose backend is in force. Nothing that others say of a backend counts then.
    backend: Option<RuleBackend>,
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
pub(super) struct Layer {
    owner: Owner,
    is_rule: bool,
    pub(super) document: Document,
}

/// The backend that a rule names.
#[derive(Debug, Clone)]
pub(super) struct RuleBackend {
    pub(super) name: String,
    layer: Layer,
}

/// Whose a file of settings is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
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
            backend: None,
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
        let fitting: Vec<&(Owner, Rule)> =
            self.rules.iter().filter(|(_, rule)| rule.applies(directory, &read)).collect();
        for (owner, rule) in fitting.iter().rev() {
            let at = resolver.layers.iter().position(|l| l.owner == *owner).unwrap_or_default();
            let layer = Layer { owner: *owner, is_rule: true, document: rule.settings.clone() };
            resolver.layers.insert(at, layer);
        }
        resolver.backend = fitting.into_iter().find_map(|(owner, rule)| self.backend_of(*owner, rule));
        resolver
    }

    /// The same sources with the backend of the rule of that name; none when no rule has it.
    pub(super) fn with_backend_of(&self, name: &str) -> Option<Resolver> {
        let found = self
            .rules
            .iter()
            .find_map(|(owner, rule)| (rule.name == name).then(|| self.backend_of(*owner, rule)).flatten())?;
        Some(Resolver { backend: Some(found), ..self.clone() })
    }

    /// The names of the rules that have a backend of their own.
    pub(super) fn backend_rules(&self) -> Vec<String> {
        let rules = self.rules.iter().filter(|(owner, rule)| self.backend_of(*owner, rule).is_some());
        let mut names: Vec<String> = rules.map(|(_, rule)| rule.name.clone()).collect();
        names.dedup();
        names
    }

    /// The backend of a rule. The machine's are the lowest layer: a backend that the user has chosen comes before them.
    fn backend_of(&self, owner: Owner, rule: &Rule) -> Option<RuleBackend> {
        let document = rule.backend.clone()?;
        if owner == Owner::Machine && self.users_target().is_some() {
            return None;
        }
        Some(RuleBackend { name: rule.name.clone(), layer: Layer { owner, is_rule: true, document } })
    }

    /// Returns the rule whose backend is in force.
    pub(super) fn backend_rule(&self) -> Option<&RuleBackend> {
        self.backend.as_ref()
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
        let found = match self.backend_layer(name) {
            Some(rule) => rule.find(name),
            None => self.in_variables(key, target).or_else(|| self.in_document(key.name)),
        };
        found.or_else(|| {
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
        let found = match self.backend_layer(name) {
            Some(rule) => rule.find(name),
            None => {
                self.in_variables(key, target).or_else(|| self.in_layers(name, |layer| layer.is_for(target)))
            }
        };
        found.map(|r| r.value).or_else(|| Some(default_of(key, target).to_owned()).filter(|d| !d.is_empty()))
    }

    /// The rule that alone says what this setting is, where its backend is in force and the setting is one of it.
    pub(super) fn backend_layer(&self, name: &str) -> Option<&Layer> {
        let rule = self.backend.as_ref()?;
        rules::BACKEND.contains(&name).then_some(&rule.layer)
    }

    pub(super) fn in_variables(&self, key: &Key, target: Option<Target>) -> Option<Resolved> {
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

    pub(super) fn in_document(&self, name: &str) -> Option<Resolved> {
        self.in_layers(name, |_| true)
    }

    pub(super) fn in_users_document(&self, name: &str) -> Option<Resolved> {
        self.in_layers(name, |layer| layer.owner == Owner::User)
    }

    fn in_layers(&self, name: &str, counts: impl Fn(&Layer) -> bool) -> Option<Resolved> {
        self.layers.iter().filter(|layer| counts(layer)).find_map(|layer| layer.find(name))
    }
}

impl Layer {
    pub(super) fn find(&self, name: &str) -> Option<Resolved> {
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

pub(super) fn paths_of(name: &str) -> [String; 2] {
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

/// Prefix of the switches that say what may be recorded.
pub(super) const LOGGING: &str = "logging.";

/// Stands for an answer that cannot be read, which no switch takes for a yes.
const UNREADABLE: &str = "unreadable";

/// Prefix of our own settings in config.yaml.
pub const CODEX_PREFIX: &str = "harnesses.codex.";

#[cfg(test)]
mod tests;
