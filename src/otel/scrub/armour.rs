//! Private keys in text armour: PEM in all its sorts, OpenSSH, PGP, SSH2 and PuTTY. A key is what stands beside a heading
//! or a footer in long runs of base64 with little between them: so it does not matter how a program shows its lines
//! (numbers, names, signs, quotes), strings them together, or whether it breaks them.

use std::ops::Range;

use crate::otel::scrub::scan::{Rank, Scan};
use crate::otel::scrub::table::syntax::{BOUND, KEY_TITLE, LINE};
use crate::otel::scrub::value::{run, run_back};
use crate::otel::scrub::view::CUT_HERE;

impl Scan<'_> {
    /// Looks at `BEGIN`: a heading of a private key with the key below it.
    pub(super) fn armour(&mut self, at: usize) {
        let dashes = run_back(&self.t[..at], 5, |b| matches!(b, b'-' | b' '));
        let head = &self.t[at..self.t.len().min(at + GAP)];
        let Some(heading) = KEY_TITLE.find(head).filter(|_| dashes >= 4) else { return };
        self.key(at - dashes, at + heading.end);
    }

    /// Takes the key that follows a heading.
    pub(super) fn key(&mut self, begin: usize, after: usize) {
        if begin < self.read.armour {
            return;
        }
        let t = self.t;
        let mut end = after;
        while let Some(next) = next_run(t, end) {
            end = next.end;
        }
        self.read.armour = end;
        if end > after {
            end = footer(t, end).unwrap_or_else(|| last_line(t, end));
            self.read.armour = end;
            self.add(begin, begin..end, "private-key", Rank::Form);
        }
    }

    /// Looks at `-END`: the lines of a private key before it, whose heading was cut off.
    pub(super) fn armour_end(&mut self, at: usize) {
        let t = self.t;
        let Some(title) = KEY_TITLE.find(&t[at + 1..t.len().min(at + GAP)]) else { return };
        let floor = self.read.armour;
        self.read.armour = at.max(floor);
        let mut start = at;
        while let Some(before) = run_before(&t[floor.min(start)..start]) {
            start = floor + before;
        }
        if start < at {
            self.add(start, start..at + 1 + title.end, "private-key", Rank::Form);
        }
    }
}

/// Returns the next long run of base64, unless another heading or a footer stands before it.
fn next_run(t: &[u8], from: usize) -> Option<Range<usize>> {
    let found = LINE.find(&t[from..t.len().min(from + GAP)])?;
    let start = from + found.start;
    let end = start + run(&t[start..], usize::MAX, is_base64);
    BOUND.find(&t[from..start]).is_none().then_some(start..end)
}

/// Returns the start of the last long run of base64 near the end of a text.
fn run_before(t: &[u8]) -> Option<usize> {
    let near = t.len().saturating_sub(GAP);
    let found = LINE.find_iter(&t[near..]).last()?;
    let start = near + found.start - run_back(&t[..near + found.start], usize::MAX, is_base64);
    BOUND.find(&t[near + found.end..]).is_none().then_some(start)
}

/// Returns the end of the footer that follows the last long run, with a short last line between.
fn footer(t: &[u8], from: usize) -> Option<usize> {
    let text = &t[from..t.len().min(from + 2 * GAP)];
    let at = memchr::memmem::find(text, b"-END ")? + 1;
    let end = at + KEY_TITLE.find(&text[at..])?.end;
    BOUND.find(&text[..at - 1]).is_none().then_some(from + end)
}

/// Returns the end of the line that follows, if it is the last of what is left of a key.
fn last_line(t: &[u8], from: usize) -> usize {
    let line = from + run(&t[from..], 8, |b| !is_base64(b) && b != b'"');
    let end = line + run(&t[line..], LONG, is_base64);
    let rest = t[end..].trim_ascii_start();
    let over = rest.is_empty() || rest.starts_with(b"\"") || t[end..].starts_with(CUT_HERE);
    if over || rest.starts_with(b"-----") { end } else { from }
}

fn is_base64(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')
}

/// Lines of armour have 64 or 76 bytes, but for the last.
const LONG: usize = 40;
/// More than headers, a file's name, a line's number and an author take.
const GAP: usize = 240;
