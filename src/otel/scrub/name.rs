//! Secrets known by what they are assigned to: `export NAME_TOKEN=…`, `"api_key": "…"`, `password: …`,
//! `--password …`, `("X-Api-Key", "…")`, `<password>…</password>`, `?access_token=…`.

use crate::otel::scrub::rules::Class;
use crate::otel::scrub::text::{Quote, blanks, newline, quote, run, starts, steps, unit, wide};
use crate::otel::scrub::{Finds, judge, token};

/// Looks for an assignment to the name that has the four bytes at `at` in it.
pub(super) fn detect(t: &[u8], at: usize, finds: &mut Finds) {
    let end = at + name_len(&t[at..]);
    if !matches!(
        t.get(end),
        Some(b'=' | b':' | b' ' | b'\t' | b'"' | b'\'' | b'\\' | b'>' | b'&' | b'`' | b'%' | b'\n' | b'\r')
    ) {
        return;
    }
    let back = t[..at].iter().rev().take(NAME).take_while(|b| in_name(**b)).count();
    let mut start = at - back;
    if start > 0 && t[start - 1] == b'\\' && matches!(t[start], b'n' | b't' | b'r') {
        start += 1;
    }
    while start < at && matches!(t[start], b'-' | b'.') {
        start += 1;
    }
    steps(end - start);
    if let Some(name) = Name::read(&t[start..end]) {
        assigned(t, start, end, name, finds);
    }
}

/// Looks for an assignment to a name that a line break has cut in two: `left..line end` and `next..`.
pub(super) fn detect_split(t: &[u8], left: usize, line_end: usize, next: usize, finds: &mut Finds) {
    let end = next + name_len(&t[next..]);
    if !matches!(t.get(end), Some(b'=' | b':' | b'"' | b'\'' | b'\\')) || !starts(t, left) {
        return;
    }
    let whole = [&t[left..line_end], &t[next..end]].concat();
    if let Some(name) = Name::read(&whole) {
        assigned(t, left, end, name, finds);
    }
}

const NAME: usize = 64;

fn in_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

fn name_len(t: &[u8]) -> usize {
    t.iter().take(NAME).take_while(|b| in_name(**b)).count()
}

/// What a name says about its value.
#[derive(Clone, Copy)]
struct Name {
    kind: &'static str,
    /// People choose passwords; machines issue the rest.
    chosen: bool,
    upper: bool,
    /// Any sort of key, of a store or a ticket as well.
    vague: bool,
}

impl Name {
    fn read(raw: &[u8]) -> Option<Name> {
        let upper = raw.iter().any(u8::is_ascii_uppercase) && !raw.iter().any(u8::is_ascii_lowercase);
        let mut plain: Vec<u8> =
            raw.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
        while plain.last().is_some_and(u8::is_ascii_digit) {
            plain.pop();
        }
        for tail in TAILS {
            if let Some(rest) = plain.strip_suffix(tail.as_bytes()) {
                plain.truncate(rest.len());
            }
        }
        let is = |word: &str| plain.ends_with(word.as_bytes());
        let has = |word: &str| judge::has(&plain, word.as_bytes());
        let pass = is("pass")
            && (plain == b"pass"
                || raw.iter().rev().skip(4).take(2).any(|b| matches!(b, b'_' | b'-' | b'.')))
            || ["dbpass", "userpass", "smtppass", "ftppass", "sshpass"].iter().any(|w| is(w));
        if pass || ["password", "passwd", "passphrase", "passcode", "pwd"].iter().any(|w| is(w)) {
            return (!other(&plain)).then_some(Name { kind: "password", chosen: true, upper, vague: false });
        }
        let mut vague = false;
        let kind = if is("token") || is("tokenvalue") {
            if has("aws") || has("amzsecurity") { "aws-session-token" } else { "token" }
        } else if is("secretaccesskey") || (has("aws") && is("secretkey")) {
            "aws-secret-key"
        } else if is("accountkey") || is("storagekey") || is("sharedaccesskey") {
            "azure"
        } else if is("secret") {
            "secret"
        } else if is("apikey") || is("appkey") || is("subscriptionkey") {
            if has("arize") || has("phoenix") { "arize" } else { "api-key" }
        } else if is("spacekey") {
            "arize"
        } else if KEYS.iter().any(|w| is(w)) {
            "key"
        } else if upper && is("key") && raw.len() > 3 {
            vague = true;
            "key"
        } else if is("credential") || is("credentials") || is("auth") {
            "credential"
        } else {
            return None;
        };
        (!other(&plain)).then_some(Name { kind, chosen: false, upper, vague })
    }
}

const TAILS: &[&str] = &["production", "prod", "staging", "dev", "live", "base", "primary", "secondary"];
const KEYS: &[&str] = &[
    "accesskey",
    "secretkey",
    "privatekey",
    "authkey",
    "signingkey",
    "encryptionkey",
    "sharedkey",
    "masterkey",
    "servicekey",
    "servicerolekey",
    "applicationkey",
    "deploykey",
    "webhookkey",
    "hmackey",
    "aeskey",
    "jwtkey",
    "adminkey",
    "serverkey",
    "licensekey",
    "clientkey",
    "integrationkey",
    "writekey",
    "consumerkey",
];
/// Names of keys and tokens that are no secrets.
const OTHERS: &[&str] = &[
    "public",
    "primarykey",
    "foreignkey",
    "cache",
    "sortkey",
    "partition",
    "idempotency",
    "pagetoken",
    "nexttoken",
    "continuation",
    "cursor",
    "pagination",
    "synctoken",
    "sitekey",
    "pubkey",
    "hostkey",
    "gpgkey",
    "tokenizer",
    "fingerprint",
];

fn other(plain: &[u8]) -> bool {
    OTHERS.iter().any(|w| judge::has(plain, w.as_bytes()))
}

/// Where a value stands decides what it may look like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between quotes.
    Quoted,
    /// Where nothing but the value can stand: `export NAME=…`, `--name …`, `<name>…</name>`.
    Sure,
    /// After the name of an option, where prose may stand too.
    Flag,
    /// After `:` or a spaced `=`: a value only if it is all of the line.
    Line,
    /// After a tight `=`: a query, a connection string, a log line.
    Tight,
}

fn assigned(t: &[u8], start: usize, end: usize, name: Name, finds: &mut Finds) {
    let Some((place, from, quoted)) = locate(t, start, end, name) else { return };
    if from < t.len() && token::at(t, from) {
        return;
    }
    let to = match quoted {
        Some(q) => match closing(t, from, q) {
            Some(to) => to,
            None => run(t, from, Class::Any, 0, 0).whole(t, Class::Any),
        },
        None => bare(t, from, place),
    };
    if to <= from || to > t.len() {
        return;
    }
    let value = &t[from..to];
    steps(value.len().min(512));
    let sure = place == Place::Sure || (name.upper && matches!(t.get(end), Some(b'=' | b'\n' | b'\r')));
    let plain = run(t, from, Class::Any, if quoted.is_some() { value.len().min(256) } else { 0 }, 0);
    let body =
        if plain.end >= to || plain.len >= 256 { plain.body() } else { &value[..value.len().min(256)] };
    if (quoted.is_none() && place != Place::Sure && path(body)) || judge::stand_in(body) {
        return;
    }
    // A list of pairs has a comma after the value, but so has a program; only there a value must look random.
    if quoted.is_none() && !ends_well(t, from, to, place) && (name.chosen || !judge::random(body, 20)) {
        return;
    }
    let hit = if name.vague {
        // A path, the key of a cache and the name of a ticket have parts.
        judge::random(body, 16) && !body.iter().any(|b| matches!(b, b'/' | b'.' | b':' | b' '))
    } else if name.chosen || (sure && name.kind == "secret") {
        let phrase: Vec<u8> = value.iter().copied().filter(|b| !sure || *b != b' ').collect();
        judge::password(if quoted.is_none() { body } else { &phrase }, sure)
    } else {
        judge::random(body, if sure || place == Place::Flag { 8 } else { 16 }) && !body.contains(&b' ')
    };
    if hit {
        let to = if quoted.is_none() { to.max(plain.whole(t, Class::Any)) } else { to };
        finds.add(from..to, name.kind);
    }
}

/// Finds the value: past the name's own quote, the separator, a type, a literal's prefix or a constructor's name.
fn locate(t: &[u8], start: usize, end: usize, name: Name) -> Option<(Place, usize, Option<Quote>)> {
    let mut at = end;
    let own = quote(t, at);
    if let Some(q) = own {
        at += q.len;
        at += usize::from(t.get(at) == Some(&b']'));
    }
    let mut gap = blanks(t, at, 16);
    if let Some(n) = newline(t, gap).filter(|n| wide(t, gap) && matches!(t.get(gap + n), Some(b'=' | b':'))) {
        gap += n;
    }
    let (b, len) = unit(t, gap);
    let flag = t[..start].ends_with(b"-") && !t[..start].ends_with(b"---");
    let mut place = Place::Line;
    match b {
        b':' | b'=' => {
            let (b2, len2) = unit(t, gap + len);
            at = gap + len;
            match (b, b2) {
                (b':', b':') => return None,
                (_, b'=' | b'>') => at += len2,
                _ => {}
            }
            if b == b'='
                && (gap == end || newline(t, end).is_some())
                && !matches!(t.get(at), Some(b' ' | b'\t'))
            {
                place = if name.upper {
                    Place::Sure
                } else if flag {
                    Place::Flag
                } else {
                    Place::Tight
                };
            }
        }
        b'>' if own.is_none() && t[..start].ends_with(b"<") => {
            let to = bare(t, gap + 1, Place::Sure);
            return t[to..].starts_with(b"</").then_some((Place::Sure, gap + 1, None));
        }
        b',' if own.is_some_and(|q| start > q.len && matches!(t[start - q.len - 1], b'(' | b'[')) => {
            at = gap + 1
        }
        b'%' if word3d(t, gap) => (place, at) = (Place::Tight, gap + 3),
        _ if (flag || netrc(t, start, name)) && own.is_none() && gap > end => {
            (place, at) = (Place::Flag, gap)
        }
        _ => return None,
    }
    let mut from = blanks(t, at, 16);
    if from == at
        && let Some(len) = newline(t, at)
        && b == b'='
    {
        from += len;
        let rest = run(t, from, Class::Any, 0, 0);
        return (wide(t, at) || judge::random(rest.body(), 20)).then_some((place, from, None));
    }
    if let Some(q) = quote(t, from) {
        return Some((Place::Quoted, from + q.len, Some(q)));
    }
    let ahead = &t[from..t.len().min(from + 48)];
    if b == b':'
        && let Some(n) = ahead.iter().position(|b| !b.is_ascii_alphanumeric() && !b"_&'<>[] .:|?".contains(b))
        && ahead[n] == b'='
    {
        from = blanks(t, from + n + 1, 16);
    }
    let head = t[from..]
        .iter()
        .take(40)
        .take_while(|b| b.is_ascii_alphanumeric() || b"_:@$&#(!".contains(b))
        .count();
    if head > 0
        && let Some(q) = quote(t, from + head)
        && (head == 1 || t[from + head - 1] == b'(' || (head == 2 && t[from..].starts_with(b"r#")))
    {
        return Some((Place::Quoted, from + head + q.len, Some(q)));
    }
    // Who writes a comma between a quoted name and the value writes the value between quotes too.
    (b != b',').then_some((place, from, None))
}

fn word3d(t: &[u8], at: usize) -> bool {
    t.get(at..at + 3).is_some_and(|w| w.eq_ignore_ascii_case(b"%3d"))
}

/// Finds the end of a quoted value: the same quote, no more deeply escaped. A value has no blank line breaks, and
/// few bytes outside the alphabets of tokens, so no text is read over and over.
fn closing(t: &[u8], from: usize, q: Quote) -> Option<usize> {
    let mut at = from;
    let mut odd = 0;
    while let Some(&b) = t.get(at) {
        steps(1);
        if let Some(end) = quote(t, at).filter(|e| e.mark == q.mark && e.depth <= q.depth) {
            return (end.len > 0).then_some(at);
        }
        let slashes = crate::otel::scrub::text::backslashes(t, at);
        odd += usize::from(!Class::Dot.has(b) && !matches!(b, b'+' | b'/'));
        if odd > 32 {
            return None;
        }
        at += if slashes > 0 { slashes + usize::from(at + slashes < t.len()) } else { 1 };
    }
    None
}

/// Finds the end of a value without quotes.
fn bare(t: &[u8], from: usize, place: Place) -> usize {
    let mut at = from;
    let mut odd = 0;
    while let Some(&b) = t.get(at) {
        steps(1);
        let stop = match b {
            b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'`' | 0x1b => true,
            b'\\' => {
                newline(t, at).is_some()
                    || quote(t, at).is_some()
                    || t.get(at + 1) == Some(&b't')
                    || unit(t, at).0 == 0x1b
            }
            b'<' | b'>' => place != Place::Sure || b == b'<',
            b'&' | b';' | b'|' => {
                place != Place::Sure
                    || t.get(at + 1).is_none_or(u8::is_ascii_whitespace)
                    || t.get(at + 1) == Some(&b)
            }
            b',' | b')' | b']' | b'}' => {
                place != Place::Line || t.get(at + 1).is_none_or(u8::is_ascii_whitespace)
            }
            _ => false,
        };
        if stop || odd > 16 {
            break;
        }
        odd += usize::from(!Class::Dot.has(b) && !matches!(b, b'+' | b'/'));
        at += 1;
    }
    at
}

/// Tells whether a name stands in a line of a .netrc file: `machine HOST login USER password …`.
fn netrc(t: &[u8], start: usize, name: Name) -> bool {
    name.chosen && judge::has(&t[start.saturating_sub(64)..start], b"login ")
}

/// Tells whether what follows a value without quotes lets it be a value rather than a piece of a program.
fn ends_well(t: &[u8], from: usize, to: usize, place: Place) -> bool {
    let next = t.get(to).copied();
    let line_end = |at: usize| {
        at >= t.len() || newline(t, at).is_some() || quote(t, at).is_some() || unit(t, at).0 == 0x1b
    };
    match place {
        Place::Sure => true,
        Place::Flag => t.get(from) != Some(&b'-'),
        Place::Line => line_end(to) || t[to..].starts_with(b" #") || line_end(blanks(t, to, 8)),
        _ => !matches!(next, Some(b',' | b')' | b'(' | b'[')),
    }
}

/// Tells whether a value is the path of a variable (`self.token`, `config.api_key`), an element or a URL.
fn path(value: &[u8]) -> bool {
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
