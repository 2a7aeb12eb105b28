//! What a name says about the value that is assigned to it.

use crate::otel::scrub::judge::{self, JUDGED, Trust};
use crate::otel::scrub::table::shapes::{NAMES_PLACE, NOT_ISSUED};
use crate::otel::scrub::table::words::{LABELS, OTHERS, TAILS};
use crate::otel::scrub::value::run_back;

/// What a name says about its value.
#[derive(Clone, Copy)]
pub(super) struct Name {
    pub(super) kind: &'static str,
    /// People choose passwords; machines issue the rest.
    pub(super) chosen: bool,
    pub(super) upper: bool,
    /// Any sort of key, of a store or a ticket as well.
    pub(super) vague: bool,
    /// The word is all of the name, as in a report's `PASS: 12`.
    pub(super) short: bool,
}

impl Name {
    pub(super) fn read(raw: &[u8]) -> Option<Name> {
        let upper = raw.iter().any(u8::is_ascii_uppercase) && !raw.iter().any(u8::is_ascii_lowercase);
        let letters = raw.iter().take(NAME).filter(|b| b.is_ascii_alphanumeric());
        let mut folded = [0; NAME];
        let len = letters.zip(&mut folded).map(|(b, to)| *to = b.to_ascii_lowercase()).count();
        let mut plain = &folded[..len - run_back(&folded[..len], NAME, |b| b.is_ascii_digit())];
        for tail in TAILS {
            plain = plain.strip_suffix(tail.as_bytes()).unwrap_or(plain);
        }
        let (kind, vague) = kind(plain, raw, upper)?;
        let other = OTHERS.iter().any(|word| judge::has(plain, word.as_bytes()));
        (!other).then_some(Name { kind, chosen: kind == "password", upper, vague, short: plain == b"pass" })
    }

    /// Tells whether a value can be that of this name.
    pub(super) fn takes(&self, value: &[u8], trust: Trust, least: usize) -> bool {
        let judged = &value[..value.len().min(JUDGED)];
        if self.short && !(judged.is_ascii() && judged.iter().any(u8::is_ascii_digit)) {
            return false;
        }
        let fits = if self.vague {
            judge::random(judged, 16) && NAMES_PLACE.find(judged).is_none()
        } else if self.chosen || (trust == Trust::Sure && self.kind == "secret") {
            judge::password(judged, trust) && !(self.short && judged.iter().all(u8::is_ascii_digit))
        } else {
            judge::random(judged, least) && NOT_ISSUED.find(judged).is_none()
        };
        // The name of a secret is none, where people write programs.
        let named = || trust != Trust::Sure && !judge::random(judged, 24) && Name::read(judged).is_some();
        fits && !named() && !judge::stands_in(judged, trust != Trust::Doubtful)
    }
}

/// Returns the kind of what a name names, and whether the name is vague.
fn kind(plain: &[u8], raw: &[u8], upper: bool) -> Option<(&'static str, bool)> {
    let has = |word: &&str| judge::has(plain, word.as_bytes());
    let label = LABELS.iter().find(|(_, about, ends)| {
        ends.iter().any(|end| plain.ends_with(end.as_bytes())) && (about.is_empty() || about.iter().any(has))
    });
    let apart = || raw.iter().rev().skip(4).take(2).any(|b| matches!(b, b'_' | b'-' | b'.'));
    let kind = match label {
        Some((kind, ..)) => kind,
        None if plain.ends_with(b"pass") && (plain == b"pass" || apart()) => "password",
        None if plain.ends_with(b"key") && raw.len() > 5 && raw[..2].eq_ignore_ascii_case(b"x-") => "api-key",
        None if plain.ends_with(b"key") && upper && raw.len() > 3 => return Some(("key", true)),
        None if plain.ends_with(b"auth") && !plain.ends_with(b"oauth") => "credential",
        None => return None,
    };
    Some((kind, false))
}

/// No name is longer.
pub(super) const NAME: usize = 64;
