//! Where the value of a name stands: behind which separator and dress, in which syntax, and whether what surrounds it is
//! data or a program.

use crate::otel::scrub::label::{NAME, Name};
use crate::otel::scrub::scan::Scan;
use crate::otel::scrub::value::{WINDOW, blanks, line_break, line_start, word_at};
use crate::otel::scrub::words::SETTERS;

/// Where a value stands decides what it may look like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Between quotes.
    Quoted,
    /// Where nothing but the value can stand: `export NAME=…`, `<name>…</name>`.
    Sure,
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

/// Where a value was found: how it stands, its first byte, the quote before it, and whether the name is quoted.
pub(super) struct Spot {
    pub(super) place: Place,
    pub(super) from: usize,
    pub(super) quote: Option<(u8, u8)>,
    pub(super) data: bool,
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
        let (place, at) = match t.get(gap)? {
            b':' | b'=' => assigns(t, start, end, gap, name)?,
            b'>' if own || t[..start].ends_with(b"<") => return self.element(start, gap),
            b',' if own && is_argument(t, start) => (Place::Quoted, gap + 1),
            _ if own => return None,
            _ => follows(t, start, end, gap, name)?,
        };
        self.past_dress(start, at, place, bracket, own && place != Place::Quoted)
    }

    /// Finds the value of `<password>…</password>`, or of `<entry key="password">…</entry>`.
    fn element(&self, start: usize, gap: usize) -> Option<Spot> {
        let t = self.t;
        let begin = start.saturating_sub(NAME);
        let open = &t[begin + memchr::memrchr(b'<', &t[begin..start])?..start];
        let from = gap + 1 + if t[gap + 1..].starts_with(b"<Value>") { 7 } else { 0 };
        let to = from + memchr::memchr2(b'<', b'\n', &t[from..t.len().min(from + WINDOW)])?;
        let named = [&b"key=\""[..], b"name=\"", b"id=\""].iter().any(|name| open.ends_with(name));
        let whole = (open == b"<" || named) && t[to..].starts_with(b"</");
        whole.then_some(Spot { place: Place::Sure, from, quote: None, data: true })
    }

    /// Steps over what programs put before a value: a type, an anchor, the prefix of a literal, a constructor.
    fn past_dress(
        &mut self,
        start: usize,
        at: usize,
        place: Place,
        dumped: bool,
        data: bool,
    ) -> Option<Spot> {
        let t = self.t;
        let colon = t.get(at.saturating_sub(1)) == Some(&b':');
        let mut from = blanks(t, at, MOST_BLANKS);
        if dumped && matches!(t.get(from), Some(b'\n' | b'\r')) {
            from = blanks(t, line_break(t, from), MOST_BLANKS);
        }
        if t[from..].starts_with(b"string(") {
            from += memchr::memchr(b' ', &t[from..t.len().min(from + 20)])? + 1;
        }
        if let Some(body) = block(t, from).filter(|_| colon) {
            return Some(Spot { place: Place::Block, from: body, quote: None, data: true });
        }
        from += if colon { anchor(&t[from..]) } else { 0 };
        if let Some(quote) = self.view.quote(from) {
            return Some(self.quoted(start, from, quote, data || colon));
        }
        from = if colon { past_type(t, from) } else { from };
        let head = t[from..]
            .iter()
            .take(40)
            .take_while(|b| b.is_ascii_alphanumeric() || b"_:@$&#(!".contains(b))
            .count();
        if let Some(quote) = self.view.quote(from + head)
            && (head < 2 || t[from + head - 1] == b'(' || (head == 2 && t[from..].starts_with(b"r#")))
        {
            return Some(self.quoted(start, from + head, quote, data));
        }
        if t.get(from) == Some(&b'{') {
            // What belongs to the name may stand inside, as a value.
            self.title = (from + 1, Name::read(&t[start..at.min(start + NAME)]));
        }
        let line = matches!(place, Place::Line | Place::Tight) && self.is_setting(start);
        // Who writes a comma between a quoted name and the value writes the value between quotes too.
        let data = data || place == Place::Column || line;
        (place != Place::Quoted).then_some(Spot { place, from, quote: None, data })
    }

    /// Returns the value behind the quote at `at`, or behind three of them.
    fn quoted(&self, start: usize, at: usize, quote: (u8, u8), data: bool) -> Spot {
        let more = self.t[at + 1..].iter().take(2).take_while(|b| **b == quote.0).count();
        let from = at + if more == 2 { 3 } else { 1 };
        Spot { place: Place::Quoted, from, quote: Some(quote), data: data || self.is_setting(start) }
    }

    /// Tells whether what follows a value without quotes lets it be a value rather than a piece of a program.
    pub(super) fn ends_well(&self, from: usize, to: usize, place: Place) -> bool {
        let t = self.t;
        let end = |at: usize| {
            t.get(at).is_none_or(|b| matches!(b, b'\n' | b'\r' | 0x1b)) || self.view.quote(at).is_some()
        };
        match place {
            Place::Sure | Place::Quoted | Place::Block => true,
            Place::Flag => t.get(from) != Some(&b'-'),
            Place::Line => end(to) || t[to..].starts_with(b" #") || end(blanks(t, to, MOST_BLANKS)),
            Place::Column => {
                end(to) || matches!(t.get(blanks(t, to, MOST_BLANKS)), None | Some(b'|' | b'\n' | b'\r'))
            }
            Place::Tight => !matches!(t.get(to), Some(b',' | b')' | b'(' | b'[')),
        }
    }

    /// Tells whether a name begins a line that assigns, beside others that do: of a file of variables, or of what a
    /// program printed of its environment.
    pub(super) fn is_env_line(&self, start: usize) -> bool {
        let t = self.t;
        let line = line_start(t, start, NAME);
        let before = line_start(t, line.saturating_sub(1), WINDOW);
        let next =
            memchr::memchr(b'\n', &t[start..t.len().min(start + WINDOW)]).map_or(t.len(), |n| start + n + 1);
        line == start && (is_assignment(&t[before..line]) || is_assignment(&t[next..]))
    }

    /// Tells whether a name begins a line of a file of settings: nothing stands before it, and no statement ends there.
    pub(super) fn is_setting(&self, start: usize) -> bool {
        let t = self.t;
        let line = line_start(t, start, NAME);
        let lead = t[line..start].iter().all(|b| matches!(b, b' ' | b'\t' | b'-' | b'"' | b'\''));
        let end = memchr::memchr2(b'\n', b'\r', &t[start..t.len().min(start + WINDOW)]);
        let last = end.map_or(t.last(), |n| t.get(start + n - 1));
        lead && !matches!(last, Some(b';' | b'{' | b'(' | b')' | b','))
    }

    /// Returns the end of a block of lines that are indented further than the name's own.
    pub(super) fn block_end(&self, start: usize, from: usize) -> usize {
        let t = self.t;
        let own = indent(t, line_start(t, start, NAME));
        let (mut end, mut at) = (from, from);
        while at < t.len() {
            let stop = memchr::memchr(b'\n', &t[at..]).map_or(t.len(), |n| at + n);
            let line = t[at..stop].trim_ascii_end();
            let begin = line_start(t, at, NAME);
            if (!line.is_empty() && indent(t, begin) <= own) || stop - from > MOST_BLOCK {
                break;
            }
            if !line.is_empty() {
                end = at + line.len();
            }
            at = stop + 1;
        }
        end
    }
}

/// Returns the place behind the sign of an assignment at `gap`, and where it begins.
fn assigns(t: &[u8], start: usize, end: usize, gap: usize, name: Name) -> Option<(Place, usize)> {
    let next = t.get(gap + 1).copied();
    if t[gap] == b':' && next == Some(b':') {
        return None;
    }
    let at = gap + 1 + usize::from(matches!(next, Some(b'=' | b'>')));
    let blank = matches!(t.get(at), Some(b' ' | b'\t'));
    let flag = t[..start].ends_with(b"-") && !t[..start].ends_with(b"---");
    // As Go prints the fields of a struct.
    let field = t[start].is_ascii_uppercase() && !name.upper && t.get(at).is_some_and(u8::is_ascii_graphic);
    let place = match t[gap] {
        b'=' if gap == end && !blank && name.upper => Place::Sure,
        b'=' if gap == end && !blank && flag => Place::Flag,
        b'=' if gap == end && !blank => Place::Tight,
        b':' if field => Place::Tight,
        _ => Place::Line,
    };
    Some((place, at))
}

/// Returns the place of a value that follows its name behind blanks, or in the next column, and where it begins.
fn follows(t: &[u8], start: usize, end: usize, gap: usize, name: Name) -> Option<(Place, usize)> {
    let typed = t[gap..].starts_with(b"REG_");
    match t[gap] {
        _ if gap == end => None,
        b'|' => Some((Place::Column, gap + 1)),
        _ if setter(t, start) || netrc(t, start, name) => Some((Place::Sure, gap)),
        _ if t[..start].ends_with(b"-") && !t[..start].ends_with(b"---") => Some((Place::Flag, gap)),
        b'"' | b'\'' if !name.short => Some((Place::Quoted, gap)),
        _ if typed => Some((Place::Column, blanks(t, gap + 6, MOST_BLANKS))),
        _ if gap > end + 1 && line_start(t, start, NAME) == start => Some((Place::Column, gap)),
        _ => None,
    }
}

/// Tells whether the quoted name at `start` is the first argument of a call, or the first of a list.
fn is_argument(t: &[u8], start: usize) -> bool {
    matches!(t[..start.saturating_sub(1)].trim_ascii_end().last(), Some(b'(' | b'['))
}

/// Returns the length of an anchor or a tag of YAML.
fn anchor(t: &[u8]) -> usize {
    let word = t.iter().take(NAME).take_while(|b| !b.is_ascii_whitespace()).count();
    if matches!(t.first(), Some(b'&' | b'!')) && t.get(word) == Some(&b' ') { word + 1 } else { 0 }
}

/// Steps over `String = `.
fn past_type(t: &[u8], from: usize) -> usize {
    let ahead = &t[from..t.len().min(from + 48)];
    let end = ahead.iter().position(|b| !b.is_ascii_alphanumeric() && !b"_&'<>[] .:|?".contains(b));
    match end.filter(|n| ahead[*n] == b'=') {
        Some(n) => blanks(t, from + n + 1, MOST_BLANKS),
        None => from,
    }
}

const MOST_BLANKS: usize = 48;
/// More lines than a secret has.
const MOST_BLOCK: usize = 4096;

fn indent(t: &[u8], line: usize) -> usize {
    t[line..].iter().take(NAME).take_while(|b| **b == b' ').count()
}

/// Returns where the text of a block begins whose sign, `|` or `>`, stands at `at`.
fn block(t: &[u8], at: usize) -> Option<usize> {
    matches!(t.get(at)?, b'|' | b'>').then_some(())?;
    let sign = t[at + 1..].iter().take(3).take_while(|b| matches!(b, b'+' | b'-' | b'0'..=b'9')).count();
    let end = at + 1 + sign;
    let line = line_break(t, end);
    (line > end).then(|| blanks(t, line, MOST_BLANKS))
}

/// Tells whether a line, or a text, begins `NAME=`.
fn is_assignment(line: &[u8]) -> bool {
    let name =
        line.iter().take(NAME).take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || **b == b'_');
    let name = name.count();
    name > 0 && line.get(name) == Some(&b'=')
}

/// Tells whether a name stands in an entry of a .netrc file: `machine HOST login USER password …`.
fn netrc(t: &[u8], start: usize, name: Name) -> bool {
    let words: Vec<&[u8]> = t[start.saturating_sub(160)..start]
        .split(u8::is_ascii_whitespace)
        .filter(|w| !w.is_empty())
        .collect();
    let machine = |rest: &[&[u8]]| matches!(rest, [.., b"machine", _] | [.., b"default"]);
    name.chosen
        && match &words[..] {
            [rest @ .., b"login", _] | [rest @ .., b"login", _, b"port", _] => machine(rest),
            _ => false,
        }
}

/// Tells whether a word stands before a name that gives it a value: `setx NAME …`, `ENV NAME …`.
fn setter(t: &[u8], start: usize) -> bool {
    SETTERS.iter().any(|word| start >= word.len() && word_at(t, start - word.len(), word.as_bytes()))
}
