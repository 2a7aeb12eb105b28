//! `doctor`: finds what keeps traces from arriving, one line a check, each with what to do about it.

mod codex;
mod delivery;
mod memory;
mod misspelt;
mod ours;
mod state;

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;
use std::io::{IsTerminal, Write};

use super::exit::{DONE, FAILED};
use crate::context::{Context, var};
use crate::otel::text_tree::printable;

/// Check the setup and say what is wrong and what to do.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "doctor")]
pub struct Doctor {
    /// print JSON
    #[argh(switch)]
    json: bool,
    /// send a test trace, and read it back where the backend allows it
    #[argh(switch)]
    send: bool,
}

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check, in one word.
    check: &'static str,
    status: Status,
    text: String,
    /// The mend.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// Result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Ok,
    Warning,
    Failure,
}

impl Finding {
    fn ok(check: &'static str, text: impl Into<String>) -> Finding {
        Finding { check, status: Status::Ok, text: text.into(), fix: None }
    }

    fn warning(check: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { check, status: Status::Warning, text: text.into(), fix: Some(fix.into()) }
    }

    fn failure(check: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { check, status: Status::Failure, text: text.into(), fix: Some(fix.into()) }
    }
}

/// Runs every check and prints what it found; fails when any check does.
///
/// # Errors
/// When nothing can be printed.
pub fn run(args: &Doctor, context: &Context, out: &mut dyn Write) -> anyhow::Result<u8> {
    let mut findings = ours::check(context);
    findings.extend(codex::check(context));
    findings.extend(delivery::check(context, args.send));
    findings.extend(memory::check(context));
    let worst = findings.iter().map(|f| f.status).max().unwrap_or(Status::Ok);
    if args.json {
        let report = Report { version: env!("CARGO_PKG_VERSION"), status: worst, findings: &findings };
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        let coloured = std::io::stdout().is_terminal() && context.var(var::NO_COLOR).is_none();
        print(&findings, coloured, out)?;
    }
    Ok(if worst == Status::Failure { FAILED } else { DONE })
}

#[derive(Serialize)]
struct Report<'a> {
    version: &'static str,
    status: Status,
    findings: &'a [Finding],
}

fn print(findings: &[Finding], coloured: bool, out: &mut dyn Write) -> std::io::Result<()> {
    for finding in findings {
        let (mark, colour) = match finding.status {
            Status::Ok => ("ok  ", "32"),
            Status::Warning => ("warn", "33"),
            Status::Failure => ("FAIL", "31"),
        };
        let mark = if coloured { format!("\x1b[{colour}m{mark}\x1b[0m") } else { mark.to_owned() };
        writeln!(out, "{mark}  {:<9} {}", finding.check, printable(&finding.text))?;
        if let Some(fix) = &finding.fix {
            writeln!(out, "{:>15} → {}", "", printable(fix))?;
        }
    }
    let count = |status: Status| findings.iter().filter(|f| f.status == status).count();
    match (count(Status::Failure), count(Status::Warning)) {
        (0, 0) => writeln!(out, "\nall is well"),
        (failures, warnings) => writeln!(out, "\n{failures} failed, {warnings} to look at"),
    }
}
