//! One search of one view: what was found, and up to where each reader has read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::otel::scrub::judge::{self, JUDGED};
use crate::otel::scrub::label::Name;
use crate::otel::scrub::value::{End, Ends};
use crate::otel::scrub::view::View;

/// A secret in a text: the bytes it takes, and its kind. Of two that overlap the one of the higher rank names the kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub range: Range<usize>,
    pub kind: Cow<'static, str>,
    pub(super) rank: Rank,
}

/// How sure a finding is of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// By what stands before it.
    Place,
    /// By its own form.
    Form,
}

/// Finds the secrets of a text; the number counts the encodings that were taken off.
pub(super) type Search = fn(&[u8], usize) -> Vec<Finding>;

/// One search of one view.
pub(super) struct Scan<'a> {
    pub(super) view: &'a View,
    pub(super) t: &'a [u8],
    pub(super) depth: usize,
    /// Searches a text that was decoded from a part of this one, at the next depth.
    pub(super) search: Search,
    pub(super) found: Vec<Finding>,
    pub(super) ends: Ends,
    pub(super) read: Read,
}

/// Up to where readers have read, and what they remember.
#[derive(Default)]
pub(super) struct Read {
    /// The end of the last finding by its place, and of the last one by its form.
    floors: [usize; 2],
    /// Of rows of the tables: up to where one was refused, and how many bytes were read for that.
    pub(super) refused: BTreeMap<usize, (usize, usize)>,
    pub(super) names: usize,
    pub(super) tables: usize,
    pub(super) armour: usize,
    pub(super) encoded: usize,
    pub(super) manifests: usize,
    /// The name that was given last, and the last value that none was given before.
    pub(super) title: (usize, Option<Name>),
    pub(super) untitled: Option<Range<usize>>,
}

impl<'a> Scan<'a> {
    pub(super) fn new(view: &'a View, depth: usize, search: Search) -> Scan<'a> {
        let (found, ends, read) = Default::default();
        Scan { view, t: &view.text, depth, search, found, ends, read }
    }

    /// Returns up to where findings of a rank reach.
    pub(super) fn floor(&self, rank: Rank) -> usize {
        self.read.floors[rank as usize]
    }

    /// Returns the end of what stands at `at`.
    pub(super) fn end(&mut self, end: End, at: usize) -> usize {
        self.ends.of(end, self.view, at)
    }

    /// Returns at most `most` bytes from `at` on.
    pub(super) fn ahead(&self, at: usize, most: usize) -> &'a [u8] {
        &self.t[at.min(self.t.len())..self.t.len().min(at.saturating_add(most))]
    }

    /// Adds a finding. Of a view in which lines were joined only what the join made a secret: `context` is where that
    /// begins, and the part behind a break has to look like the rest of a secret.
    pub(super) fn add(&mut self, context: usize, mut range: Range<usize>, kind: &'static str, rank: Rank) {
        if !self.view.is_whole() {
            // A quote before a break closes what it stands behind.
            let closed = range.start.checked_sub(1).is_some_and(|at| self.view.quote(at).is_some())
                && self.view.is_joint(range.start);
            let begins = self.view.is_joint(range.start) && !judge::fragment(&self.t[range.clone()]);
            if closed || begins || self.view.joints_in(context..range.end + 1).is_empty() {
                return;
            }
            for joint in self.view.joints_in(range.clone()).iter().rev() {
                let rest = &self.t[*joint..range.end.min(joint + JUDGED)];
                let named = matches!(self.t.get(range.end), Some(b'=' | b':' | b'('));
                let enough = if kind == "password" { 6 } else { 16 };
                if joint - range.start >= enough && (named || !judge::fragment(rest)) {
                    range.end = *joint;
                }
            }
        }
        if !range.is_empty() {
            self.read.floors[rank as usize] = range.end.max(self.floor(rank));
            self.found.push(Finding { range: self.view.original(&range), kind: kind.into(), rank });
        }
    }
}
