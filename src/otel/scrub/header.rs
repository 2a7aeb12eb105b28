//! Credentials in HTTP headers, in any case and in whatever notation a program prints them.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::otel::scrub::judge::{self, JUDGED};
use crate::otel::scrub::scan::{Rank, Scan};
use crate::otel::scrub::value::{blanks, line_break, word_at};
use crate::otel::scrub::words::SCHEMES;

impl Scan<'_> {
    /// Looks at an `Authorization` header, also under a name that ends so.
    pub(super) fn authorization(&mut self, at: usize) {
        let t = self.t;
        let Some(from) = self.header_value(at + b"authorization".len()) else { return };
        let word = t[from..].iter().take(16).take_while(|b| b.is_ascii_alphanumeric() || b"-_".contains(b));
        let after = from + word.count();
        let word = t[from..after].to_ascii_lowercase();
        if word == b"aws4-hmac-sha256" {
            // What follows is an id and a signature of this one request.
            return;
        }
        let value = past_break(t, after);
        if value > after && SCHEMES.contains(&&word[..]) {
            self.credential(at, value, word == b"basic");
        } else {
            self.credential(at, from, false);
        }
    }

    /// Looks at `Bearer …`, whatever stands before it.
    pub(super) fn bearer(&mut self, at: usize) {
        let end = at + b"bearer".len();
        let from = past_break(self.t, end);
        let to = self.ends.token(self.t, from);
        let body = &self.t[from..to.min(from + JUDGED)];
        if from > end && judge::random(body, 16) && !judge::stand_in(body) {
            self.add(at, from..to, "bearer", Rank::Place);
        }
    }

    fn credential(&mut self, at: usize, from: usize, basic: bool) {
        let to = self.ends.token(self.t, from);
        let body = &self.t[from..to.min(from + JUDGED)];
        if body.len() < 8 || judge::stand_in(body) {
            return;
        }
        if basic && is_user_and_password(body) {
            self.add(at, from..to, "basic-auth", Rank::Place);
        } else if !basic
            && (judge::random(body, 10)
                || !body.contains(&b'-') && body.iter().filter(|b| b.is_ascii_digit()).count() >= 3)
        {
            self.add(at, from..to, "bearer", Rank::Place);
        }
    }

    /// Looks at a `Cookie` or `Set-Cookie` header: all of its value is taken when it holds anything like a session.
    pub(super) fn cookie(&mut self, at: usize) {
        let t = self.t;
        let name = at + 6 + usize::from(word_at(t, at + 6, b"s"));
        let Some(from) = self.header_value(name) else { return };
        let line = self.ends.line(t, from);
        let (mut end, mut secret, mut pair) = (from, false, from);
        while end < line && end - pair < MOST_PAIR {
            let b = t[end];
            if self.view.quote(end).is_some() || b == b'<' || b == b' ' && t[end - 1] != b';' {
                break;
            }
            if b == b';' {
                secret |= is_session(&t[pair..end]);
                pair = end + 1;
            }
            end += 1;
        }
        if end - pair >= MOST_PAIR {
            end = self.ends.token(t, end);
        }
        secret |= is_session(&t[pair..end.min(pair + MOST_PAIR)]);
        if secret {
            self.add(at, from..end, "cookie", Rank::Place);
        }
    }

    /// Steps from the end of a header's name to its value.
    fn header_value(&self, end: usize) -> Option<usize> {
        let t = self.t;
        let own = self.view.quote(end).is_some();
        let mut at = end + usize::from(own);
        at += usize::from(own && t.get(at) == Some(&b']'));
        at = blanks(t, at, 8);
        match t.get(at)? {
            b':' | b'=' => at += 1 + usize::from(matches!(t.get(at + 1), Some(b'>' | b'='))),
            b',' if own => at += 1,
            _ => return None,
        }
        at = past_break(t, at);
        let prefix =
            matches!(t.get(at), Some(b'b' | b'f' | b'r' | b'`' | b'$')) && self.view.quote(at + 1).is_some();
        at += usize::from(prefix);
        at += usize::from(self.view.quote(at).is_some());
        (at < t.len()).then_some(at)
    }
}

/// Skips blanks and one line break.
fn past_break(t: &[u8], at: usize) -> usize {
    let at = blanks(t, at, 8);
    let next = line_break(t, at);
    if next > at { blanks(t, next, 2) } else { at }
}

fn is_session(pair: &[u8]) -> bool {
    let Some(equals) = memchr::memchr(b'=', pair) else { return false };
    judge::random(&pair[equals + 1..], 12) && !judge::stand_in(&pair[equals + 1..])
}

/// Tells whether base64 text holds `user:password`, in letters that can be read.
fn is_user_and_password(body: &[u8]) -> bool {
    let plain = body.trim_ascii_end().strip_suffix(b"==").or(body.strip_suffix(b"=")).unwrap_or(body);
    let text: Vec<u8> = plain
        .iter()
        .map(|b| match b {
            b'-' => b'+',
            b'_' => b'/',
            b => *b,
        })
        .collect();
    let whole = text.len() - usize::from(text.len() % 4 == 1);
    LENIENT.decode(&text[..whole]).is_ok_and(|text| text.contains(&b':') && !text.iter().any(|b| *b < b' '))
}

/// Reads base64 with or without its padding, cut anywhere.
pub(super) const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// A cookie's name and value are no longer, together.
const MOST_PAIR: usize = 4096;
