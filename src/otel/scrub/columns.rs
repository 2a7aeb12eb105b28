//! Tables in which the name of a secret is the title of a column: with bars, tabs, commas, or columns apart by blanks.

use std::ops::Range;

use crate::otel::scrub::judge::Trust;
use crate::otel::scrub::label::Name;
use crate::otel::scrub::lazy::Lazy;
use crate::otel::scrub::scan::{Rank, Scan};
use crate::otel::scrub::table::syntax::{COLUMN_TITLE, EDGE, RULE, SIGNS};
use crate::otel::scrub::value::{End, WINDOW, line_break, line_start, run, run_back};

impl Scan<'_> {
    /// Looks at the rows below a header in which the name `start..end` of a secret is a column.
    pub(super) fn table(&mut self, start: usize, end: usize) {
        let t = self.t;
        let edge = t.get(end).is_none() || EDGE.find(self.ahead(end, WINDOW)).is_some();
        if start < self.read.tables || !self.view.is_whole() || !edge {
            return;
        }
        let head = line_start(t, start, WINDOW)..self.end(End::Line, start);
        self.read.tables = head.end;
        let text = &t[head.clone()];
        let signs = SIGNS.iter().find(|(sign, _)| sign.find(text.trim_ascii_start()).is_some());
        let Some((_, sign)) = signs.filter(|_| text.len() <= 2 * WINDOW) else { return };
        let titles = cells(t, head.clone(), sign);
        if titles.len() < 2 || !titles.iter().all(|c| COLUMN_TITLE.find(&t[c.clone()]).is_some()) {
            return;
        }
        let names: Vec<Option<Name>> = titles.iter().map(|c| Name::read(&t[c.clone()])).collect();
        let (mut at, mut ruled) = (line_break(t, head.end), false);
        while at > self.read.tables && at < t.len() {
            let row = at..self.end(End::Line, at);
            let is_rule = RULE.find(&t[row.clone()]).is_some();
            ruled |= is_rule;
            if !is_rule && !self.row_of(row.clone(), sign, &names, ruled) {
                break;
            }
            self.read.tables = row.end;
            at = line_break(t, row.end);
        }
    }

    fn row_of(&mut self, row: Range<usize>, sign: &Lazy, names: &[Option<Name>], ruled: bool) -> bool {
        let t = self.t;
        let cells = cells(t, row, sign);
        let fits = cells.len() == names.len();
        for (cell, name) in cells.into_iter().zip(names).filter(|_| fits) {
            let trust = if ruled { Trust::Field } else { Trust::Doubtful };
            if let Some(name) = name.filter(|name| name.takes(&t[cell.clone()], trust, 16)) {
                self.add(cell.start, cell, name.kind, Rank::Place);
            }
        }
        fits
    }
}

/// Splits a line that has no frame into its cells; each without its blanks and quotes.
fn cells(t: &[u8], line: Range<usize>, cell: &Lazy) -> Vec<Range<usize>> {
    let text = &t[line.clone()];
    let frame = run(text, WINDOW, |b| matches!(b, b'|' | b' '));
    let end = text.len() - run_back(text, WINDOW, |b| matches!(b, b'|' | b' ' | b'\r'));
    let text = &text[frame.min(end)..end];
    let trimmed = |c: Range<usize>| {
        let cell = text[c.clone()].trim_ascii();
        let from = line.start + frame + c.end - text[c].trim_ascii_start().len();
        let quoted = cell.len() > 1 && cell.first() == cell.last() && matches!(cell[0], b'"' | b'`');
        from + usize::from(quoted)..from + cell.len() - usize::from(quoted)
    };
    cell.find_iter(text).take(MOST_COLUMNS).map(trimmed).collect()
}

const MOST_COLUMNS: usize = 64;
