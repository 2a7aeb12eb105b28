//! The rows of `table` and `carrier`, looked for in one pass: an automaton finds the keys of them all, and a regular
//! expression of bounded reach, compiled when it is first needed, looks at each place.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::bytes::{Regex, RegexBuilder};

use crate::otel::scrub::carrier::{CARRIERS, Carrier, Value};
use crate::otel::scrub::rules::Class;
use crate::otel::scrub::table::{RULES, Rule};
use crate::otel::scrub::view::View;
use crate::otel::scrub::{Finding, judge};

/// Adds the secrets of all forms and places to `list`.
pub(super) fn detect(text: &[u8], list: &mut Vec<Finding>) {
    let view = View::of(text);
    let joined = view.joined();
    for view in std::iter::once(&view).chain(&joined) {
        let mut scan = Scan { view, list, floor: 0, refused: [(0, 0); REFUSED] };
        for hit in ENGINE.keys.find_overlapping_iter(&view.text) {
            scan.look(hit.pattern().as_usize(), hit.start());
        }
    }
}

struct Engine {
    keys: AhoCorasick,
    regexes: Vec<OnceLock<Option<Regex>>>,
}

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let keys = RULES.iter().map(|r| r.key).chain(CARRIERS.iter().map(|c| c.key));
    let build =
        AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(keys);
    Engine {
        keys: build.expect("the keys make an automaton: a test builds it"),
        regexes: (0..RULES.len() + CARRIERS.len()).map(|_| OnceLock::new()).collect(),
    }
});

fn regex(n: usize) -> Option<&'static Regex> {
    let compile = || {
        let (pattern, lead) = match RULES.get(n) {
            Some(rule) if rule.back == 0 => (format!(r"\A(?:{})", rule.pattern), false),
            Some(rule) => (rule.pattern.to_owned(), false),
            None => (format!(r"\A(?:{})", CARRIERS[n - RULES.len()].lead), true),
        };
        RegexBuilder::new(&pattern).unicode(false).case_insensitive(lead).build().ok()
    };
    ENGINE.regexes[n].get_or_init(compile).as_ref()
}

struct Scan<'a> {
    view: &'a View,
    list: &'a mut Vec<Finding>,
    /// The end of the last finding.
    floor: usize,
    /// Of the last rules that refused a match: the rule, and up to where it read. A text made of beginnings is not read over and over.
    refused: [(usize, usize); REFUSED],
}

impl Scan<'_> {
    fn look(&mut self, n: usize, at: usize) {
        if at < self.floor || self.refused[n % REFUSED].0 == n + 1 && at < self.refused[n % REFUSED].1 {
            return;
        }
        let found = match RULES.get(n) {
            Some(rule) => self.form(n, rule, at),
            None => self.place(n, &CARRIERS[n - RULES.len()], at),
        };
        if let Some((context, range, kind)) = found
            && let Some(range) = self.unbroken(context, range)
        {
            self.floor = range.end;
            self.list.push(Finding { range: self.view.original(&range), kind: Cow::Borrowed(kind) });
        }
    }

    fn form(&mut self, n: usize, rule: &Rule, at: usize) -> Option<(usize, Range<usize>, &'static str)> {
        let t = &self.view.text;
        let key = rule.key.as_bytes();
        if !t[at..].starts_with(key) || rule.back == 0 && at != self.floor && !self.view.starts(at) {
            return None;
        }
        let back =
            t[..at].iter().rev().take(rule.back).take_while(|b| Class::Any.has(**b) || **b == b':').count();
        let from = (at - back).max(self.floor);
        let window = &t[from..t.len().min(at + WINDOW)];
        let found = regex(n)?.find(window)?.range();
        let range = from + found.start..from + found.end;
        if range.end <= at {
            return None;
        }
        let end = self.end(range.end, found.end == window.len());
        let body = &t[if rule.back == 0 { at + key.len() } else { range.start }..range.end];
        let body = &body[..body.len().min(JUDGED)];
        let closed = !t.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        if !closed
            || !(judge::issued(body) || judge::varied(body) && !body.iter().any(u8::is_ascii_lowercase))
        {
            self.refused[n % REFUSED] = (n + 1, range.start + key.len().max(8));
            return None;
        }
        Some((range.start, range.start..end, rule.kind))
    }

    fn place(
        &mut self,
        n: usize,
        carrier: &Carrier,
        at: usize,
    ) -> Option<(usize, Range<usize>, &'static str)> {
        let t = &self.view.text;
        let word = carrier.key.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        if word && !self.view.starts(at) {
            return None;
        }
        let lead = regex(n)?.find(&t[at..t.len().min(at + WINDOW)])?.end();
        let mut from = at + lead;
        let opened =
            if t[from - 1] == b'\'' || t[from - 1] == b'"' { self.view.quote(from - 1) } else { None };
        let opened = opened.or_else(|| {
            let quote = self.view.quote(from)?;
            from += 1;
            Some(quote)
        });
        let end = self.value_end(from, carrier.value, opened)?;
        let value = &t[from..end];
        let judged = &value[..value.len().min(JUDGED)];
        let secret = match carrier.value {
            Value::Word => {
                value.len() >= 4
                    && !value.iter().all(|b| b.is_ascii_digit() && value.len() < 6)
                    && !value.starts_with(b"-")
                    && !judge::stand_in(judged)
            }
            Value::Random(least) => {
                value.len() >= least
                    && judge::random(judged, least)
                    && !judge::stand_in(judged)
                    && judged.iter().any(u8::is_ascii_digit)
            }
            Value::Pairs => judged.split(|b| matches!(b, b'=' | b';')).any(|v| judge::random(v, 12)),
        };
        if !secret {
            self.refused[n % REFUSED] = (n + 1, end.min(from + 64));
            return None;
        }
        Some((at, from..end, carrier.kind))
    }

    fn value_end(&self, from: usize, value: Value, opened: Option<(u8, u8)>) -> Option<usize> {
        let t = &self.view.text;
        let mut end = from;
        while end < t.len() && end - from < LONGEST {
            let b = t[end];
            let stop = match (value, opened) {
                (Value::Random(_), _) => !Class::Any.has(b),
                (_, Some((mark, depth))) => {
                    self.view.quote(end).is_some_and(|(m, d)| m == mark && d <= depth)
                }
                (Value::Word, None) => {
                    b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`' | b';' | b'|')
                }
                (Value::Pairs, None) => b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`'),
            };
            if stop || b == b'\n' {
                break;
            }
            end += 1;
        }
        let end =
            if value == Value::Word && opened.is_none() { end } else { self.end(end, end - from == LONGEST) };
        let dots = t[from..end].iter().rev().take_while(|b| matches!(b, b'.' | b',')).count();
        (end - dots > from).then_some(end - dots)
    }

    /// Returns the end of a match that runs on, without the full stop of a sentence.
    fn end(&self, end: usize, runs_on: bool) -> usize {
        let t = &self.view.text;
        let more = if runs_on { t[end..].iter().take_while(|b| Class::Any.has(**b)).count() } else { 0 };
        let end = end + more;
        end - t[..end].iter().rev().take_while(|b| **b == b'.').count()
    }

    /// Of a view in which lines were joined, returns what the join made a secret: the part behind a break has to look
    /// like the rest of one.
    fn unbroken(&self, context: usize, range: Range<usize>) -> Option<Range<usize>> {
        if self.view.is_whole() {
            return Some(range);
        }
        if self.view.joints_in(context..range.end).is_empty() {
            return None;
        }
        let t = &self.view.text;
        let mut end = range.end;
        for joint in self.view.joints_in(range.clone()).iter().rev() {
            let rest = &t[*joint..end.min(joint + JUDGED)];
            let named = matches!(t.get(end), Some(b'=' | b':' | b'('));
            if joint - range.start >= 16 && (named || !judge::fragment(rest)) {
                end = *joint;
            }
        }
        (end > range.start).then_some(range.start..end)
    }
}

/// How far a form reaches behind its key, and what is judged of a value. More is taken when it runs on.
const WINDOW: usize = 512;
const JUDGED: usize = 128;
const LONGEST: usize = 1024;
const REFUSED: usize = 64;
