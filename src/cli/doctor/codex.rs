//! Codex's side: its version, its configuration and profiles, our hooks in it and Codex's trust in them, notify.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Finding, Severity};
use crate::cli::setup::codex_cli;
use crate::cli::setup::codex_config::{self, CodexConfig};
use crate::codex::events::{EVENTS, FIRST_WITH_HOOKS, HookEvent, Version};
use crate::codex::hooks_config::survey::Survey;
use crate::codex::hooks_config::trust;
use crate::codex::hooks_config::trust::{HookState, OurHook};
use crate::codex::hooks_config::{Executables, is_notify};
use crate::codex::plugin::{self, Plugin};
use crate::context::Context;
use crate::platform;
use crate::settings::Settings;

pub fn check(context: &Context) -> Vec<Finding> {
    let codex = codex_cli::find(context);
    let release = codex.as_deref().and_then(codex_cli::version);
    let mut findings = vec![version(codex.as_deref(), release)];
    findings.extend(decrees());
    let path = context.paths().codex_config();
    let config = match CodexConfig::read(&path) {
        Ok(config) => config,
        Err(error) => {
            findings.push(Finding::failure("config", format!("{error:#}"), "make it readable"));
            return findings;
        }
    };
    let survey = match Survey::of(config.text()) {
        Ok(survey) => survey,
        Err(error) => {
            let text = format!("{}: {error}", path.display());
            findings.push(Finding::failure(
                "config",
                text,
                "fix the line; Codex itself does not start with it",
            ));
            return findings;
        }
    };
    findings.push(Finding::ok("config", path.display().to_string()));
    if survey.hooks_enabled == Some(false) {
        let fix = "remove `hooks = false` (or `codex_hooks = false`) under [features] in config.toml";
        findings.push(Finding::failure("hooks", "Codex's hooks are switched off (features.hooks)", fix));
    }
    match managed() {
        Some(finding) => findings.push(finding),
        None => {
            let plugin = plugin::find(context.paths().codex(), &survey);
            let hooks = registered(context, &survey, &path, release, plugin.as_ref());
            let alone = !hooks.iter().any(|hook| hook.status == Severity::Ok)
                || release.is_some_and(|release| release < FIRST_WITH_HOOKS);
            findings.extend(hooks);
            findings.extend(notify(context, &survey, plugin.is_some(), alone));
        }
    }
    findings.extend(beside(context));
    findings
}

fn version(codex: Option<&Path>, release: Option<Version>) -> Finding {
    let Some(codex) = codex else {
        return Finding::warning("codex", "no codex on the PATH", "npm install -g @openai/codex");
    };
    match release {
        Some(version) if version < FIRST_WITH_HOOKS => Finding::warning(
            "codex",
            format!("{version} supports only notify, not hooks"),
            format!(
                "update Codex to {FIRST_WITH_HOOKS} or later to trace approvals, failed turns and interruptions"
            ),
        ),
        Some(version) => Finding::ok("codex", format!("{version} at {}", codex.display())),
        None => Finding::warning(
            "codex",
            format!("{} does not report its version", codex.display()),
            "run `codex --version`",
        ),
    }
}

/// What administrators decree against our hooks, where they have not registered them themselves.
fn decrees() -> Vec<Finding> {
    if managed().is_some() {
        return Vec::new();
    }
    let against =
        codex_cli::requirements().into_iter().filter_map(|r| Some((r.place, codex_cli::decreed(&r.text)?)));
    against.map(|(place, decree)| Finding::failure("codex", format!("{place}: {decree}"), MANAGED)).collect()
}

/// The administrator's own registration of our hooks, which needs no trust.
pub fn managed() -> Option<Finding> {
    let hooks_of = |text: &str| Survey::of(text).map(|survey| trust::list(&survey)).unwrap_or_default();
    let decrees = codex_cli::requirements().into_iter().map(|r| (hooks_of(&r.text), r.place));
    let (hooks, place) = decrees.into_iter().find(|(hooks, _)| hooks.iter().any(|hook| hook.ours))?;
    let has = |event: &&HookEvent| hooks.iter().any(|h| h.ours && h.event == event.name);
    let count = EVENTS.iter().filter(has).count();
    (count > 0).then(|| {
        let text = format!("{count} of {} registered by the administrator in {place}", EVENTS.len());
        if count == EVENTS.len() {
            Finding::ok("hooks", text)
        } else {
            Finding::warning("hooks", text, MANAGED)
        }
    })
}

/// Our hooks in config.toml, or in a plugin, but not in both.
fn registered(
    context: &Context,
    survey: &Survey,
    path: &Path,
    release: Option<Version>,
    plugin: Option<&Plugin>,
) -> Vec<Finding> {
    let bin = context.paths().bin().to_string_lossy().into_owned();
    let ours = trust::our_hooks(survey, &Executables::in_folder(&bin), &codex_config::spellings(path));
    let Some(plugin) = plugin else { return hooks(ours, "", INSTALL, release) };
    let (by, again) =
        (format!(" by the plugin {}", plugin.id), format!("`codex plugin add {}` again", plugin.id));
    if ours.iter().all(|hook| hook.state == HookState::Missing) {
        return hooks(plugin.hooks.clone(), &by, &again, release);
    }
    let text = format!("registered both in config.toml and{by}, so Codex runs each one twice");
    let fix = format!("`codex plugin remove {}`", plugin.id);
    let mut findings = hooks(ours, "", INSTALL, release);
    findings.push(Finding::warning("hooks", text, fix));
    findings
}

/// Returns what became of the hooks registered `by` somebody; `again` is how they are registered once more.
fn hooks(ours: Vec<OurHook>, by: &str, again: &str, release: Option<Version>) -> Vec<Finding> {
    // An event that this release does not know yet cannot have been reviewed.
    let (ours, early): (Vec<OurHook>, Vec<OurHook>) = ours.into_iter().partition(|hook| {
        let unknown = release.is_some_and(|r| r < hook.event.since);
        !(unknown && hook.state == HookState::NeverReviewed)
    });
    let mut by_state: BTreeMap<u8, (Vec<&str>, &OurHook)> = BTreeMap::new();
    for hook in &ours {
        by_state.entry(rank(&hook.state)).or_insert((Vec::new(), hook)).0.push(hook.event.name);
    }
    let mut findings: Vec<Finding> = by_state
        .into_values()
        .map(|(events, first)| {
            let all = events.len() == EVENTS.len();
            let which = if all { format!("all {} hooks", EVENTS.len()) } else { events.join(", ") };
            tell(&first.state, &which, by, again)
        })
        .collect();
    for hook in &early {
        let text =
            format!("{}: registered for a later Codex release; trust it after updating", hook.event.name);
        findings.push(Finding::ok("hooks", text));
    }
    for hook in ours.iter().filter(|h| h.matcher.as_deref().is_some_and(|m| !matches!(m, "" | "*" | ".*"))) {
        let text = format!("{} is limited by a matcher, so some calls are missing", hook.event.name);
        findings.push(Finding::warning("hooks", text, "remove the matcher from our group in config.toml"));
    }
    if ours.iter().any(|h| h.is_async) {
        let text =
            "our hooks are asynchronous: Codex before 0.169 skips them, and later releases stop them on exit";
        findings.push(Finding::warning("hooks", text, "remove `async = true` from our groups"));
    }
    findings
}

fn rank(state: &HookState) -> u8 {
    match state {
        HookState::Trusted => 0,
        HookState::NeverReviewed => 1,
        HookState::Changed(_) => 2,
        HookState::Disabled => 3,
        HookState::WrongForm => 4,
        HookState::OtherProgram(_) => 5,
        HookState::Missing => 6,
    }
}

fn tell(state: &HookState, which: &str, by: &str, again: &str) -> Finding {
    match state {
        HookState::Trusted => Finding::ok("hooks", format!("{which}: registered{by} and trusted")),
        HookState::NeverReviewed => Finding::failure(
            "hooks",
            format!("{which}: registered{by}, but never reviewed, so Codex does not run them"),
            "start `codex` and choose \"Trust all and continue\", or type /hooks and press t",
        ),
        HookState::Changed(_) => Finding::failure(
            "hooks",
            format!("{which}: changed since they were trusted, so Codex does not run them"),
            format!("{again}, or review them with /hooks in Codex and press t"),
        ),
        HookState::Disabled => Finding::failure(
            "hooks",
            format!("{which}: switched off in Codex's /hooks"),
            "start `codex`, type /hooks and turn them on",
        ),
        HookState::WrongForm => Finding::failure(
            "hooks",
            format!("{which}: written in a form that Codex accepts but never runs"),
            format!("{again}, which rewrites them"),
        ),
        HookState::OtherProgram(program) => Finding::failure(
            "hooks",
            format!("{which}: registered{by} with another program, {program}"),
            format!("{again}, which rewrites them"),
        ),
        HookState::Missing => Finding::failure("hooks", format!("{which}: not registered{by}"), again),
    }
}

/// Returns what became of notify, which is `alone` where Codex runs no hook of ours.
fn notify(context: &Context, survey: &Survey, by_plugin: bool, alone: bool) -> Vec<Finding> {
    let ours = context.paths().executable("arize-hook-codex-notify");
    let again = "run `arize-codex install`, which registers ours and keeps calling the other one";
    let argv = survey.notify.as_ref().map(|n| &n.argv[..]).unwrap_or_default();
    let Some(program) = argv.first() else {
        let text = "not registered; tracing works through hooks alone";
        // A plugin cannot have one.
        return vec![if by_plugin {
            Finding::ok("notify", text)
        } else {
            Finding::warning("notify", text, INSTALL)
        }];
    };
    if Path::new(program) == ours {
        let chain = Settings::load(context).map(|s| s.notify_chain).unwrap_or_default();
        let mut findings = vec![Finding::ok(
            "notify",
            match chain.first() {
                Some(next) => format!("registered; it then calls {next}"),
                None => "registered".to_owned(),
            },
        )];
        if alone {
            let text = format!(
                "as long as hooks do not run, turns are missing once a thread's messages exceed {}: no program can be called with more",
                platform::LONGEST_ARGUMENT
            );
            findings.push(Finding::ok("notify", format!("{text}; `arize-codex backfill` brings them in")));
        }
        if argv.len() > 1 {
            let text = format!("{} extra arguments of notify are never run", argv.len() - 1);
            findings.push(Finding::warning("notify", text, INSTALL));
        }
        return findings;
    }
    let by_another = argv.iter().skip(1).any(|w| w.contains("arize-hook-codex-notify") && !is_notify(w));
    vec![if by_another {
        Finding::ok("notify", format!("{program}, which calls our notify"))
    } else if is_notify(program) {
        Finding::warning("notify", format!("belongs to another edition: {program}"), INSTALL)
    } else {
        Finding::warning(
            "notify",
            format!("taken over by {program}; tracing works through hooks alone"),
            again,
        )
    }]
}

/// Returns what lies beside config.toml and has a say.
fn beside(context: &Context) -> Vec<Finding> {
    let home = context.paths().codex();
    let mut findings = Vec::new();
    for profile in codex_cli::profiles(home) {
        for problem in profile.problems {
            let text = format!("profile {}: {problem}", profile.name);
            let fix = format!("see {}", home.join(format!("{}.config.toml", profile.name)).display());
            findings.push(Finding::warning("profile", text, fix));
        }
    }
    let json = codex_cli::read_text(&home.join("hooks.json"));
    let other: Option<serde_json::Value> = json.and_then(|j| serde_json::from_str(&j).ok());
    let events = other.as_ref().and_then(|o| o.get("hooks")).and_then(serde_json::Value::as_object);
    if events.is_some_and(|e| !e.is_empty()) {
        let text = "hooks.json also defines hooks; Codex runs both and warns about it";
        findings.push(Finding::ok("hooks", text));
    }
    findings
}

const INSTALL: &str = "run `arize-codex install`";
const MANAGED: &str = "ask your administrator to add our hooks to the managed hooks";
