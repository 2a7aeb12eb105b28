//! One search of one view: what was found, and up to where each reader has read.

use std::ops::Range;

use crate::otel::scrub::judge::{self, JUDGED};
use crate::otel::scrub::label::Name;
use crate::otel::scrub::value::Ends;
use crate::otel::scrub::view::View;

/// A secret in the original text. Of two that overlap the one of the higher rank names the kind.
pub(super) struct Found {
    pub(super) range: Range<usize>,
    pub(super) kind: &'static str,
    pub(super) rank: Rank,
}

/// How sure a finding is of its kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// By what stands before it.
    Place,
    /// By its own form.
    Form,
}

/// Finds the secrets of a text; the number counts the encodings that were taken off.
pub(super) type Search = fn(&[u8], usize) -> Vec<Found>;

/// One search of one view.
pub(super) struct Scan<'a> {
    pub(super) view: &'a View,
    pub(super) t: &'a [u8],
    pub(super) found: Vec<Found>,
    pub(super) ends: Ends,
    pub(super) depth: usize,
    /// Searches a text that was decoded from a part of this one, at the next depth.
    pub(super) search: Search,
    /// The end of the last finding by its place, and of the last one by its form.
    pub(super) floor: usize,
    pub(super) form_floor: usize,
    /// Of each row of the tables: up to where it was refused, and how many bytes were read for that.
    pub(super) refused: Vec<(usize, usize)>,
    /// Up to where the readers of names, tables, keys and encoded texts have read.
    pub(super) name_end: usize,
    pub(super) table_end: usize,
    pub(super) armour_end: usize,
    pub(super) encoded_end: usize,
    pub(super) manifest_end: usize,
    /// The name that was given last, and the last value that none was given before.
    pub(super) title: (usize, Option<Name>),
    pub(super) untitled: Option<Range<usize>>,
}

impl<'a> Scan<'a> {
    /// Begins a search with tables of `rows` rows.
    pub(super) fn new(view: &'a View, depth: usize, rows: usize, search: Search) -> Scan<'a> {
        Scan {
            view,
            t: &view.text,
            found: Vec::new(),
            ends: Ends::default(),
            depth,
            search,
            floor: 0,
            form_floor: 0,
            refused: vec![(0, 0); rows],
            name_end: 0,
            table_end: 0,
            armour_end: 0,
            encoded_end: 0,
            manifest_end: 0,
            title: (0, None),
            untitled: None,
        }
    }

    /// Adds a finding. Of a view in which lines were joined only what the join made a secret: `context` is where that
    /// begins, and the part behind a break has to look like the rest of a secret.
    pub(super) fn add(&mut self, context: usize, mut range: Range<usize>, kind: &'static str, rank: Rank) {
        if !self.view.is_whole() {
            if self.view.joints_in(context..range.end + 1).is_empty() {
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
        if range.is_empty() {
            return;
        }
        let floor = if rank == Rank::Form { &mut self.form_floor } else { &mut self.floor };
        *floor = range.end.max(*floor);
        self.found.push(Found { range: self.view.original(&range), kind, rank });
    }
}
