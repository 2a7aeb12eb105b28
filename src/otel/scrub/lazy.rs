//! Regular expressions that are compiled when they are first asked: a hook that finds no key of a row does not pay for it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use regex::bytes::{Captures, Regex, RegexBuilder};

/// A pattern over bytes, compiled once.
pub(super) struct Lazy {
    pattern: Cow<'static, str>,
    any_case: bool,
    regex: OnceLock<Option<Regex>>,
}

impl Lazy {
    /// A pattern of letters in their case.
    pub(super) const fn new(pattern: &'static str) -> Lazy {
        Lazy { pattern: Cow::Borrowed(pattern), any_case: false, regex: OnceLock::new() }
    }

    /// A pattern of letters in any case if `any_case`.
    pub(super) const fn of(pattern: Cow<'static, str>, any_case: bool) -> Lazy {
        Lazy { pattern, any_case, regex: OnceLock::new() }
    }

    /// Returns where the pattern is found first.
    pub(super) fn find(&self, text: &[u8]) -> Option<Range<usize>> {
        self.regex()?.find(text).map(|m| m.range())
    }

    /// Returns all places at which the pattern is found.
    pub(super) fn find_iter<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = Range<usize>> + 't {
        self.regex().into_iter().flat_map(|r| r.find_iter(text)).map(|m| m.range())
    }

    /// Returns the groups of where the pattern is found first.
    pub(super) fn captures<'t>(&self, text: &'t [u8]) -> Option<Captures<'t>> {
        self.regex()?.captures(text)
    }

    fn regex(&self) -> Option<&Regex> {
        let compile =
            || RegexBuilder::new(&self.pattern).unicode(false).case_insensitive(self.any_case).build().ok();
        self.regex.get_or_init(compile).as_ref()
    }
}
