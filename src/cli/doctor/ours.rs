//! Our own side: the executable and its links, settings and where each comes from, who may read the secrets.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Finding, misspelt};
use crate::cli::setup::links;
use crate::context::{Context, var};
use crate::delivery::processes;
use crate::file;
use crate::git::without_credentials;
use crate::platform::{self, Owner};
use crate::settings::document::DocumentError;
use crate::settings::keys::Key;
use crate::settings::{Resolver, Settings, keys};

pub fn check(context: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    if super::codex::managed().is_none() {
        findings.push(program(context));
    }
    findings.extend(environments(context));
    // Before the settings are read, which closes what it finds open.
    let secrets = secrets(context);
    findings.extend(settings(context));
    findings.push(secrets);
    findings
}

fn program(context: &Context) -> Finding {
    let paths = context.paths();
    match &links::problems(paths)[..] {
        [] => {
            let text =
                format!("{} {}", paths.executable(crate::cli::PROGRAM).display(), env!("CARGO_PKG_VERSION"));
            Finding::ok("program", text)
        }
        problems => Finding::failure("program", problems.join("; "), "run `arize-codex install` again"),
    }
}

fn settings(context: &Context) -> Vec<Finding> {
    let resolver = match Resolver::load(context) {
        Ok(resolver) => resolver,
        Err(error) => {
            let what = match error {
                DocumentError::Malformed { .. } => "fix the line",
                DocumentError::Unreadable(_) => "make it a file of your own that you can read",
            };
            let fix = format!("{what}; turns are kept until then and delivered afterwards");
            return vec![Finding::failure("settings", error.to_string(), fix)];
        }
    };
    let settings = Settings::from_resolver(&resolver, context.paths());
    let mut findings = Vec::new();
    if !settings.enabled {
        let source = resolver.resolve("trace_enabled").map(|r| r.source.to_string()).unwrap_or_default();
        let fix = format!("unset {source}");
        findings.push(Finding::failure("settings", "tracing is switched off", fix));
    }
    if settings.dry_run {
        let source = resolver.resolve("dry_run").map(|r| r.source.to_string()).unwrap_or_default();
        let text = "turns are printed instead of sent (ARIZE_DRY_RUN)";
        findings.push(Finding::warning("settings", text, format!("unset {source}")));
    }
    // A problem begins with the name of its setting, or with a variable that arize-env.sh assigns in vain.
    let named = |problem: &str| problem.split([' ', ':']).next().and_then(keys::find);
    for problem in &settings.problems {
        let fix = match named(problem) {
            None if problem.starts_with("rule ") => "fix rules in config.yaml".to_owned(),
            None => "write the value itself there".to_owned(),
            Some(key) => match resolver.resolve(key.name) {
                Some(found) => format!("fix {}", found.source),
                // A list, or a mapping, has no one value.
                None => format!("fix {} in config.yaml", key.name),
            },
        };
        findings.push(Finding::warning("settings", problem.clone(), fix));
    }
    findings.extend(misspelt::check(resolver.document()));
    findings.extend(content(&settings, &resolver));
    // What holds in the place of a wrong value was reported with it.
    let wrong = |key: &&Key| settings.problems.iter().filter_map(|p| named(p)).any(|k| k.name == key.name);
    let reported = keys::KEYS.iter().filter(|key| !wrong(key)).filter_map(|key| {
        let found = resolver.resolve(key.name)?;
        let secret = key.name == "api_key" || key.name == "headers";
        let hidden = || format!("<{} chars>", found.value.chars().count());
        let shown = if secret { hidden() } else { without_credentials(&found.value) };
        let set = found.source != crate::settings::Source::Default;
        (set || ["target", "endpoint", "project_name", "span_tree"].contains(&key.name))
            .then(|| format!("{} = {shown} ({})", key.name, found.source))
    });
    findings.extend(reported.map(|text| Finding::ok("setting", text)));
    if let Some(home) = context.var(var::HARNESS_HOME) {
        let text = format!("ARIZE_HARNESS_HOME is {home} here");
        findings.push(Finding::warning("settings", text, "make sure Codex is started with it as well"));
    }
    findings
}

/// Nothing of what is said and done is recorded: meant, or a traces' mystery.
fn content(settings: &Settings, resolver: &Resolver) -> Option<Finding> {
    let logging = settings.profile.logging;
    if logging.prompts || logging.tool_details || logging.tool_content {
        return None;
    }
    // Where nothing switches it off it is withheld for another reason, which has been reported.
    let source = resolver.resolve("logging.prompts").map(|r| r.source);
    let source = source.filter(|source| *source != crate::settings::Source::Default)?;
    let text = "prompts, commands and results are all replaced by their length";
    Some(Finding::warning(
        "settings",
        text,
        format!("if this is not intended, change {source} and the other logging.* settings"),
    ))
}

/// Hooks of the terminal UI run in Codex's background server, with the environment that it was started with
/// (seen on Codex 0.169.0): a variable set since then does not reach them.
fn environments(context: &Context) -> Vec<Finding> {
    let names: Vec<&str> = keys::KEYS.iter().flat_map(|k| k.variables).copied().collect();
    let mut running: Vec<u32> = processes::list(context.paths())
        .iter()
        .filter(|m| m.process.is_running())
        .map(|m| m.process.pid)
        .collect();
    running.sort_unstable();
    running.dedup();
    let differs = |pid: u32| {
        let block = platform::environment(pid);
        let theirs = |name: &str| {
            let mut entries = block.split(|b| *b == 0);
            let value = entries.find_map(|e| e.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
            value.filter(|v| !v.is_empty()).map(|v| String::from_utf8_lossy(v).into_owned())
        };
        let other = |name: &&&str| !block.is_empty() && theirs(name) != context.var(name);
        let differing: Vec<&str> = names.iter().filter(other).copied().collect();
        (!differing.is_empty()).then(|| (pid, differing.join(", ")))
    };
    running
        .into_iter()
        .filter_map(differs)
        .map(|(pid, names)| {
            let text = format!("Codex process {pid} was started with a different value of {names}");
            let fix = "that session keeps the environment it was started with; stop it (`codex app-server daemon stop`) and start it again, or use config.yaml";
            Finding::warning("settings", text, fix)
        })
        .collect()
}

/// Files with keys and prompts in them that others on this machine could read; they are closed here and now.
fn secrets(context: &Context) -> Finding {
    let paths = context.paths();
    // What is not ours cannot be closed; whether it can be used is another check.
    let access = |path: &Path| platform::access(path, &fs::metadata(path)?);
    let is_open = |path: &&PathBuf| access(path).is_ok_and(|a| a.owner == Owner::User && !a.is_private());
    let (files, folder) = ([paths.config_yaml(), paths.env_file()], paths.state());
    let open: Vec<&PathBuf> = files.iter().chain([&folder]).filter(is_open).collect();
    let names: Vec<String> = open.iter().map(|p| p.display().to_string()).collect();
    if open.is_empty() {
        return Finding::ok("secrets", "only you can read settings, keys and turns");
    }
    let text = format!("others on this machine could read {}", names.join(", "));
    let fix = platform::command_to_close(&open.iter().map(|path| path.as_path()).collect::<Vec<_>>());
    let (mut closed, mut held_key) = (true, false);
    for path in open {
        let done = if path.is_dir() {
            file::create_private_dir(path).map(|()| None)
        } else {
            file::make_private(path)
        };
        closed &= done.is_ok();
        held_key |= matches!(done, Ok(Some(_)));
    }
    match (closed, held_key) {
        (true, true) => Finding::warning(
            "secrets",
            text,
            "permissions fixed now; replace the key if someone may have seen it",
        ),
        (true, false) => Finding::warning("secrets", text, "permissions fixed now; it held no key"),
        (false, _) => Finding::failure("secrets", text, fix),
    }
}
