//! The end of a turn, according to its rollout. Many turns end without a hook: a failed request, an inline review, a
//! subagent that was interrupted, a command run with `!`. And a turn whose Stop was called has not ended yet: Codex
//! writes the end once every Stop hook has returned, and only that line says how the turn ended and how long it took.
//!
//! So whoever delivers asks each open turn's rollout for its end ([`close_all`]), and a closed turn is assembled only
//! once its end is known ([`is_over`]).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::codex::process::Life;
use crate::codex::rollout::Fact;
use crate::codex::rollout::locate;
use crate::codex::rollout::reader::{Reader, is_compressed};
use crate::context::{Context, Paths};
use crate::delivery::close;
use crate::delivery::processes;
use crate::delivery::processes::Marker;
use crate::ids::{ThreadId, TurnId};
use crate::settings::Settings;
use crate::time::{self, Timestamp};
use crate::turn::closed::{Closing, Reason};
use crate::turn::state::{self, LockedState, StateError, ThreadState};

/// Closes every open turn whose rollout records its end, and leaves the turns after it that no hook reported.
pub fn close_all(context: &Context, settings: &Settings) {
    for thread in threads(context.paths()) {
        if let Err(error) = close_ended(context.paths(), settings, &thread) {
            settings.log.error(format_args!("cannot close a turn that ended: {error}"));
        }
    }
}

/// Returns true if the rollout of an open turn records its end, or that of a thread without one a turn that no hook
/// reported; that of `except`, whose state is known with its subagents, is not asked.
pub fn any(paths: &Paths, markers: &[Marker], except: &ThreadState) -> bool {
    let others = markers.iter().filter(|marker| marker.thread != except.thread_id).cloned().collect();
    let threads = with_agents(paths, others, &except.agents);
    let states = threads.into_iter().filter(|thread| *thread != except.thread_id);
    states
        .filter_map(|thread| state::peek(paths, &thread).ok().flatten())
        .any(|state| open_turn_ended(&state) || has_unseen(paths, &state))
}

/// Waits until an open turn is over: its end is written, or somebody has closed it, or its request is made again.
pub fn wait(paths: &Paths, thread: &ThreadId, turn: &TurnId, patience: Duration) {
    let until = Instant::now() + patience;
    let rows = || fs::metadata(paths.thread_rows(thread)).map_or(0, |m| m.len());
    let before = rows();
    let mut pause = FIRST_PAUSE;
    while Instant::now() < until {
        let state = state::peek(paths, thread).ok().flatten();
        let open = state.as_ref().is_some_and(|s| s.turn.as_ref().is_some_and(|t| t.id == *turn));
        if !open || rows() != before || state.is_some_and(|s| open_turn_ended(&s) || is_gone(&s)) {
            return;
        }
        std::thread::sleep(pause);
        pause = next_pause(pause);
    }
}

/// Returns true if a closed turn can be assembled: its rollout records its end, or nothing ever will.
pub fn is_over(paths: &Paths, closing: &Closing, rollout: Option<&Path>) -> bool {
    let patience = match closing.reason {
        Reason::Stop | Reason::Interrupt | Reason::Compacted | Reason::NotifyOnly => {
            if session_goes_on(paths, closing) { HOOK_PATIENCE } else { SHORT_PATIENCE }
        }
        Reason::NextTurn | Reason::SessionEnd => SHORT_PATIENCE,
        _ => return true,
    };
    let now = time::now();
    // A clock that was set back since holds nothing up.
    if now < closing.at || now >= closing.at.plus(patience) {
        return true;
    }
    let Some(path) = rollout.filter(|p| !is_compressed(p)) else { return true };
    let turn = closing.turn.id.as_str();
    closing.codex.is_some_and(|codex| codex.life() == Life::Gone)
        || locate::has_ended(path, turn)
        || closing.rollout_bytes.is_some_and(|from| locate::is_over_after(path, turn, from))
        || went_on(paths, closing)
}

/// Returns true if the session of a closed turn has not ended, as far as its hooks say: its end may still be written.
fn session_goes_on(paths: &Paths, closing: &Closing) -> bool {
    let thread = closing.root.as_ref().map_or(&closing.thread, |root| &root.thread).clone();
    closing.codex.is_some_and(|process| Marker { process, thread }.is_placed(paths))
}

/// Returns true if a turn went on after it was closed: another tool's Stop hook asked for more.
fn went_on(paths: &Paths, closing: &Closing) -> bool {
    let state = state::peek(paths, &closing.thread).ok().flatten();
    state.is_some_and(|state| {
        let open = state.turn.as_ref().is_some_and(|t| t.id == closing.turn.id);
        open || state.closed_turn(&closing.turn.id).is_some_and(|c| c.parts > closing.turn.part + 1)
    })
}

/// Returns the next, longer pause between two looks.
pub fn next_pause(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_PAUSE)
}

/// Every thread that hooks have reported in a process that may still run, with its subagents.
fn threads(paths: &Paths) -> Vec<ThreadId> {
    with_agents(paths, processes::list(paths), &[])
}

/// The threads of markers, the subagents that their states name, and those that are known already; each once.
fn with_agents(paths: &Paths, markers: Vec<Marker>, known: &[ThreadId]) -> Vec<ThreadId> {
    let mut threads = known.to_vec();
    for marker in markers {
        let agents = state::peek(paths, &marker.thread).ok().flatten().map(|state| state.agents);
        threads.push(marker.thread);
        threads.extend(agents.unwrap_or_default());
    }
    threads.sort();
    threads.dedup();
    threads
}

fn open_turn_ended(state: &ThreadState) -> bool {
    let (Some(turn), Some(path)) = (&state.turn, &state.session.transcript_path) else { return false };
    locate::has_ended(Path::new(path), turn.id.as_str())
}

fn is_gone(state: &ThreadState) -> bool {
    state.codex.is_some_and(|codex| codex.life() == Life::Gone)
}

fn close_ended(paths: &Paths, settings: &Settings, thread: &ThreadId) -> Result<(), StateError> {
    // Most threads have nothing to close, which is seen without their lock.
    match state::peek(paths, thread)? {
        Some(state) if open_turn_ended(&state) || has_more(paths, &state) => {}
        _ => return Ok(()),
    }
    let locked = LockedState::lock(paths, thread, LOCK_PATIENCE)?;
    let Some(mut state) = locked.read()? else { return Ok(()) };
    if open_turn_ended(&state) {
        close::close_turn(paths, settings, &locked, &mut state, Reason::Ended, time::now())?;
    }
    leave_unseen(paths, settings, &locked, &mut state)
}

/// Returns true if the rollout of a thread without an open turn has grown since the last one was closed.
fn has_more(paths: &Paths, state: &ThreadState) -> bool {
    own_rollout(paths, state)
        .is_some_and(|(path, seen_to)| fs::metadata(path).is_ok_and(|m| m.len() > seen_to))
}

/// The rollout of a session's own thread, and how far it was seen.
fn own_rollout(paths: &Paths, state: &ThreadState) -> Option<(PathBuf, u64)> {
    if state.turn.is_some() || state.root.is_some() {
        return None;
    }
    let seen_to = state.seen_to?;
    // The hooks of a review name the review's rollout.
    let named = state.session.transcript_path.as_deref().filter(|p| p.contains(state.thread_id.as_str()));
    let path = named.map(PathBuf::from).or_else(|| locate::find_rollout(paths.codex(), &state.thread_id));
    Some((path?, seen_to))
}

/// Leaves the turns that stand behind the last closed one and have ended: no hook reported them, and none may follow.
///
/// # Errors
/// When a record or the state cannot be written.
pub fn leave_unseen(
    paths: &Paths,
    settings: &Settings,
    locked: &LockedState,
    state: &mut ThreadState,
) -> Result<(), StateError> {
    let Some((path, seen_to)) = own_rollout(paths, state) else { return Ok(()) };
    let Some(unseen) = read_unseen(&path, seen_to, MAX_UNSEEN_BYTES, state) else { return Ok(()) };
    for (id, at) in unseen.turns {
        let mut unseen = ThreadState::new(state.thread_id.clone());
        unseen.session = state.session.clone();
        unseen.session.transcript_path = Some(path.to_string_lossy().into_owned());
        unseen.begin_turn(id, at).number = 0;
        let closing = Closing::of(&unseen, Reason::Unseen, time::now(), &settings.profile);
        if let Some(closing) = closing {
            close::write(paths, &closing, None)?;
            state.remember_closed(&closing.turn, None, false);
        }
    }
    if state.seen_to != Some(unseen.seen_to) {
        state.seen_to = Some(unseen.seen_to);
        locked.write(state)?;
    }
    Ok(())
}

/// Returns true if a turn that no hook reported stands right behind the last closed one, and has ended.
fn has_unseen(paths: &Paths, state: &ThreadState) -> bool {
    let unseen = own_rollout(paths, state)
        .and_then(|(path, seen_to)| read_unseen(&path, seen_to, QUICK_UNSEEN_BYTES, state));
    unseen.is_some_and(|unseen| !unseen.turns.is_empty())
}

/// What stands behind the last turn that was closed.
struct Unseen {
    /// The turns that began and ended there, which nobody has closed.
    turns: Vec<(TurnId, Timestamp)>,
    /// The beginning of the last line that ends a turn.
    seen_to: u64,
}

/// Reads what stands behind the last turn that was closed; `None` when the rollout cannot be read.
fn read_unseen(path: &Path, seen_to: u64, most: u64, state: &ThreadState) -> Option<Unseen> {
    let mut reader = Reader::open_at(path, seen_to).ok()?.within(most);
    let (mut begun, mut unseen) = (None, Unseen { turns: Vec::new(), seen_to });
    while let Some(record) = reader.next() {
        let turn = record.turn.and_then(|turn| TurnId::parse(&turn).ok());
        match (record.fact, turn) {
            (Fact::TurnStarted { .. }, Some(turn)) => begun = Some((turn, record.at)),
            (Fact::TurnEnded(_), Some(turn)) => {
                let own = begun.take().filter(|(id, _)| *id == turn);
                unseen.turns.extend(own.filter(|(id, _)| state.closed_turn(id).is_none()));
                unseen.seen_to = reader.line_at();
            }
            _ => {}
        }
    }
    Some(unseen)
}

/// As long as Codex may wait for the hooks of a turn: 600 seconds for one that names no time, and a little more.
pub const HOOK_PATIENCE: Duration = Duration::from_secs(660);
/// How long the end of a turn is waited for whose Codex nobody can ask, or that another event ended.
const SHORT_PATIENCE: Duration = Duration::from_millis(400);
/// Hooks hold a thread's lock for milliseconds.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
/// The first pause between two looks; Codex writes a turn's end within milliseconds of its last hook.
pub const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// The most that is read of what follows a closed turn.
const MAX_UNSEEN_BYTES: u64 = 16 * 1024 * 1024;
/// The most that a hook reads of it, to see whether it is worth a process: a command of the user's takes a few lines.
const QUICK_UNSEEN_BYTES: u64 = 64 * 1024;
