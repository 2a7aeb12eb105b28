//! Finds what nobody closed: threads whose Codex process is gone, turns that only notify saw the end of, and
//! state that nothing was heard of for a day.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::codex::rollout::locate;
use crate::context::{Context, Paths};
use crate::delivery::close;
use crate::delivery::processes;
use crate::delivery::processes::Marker;
use crate::file;
use crate::ids::ThreadId;
use crate::layout;
use crate::settings::Settings;
use crate::time;
use crate::turn::closed::Reason;
use crate::turn::state::{LockedState, StateError, ThreadState};

/// Closes every orphaned turn, and once an hour sweeps what is old.
pub fn close_all(context: &Context, settings: &Settings) {
    let paths = context.paths();
    for marker in processes::orphans(paths) {
        let closed = close_thread(paths, settings, &marker);
        match closed {
            Ok(()) => marker.remove(paths),
            Err(error) => settings.log.error(format_args!("cannot close an orphaned turn: {error}")),
        }
    }
    if due(paths) {
        sweep(paths, settings);
    }
}

/// Closes the open turn of a thread and of its subagents, if the thread still belongs to the process that is gone: it
/// may have been resumed by another one.
///
/// # Errors
/// When a state cannot be locked, read or written.
pub fn close_thread(paths: &Paths, settings: &Settings, marker: &Marker) -> Result<(), StateError> {
    let (thread, reason) = (&marker.thread, Reason::Orphaned);
    let locked = LockedState::lock(paths, thread, PATIENCE)?;
    let Some(mut state) = locked.read()? else { return Ok(()) };
    if state.codex.is_some_and(|c| c != marker.process) {
        return Ok(());
    }
    close::close_turn(paths, settings, &locked, &mut state, reason, time::now())?;
    let agents = state.agents.clone();
    drop(locked);
    for agent in agents.iter().filter(|a| *a != thread) {
        let locked = LockedState::lock(paths, agent, PATIENCE)?;
        if let Some(mut state) = locked.read()? {
            close::close_turn(paths, settings, &locked, &mut state, reason, time::now())?;
        }
    }
    Ok(())
}

/// Deletes state that was idle for a day; a turn that is still open then is closed first.
fn sweep(paths: &Paths, settings: &Settings) {
    file::remove_stale_temporaries(&paths.state());
    file::remove_stale_temporaries(&paths.closing());
    close::remove_orphaned_rows(paths, IDLE);
    processes::forget_elsewhere(paths, KEPT_ELSEWHERE);
    remove_damaged(&paths.state());
    remove_damaged(&paths.closing());
    let Ok(entries) = fs::read_dir(paths.state()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let idle = entry.metadata().is_ok_and(|m| m.is_file() && file::age(&m) > IDLE);
        let Some(thread) = layout::thread_of(name).filter(|_| idle) else { continue };
        if let Err(error) = sweep_thread(paths, settings, &thread) {
            settings.log.error(format_args!("cannot sweep the state of thread {thread}: {error}"));
        }
    }
}

fn sweep_thread(paths: &Paths, settings: &Settings, thread: &ThreadId) -> Result<(), StateError> {
    let locked = LockedState::lock(paths, thread, PATIENCE)?;
    let state_path = paths.thread_state(thread);
    // A running turn may be silent for a day in its state and still append rows.
    let busy =
        [locked.rows(), &state_path].iter().any(|p| fs::metadata(p).is_ok_and(|m| file::age(&m) <= IDLE));
    if busy {
        return Ok(());
    }
    match locked.read() {
        // A question may stay open over a weekend. A turn that failed, and whose end no hook reported, is over.
        Ok(Some(state)) if goes_on(&state) => return Ok(()),
        Ok(Some(mut state)) => {
            if close::close_turn(paths, settings, &locked, &mut state, Reason::Idle, time::now())? {
                // A machine that slept wakes up in the middle of its turn: what was reported is remembered for a day more.
                return Ok(());
            }
        }
        Ok(None) => {}
        Err(error) => settings.log.error(format_args!("a damaged state was swept: {error}")),
    }
    let _ = fs::remove_file(&state_path);
    let _ = fs::remove_file(locked.rows());
    let _ = fs::remove_file(paths.thread_lock(thread));
    Ok(())
}

/// Returns true if the Codex of an open turn still runs, and nothing reports the turn's end.
fn goes_on(state: &ThreadState) -> bool {
    let Some(turn) = &state.turn else { return false };
    let rollout = state.session.transcript_path.as_deref().map(Path::new);
    let ended = rollout.is_some_and(|path| locate::has_ended(path, turn.id.as_str()));
    state.codex.is_some_and(|codex| codex.is_running()) && !ended
}

/// Deletes what could not be read and was put aside for a user to look at.
fn remove_damaged(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let damaged = path.extension().is_some_and(|e| e == layout::DAMAGED);
        if damaged && entry.metadata().is_ok_and(|m| file::age(&m) > KEPT_DAMAGED) {
            let _ = fs::remove_file(path.with_extension(layout::ROWS));
            let _ = fs::remove_file(path);
        }
    }
}

/// Returns true if the last sweep was an hour ago; notes that one begins.
fn due(paths: &Paths) -> bool {
    let stamp = paths.last_sweep();
    // A time in the future is one of a clock that was set back since: it holds nothing up.
    let since = fs::metadata(&stamp).and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
    let recent = since.is_some_and(|since| since < SWEEP_EVERY);
    !recent && paths.state().exists() && file::write_atomic(&stamp, b"").is_ok()
}

const PATIENCE: Duration = Duration::from_secs(2);
const IDLE: Duration = Duration::from_secs(24 * 3600);
const KEPT_DAMAGED: Duration = Duration::from_secs(7 * 24 * 3600);
/// Longer than a session in a container lasts.
const KEPT_ELSEWHERE: Duration = Duration::from_secs(7 * 24 * 3600);
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
