//! `config get | set | unset | list | path`: config.yaml by dotted keys, keeping what is not understood.

use argh::{ArgsInfo, FromArgs};
use serde_yml::Value;
use std::io::Write;

use super::exit::{DONE, FAILED};
use super::setup::{prompt, settings_file};
use super::usage;
use crate::context::Context;
use crate::git::without_credentials;
use crate::otel::text_tree::printable;
use crate::settings::document::{Document, scalar_text};
use crate::settings::{CODEX_PREFIX, ExportMode, Protocol, SpanTree, Target, keys, load_document};

/// Read or change config.yaml.
#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand, name = "config")]
pub struct Config {
    #[argh(subcommand)]
    action: Action,
}

#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand)]
enum Action {
    Get(Get),
    Set(Set),
    Unset(Unset),
    List(List),
    Path(PathOf),
}

/// Print the value of a key, as harnesses.codex.project_name.
#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand, name = "get")]
struct Get {
    /// the dotted key
    #[argh(positional)]
    key: String,
}

/// Set a key. A secret is read from standard input when the value is "-".
#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand, name = "set")]
struct Set {
    /// the dotted key
    #[argh(positional)]
    key: String,
    /// the value; "-" reads it from standard input
    #[argh(positional)]
    value: String,
}

/// Remove a key.
#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand, name = "unset")]
struct Unset {
    /// the dotted key
    #[argh(positional)]
    key: String,
}

/// Print every key and its value; secrets are hidden.
#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand, name = "list")]
struct List {
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// Print where config.yaml is.
#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand, name = "path")]
struct PathOf {}

/// Does what is asked of config.yaml.
///
/// # Errors
/// When config.yaml cannot be read, parsed or written, or a value makes no sense.
pub fn run(config: Config, context: &Context, out: &mut dyn Write) -> anyhow::Result<u8> {
    let path = context.paths().config_yaml();
    match config.action {
        Action::Path(_) => writeln!(out, "{}", path.display())?,
        Action::Get(get) => {
            let document = load_document(context.paths())?;
            let Some(value) = document.get(&get.key) else { return Ok(FAILED) };
            match scalar_text(value) {
                Some(text) => writeln!(out, "{text}")?,
                None => write!(out, "{}", serde_yml::to_string(value)?)?,
            }
        }
        Action::Set(set) => {
            if is_secret(&set.key) && set.value != "-" {
                return Err(usage(format!(
                    "{} is a secret, and others can see a command line: give - for the value and the secret on \
                     standard input",
                    set.key
                )));
            }
            let value = if set.value == "-" { read_value(&set.key)? } else { set.value };
            check(&set.key, &value)?;
            let mut document = load_document(context.paths())?;
            document.set(&set.key, typed(&value)).map_err(anyhow::Error::msg)?;
            save(&document, context)?;
        }
        Action::Unset(unset) => {
            let mut document = load_document(context.paths())?;
            if !document.unset(&unset.key) {
                return Ok(FAILED);
            }
            save(&document, context)?;
        }
        Action::List(list) => {
            let document = load_document(context.paths())?;
            let leaves = document.leaves().into_iter().map(|(key, value)| {
                let shown = if is_secret(&key) { hidden(value) } else { plain(value) };
                (key, shown)
            });
            if list.json {
                let map: serde_json::Map<String, serde_json::Value> =
                    leaves.map(|(k, v)| (k, v.into())).collect();
                writeln!(out, "{}", serde_json::to_string_pretty(&map)?)?;
            } else {
                for (key, value) in leaves {
                    writeln!(out, "{key} = {value}")?;
                }
            }
        }
    }
    Ok(DONE)
}

fn save(document: &Document, context: &Context) -> anyhow::Result<()> {
    if let Some(copy) = settings_file::save(document, context.paths())? {
        eprintln!("note: comments are not kept; the file as it was is {}", copy.display());
    }
    Ok(())
}

fn read_value(key: &str) -> anyhow::Result<String> {
    if is_secret(key) && prompt::is_possible() {
        return Ok(prompt::secret(key)?);
    }
    let mut value = String::new();
    std::io::stdin().read_line(&mut value)?;
    Ok(value.trim_end_matches(['\r', '\n']).to_owned())
}

/// Refuses what would not be understood later.
fn check(key: &str, value: &str) -> anyhow::Result<()> {
    let name = key.strip_prefix(CODEX_PREFIX).unwrap_or(key);
    if let Some(choices) = choices_of(name)
        && !choices.iter().any(|choice| choice.eq_ignore_ascii_case(value))
    {
        return Err(usage(format!("{key} is one of {}", choices.join(", "))));
    }
    let Some(known) = keys::find(name) else {
        if key.starts_with(CODEX_PREFIX) {
            eprintln!("note: no setting is called {name}; `arize-codex config list` shows what is set");
        }
        return Ok(());
    };
    let boolean = matches!(known.default, "true" | "false");
    let truth = ["true", "false", "1", "0", "yes", "no"];
    if boolean && !truth.iter().any(|t| t.eq_ignore_ascii_case(value)) {
        return Err(usage(format!("{key} is true or false")));
    }
    let number = !known.default.is_empty() && known.default.bytes().all(|b| b.is_ascii_digit());
    if number && value.parse::<u64>().is_err() {
        return Err(usage(format!("{key} is a whole number")));
    }
    Ok(())
}

/// Returns what a setting may be, where that can be listed.
fn choices_of(name: &str) -> Option<Vec<&'static str>> {
    match name {
        "target" => Some(Target::NAMES.map(|(name, _)| name).to_vec()),
        "span_tree" => Some(SpanTree::NAMES.map(|(name, _)| name).to_vec()),
        "export_mode" => Some(ExportMode::NAMES.map(|(name, _)| name).to_vec()),
        "protocol" => Some(Protocol::NAMES.map(|(name, _)| name).to_vec()),
        _ => None,
    }
}

/// Booleans and numbers as such, all else as text.
fn typed(value: &str) -> Value {
    if let Ok(flag) = value.parse::<bool>() {
        return Value::Bool(flag);
    }
    match value.parse::<u64>() {
        Ok(number) if number.to_string() == value => Value::from(number),
        _ => Value::from(value),
    }
}

fn plain(value: &Value) -> String {
    let text = scalar_text(value)
        .unwrap_or_else(|| serde_yml::to_string(value).unwrap_or_default().trim_end().to_owned());
    printable(&without_credentials(&text))
}

fn is_secret(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    ["key", "token", "secret", "password"].iter().any(|word| last.contains(word)) || key.contains("headers")
}

fn hidden(value: &Value) -> String {
    match scalar_text(value) {
        Some(text) => format!("<hidden ({} chars)>", text.chars().count()),
        None => "<none>".to_owned(),
    }
}
