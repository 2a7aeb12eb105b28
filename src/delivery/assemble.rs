//! Settles closed turns: rollout, fold, build, outbox. Runs in the detached process, or in place when asked to.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::codex::events::Version;
use crate::codex::payload::json_fault;
use crate::codex::rollout::conversation::{Conversation, Stop};
use crate::codex::rollout::reader::{Reader, is_compressed};
use crate::codex::rollout::spawn::{self, Sought, SpawnCall};
use crate::codex::rollout::{Fact, Record, SessionMeta};
use crate::codex::rollout::{locate, numbering};
use crate::context::Context;
use crate::delivery::close;
use crate::delivery::close::key_of;
use crate::delivery::ended;
use crate::delivery::history::turn_sink::TurnSink;
use crate::delivery::outbox;
use crate::file;
use crate::git;
use crate::ids::{ThreadId, TurnId};
use crate::layout;
use crate::otel::entry::Entry;
use crate::otel::prices::Prices;
use crate::otel::spans::{self, TurnSpans};
use crate::settings::Settings;
use crate::time::Timestamp;
use crate::turn::closed::{Closing, Reason};
use crate::turn::fold::{Evidence, fold};
use crate::turn::rows::{self, Rows};
use crate::turn::shelf::Scratch;
use crate::turn::state::{LockedState, StateError, ThreadState};
use crate::turn::{Git, Turn};

/// Time that assembling a turn may take.
#[derive(Debug, Clone, Copy)]
pub enum Hurry {
    /// Nobody waits.
    None,
    /// Codex waits for this very process until then: it does not write a turn's last line meanwhile, and what was
    /// not done in time once is left to a process of its own.
    Until(Instant),
}

/// Assembles every closed turn whose end is known, and returns how many wait for theirs. One that cannot be assembled
/// now, or takes too long for whoever waits, stays for the next time.
pub fn assemble_all(context: &Context, settings: &Settings, hurry: Hurry) -> usize {
    let mut sink = TurnSink::new(context.paths(), settings);
    let mut awaited = 0;
    for record in close::list(context.paths()) {
        let attempts = close::attempts(&record);
        match hurry {
            Hurry::Until(until) if attempts > 0 || Instant::now() > until => continue,
            Hurry::None if is_awaited(context, &record) => {
                awaited += 1;
                continue;
            }
            _ => {}
        }
        close::note_attempt(&record);
        if let Err(error) = assemble_one(context, &mut sink, &record, attempts) {
            settings.log.error(format_args!("cannot assemble {}: {error}", record.display()));
        }
        // Only what ended the process counts: a full disk may say no as often as it likes.
        close::forget_attempts(&record);
    }
    awaited
}

/// Returns true if a record is that of a turn whose end is still to come.
fn is_awaited(context: &Context, record: &Path) -> bool {
    let Ok(Some(closing)) = read_record(record) else { return false };
    !ended::is_over(context.paths(), &closing, rollout_path(context, &closing).as_deref())
}

/// Reads the record of a closed turn; none when it is gone.
fn read_record(record: &Path) -> Result<Option<Closing>, String> {
    match file::read_bounded(record, MAX_RECORD_BYTES) {
        Ok(Some(content)) => serde_json::from_slice(&content).map(Some).map_err(|e| json_fault(&e)),
        Ok(None) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn assemble_one(
    context: &Context,
    sink: &mut TurnSink<'_>,
    record: &Path,
    attempts: u64,
) -> anyhow::Result<()> {
    let paths = context.paths();
    let rows_path = record.with_extension(layout::ROWS);
    let aside = |why: String| {
        fs::rename(record, record.with_extension(layout::DAMAGED))?;
        Err(anyhow::anyhow!(why))
    };
    if attempts >= MAX_ATTEMPTS {
        return aside(format!("it was started {attempts} times and never finished"));
    }
    let mut closing = match read_record(record) {
        Ok(Some(closing)) => closing,
        Ok(None) => return Ok(()),
        Err(error) => return aside(error),
    };
    if !outbox::contains(paths, &key_of(&closing)) {
        if closing.turn.uncounted {
            count(context, &mut closing)?;
        }
        for unseen in unseen_turns(context, &closing) {
            put(context, sink, &unseen, rows::none())?;
        }
        put(context, sink, &closing, rows::read(&rows_path))?;
    }
    fs::remove_file(record)?;
    let _ = fs::remove_file(rows_path);
    Ok(())
}

fn put(context: &Context, sink: &mut TurnSink<'_>, closing: &Closing, rows: Rows) -> std::io::Result<()> {
    let turn = read_turn(context, closing, rows);
    // One of them says it all: they come together, from a release that counts otherwise.
    if let Some(difference) = turn.differences.first() {
        sink.log().error(format_args!("turn {}: {difference}", closing.turn.id));
    }
    // A command that ended after its turn has its span there: what its hooks say later is no turn of its own.
    let late = turn.part > 0 && turn.calls.is_empty() && rollout_path(context, closing).is_some();
    if is_worth_telling(&turn) && !late {
        sink.put(&TurnSpans::new(turn, &closing.profile, &prices_of(context, closing)))?;
    }
    Ok(())
}

/// Turns between the one closed before and this one, which no hook reported: commands a user ran with `!`, and
/// what a release has no hook for.
fn unseen_turns(context: &Context, closing: &Closing) -> Vec<Closing> {
    let (Some(from), None) = (closing.turn.unseen_from, &closing.root) else { return Vec::new() };
    let Some(path) = rollout_path(context, closing).filter(|p| p.extension().is_some_and(|e| e == "jsonl"))
    else {
        return Vec::new();
    };
    let own = locate::find_turn_start(&path, closing.turn.id.as_str()).ok().flatten();
    if own.is_none_or(|own| own <= from) {
        return Vec::new();
    }
    let Ok(reader) = Reader::open_at(&path, from) else { return Vec::new() };
    let mut found: Vec<Closing> = Vec::new();
    for record in reader {
        let Fact::TurnStarted(_) = record.fact else { continue };
        let Some(id) = record.turn.and_then(|t| TurnId::parse(&t).ok()) else { continue };
        if id == closing.turn.id || found.len() >= MAX_UNSEEN {
            break;
        }
        let mut state = ThreadState::new(closing.thread.clone());
        let mut turn = state.begin_turn(id, record.at).clone();
        turn.number = 0;
        turn.traceparent.clone_from(&closing.turn.traceparent);
        found.push(Closing { turn, rollout_to: None, reason: Reason::Unseen, ..closing.clone() });
    }
    found
}

/// Gives a turn the number its rollout records, and counts on from there: hooks have not seen the session's beginning.
fn count(context: &Context, closing: &mut Closing) -> Result<(), StateError> {
    let number =
        rollout_path(context, closing).and_then(|path| numbering::number_of(&path, &closing.turn.id));
    let Some(number) = number else { return Ok(()) };
    let before = number.saturating_sub(closing.turn.number);
    closing.turn.number = number;
    let locked = LockedState::lock(context.paths(), &closing.thread, LOCK_PATIENCE)?;
    match locked.read()? {
        Some(mut state) if state.uncounted => {
            state.count_in(before);
            locked.write(&state)
        }
        _ => Ok(()),
    }
}

/// The entry of a turn, without settling it.
pub fn entry_of(context: &Context, closing: &Closing, rows: Rows) -> Entry {
    spans::build(read_turn(context, closing, rows), &closing.profile, &prices_of(context, closing))
}

fn prices_of(context: &Context, closing: &Closing) -> Prices {
    Prices::load(context.paths(), closing.profile.prices.as_deref())
}

/// A continuation in which nothing happened is a repeated Stop.
fn is_worth_telling(turn: &Turn) -> bool {
    turn.part == 0 || !turn.calls.is_empty() || !turn.tools.is_empty()
}

/// Reads what the rollout says and folds it with what hooks and notify said.
pub fn read_turn(context: &Context, closing: &Closing, rows: Rows) -> Turn {
    let path = rollout_path(context, closing);
    let mut meta = path.as_deref().and_then(locate::read_session_meta);
    if let Some(remote) = meta.as_mut().and_then(|m| m.git_remote.as_mut()) {
        *remote = git::without_credentials(remote);
    }
    let release = meta.as_ref().and_then(|meta| Version::parse(meta.cli_version.as_deref()?));
    let records = path.as_deref().and_then(|p| records_of(p, closing, release));
    let spawn = spawn_call(context, closing, meta.as_ref());
    let cwd = closing.session.cwd.as_deref().or(meta.as_ref().and_then(|m| m.cwd.as_deref()));
    let live = !matches!(closing.reason, Reason::Backfill);
    let git = cwd.filter(|_| live).map(|cwd| read_git(Path::new(cwd))).unwrap_or_default();
    let (records, scratch) = (records.into_iter().flatten(), scratch(context, closing));
    let mut turn = fold(Evidence { closing, rows, meta, records, spawn, git, scratch });
    if closing.profile.model_input {
        turn.before = path.as_deref().map(|path| conversation_before(context, closing, path));
    }
    turn
}

/// What the model knew when a turn began.
fn conversation_before(context: &Context, closing: &Closing, path: &Path) -> Conversation {
    let turn = closing.turn.id.as_str();
    let start =
        || if is_compressed(path) { None } else { locate::find_turn_start(path, turn).ok().flatten() };
    let end = closing.turn.rollout_from.or_else(start).unwrap_or(u64::MAX);
    let stop = Stop { end, turn: closing.turn.rollout_from.is_none().then_some(turn) };
    let find = |thread: &str| earlier_rollout(context, path, thread);
    Conversation::before(path, stop, closing.profile.max_value_bytes, &find)
}

/// The rollout of a thread whose conversation another file goes on with.
pub fn earlier_rollout(context: &Context, path: &Path, thread: &str) -> Option<PathBuf> {
    let thread = ThreadId::parse(thread).ok()?;
    let mut earlier = locate::earlier_parts(path, &thread);
    earlier.sort();
    let found = earlier.pop().or_else(|| locate::find_rollout(context.paths().codex(), &thread));
    found.or_else(|| locate::find_beside(path, &thread)).filter(|found| found != path)
}

/// Folds a turn of the past from its own records.
pub fn past_turn(
    context: &Context,
    closing: &Closing,
    meta: &SessionMeta,
    before: Option<Conversation>,
    records: impl Iterator<Item = Record>,
) -> Turn {
    let spawn = spawn_call(context, closing, Some(meta));
    let meta = Some(meta.clone());
    let (rows, git, scratch) = (rows::none(), Git::default(), scratch(context, closing));
    let turn = fold(Evidence { closing, rows, meta, records, spawn, git, scratch });
    Turn { before, ..turn }
}

/// Where the calls of a large turn go while it is assembled: nowhere if anything of them is to be written nowhere.
fn scratch(context: &Context, closing: &Closing) -> Scratch {
    let logging = closing.profile.logging;
    match logging.prompts && logging.tool_details && logging.tool_content {
        true => Scratch::in_directory(context.paths().state()),
        false => Scratch::default(),
    }
}

/// The thread's rollout: the one Codex named, or the one its id leads to.
fn rollout_path(context: &Context, closing: &Closing) -> Option<PathBuf> {
    let named = closing.session.transcript_path.as_deref().map(PathBuf::from);
    let named = named.filter(|p| p.is_absolute() && p.is_file());
    named.or_else(|| locate::find_rollout(context.paths().codex(), &closing.thread))
}

/// Returns what the rollout says from the turn's beginning on, or a little earlier: the counts of tokens
/// before it are the base of its own.
fn records_of(
    path: &Path,
    closing: &Closing,
    release: Option<Version>,
) -> Option<impl Iterator<Item = Record>> {
    let compressed = is_compressed(path);
    let from = match closing.turn.rollout_from {
        Some(from) => from,
        None if compressed => 0,
        None => match locate::find_turn_start(path, closing.turn.id.as_str()).ok().flatten() {
            Some(start) => start.saturating_sub(BASE_BYTES),
            None => fs::metadata(path).map_or(0, |m| m.len()).saturating_sub(locate::MAX_LOOK_BACK_BYTES),
        },
    };
    let mut before = carried_over(path, release, from).into_iter();
    let mut reader = Reader::open_at(path, from).ok()?;
    let to = closing.rollout_to.filter(|_| !compressed);
    // What the model does after a Stop is reported as the turn's next part, however late this one is assembled.
    let goes_on = |fact: &Fact| {
        matches!(
            fact,
            Fact::Output(_)
                | Fact::User(_)
                | Fact::AgentMessage { .. }
                | Fact::ResponseUsage { .. }
                | Fact::TurnStarted(_)
        )
    };
    Some(std::iter::from_fn(move || {
        if let Some(record) = before.next() {
            return Some(record);
        }
        let record = reader.next()?;
        let beyond = to.is_some_and(|to| reader.line_at() >= to);
        (!beyond || !goes_on(&record.fact)).then_some(record)
    }))
}

/// What holds for a turn although it stands before `from`: the settings, which Codex writes when they change, the goal, and
/// the last count of tokens.
fn carried_over(path: &Path, release: Option<Version>, from: u64) -> Vec<Record> {
    if from == 0 || release.is_some_and(|release| release < FIRST_WITH_SETTINGS) {
        return Vec::new();
    }
    let words = ["thread_settings_applied", "goal_objective", "thread_goal_updated", "token_count"];
    let mut places = locate::find_words_before(path, from, &words).unwrap_or_default();
    places.sort_unstable();
    let carried =
        |fact: &Fact| matches!(fact, Fact::Settings(_) | Fact::Goal { .. } | Fact::TokenCount { .. });
    let records = places.into_iter().filter_map(|place| Reader::open_at(path, place).ok()?.next());
    records.filter(|record| carried(&record.fact)).collect()
}

/// The call that set a subagent to work, from its parent's rollout.
fn spawn_call(context: &Context, closing: &Closing, meta: Option<&SessionMeta>) -> Option<SpawnCall> {
    let root = closing.root.as_ref()?;
    let told = meta.and_then(|m| m.subagent.as_ref()?.parent_thread.clone());
    let parent = told.and_then(|t| ThreadId::parse(&t).ok()).unwrap_or_else(|| root.thread.clone());
    // Beside the agent's own, where somebody has moved both.
    let beside = || locate::find_beside(Path::new(closing.session.transcript_path.as_deref()?), &parent);
    let path = locate::find_rollout(context.paths().codex(), &parent).or_else(beside)?;
    let agent = Sought {
        thread: closing.thread.as_str(),
        path: meta.and_then(|m| m.subagent.as_ref()?.path.as_deref()),
        started: Timestamp::of_uuid_v7(closing.turn.id.as_str()).unwrap_or(closing.turn.started),
    };
    spawn::find_call(&path, &agent)
}

fn read_git(cwd: &Path) -> Git {
    let Some(found) = git::read(cwd) else { return Git::default() };
    let dirty = git::is_dirty(cwd, GIT_PATIENCE);
    Git { branch: found.branch, commit: found.commit, remote: found.remote, dirty }
}

/// Hooks hold a thread's lock for milliseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
/// The first release that writes the settings of a thread. Where it does not, its rollouts are not searched for them.
const FIRST_WITH_SETTINGS: Version = Version(0, 144, 0);
/// Distance before a turn at which the last count of tokens is found.
const BASE_BYTES: u64 = 64 * 1024;
/// More turns than this were never begun and not reported; a rollout that says so is not Codex's.
const MAX_UNSEEN: usize = 64;
/// A turn that ends the process that assembles it must not end every later one as well.
const MAX_ATTEMPTS: u64 = 20;
/// More than any record of ours holds.
const MAX_RECORD_BYTES: u64 = 32 * 1024 * 1024;
const GIT_PATIENCE: Duration = Duration::from_secs(2);
