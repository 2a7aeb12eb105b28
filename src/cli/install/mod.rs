//! `install`: the executable in its place, config.yaml, and our hooks in Codex's config.toml.
//!
//! Everything is read and checked before anything is written, so a file that cannot be edited leaves the machine
//! as it was.

mod choices;
mod next;
mod system;

use anyhow::Context as _;
use argh::{ArgsInfo, FromArgs};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use super::exit::{DONE, FAILED};
use super::setup::codex_config::{self, CodexConfig};
use super::setup::record::Record;
use super::setup::{backend, describe, links, prompt, settings_file, skill};
use crate::codex::events::FIRST_WITH_HOOKS;
use crate::codex::hooks_config;
use crate::codex::hooks_config::survey::Survey;
use crate::codex::hooks_config::trust;
use crate::codex::hooks_config::{Executables, Installed};
use crate::codex::plugin;
use crate::context::Context;
use crate::git::without_credentials;
use crate::settings::document::Document;
use crate::settings::{self, CODEX_PREFIX, Resolver, Settings, Target, load_document};
use choices::Choices;

/// Set up tracing: install the program, choose a backend and register the hooks with Codex.
#[derive(ArgsInfo, FromArgs, Debug, Default)]
#[argh(subcommand, name = "install")]
pub struct Install {
    /// where traces go: phoenix, arize, otlp, or local to keep them on this machine
    #[argh(option)]
    pub target: Option<String>,
    /// address of the backend
    #[argh(option, arg_name = "url")]
    pub endpoint: Option<String>,
    /// read the API key from FILE, or from standard input with "-"
    #[argh(option, arg_name = "file")]
    pub api_key_file: Option<String>,
    /// space ID in Arize AX
    #[argh(option, arg_name = "id")]
    pub space_id: Option<String>,
    /// add a request header for an OpenTelemetry collector; VALUE may be @FILE, or @- for standard input; can be repeated
    #[argh(option, arg_name = "name=value")]
    pub header: Vec<String>,
    /// project that the traces belong to (default codex)
    #[argh(option, arg_name = "name")]
    pub project: Option<String>,
    /// user ID to put on every span, as user.id
    #[argh(option, arg_name = "id")]
    pub user_id: Option<String>,
    /// layout of a trace: turn (one LLM span per turn) or calls (one per model call)
    #[argh(option, arg_name = "layout")]
    pub span_tree: Option<String>,
    /// also link the program, under all its names, into DIR/bin
    #[argh(option, arg_name = "dir")]
    pub prefix: Option<PathBuf>,
    /// install the program for all users into DIR/bin; changes no user's settings
    #[argh(option, arg_name = "dir")]
    pub system: Option<PathBuf>,
    /// also install the skill that lets Codex manage its own tracing
    #[argh(switch)]
    pub with_skills: bool,
    /// do not ask any questions
    #[argh(switch)]
    pub yes: bool,
    /// show what would change, and change nothing
    #[argh(switch)]
    pub dry_run: bool,
}

/// Installs, or shows what installing would do.
///
/// # Errors
/// When a configuration cannot be read, parsed or written.
pub fn run(args: &Install, context: &Context, out: &mut dyn Write) -> anyhow::Result<u8> {
    if let Some(directory) = &args.system {
        return system::install(directory, context, args.dry_run, out);
    }
    let paths = context.paths();
    let mut document = load_document(paths)?;
    let settings = Settings::from_resolver(&Resolver::load(context)?, paths);
    let mut record = Record::load(paths)?;
    let mut prepared = Prepared::read(context)?;
    let mut choices = Choices::from_flags(args, &settings, context)?;
    let asks = !args.yes && !args.dry_run && prompt::is_possible();
    if asks {
        choices.ask(args, &document, &settings)?;
    }
    choices.check()?;
    let kept = choices.keep_headers(asks)?;
    if !kept.is_empty() {
        let names = kept.join(", ");
        writeln!(out, "headers   {names} of OTEL_EXPORTER_OTLP_HEADERS, kept in config.yaml")?;
    }
    choices.write(&mut document)?;
    remember_notify(&mut document, &mut record, &prepared)?;
    let reachable = look_at_backend(context, &mut choices, &mut document, asks, out)?;
    if asks && !reachable && !prompt::yes("Install with these settings anyway?", false)? {
        writeln!(out, "nothing was changed")?;
        return Ok(FAILED);
    }
    if args.dry_run {
        return dry_run(&document, &prepared, out);
    }

    links::place(paths)?;
    settings_file::save_for_install(&document, paths, &mut record.settings)?;
    if let Some(foreign) = &prepared.installed.replaced_notify {
        settings::remember_chain(paths, &foreign.argv)?;
    }
    if let Some(folder) = link_folder(args, context) {
        record.note_missing(&folder);
        record.links.extend(links::link_into(&folder, paths)?);
    }
    if args.with_skills {
        let home = home::home_dir().context("there is no home directory")?;
        record.note_missing(&skill::folder(&home));
        record.skills.insert(skill::install(&home)?);
    }
    // Before config.toml, so that whatever happens uninstall knows what was there.
    record.save(paths)?;
    prepared.write(context)?;
    next::report(context, &settings_of(context, &document), &prepared, out)?;
    next::offer_past(context, asks && reachable, choices.moves_elsewhere(), out)?;
    Ok(DONE)
}

/// Codex's configuration as it is, and as it is to be.
#[derive(Debug)]
pub struct Prepared {
    pub config: CodexConfig,
    pub installed: Installed,
    /// A plugin that brings the hooks, so that no entries are needed.
    pub plugin: Option<String>,
}

impl Prepared {
    fn read(context: &Context) -> anyhow::Result<Prepared> {
        let paths = context.paths();
        let bin = paths.bin();
        let bin = bin.to_str().context("the path of the harness directory is not Unicode")?;
        let config = CodexConfig::read(&paths.codex_config())?;
        let executables = Executables::in_folder(bin);
        let left = || format!("{} is left as it is", config.path.display());
        let mut installed = hooks_config::edit::install(config.text(), &executables).with_context(left)?;
        let plugin = Survey::of(config.text()).ok().and_then(|survey| {
            let ours = trust::our_hooks(&survey, &executables, &codex_config::spellings(&config.path));
            let none = ours.iter().all(|hook| hook.state == trust::HookState::Missing);
            plugin::find(paths.codex(), &survey).filter(|_| none).map(|plugin| plugin.id)
        });
        if plugin.is_some() {
            installed =
                Installed { text: config.text().to_owned(), replaced_notify: None, changes: Vec::new() };
        }
        if installed.text != config.text() {
            config.check_writable()?;
        }
        Ok(Prepared { config, installed, plugin })
    }

    /// Writes config.toml. Codex writes it too, when it starts for instance: then it is read and edited once more.
    fn write(&mut self, context: &Context) -> anyhow::Result<()> {
        for attempt in 1.. {
            if self.installed.text == self.config.text() {
                return Ok(());
            }
            match self.config.write(&self.installed.text, &codex_config::backups(context.paths())) {
                Err(error) if error.is::<codex_config::ChangedMeanwhile>() && attempt < ATTEMPTS => {
                    std::thread::sleep(BETWEEN_ATTEMPTS * attempt);
                    *self = Prepared::read(context)?;
                }
                // Another program may have written what it read before ours was there.
                Ok(()) if attempt < ATTEMPTS => {
                    let again = Prepared::read(context)?;
                    if again.installed.text == again.config.text() {
                        return Ok(());
                    }
                    *self = again;
                }
                other => return other,
            }
        }
        Ok(())
    }
}

/// Keeps another tool's notify: for calling it in config.yaml, for putting it back in the record.
fn remember_notify(document: &mut Document, record: &mut Record, prepared: &Prepared) -> anyhow::Result<()> {
    let Prepared { config, installed, .. } = prepared;
    let known = record.configs.contains_key(&config.path);
    let kept = record.configs.entry(config.path.clone()).or_default();
    if !known {
        kept.created = config.text.is_none();
    }
    let Some(foreign) = &installed.replaced_notify else { return Ok(()) };
    kept.notify = Some(foreign.source.clone());
    let argv: Vec<serde_yml::Value> = foreign.argv.iter().map(|w| w.as_str().into()).collect();
    let key = format!("{CODEX_PREFIX}notify_chain");
    if argv.is_empty() {
        document.unset(&key);
        return Ok(());
    }
    document.set(&key, serde_yml::Value::Sequence(argv)).map_err(anyhow::Error::msg)
}

/// The settings that will be in force.
fn settings_of(context: &Context, document: &Document) -> Settings {
    let resolver = Resolver::without_document(context).with_document(document.clone());
    Settings::from_resolver(&resolver, context.paths())
}

/// Probes the backend that will be in force and says what it found; of a collector, in the protocol it speaks. A key that the backend asks for is asked of the user.
fn look_at_backend(
    context: &Context,
    choices: &mut Choices,
    document: &mut Document,
    asks: bool,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    loop {
        let settings = settings_of(context, document);
        let endpoint = without_credentials(settings.endpoint.as_deref().unwrap_or_default());
        let Some(target) = settings.target else { return Ok(true) };
        if target == Target::Local {
            writeln!(out, "backend   none: turns stay on this machine")?;
            return Ok(true);
        }
        if target == Target::Otlp && choices.protocol.is_none() {
            choices.protocol = backend::find_protocol(&settings);
            if choices.protocol.is_some() {
                choices.write(document)?;
                continue;
            }
        }
        let spoken = choices.protocol.map(|p| format!(" in {}", p.name())).unwrap_or_default();
        let Err(failure) = backend::probe(&settings) else {
            writeln!(out, "backend   {} at {endpoint} answers{spoken}", target.name())?;
            return Ok(true);
        };
        writeln!(out, "backend   {} at {endpoint}: {failure}", target.name())?;
        if asks && failure.wants_key() && choices.ask_key_again()? {
            choices.write(document)?;
            continue;
        }
        writeln!(out, "          {}; turns are kept until it answers", failure.advice(target))?;
        return Ok(false);
    }
}

fn dry_run(document: &Document, prepared: &Prepared, out: &mut dyn Write) -> anyhow::Result<u8> {
    let Prepared { config, installed, .. } = prepared;
    writeln!(out, "would write into config.yaml:")?;
    for (key, value) in document.leaves() {
        if let Some(name) = key.strip_prefix(CODEX_PREFIX) {
            let shown = crate::settings::document::scalar_text(value).unwrap_or_else(|| "…".to_owned());
            let secret = matches!(name, "api_key") || name.starts_with("headers");
            let shown = if secret { "<hidden>".to_owned() } else { without_credentials(&shown) };
            writeln!(out, "  {key} = {shown}")?;
        }
    }
    writeln!(out, "would change {}:", config.path.display())?;
    for line in describe(&installed.changes) {
        writeln!(out, "  {line}")?;
    }
    if installed.changes.is_empty() {
        writeln!(out, "  nothing")?;
    }
    Ok(DONE)
}

/// The directory to be linked into: `--prefix`'s bin, else ~/.local/bin when it is there and on the PATH.
fn link_folder(args: &Install, context: &Context) -> Option<PathBuf> {
    if let Some(prefix) = &args.prefix {
        return Some(std::path::absolute(prefix).unwrap_or_else(|_| prefix.clone()).join("bin"));
    }
    let local = home::home_dir()?.join(".local/bin");
    let path = context.var("PATH")?;
    (local.is_dir() && std::env::split_paths(&path).any(|p| p == local)).then_some(local)
}

/// How often config.toml is edited anew while another program writes it.
const ATTEMPTS: u32 = 8;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(100);
