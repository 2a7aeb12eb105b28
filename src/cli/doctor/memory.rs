//! What stays on this machine and for how long, and whether its prices can be used.

use super::Finding;
use crate::cli::view::text::{grouped, local};
use crate::context::Context;
use crate::delivery::history::{self, Passed};
use crate::otel::prices::Prices;
use crate::settings::{Settings, Target};

/// Checks the history, says what is deleted when, and reads the price files.
pub fn check(context: &Context) -> Vec<Finding> {
    // A config.yaml that cannot be read has been reported already.
    let Ok(settings) = Settings::load(context) else { return Vec::new() };
    vec![history(context, &settings), archive(&settings), prices(context, &settings)]
}

fn history(context: &Context, settings: &Settings) -> Finding {
    if !settings.history {
        return Finding::ok("history", "off (history: false)");
    }
    let (mut turns, mut first) = (0u64, None);
    let read = history::read(context.paths(), None, &mut |line| {
        turns += 1;
        first.get_or_insert(line.started_at());
    });
    let since = first.map(|at| format!(" since {}", local(at, "%Y-%m-%d"))).unwrap_or_default();
    let text =
        format!("one line per turn, {} {}{since}", grouped(turns), if turns == 1 { "turn" } else { "turns" });
    match read {
        Err(error) => Finding::failure("history", error.to_string(), "make it readable, or move it away"),
        Ok(Passed { torn: 0, newer: 0 }) => Finding::ok("history", text),
        Ok(Passed { torn, newer }) => Finding::warning(
            "history",
            format!("{text}; skipped {torn} damaged lines and {newer} written by a newer version"),
            "`arize-codex backfill --again` writes lines that are missing; install the newer version to read its lines",
        ),
    }
}

fn archive(settings: &Settings) -> Finding {
    let (days, mb) = (settings.archive_days, settings.archive_mb);
    Finding::ok(
        "archive",
        match settings.target {
            Some(Target::Local) => {
                format!(
                    "complete turns are kept regardless of age; beyond {mb} MB the oldest are deleted (archive_mb)"
                )
            }
            _ => format!(
                "complete turns are deleted after {days} days, or beyond {mb} MB (archive_days, archive_mb); the history stays"
            ),
        },
    )
}

fn prices(context: &Context, settings: &Settings) -> Finding {
    let prices = Prices::load(context.paths(), settings.profile.prices.as_deref());
    let names: Vec<String> = prices.layers().iter().map(|layer| layer.name().to_owned()).collect();
    let text = names.join(", ");
    match prices.problems.is_empty() {
        true => Finding::ok("prices", text),
        false => Finding::warning(
            "prices",
            format!("{}; using {text}", prices.problems.join("; ")),
            "fix the file, or set ARIZE_PRICES to another",
        ),
    }
}
