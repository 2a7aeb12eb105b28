//! Selects turns, in the same way for every command: by the options of [`selectors`], by the number that `list` prints,
//! or by the beginning of a session's or a turn's id.

pub mod moment;
pub mod selectors;
pub mod session;

use anyhow::bail;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::fs;

use crate::context::{Context, Paths};
use crate::delivery::archive;
use crate::delivery::archive::{DeliveryState, Item};
use crate::delivery::history;
use crate::ids::{ThreadId, TurnId};
use crate::otel::entry::{Entry, EntryKey, Head, Summary};
use crate::otel::prices::{Bill, Prices};
use crate::time::Timestamp;
use selectors::{Filter, Selectors};

/// A turn with its continuations and the subagents it set to work: one trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    pub thread: ThreadId,
    pub turn: TurnId,
    /// The turn itself first, then what belongs to it, oldest first.
    pub items: Vec<Item>,
}

impl Trace {
    /// The turn's own head; a subagent's while the turn itself is not over.
    pub fn head(&self) -> &Head {
        // A trace is made of at least one item.
        &self.items[0].head
    }

    /// Returns true if the turn itself is there, and not only a subagent of it.
    pub fn has_root(&self) -> bool {
        self.head().key.thread == self.thread
    }

    /// Returns where most remains to be done.
    pub fn place(&self) -> DeliveryState {
        let any = |place| self.items.iter().any(|i| i.place == place);
        match (any(DeliveryState::SetAside), any(DeliveryState::Waiting)) {
            (true, _) => DeliveryState::SetAside,
            (_, true) => DeliveryState::Waiting,
            _ if any(DeliveryState::SentInPart) => DeliveryState::SentInPart,
            _ if any(DeliveryState::Deleted) => DeliveryState::Deleted,
            _ if any(DeliveryState::Dry) => DeliveryState::Dry,
            _ => DeliveryState::Sent,
        }
    }

    /// The line of the turn, its continuations added up.
    pub fn summary(&self) -> Summary {
        let mut sum = self.head().summary.clone();
        let own = &self.head().key;
        for item in self.items.iter().skip(1).filter(|i| i.head.key.thread == own.thread) {
            let more = &item.head.summary;
            let add = |sum: &mut Option<u64>, more: Option<u64>| {
                *sum = sum.map_or(more, |s| Some(s.saturating_add(more.unwrap_or(0))));
            };
            add(&mut sum.prompt_tokens, more.prompt_tokens);
            add(&mut sum.completion_tokens, more.completion_tokens);
            add(&mut sum.cached_tokens, more.cached_tokens);
            add(&mut sum.reasoning_tokens, more.reasoning_tokens);
            sum.tool_calls += more.tool_calls;
            sum.failed_tool_calls += more.failed_tool_calls;
            sum.nested_tool_calls += more.nested_tool_calls;
            sum.failed_nested_tool_calls += more.failed_nested_tool_calls;
            sum.model_calls += more.model_calls;
            sum.uses.extend(more.uses.iter().cloned());
            sum.time.add(&more.time);
            sum.compactions += more.compactions;
            sum.status.clone_from(&more.status);
            if !more.limits.is_empty() {
                sum.limits.clone_from(&more.limits);
            }
        }
        sum
    }

    /// Returns what the turn and the subagents it set to work cost.
    pub fn bill(&self, prices: &Prices) -> Bill {
        Bill::of(self.items.iter().flat_map(|item| &item.head.summary.uses), prices)
    }

    /// When the last of its own parts ended.
    pub fn ended_at(&self) -> Timestamp {
        let own = self.items.iter().filter(|i| i.head.key.thread == self.head().key.thread);
        own.map(|i| i.head.ended_at).max().unwrap_or(self.head().ended_at)
    }

    /// Returns how many subagents' turns belong to it.
    pub fn agents(&self) -> usize {
        self.items.iter().filter(|i| i.head.key.thread != self.thread).count()
    }

    /// Returns true if the turn is selected, or a subagent's turn in it.
    pub fn is_selected(&self, filter: &Filter) -> bool {
        filter.takes_turn(self.head(), &self.summary(), self.ended_at())
            || self.items.iter().skip(1).any(|item| filter.takes(&item.head))
    }

    /// All its spans, read from the files.
    ///
    /// # Errors
    /// When a file cannot be read or is damaged.
    pub fn spans(&self) -> anyhow::Result<Vec<Span>> {
        let mut spans = Vec::new();
        for item in &self.items {
            spans.extend(read(item)?.spans);
        }
        Ok(spans)
    }

    fn sort(&mut self) {
        let root = self.thread.clone();
        self.items.sort_by_key(|i| (i.head.key.thread != root, i.head.key.clone()));
    }
}

/// Reads a turn's file. It may have been delivered, and so moved, since it was listed.
///
/// # Errors
/// When the file cannot be read or is damaged.
pub fn read(item: &Item) -> anyhow::Result<Entry> {
    if item.place == DeliveryState::Deleted {
        bail!(
            "only one line is kept of this turn; `arize-codex backfill --again --session {}` brings it back",
            item.head.root_thread
        );
    }
    let content = fs::read(&item.path).or_else(|error| {
        let moved = item.path.file_name().and_then(|name| {
            let folder = item.path.parent()?.parent()?.join("sent");
            fs::read(folder.join(name)).ok()
        });
        moved.ok_or(error)
    })?;
    Ok(Entry::decode(&content)?)
}

/// The traces kept on this machine, newest first, as far as they are asked for.
pub fn traces(paths: &Paths) -> impl Iterator<Item = Trace> + use<> {
    traces_of(archive::items(paths))
}

fn traces_of(items: impl Iterator<Item = Item>) -> impl Iterator<Item = Trace> {
    let mut items = items.fuse();
    // A subagent begins later than the turn it belongs to and is so met before it.
    let mut open: Vec<Trace> = Vec::new();
    std::iter::from_fn(move || {
        loop {
            let Some(item) = items.next() else {
                return (!open.is_empty()).then(|| open.remove(0));
            };
            let (thread, turn) = (item.head.root_thread.clone(), item.head.root_turn.clone());
            let own = item.head.key.thread == thread && item.head.key.part == 0;
            let at = match open.iter().position(|t| t.thread == thread && t.turn == turn) {
                Some(at) => at,
                None => {
                    open.push(Trace { thread, turn, items: Vec::new() });
                    open.len() - 1
                }
            };
            open[at].items.push(item);
            open[at].sort();
            if own {
                return Some(open.remove(at));
            }
        }
    })
}

/// The selected traces, newest first, each with its number: 1 is the newest of all.
pub fn selected<'a>(
    context: &Context,
    selectors: &'a Selectors,
) -> impl Iterator<Item = (usize, Trace)> + use<'a> {
    let filter = selectors.at(context);
    let numbered = traces_of(history::items(context.paths())).enumerate().map(|(at, trace)| (at + 1, trace));
    numbered.filter(move |(_, trace)| trace.is_selected(&filter))
}

/// The traces that `wanted` names among the selected ones, oldest first: the newest for none or `last`, one turn for
/// its number in `list`, a session for the beginning of a thread's id, one turn for the beginning of a turn's.
///
/// # Errors
/// When there is none, or the beginning fits several sessions.
pub fn wanted(context: &Context, selectors: &Selectors, wanted: Option<&str>) -> anyhow::Result<Vec<Trace>> {
    let mut selected = selected(context, selectors);
    let Some(wanted) = wanted.filter(|w| *w != LAST) else {
        let found: Vec<Trace> = match selectors.session {
            Some(_) => selected.map(|(_, trace)| trace).collect(),
            None => selected.next().map(|(_, trace)| trace).into_iter().collect(),
        };
        if found.is_empty() && selectors.is_empty() {
            bail!("no turn has been recorded yet in {}", context.paths().state().display());
        }
        return of_one_session(found, selectors.session.as_deref().unwrap_or_default(), selectors.nothing());
    };
    if let Some(number) = as_number(wanted) {
        let found = selected.find(|(n, _)| *n >= number).filter(|(n, _)| *n == number);
        return match found {
            Some((_, trace)) => Ok(vec![trace]),
            None => bail!("there is no turn number {wanted}; see `arize-codex list`"),
        };
    }
    let is_turn = |t: &Trace| t.turn.as_str().starts_with(wanted);
    let is_session = |t: &Trace| {
        t.thread.as_str().starts_with(wanted)
            || t.items.iter().any(|i| i.head.key.thread.as_str().starts_with(wanted))
    };
    let traces = selected.map(|(_, trace)| trace);
    let mut found: Vec<Trace> = traces.filter(|t| is_turn(t) || is_session(t)).collect();
    // Ids begin with their time, so a session's first turn may begin like its session.
    if found.iter().any(is_session) {
        found.retain(is_session);
    }
    let nothing = format!("no session or turn ID starts with {wanted}; see `arize-codex list`");
    of_one_session(found, wanted, &nothing)
}

/// The traces, oldest first, when all belong to one session.
fn of_one_session(mut found: Vec<Trace>, wanted: &str, nothing: &str) -> anyhow::Result<Vec<Trace>> {
    let mut threads: Vec<&ThreadId> = found.iter().map(|t| &t.thread).collect();
    threads.sort();
    threads.dedup();
    match threads.len() {
        0 => bail!("{nothing}"),
        1 => {}
        _ => {
            let names: Vec<&str> = threads.iter().take(5).map(|t| t.as_str()).collect();
            bail!("{wanted} matches {} sessions: {}", threads.len(), names.join(", "));
        }
    }
    found.reverse();
    Ok(found)
}

/// A number as `list` prints it. The ids of sessions begin with 0, so they are none.
fn as_number(text: &str) -> Option<usize> {
    text.parse().ok().filter(|n| *n > 0 && text.len() <= MAX_DIGITS && !text.starts_with(['0', '+']))
}

/// The keys of the turns kept on this machine.
pub fn keys(paths: &Paths) -> Vec<EntryKey> {
    archive::items(paths).map(|i| i.head.key).collect()
}

/// The word for the newest turn.
pub const LAST: &str = "last";
/// More turns than are ever kept.
const MAX_DIGITS: usize = 7;
