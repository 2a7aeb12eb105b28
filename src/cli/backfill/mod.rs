//! `arize-codex backfill`: past sessions from Codex's own rollouts, as the same turns live tracing would have reported.

mod report;

use anyhow::bail;
use argh::{ArgsInfo, FromArgs};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::report::{Count, ProgressLine};
use super::exit;
use super::selection::selectors::{Filter, Selectors};
use super::selection::session;
use crate::codex::rollout::locate;
use crate::codex::rollout::reader::is_compressed;
use crate::context::Context;
use crate::delivery;
use crate::delivery::archive;
use crate::delivery::budget::{Budget, Report};
use crate::delivery::flush;
use crate::delivery::history::turn_sink::TurnSink;
use crate::delivery::key_set::KeySet;
use crate::delivery::outbox;
use crate::delivery::past_turns;
use crate::delivery::past_turns::{FoundTurn, Wanted};
use crate::file;
use crate::ids::ThreadId;
use crate::otel::spans::TurnSpans;
use crate::settings::Settings;
use crate::time::Timestamp;

/// Send past sessions from Codex's own files; turns that are already traced are skipped.
#[derive(ArgsInfo, FromArgs, Debug, Default)]
#[argh(subcommand, name = "backfill")]
pub struct BackfillArgs {
    /// only count what would be sent
    #[argh(switch)]
    pub dry_run: bool,
    /// send turns that are already traced once more, with the same IDs: after losing a backend, or changing span_tree or rules
    #[argh(switch)]
    pub again: bool,
    /// session files, or directories of them (default: sessions and archived_sessions in CODEX_HOME); "-" reads one from standard input
    #[argh(positional)]
    pub paths: Vec<PathBuf>,
}

/// Reads, sends and reports.
///
/// # Errors
/// When the settings name no backend, a named path is not there, or a turn cannot be written down.
pub fn run(
    args: &BackfillArgs,
    selectors: &Selectors,
    context: &Context,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let settings = Settings::load(context)?;
    if settings.target.is_none() && settings.backend_rules().is_empty() && !args.dry_run {
        bail!(
            "no backend is set: run `arize-codex install`, or `arize-codex config set harnesses.codex.target local`"
        );
    }
    delivery::catch_up(context);
    let piped = args.paths.iter().any(|p| p == Path::new("-")).then(|| Piped::read(context)).transpose()?;
    let named = args.paths.iter().map(|p| match &piped {
        Some(piped) if p == Path::new("-") => piped.path.clone(),
        _ => p.clone(),
    });
    let rollouts = past_turns::rollouts(context.paths().codex(), &named.collect::<Vec<PathBuf>>())?;
    let thread = selectors.session.as_deref().map(|beginning| session(&rollouts, beginning)).transpose()?;
    // The session is known by its rollouts, which hold more of it than a turn's own ids do.
    let selectors = Selectors { session: None, ..selectors.clone() };
    let filter = selectors.at(context);
    let work = Work::new(args, context, &settings, filter, thread, rollouts);
    let mut stopped = work.read_all().err();
    let mut shared = work.shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    if stopped.is_none() && !args.dry_run {
        stopped = shared.deliver(context, &settings).err();
    }
    if !args.dry_run {
        archive::prune(context.paths(), &settings);
    }
    shared.progress.end();
    shared.count.write(args.dry_run, out)?;
    match stopped {
        Some(error) => Err(error.context("stopped; run the same command again to go on")),
        None if shared.count.unreadable > 0 => Ok(exit::FAILED),
        None => Ok(exit::DONE),
    }
}

/// A rollout from standard input, in a file of our own while it is read.
struct Piped {
    path: PathBuf,
}

impl Piped {
    fn read(context: &Context) -> anyhow::Result<Piped> {
        let folder = context.paths().state();
        file::create_private_dir(&folder)?;
        let path = folder.join(format!("rollout-stdin-{}.jsonl", std::process::id()));
        let piped = Piped { path };
        let mut out = file::private_options().write(true).create(true).truncate(true).open(&piped.path)?;
        std::io::copy(&mut std::io::stdin().lock(), &mut out)?;
        Ok(piped)
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The session whose id begins like this, according to the rollouts' names; one that is given whole need not be among them.
fn session(rollouts: &[PathBuf], beginning: &str) -> anyhow::Result<ThreadId> {
    let thread = |path: &PathBuf| {
        let stem = locate::rollout_stem(path.file_name()?.to_str()?)?;
        ThreadId::parse(stem.get(THREAD_BEGINS..)?.split('_').next()?).ok()
    };
    session::meant(beginning, rollouts.iter().filter_map(thread)).or_else(|error| {
        let whole = ThreadId::parse(beginning).ok().filter(|_| beginning.len() >= WHOLE_ID);
        whole.ok_or(error)
    })
}

/// The rollouts to be read, by as many threads as there are cores. Turns of a rollout stay in their order.
struct Work<'a> {
    args: &'a BackfillArgs,
    context: &'a Context,
    settings: &'a Settings,
    wanted: Wanted,
    filter: Filter<'a>,
    rollouts: Vec<PathBuf>,
    /// How many of them have been begun.
    begun: AtomicUsize,
    shared: Mutex<Shared<'a>>,
}

/// What the threads have in common.
struct Shared<'a> {
    finished: KeySet,
    sink: TurnSink<'a>,
    count: Count,
    /// Turns put into the outbox since it was last emptied.
    waiting: u64,
    pruned: Instant,
    progress: ProgressLine,
}

impl<'a> Work<'a> {
    fn new(
        args: &'a BackfillArgs,
        context: &'a Context,
        settings: &'a Settings,
        filter: Filter<'a>,
        thread: Option<ThreadId>,
        rollouts: Vec<PathBuf>,
    ) -> Work<'a> {
        let shared = Shared {
            finished: KeySet::finished_rollouts(context.paths()),
            sink: TurnSink::new(context.paths(), settings),
            count: Count::default(),
            waiting: 0,
            pruned: Instant::now(),
            progress: ProgressLine::new(rollouts.len()),
        };
        Work {
            args,
            context,
            settings,
            wanted: Wanted { thread, again: args.again, ..Wanted::default() },
            filter,
            rollouts,
            begun: AtomicUsize::new(0),
            shared: Mutex::new(shared),
        }
    }

    /// Reads every rollout, until one cannot be handed over.
    fn read_all(&self) -> anyhow::Result<()> {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let threads = cores.min(MOST_THREADS).min(self.rollouts.len());
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| self.read_some())).collect();
            let own = self.read_some();
            let ended = others.into_iter().map(|other| match other.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            // Collected first, so that none is left running.
            own.and(ended.collect::<Vec<_>>().into_iter().collect())
        })
    }

    /// Reads one rollout after the other that no thread has begun.
    fn read_some(&self) -> anyhow::Result<()> {
        while let Some(path) = self.rollouts.get(self.begun.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = self.file(path) {
                self.begun.store(self.rollouts.len(), Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    }

    fn shared(&self) -> MutexGuard<'_, Shared<'a>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the turns of one rollout into the outbox, delivering whenever enough have come together.
    fn file(&self, path: &Path) -> anyhow::Result<()> {
        let name = fingerprint(path);
        // A rollout that is named is always looked at.
        let skip = self.args.paths.is_empty() && self.wanted.thread.is_none() && !self.wanted.again;
        {
            let shared = &mut *self.shared();
            shared.count.files += 1;
            if self.is_too_old(path) || skip && name.as_deref().is_some_and(|n| shared.finished.contains(n)) {
                shared.count.finished += 1;
                shared.progress.tick(&shared.count);
                return Ok(());
            }
        }
        let (mut failed, mut left_out) = (false, false);
        let scanned = past_turns::scan(self.context, self.settings, path, &self.wanted, &mut |found| {
            left_out |= matches!(&found, FoundTurn::Turn(turn) if !self.filter.takes(turn.head()));
            let took = self.take(path, found);
            failed = took.is_err();
            took
        });
        let shared = &mut *self.shared();
        match scanned {
            Ok(true) if !self.args.dry_run && !left_out => {
                if let Some(name) = name {
                    shared.finished.add([name.as_str()].into_iter())?;
                }
            }
            Ok(_) => {}
            Err(error) if failed => return Err(error),
            Err(error) => {
                shared.count.unreadable += 1;
                self.settings.log.error(format_args!("cannot read {}: {error}", path.display()));
            }
        }
        shared.progress.tick(&shared.count);
        Ok(())
    }

    /// Returns true if nothing in a rollout can be young enough: nothing was changed to it since.
    fn is_too_old(&self, path: &Path) -> bool {
        let modified = || {
            Some(Timestamp::from_millis(
                i64::try_from(written(&std::fs::metadata(path).ok()?).as_millis()).ok()?,
            ))
        };
        !is_compressed(path)
            && self.filter.since().is_some_and(|since| modified().is_some_and(|at| at < since))
    }

    fn take(&self, path: &Path, found: FoundTurn) -> anyhow::Result<()> {
        if let FoundTurn::Turn(turn) = &found
            && self.filter.takes(turn.head())
        {
            return self.hand_over(turn);
        }
        let shared = &mut *self.shared();
        let count = &mut shared.count;
        match found {
            FoundTurn::Turn(_) | FoundTurn::Unwanted => count.unwanted += 1,
            FoundTurn::Known => count.known += 1,
            FoundTurn::Running => count.running += 1,
            FoundTurn::Elsewhere => count.elsewhere += 1,
            FoundTurn::Internal => count.internal += 1,
            FoundTurn::Foreign(what) => count.foreign.push((path.to_owned(), what)),
            FoundTurn::OtherProgram(name) => *count.programs.entry(name).or_default() += 1,
        }
        shared.progress.tick(&shared.count);
        Ok(())
    }

    /// Hands a turn over. Its spans are built while other threads go on.
    fn hand_over(&self, turn: &TurnSpans) -> anyhow::Result<()> {
        let spans = turn.count();
        if !self.args.dry_run {
            if self.wanted.again {
                self.shared().sink.put_again(turn)?;
            } else {
                self.shared().sink.note(turn.head());
                outbox::put_turn(self.context.paths(), turn)?;
            }
        }
        let shared = &mut *self.shared();
        shared.count.turns += 1;
        shared.count.spans += spans;
        shared.progress.tick(&shared.count);
        shared.waiting += u64::from(!self.args.dry_run);
        match shared.waiting >= BATCH_TURNS {
            true => shared.deliver(self.context, self.settings),
            false => Ok(()),
        }
    }
}

impl Shared<'_> {
    /// Empties the outbox, so that reading goes no faster than the backend takes.
    fn deliver(&mut self, context: &Context, settings: &Settings) -> anyhow::Result<()> {
        self.waiting = 0;
        if self.pruned.elapsed() > PRUNED_EVERY {
            archive::prune(context.paths(), settings);
            self.pruned = Instant::now();
        }
        let (count, progress) = (&mut self.count, &mut self.progress);
        let before = count.delivered;
        let mut watch = |report: &Report| {
            count.delivered = before + report.delivered;
            progress.tick(count);
        };
        let report = flush::run_watched(context, settings, Budget::asked(PATIENCE), &mut watch);
        count.delivered = before + report.delivered;
        match report.last_error {
            Some(error) => bail!("{error}"),
            None if report.busy => bail!("another delivery is already running"),
            None => Ok(()),
        }
    }
}

/// Returns when a file was last written, since 1970.
fn written(metadata: &std::fs::Metadata) -> Duration {
    let since = |at: std::time::SystemTime| at.duration_since(std::time::SystemTime::UNIX_EPOCH).ok();
    metadata.modified().ok().and_then(since).unwrap_or_default()
}

/// Returns what identifies a rollout as the one that was read: where it lies, how long it is, when it was
/// written.
fn fingerprint(path: &Path) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    let path = std::fs::canonicalize(path).ok()?;
    let at = written(&metadata);
    Some(format!("{} {} {}.{}", path.display(), metadata.len(), at.as_secs(), at.subsec_nanos()))
}

/// Offset of the thread's id in the name of its rollout, behind the moment it was made.
const THREAD_BEGINS: usize = "rollout-2025-11-22T10-00-00-".len();
/// As long as the ids that Codex gives.
const WHOLE_ID: usize = 36;
/// More threads than this wait for the disk.
const MOST_THREADS: usize = 4;
/// Number of turns that are delivered together.
const BATCH_TURNS: u64 = 100;
/// Longest time for one batch, outages included.
const PATIENCE: Duration = Duration::from_secs(300);
/// Interval at which the growing archive is brought back to its limit.
const PRUNED_EVERY: Duration = Duration::from_secs(30);
