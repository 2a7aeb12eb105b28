//! Turns of the past: every turn of a rollout as live tracing would have reported it, under the same ids.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::codex::rollout::SessionMeta;
use crate::codex::rollout::spawn::{self, Sought};
use crate::codex::rollout::turns::{TurnStart, Turns};
use crate::codex::rollout::{foreign, locate, numbering};
use crate::context::Context;
use crate::delivery::assemble;
use crate::delivery::outbox;
use crate::file;
use crate::ids::{ThreadId, TurnId};
use crate::otel::entry::EntryKey;
use crate::otel::prices::Prices;
use crate::otel::spans::TurnSpans;
use crate::settings::{Profile, Settings, SpanTree};
use crate::time::Timestamp;
use crate::turn::closed::{Closing, Reason};
use crate::turn::owner::ThreadKind;
use crate::turn::state;
use crate::turn::state::{Root, Session, ThreadState};

/// Which turns are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only turns that began since then.
    pub since: Option<Timestamp>,
    /// Only this session, its subagents and reviews included.
    pub thread: Option<ThreadId>,
    /// Only this turn, whether or not it is known already.
    pub turn: Option<EntryKey>,
    /// Turns that are known too.
    pub again: bool,
    /// As this tree, in the place of the one that is set.
    pub span_tree: Option<SpanTree>,
}

/// One finding in a rollout.
pub enum FoundTurn {
    /// A turn that is not known yet, or the one asked for.
    Turn(Box<TurnSpans>),
    /// It waits, was delivered or was set aside.
    Known,
    /// It may not be over yet.
    Running,
    /// Not among the wanted.
    Unwanted,
    /// A whole rollout of another session than the wanted.
    Elsewhere,
    /// A whole thread that Codex ran for itself.
    Internal,
    /// Not a rollout: what it is instead.
    Foreign(&'static str),
    /// A rollout that another program wrote, which this names: nothing in it says under which settings a turn ran.
    OtherProgram(String),
}

/// Calls `each` with what a rollout holds, in its order. Returns whether all there will ever be was reported and nothing
/// of it left out.
///
/// # Errors
/// When the rollout cannot be opened, or `each` fails.
pub fn scan(
    context: &Context,
    settings: &Settings,
    path: &Path,
    wanted: &Wanted,
    each: &mut dyn FnMut(FoundTurn) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let Some(mut turns) = Turns::open(path)? else {
        each(FoundTurn::Foreign(foreign::describe(path)))?;
        return Ok(false);
    };
    let here = settings.in_directory(turns.meta().cwd.as_deref());
    let mut profile = here.profile.clone();
    profile.span_tree = wanted.span_tree.unwrap_or(profile.span_tree);
    let profile = &profile;
    let rollout = Rollout::of(context, profile, path, &turns);
    let Some(rollout) = rollout else {
        each(FoundTurn::Internal)?;
        return Ok(true);
    };
    let session = rollout.root.as_ref().map_or(&rollout.thread, |r| &r.thread);
    if wanted.thread.as_ref().is_some_and(|t| t != session && *t != rollout.thread && t != turns.thread()) {
        each(FoundTurn::Elsewhere)?;
        return Ok(false);
    }
    if settings.enabled && !here.enabled {
        each(FoundTurn::Unwanted)?;
        return Ok(false);
    }
    numbering::count_earlier_parts(&mut turns, path);
    if profile.model_input {
        turns.follow_conversation(profile.max_value_bytes, &|thread| {
            assemble::earlier_rollout(context, path, thread)
        });
    }
    let prices = Prices::load(context.paths(), profile.prices.as_deref());
    let recent = fs::metadata(path).is_ok_and(|m| file::age(&m) < STILL_RUNNING);
    let mut complete = true;
    let mut told = BTreeSet::new();
    let mut settled = false;
    while let Some(start) = turns.next_turn() {
        let key = EntryKey { turn: start.id.clone(), thread: rollout.thread.clone(), part: 0 };
        if wanted.since.is_some_and(|since| start.at < since)
            || wanted.turn.as_ref().is_some_and(|k| *k != key)
        {
            complete = false;
            each(FoundTurn::Unwanted)?;
            continue;
        }
        let known = || !wanted.again && outbox::contains(context.paths(), &key);
        if wanted.turn.is_none() && (told.contains(&key) || known()) {
            each(FoundTurn::Known)?;
            continue;
        }
        let closing = rollout.closing(&start);
        let meta = turns.meta().clone();
        let before = turns.conversation().cloned();
        let mut turn = assemble::past_turn(context, &closing, &meta, before, turns.records());
        let outcome = turns.outcome();
        turn.number = turn.number.filter(|_| outcome.asked);
        let over = outcome.ended || outcome.followed || !recent;
        if rollout.open_turn.as_ref() == Some(&start.id) || !over {
            complete = false;
            each(FoundTurn::Running)?;
        } else if outcome.worked {
            settled |= turn.about.model.is_some();
            told.insert(key);
            each(FoundTurn::Turn(Box::new(TurnSpans::new(turn, profile, &prices))))?;
        }
    }
    if let Some(program) = turns.meta().originator.as_deref().filter(|_| !settled && !told.is_empty())
        && !program.to_ascii_lowercase().contains("codex")
    {
        each(FoundTurn::OtherProgram(program.to_owned()))?;
    }
    Ok(complete && !recent)
}

/// The rollouts under Codex's home, or those named, in the order of their names, which is that of time.
pub fn rollouts(codex_home: &Path, paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if paths.is_empty() {
        for folder in ["sessions", "archived_sessions"] {
            collect(&codex_home.join(folder), 0, &mut found);
        }
    }
    for path in paths {
        match fs::metadata(path).map_err(|e| file::named(path, e))? {
            m if m.is_dir() => collect(path, 0, &mut found),
            _ => found.push(path.clone()),
        }
    }
    found.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    // Codex compresses and archives by copying first: one thread's rollout may be there twice.
    let stem = |p: &PathBuf| p.file_name().and_then(|n| locate::rollout_stem(n.to_str()?)).map(str::to_owned);
    found.dedup_by(|a, b| stem(a).is_some() && stem(a) == stem(b));
    Ok(found)
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth < MAX_DEPTH {
            collect(&entry.path(), depth + 1, found);
        } else if kind.is_file() && entry.file_name().to_str().is_some_and(is_session_file) {
            found.push(entry.path());
        }
    }
}

/// Returns true for a rollout's name, and for that of the TypeScript edition's sessions, so that they are named.
fn is_session_file(name: &str) -> bool {
    locate::rollout_stem(name).is_some() || name.starts_with("rollout-") && name.ends_with(".json")
}

/// Facts shared by all turns of a rollout.
struct Rollout<'a> {
    context: &'a Context,
    profile: &'a Profile,
    path: &'a Path,
    /// The thread its turns are reported under.
    thread: ThreadId,
    root: Option<Root>,
    /// The thread itself, which is another for a review.
    own_thread: ThreadId,
    meta: SessionMeta,
    review: bool,
    /// The turn that hooks are reporting now.
    open_turn: Option<TurnId>,
}

impl<'a> Rollout<'a> {
    /// None for a thread that is not a user's.
    fn of(context: &'a Context, profile: &'a Profile, path: &'a Path, turns: &Turns) -> Option<Rollout<'a>> {
        let meta = turns.meta();
        let (thread, root, review) = match ThreadKind::of(turns.thread(), Some(meta)) {
            ThreadKind::Session => (turns.thread().clone(), None, false),
            ThreadKind::Agent(root) => (turns.thread().clone(), Some(root), false),
            ThreadKind::Review(session) => (session, None, true),
            ThreadKind::Internal => return None,
        };
        let state = state::peek(context.paths(), &thread).ok().flatten();
        Some(Rollout {
            context,
            profile,
            path,
            thread,
            root,
            own_thread: turns.thread().clone(),
            meta: meta.clone(),
            review,
            open_turn: state.and_then(|s| s.turn).map(|t| t.id),
        })
    }

    fn closing(&self, start: &TurnStart) -> Closing {
        let mut state = ThreadState::new(self.thread.clone());
        let mut turn = state.begin_turn(start.id.clone(), start.at).clone();
        turn.number = if self.review { self.number_in_session(&start.id) } else { start.number };
        let path = self.path.to_string_lossy().into_owned();
        Closing {
            version: Closing::VERSION,
            thread: self.thread.clone(),
            root: self.root.clone().map(|root| Root { turn: self.root_turn(start, &root), ..root }),
            session: Session { transcript_path: Some(path), ..Session::default() },
            turn,
            rollout_to: None,
            rollout_bytes: None,
            codex: None,
            reason: Reason::Backfill,
            at: start.at,
            profile: self.profile.clone(),
        }
    }

    /// A review is one of its session's turns; which one, the session's rollout says. 0 where it does not.
    fn number_in_session(&self, turn: &TurnId) -> u64 {
        self.rollout_of(&self.thread).and_then(|path| numbering::number_of(&path, turn)).unwrap_or(0)
    }

    /// The root's turn a subagent's belongs to: recorded, or found by going from parent to parent.
    fn root_turn(&self, start: &TurnStart, root: &Root) -> Option<TurnId> {
        if let Some(told) = start.root_turn.as_deref().and_then(|t| TurnId::parse(t).ok()) {
            return Some(told);
        }
        let (mut agent, mut meta, mut at) = (self.own_thread.clone(), self.meta.clone(), start.at);
        for _ in 0..MAX_DEPTH {
            let source = meta.subagent.as_ref()?;
            let parent = ThreadId::parse(source.parent_thread.as_deref()?).ok()?;
            let rollout = self.rollout_of(&parent)?;
            let sought = Sought { thread: agent.as_str(), path: source.path.as_deref(), started: at };
            let turn = TurnId::parse(&spawn::find_call(&rollout, &sought)?.turn?).ok()?;
            if parent == root.thread {
                return Some(turn);
            }
            at = Timestamp::of_uuid_v7(turn.as_str()).unwrap_or(at);
            meta = locate::read_session_meta(&rollout)?;
            agent = parent;
        }
        None
    }

    fn rollout_of(&self, thread: &ThreadId) -> Option<PathBuf> {
        let home = self.context.paths().codex();
        locate::find_rollout(home, thread).or_else(|| locate::find_beside(self.path, thread))
    }
}

/// A turn whose end is not recorded may still be running in a rollout that is younger.
const STILL_RUNNING: Duration = Duration::from_secs(24 * 3600);
/// Codex's directories are three deep; agents start agents to a smaller depth still.
const MAX_DEPTH: usize = 8;
