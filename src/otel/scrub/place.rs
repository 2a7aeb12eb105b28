//! Where the value of a name stands: behind which separator and dress, in which syntax, and whether what surrounds it is
//! data or a program.

use crate::otel::scrub::judge::Trust;
use crate::otel::scrub::label::{NAME, Name};
use crate::otel::scrub::scan::Scan;
use crate::otel::scrub::table::syntax::{
    ARGUMENT, BLOCK, CELL, DRESSED, DRESSED_FIELD, ELEMENT, FIELD, FLAG_LEAD, OPEN, SETTER, SETTING_LEAD,
    TYPE, VARIABLE,
};
use crate::otel::scrub::value::{WINDOW, blanks, line_break, line_start, run};

/// Where a value stands decides what it may look like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Between quotes.
    Quoted,
    /// Where nothing but the value can stand: `export NAME=…`, `setx NAME …`.
    Sure,
    /// In an element: `<name>…</name>`.
    Element,
    /// After the name of an option, where prose may stand too.
    Flag,
    /// After `:` or a spaced `=`: a value only if it is all of the line.
    Line,
    /// After a tight `=`: a query, a connection string, a log line.
    Tight,
    /// In a table of two columns.
    Column,
    /// In the lines below, indented further.
    Block,
}

/// Where a value was found: how it stands, its first byte, the quote before it, and how much speaks for it.
pub(super) struct Spot {
    pub(super) place: Place,
    pub(super) from: usize,
    pub(super) quote: Option<(u8, u8)>,
    pub(super) trust: Trust,
}

impl Scan<'_> {
    /// Finds the value: past the name's own quote, the separator, a type, a literal's prefix or a constructor's name.
    pub(super) fn locate(&mut self, start: usize, end: usize, name: Name) -> Option<Spot> {
        let t = self.t;
        let own = self.view.quote(end).is_some();
        let mut at = end + usize::from(own);
        let bracket = t.get(at) == Some(&b']') && (own || t[..start].ends_with(b"["));
        at += usize::from(bracket);
        let gap = blanks(t, at, MOST_BLANKS);
        if let Some(element) = ELEMENT.find(self.ahead(end, WINDOW)) {
            return OPEN
                .find(&t[start.saturating_sub(WINDOW / 4)..start])
                .map(|_| Spot::of(Place::Element, end + element.end, true));
        }
        let (place, mut at) = match t.get(gap)? {
            b':' | b'=' => assigns(t, start, end, gap, name)?,
            b',' if own && !bracket && ARGUMENT.find(&t[start.saturating_sub(NAME)..start]).is_some() => {
                (Place::Quoted, gap + 1)
            }
            _ if own => return None,
            _ => follows(t, start, end, gap, name)?,
        };
        // A text that ends with the sign: a label.
        let before = start.checked_sub(1).and_then(|at| self.view.quote(at));
        if !own && before.is_some() && before == self.view.quote(at) {
            return None;
        }
        let colon = t[at - 1] == b':';
        let after = blanks(t, at, MOST_BLANKS);
        if bracket && t[at - 1] == b'>' && line_break(t, after) > after {
            at = line_break(t, after);
        }
        let data = own && place != Place::Quoted;
        let mut spot = self.past_dress(start, blanks(t, at, MOST_BLANKS), place, colon, data)?;
        if name.upper && matches!(t.get(end), Some(b'=' | b'\n' | b'\r')) {
            spot.trust = Trust::Sure;
        }
        Some(spot)
    }

    /// Steps over what programs put before a value: a type, an anchor, the prefix of a literal, a constructor.
    fn past_dress(&mut self, start: usize, at: usize, place: Place, colon: bool, data: bool) -> Option<Spot> {
        let ahead = self.ahead(at, WINDOW / 2);
        let plain = self.view.quote(at).map(|_| 0..1);
        let dressed = || if colon { DRESSED_FIELD.find(ahead) } else { DRESSED.find(ahead) };
        if let Some(quote) = plain.or_else(dressed) {
            let from = at + quote.end;
            let mark = self.view.quote(from - 1)?;
            let more = if self.ahead(from, 2) == [mark.0; 2] { 2 } else { 0 };
            let data = data || self.is_setting(start) || colon && quote.end == 1;
            return Some(Spot { quote: Some(mark), ..Spot::of(Place::Quoted, from + more, data) });
        }
        if let Some(body) = BLOCK.find(ahead).filter(|_| colon) {
            return Some(Spot::of(Place::Block, at + body.end, true));
        }
        let bare = if colon { FIELD.find(ahead) } else { TYPE.find(ahead) };
        let from = at + bare.map_or(0, |m| m.end);
        if self.t.get(from) == Some(&b'{') {
            // What belongs to the name may stand inside, as a value.
            self.read.title = (from + 1, Name::read(&self.t[start..at.min(start + NAME)]));
        }
        // Programs indent what they assign, and files of settings what they nest.
        let nested = colon || place == Place::Tight || line_start(self.t, start, NAME) == start;
        let line = matches!(place, Place::Line | Place::Tight) && nested && self.is_setting(start);
        // Who writes a comma between a quoted name and the value writes the value between quotes too.
        (place != Place::Quoted).then(|| Spot::of(place, from, data || place == Place::Column || line))
    }

    /// Tells whether what follows a value without quotes lets it be a value rather than a piece of a program.
    pub(super) fn ends_well(&self, from: usize, to: usize, place: Place) -> bool {
        let t = self.t;
        let end = |at: usize| {
            t.get(at).is_none_or(|b| matches!(b, b'\n' | b'\r' | 0x1b)) || self.view.quote(at).is_some()
        };
        let after = blanks(t, to, MOST_BLANKS);
        match place {
            Place::Sure | Place::Quoted | Place::Block => true,
            Place::Element => t[to..].starts_with(b"</"),
            Place::Flag => t.get(from) != Some(&b'-'),
            Place::Line => end(to) || end(after) || t[to..].starts_with(b" #"),
            Place::Column => end(to) || matches!(t.get(after), None | Some(b'|' | b'\n' | b'\r')),
            Place::Tight => {
                let joined = t.get(to + 1).is_some_and(|b| b.is_ascii_alphanumeric());
                !t.get(to).is_some_and(|b| b",)([".contains(b) || *b == b'}' && joined)
            }
        }
    }

    /// Tells whether a name begins a line that assigns, beside others that do: of a file of variables, or of what a
    /// program printed of its environment.
    pub(super) fn is_env_line(&self, start: usize) -> bool {
        let t = self.t;
        let line = line_start(t, start, NAME);
        let before = line_start(t, line.saturating_sub(1), WINDOW);
        let next = memchr::memchr(b'\n', self.ahead(start, WINDOW)).map_or(t.len(), |n| start + n + 1);
        line == start
            && (VARIABLE.find(&t[before..line]).is_some() || VARIABLE.find(self.ahead(next, NAME)).is_some())
    }

    /// Tells whether a name begins a line of a file of settings: nothing stands before it, and no statement ends there.
    pub(super) fn is_setting(&self, start: usize) -> bool {
        let t = self.t;
        let line = line_start(t, start, NAME);
        let ahead = self.ahead(start, WINDOW);
        let stop = memchr::memchr2(b'\n', b'\r', ahead).unwrap_or(t.len() - start);
        let last = self.t[..start + stop].last();
        SETTING_LEAD.find(&t[line..start]).is_some() && !last.is_some_and(|b| b";{(),".contains(b))
    }

    /// Returns the end of a block of lines that are indented further than the name's own.
    pub(super) fn block_end(&self, start: usize, from: usize) -> usize {
        let t = self.t;
        let indent = |line: usize| run(&t[line..], NAME, |b| b == b' ');
        let own = indent(line_start(t, start, NAME));
        let (mut end, mut at) = (from, from);
        while at < t.len() {
            let stop = memchr::memchr(b'\n', &t[at..]).map_or(t.len(), |n| at + n);
            let line = t[at..stop].trim_ascii_end();
            let inside = line.is_empty() || indent(line_start(t, at, NAME)) > own;
            if !inside || stop - from > MOST_BLOCK {
                break;
            }
            end = if line.is_empty() { end } else { at + line.len() };
            at = stop + 1;
        }
        end
    }
}

impl Spot {
    fn of(place: Place, from: usize, data: bool) -> Spot {
        let trust = match place {
            Place::Sure | Place::Block | Place::Element => Trust::Sure,
            _ if data => Trust::Field,
            Place::Quoted => Trust::Quoted,
            _ => Trust::Doubtful,
        };
        Spot { place, from, quote: None, trust }
    }
}

/// Returns the place behind the sign of an assignment at `gap`, and where it begins.
fn assigns(t: &[u8], start: usize, end: usize, gap: usize, name: Name) -> Option<(Place, usize)> {
    let next = t.get(gap + 1).copied();
    if t[gap] == b':' && next == Some(b':') {
        return None;
    }
    let at = gap + 1 + usize::from(matches!(next, Some(b'=' | b'>')));
    let tight = t[gap] == b'=' && gap == end && !matches!(t.get(at), Some(b' ' | b'\t'));
    // As Go prints the fields of a struct.
    let field = t[start].is_ascii_uppercase() && !name.upper && t.get(at).is_some_and(u8::is_ascii_graphic);
    let place = match t[gap] {
        _ if tight && name.upper => Place::Sure,
        _ if tight && FLAG_LEAD.find(&t[start.saturating_sub(4)..start]).is_some() => Place::Flag,
        _ if tight => Place::Tight,
        b':' if field => Place::Tight,
        _ => Place::Line,
    };
    Some((place, at))
}

/// Returns the place of a value that follows its name behind blanks, or in the next column, and where it begins.
fn follows(t: &[u8], start: usize, end: usize, gap: usize, name: Name) -> Option<(Place, usize)> {
    let before = &t[start.saturating_sub(NAME)..start];
    match t[gap] {
        _ if gap == end => None,
        b'|' => CELL.find(before).map(|_| (Place::Column, gap + 1)),
        _ if SETTER.find(before).is_some() => Some((Place::Sure, gap)),
        _ if FLAG_LEAD.find(before).is_some() => Some((Place::Flag, gap)),
        b'"' | b'\'' if !name.short => Some((Place::Quoted, gap)),
        _ if t[gap..].starts_with(b"REG_") => Some((Place::Column, blanks(t, gap + 6, MOST_BLANKS))),
        // A report of tests has `PASS` and a file.
        _ if gap > end + 1 && !name.short && line_start(t, start, NAME) == start => {
            Some((Place::Column, gap))
        }
        _ => None,
    }
}

const MOST_BLANKS: usize = 48;
/// More lines than a secret has.
const MOST_BLOCK: usize = 4096;
