//! `uninstall`: takes out what install has added, and nothing else; with `--purge` settings and turns as well.

use anyhow::{Context as _, bail};
use argh::{ArgsInfo, FromArgs};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::exit::{DONE, FAILED};
use super::flush::{self, FlushArgs};
use super::setup::codex_config::{self, CodexConfig};
use super::setup::record::{self, Record};
use super::setup::{describe, links, prompt, settings_file, skill};
use crate::codex::hooks_config;
use crate::codex::hooks_config::Removed;
use crate::context::{Context, Paths};
use crate::delivery::close;
use crate::delivery::outbox;
use crate::delivery::processes;
use crate::settings::document::Document;
use crate::settings::{self, CODEX_PREFIX};

/// Remove what install added.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "uninstall")]
pub struct Uninstall {
    /// also remove settings, recorded turns and the log
    #[argh(switch)]
    purge: bool,
    /// do not ask any questions; with --purge, discard undelivered turns
    #[argh(switch)]
    yes: bool,
    /// show what would change, and change nothing
    #[argh(switch)]
    dry_run: bool,
}

/// Uninstalls, or shows what uninstalling would do.
///
/// # Errors
/// When a configuration cannot be read, parsed or written, or `--purge` would lose turns unasked.
pub fn run(args: &Uninstall, context: &Context, out: &mut dyn Write) -> anyhow::Result<u8> {
    let paths = context.paths();
    let mut record = Record::load(paths)?;
    let mut files: Vec<PathBuf> = record.configs.keys().cloned().collect();
    if !files.contains(&paths.codex_config()) {
        files.push(paths.codex_config());
    }
    let mut edits = Vec::new();
    for path in files {
        let config = CodexConfig::read(&path)?;
        let before = record.config(&path);
        let removed = hooks_config::edit::uninstall(
            config.text(),
            &codex_config::spellings(&path),
            before.notify.as_deref(),
        )
        .with_context(|| format!("{} is left as it is", path.display()))?;
        if removed.text != config.text() {
            config.check_writable()?;
        }
        edits.push((config, before, removed));
    }
    if args.dry_run {
        for (config, _, removed) in &edits {
            tell_changes(config, removed, out)?;
        }
        return tell_removals(args, paths, &record, out);
    }
    if !offer_delivery(args, context, out)? {
        return Ok(FAILED);
    }

    for (config, before, removed) in &edits {
        tell_changes(config, removed, out)?;
        apply(config, before, removed, paths)?;
        record.configs.remove(&config.path);
    }
    forget_chain(paths)?;
    let gone = links::remove(paths).len();
    for link in std::mem::take(&mut record.links) {
        links::remove_link(&link, paths);
    }
    for path in std::mem::take(&mut record.skills) {
        skill::remove(&path);
    }
    for folder in std::mem::take(&mut record.folders).iter().rev() {
        // Only when nobody has put anything there since.
        let _ = fs::remove_dir(folder);
    }
    let found = record.settings.clone();
    record.save(paths)?;
    writeln!(out, "program   {}", if gone > 0 { "removed" } else { "was not installed" })?;
    if processes::list(paths).iter().any(|marker| marker.process.is_running()) {
        writeln!(out, "note      running Codex sessions keep looking for the hooks until you restart them")?;
    }
    if args.purge {
        purge(paths, found.as_ref(), out)?;
    } else {
        let (settings, state) = (paths.config_yaml(), paths.state());
        writeln!(
            out,
            "kept      settings in {} and recorded turns in {}",
            settings.display(),
            state.display()
        )?;
    }
    Ok(DONE)
}

/// Says what else would be removed.
fn tell_removals(
    args: &Uninstall,
    paths: &Paths,
    record: &Record,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let program = paths.executable(super::PROGRAM);
    let files =
        [program].into_iter().chain(record.links.iter().cloned()).chain(record.skills.iter().cloned());
    for path in files.filter(|path| fs::symlink_metadata(path).is_ok()) {
        writeln!(out, "remove    {}", path.display())?;
    }
    if args.purge {
        writeln!(out, "remove    harnesses.codex in {}", paths.config_yaml().display())?;
        writeln!(out, "remove    {}", paths.state().display())?;
        writeln!(out, "remove    {}", paths.log_file().display())?;
    }
    Ok(DONE)
}

fn tell_changes(config: &CodexConfig, removed: &Removed, out: &mut dyn Write) -> anyhow::Result<()> {
    let lines = describe(&removed.changes);
    let what = if lines.is_empty() { "nothing to remove".to_owned() } else { lines.join("; ") };
    Ok(writeln!(out, "codex     {}: {what}", config.path.display())?)
}

/// Writes one config.toml back; a file that install made and nobody added to goes.
fn apply(
    config: &CodexConfig,
    before: &record::Config,
    removed: &Removed,
    paths: &Paths,
) -> anyhow::Result<()> {
    if config.text.is_none() {
        return Ok(());
    }
    if before.created && removed.text.trim().is_empty() {
        fs::remove_file(&config.path).with_context(|| config.path.display().to_string())?;
        // Only when Codex has not put anything there either.
        let _ = config.path.parent().map(fs::remove_dir);
        return Ok(());
    }
    if removed.text != config.text() {
        config.write(&removed.text, &codex_config::backups(paths))?;
    }
    Ok(())
}

/// Offers to deliver what waits; returns whether to go on.
fn offer_delivery(args: &Uninstall, context: &Context, out: &mut dyn Write) -> anyhow::Result<bool> {
    let waiting = || outbox::list(context.paths()).len() + close::list(context.paths()).len();
    let count = waiting();
    if count == 0 {
        return Ok(true);
    }
    let turns = if count == 1 { "1 turn waits".to_owned() } else { format!("{count} turns wait") };
    if !args.yes && prompt::is_possible() {
        if prompt::yes(&format!("{turns} to be delivered. Deliver now?"), true)? {
            flush::run(&FlushArgs { wait: 30 }, context, out)?;
        }
        return Ok(waiting() == 0 || prompt::yes("Continue without delivering the rest?", !args.purge)?);
    }
    if args.purge && !args.yes {
        bail!("{turns} to be delivered and would be lost: run `arize-codex flush` first, or add --yes");
    }
    writeln!(out, "warning   {turns} to be delivered; reinstall and run `arize-codex flush` to deliver")?;
    Ok(true)
}

/// The other notify program is called by Codex itself again.
fn forget_chain(paths: &Paths) -> anyhow::Result<()> {
    settings::remember_chain(paths, &[])?;
    let path = paths.config_yaml();
    let Ok(Some(mut document)) = Document::load(&path) else { return Ok(()) };
    if document.unset(&format!("{CODEX_PREFIX}notify_chain")) {
        document.save(&path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Removes our settings, turns and log; other harnesses' share of the directory stays.
fn purge(paths: &Paths, found: Option<&record::SavedSettings>, out: &mut dyn Write) -> anyhow::Result<()> {
    let path = paths.config_yaml();
    let put_back = found.map_or(Ok(false), |found| settings_file::put_back(paths, found))?;
    match Document::load(&path) {
        _ if put_back => {}
        Ok(Some(mut document)) => {
            document.unset(CODEX_PREFIX.trim_end_matches('.'));
            let empty = |v: &serde_yml::Value| v.as_mapping().is_some_and(serde_yml::Mapping::is_empty);
            if document.get("harnesses").is_some_and(empty) {
                document.unset("harnesses");
            }
            if document.is_empty() {
                fs::remove_file(&path).with_context(|| path.display().to_string())?;
            } else {
                document.save(&path).with_context(|| path.display().to_string())?;
            }
        }
        Ok(None) => {}
        Err(error) => writeln!(out, "warning   {error}; left unchanged")?,
    }
    let log = paths.log_file();
    remove(&paths.state())?;
    remove(&log)?;
    remove(&log.with_extension("log.1"))?;
    for folder in [paths.state().parent(), log.parent(), Some(paths.harness()), paths.harness().parent()] {
        let Some(folder) = folder.filter(|f| f.starts_with(paths.harness()) || f.ends_with(".arize")) else {
            continue;
        };
        // Only when nobody else keeps something there.
        let _ = fs::remove_dir(folder);
    }
    writeln!(out, "purged    settings, turns and log of Codex tracing")?;
    Ok(())
}

fn remove(path: &Path) -> anyhow::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
