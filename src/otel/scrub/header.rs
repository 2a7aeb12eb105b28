//! Credentials in HTTP headers, in any case and in whatever notation a program prints them.

use crate::otel::scrub::rules::Class;
use crate::otel::scrub::text::{blanks, newline, quote, run, step, unit, wide, word_at};
use crate::otel::scrub::{Finds, judge, name, token};

/// Looks at `auth…`: an `Authorization` header, or else a name that ends in `auth`.
pub(super) fn authorization(t: &[u8], at: usize, finds: &mut Finds) {
    if word_at(t, at, b"authorization") {
        authorization_value(t, at + b"authorization".len(), finds);
    } else {
        name::detect(t, at, finds);
    }
}

/// Looks at what follows the name of an `Authorization` header, which ends at `end`.
pub(super) fn authorization_value(t: &[u8], end: usize, finds: &mut Finds) {
    let Some(from) = separator(t, end) else { return };
    let mut word = Vec::new();
    let mut after = from;
    while word.len() < 16 {
        match t.get(after) {
            Some(b) if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_') => {
                word.push(b.to_ascii_lowercase());
                after += 1;
            }
            _ => match newline(t, after) {
                Some(n) if !SCHEMES.contains(&&word[..]) => after += n,
                _ => break,
            },
        }
    }
    if word == b"aws4-hmac-sha256" {
        // What follows is an id and a signature of this one request.
        return;
    }
    let value = past_break(t, after);
    if SCHEMES.contains(&&word[..]) && value > after {
        credential(t, value, word == b"basic", finds);
    } else {
        credential(t, from, false, finds);
    }
}

/// Skips blanks and one line break.
fn past_break(t: &[u8], at: usize) -> usize {
    let at = blanks(t, at, 8);
    newline(t, at).map_or(at, |n| blanks(t, at + n, 2))
}

const SCHEMES: &[&[u8]] = &[
    b"bearer",
    b"basic",
    b"token",
    b"digest",
    b"apikey",
    b"api-key",
    b"negotiate",
    b"geniekey",
    b"ssws",
    b"bot",
    b"key",
    b"oauth",
    b"splunk",
    b"discogs",
    b"deepl-auth-key",
    b"sharedkey",
];

/// Looks at `Bearer …` that no header's name stands before.
pub(super) fn bearer(t: &[u8], at: usize, finds: &mut Finds) {
    bearer_after(t, at + b"bearer".len(), word_at(t, at, b"bearer"), finds);
}

/// Looks for the token after the word `bearer`, which ends at `end`.
pub(super) fn bearer_after(t: &[u8], end: usize, whole: bool, finds: &mut Finds) {
    let from = past_break(t, end);
    if !whole || from == end || token::at(t, from) {
        return;
    }
    let r = run(t, from, Class::Any, 16, 0);
    if judge::random(r.body(), 16) && !judge::stand_in(r.body()) {
        finds.add(from..r.whole(t, Class::Any), "bearer");
    }
}

fn credential(t: &[u8], from: usize, basic: bool, finds: &mut Finds) {
    if from >= t.len() || token::at(t, from) {
        return;
    }
    let r = run(t, from, Class::Any, 8, 0);
    let body = r.body();
    if basic {
        if body.len() >= 8 && user_and_password(body) {
            finds.add(from..r.end, "basic-auth");
        }
    } else if body.len() >= 8
        && !judge::stand_in(body)
        && (judge::random(body, 10) || body.iter().filter(|b| b.is_ascii_digit()).count() >= 3)
    {
        finds.add(from..r.whole(t, Class::Any), "bearer");
    }
}

/// Tells whether base64 text holds `user:password`.
fn user_and_password(body: &[u8]) -> bool {
    let mut bits = 0u32;
    let mut have = 0;
    let mut colon = false;
    for b in body.iter().take_while(|b| **b != b'=') {
        let six = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return false,
        };
        bits = bits << 6 | u32::from(six);
        have += 6;
        if have >= 8 {
            have -= 8;
            let byte = (bits >> have) as u8;
            colon |= byte == b':';
            if byte < b' ' {
                return false;
            }
        }
    }
    colon
}

/// Looks at a `Cookie` or `Set-Cookie` header: all of its value is taken when it holds anything like a session.
pub(super) fn cookie(t: &[u8], at: usize, finds: &mut Finds) {
    if word_at(t, at, b"cookie") {
        cookie_value(t, at + 6 + usize::from(word_at(t, at + 6, b"s")), finds);
    }
}

/// Looks at what follows the name of a cookie header, which ends at `name_end`.
pub(super) fn cookie_value(t: &[u8], name_end: usize, finds: &mut Finds) {
    let Some(from) = separator(t, name_end) else { return };
    let mut end = from;
    let mut secret = false;
    let mut value = None;
    let mut paired = false;
    while let Some(&b) = t.get(end) {
        step();
        if let Some(n) = newline(t, end)
            && wide(t, end)
            && goes_on(&t[end + n..])
        {
            end += n;
            continue;
        }
        let (_, len) = unit(t, end);
        // A text of nothing but such names is not read over and over.
        let stop = end - from > if paired { 1024 } else { LONGEST_COOKIE_NAME }
            || quote(t, end).is_some()
            || newline(t, end).is_some()
            || b == b'<'
            || b == b'\\' && len == 1;
        if matches!(b, b';' | b' ') || stop {
            secret |=
                value.take().is_some_and(|v| judge::random(&t[v..end], 12) && !judge::stand_in(&t[v..end]));
        }
        if stop || (b == b' ' && t[end - 1] != b';') {
            break;
        }
        if b == b'=' && value.is_none() {
            value = Some(end + 1);
            paired = true;
        }
        end += len.max(1);
    }
    secret |= value.is_some_and(|v| v < end && judge::random(&t[v..end], 12));
    if secret {
        let to = run(t, end, Class::Any, 0, 0).end;
        finds.add(from..to.max(end), "cookie");
    }
}

const LONGEST_COOKIE_NAME: usize = 96;

/// Tells whether a line can be the rest of a cookie header: no header, nor an assignment, of its own.
fn goes_on(line: &[u8]) -> bool {
    let word = line.iter().take(512).take_while(|b| !b.is_ascii_whitespace() && **b != b';').count();
    let (first, next) = (line.first(), line.get(word));
    let name = line.iter().take(40).take_while(|b| b.is_ascii_alphanumeric() || **b == b'-').count();
    first.is_some_and(|b| !b.is_ascii_whitespace() && !b"<>*+-".contains(b))
        && line.get(name) != Some(&b':')
        && (next == Some(&b';') || !line[..word].contains(&b'='))
        && (!matches!(next, Some(b' ' | b'\t')) || is_rest(&line[..word], &line[word..]))
}

/// Tells whether a word before a blank is the rest of a value: not the name of an assignment, nor the start of prose.
fn is_rest(word: &[u8], after: &[u8]) -> bool {
    !matches!(after.trim_ascii_start().first(), Some(b'=' | b':')) && judge::fragment(word)
}

/// Steps from the end of a header's name to its value.
fn separator(t: &[u8], end: usize) -> Option<usize> {
    let mut at = end;
    let own = quote(t, at);
    if let Some(q) = own {
        at += q.len;
        at += usize::from(t.get(at) == Some(&b']'));
    }
    at = blanks(t, at, 8);
    at += newline(t, at).filter(|_| wide(t, at)).unwrap_or(0);
    match t.get(at)? {
        b':' | b'=' => at += 1 + usize::from(matches!(t.get(at + 1), Some(b'>' | b'='))),
        b',' if own.is_some() => at += 1,
        _ => return None,
    }
    at = past_break(t, at);
    let prefix = usize::from(
        matches!(t.get(at), Some(b'b' | b'f' | b'r' | b'`' | b'$')) && quote(t, at + 1).is_some(),
    );
    if let Some(q) = quote(t, at + prefix) {
        at += prefix + q.len;
    }
    (at < t.len()).then_some(at)
}
