//! The end of an installation: what was done, where the traces can be seen, and what the user does next.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::Prepared;
use crate::cli::PROGRAM;
use crate::cli::backfill::{self, BackfillArgs};
use crate::cli::resend::{self, ResendArgs};
use crate::cli::selection::moment::Moment;
use crate::cli::selection::selectors::Selectors;
use crate::cli::setup::codex_config;
use crate::cli::setup::{codex_cli, describe, links, prompt};
use crate::cli::view::text::grouped;
use crate::codex::hooks_config::survey::Survey;
use crate::codex::hooks_config::trust::{self, HookState};
use crate::codex::hooks_config::{Executables, quoted};
use crate::context::{Context, var};
use crate::delivery::past_turns;
use crate::git::without_credentials;
use crate::platform;
use crate::settings::{Settings, Target};
use crate::time::Timestamp;

/// Says what was done and what comes next.
///
/// # Errors
/// When it cannot be printed.
pub fn report(
    context: &Context,
    settings: &Settings,
    prepared: &Prepared,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let paths = context.paths();
    writeln!(out, "program   {}", paths.executable(PROGRAM).display())?;
    writeln!(out, "settings  {}", paths.config_yaml().display())?;
    let changes = match (&prepared.plugin, prepared.installed.changes.is_empty()) {
        (Some(id), _) => format!("unchanged: the plugin {id} provides the hooks"),
        (None, true) => "already up to date".to_owned(),
        (None, false) => describe(&prepared.installed.changes).join("; "),
    };
    writeln!(out, "codex     {}: {changes}", prepared.config.path.display())?;
    for name in [var::HARNESS_HOME, var::CODEX_HOME] {
        if context.var(name).is_some() {
            writeln!(out, "note      {name} is set; Codex must be started with it as well")?;
        }
    }
    match codex_cli::find(context).as_deref().and_then(codex_cli::version) {
        Some(version) if version < super::FIRST_WITH_HOOKS => {
            let first = super::FIRST_WITH_HOOKS;
            writeln!(out, "note      Codex {version} does not call hooks; update it to {first} or later")?;
        }
        _ => {}
    }
    let program = program(context);
    if prepared.plugin.is_some() || is_trusted(context, prepared) {
        writeln!(out, "\nCodex already trusts the hooks. Next: send Codex a prompt, then")?;
    } else {
        writeln!(
            out,
            "\nNext: start `codex` and, at \"Hooks need review\", choose \"2. Trust all and continue\""
        )?;
        writeln!(out, "(you can also do this later: type /hooks, then press t). Send Codex a prompt, then")?;
    }
    for line in look(settings, &program) {
        writeln!(out, "  {line}")?;
    }
    Ok(writeln!(out, "No trace? `{program} doctor` names the cause and the fix.")?)
}

/// Returns where the traces can be seen.
fn look(settings: &Settings, program: &str) -> Vec<String> {
    let endpoint = without_credentials(settings.endpoint.as_deref().unwrap_or_default());
    match settings.target {
        Some(Target::Phoenix) => vec![format!("open {endpoint}")],
        Some(Target::Arize) if endpoint.starts_with("otlp.arize.com") => {
            vec!["open https://app.arize.com".to_owned()]
        }
        Some(Target::Arize | Target::Otlp) => vec![format!("look in the backend behind {endpoint}")],
        Some(Target::Local) | None => {
            vec![
                format!("{program} show    in the terminal, or"),
                format!("{program} open    in the browser"),
            ]
        }
    }
}

/// Says how many past sessions are here and, where there is somebody to ask, offers to send them. To another backend than
/// before (`moved`) go those as well that were traced already.
///
/// # Errors
/// When they cannot be sent, or nothing can be printed.
pub fn offer_past(context: &Context, asks: bool, moved: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let count = past_turns::rollouts(context.paths().codex(), &[]).map_or(0, |found| found.len() as u64);
    if count == 0 {
        return Ok(());
    }
    let (sessions, them) = match count {
        1 => ("1 past session".to_owned(), "it"),
        n => (format!("{} past sessions", grouped(n)), "them"),
    };
    let program = program(context);
    let command = if moved { "backfill --again" } else { "backfill" };
    writeln!(out, "\nFound {sessions} on this machine; `{program} {command}` sends {them} as well.")?;
    if asks && prompt::yes(&format!("Send {sessions} now?"), false)? {
        if moved {
            // What hooks alone have seen is in the recorded turns, and not in Codex's files.
            let all = Selectors { since: Some(Moment::At(Timestamp::default())), ..Selectors::default() };
            resend::run(&ResendArgs { again: false }, &all, context, out)?;
        }
        backfill::run(&BackfillArgs::default(), &Selectors::default(), context, out)?;
    }
    Ok(())
}

/// Returns true if Codex will run every hook of ours without being asked.
fn is_trusted(context: &Context, prepared: &Prepared) -> bool {
    let Ok(survey) = Survey::of(&prepared.installed.text) else { return false };
    let executables = Executables::in_folder(&context.paths().bin().to_string_lossy());
    let spellings = codex_config::spellings(&prepared.config.path);
    let hooks = trust::our_hooks(&survey, &executables, &spellings);
    hooks.iter().all(|hook| hook.state == HookState::Trusted)
}

/// Returns how the user calls the program in a shell: by its name, when that leads to it.
fn program(context: &Context) -> String {
    let program = context.paths().bin().join(PROGRAM);
    let leads =
        |folder: PathBuf| platform::is_same_file(&folder.join(links::exe(PROGRAM)), Path::new(&program));
    let on_path = context.var("PATH").is_some_and(|path| std::env::split_paths(&path).any(leads));
    if on_path {
        return PROGRAM.to_owned();
    }
    let at_home = home::home_dir().and_then(|home| Some(program.strip_prefix(home).ok()?.to_owned()));
    match at_home {
        // A shell takes ~ for the home only outside of quotes.
        Some(rest) if cfg!(unix) && quoted(&rest.to_string_lossy()) == rest.to_string_lossy() => {
            format!("~/{}", rest.display())
        }
        _ => quoted(&program.to_string_lossy()),
    }
}
