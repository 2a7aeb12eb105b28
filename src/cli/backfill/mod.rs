//! `arize-codex backfill`: past sessions from Codex's own rollouts, as the same turns live tracing would have told.

mod report;

use anyhow::bail;
use argh::{ArgsInfo, FromArgs};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::report::{Count, Progress};
use super::exit;
use super::selection::selectors::{Filter, Selectors};
use super::selection::session;
use crate::codex::rollout::locate;
use crate::context::Context;
use crate::delivery;
use crate::delivery::archive;
use crate::delivery::budget::{Budget, Report};
use crate::delivery::flush;
use crate::delivery::history::handover::Handover;
use crate::delivery::key_set::Ledger;
use crate::delivery::past_turns;
use crate::delivery::past_turns::{Found, Wanted};
use crate::file;
use crate::ids::ThreadId;
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
    let mut work = Work::new(args, context, &settings, filter, thread, rollouts.len());
    let mut stopped = None;
    for path in &rollouts {
        if let Err(error) = work.file(path) {
            stopped = Some(error);
            break;
        }
    }
    if stopped.is_none() && !args.dry_run {
        stopped = work.deliver().err();
    }
    if !args.dry_run {
        archive::prune(context.paths(), &settings);
    }
    work.progress.end();
    work.count.write(args.dry_run, out)?;
    match stopped {
        Some(error) => Err(error.context("stopped; run the same command again to go on")),
        None if work.count.unreadable > 0 => Ok(exit::FAILED),
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

/// The session whose id begins like this, as the rollouts' names tell; one that is given whole need not be among them.
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

struct Work<'a> {
    args: &'a BackfillArgs,
    context: &'a Context,
    settings: &'a Settings,
    wanted: Wanted,
    filter: Filter<'a>,
    /// True if a turn of the rollout at hand was left out.
    left_out: bool,
    finished: Ledger,
    handover: Handover<'a>,
    count: Count,
    /// Turns put into the outbox since it was last emptied.
    waiting: u64,
    pruned: Instant,
    progress: Progress,
}

impl<'a> Work<'a> {
    fn new(
        args: &'a BackfillArgs,
        context: &'a Context,
        settings: &'a Settings,
        filter: Filter<'a>,
        thread: Option<ThreadId>,
        files: usize,
    ) -> Work<'a> {
        Work {
            args,
            context,
            settings,
            wanted: Wanted { thread, again: args.again, ..Wanted::default() },
            filter,
            left_out: false,
            finished: Ledger::finished_rollouts(context.paths()),
            handover: Handover::new(context.paths(), settings),
            count: Count::default(),
            waiting: 0,
            pruned: Instant::now(),
            progress: Progress::new(files),
        }
    }

    /// Takes the turns of one rollout into the outbox, delivering whenever enough have come together.
    fn file(&mut self, path: &Path) -> anyhow::Result<()> {
        self.count.files += 1;
        let name = fingerprint(path);
        // A rollout that is named is always looked at.
        let skip = self.args.paths.is_empty() && self.wanted.thread.is_none() && !self.wanted.again;
        if self.is_too_old(path) || skip && name.as_deref().is_some_and(|n| self.finished.contains(n)) {
            self.count.finished += 1;
            self.progress.tick(&self.count);
            return Ok(());
        }
        let (context, settings, wanted) = (self.context, self.settings, self.wanted.clone());
        let mut failed = None;
        self.left_out = false;
        let scanned = past_turns::scan(context, settings, path, &wanted, &mut |found| {
            let took = self.take(path, found);
            failed = took.as_ref().err().map(ToString::to_string);
            took
        });
        match scanned {
            Ok(true) if !self.args.dry_run && !self.left_out => {
                if let Some(name) = name {
                    self.finished.add([name.as_str()].into_iter())?;
                }
            }
            Ok(_) => {}
            Err(error) if failed.is_some() => return Err(error),
            Err(error) => {
                self.count.unreadable += 1;
                self.settings.log.error(format_args!("cannot read {}: {error}", path.display()));
            }
        }
        self.progress.tick(&self.count);
        Ok(())
    }

    /// Returns true if nothing in a rollout can be young enough: nothing was changed to it since.
    fn is_too_old(&self, path: &Path) -> bool {
        let modified = || {
            Some(Timestamp::from_millis(
                i64::try_from(written(&std::fs::metadata(path).ok()?).as_millis()).ok()?,
            ))
        };
        let compressed = path.extension().is_some_and(|e| e == "zst");
        !compressed && self.filter.since().is_some_and(|since| modified().is_some_and(|at| at < since))
    }

    fn take(&mut self, path: &Path, found: Found) -> anyhow::Result<()> {
        match found {
            Found::Turn(entry) if !self.filter.takes(&entry.head) => {
                self.left_out = true;
                self.count.unwanted += 1;
            }
            Found::Turn(entry) => {
                self.count.turns += 1;
                self.count.spans += entry.spans.len() as u64;
                if self.args.dry_run {
                    return Ok(());
                }
                if self.wanted.again {
                    self.handover.put_again(&entry)?;
                } else {
                    self.handover.put(&entry)?;
                }
                self.waiting += 1;
                if self.waiting >= BATCH_TURNS {
                    self.deliver()?;
                }
            }
            Found::Known => self.count.known += 1,
            Found::Running => self.count.running += 1,
            Found::Unwanted => self.count.unwanted += 1,
            Found::Elsewhere => self.count.elsewhere += 1,
            Found::Internal => self.count.internal += 1,
            Found::Foreign(what) => self.count.foreign.push((path.to_owned(), what)),
            Found::OtherProgram(name) => *self.count.programs.entry(name).or_default() += 1,
        }
        self.progress.tick(&self.count);
        Ok(())
    }

    /// Empties the outbox, so that reading goes no faster than the backend takes.
    fn deliver(&mut self) -> anyhow::Result<()> {
        self.waiting = 0;
        if self.pruned.elapsed() > PRUNED_EVERY {
            archive::prune(self.context.paths(), self.settings);
            self.pruned = Instant::now();
        }
        let (count, progress) = (&mut self.count, &mut self.progress);
        let before = count.delivered;
        let mut watch = |report: &Report| {
            count.delivered = before + report.delivered;
            progress.tick(count);
        };
        let budget = Budget::asked(PATIENCE);
        let report = flush::run_watched(self.context, self.settings, budget, &mut watch);
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

/// Returns what tells whether a rollout is the one that was read: where it lies, how long it is, when it was
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
/// Number of turns that are delivered together.
const BATCH_TURNS: u64 = 100;
/// Longest time for one batch, outages included.
const PATIENCE: Duration = Duration::from_secs(300);
/// Interval at which the growing archive is brought back to its limit.
const PRUNED_EVERY: Duration = Duration::from_secs(30);
