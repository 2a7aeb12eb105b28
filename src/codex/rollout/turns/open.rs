//! The turn being read: where its name is from, what was said in it, and whether it is over.

use super::super::{Fact, ModelOutput, Record};

/// Summary of a turn whose records were read to their end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its end was recorded.
    pub ended: bool,
    /// Another turn follows, so it is over whatever was recorded.
    pub followed: bool,
    /// Its settings or its end were recorded. A review's turn begins in its session's rollout too, without either.
    pub worked: bool,
    /// Something was said or the model had a part in it: a turn that counts. A command the user runs does not.
    pub asked: bool,
}

#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) id: Option<String>,
    pub(super) name: Name,
    /// Something was said by the user or the model.
    pub(super) said: bool,
    /// Not taken over from another thread.
    pub(super) own: bool,
    pub(super) outcome: Outcome,
    pub(super) answered: bool,
    /// Number of records behind its end that were searched for late notes.
    pub(super) looked_at: usize,
}

/// Source of a turn's id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Name {
    /// The line that begins the turn.
    #[default]
    Begun,
    /// The turn's settings or its end.
    Found,
    /// Made here.
    Made,
}

impl Open {
    /// Returns true if what the user says next begins a turn of its own.
    pub(super) fn is_over(&self) -> bool {
        match self.name {
            Name::Begun => false,
            Name::Found => self.answered || self.outcome.ended,
            Name::Made => self.said || self.outcome.ended,
        }
    }

    /// Takes a record of the turn into account.
    pub(super) fn note(&mut self, record: &Record, id: &str) {
        match &record.fact {
            Fact::TurnEnded(_) if record.turn.as_deref().is_none_or(|t| t == id) => {
                self.outcome.ended = true;
                self.outcome.worked = true;
            }
            Fact::Context(_) | Fact::Error { .. } => self.outcome.worked = true,
            Fact::User(_) if self.name != Name::Begun => self.outcome.worked = true,
            _ => {}
        }
        self.outcome.asked |= matches!(
            record.fact,
            Fact::Context(_)
                | Fact::User(_)
                | Fact::Output(_)
                | Fact::Compacted { .. }
                | Fact::Compaction { .. }
        );
        self.said |= matches!(record.fact, Fact::Output(_) | Fact::User(_));
        match &record.fact {
            Fact::Output(ModelOutput::Message { .. }) => self.answered = true,
            Fact::Output(_) | Fact::ToolOutput(_) | Fact::User(_) => self.answered = false,
            _ => {}
        }
    }
}
