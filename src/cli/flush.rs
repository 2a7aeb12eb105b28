//! `arize-codex flush`: delivers the outbox now.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use super::exit;
use crate::cli::view::text::counted;
use crate::context::Context;
use crate::delivery::budget::{Budget, Report};
use crate::delivery::flush;
use crate::settings::Settings;

/// Deliver waiting turns now; fails if any are left.
#[derive(argh::ArgsInfo, argh::FromArgs, Debug, PartialEq, Eq)]
#[argh(subcommand, name = "flush")]
pub struct FlushArgs {
    /// how long to retry while the backend does not answer (default 30)
    #[argh(option, arg_name = "seconds", default = "30")]
    pub wait: u64,
}

/// Delivers the outbox.
///
/// # Errors
/// When the settings cannot be read or nothing can be printed.
pub fn run(args: &FlushArgs, context: &Context, out: &mut dyn Write) -> anyhow::Result<u8> {
    let settings = Settings::load(context)?;
    let terminal = std::io::stderr().is_terminal();
    let mut watch = |report: &Report| {
        if terminal && report.delivered > 0 {
            eprint!("\r{} delivered", report.delivered);
        }
    };
    let budget = Budget::asked(Duration::from_secs(args.wait));
    let report = flush::run_watched(context, &settings, budget, &mut watch);
    if terminal && report.delivered > 0 {
        eprint!("\r");
    }
    write_report(&report, out)?;
    let empty = report.left == 0 && report.last_error.is_none();
    Ok(if empty { exit::DONE } else { exit::FAILED })
}

fn write_report(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{} delivered, {} waiting", counted(report.delivered, "turn"), report.left)?;
    if report.set_aside > 0 {
        writeln!(out, "{} set aside in state/codex/outbox/rejected", counted(report.set_aside, "turn"))?;
    }
    match &report.last_error {
        Some(error) => writeln!(out, "{error}"),
        None if report.busy => writeln!(out, "another delivery is already running"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_says_what_is_left_and_why() {
        let mut out = Vec::new();
        let report = Report {
            delivered: 1,
            left: 2,
            set_aside: 3,
            last_error: Some("phoenix at http://localhost:6006: HTTP status 401; check it".into()),
            busy: false,
        };
        write_report(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("1 turn delivered, 2 waiting\n3 turns set aside"), "{text}");
        assert!(text.ends_with("401; check it\n"), "{text}");
    }
}
