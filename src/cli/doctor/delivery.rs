//! The way out: the backend, what was delivered and what waits, when Codex last called, the room it all takes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{Finding, state};
use crate::cli::setup::backend::{self, Probe, Test};
use crate::cli::setup::settings_file;
use crate::cli::view::text::counted;
use crate::context::{Context, Paths};
use crate::delivery;
use crate::delivery::drain;
use crate::delivery::outbox;
use crate::delivery::status::{DeliveryStatus, Health, LastError};
use crate::delivery::{close, hook_calls, orphans, processes};
use crate::file;
use crate::git::without_credentials;
use crate::otel::entry_reader;
use crate::settings::{CODEX_PREFIX, Settings, Target, load_document};
use crate::time::lasted;
use crate::time::{self, Timestamp};

pub fn check(context: &Context, send: bool) -> Vec<Finding> {
    // A config.yaml that cannot be read has been reported already.
    let settings = Settings::load(context).ok();
    let paths = context.paths();
    let mut findings: Vec<Finding> = settings.iter().flat_map(|s| orphans(context, s)).collect();
    findings.extend(settings.iter().flat_map(|s| other_shell(paths, s)));
    let backend: Vec<Finding> = settings.iter().flat_map(|s| backends(context, s, send)).collect();
    let answers = !backend.is_empty() && backend.iter().all(|f| f.status != super::Severity::Failure);
    findings.extend(backend);
    let state = state::check(paths);
    let can_write = state.status == super::Severity::Ok;
    findings.push(state);
    // Where nothing can be written or read, nothing was counted.
    if can_write {
        findings.extend(calls(paths));
    }
    if can_write || fs::read_dir(paths.state()).is_ok() {
        findings.extend(backlog(paths, settings.as_ref(), answers));
    }
    findings
}

/// Returns the report in numbers: how many turns wait, and when the last one was delivered.
pub fn figures(paths: &Paths) -> (u64, Option<Timestamp>) {
    let waiting = outbox::list(paths).len() + close::list(paths).len();
    let status = DeliveryStatus::load(paths);
    let all = [&status.health].into_iter().chain(status.rules.values());
    (waiting as u64, all.filter_map(|health| health.last_success).max())
}

/// Turns whose Codex is gone are closed here and now, and handed to a process that reports them.
fn orphans(context: &Context, settings: &Settings) -> Option<Finding> {
    let paths = context.paths();
    let count = processes::orphans(paths).len();
    if count == 0 || settings.dry_run {
        return None;
    }
    orphans::close_all(context, settings);
    if close::any_closed(paths) {
        delivery::start(context, settings);
    }
    let text = format!(
        "{} left by a Codex that has ended; reporting their unfinished turns now",
        counted(count as u64, "thread")
    );
    Some(Finding::ok("orphans", text))
}

/// Deliveries of hooks went to another backend than this shell would use, because a variable is set there or here.
fn other_shell(paths: &Paths, settings: &Settings) -> Option<Finding> {
    let status = DeliveryStatus::load(paths);
    let used = status.health.used_elsewhere(settings)?;
    let endpoint = used.endpoint.as_deref().map(|e| format!(" at {e}")).unwrap_or_default();
    let theirs = used.variable.as_ref().map(|v| format!(", named by {v}")).unwrap_or_default();
    let text = format!(
        "the hooks last used {}{endpoint}{theirs}; this shell would use another backend",
        used.target
    );
    match (&used.variable, settings.backend_variable) {
        (None, None) => Some(Finding::ok("settings", format!("{text}, as the settings have changed since"))),
        (theirs, ours) => {
            let name = theirs.as_deref().or(ours).unwrap_or_default();
            let fix = format!(
                "set {name} alike here and where Codex starts, or write the backend into config.yaml"
            );
            Some(Finding::warning("settings", text, fix))
        }
    }
}

/// The backend in force, and those of rules, whose lines begin with the rule.
fn backends(context: &Context, settings: &Settings, send: bool) -> Vec<Finding> {
    let mut findings = backend(context, settings, send);
    for (rule, settings) in settings.backend_rules() {
        let of_rule = answers(&settings, send).into_iter().map(|mut finding| {
            finding.text = format!("rule {rule}: {}", finding.text);
            finding
        });
        findings.extend(of_rule);
    }
    findings
}

/// Asks a collector that does not answer in the protocol its endpoint looks like in the other one. What it speaks is
/// written into config.yaml, unless a setting says otherwise: then the setting is to be mended.
fn protocol(context: &Context, settings: &Settings) -> Option<(Finding, Settings)> {
    let is_wrong = settings.target == Some(Target::Otlp)
        && backend::probe(settings).is_err_and(|failure| !failure.wants_key());
    let found = is_wrong.then(|| backend::find_protocol(settings)).flatten();
    let found = found.filter(|found| *found != settings.protocol)?;
    let name = found.name();
    let mend = format!("`arize-codex config set protocol {name}`");
    let speaks = format!("the collector speaks {name}, not {}", settings.protocol.name());
    let written = || -> anyhow::Result<()> {
        let mut document = load_document(context.paths())?;
        let key = format!("{CODEX_PREFIX}protocol");
        document.set(&key, name.into()).map_err(anyhow::Error::msg)?;
        settings_file::save(&document, context.paths()).map(|_| ())
    };
    let finding = match settings.names_protocol {
        true => Finding::failure("protocol", speaks, mend),
        false => match written() {
            Ok(()) => Finding::ok("protocol", format!("{speaks}; that stands in config.yaml now")),
            Err(error) => Finding::failure("protocol", format!("{speaks}; {error}"), mend),
        },
    };
    Some((finding, settings.speaking(found)))
}

fn backend(context: &Context, settings: &Settings, send: bool) -> Vec<Finding> {
    let (mut findings, settings) = match protocol(context, settings) {
        Some((finding, settings)) => (vec![finding], settings),
        None => (Vec::new(), settings.clone()),
    };
    findings.extend(answers(&settings, send));
    findings
}

fn answers(settings: &Settings, send: bool) -> Vec<Finding> {
    let Some(target) = settings.target else {
        let text = "no backend is configured; turns are kept on this machine";
        return vec![Finding::failure("backend", text, "run `arize-codex install`")];
    };
    if target == Target::Local {
        return vec![Finding::ok("backend", "none: turns stay on this machine")];
    }
    let endpoint = settings.endpoint.as_deref().map(without_credentials);
    let name = format!("{} at {}", target.name(), endpoint.as_deref().unwrap_or("no endpoint"));
    let mut findings = vec![match backend::probe(settings) {
        Err(failure) => {
            let grpc_port = endpoint.as_deref().is_some_and(|e| e.trim_end_matches('/').ends_with(":4317"));
            let advice = match target {
                Target::Phoenix if grpc_port => {
                    "4317 is Phoenix's gRPC port: use the port of its web page, 6006"
                }
                _ => failure.advice(target),
            };
            return vec![Finding::failure("backend", format!("{name}: {failure}"), advice)];
        }
        Ok(Probe::Takes) => Finding::ok("backend", format!("{name} answers and accepts requests")),
        // A span decides, where one may be sent.
        Ok(Probe::RefusesEmpty(_)) if send => Finding::ok("backend", format!("{name} answers")),
        Ok(Probe::RefusesEmpty(failure)) => Finding::warning(
            "backend",
            format!("{name} answers, but refuses an empty request: {failure}"),
            format!(
                "run `arize-codex doctor --send` to try a real one; if that fails, {}",
                failure.advice(target)
            ),
        ),
    }];
    if send {
        let project = &settings.profile.project_name;
        findings.push(match backend::send_test(settings) {
            Ok(Test::ReadBack { trace_id }) => {
                Finding::ok("test", format!("trace {trace_id} arrived in project {project}"))
            }
            Ok(Test::Accepted { trace_id }) => Finding::ok(
                "test",
                format!("trace {trace_id} was accepted; look for it in project {project}"),
            ),
            Ok(Test::NotShown { trace_id }) => Finding::warning(
                "test",
                format!("trace {trace_id} was accepted but is not visible yet"),
                format!("look for it in project {project} in a moment"),
            ),
            Err(failure) => Finding::failure("test", failure.to_string(), failure.advice(target)),
        });
    }
    findings
}

/// When Codex last called, how often each event has, and whether hooks of a running Codex have.
fn calls(paths: &Paths) -> Vec<Finding> {
    let running = processes::list(paths).iter().filter(|m| m.process.is_running()).count() as u64;
    let ago = |at: Option<SystemTime>| at.and_then(|at| at.elapsed().ok());
    let seen = hook_calls::list(paths);
    let Some(last) = ago(seen.iter().filter_map(|s| s.last).max()) else {
        return vec![Finding::warning("calls", "Codex has not run a hook yet", "run one turn in `codex`")];
    };
    let now = if running > 0 { format!(", {} open", counted(running, "thread")) } else { String::new() };
    let mut findings =
        vec![Finding::ok("calls", format!("Codex last ran a hook {} ago{now}", ago_text(last)))];
    let called = seen.iter().filter(|s| s.calls > 0).map(|s| format!("{} {}", s.event, s.calls));
    let never: Vec<&str> = seen.iter().filter(|s| s.calls == 0).map(|s| s.event).collect();
    let never =
        if never.is_empty() { String::new() } else { format!("; never called: {}", never.join(", ")) };
    findings.push(Finding::ok("calls", called.collect::<Vec<_>>().join(", ") + &never));
    let failed = hook_calls::failures(paths);
    if let Some(ago) = ago(failed.last).filter(|ago| *ago < FAILURES_TOLD) {
        let calls = counted(failed.calls, "call");
        let text = format!("{calls} from Codex failed, the last one {} ago", ago_text(ago));
        findings.push(Finding::warning("failures", text, format!("see {}", paths.log_file().display())));
    }
    findings
}

fn backlog(paths: &Paths, settings: Option<&Settings>, answers: bool) -> Vec<Finding> {
    let mut status = DeliveryStatus::load(paths);
    if let Some(settings) = settings {
        // What went wrong with another backend, or another key, is over.
        status.turn_to(settings);
    }
    let waiting = outbox::list(paths).len() + close::list(paths).len();
    let mut findings = Vec::new();
    let last = progress(&status, settings.and_then(|s| s.target));
    findings.push(match worst_error(&status) {
        Some(error) if waiting > 0 && !answers => Finding::failure(
            "delivery",
            format!(
                "{waiting} waiting; {last}; for {}: {}",
                ago_text(time::now().since(error.since)),
                error.text
            ),
            if error.advice.is_empty() { "run `arize-codex flush`" } else { &error.advice },
        ),
        _ if waiting > 0 => Finding::warning(
            "delivery",
            format!("{waiting} waiting; {last}"),
            "run `arize-codex flush` to deliver now",
        ),
        _ => Finding::ok("delivery", format!("nothing waiting; {last}")),
    });
    for warning in healths(&status).filter_map(|health| health.last_warning.as_ref()) {
        let ago = ago_text(time::now().since(warning.at));
        findings.push(Finding::warning("delivery", format!("{ago} ago: {}", warning.text), DROPPED));
    }
    findings.extend(settings.into_iter().flat_map(|settings| stranded(paths, settings)));
    let aside = outbox::keys_in(&outbox::rejected(paths)).len() as u64;
    if aside > 0 {
        let why = settings.and_then(|s| why_set_aside(s.log.path())).map(|why| format!("; the last: {why}"));
        let folder = outbox::rejected(paths);
        let text = format!(
            "{} set aside in {}{}",
            counted(aside, "turn"),
            folder.display(),
            why.unwrap_or_default()
        );
        findings.push(Finding::warning("delivery", text, "run `arize-codex resend` to try them again"));
    }
    let size = size_of(&paths.state());
    findings.push(Finding::ok("disk", format!("{:.1} MB in {}", size as f64 / 1e6, paths.state().display())));
    findings
}

/// The words with which the last turn was set aside, from the log.
fn why_set_aside(log: &Path) -> Option<String> {
    let content = file::read_bounded(log, MAX_LOG_BYTES).ok()??;
    let text = String::from_utf8_lossy(&content);
    let line = text.lines().rev().find(|line| line.contains(" set aside in "))?;
    Some(line.split_once(" set aside in ")?.1.split_once(": ")?.1.to_owned())
}

/// Turns that wait for the backend of a rule that is not there any more.
fn stranded(paths: &Paths, settings: &Settings) -> Vec<Finding> {
    let mut rules: BTreeMap<String, usize> = BTreeMap::new();
    for key in outbox::list(paths) {
        if let Some((rule, directory)) = entry_reader::backend_rule(&outbox::waiting(paths, &key))
            && settings.of_rule(&rule, directory.as_deref()).is_none()
        {
            *rules.entry(rule).or_default() += 1;
        }
    }
    let reported = rules
        .into_iter()
        .map(|(rule, count)| Finding::failure("delivery", drain::gone(count, &rule), drain::GONE_ADVICE));
    reported.collect()
}

fn healths(status: &DeliveryStatus) -> impl Iterator<Item = &Health> {
    [&status.health].into_iter().chain(status.rules.values())
}

/// The error that has gone on longest.
fn worst_error(status: &DeliveryStatus) -> Option<&LastError> {
    healths(status).filter_map(|health| health.last_error.as_ref()).min_by_key(|error| error.since)
}

/// What to do about spans that a backend drops.
const DROPPED: &str = "check the backend's limits; `arize-codex show` still has the complete turns";

/// Returns what was delivered to the backends, and what has become of everything since the state directory was made.
fn progress(status: &DeliveryStatus, target: Option<Target>) -> String {
    let last = match healths(status).filter_map(|health| health.last_success).max() {
        _ if target == Some(Target::Local) => "turns stay on this machine".to_owned(),
        Some(at) => format!("last delivered {} ago", ago_text(time::now().since(at))),
        None if status.delivered == 0 => "nothing delivered yet".to_owned(),
        None => "nothing delivered to this backend yet".to_owned(),
    };
    let parts = [
        (status.delivered, "turn", "delivered"),
        (status.kept, "turn", "kept on this machine only"),
        (status.refused_spans, "span", "refused"),
        (status.dropped_spans, "span", "dropped by the backend"),
        (status.set_aside, "turn", "set aside"),
    ];
    let parts = parts.into_iter().filter(|(count, ..)| *count > 0);
    let all: Vec<String> =
        parts.map(|(count, what, how)| format!("{} {how}", counted(count, what))).collect();
    if all.is_empty() { last } else { format!("{last}; in total {}", all.join(", ")) }
}

fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size_of(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Larger than the log ever is.
const MAX_LOG_BYTES: u64 = 8 * 1024 * 1024;
/// Age up to which a failed call is worth a warning.
const FAILURES_TOLD: Duration = Duration::from_secs(24 * 3600);

/// A span of time in the unit a user would use.
fn ago_text(ago: Duration) -> String {
    match ago.as_secs() {
        0..=119 => lasted(ago),
        s @ 120..=7199 => format!("{} minutes", s / 60),
        s @ 7200..=172_799 => format!("{} hours", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}
