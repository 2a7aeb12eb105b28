//! Secrets whose name stands beside the value as a value of its own: variables of containers, parameters, properties;
//! the manifests of secrets; and columns of tables, whose name stands above.

use std::ops::Range;

use crate::otel::scrub::judge::{self, Trust};
use crate::otel::scrub::label::Name;
use crate::otel::scrub::scan::{Rank, Scan};
use crate::otel::scrub::value::{WINDOW, blanks, line_break, line_start};

impl Scan<'_> {
    /// Looks at `name`: what it says may be the name of a value beside it.
    pub(super) fn title(&mut self, at: usize) {
        self.titled(at, at + b"name".len());
    }

    /// Reads the name that is given to the word `at..end`, and takes the value that stands before it.
    pub(super) fn titled(&mut self, at: usize, end: usize) {
        let t = self.t;
        let Some(from) = self.given(at, end) else { return };
        let name = t[from..]
            .iter()
            .take(96)
            .take_while(|b| b.is_ascii_alphanumeric() || b"_-./".contains(b))
            .count();
        let path = &t[from..from + name];
        let name = Name::read(&path[memchr::memrchr(b'/', path).map_or(0, |n| n + 1)..]);
        let name = if matches!(path, b"key1" | b"key2") { Name::read(b"account_key") } else { name };
        self.title = (from, name);
        if let (Some(name), Some(value)) = (name, self.untitled.take())
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
            None => Some(self.ends.line(self.t, from)),
        };
        let Some(to) = to.filter(|to| *to > from) else { return };
        let (title, name) = self.title;
        if title > 0 && self.is_beside(title, at) {
            if let Some(name) = name {
                self.take(title, from..to, name);
            }
        } else {
            self.untitled = Some(from..to);
        }
    }

    fn take(&mut self, context: usize, value: Range<usize>, name: Name) {
        if name.takes(&self.t[value.clone()], Trust::Sure, 8) {
            self.add(context, value, name.kind, Rank::Place);
        }
    }

    /// Returns where the value begins that is given to the word `at..end`.
    fn given(&mut self, at: usize, end: usize) -> Option<usize> {
        let t = self.t;
        let own = usize::from(self.view.quote(end).is_some());
        let edge = at == 0
            || !t[at - 1].is_ascii_alphanumeric() && t[at - 1] != b'_'
            || t[..at].ends_with(b"arameter")
            || t[..at].ends_with(b"ariable")
            || t[..at].ends_with(b"key");
        let gap = blanks(t, end + own, 16);
        if !edge || !matches!(t.get(gap)?, b':' | b'=') {
            return None;
        }
        let from = blanks(t, gap + 1, 16);
        Some(from + usize::from(self.view.quote(from).is_some()))
    }

    /// Tells whether two places belong to one object, or to one item of a list.
    fn is_beside(&self, from: usize, to: usize) -> bool {
        let between = &self.t[from.min(to)..to];
        between.len() <= REACH
            && !between.iter().any(|b| matches!(b, b'{' | b'}' | b'<' | b';'))
            && !between.windows(2).any(|w| w == b"\n-" || w == b"- ")
    }

    /// Looks at `<key>password</key><string>…</string>` of a property list.
    pub(super) fn property_list(&mut self, at: usize) {
        let t = self.t;
        let head = t[at.saturating_sub(160)..at].trim_ascii_end();
        let Some(head) =
            head.strip_suffix(b"<").map(<[u8]>::trim_ascii_end).and_then(|h| h.strip_suffix(b"</key>"))
        else {
            return;
        };
        let Some(name) = memchr::memrchr(b'>', head).and_then(|n| Name::read(&head[n + 1..])) else { return };
        let from = at + b"string>".len();
        let Some(end) = memchr::memchr2(b'<', b'\n', &t[from..t.len().min(from + WINDOW)]) else { return };
        if name.takes(&t[from..from + end], Trust::Sure, 8) {
            self.add(at - 1, from..from + end, name.kind, Rank::Place);
        }
    }

    /// Looks at a manifest of kind `Secret`: everything below its `data` is one.
    pub(super) fn manifest(&mut self, at: usize) {
        let t = self.t;
        if at < self.manifest_end {
            return;
        }
        let bound = |from: usize, to: usize| -> Range<usize> {
            let text = &t[from..to];
            let start = memchr::memmem::rfind(&text[..at - from], b"\n---").map_or(from, |n| from + n);
            let end = memchr::memmem::find(&text[at - from..], b"\n---").map_or(to, |n| at + n);
            start..end
        };
        let range =
            bound(self.manifest_end.max(at.saturating_sub(MANIFEST)).min(at), t.len().min(at + MANIFEST));
        self.manifest_end = range.end;
        for word in [&b"data"[..], b"stringData"] {
            let found: Vec<usize> =
                memchr::memmem::find_iter(&t[range.clone()], word).map(|n| range.start + n).collect();
            for at in found.into_iter().filter(|at| *at == 0 || !t[at - 1].is_ascii_alphanumeric()) {
                self.manifest_data(at, at + word.len(), range.end);
            }
        }
    }

    /// Takes the values of the pairs below `data`, which `at..end` is.
    fn manifest_data(&mut self, at: usize, end: usize, limit: usize) {
        let t = self.t;
        let after = end + usize::from(self.view.quote(end).is_some());
        if t.get(after) != Some(&b':') {
            return;
        }
        let own = at - line_start(t, at, WINDOW);
        let braces = t.get(blanks(t, after + 1, 4)) == Some(&b'{');
        let mut line = if braces { blanks(t, after + 1, 4) + 1 } else { line_break(t, after + 1) };
        while line < limit {
            let stop = if braces {
                t[line..limit].iter().position(|b| matches!(b, b',' | b'}')).map_or(limit, |n| line + n)
            } else {
                self.ends.line(t, line).min(limit)
            };
            let text = &t[line..stop];
            let indent = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
            let colon = memchr::memchr(b':', text).filter(|n| *n > indent);
            let Some(colon) = colon.filter(|_| braces || indent > own) else { return };
            let mut from = blanks(t, line + colon + 1, 8);
            let mut to = from.max(line + text.trim_ascii_end().len());
            if self.view.quote(from).is_some() && to > from + 1 {
                (from, to) = (from + 1, to - usize::from(self.view.quote(to - 1).is_some()));
            }
            if to > from && !judge::stands_in(&t[from..to.min(from + 128)], true) {
                self.add(at, from..to, "secret", Rank::Place);
            }
            if braces && t.get(stop) == Some(&b'}') {
                return;
            }
            line = stop + 1;
        }
    }

    /// Looks at the rows below a header in which the name `start..end` of a secret is a column.
    pub(super) fn table(&mut self, start: usize, end: usize) {
        let t = self.t;
        let after = end + usize::from(self.view.quote(end).is_some());
        let gap = blanks(t, after, 64);
        let edge = t.get(after) == Some(&b'\t')
            || t.get(gap).is_none_or(|b| matches!(b, b',' | b';' | b'|' | b'\t' | b'\n' | b'\r'));
        if start < self.table_end || !self.view.is_whole() || !edge && gap < after + 2 {
            return;
        }
        let head = line_start(t, start, WINDOW)..self.ends.line(t, start);
        self.table_end = head.end;
        let text = &t[head.clone()];
        let Some(sign) = delimiter(text).filter(|_| text.len() <= 2 * WINDOW) else { return };
        let columns = cells(t, head.clone(), sign);
        if columns.len() < 2 || !columns.iter().all(|c| is_title(&t[c.clone()])) {
            return;
        }
        let names: Vec<Option<Name>> = columns.iter().map(|c| Name::read(&t[c.clone()])).collect();
        let (mut at, mut ruled) = (head.end, false);
        loop {
            let begin = line_break(t, at);
            if begin == at || begin >= t.len() {
                break;
            }
            let row = begin..self.ends.line(t, begin);
            at = row.end;
            if is_rule(&t[row.clone()]) {
                ruled = true;
            } else if !self.row_of(row, sign, &columns, &names, ruled) {
                break;
            }
            self.table_end = at;
        }
    }

    fn row_of(
        &mut self,
        row: Range<usize>,
        sign: u8,
        head: &[Range<usize>],
        names: &[Option<Name>],
        ruled: bool,
    ) -> bool {
        let t = self.t;
        let own = if sign == b' ' { columns(t, row.clone(), head) } else { cells(t, row, sign) };
        if own.len() != names.len() {
            return false;
        }
        for (cell, name) in own.into_iter().zip(names) {
            let Some(name) = name else { continue };
            let trust = if ruled { Trust::Field } else { Trust::Doubtful };
            if name.takes(&t[cell.clone()], trust, 16) {
                self.add(cell.start, cell, name.kind, Rank::Place);
            }
        }
        true
    }
}

/// Finds what separates the columns of a header.
fn delimiter(line: &[u8]) -> Option<u8> {
    let many = |b: u8| memchr::memchr_iter(b, line).count();
    [b'|', b'\t', b';', b',']
        .into_iter()
        .find(|b| many(*b) > 0)
        .or_else(|| memchr::memmem::find(line.trim_ascii_start(), b"  ").map(|_| b' '))
}

/// Splits a line; each cell without its blanks and quotes. Empty ones at the ends of a framed line are left out.
fn cells(t: &[u8], line: Range<usize>, sign: u8) -> Vec<Range<usize>> {
    let mut list = Vec::new();
    let mut from = line.start;
    let mut at = line.start;
    let mut inside = false;
    while at <= line.end && list.len() < MOST_COLUMNS {
        let b = if at == line.end { sign } else { t[at] };
        inside ^= b == b'"' && sign != b'|';
        let wide = sign != b' ' || at == line.end || t.get(at + 1) == Some(&b' ');
        if at == line.end || b == sign && wide && !inside {
            let cell = trimmed(t, from..at);
            if !(cell.is_empty() && (sign == b' ' || sign == b'|' && (list.is_empty() || at == line.end))) {
                list.push(cell);
            }
            from = at + 1;
        }
        at += 1;
    }
    list
}

/// Splits a line at the places at which the columns of its header begin.
fn columns(t: &[u8], line: Range<usize>, head: &[Range<usize>]) -> Vec<Range<usize>> {
    let top = line_start(t, head[0].start, WINDOW);
    let begin = |n: usize| (line.start + head[n].start - top).min(line.end);
    let end = |n: usize| if n + 1 < head.len() { begin(n + 1) } else { line.end };
    let list: Vec<_> = (0..head.len()).map(|n| begin(n)..end(n)).collect();
    // Each column begins behind a blank.
    let straight = list
        .iter()
        .all(|c| !c.is_empty() && (c.start == line.start || t[c.start - 1] == b' ') && t[c.start] != b' ');
    if straight { list.into_iter().map(|c| trimmed(t, c)).collect() } else { Vec::new() }
}

fn trimmed(t: &[u8], cell: Range<usize>) -> Range<usize> {
    let text = &t[cell.clone()];
    let start = cell.start + text.len() - text.trim_ascii_start().len();
    let end = start + text.trim_ascii().len();
    let quoted = end > start + 1 && t[start] == t[end - 1] && matches!(t[start], b'"' | b'`');
    if quoted { start + 1..end - 1 } else { start..end }
}

/// Tells whether a cell can be the title of a column.
fn is_title(cell: &[u8]) -> bool {
    (1..=40).contains(&cell.len())
        && cell[0].is_ascii_alphabetic()
        && cell.iter().all(|b| b.is_ascii_alphanumeric() || b"_- ./()".contains(b))
}

/// Tells whether a line is the rule below a header.
fn is_rule(line: &[u8]) -> bool {
    line.len() > 2 && line.iter().all(|b| b"-+|=: ".contains(b)) && judge::has(line, b"--")
}

/// How far a name is from the value beside it, and a kind from the data of its manifest.
const REACH: usize = 200;
const MANIFEST: usize = 16 * 1024;
const MOST_COLUMNS: usize = 64;
