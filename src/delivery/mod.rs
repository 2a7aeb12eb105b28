//! From a hook that closes a turn to the backend that holds it.
//!
//! The hook only closes: it moves what it knows of the turn into `closing/` and returns to Codex ([`close`]). A
//! detached process assembles what was closed, by reading the rollout, folding, building spans and putting the
//! entry into the outbox ([`assemble`]), and drains the outbox ([`flush`], [`drain`], [`lane`], [`send`]). So the rollout is
//! read where nobody waits, a hook's time does not grow with the turn, and the lines Codex writes after Stop are
//! there to be read. Turns nobody closed are found by [`orphans`], those of the past by [`past_turns`].

pub mod acknowledged;
pub mod archive;
pub mod assemble;
pub mod budget;
mod checkpoint;
pub mod close;
mod dispatch;
pub mod drain;
pub mod ended;
pub mod flush;
mod flush_context;
pub mod history;
pub mod hook_calls;
pub mod in_part;
pub mod key_set;
mod lane;
pub mod orphans;
pub mod outbox;
pub mod past_turns;
pub mod processes;
mod queue;
pub mod running;
mod send;
pub mod status;
pub mod transport;

use std::io;
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::ids::{ThreadId, TurnId};
use crate::platform;
use crate::settings::Settings;

use self::budget::Budget;

/// Starts a detached process that assembles and delivers, and returns at once. Where no process can be started the
/// work is left to the next hook.
pub fn start(context: &Context, settings: &Settings) {
    let started = platform::run_detached(|| work_detached(context, settings));
    if let Err(error) = started {
        settings.log.error(format_args!("cannot start the delivery (the next hook tries again): {error}"));
    }
}

/// Does what the detached process is there for: assembles and delivers, for as long as it takes.
pub fn work_detached(context: &Context, settings: &Settings) {
    flush::run(context, settings, Budget::background());
}

/// Starts a detached process that waits for the end of an open turn, and then delivers.
///
/// # Errors
/// When no process can be started; the next hook finds the turn's end.
pub fn start_at_end(
    context: &Context,
    settings: &Settings,
    thread: &ThreadId,
    turn: &TurnId,
) -> io::Result<()> {
    platform::run_detached(|| {
        ended::wait(context.paths(), thread, turn, ended::HOOK_PATIENCE);
        flush::run(context, settings, Budget::background());
    })
}

/// Closes the turns that ended without a hook and delivers them, within a moment, for a user who looks.
pub fn catch_up(context: &Context) {
    let Ok(settings) = Settings::load(context) else { return };
    if settings.dry_run || !settings.enabled {
        return;
    }
    ended::close_all(context, &settings);
    if close::any_closed(context.paths()) && flush::is_due(context.paths()) {
        start(context, &settings);
        wait_until_delivered(context, LOOK_PATIENCE);
    }
}

/// Returns true if anything waits to be assembled or delivered.
pub fn has_work(context: &Context) -> bool {
    let paths = context.paths();
    !outbox::is_empty_quick(paths) || close::any_closed(paths)
}

/// Returns true if a turn waits that took longer to settle than a hook may, or ended the process that did it.
pub fn has_heavy_work(context: &Context) -> bool {
    close::list(context.paths()).iter().any(|record| close::attempts(record) > 0)
}

/// Waits until everything is delivered, or nobody works on it any more, or the backend turned out not to answer, or
/// `patience` is over.
pub fn wait_until_delivered(context: &Context, patience: Duration) {
    let deadline = Instant::now() + patience;
    let mut last_seen_running = Instant::now();
    while has_work(context) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(4));
        if !flush::is_due(context.paths()) {
            break;
        }
        if flush::is_running(context.paths()) {
            last_seen_running = Instant::now();
        } else if last_seen_running.elapsed() > START_PATIENCE {
            break;
        }
    }
}

/// Time that a process just started may take to begin.
const START_PATIENCE: Duration = Duration::from_millis(200);
/// How long a user who looks waits for a turn that has just ended.
const LOOK_PATIENCE: Duration = Duration::from_secs(2);
