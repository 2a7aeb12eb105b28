//! Telling a secret from a stand-in, an identifier or a word: by the pairs of letters it is made of, never by a
//! list of the values themselves.

use crate::otel::scrub::table::shapes::{DOTTED, FILLED_IN, FLAG, NOT_CHOSEN, PROGRAM, STANDS_IN};
use crate::otel::scrub::table::words::{FOLLOWS, PARTS, STAND_INS};

/// Tells whether the body of a token of known form could have been issued: varied, and no count up or repetition.
pub(super) fn issued(body: &[u8]) -> bool {
    let s = Shape::of(body);
    s.distinct >= 6.min(body.len() / 2)
        && !s.regular()
        && (s.digits > 0 || (s.upper > 0 && (s.lower > 0 || !s.wordy())))
        && !(body.len() < 40 && s.common * 100 > s.pairs * 80)
        && !stand_in_word(body)
}

/// Tells whether a body is no repetition and no stand-in.
pub(super) fn varied(body: &[u8]) -> bool {
    let s = Shape::of(body);
    s.distinct >= 6 && !s.regular() && !stand_in_word(body)
}

/// Tells whether a value looks random: long, varied, and its letters do not pair the way those of words do.
pub(super) fn random(value: &[u8], least: usize) -> bool {
    let s = Shape::of(value);
    value.len() >= least
        && s.distinct >= 6
        && !s.regular()
        && s.lower + s.upper > 0
        && (s.digits > 0 || (s.upper > 0 && s.lower > 0) || value.len() >= 24)
        && !s.wordy()
}

/// Tells whether the start of a line could be the rest of a random value that the line before began.
pub(super) fn fragment(part: &[u8]) -> bool {
    let s = Shape::of(part);
    let mixed = part.iter().skip(1).any(u8::is_ascii_uppercase) && s.lower > 0;
    (s.digits > 0 || mixed || part.len() >= 8)
        && (part.len() < 4 || !s.wordy() || ((s.digits > 0 || mixed) && s.common * 100 <= s.pairs * 85))
        && s.lower + s.upper + s.digits > 0
}

/// How much speaks for a password that a user chose, besides the name it is assigned to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Nothing but a value can stand there: any is one.
    Sure,
    /// A field of data: a plain word as well, in lower case.
    Field,
    /// Between quotes: something that words and names have not.
    Quoted,
    /// Programs write other things in the same way.
    Doubtful,
}

/// Tells whether a value can be a password that a user chose.
pub(super) fn password(value: &[u8], trust: Trust) -> bool {
    let sure = trust == Trust::Sure;
    let least = match trust {
        Trust::Sure => 3,
        Trust::Field => 4,
        Trust::Quoted | Trust::Doubtful => 6,
    };
    let s = Shape::of(value);
    // A path of words, or a phrase.
    let dotted = DOTTED.find(value).is_some() && s.wordy();
    let path = s.digits == 0 && value.contains(&b'/');
    let words = !sure && (value.iter().any(u8::is_ascii_whitespace) || path || dotted);
    if value.len() < least || words || NOT_CHOSEN.find(value).is_some() {
        return false;
    }
    let symbols = value.iter().any(|b| b.is_ascii_punctuation() && !b"_-./:,;()[]{}<>".contains(b));
    let letters = s.lower + s.upper;
    if !value.is_ascii() && s.digits == 0 {
        // A word of another language.
        return sure && letters > 0;
    }
    if letters == 0 {
        return s.digits > 0 && !value.contains(&b'.') && (s.digits >= 6 || sure && s.digits >= 4 || symbols);
    }
    let mixed = s.upper > 0 && s.lower > 0 && !s.wordy();
    sure || s.digits > 0 || symbols || mixed || trust == Trust::Field && s.lower == value.len()
}

/// Tells whether a value only stands in for a secret: a variable, a template, a mask, an ellipsis, a type, a switch, or
/// one of the words that documentation puts there. A piece of a program as well, unless `data` is known to stand there.
pub(super) fn stands_in(value: &[u8], data: bool) -> bool {
    value.is_empty()
        || STANDS_IN.find(value).is_some()
        || FLAG.find(value).is_some()
        || !data && PROGRAM.find(value).is_some()
        || Shape::of(value).regular()
        || stand_in_word(value)
}

fn stand_in_word(value: &[u8]) -> bool {
    let small = value[..value.len().min(32)].to_ascii_lowercase();
    FILLED_IN.find(value).is_some()
        || STAND_INS.iter().any(|word| word.as_bytes() == small)
        || PARTS.iter().any(|part| has(&small, part.as_bytes())) && !random(value, 16)
}

#[derive(Default)]
struct Shape {
    digits: usize,
    lower: usize,
    upper: usize,
    distinct: usize,
    pairs: usize,
    common: usize,
    /// Neighbours that are equal or one apart, as in `1111` or `abcd`.
    runs: usize,
    len: usize,
}

impl Shape {
    fn of(value: &[u8]) -> Shape {
        let value = &value[..value.len().min(256)];
        let mut seen = [false; 256];
        let mut s = Shape { len: value.len(), ..Shape::default() };
        let mut before = 0u8;
        for &b in value {
            match b {
                b'0'..=b'9' => s.digits += 1,
                b'a'..=b'z' => s.lower += 1,
                b'A'..=b'Z' => s.upper += 1,
                _ => {}
            }
            s.distinct += usize::from(!std::mem::replace(&mut seen[b as usize], true));
            if b.is_ascii_alphanumeric() && before.is_ascii_alphanumeric() {
                s.pairs += 1;
                s.common += usize::from(common(before, b));
                s.runs += usize::from(b == before || b == before.wrapping_add(1));
            }
            before = b;
        }
        s
    }

    /// The value counts up or repeats itself: `0000`, `abcdef0123456789`.
    fn regular(&self) -> bool {
        self.len >= 4 && self.runs * 10 >= self.pairs * 6 && self.pairs > 0
            || self.len >= 4 && self.distinct <= 2
    }

    /// The letters pair the way those of English words and identifiers do.
    fn wordy(&self) -> bool {
        self.common * 100 > self.pairs * 66
    }
}

/// Tells whether two letters often follow each other in English words.
fn common(a: u8, b: u8) -> bool {
    let letter = |b: u8| (b | 0x20).wrapping_sub(b'a');
    letter(b) < 26 && FOLLOWS.get(letter(a) as usize).is_some_and(|next| next >> letter(b) & 1 == 1)
}

/// Tells whether `text` has `part` in it.
pub(super) fn has(text: &[u8], part: &[u8]) -> bool {
    part.len() <= text.len() && memchr::memmem::find(text, part).is_some()
}

/// How much is judged of a value. More is taken when it runs on.
pub(super) const JUDGED: usize = 128;
