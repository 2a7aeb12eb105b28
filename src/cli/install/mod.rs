//! `install`: the executable in its place, config.yaml, and our hooks in Codex's config.toml.
//!
//! Everything is read and checked before anything is written, so a file that cannot be edited leaves the machine
//! as it was.

mod choices;

use anyhow::Context as _;
use argh::{ArgsInfo, FromArgs};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::exit::{DONE, FAILED};
use super::setup::codex_config::{self, CodexConfig};
use super::setup::record::Record;
use super::setup::{backend, codex_cli, describe, links, prompt, settings_file, skill};
use crate::codex::events::FIRST_WITH_HOOKS;
use crate::codex::hooks_config;
use crate::codex::hooks_config::survey::Survey;
use crate::codex::hooks_config::trust;
use crate::codex::hooks_config::trust::HookState;
use crate::codex::hooks_config::{Executables, Installed};
use crate::context::{Context, var};
use crate::git::without_credentials;
use crate::platform;
use crate::settings::document::Document;
use crate::settings::{self, CODEX_PREFIX, Resolver, Settings, Target, load_document};
use choices::Choices;

/// Set tracing up: place the executable, choose a backend, register the hooks.
#[derive(ArgsInfo, FromArgs, Debug, Default)]
#[argh(subcommand, name = "install")]
pub struct Install {
    /// phoenix, arize, otlp or local
    #[argh(option)]
    pub target: Option<String>,
    /// where the backend listens
    #[argh(option)]
    pub endpoint: Option<String>,
    /// a file that holds the API key; "-" reads it from standard input
    #[argh(option)]
    pub api_key_file: Option<String>,
    /// the space in Arize AX
    #[argh(option)]
    pub space_id: Option<String>,
    /// the project traces go to (default codex)
    #[argh(option)]
    pub project: Option<String>,
    /// user.id on the spans
    #[argh(option)]
    pub user_id: Option<String>,
    /// turn or calls
    #[argh(option)]
    pub span_tree: Option<String>,
    /// also link arize-codex and arize-config into this directory's bin
    #[argh(option)]
    pub prefix: Option<PathBuf>,
    /// also install the skill with which Codex manages its tracing
    #[argh(switch)]
    pub with_skills: bool,
    /// ask nothing
    #[argh(switch)]
    pub yes: bool,
    /// show what would be done, and do nothing
    #[argh(switch)]
    pub dry_run: bool,
}

/// Installs, or shows what installing would do.
///
/// # Errors
/// When a configuration cannot be read, parsed or written.
pub fn run(args: &Install, context: &Context, out: &mut dyn Write) -> anyhow::Result<u8> {
    let paths = context.paths();
    let mut document = load_document(paths)?;
    let settings = Settings::from_resolver(&Resolver::load(context)?, paths);
    let mut record = Record::load(paths)?;
    let bin = paths.bin();
    let bin = bin.to_str().context("the path of the harness folder is not Unicode")?;
    let config = CodexConfig::read(&paths.codex_config())?;
    let installed = hooks_config::edit::install(config.text(), &Executables::in_folder(bin))
        .with_context(|| format!("{} is left as it is", config.path.display()))?;
    if installed.text != config.text() {
        config.check_writable()?;
    }

    let mut choices = Choices::from_flags(args, &settings, context)?;
    let asks = !args.yes && !args.dry_run && prompt::is_possible();
    if asks {
        choices.ask(&document, &settings)?;
    }
    choices.check()?;
    choices.write(&mut document)?;
    remember_notify(&mut document, &mut record, &config, &installed)?;
    let reachable = look_at_backend(context, &document, out)?;
    if asks && !reachable && !prompt::yes("Install with these settings all the same?", true)? {
        writeln!(out, "nothing was written")?;
        return Ok(FAILED);
    }
    if args.dry_run {
        return dry_run(&document, &installed, &config, out);
    }

    links::place(paths)?;
    settings_file::save_for_install(&document, paths, &mut record.settings)?;
    if let Some(foreign) = &installed.replaced_notify {
        settings::remember_chain(paths, &foreign.argv)?;
    }
    if let Some(folder) = link_folder(args, context) {
        record.note_missing(&folder);
        record.links.extend(links::link_into(&folder, paths)?);
    }
    if args.with_skills {
        let home = home::home_dir().context("there is no home folder")?;
        record.note_missing(&skill::folder(&home));
        record.skills.insert(skill::install(&home)?);
    }
    // Before config.toml, so that whatever happens uninstall knows what was there.
    record.save(paths)?;
    if installed.text != config.text() {
        config.write(&installed.text, &codex_config::backups(paths))?;
    }
    report(context, &config, &installed, out)?;
    Ok(DONE)
}

/// Keeps another tool's notify: for calling it in config.yaml, for putting it back in the record.
fn remember_notify(
    document: &mut Document,
    record: &mut Record,
    config: &CodexConfig,
    installed: &Installed,
) -> anyhow::Result<()> {
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

/// Probes the backend that will be in force and says what it found.
fn look_at_backend(context: &Context, document: &Document, out: &mut dyn Write) -> anyhow::Result<bool> {
    let settings = Settings::from_resolver(
        &Resolver::without_document(context).with_document(document.clone()),
        context.paths(),
    );
    let endpoint = without_credentials(settings.endpoint.as_deref().unwrap_or_default());
    let Some(target) = settings.target else {
        return Ok(true);
    };
    if target == Target::Local {
        writeln!(out, "backend   none: turns stay on this machine")?;
        return Ok(true);
    }
    match backend::probe(&settings) {
        Ok(()) => writeln!(out, "backend   {} at {endpoint} answers", target.name())?,
        Err(failure) => {
            writeln!(out, "backend   {} at {endpoint}: {failure}", target.name())?;
            writeln!(out, "          {}; turns are kept until it answers", failure.advice(target))?;
            return Ok(false);
        }
    }
    Ok(true)
}

fn dry_run(
    document: &Document,
    installed: &Installed,
    config: &CodexConfig,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
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

fn report(
    context: &Context,
    config: &CodexConfig,
    installed: &Installed,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let paths = context.paths();
    writeln!(out, "program   {}", paths.executable(super::PROGRAM).display())?;
    writeln!(out, "settings  {}", paths.config_yaml().display())?;
    let changes = if installed.changes.is_empty() {
        "already as it should be".to_owned()
    } else {
        describe(&installed.changes).join("; ")
    };
    writeln!(out, "codex     {}: {changes}", config.path.display())?;
    for name in [var::HARNESS_HOME, var::CODEX_HOME] {
        if context.var(name).is_some() {
            writeln!(out, "note      {name} is set; Codex must be started with it as well")?;
        }
    }
    match codex_cli::find(context).as_deref().and_then(codex_cli::version) {
        Some(version) if version < FIRST_WITH_HOOKS => {
            writeln!(out, "note      Codex {version} calls no hooks; from {FIRST_WITH_HOOKS} on it does")?;
        }
        _ => {}
    }
    let doctor = on_path(context).unwrap_or_else(|| paths.executable(super::PROGRAM).display().to_string());
    if is_trusted(context, config, installed) {
        writeln!(out, "\nCodex trusts the hooks already; `{doctor} doctor` says whether all is well")?;
        return Ok(());
    }
    writeln!(out, "\nNext, once:")?;
    writeln!(out, "  1. start `codex`")?;
    writeln!(out, "  2. at \"Hooks need review\" choose \"Trust all and continue\" (later: /hooks, then t)")?;
    writeln!(out, "  3. after a turn, `{doctor} doctor` says whether all is well")?;
    Ok(())
}

/// Returns true if Codex will run every hook of ours without being asked.
fn is_trusted(context: &Context, config: &CodexConfig, installed: &Installed) -> bool {
    let Ok(survey) = Survey::of(&installed.text) else { return false };
    let executables = Executables::in_folder(&context.paths().bin().to_string_lossy());
    let hooks = trust::our_hooks(&survey, &executables, &codex_config::spellings(&config.path));
    hooks.iter().all(|hook| hook.state == HookState::Trusted)
}

/// The program's name, when it can be called by it.
fn on_path(context: &Context) -> Option<String> {
    let program = context.paths().executable(super::PROGRAM);
    let path = context.var("PATH")?;
    let leads = |folder: PathBuf| {
        platform::is_same_file(&folder.join(links::exe(super::PROGRAM)), Path::new(&program))
    };
    std::env::split_paths(&path).any(leads).then(|| super::PROGRAM.to_owned())
}
