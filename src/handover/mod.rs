//! From a hook that closes a turn to the process that delivers it.
//!
//! The hook only freezes: it moves what it knows of the turn into `closing/` and returns to Codex ([`freeze`]).
//! A detached process then settles what was frozen, by reading the rollout, folding, building and putting the
//! entry into the outbox ([`settle`]), and delivers. The rollout is so read where nobody waits, a hook's time does
//! not grow with the turn, and the lines Codex writes after Stop are there to be read. Turns nobody closed are
//! found by [`reap`], those of the past, which no hook ever told of, by [`past`].

pub mod freeze;
pub mod live;
pub mod past;
pub mod reap;
pub mod seen;
pub mod settle;

use std::time::{Duration, Instant};

use crate::context::Context;
use crate::export::flush::{self, Budget, Report};
use crate::os;
use crate::settings::Settings;

/// Settles and delivers all there is, within `budget`.
pub fn run(context: &Context, settings: &Settings, budget: Budget) -> Report {
    let mut refill = || {
        reap::reap(context, settings);
        settle::settle_all(context, settings, settle::Manner::of(settings, budget.left()));
    };
    flush::run(context.paths(), settings, &mut refill, budget)
}

/// Puts every turn that is over into the outbox, however long it takes.
pub fn gather(context: &Context, settings: &Settings) {
    reap::reap(context, settings);
    settle::settle_all(context, settings, settle::Manner::Unhurried);
}

/// Starts a detached process that settles and delivers, and returns at once. Where no process can be started the
/// work is left to the next hook.
pub fn start(context: &Context, settings: &Settings) {
    let started = os::run_detached(|| {
        let mut refill = || gather(context, settings);
        flush::run(context.paths(), settings, &mut refill, Budget::background());
    });
    if let Err(error) = started {
        settings
            .log
            .error(format_args!("cannot start the delivery, which the next hook tries again: {error}"));
    }
}

/// Whether anything waits to be settled or delivered.
pub fn has_work(context: &Context) -> bool {
    let paths = context.paths();
    !crate::export::outbox::is_empty_quick(paths) || freeze::any_frozen(paths)
}

/// Whether a turn waits that took longer to settle than a hook may, or ended the process that did it.
pub fn has_heavy_work(context: &Context) -> bool {
    freeze::list(context.paths()).iter().any(|record| freeze::attempts(record) > 0)
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

/// How long a process that was just started may take to begin.
const START_PATIENCE: Duration = Duration::from_millis(200);
