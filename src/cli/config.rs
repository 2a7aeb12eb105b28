//! `config get | set | unset | list | path`: config.yaml by keys, keeping what is not understood. A bare key means
//! `harnesses.codex.KEY`.

use argh::{ArgsInfo, FromArgs};
use serde_yml::Value;
use std::io::Write;

use super::exit::{DONE, FAILED};
use super::line::nearest::nearest;
use super::setup::{prompt, settings_file};
use super::usage;
use crate::context::Context;
use crate::git::without_credentials;
use crate::settings::document::{Document, scalar_text};
use crate::settings::{
    CODEX_PREFIX, ExportMode, Pattern, Protocol, SemanticConventions, SpanTree, Target, keys, load_document,
};
use crate::text::printable;

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

/// Print one setting, such as project_name or logging.prompts.
#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand, name = "get")]
struct Get {
    /// name of the setting; NAME alone means harnesses.codex.NAME
    #[argh(positional)]
    key: String,
}

/// Change a setting. Separate list items with commas; with "-" as the value it is read from standard input.
#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand, name = "set")]
struct Set {
    /// name of the setting; NAME alone means harnesses.codex.NAME
    #[argh(positional)]
    key: String,
    /// new value; "-" reads it from standard input
    #[argh(positional)]
    value: String,
}

/// Remove a setting.
#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand, name = "unset")]
struct Unset {
    /// name of the setting; NAME alone means harnesses.codex.NAME
    #[argh(positional)]
    key: String,
}

/// Print all settings in config.yaml; secrets are hidden.
#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand, name = "list")]
struct List {
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// Print the path of config.yaml.
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
            let Some(value) = existing(&document, &get.key)?.and_then(|key| document.get(&key)) else {
                return Ok(FAILED);
            };
            match scalar_text(value) {
                Some(text) => writeln!(out, "{text}")?,
                None => write!(out, "{}", serde_yml::to_string(value)?)?,
            }
        }
        Action::Set(set) => {
            let key = full_key(&set.key)?;
            if is_secret(&key) && set.value != "-" {
                return Err(usage(format!(
                    "{} is a secret, and other users can see command lines: use - as the value and pass the secret on \
                     standard input",
                    set.key
                )));
            }
            let value = if set.value == "-" { read_value(&key)? } else { set.value };
            check(&key, &value)?;
            let mut document = load_document(context.paths())?;
            document.set(&key, typed(&key, &value)).map_err(anyhow::Error::msg)?;
            save(&document, context)?;
        }
        Action::Unset(unset) => {
            let mut document = load_document(context.paths())?;
            if !existing(&document, &unset.key)?.is_some_and(|key| document.unset(&key)) {
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

/// The dotted path of a setting. One that nothing reads is refused; those of other harnesses are left to them.
fn full_key(key: &str) -> anyhow::Result<String> {
    let foreign = key.starts_with(HARNESSES) && !key.starts_with(CODEX_PREFIX);
    let name = key.strip_prefix(CODEX_PREFIX).unwrap_or(key);
    if foreign || keys::is_known(name) {
        return Ok(if foreign { key.to_owned() } else { format!("{CODEX_PREFIX}{name}") });
    }
    let meant = nearest(name, keys::KEYS.iter().map(|k| k.name));
    let meant = meant.map(|m| format!("; did you mean {m}?")).unwrap_or_default();
    Err(usage(format!("unknown setting {name}{meant}")))
}

/// The path under which a setting stands in the document: what is there can be read and removed, whatever it is called.
fn existing(document: &Document, key: &str) -> anyhow::Result<Option<String>> {
    if document.get(key).is_some() && (key.contains('.') || !keys::is_known(key)) {
        return Ok(Some(key.to_owned()));
    }
    let full = full_key(key)?;
    let found = [full.as_str(), key].into_iter().find(|key| document.get(key).is_some());
    Ok(found.map(str::to_owned))
}

fn save(document: &Document, context: &Context) -> anyhow::Result<()> {
    if let Some(copy) = settings_file::save(document, context.paths())? {
        eprintln!("note: comments are not preserved; the previous file is {}", copy.display());
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
        return Err(usage(format!("{key} must be one of {}", choices.join(", "))));
    }
    let Some(known) = keys::find(name) else { return Ok(()) };
    if name == "rules" {
        return Err(usage(
            "rules are a list: edit them in the file itself (`arize-codex config path` prints its path)",
        ));
    }
    if name == "redact_patterns" {
        for text in split_list(value) {
            if let Err(why) = Pattern::Plain(text).compile() {
                return Err(usage(format!("{key} must be a valid regular expression: {why}")));
            }
        }
    }
    let boolean = matches!(known.default, "true" | "false");
    let truth = ["true", "false", "1", "0", "yes", "no"];
    if boolean && !truth.iter().any(|t| t.eq_ignore_ascii_case(value)) {
        return Err(usage(format!("{key} must be true or false")));
    }
    let number = !known.default.is_empty() && known.default.bytes().all(|b| b.is_ascii_digit());
    if number && value.parse::<u64>().is_err() {
        return Err(usage(format!("{key} must be a whole number")));
    }
    Ok(())
}

/// Returns what a setting may be, where that can be listed.
fn choices_of(name: &str) -> Option<Vec<&'static str>> {
    match name {
        "target" => Some(Target::NAMES.map(|(name, _)| name).to_vec()),
        "span_tree" => Some(SpanTree::NAMES.map(|(name, _)| name).to_vec()),
        "semantic_conventions" => Some(SemanticConventions::NAMES.map(|(name, _)| name).to_vec()),
        "export_mode" => Some(ExportMode::NAMES.map(|(name, _)| name).to_vec()),
        "protocol" => Some(Protocol::NAMES.map(|(name, _)| name).to_vec()),
        _ => None,
    }
}

/// Booleans, numbers and lists as such, all else as text.
fn typed(key: &str, value: &str) -> Value {
    if LISTS.iter().any(|list| key.strip_prefix(CODEX_PREFIX) == Some(list)) {
        return split_list(value).into_iter().map(Value::from).collect();
    }
    if let Ok(flag) = value.parse::<bool>() {
        return Value::Bool(flag);
    }
    match value.parse::<u64>() {
        Ok(number) if number.to_string() == value => Value::from(number),
        _ => Value::from(value),
    }
}

/// The parts between commas; not those inside brackets, which regular expressions are full of.
fn split_list(text: &str) -> Vec<String> {
    let (mut parts, mut depth, mut escaped) = (vec![String::new()], 0i32, false);
    for c in text.chars() {
        let part = parts.len() - 1;
        match c {
            ',' if depth <= 0 && !escaped => parts.push(String::new()),
            _ => parts[part].push(c),
        }
        depth += i32::from(matches!(c, '(' | '[' | '{') && !escaped);
        depth -= i32::from(matches!(c, ')' | ']' | '}') && !escaped);
        escaped = c == '\\' && !escaped;
    }
    parts.iter().map(|p| p.trim().to_owned()).filter(|p| !p.is_empty()).collect()
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

/// Prefix of the settings of each tool.
const HARNESSES: &str = "harnesses.";
/// Settings that are lists.
const LISTS: [&str; 3] = ["tags", "redact_patterns", "notify_chain"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_at_commas_outside_of_brackets() {
        for (text, parts) in [
            ("a,b", &["a", "b"][..]),
            (" a , ,b ", &["a", "b"]),
            ("acme-[0-9]{2,3},x(a,b)", &["acme-[0-9]{2,3}", "x(a,b)"]),
            (r"a\,b", &[r"a\,b"]),
            ("", &[]),
        ] {
            assert_eq!(split_list(text), parts, "{text}");
        }
    }

    #[test]
    fn bare_keys_are_those_of_this_harness() {
        let key = |text: &str| full_key(text).map_err(|e| e.to_string());
        for (given, full) in [
            ("project_name", "harnesses.codex.project_name"),
            ("logging.prompts", "harnesses.codex.logging.prompts"),
            ("attributes.team", "harnesses.codex.attributes.team"),
            ("harnesses.codex.tags", "harnesses.codex.tags"),
            ("harnesses.claude-code.x", "harnesses.claude-code.x"),
        ] {
            assert_eq!(key(given).as_deref(), Ok(full), "{given}");
        }
        assert_eq!(
            key("projectname").unwrap_err(),
            "unknown setting projectname; did you mean project_name?"
        );
        assert_eq!(key("harnesses.codex.zzz").unwrap_err(), "unknown setting zzz");
    }
}
