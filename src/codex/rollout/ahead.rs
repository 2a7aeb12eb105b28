//! Looks at the records that follow without taking them.

use std::collections::VecDeque;

use super::Record;

/// Records, some of which were looked at already.
pub(super) struct Ahead<R> {
    records: R,
    seen: VecDeque<Record>,
}

impl<R: Iterator<Item = Record>> Ahead<R> {
    pub(super) fn new(records: R) -> Ahead<R> {
        Ahead { records, seen: VecDeque::new() }
    }

    /// Takes the next record.
    pub(super) fn next(&mut self) -> Option<Record> {
        self.seen.pop_front().or_else(|| self.records.next())
    }

    /// Returns the next record, which stays the next.
    pub(super) fn peek(&mut self) -> Option<&Record> {
        self.look(0)
    }

    /// Returns the record behind `n` others. What lies before it is kept in memory.
    pub(super) fn look(&mut self, n: usize) -> Option<&Record> {
        while self.seen.len() <= n {
            self.seen.push_back(self.records.next()?);
        }
        self.seen.get(n)
    }
}
