//! `arize-codex resend`: delivers turns of the archive again, under the same ids.

use anyhow::anyhow;
use std::io::Write;
use std::time::Duration;

use super::backfill::{self, BackfillArgs};
use super::flush::FlushArgs;
use super::selection::moment::Moment;
use super::selection::selectors::Selectors;
use super::selection::session;
use super::{exit, flush};
use crate::context::{Context, Paths};
use crate::delivery;
use crate::delivery::acknowledged;
use crate::delivery::archive;
use crate::delivery::archive::DeliveryState;
use crate::delivery::outbox;
use crate::ids::ThreadId;

/// Send recorded turns again, including those that a backend refused. IDs stay the same, so nothing is duplicated.
/// Default: the turns of the last 24 hours.
#[derive(argh::ArgsInfo, argh::FromArgs, Debug, PartialEq, Eq)]
#[argh(subcommand, name = "resend")]
pub struct ResendArgs {
    /// rebuild the turns from Codex's own files, also those no longer recorded here
    #[argh(switch)]
    pub again: bool,
}

/// Moves the turns back into the outbox and delivers it.
///
/// # Errors
/// When a turn cannot be moved, the settings cannot be read, or nothing can be printed.
pub fn run(
    args: &ResendArgs,
    selectors: &Selectors,
    context: &Context,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let paths = context.paths();
    let mut moved = 0;
    let mut selectors = selectors.clone();
    selectors.since.get_or_insert(Moment::Ago(DAY));
    if args.again {
        let args = BackfillArgs { dry_run: false, again: true, paths: Vec::new() };
        return backfill::run(&args, &selectors, context, out);
    }
    if let Some(beginning) = selectors.session.as_deref() {
        selectors.session = Some(session(paths, beginning)?.to_string());
    }
    let filter = selectors.at(context);
    if !delivery::flush::is_running(paths) {
        acknowledged::recover(paths);
    }
    for item in archive::items(paths)
        .filter(|i| !matches!(i.place, DeliveryState::Waiting | DeliveryState::Dry) && filter.takes(&i.head))
    {
        moved += u64::from(outbox::move_back(paths, &item.head.key)?);
    }
    writeln!(
        out,
        "{} queued for delivery",
        if moved == 1 { "1 turn".to_owned() } else { format!("{moved} turns") }
    )?;
    if moved == 0 {
        writeln!(out, "no recorded turn ended in that time; try --since 7d")?;
        return Ok(exit::DONE);
    }
    flush::run(&FlushArgs { wait: WAIT_SECONDS }, context, out)
}

/// A session of the archive, or else a subagent in it.
fn session(paths: &Paths, beginning: &str) -> anyhow::Result<ThreadId> {
    session::meant(beginning, archive::items(paths).map(|item| item.head.root_thread))
        .or_else(|error| {
            let agents = archive::items(paths).map(|item| item.head.key.thread);
            session::meant(beginning, agents).map_err(|_| error)
        })
        .map_err(|error| anyhow!("{error}; see `arize-codex list`"))
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const WAIT_SECONDS: u64 = 30;
