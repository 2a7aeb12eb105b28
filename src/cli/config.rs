//! `config get | set | unset | list | path`: config.yaml by dotted keys, keeping what is not understood.

use anyhow::{Context as _, bail};
use argh::FromArgs;
use serde_yml::Value;
use std::io::Write;

use super::exit::{DONE, FAILED};
use crate::context::Context;
use crate::settings::document::{Document, scalar_text};
use crate::settings::{CODEX_PREFIX, Target, keys, load_document};

/// Read or change config.yaml.
#[derive(FromArgs)]
#[argh(subcommand, name = "config")]
pub struct Config {
    #[argh(subcommand)]
    action: Action,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Action {
    Get(Get),
    Set(Set),
    Unset(Unset),
    List(List),
    Path(PathOf),
}

/// Print the value of a key, as harnesses.codex.project_name.
#[derive(FromArgs)]
#[argh(subcommand, name = "get")]
struct Get {
    /// the dotted key
    #[argh(positional)]
    key: String,
}

/// Set a key. A secret is read from standard input when the value is "-".
#[derive(FromArgs)]
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
#[derive(FromArgs)]
#[argh(subcommand, name = "unset")]
struct Unset {
    /// the dotted key
    #[argh(positional)]
    key: String,
}

/// Print every key and its value; secrets are hidden.
#[derive(FromArgs)]
#[argh(subcommand, name = "list")]
struct List {
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// Print where config.yaml is.
#[derive(FromArgs)]
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
            let value = if set.value == "-" { read_value()? } else { set.value };
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
    let path = context.paths().config_yaml();
    document.save(&path).with_context(|| format!("cannot write {}", path.display()))
}

fn read_value() -> anyhow::Result<String> {
    let mut value = String::new();
    std::io::stdin().read_line(&mut value)?;
    Ok(value.trim_end_matches(['\r', '\n']).to_owned())
}

/// Refuses what would not be understood later.
fn check(key: &str, value: &str) -> anyhow::Result<()> {
    let name = key.strip_prefix(CODEX_PREFIX).unwrap_or(key);
    if name == "target" && Target::parse(value).is_none() {
        bail!("{key} is one of phoenix, arize, otlp, local");
    }
    let Some(known) = keys::find(name) else { return Ok(()) };
    let boolean = matches!(known.default, "true" | "false");
    let truth = ["true", "false", "1", "0", "yes", "no"];
    if boolean && !truth.iter().any(|t| t.eq_ignore_ascii_case(value)) {
        bail!("{key} is true or false");
    }
    let number = !known.default.is_empty() && known.default.bytes().all(|b| b.is_ascii_digit());
    if number && value.parse::<u64>().is_err() {
        bail!("{key} is a whole number");
    }
    Ok(())
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
    scalar_text(value)
        .unwrap_or_else(|| serde_yml::to_string(value).unwrap_or_default().trim_end().to_owned())
}

fn is_secret(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or_default();
    ["key", "token", "secret", "password"].iter().any(|word| last.contains(word)) || key.contains("headers")
}

fn hidden(value: &Value) -> String {
    match scalar_text(value) {
        Some(text) => format!("<hidden ({} chars)>", text.chars().count()),
        None => "<none>".to_owned(),
    }
}
