//! Reads settings as what they are: switches, numbers, choices, lists, the backend. A value that cannot be read is
//! reported, and the default is used; an unreadable `logging.*` value disables recording.

use serde_yml::Value;
use std::collections::BTreeMap;

use super::document::scalar_text;
use super::keys;
use super::pairs;
use super::patterns::{self, Pattern};
use super::resolve::{LOGGING, Layer, Resolved, Resolver, Source, paths_of};
use super::values::{Protocol, Secret, Target};
use crate::context::var;

impl Resolver {
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
                problems.push(format!("{name} is neither true nor false, so this content is not recorded"));
                false
            }
            _ => {
                problems.push(format!("{name} is neither true nor false, so {default} is used"));
                default
            }
        }
    }

    pub(super) fn number(&self, name: &str, problems: &mut Vec<String>) -> u64 {
        let default = keys::find(name).and_then(|k| k.default.parse().ok()).unwrap_or(0);
        let Some(found) = self.resolve(name) else { return default };
        found.value.trim().parse().unwrap_or_else(|_| {
            problems.push(format!("{name} is not a whole number, so {default} is used"));
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
        problems.push(format!("{name} is none of {}, so {} is used", names.join(", "), names[0]));
        choices[0].1
    }

    /// The backend: that of a rule, or the one in force everywhere else.
    pub(super) fn target(&self, problems: &mut Vec<String>) -> Option<Target> {
        match self.backend_layer("target") {
            Some(rule) => rule.find("target").and_then(|r| Target::parse(&r.value)),
            None => self.target_in(self.in_document("target"), problems),
        }
    }

    /// The backend that the user has chosen, by variables or in config.yaml.
    pub(super) fn users_target(&self) -> Option<Target> {
        self.target_in(self.in_users_document("target"), &mut Vec::new())
    }

    /// Variables choose before config.yaml does; when they name two backends, config.yaml decides.
    fn target_in(&self, configured: Option<Resolved>, problems: &mut Vec<String>) -> Option<Target> {
        let configured = configured.map(|r| r.value).filter(|v| v != "none");
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

    /// Returns the variable of this process's environment from which the backend's address or key is taken.
    pub(super) fn backend_variable(&self, target: Option<Target>) -> Option<&'static str> {
        if self.backend_layer("target").is_some() {
            return None;
        }
        let of = |name: &str| self.in_variables(keys::find(name)?, target);
        match of("endpoint").or_else(|| of("api_key"))?.source {
            Source::Environment(name) => Some(name),
            _ => None,
        }
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
        let rule = self.backend_layer(name);
        let layers: Vec<&Layer> = rule.map_or_else(|| self.layers.iter().rev().collect(), |rule| vec![rule]);
        for layer in layers {
            for path in paths_of(name).into_iter().rev() {
                match layer.document.get(&path) {
                    Some(Value::Mapping(map)) => {
                        pairs.extend(map.iter().filter_map(|(k, v)| Some((scalar_text(k)?, scalar_text(v)?))))
                    }
                    Some(Value::String(text)) => pairs.extend(pairs::parse(text)),
                    _ => {}
                }
            }
        }
        for variables in [&self.file, &self.process].into_iter().filter(|_| rule.is_none()) {
            for text in key.variables.iter().filter_map(|name| variables.get(*name)) {
                pairs.extend(pairs::parse(text));
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
}

/// An OTLP endpoint with HTTP's port or a path is HTTP; anything else is gRPC, as Arize and collectors take it.
fn looks_like_http(endpoint: &str) -> bool {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    rest.trim_end_matches('/').contains('/') || rest.trim_end_matches('/').ends_with(":4318")
}
