//! The way out: the backend, what was delivered and what waits, when Codex last called, the room it all takes.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::Finding;
use crate::cli::setup::backend::{self, Test};
use crate::context::{Context, Paths};
use crate::export::{outbox, status::Status};
use crate::file;
use crate::git::without_credentials;
use crate::handover::{self, freeze, live, reap, seen};
use crate::settings::{Settings, Target};
use crate::time;
use crate::trace::outline::seconds;

pub fn check(context: &Context, send: bool) -> Vec<Finding> {
    // A config.yaml that cannot be read has been told already.
    let settings = Settings::load(context).ok();
    let paths = context.paths();
    let mut findings: Vec<Finding> = settings.iter().flat_map(|s| orphans(context, s)).collect();
    let backend: Vec<Finding> = settings.iter().flat_map(|s| backend(s, send)).collect();
    let answers = !backend.is_empty() && backend.iter().all(|f| f.status != super::Status::Failure);
    findings.extend(backend);
    findings.push(room(paths));
    findings.extend(calls(paths));
    findings.extend(backlog(paths, settings.as_ref(), answers));
    findings
}

/// Turns whose Codex is gone are closed here and now, and handed to a process that tells of them.
fn orphans(context: &Context, settings: &Settings) -> Option<Finding> {
    let paths = context.paths();
    let count = live::orphans(paths).len();
    if count == 0 || settings.dry_run {
        return None;
    }
    reap::reap(context, settings);
    if freeze::any_frozen(paths) {
        handover::start(context, settings);
    }
    let text = format!("{} of a Codex that is gone: unfinished turns are told now", threads(count));
    Some(Finding::ok("orphans", text))
}

fn backend(settings: &Settings, send: bool) -> Vec<Finding> {
    let Some(target) = settings.target else {
        let text = "no backend is chosen; turns are kept on this machine";
        return vec![Finding::failure("backend", text, "run `arize-codex install`")];
    };
    if target == Target::Local {
        return vec![Finding::ok("backend", "none: turns stay on this machine")];
    }
    let endpoint = settings.endpoint.as_deref().map(without_credentials);
    let name = format!("{} at {}", target.name(), endpoint.as_deref().unwrap_or("no endpoint"));
    if let Err(failure) = backend::probe(settings) {
        return vec![Finding::failure("backend", format!("{name}: {failure}"), failure.advice(target))];
    }
    let mut findings = vec![Finding::ok("backend", format!("{name} answers and takes our requests"))];
    if send {
        let project = &settings.profile.project_name;
        findings.push(match backend::send_test(settings) {
            Ok(Test::ReadBack { trace_id }) => {
                Finding::ok("test", format!("trace {trace_id} arrived in project {project}"))
            }
            Ok(Test::Accepted { trace_id }) => {
                Finding::ok("test", format!("trace {trace_id} was taken; look for it in project {project}"))
            }
            Ok(Test::NotShown { trace_id }) => Finding::warning(
                "test",
                format!("trace {trace_id} was taken but is not shown yet"),
                format!("look for it in project {project} in a moment"),
            ),
            Err(failure) => Finding::failure("test", failure.to_string(), failure.advice(target)),
        });
    }
    findings
}

/// How often each event has called and when last, and whether hooks of a running Codex have.
fn calls(paths: &Paths) -> Vec<Finding> {
    let running = live::list(paths).iter().filter(|m| m.process.is_running()).count();
    let ago = |at: Option<SystemTime>| at.and_then(|at| at.elapsed().ok());
    let seen = seen::list(paths);
    let Some(last) = ago(seen.iter().filter_map(|s| s.last).max()) else {
        return vec![Finding::warning("calls", "Codex has not called yet", "run one turn in `codex`")];
    };
    let now = if running > 0 { format!(", {} open", threads(running)) } else { String::new() };
    let each = seen.iter().map(|s| match ago(s.last) {
        Some(ago) => format!("{} {} ({} ago)", s.event, s.calls, ago_text(ago)),
        None => format!("{} 0", s.event),
    });
    let each = each.collect::<Vec<_>>().join(", ");
    let text = format!("Codex last called {} ago{now}; calls: {each}", ago_text(last));
    let mut findings = vec![Finding::ok("calls", text)];
    let failed = seen::failures(paths);
    if let Some(ago) = ago(failed.last).filter(|ago| *ago < FAILURES_TOLD) {
        let calls = if failed.calls == 1 { "call" } else { "calls" };
        let text = format!("{} {calls} of Codex went wrong, the last {} ago", failed.calls, ago_text(ago));
        findings.push(Finding::warning("failures", text, format!("see {}", paths.log_file().display())));
    }
    findings
}

/// Whether hooks can write what they must: it is tried.
fn room(paths: &Paths) -> Finding {
    let folders = [paths.state(), paths.closing(), paths.outbox(), paths.sent()];
    for folder in folders.iter().filter(|folder| fs::symlink_metadata(folder).is_ok()) {
        if let Err(error) = try_to_write(folder) {
            let fix = match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on that disk".to_owned(),
                ErrorKind::ReadOnlyFilesystem => "mount it so that it can be written".to_owned(),
                ErrorKind::NotADirectory => "move what lies in its place away".to_owned(),
                _ => format!("it must belong to you: sudo chown -R \"$(id -un)\" {}", folder.display()),
            };
            return Finding::failure(
                "state",
                format!("{} cannot be written: {error}", folder.display()),
                fix,
            );
        }
    }
    Finding::ok("state", format!("{} can be written", paths.state().display()))
}

fn try_to_write(folder: &Path) -> std::io::Result<()> {
    if !folder.is_dir() {
        return Err(ErrorKind::NotADirectory.into());
    }
    file::create_private_dir(folder)?;
    let probe = folder.join(format!("{}doctor-{}", file::TEMPORARY_PREFIX, std::process::id()));
    let written = file::write_atomic(&probe, b"written by doctor\n");
    let _ = fs::remove_file(&probe);
    written
}

fn backlog(paths: &Paths, settings: Option<&Settings>, answers: bool) -> Vec<Finding> {
    let mut status = Status::load(paths);
    if let Some(settings) = settings {
        // What went wrong with another backend, or another key, is over.
        status.turn_to(settings);
    }
    let waiting = outbox::list(paths).len() + freeze::list(paths).len();
    let mut findings = Vec::new();
    let last = status.last_success.map(|at| ago_text(time::now().since(at)));
    let last = last
        .map_or_else(|| "nothing delivered there yet".to_owned(), |ago| format!("last delivered {ago} ago"));
    let last = format!("{last}; in all {}", totals(&status));
    findings.push(match &status.last_error {
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
            "`arize-codex flush` delivers now",
        ),
        _ => Finding::ok("delivery", format!("nothing waiting; {last}")),
    });
    let aside = outbox::keys_in(&outbox::rejected(paths)).len();
    if aside > 0 {
        let text = format!("{aside} turns set aside in {}", outbox::rejected(paths).display());
        findings.push(Finding::warning("delivery", text, "`arize-codex resend` tries them again"));
    }
    let size = size_of(&paths.state());
    findings.push(Finding::ok("disk", format!("{:.1} MB in {}", size as f64 / 1e6, paths.state().display())));
    findings
}

fn threads(count: usize) -> String {
    if count == 1 { "1 thread".to_owned() } else { format!("{count} threads") }
}

/// What has become of everything since the state folder was made.
fn totals(status: &Status) -> String {
    let Status { delivered, refused_spans, set_aside, .. } = status;
    format!("{delivered} turns delivered, {refused_spans} spans refused, {set_aside} turns set aside")
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

/// How long a call that went wrong is worth a warning.
const FAILURES_TOLD: Duration = Duration::from_secs(24 * 3600);

/// A span of time in the unit a person would use.
fn ago_text(ago: Duration) -> String {
    match ago.as_secs() {
        0..=119 => seconds(ago),
        s @ 120..=7199 => format!("{} minutes", s / 60),
        s @ 7200..=172_799 => format!("{} hours", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}
