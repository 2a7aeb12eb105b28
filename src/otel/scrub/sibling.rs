//! Secrets whose name stands beside the value as a value of its own: variables of containers, parameters, properties;
//! and the manifests of secrets.

use std::ops::Range;

use crate::otel::scrub::judge::{self, Trust};
use crate::otel::scrub::label::Name;
use crate::otel::scrub::scan::{Rank, Scan};
use crate::otel::scrub::table::shapes::{CALL, PROSE};
use crate::otel::scrub::table::syntax::{APART, DATA, GIVEN, PAIR};
use crate::otel::scrub::value::{End, line_start, run};

impl Scan<'_> {
    /// Reads the name that is given to the word `at..end`, and takes the value that stands before it.
    pub(super) fn titled(&mut self, at: usize, end: usize) {
        let Some(from) = self.given(at, end) else { return };
        let in_path = |b: u8| b.is_ascii_alphanumeric() || b"_-./".contains(&b);
        let path = self.ahead(from, run(&self.t[from..], 96, in_path));
        let name = Name::read(path.rsplit(|b| *b == b'/').next().unwrap_or_default());
        self.read.title = (from, name);
        if let (Some(name), Some(value)) = (name, self.read.untitled.take())
            && self.is_beside(value.end, at)
        {
            self.take(value.start, value, name);
        }
    }

    /// Looks at `value`: after a name of a secret, what is given to it is one.
    pub(super) fn sibling(&mut self, at: usize) {
        let Some(from) = self.given(at, at + b"value".len()) else { return };
        let to = match self.view.quote(from - 1) {
            Some(quote) => self.ends.closing(self.view, from, quote),
            // What quotes the word quotes its value too.
            None if self.view.quote(at + b"value".len()).is_some() => None,
            None => Some(self.end(End::Line, from)).filter(|to| CALL.find(&self.t[from..*to]).is_none()),
        };
        let Some(to) = to.filter(|to| *to > from) else { return };
        let (title, name) = self.read.title;
        if title == 0 || !self.is_beside(title, at) {
            self.read.untitled = Some(from..to);
        } else if let Some(name) = name {
            self.take(title, from..to, name);
        }
    }

    fn take(&mut self, context: usize, value: Range<usize>, name: Name) {
        let text = &self.t[value.clone()];
        if name.takes(text, Trust::Sure, 8) && PROSE.find(text).is_none() {
            self.add(context, value, name.kind, Rank::Place);
        }
    }

    /// Returns where the value begins that is given to the word `at..end`.
    fn given(&self, at: usize, end: usize) -> Option<usize> {
        let before = &self.t[..at];
        let begins = !before.last().is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let joined = || [&b"arameter"[..], b"ariable", b"key"].iter().any(|word| before.ends_with(word));
        let given = GIVEN.find(self.ahead(end, 40)).filter(|_| begins || joined())?;
        Some(end + given.end)
    }

    /// Tells whether two places belong to one object, or to one item of a list.
    fn is_beside(&self, from: usize, to: usize) -> bool {
        let between = &self.t[from.min(to)..to];
        between.len() <= REACH && APART.find(between).is_none()
    }

    /// Looks at a manifest of kind `Secret`: everything below its `data` is one.
    pub(super) fn manifest(&mut self, at: usize) {
        if at < self.read.manifests {
            return;
        }
        let floor = self.read.manifests.max(at.saturating_sub(MANIFEST));
        let start = floor + memchr::memmem::rfind(&self.t[floor..at], b"\n---").unwrap_or_default();
        let ahead = self.ahead(at, MANIFEST);
        let end = at + memchr::memmem::find(ahead, b"\n---").unwrap_or(ahead.len());
        self.read.manifests = end;
        let mut from = start;
        while let Some(data) = DATA.find(&self.t[from..end]) {
            from = self.manifest_data(from + data.start, from + data.end, end);
        }
    }

    /// Takes the values of the pairs from `at` on, below `data` at `head`; returns where they end.
    fn manifest_data(&mut self, head: usize, mut at: usize, limit: usize) -> usize {
        let t = self.t;
        let column = |at: usize| at - line_start(t, at, MANIFEST);
        let own = column(head + run(&t[head..], 1, |b| b == b'\n'));
        let braces = t[..at].ends_with(b"{");
        while let Some(pair) = PAIR.find(&t[at..limit]) {
            let key = at + run(&t[at..], MANIFEST, |b| b.is_ascii_whitespace() || b == b',');
            if !braces && column(key) <= own {
                break;
            }
            let quote = self.view.quote(at + pair.end);
            let from = at + pair.end + usize::from(quote.is_some());
            let closing = quote.and_then(|quote| self.ends.closing(self.view, from, quote));
            let line = self.end(if braces { End::Tight } else { End::Line }, from);
            let to = closing.unwrap_or(line).min(limit);
            let value = &t[from..to.max(from)];
            if value.len() >= 4 && !judge::stands_in(value, true) {
                self.add(from, from..to, "secret", Rank::Place);
            }
            at = (to + usize::from(closing.is_some())).clamp(from, limit);
        }
        at
    }
}

/// How far a name is from the value beside it, and a kind from the data of its manifest.
const REACH: usize = 200;
const MANIFEST: usize = 16 * 1024;
