//! `doctor`: finds what keeps traces from arriving, one line a check, each with what to do about it.

mod codex;
mod delivery;
mod memory;
mod misspelt;
mod ours;
mod place;
mod rollouts;
mod state;

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;
use std::io::Write;

use super::exit::{DONE, FAILED};
use super::setup::codex_cli;
use super::view::records::{rfc3339, write_json};
use super::view::terminal::Terminal;
use crate::context::Context;
use crate::settings::{Settings, Target};
use crate::text::printable;

/// Check the setup; name each problem and how to fix it.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "doctor")]
pub struct Doctor {
    /// print JSON
    #[argh(switch)]
    json: bool,
    /// send a test trace and, where the backend allows it, read it back
    #[argh(switch)]
    send: bool,
}

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check, in one word.
    check: &'static str,
    status: Severity,
    text: String,
    /// The mend.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// Result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Ok,
    Warning,
    Failure,
}

impl Finding {
    fn ok(check: &'static str, text: impl Into<String>) -> Finding {
        Finding { check, status: Severity::Ok, text: text.into(), fix: None }
    }

    fn warning(check: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { check, status: Severity::Warning, text: text.into(), fix: Some(fix.into()) }
    }

    fn failure(check: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { check, status: Severity::Failure, text: text.into(), fix: Some(fix.into()) }
    }
}

/// Runs every check and prints what it found; fails when any check does.
///
/// # Errors
/// When nothing can be printed.
pub fn run(args: &Doctor, context: &Context, out: &mut dyn Write) -> anyhow::Result<u8> {
    let mut findings = ours::check(context);
    findings.extend(codex::check(context));
    findings.extend(place::check(context));
    findings.extend(rollouts::check(context));
    findings.extend(delivery::check(context, args.send));
    findings.extend(memory::check(context));
    crate::delivery::catch_up(context);
    let worst = findings.iter().map(|f| f.status).max().unwrap_or(Severity::Ok);
    if args.json {
        write_json(&Report::of(context, worst, &findings), out)?;
    } else {
        let coloured = Terminal::of(context).colour;
        print(&findings, coloured, out)?;
    }
    Ok(if worst == Severity::Failure { FAILED } else { DONE })
}

/// The report for programs. Its keys stay.
#[derive(Serialize)]
struct Report<'a> {
    version: &'static str,
    status: Severity,
    host: Option<String>,
    user: Option<String>,
    target: Option<&'static str>,
    codex_version: Option<String>,
    /// How many turns wait to be delivered.
    waiting: u64,
    last_delivered_at: serde_json::Value,
    checks: &'a [Finding],
    /// The same as `checks`, under its first name.
    findings: &'a [Finding],
}

impl<'a> Report<'a> {
    fn of(context: &Context, status: Severity, findings: &'a [Finding]) -> Report<'a> {
        let settings = Settings::load(context).ok();
        let (waiting, last) = delivery::figures(context.paths());
        let codex = codex_cli::find(context).as_deref().and_then(codex_cli::version);
        Report {
            version: env!("CARGO_PKG_VERSION"),
            status,
            host: crate::platform::host_name(),
            user: context.user(),
            target: settings.and_then(|s| s.target).map(Target::name),
            codex_version: codex.map(|version| version.to_string()),
            waiting,
            last_delivered_at: last.map_or(serde_json::Value::Null, rfc3339),
            checks: findings,
            findings,
        }
    }
}

fn print(findings: &[Finding], coloured: bool, out: &mut dyn Write) -> std::io::Result<()> {
    for finding in findings {
        let (mark, colour) = match finding.status {
            Severity::Ok => ("ok  ", "32"),
            Severity::Warning => ("warn", "33"),
            Severity::Failure => ("FAIL", "31"),
        };
        let mark = if coloured { format!("\x1b[{colour}m{mark}\x1b[0m") } else { mark.to_owned() };
        writeln!(out, "{mark}  {:<9} {}", finding.check, printable(&finding.text))?;
        if let Some(fix) = &finding.fix {
            writeln!(out, "{:>15} → {}", "", printable(fix))?;
        }
    }
    let count = |status: Severity| findings.iter().filter(|f| f.status == status).count();
    match (count(Severity::Failure), count(Severity::Warning)) {
        (0, 0) => writeln!(out, "\nno problems found"),
        (failures, warnings) => writeln!(out, "\n{failures} failed, {warnings} to check"),
    }
}
