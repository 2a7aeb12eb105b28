//! `arize-codex resend`: delivers turns of the archive again, under the same ids.

use anyhow::anyhow;
use std::io::Write;
use std::time::Duration;

use super::flush::FlushArgs;
use super::{exit, flush, session, since};
use crate::context::{Context, Paths};
use crate::delivery::archive;
use crate::delivery::archive::{Item, Place};
use crate::delivery::outbox;
use crate::ids::ThreadId;
use crate::time;

/// Deliver archived turns again, and those set aside; ids stay the same, so nothing is doubled.
#[derive(argh::FromArgs, Debug, PartialEq, Eq)]
#[argh(subcommand, name = "resend")]
pub struct ResendArgs {
    /// how far back: 30m, 24h, 7d (default 24h)
    #[argh(option, from_str_fn(since::parse), default = "DAY")]
    pub since: Duration,

    /// only this session and its subagents; the beginning of its id will do
    #[argh(option)]
    pub thread: Option<String>,
}

/// Moves the turns back into the outbox and delivers it.
///
/// # Errors
/// When a turn cannot be moved, the settings cannot be read, or nothing can be printed.
pub fn run(args: &ResendArgs, context: &Context, out: &mut dyn Write) -> anyhow::Result<u8> {
    let paths = context.paths();
    let mut moved = 0;
    let thread = args.thread.as_deref().map(|beginning| session(paths, beginning)).transpose()?;
    for item in archive::items(paths).filter(|item| args.wants(item, thread.as_ref())) {
        moved += u64::from(outbox::move_back(paths, &item.head.key)?);
    }
    writeln!(out, "{moved} to be delivered again")?;
    if moved == 0 {
        writeln!(out, "nothing that left the outbox ended in that time; --since 7d looks further back")?;
        return Ok(exit::DONE);
    }
    flush::run(&FlushArgs { wait: WAIT_SECONDS }, context, out)
}

impl ResendArgs {
    fn wants(&self, item: &Item, thread: Option<&ThreadId>) -> bool {
        let head = &item.head;
        let recent = time::now().since(head.ended_at) <= self.since;
        let thread = thread.is_none_or(|t| *t == head.key.thread || *t == head.root_thread);
        item.place != Place::Waiting && recent && thread
    }
}

/// A session of the archive, or else a subagent in it.
fn session(paths: &Paths, beginning: &str) -> anyhow::Result<ThreadId> {
    session::meant(beginning, archive::items(paths).map(|item| item.head.root_thread))
        .or_else(|error| {
            let agents = archive::items(paths).map(|item| item.head.key.thread);
            session::meant(beginning, agents).map_err(|_| error)
        })
        .map_err(|error| anyhow!("{error}; `arize-codex list` shows what there is"))
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const WAIT_SECONDS: u64 = 30;
