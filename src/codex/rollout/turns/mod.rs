//! Cuts a whole rollout into its turns, in one pass, for every release.
//!
//! From 0.100 or so a line begins each turn and names it. Where that line is missing, torn by a crash or not yet
//! known to the release, the turn's settings or its end name it. Without any, a turn begins with its settings or with
//! what the user said and has no name; it gets one here that is the same whenever the file is read. What a fork or a
//! subagent took over from another thread is passed over.

use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod open;

pub use self::open::Outcome;
use self::open::{Name, Open};
use super::ahead::Ahead;
use super::conversation::Conversation;
use super::reader::Reader;
use super::{Fact, ModelOutput, Record, SessionMeta, TurnEnd};
use crate::ids::{ThreadId, TurnId};
use crate::time::Timestamp;

/// A rollout on the way from turn to turn.
pub struct Turns<R: Iterator<Item = Record> = Reader> {
    records: Ahead<R>,
    thread: ThreadId,
    meta: SessionMeta,
    /// True if this release records when a turn begins.
    reported: bool,
    count: u64,
    last_at: Timestamp,
    /// The ids of the turns so far, those taken over included.
    ids: BTreeSet<String>,
    /// Time of the last line copied from another thread, while such lines follow each other. Forks up to 0.87 write
    /// that thread's first line behind their own, and its whole history at once.
    copied: Option<Timestamp>,
    /// The last count of tokens: the base of those of the turn that follows.
    counted: Option<Record>,
    /// The settings in force: Codex writes them before the line that begins a turn.
    settings: Option<Record>,
    goal: Option<Record>,
    /// What the model knows, and how long its texts may be; none where nobody asks.
    conversation: Option<(Conversation, usize)>,
    /// The turn being read.
    open: Open,
}

/// Beginning of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnStart {
    pub id: TurnId,
    /// Its number in the thread, from 1, if anything is [asked](Outcome::asked) in it.
    pub number: u64,
    pub at: Timestamp,
    /// The turn of the root thread it belongs to, where the release records it.
    pub root_turn: Option<String>,
}

impl Turns {
    /// Opens a rollout and reads its first line; `None` when that is not a session's.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path) -> io::Result<Option<Turns>> {
        Ok(Turns::new(Reader::open(path)?))
    }
}

impl<R: Iterator<Item = Record>> Turns<R> {
    fn new(mut records: R) -> Option<Turns<R>> {
        let first = records.next()?;
        let Fact::Session(meta) = first.fact else { return None };
        let thread = ThreadId::parse(meta.id.as_deref()?).ok()?;
        Some(Turns {
            records: Ahead::new(records),
            thread,
            meta: *meta,
            reported: false,
            count: 0,
            last_at: first.at,
            ids: BTreeSet::new(),
            copied: None,
            counted: None,
            settings: None,
            goal: None,
            conversation: None,
            open: Open::default(),
        })
    }

    /// The thread whose rollout this is.
    pub fn thread(&self) -> &ThreadId {
        &self.thread
    }

    /// The first line.
    pub fn meta(&self) -> &SessionMeta {
        &self.meta
    }

    /// Goes to the beginning of the thread's next own turn.
    pub fn next_turn(&mut self) -> Option<TurnStart> {
        loop {
            self.by_ref_records().for_each(drop);
            self.count += u64::from(self.open.outcome.asked && self.open.own);
            self.open = Open::default();
            while !self.begins_turn()? {
                self.take();
            }
            let record = self.records.peek()?;
            let at = if record.at > Timestamp::default() { record.at } else { self.last_at };
            let (reported, root_turn) = match &record.fact {
                Fact::TurnStarted(beginning) => (true, beginning.root_turn.clone()),
                _ => (false, None),
            };
            self.reported |= reported;
            let (id, name) = if reported {
                (record.turn.clone(), Name::Begun)
            } else {
                let found = self.name_ahead();
                let name = if found.is_some() { Name::Found } else { Name::Made };
                (found, name)
            };
            let id = id.unwrap_or_else(|| self.made_id(at));
            let Ok(id) = TurnId::parse(&id) else {
                self.take();
                continue;
            };
            self.open.name = name;
            self.open.id = Some(id.as_str().to_owned());
            self.ids.insert(id.as_str().to_owned());
            if self.is_taken_over(&id) || name == Name::Made && self.is_copied(at) {
                continue;
            }
            self.open.own = true;
            return Some(TurnStart { id, number: self.count + 1, at, root_turn });
        }
    }

    /// Follows what the model knows from here on, with texts of at most `limit` bytes. `find` knows where the rollout of a
    /// thread lies.
    pub fn follow_conversation(&mut self, limit: usize, find: &dyn Fn(&str) -> Option<PathBuf>) {
        self.conversation = Some((Conversation::at_beginning(&self.meta, limit, find), limit));
    }

    /// What the model knows at this place, if that is followed.
    pub fn conversation(&self) -> Option<&Conversation> {
        self.conversation.as_ref().map(|(conversation, _)| conversation)
    }

    /// Goes on counting after as many turns of the thread in earlier files.
    pub fn count_from(&mut self, before: u64) {
        self.count = before;
    }

    /// Returns how many turns of the thread the file holds, read to its end.
    pub fn count(mut self) -> u64 {
        while self.next_turn().is_some() {}
        self.count
    }

    /// The records of the turn [`Turns::next_turn`] went to, behind the last count of tokens before it. What is not
    /// taken of them is passed over later.
    pub fn records(&mut self) -> impl Iterator<Item = Record> + '_ {
        let before = [self.settings.clone(), self.goal.clone(), self.counted.take()];
        before.into_iter().flatten().chain(self.by_ref_records())
    }

    /// Returns what is known of the turn; complete when its records have been read to the end.
    pub fn outcome(&mut self) -> Outcome {
        self.by_ref_records().for_each(drop);
        Outcome { followed: self.records.peek().is_some(), ..self.open.outcome }
    }

    fn by_ref_records(&mut self) -> impl Iterator<Item = Record> + '_ {
        std::iter::from_fn(move || self.next_of_turn())
    }

    fn next_of_turn(&mut self) -> Option<Record> {
        let id = self.open.id.clone()?;
        let stop = match self.records.peek() {
            None => true,
            Some(next) => match &next.fact {
                Fact::TurnStarted(_) => next.turn.as_deref() != Some(&id),
                Fact::Context(_) => self.begins_turn()?,
                _ => self.open.is_over() && self.begins_turn()?,
            },
        };
        if stop {
            return self.late_note(&id).or_else(|| self.made_end(id));
        }
        let mut record = self.take()?;
        match self.open.name {
            Name::Begun => {}
            Name::Found => _ = record.turn.get_or_insert_with(|| id.clone()),
            Name::Made => record.turn = Some(id.clone()),
        }
        self.open.note(&record, &id);
        Some(record)
    }

    /// Returns true if the next record begins a turn; `None` at the end of the rollout.
    fn begins_turn(&mut self) -> Option<bool> {
        let between = self.open.id.is_none() || self.open.answered;
        let next = self.records.peek()?;
        Some(match (&next.fact, &next.turn) {
            (Fact::TurnStarted(_), _) => true,
            (Fact::User(_), None) => !self.reported,
            (Fact::Context(_), Some(turn)) => !self.ids.contains(turn),
            // The settings of the turn that follows.
            (Fact::Context(_), None) if !self.reported && between => {
                let mut next = 1;
                while matches!(self.records.look(next), Some(Record { fact: Fact::Given { .. }, .. })) {
                    next += 1;
                }
                let said = self.records.look(next);
                matches!(said, Some(Record { fact: Fact::User(_) | Fact::UserImages { .. }, .. }))
            }
            _ => false,
        })
    }

    /// Returns the name of the turn that begins with the next record, taken from its settings or its end.
    fn name_ahead(&mut self) -> Option<String> {
        let mut answered = false;
        for n in 0..MOST_AHEAD {
            let record = self.records.look(n)?;
            match &record.fact {
                Fact::TurnStarted(_) => return None,
                Fact::User(_) if answered && record.turn.is_none() => return None,
                Fact::Context(_) | Fact::TurnEnded(_) if record.turn.is_some() => {
                    return record.turn.clone().filter(|t| !self.ids.contains(t));
                }
                Fact::Output(output) => answered = matches!(output, ModelOutput::Message { .. }),
                _ => {}
            }
        }
        None
    }

    /// The next note of a call of this turn that stands behind the beginning of another: what still ran at its end is noted
    /// once it is over. The record stays where it is, since the turn it stands in passes it over.
    fn late_note(&mut self, id: &str) -> Option<Record> {
        if self.open.name != Name::Begun || !self.open.outcome.ended {
            return None;
        }
        for n in self.open.looked_at..MOST_LATE {
            let record = self.records.look(n)?;
            self.open.looked_at = n + 1;
            if matches!(record.fact, Fact::ToolDetail(_)) && record.turn.as_deref() == Some(id) {
                return Some(record.clone());
            }
        }
        None
    }

    /// The releases that name no turn report no end either: an answer is one.
    fn made_end(&mut self, id: String) -> Option<Record> {
        self.open.id = None;
        let due = self.open.name != Name::Begun && self.open.answered && !self.open.outcome.ended;
        self.open.outcome.ended |= due;
        due.then_some(Record {
            at: self.last_at,
            turn: Some(id),
            fact: Fact::TurnEnded(TurnEnd::Completed {
                last_message: None,
                error: None,
                duration_ms: None,
                first_token_ms: None,
            }),
        })
    }

    /// The next record, with the time of the one before where it has none.
    fn take(&mut self) -> Option<Record> {
        let mut record = self.records.next()?;
        if record.at > Timestamp::default() {
            self.last_at = record.at;
        } else {
            record.at = self.last_at;
        }
        match &record.fact {
            Fact::Session(meta) if meta.id.as_deref() != Some(self.thread.as_str()) => {
                self.copied = Some(record.at)
            }
            _ => self.copied = self.copied.map(|_| record.at).filter(|at| self.is_copied(*at)),
        }
        if let Fact::TokenCount { .. } = record.fact {
            self.counted = Some(record.clone());
        }
        if let Some((conversation, limit)) = &mut self.conversation {
            conversation.take(&record.fact, *limit);
        }
        match record.fact {
            Fact::Settings(_) => self.settings = Some(record.clone()),
            Fact::Goal { .. } => self.goal = Some(record.clone()),
            _ => {}
        }
        Some(record)
    }

    /// Returns true if a turn is older than its thread, which a fork and a subagent begin with.
    fn is_taken_over(&self, turn: &TurnId) -> bool {
        let inherits = self.meta.subagent.is_some() || self.meta.forked_from.is_some();
        let times = (Timestamp::of_uuid_v7(turn.as_str()), Timestamp::of_uuid_v7(self.thread.as_str()));
        match times {
            (Some(turn), Some(thread)) => inherits && turn < thread,
            _ => false,
        }
    }

    /// Returns true if a line of this time follows lines that were copied from another thread at once.
    fn is_copied(&self, at: Timestamp) -> bool {
        self.copied.is_some_and(|last| at <= last.plus(COPIED_WITHIN))
    }

    /// A turn id like Codex's own, a UUID of version 7, made of the time, the thread and the turn's number.
    fn made_id(&self, at: Timestamp) -> String {
        let mut hash = Sha256::new();
        hash.update(self.thread.as_str());
        hash.update((self.count + 1).to_be_bytes());
        let tail: String = hash.finalize()[..9].iter().map(|b| format!("{b:02x}")).collect();
        let millis = at.as_millis() & 0xffff_ffff_ffff;
        let (high, low) = (millis >> 16, millis & 0xffff);
        format!("{high:08x}-{low:04x}-7{}-8{}-{}", &tail[..3], &tail[3..6], &tail[6..])
    }
}

/// Longest time between two lines of a history that is copied.
const COPIED_WITHIN: Duration = Duration::from_millis(50);
/// Number of records behind a turn among which late notes of its calls are looked for.
const MOST_LATE: usize = 200;
/// Number of records among which a turn's name is looked for.
const MOST_AHEAD: usize = 2000;

#[cfg(test)]
mod tests;
