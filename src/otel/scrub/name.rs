//! Secrets known by what they are assigned to: `export NAME_TOKEN=…`, `"api_key": "…"`, `password: …`,
//! `--password …`, `("X-Api-Key", "…")`, `<password>…</password>`, `?access_token=…`, `| token | … |`.

use crate::otel::scrub::judge::{self, JUDGED, Trust};
use crate::otel::scrub::label::{NAME, Name};
use crate::otel::scrub::place::{Place, Spot};
use crate::otel::scrub::scan::{Rank, Scan};
use crate::otel::scrub::value::{WINDOW, line_start};
use crate::otel::scrub::view::CUT_HERE;
use crate::otel::scrub::words::VENDORS;

fn in_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

impl Scan<'_> {
    /// Looks for an assignment to the name that has the word at `at` in it.
    pub(super) fn name(&mut self, at: usize) {
        let t = self.t;
        if at < self.name_end {
            return;
        }
        let end = at + t[at..].iter().take(NAME).take_while(|b| in_name(**b)).count();
        self.name_end = end;
        if !t.get(end).is_some_and(|b| b"=: \t\"'>`,|]\n\r;".contains(b)) {
            return;
        }
        let mut start = at - t[..at].iter().rev().take(NAME).take_while(|b| in_name(**b)).count();
        while start < at && matches!(t[start], b'-' | b'.') {
            start += 1;
        }
        if t[end] == b':' && t[..start].ends_with(b"<") {
            // A mark of ours.
            return;
        }
        if at + 3 == end && t[at..end].eq_ignore_ascii_case(b"key") {
            self.titled(at, end);
        }
        if let Some(name) = Name::read(&t[start..end]) {
            self.assigned(start, end, name);
            self.table(start, end);
        } else if t[start..end].eq_ignore_ascii_case(b"key") && self.is_of_vendor(start) {
            self.assigned(
                start,
                end,
                Name { kind: "key", chosen: false, upper: false, vague: false, short: false },
            );
        }
    }

    fn assigned(&mut self, start: usize, end: usize, name: Name) {
        let t = self.t;
        let Some(spot) = self.locate(start, end, name) else { return };
        let from = spot.from;
        let to = match spot.quote {
            Some(quote) => match self.ends.closing(self.view, from, quote) {
                Some(to) => to,
                None => self.unclosed(from),
            },
            None => self.bare(start, &spot, name),
        };
        if to <= from {
            return;
        }
        let whole = &t[from..to];
        let value = if spot.quote.is_none() && spot.place == Place::Sure {
            whole.strip_suffix(b";").or(whole.strip_suffix(b",")).unwrap_or(whole)
        } else {
            whole
        };
        let sure = spot.place == Place::Sure
            || spot.place == Place::Block
            || (name.upper && matches!(t.get(end), Some(b'=' | b'\n' | b'\r')));
        let trust = if sure {
            Trust::Sure
        } else if spot.data {
            Trust::Field
        } else if spot.quote.is_some() {
            Trust::Quoted
        } else {
            Trust::Doubtful
        };
        let judged = &value[..value.len().min(JUDGED)];
        let code =
            !spot.data && is_path(judged) || !name.chosen && (judged.contains(&b',') || is_type(judged));
        if spot.quote.is_none() && !sure && code {
            return;
        }
        // A list of pairs has a comma after the value, but so has a program; only there a value must look random.
        if spot.quote.is_none()
            && !self.ends_well(from, to, spot.place)
            && (name.chosen || !judge::random(value, 20))
        {
            return;
        }
        let least = if sure || spot.place == Place::Flag { 8 } else { 16 };
        if name.takes(value, trust, least) {
            self.add(start, from..from + value.len(), name.kind, Rank::Place);
        }
    }

    /// Returns the end of a value whose quote is not closed: what was cut off there goes with it.
    fn unclosed(&mut self, from: usize) -> usize {
        let line = self.ends.line(self.t, from);
        let cut = line == self.t.len() || self.t[line..].starts_with(CUT_HERE);
        if cut { line } else { self.ends.token(self.t, from) }
    }

    /// Returns the end of a value without quotes.
    fn bare(&mut self, start: usize, spot: &Spot, name: Name) -> usize {
        let from = spot.from;
        match spot.place {
            Place::Block => self.block_end(start, from),
            Place::Sure if name.upper && self.is_env_line(start) => {
                let end = self.ends.line(self.t, from);
                end - self.t[from..end].iter().rev().take_while(|b| matches!(b, b' ' | b'\t')).count()
            }
            Place::Sure | Place::Flag => self.ends.shell(self.view, from),
            Place::Tight if self.is_setting(start) => self.ends.word(self.view, from),
            Place::Tight => self.ends.tight(self.view, from),
            _ => self.ends.list(self.view, from),
        }
    }

    /// Tells whether `key` at `start` stands under a section, or in an object, that has the name of a vendor.
    fn is_of_vendor(&self, start: usize) -> bool {
        let t = self.t;
        if start > 0 && !matches!(t[start - 1], b' ' | b'\t' | b'\n' | b'"' | b'\'' | b'{') {
            return false;
        }
        let mut line = line_start(t, start, 2 * NAME);
        let depth = start - line - t[line..start].iter().filter(|b| matches!(b, b'"' | b'\'')).count();
        if let Some(brace) = memchr::memrchr(b'{', &t[line..start]) {
            return is_vendor(&t[line..line + brace]);
        }
        for _ in 0..8 {
            let end = line;
            if end == 0 {
                return false;
            }
            line = line_start(t, end - 1, WINDOW);
            let text = t[line..end].trim_ascii_end();
            let indent = text.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            if text.len() > 2 * NAME {
                continue;
            }
            if let [b'[', name @ .., b']'] = text {
                return is_vendor(name);
            }
            if indent < depth && !text.is_empty() {
                return matches!(text.last(), Some(b':' | b'{')) && is_vendor(text);
            }
        }
        false
    }
}

fn is_vendor(text: &[u8]) -> bool {
    let text = &text[text.len().saturating_sub(NAME)..];
    let known = |word: &[u8]| VENDORS.iter().any(|v| word.eq_ignore_ascii_case(v.as_bytes()));
    text.split(|b| !b.is_ascii_alphanumeric()).filter(|word| word.len() > 2).any(known)
}

/// Tells whether a value is the path of a variable (`self.token`, `config.api_key`), an element or a URL.
fn is_path(value: &[u8]) -> bool {
    let value = &value[..value.len().min(JUDGED)];
    let mut parts = 0;
    if value.contains(&b'[') || judge::has(value, b"://") {
        return true;
    }
    let idents = value.split(|b| *b == b'.').all(|p| {
        parts += 1;
        p.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
            && p.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
    });
    idents && parts > 1 && !judge::random(value, 12)
}

/// Tells whether a value is the name of a type, or of a member, that is named after what it holds.
fn is_type(value: &[u8]) -> bool {
    let small = value.to_ascii_lowercase();
    value.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
        && ["key", "token", "secret", "password", "credential"]
            .iter()
            .any(|w| judge::has(&small, w.as_bytes()))
}
