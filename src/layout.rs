//! Every file on the user's machine: its name, owner, lock, and what holds for it whenever a process is killed.
//!
//! Files are the only state that processes share; there is no daemon. This module makes all names, so that nothing
//! else spells one. `T` is a thread id, `K` is `TURN.THREAD.PART`, the key of a finished turn.
//!
//! # Rules for all of them
//! - Directories are 0700, files 0600, whatever the umask; a link or another user's file is refused.
//! - A file is replaced through a temporary sibling (`.tmp-…`) and a rename, or appended to in one write. A reader
//!   finds the old content or the new, and passes over a torn last line.
//! - Each format carries a version; a newer one is neither read as ours nor overwritten.
//! - Locks are `flock` on a file of their own, never on one that a rename replaces, and never held across a request.
//!
//! # The way of a turn
//! ```text
//! state_T.yaml + spans_T.jsonl ──close──▶ closing/K.json + K.jsonl ──assemble──▶ outbox/K.turn ──send──▶ sent/K.turn
//!        lock: state_T.lock                 lock: flush.lock                                     └──▶ outbox/rejected/
//! ```
//! 1. `close` moves the rows, writes the record, then the state without the turn. Killed in between, the next hook
//!    closes the turn again and finds the rows where they are.
//! 2. `assemble` writes the entry before it removes record and rows. Killed in between, the record is assembled once
//!    more and the outbox refuses a key it knows.
//! 3. `send` notes in `K.turn.progress` what the backend acknowledged of a turn, `drain` in `acknowledged` which turns
//!    of a request. Killed between acknowledgement and note, the same span ids are sent again.
//!
//! # The files
//! | file, below `state/codex` | written by | lock | holds | goes |
//! |---|---|---|---|---|
//! | `state_T.yaml` | hooks, `orphans` | `state_T.lock` | the session, the open turn, the last closed turns | after a day without a word |
//! | `spans_T.jsonl` | the tool role | `state_T.lock` | one row a hook call of the open turn; the first holds its settings | moved when the turn closes |
//! | `closing/K.json`, `K.jsonl` | `close` | `state_T.lock` | a closed turn and its rows | when it is in the outbox |
//! | `closing/K.tried` | `assemble` | `flush.lock` | one byte an attempt that ended its process | with the record |
//! | `*.damaged` | whoever could not read it | that file's | a state or record for the user to look at | after a week |
//! | `outbox/K.turn` | `assemble`, `backfill` | `flush.lock`, or none: written whole | a finished turn | moved when delivered |
//! | `outbox/K.turn.progress` | `send` | `flush.lock` | which spans are acknowledged | when the entry has moved |
//! | `outbox/acknowledged` | `drain` | `flush.lock` | the turns of one request that are acknowledged and not all moved | when they are |
//! | `outbox/rejected/K.turn` | `drain` | `flush.lock` | a turn no backend takes, or that found the outbox full | `resend`, or the archive's bounds |
//! | `sent/K.turn` | `drain` | `flush.lock` | a delivered turn | the archive's bounds |
//! | `dry/K.turn` | hooks | – | a turn of a dry run, which nothing sends | the archive's bounds, or when the turn is sent after all |
//! | `delivered.keys` | `archive` | `delivered.lock` | digests of delivered turns whose files are gone | never; bounded |
//! | `backfilled.keys` | `backfill` | `backfilled.lock` | digests of rollouts read to their end | never; bounded |
//! | `history/YYYY-MM.jsonl` | `assemble`, `backfill` | `history.lock` | one line a finished turn of that month (UTC), without its content | never |
//! | `history/YYYY-MM.index` | whoever reads | – | a compact copy of a month nobody writes to any more | made anew when the month changes |
//! | `prices_own.json`, `prices_newer.json` | `prices` | – | prices of the user's own; a newer table than the built-in one | never |
//! | `delivery.json` | `flush` | `flush.lock` | how delivery has been going | never |
//! | `flush.lock`, `flush.wish` | `flush` | – | the right to deliver; that a user waits for it | never; when taken |
//! | `live/PID-START-PLACE-T` | hooks | – | empty: a Codex process and a thread it has hooks for | when that process is gone |
//! | `seen/EVENT` | hooks | that file | how often a hook was called | never |
//! | `last_sweep` | `orphans` | – | empty: when idle files were last looked for | never |
//! | `debug/…json` | hooks | – | payloads, with `trace_debug` | bounded |
//! | `setup.json`, `backups/` | `install` | – | what install added; copies of what it changed | `uninstall --purge` |
//! | `notify_chain.json` | `install` | – | another tool's notify program, once more | `uninstall` |
//!
//! Beside them: `config.yaml` (`settings`), `bin/` (`install`), `logs/codex.log` and one older (`log`), and in Codex's
//! own directory `config.toml` (edited by `install`) and `arize-env.sh` (only read). `/etc/arize-codex/config.yaml` is the
//! machine's, and only read.

use std::path::{Path, PathBuf};

use crate::ids::ThreadId;
use crate::platform;

/// The files and directories of one user.
#[derive(Debug, Clone)]
pub struct Paths {
    harness: PathBuf,
    codex: PathBuf,
    machine: PathBuf,
}

impl Paths {
    /// Takes our own directory and Codex's, both absolute.
    pub fn new(harness: PathBuf, codex: PathBuf) -> Paths {
        Paths { harness, codex, machine: platform::machine_config() }
    }

    /// The same files with another machine-wide file.
    pub fn with_machine_config(self, machine: PathBuf) -> Paths {
        Paths { machine, ..self }
    }

    /// The settings of everybody on the machine, written by whoever looks after it.
    pub fn machine_config(&self) -> &Path {
        &self.machine
    }

    /// `~/.arize/harness`, shared with other harnesses.
    pub fn harness(&self) -> &Path {
        &self.harness
    }

    /// Codex's own directory, `~/.codex`.
    pub fn codex(&self) -> &Path {
        &self.codex
    }

    pub fn config_yaml(&self) -> PathBuf {
        self.harness.join("config.yaml")
    }

    /// The Python edition's configuration, read when config.yaml is absent.
    pub fn config_json(&self) -> PathBuf {
        self.harness.join("config.json")
    }

    /// The executable and its links.
    pub fn bin(&self) -> PathBuf {
        self.harness.join("bin")
    }

    /// One of our executables.
    pub fn executable(&self, name: &str) -> PathBuf {
        self.bin().join(format!("{name}{}", crate::platform::EXE_SUFFIX))
    }

    pub fn log_file(&self) -> PathBuf {
        self.harness.join("logs").join("codex.log")
    }

    pub fn codex_config(&self) -> PathBuf {
        self.codex.join("config.toml")
    }

    pub fn env_file(&self) -> PathBuf {
        self.codex.join("arize-env.sh")
    }

    /// Everything below is in here.
    pub fn state(&self) -> PathBuf {
        self.harness.join("state").join("codex")
    }

    pub fn thread_state(&self, thread: &ThreadId) -> PathBuf {
        self.state().join(format!("{STATE_PREFIX}{thread}{STATE_SUFFIX}"))
    }

    pub fn thread_lock(&self, thread: &ThreadId) -> PathBuf {
        self.state().join(format!("{STATE_PREFIX}{thread}.lock"))
    }

    pub fn thread_rows(&self, thread: &ThreadId) -> PathBuf {
        self.state().join(format!("{ROWS_PREFIX}{thread}{ROWS_SUFFIX}"))
    }

    /// Turns that a hook has closed and nobody has assembled yet.
    pub fn closing(&self) -> PathBuf {
        self.state().join("closing")
    }

    /// One empty file for each Codex process and thread that hooks were called for.
    pub fn running_processes(&self) -> PathBuf {
        self.state().join("live")
    }

    /// Counts of hook calls, one file an event.
    pub fn hook_calls(&self) -> PathBuf {
        self.state().join("seen")
    }

    pub fn outbox(&self) -> PathBuf {
        self.state().join("outbox")
    }

    /// Turns that no backend takes.
    pub fn rejected(&self) -> PathBuf {
        self.outbox().join("rejected")
    }

    /// Turns of one request that are acknowledged and may not all have moved.
    pub fn acknowledged(&self) -> PathBuf {
        self.outbox().join("acknowledged")
    }

    /// Turns of a dry run.
    pub fn dry(&self) -> PathBuf {
        self.state().join("dry")
    }

    /// Delivered turns.
    pub fn sent(&self) -> PathBuf {
        self.state().join("sent")
    }

    /// Digests of delivered turns whose files are gone.
    pub fn delivered_keys(&self) -> PathBuf {
        self.state().join("delivered.keys")
    }

    /// Digests of rollouts that `backfill` need not read again.
    pub fn backfilled_keys(&self) -> PathBuf {
        self.state().join("backfilled.keys")
    }

    /// One line a finished turn, for good; a file a month.
    pub fn history(&self) -> PathBuf {
        self.state().join("history")
    }

    /// Held while a line of the history is written.
    pub fn history_lock(&self) -> PathBuf {
        self.state().join("history.lock")
    }

    /// Prices of the user's own.
    pub fn own_prices(&self) -> PathBuf {
        self.state().join("prices_own.json")
    }

    /// A newer price table than the built-in one.
    pub fn newer_prices(&self) -> PathBuf {
        self.state().join("prices_newer.json")
    }

    /// State of delivery.
    pub fn delivery_status(&self) -> PathBuf {
        self.state().join("delivery.json")
    }

    /// Held by the one process that delivers.
    pub fn flush_lock(&self) -> PathBuf {
        self.state().join("flush.lock")
    }

    /// Left by a user's flush for the process whose lock it waits for.
    pub fn flush_wish(&self) -> PathBuf {
        self.state().join("flush.wish")
    }

    /// Empty; its time is when idle files were last looked for.
    pub fn last_sweep(&self) -> PathBuf {
        self.state().join("last_sweep")
    }

    /// The other notify program once more, for when config.yaml cannot be read.
    pub fn notify_chain(&self) -> PathBuf {
        self.state().join("notify_chain.json")
    }

    /// Record of everything install has added.
    pub fn setup_record(&self) -> PathBuf {
        self.state().join("setup.json")
    }

    /// Copies of what install has changed.
    pub fn backups(&self) -> PathBuf {
        self.state().join("backups")
    }

    pub fn debug(&self) -> PathBuf {
        self.state().join("debug")
    }
}

/// Returns the thread whose state or rows a file's name says it holds.
pub fn thread_of(name: &str) -> Option<ThreadId> {
    let state = name.strip_prefix(STATE_PREFIX).and_then(|n| n.strip_suffix(STATE_SUFFIX));
    let rows = || name.strip_prefix(ROWS_PREFIX).and_then(|n| n.strip_suffix(ROWS_SUFFIX));
    ThreadId::parse(state.or_else(rows)?).ok()
}

const STATE_PREFIX: &str = "state_";
const STATE_SUFFIX: &str = ".yaml";
const ROWS_PREFIX: &str = "spans_";
const ROWS_SUFFIX: &str = ".jsonl";
/// The extension of a closed turn's record.
pub const RECORD: &str = "json";
/// The extension of a closed turn's rows.
pub const ROWS: &str = "jsonl";
/// The extension of the file that counts the attempts to assemble a turn.
pub const TRIED: &str = "tried";
/// The extension of a file that cannot be read and was put aside.
pub const DAMAGED: &str = "damaged";
/// Suffix of finished turns' names.
pub const ENTRY_SUFFIX: &str = ".turn";
/// Suffix that a checkpoint's name adds to its entry's.
pub const CHECKPOINT_SUFFIX: &str = ".progress";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thread_of_reads_names_of_states_and_rows() {
        let paths = Paths::new("/h".into(), "/c".into());
        let thread = ThreadId::parse("01a2-b").unwrap();
        for path in [paths.thread_state(&thread), paths.thread_rows(&thread)] {
            assert_eq!(thread_of(path.file_name().unwrap().to_str().unwrap()), Some(thread.clone()));
        }
        for name in ["state_.yaml", "state_a.lock", "spans_../x.jsonl", "state_a.yaml.damaged"] {
            assert_eq!(thread_of(name), None, "{name}");
        }
    }
}
