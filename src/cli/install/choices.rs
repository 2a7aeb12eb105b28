//! What is to be written into config.yaml: from flags, then what is set already, then the defaults; at a terminal
//! the user is asked, with these as the answers offered.

use anyhow::{Context as _, bail};
use serde_yml::Value;
use std::io::Read;

use super::Install;
use crate::cli::setup::prompt;
use crate::cli::usage;
use crate::context::{Context, var};
use crate::delivery::transport::endpoint::Endpoint;
use crate::settings::document::{Document, scalar_text};
use crate::settings::{CODEX_PREFIX, Protocol, Settings, SpanTree, Target, pairs};

/// The choices of one installation.
#[derive(Debug)]
pub struct Choices {
    pub target: Target,
    pub endpoint: Option<String>,
    /// None leaves the key that is there.
    pub api_key: Option<String>,
    pub space_id: Option<String>,
    pub headers: Vec<(String, String)>,
    pub project: String,
    /// None leaves what is set, here or for all harnesses.
    pub user_id: Option<String>,
    pub span_tree: Option<SpanTree>,
    /// Prompts, tool arguments, tool results; none leaves what is set.
    pub logging: Option<[bool; 3]>,
    /// What an OpenTelemetry collector was found to speak.
    pub protocol: Option<Protocol>,
    /// The headers that OTEL_EXPORTER_OTLP_HEADERS names here.
    of_environment: Vec<(String, String)>,
    /// The target set before.
    was: Option<Target>,
}

impl Choices {
    /// Takes the flags and what is set already.
    ///
    /// # Errors
    /// When a flag makes no sense or the key's file cannot be read.
    pub fn from_flags(args: &Install, settings: &Settings, context: &Context) -> anyhow::Result<Choices> {
        let wanted = args.target.as_deref().map(parse_target).transpose()?;
        let target = wanted.or(settings.target).unwrap_or(Target::Phoenix);
        // What is set belongs to the target it was set for: one backend's key is never written for another.
        let same = settings.target == Some(target);
        let set = |value: Option<String>, variable: &str| {
            value.filter(|_| same).or_else(|| context.var(variable).filter(|_| !same))
        };
        let (endpoint_var, key_var) = match target {
            Target::Phoenix => (var::PHOENIX_ENDPOINT, var::PHOENIX_API_KEY),
            Target::Arize => (var::ARIZE_OTLP_ENDPOINT, var::ARIZE_API_KEY),
            Target::Otlp | Target::Local => (var::OTLP_ENDPOINT, ""),
        };
        let given_key = args.api_key_file.as_deref().map(read_key).transpose()?;
        let set_key = set(settings.api_key.as_ref().map(|k| k.expose().to_owned()), key_var);
        let endpoint = args.endpoint.clone().or_else(|| set(settings.endpoint.clone(), endpoint_var));
        Ok(Choices {
            target,
            endpoint: endpoint.or_else(|| default_endpoint(target)).filter(|_| target != Target::Local),
            api_key: given_key.or(set_key),
            space_id: args.space_id.clone().or_else(|| set(settings.space_id.clone(), var::ARIZE_SPACE_ID)),
            headers: args.header.iter().map(|h| parse_header(h)).collect::<anyhow::Result<_>>()?,
            project: args.project.clone().unwrap_or_else(|| settings.profile.project_name.clone()),
            user_id: args.user_id.clone(),
            span_tree: args.span_tree.as_deref().map(parse_span_tree).transpose()?,
            logging: None,
            protocol: None,
            of_environment: pairs::parse(&context.var(var::OTLP_HEADERS).unwrap_or_default()),
            was: settings.target,
        })
    }

    /// Returns true if turns went to another backend until now, and are to go to one that has none of them.
    pub fn moves_elsewhere(&self) -> bool {
        self.target != Target::Local && self.was.is_some_and(|was| was != self.target)
    }

    /// Refuses choices with which nothing could be delivered.
    ///
    /// # Errors
    /// When something is missing.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.target == Target::Arize && (self.api_key.is_none() || self.space_id.is_none()) {
            bail!("Arize AX needs a space ID and an API key: --space-id ID --api-key-file FILE");
        }
        if let Some(endpoint) = &self.endpoint
            && let Err(error) = Endpoint::parse(endpoint, Some(self.target), 1)
        {
            return Err(usage(error.to_string()));
        }
        if self.target == Target::Otlp && self.endpoint.is_none() {
            bail!("an OpenTelemetry collector needs --endpoint URL");
        }
        Ok(())
    }

    /// Asks the user for what the flags leave open. With `--target`, only for what that target lacks.
    ///
    /// # Errors
    /// When the terminal is gone or the user interrupts.
    pub fn ask(&mut self, args: &Install, document: &Document, settings: &Settings) -> anyhow::Result<()> {
        let is_open = args.target.is_none();
        if is_open {
            self.ask_target()?;
        }
        let needs_endpoint = self.endpoint.is_none() && self.target == Target::Otlp;
        if needs_endpoint || is_open && args.endpoint.is_none() && self.target == Target::Phoenix {
            self.ask_endpoint()?;
        }
        if self.target == Target::Arize {
            self.offer_credentials_of_others(document)?;
            if self.space_id.is_none() {
                let asked = || prompt::line("Space ID (Arize: Settings, Space)", "");
                self.space_id = Some(needed(asked, |s| !s.contains(char::is_whitespace))?);
            }
            if self.api_key.is_none() {
                let asked = || prompt::secret("API key (Arize: Settings, API Keys)");
                self.api_key = Some(needed(asked, is_key)?);
            }
        }
        if is_open {
            self.ask_content(settings)?;
        }
        Ok(())
    }

    /// Takes over the headers of the environment, which Codex's background server need not have; returns their names.
    ///
    /// # Errors
    /// When the terminal is gone or the user interrupts.
    pub fn keep_headers(&mut self, asks: bool) -> anyhow::Result<Vec<String>> {
        let new =
            |(name, _): &(String, String)| !self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        let offered: Vec<_> = self.of_environment.iter().filter(|header| new(header)).cloned().collect();
        if self.target != Target::Otlp || offered.is_empty() {
            return Ok(Vec::new());
        }
        if asks && !prompt::yes("Keep the headers of OTEL_EXPORTER_OTLP_HEADERS in config.yaml?", true)? {
            return Ok(Vec::new());
        }
        let names = offered.iter().map(|(name, _)| name.clone()).collect();
        self.headers.extend(offered);
        Ok(names)
    }

    fn ask_target(&mut self) -> anyhow::Result<()> {
        const BACKENDS: [&str; 5] = [
            "Phoenix, on this machine or elsewhere",
            "Arize AX (otlp.arize.com)",
            "Arize AX elsewhere: on-premises or another region",
            "an OpenTelemetry collector",
            "nowhere else: keep them on this machine only",
        ];
        let default_arize = default_endpoint(Target::Arize);
        let offered = match self.target {
            Target::Phoenix => 0,
            Target::Arize if self.endpoint == default_arize => 1,
            Target::Arize => 2,
            Target::Otlp => 3,
            Target::Local => 4,
        };
        let picked = prompt::choice("Where should traces go?", &BACKENDS, offered)?;
        let target = [Target::Phoenix, Target::Arize, Target::Arize, Target::Otlp, Target::Local][picked];
        if target != self.target {
            self.target = target;
            self.endpoint = default_endpoint(target);
            (self.api_key, self.space_id) = (None, None);
        }
        match picked {
            1 => self.endpoint = default_arize,
            2 => {
                // Elsewhere is not where the default leads.
                self.endpoint = self.endpoint.take().filter(|e| Some(e) != default_arize.as_ref());
                self.ask_endpoint()?;
            }
            4 => self.endpoint = None,
            _ => {}
        }
        Ok(())
    }

    /// Asks where the backend is until the answer is an address.
    fn ask_endpoint(&mut self) -> anyhow::Result<()> {
        let offered = self.endpoint.clone().unwrap_or_default();
        let target = self.target;
        let is_address = |text: &str| Endpoint::parse(text, Some(target), 1).is_ok();
        self.endpoint = Some(needed(|| prompt::line("Address of the backend", &offered), is_address)?);
        Ok(())
    }

    /// Asks for the key that a backend wants; returns whether one was given.
    ///
    /// # Errors
    /// When the terminal is gone or the user interrupts.
    pub fn ask_key_again(&mut self) -> anyhow::Result<bool> {
        let key = prompt::secret("API key (leave empty to skip)")?;
        if key.is_empty() {
            return Ok(false);
        }
        self.api_key = Some(key);
        Ok(true)
    }

    /// Another harness of Arize on this machine may have the credentials already.
    fn offer_credentials_of_others(&mut self, document: &Document) -> anyhow::Result<()> {
        let Some(Value::Mapping(harnesses)) = document.get("harnesses") else { return Ok(()) };
        if self.api_key.is_some() {
            return Ok(());
        }
        for (name, harness) in harnesses {
            let field = |key: &str| harness.get(key).and_then(scalar_text);
            let (Some(name), Some(key), Some(space)) = (name.as_str(), field("api_key"), field("space_id"))
            else {
                continue;
            };
            if name != "codex" && prompt::yes(&format!("Use the Arize AX credentials of {name}?"), true)? {
                (self.api_key, self.space_id) = (Some(key), Some(space));
                self.endpoint = field("endpoint").or(self.endpoint.take());
                return Ok(());
            }
        }
        Ok(())
    }

    fn ask_content(&mut self, settings: &Settings) -> anyhow::Result<()> {
        let now = settings.profile.logging;
        let all = now.prompts && now.tool_details && now.tool_content;
        if prompt::yes(
            "Record prompts, answers, commands and their output, and not only names, times and tokens?",
            all,
        )? {
            self.logging = (!all).then_some([true; 3]);
            return Ok(());
        }
        self.logging = Some([
            prompt::yes("  Record prompts and answers?", now.prompts && !all)?,
            prompt::yes("  Record commands, paths and patches?", now.tool_details)?,
            prompt::yes("  Record what commands and tools print?", now.tool_content && !all)?,
        ]);
        Ok(())
    }

    /// Writes the choices into config.yaml's document; what is the default and was not set stays unset.
    ///
    /// # Errors
    /// When something that is not a mapping stands in the way.
    pub fn write(&self, document: &mut Document) -> anyhow::Result<()> {
        let mut set = |key: &str, value: Value| {
            document.set(&format!("{CODEX_PREFIX}{key}"), value).map_err(anyhow::Error::msg)
        };
        set("target", Value::from(self.target.name()))?;
        set("project_name", Value::from(self.project.as_str()))?;
        let texts = [("endpoint", &self.endpoint), ("api_key", &self.api_key), ("space_id", &self.space_id)];
        for (key, value) in texts {
            if let Some(value) = value {
                set(key, Value::from(value.as_str()))?;
            }
        }
        for (name, value) in &self.headers {
            set(&format!("headers.{name}"), Value::from(value.as_str()))?;
        }
        if let Some(protocol) = self.protocol {
            set("protocol", Value::from(protocol.name()))?;
        }
        if let Some(user) = &self.user_id {
            set("user_id", Value::from(user.as_str()))?;
        }
        if let Some(tree) = self.span_tree {
            set("span_tree", Value::from(if tree == SpanTree::Calls { "calls" } else { "turn" }))?;
        }
        if let Some(flags) = self.logging {
            for (name, flag) in ["prompts", "tool_details", "tool_content"].into_iter().zip(flags) {
                document.set(&format!("logging.{name}"), Value::from(flag)).map_err(anyhow::Error::msg)?;
            }
        }
        if self.was.is_some_and(|was| was != self.target) {
            for (key, value) in texts {
                if value.is_none() {
                    document.unset(&format!("{CODEX_PREFIX}{key}"));
                }
            }
        }
        Ok(())
    }
}

/// Asks until the answer is one that can be used.
fn needed(
    mut ask: impl FnMut() -> std::io::Result<String>,
    is_usable: impl Fn(&str) -> bool,
) -> std::io::Result<String> {
    loop {
        let answer = ask()?;
        if !answer.is_empty() && is_usable(&answer) {
            return Ok(answer);
        }
        prompt::say(match answer.is_empty() {
            true => "please enter a value; Ctrl-C cancels and changes nothing\n",
            false => "that is not valid here; please try again\n",
        });
    }
}

/// Returns true if a request header can carry the key.
fn is_key(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_graphic())
}

/// Reads `NAME=VALUE`. A value `@FILE` is what the file holds, and `@-` what standard input does: no secret has to stand
/// on a command line.
fn parse_header(text: &str) -> anyhow::Result<(String, String)> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let is_name =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !is_name || value.is_empty() {
        return Err(usage("--header is NAME=VALUE or NAME=@FILE"));
    }
    let value = match value.strip_prefix('@') {
        Some(file) => read_line(file)?,
        None => value.to_owned(),
    };
    Ok((name.to_owned(), value))
}

fn parse_target(name: &str) -> anyhow::Result<Target> {
    Target::parse(name)
        .ok_or_else(|| usage(format!("--target {name} is none of phoenix, arize, otlp, local")))
}

fn parse_span_tree(name: &str) -> anyhow::Result<SpanTree> {
    SpanTree::parse(name).ok_or_else(|| usage(format!("--span-tree {name} is neither turn nor calls")))
}

fn default_endpoint(target: Target) -> Option<String> {
    match target {
        Target::Phoenix => Some("http://localhost:6006".to_owned()),
        Target::Arize => Some("otlp.arize.com:443".to_owned()),
        Target::Otlp | Target::Local => None,
    }
}

/// Reads a key from a file, or from standard input for `-`.
fn read_key(file: &str) -> anyhow::Result<String> {
    let key = read_line(file)?;
    if key.contains(char::is_whitespace) {
        bail!("{file} must contain one key, on one line");
    }
    Ok(key)
}

/// Reads the one line of a file, or of standard input for `-`.
fn read_line(file: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut read = |from: &mut dyn Read| {
        from.take(MAX_KEY_BYTES).read_to_string(&mut text).with_context(|| format!("cannot read {file}"))
    };
    match file {
        "-" => read(&mut std::io::stdin())?,
        _ => read(&mut std::fs::File::open(file).with_context(|| format!("cannot read {file}"))?)?,
    };
    let line = text.trim();
    if line.is_empty() || line.contains(char::is_control) {
        bail!("{file} must contain one line");
    }
    Ok(line.to_owned())
}

const MAX_KEY_BYTES: u64 = 64 * 1024;
