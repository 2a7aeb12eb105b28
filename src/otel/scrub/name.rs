//! Secrets known by what they are assigned to: `export NAME_TOKEN=…`, `"api_key": "…"`, `password: …`,
//! `--password …`, `("X-Api-Key", "…")`, `<password>…</password>`, `?access_token=…`, `| token | … |`.

use std::ops::Range;

use crate::otel::scrub::judge::{self, JUDGED, Trust};
use crate::otel::scrub::label::{NAME, Name};
use crate::otel::scrub::place::{Place, Spot};
use crate::otel::scrub::scan::{Rank, Scan};
use crate::otel::scrub::table::shapes::{CALL, ELEMENT_OR_URL, MEMBER, PATH, PROSE};
use crate::otel::scrub::table::words::VENDORS;
use crate::otel::scrub::value::{End, WINDOW, run, run_back};
use crate::otel::scrub::view::CUT_HERE;

impl Scan<'_> {
    /// Looks for an assignment to the name that has the word at `at` in it.
    pub(super) fn name(&mut self, at: usize) {
        let t = self.t;
        if at < self.read.names {
            return;
        }
        let in_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let end = at + run(&t[at..], NAME, in_name);
        self.read.names = end;
        if !t.get(end).is_some_and(|b| b"=: \t\"'<>`,|]\n\r;".contains(b)) {
            return;
        }
        let start = at - run_back(&t[..at], NAME, in_name);
        let start = start + run(&t[start..at], NAME, |b| matches!(b, b'-' | b'.'));
        let key = t[start..end].eq_ignore_ascii_case(b"key");
        let leads = [&b"<"[..], b"@", b"://"];
        let mark = t[end] == b':' && leads.iter().any(|lead| t[..start].ends_with(lead));
        // The user or the host of a URL, and the shell's own variable.
        let directory = &t[start..end] == b"PWD" && self.view.quote(end).is_some();
        if mark || directory {
            return;
        }
        if t[at..end].eq_ignore_ascii_case(b"key") {
            self.titled(at, end);
        }
        if let Some(name) = Name::read(&t[start..end]) {
            self.assigned(start, end, name);
            self.table(start, end);
        } else if let Some(name) =
            (key && self.is_of_vendor(start)).then(|| Name::read(b"secret_key")).flatten()
        {
            self.assigned(start, end, name);
        }
    }

    fn assigned(&mut self, start: usize, end: usize, name: Name) {
        let t = self.t;
        let Some(spot) = self.locate(start, end, name) else { return };
        let Spot { place, from, quote, trust } = spot;
        let sure = trust == Trust::Sure;
        let mut to = match quote {
            Some(quote) => self.ends.closing(self.view, from, quote).unwrap_or_else(|| self.unclosed(from)),
            None => self.bare(start, from, place, name),
        };
        if place == Place::Sure && quote.is_none() && matches!(t[from..to].last(), Some(b';' | b',')) {
            to -= 1;
        }
        // A shell puts the output of a command between these quotes.
        if to <= from || sure && quote.is_some_and(|(mark, _)| mark == b'`') {
            return;
        }
        let value = &t[from..to];
        let judged = &value[..value.len().min(JUDGED)];
        let named = !sure && contains(judged, &t[start..end]) && !judged.iter().any(u8::is_ascii_digit);
        if named || quote.is_none() && self.is_program(start, &spot, from..to, name) {
            return;
        }
        if name.takes(value, trust, if sure || place == Place::Flag { 8 } else { 16 }) {
            self.add(start, from..to, name.kind, Rank::Place);
        }
    }

    /// Tells whether a value without quotes is a piece of a program or of prose.
    fn is_program(&self, start: usize, spot: &Spot, range: Range<usize>, name: Name) -> bool {
        let place = spot.place;
        let (value, end) = (self.ahead(range.start, range.len().min(JUDGED)), range.end);
        // A list of pairs has a comma after the value, but so has a program; only there a value must look random.
        let ends = self.ends_well(range.start, end, place)
            || !name.chosen && place != Place::Element && judge::random(value, 20);
        let open =
            matches!(self.t[end - 1], b'=' | b'(' | b'[' | b',' | b'+') && self.view.quote(end).is_some();
        let called = open && matches!(self.t[end - 1], b'(' | b'[');
        let glued = called || (open || CALL.find(value).is_some()) && !judge::random(value, 20);
        let prose = place == Place::Element && PROSE.find(value).is_some();
        let path =
            ELEMENT_OR_URL.find(value).is_some() || PATH.find(value).is_some() && !judge::random(value, 12);
        let code = spot.trust == Trust::Doubtful && path || !name.chosen && MEMBER.find(value).is_some();
        !ends
            || prose
            || spot.trust != Trust::Sure && code
            || glued && !matches!(place, Place::Block | Place::Element) && !self.is_env_line(start)
    }

    /// Returns the end of a value whose quote is not closed: what was cut off there goes with it.
    fn unclosed(&mut self, from: usize) -> usize {
        let line = self.end(End::Line, from);
        let cut = line == self.t.len() || self.t[line..].starts_with(CUT_HERE);
        if cut { line } else { self.end(End::Token, from) }
    }

    /// Returns the end of a value without quotes.
    fn bare(&mut self, start: usize, from: usize, place: Place, name: Name) -> usize {
        match place {
            Place::Block => self.block_end(start, from),
            Place::Element => {
                let ahead = self.ahead(from, WINDOW);
                from + memchr::memchr2(b'<', b'\n', ahead).unwrap_or_default()
            }
            Place::Sure if name.upper && self.is_env_line(start) => {
                let end = self.end(End::Line, from);
                end - run_back(&self.t[from..end], WINDOW, |b| matches!(b, b' ' | b'\t'))
            }
            Place::Sure | Place::Flag => self.end(End::Shell, from),
            Place::Tight if self.is_setting(start) => self.end(End::Word, from),
            Place::Tight => self.end(End::Tight, from),
            _ => self.end(End::List, from),
        }
    }

    /// Tells whether `key` at `start` stands under a section, or in an object, that has the name of a vendor.
    fn is_of_vendor(&self, start: usize) -> bool {
        let t = self.t;
        if start > 0 && !matches!(t[start - 1], b' ' | b'\t' | b'\n' | b'"' | b'\'' | b'{') {
            return false;
        }
        let before = &t[start.saturating_sub(2 * WINDOW)..start];
        let begin = memchr::memrchr2(b'{', b'\n', before);
        if let Some(brace) = begin.filter(|at| before[*at] == b'{') {
            let line = memchr::memrchr(b'\n', &before[..brace]).map_or(0, |at| at + 1);
            return is_vendor(&before[line..brace]);
        }
        let own = &before[begin.map_or(0, |at| at + 1)..];
        if !own.iter().all(|b| matches!(b, b' ' | b'\t' | b'"' | b'\'' | b'-')) {
            return false;
        }
        let lines = before.rsplit(|b| *b == b'\n').take(9).map(<[u8]>::trim_ascii_end);
        let depth = own.iter().filter(|b| !matches!(b, b'"' | b'\'')).count();
        let above = |line: &&[u8]| run(line, NAME, |b| matches!(b, b' ' | b'\t')) < depth && !line.is_empty();
        let parent = lines.skip(1).find(|line| line.starts_with(b"[") || above(line));
        parent.is_some_and(|line| matches!(line.last(), Some(b':' | b'{' | b']')) && is_vendor(line))
    }
}

fn is_vendor(text: &[u8]) -> bool {
    let text = &text[text.len().saturating_sub(NAME)..];
    let known = |word: &[u8]| VENDORS.iter().any(|v| word.eq_ignore_ascii_case(v.as_bytes()));
    text.split(|b| !b.is_ascii_alphanumeric()).filter(|word| word.len() > 2).any(known)
}

/// Tells whether a value has a name in it, in any case.
fn contains(value: &[u8], name: &[u8]) -> bool {
    value.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name))
}
