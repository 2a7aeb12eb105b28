//! Passwords and tokens in the authority of a URL: `scheme://user:password@host`.

use crate::otel::scrub::text::{newline, steps, unit};
use crate::otel::scrub::{Finds, judge, token};

/// Looks at the authority that starts at `from`, after the `://` whose colon is at `end`.
pub(super) fn detect(t: &[u8], end: usize, from: usize, finds: &mut Finds) {
    // Nearly no URL has a user: look for the end of the authority, or the sign, first.
    let ahead = &t[from..t.len().min(from + 512)];
    let stop = ahead
        .iter()
        .position(|b| matches!(b, b'@' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\') || *b <= b' ');
    steps(stop.unwrap_or(ahead.len()));
    if !stop.is_some_and(|n| matches!(ahead[n], b'@' | b'\n' | b'\r' | b'\\')) {
        return;
    }
    let scheme = t[..end]
        .iter()
        .rev()
        .take(20)
        .take_while(|b| b.is_ascii_alphanumeric() || b"+.-".contains(b))
        .count();
    let scheme = &t[end - scheme..end];
    let database = DATABASES
        .iter()
        .any(|d| scheme.len() >= d.len() && judge::has(&scheme.to_ascii_lowercase(), d.as_bytes()));
    let Some((colon, sign)) = authority(t, from, database) else { return };
    match colon {
        Some(colon) if sign > colon + 1 => {
            let start = colon + 1 + newline(t, colon + 1).unwrap_or(0);
            let (user, password) = (&t[from..colon], &t[start.min(sign)..sign]);
            if !token::at(t, colon + 1) && secret(user, password) {
                finds.add(colon + 1..sign, "url-password");
            }
        }
        None if sign > from && !token::at(t, from) && judge::random(&t[from..sign], 20) => {
            finds.add(from..sign, "url-token");
        }
        _ => {}
    }
}

const DATABASES: &[&str] = &[
    "postgres",
    "mysql",
    "maria",
    "mongo",
    "redis",
    "amqp",
    "mssql",
    "sqlserver",
    "jdbc",
    "clickhouse",
    "oracle",
];

fn secret(user: &[u8], password: &[u8]) -> bool {
    let default = password == user && password.len() < 9;
    let name = password.iter().all(|b| b.is_ascii_uppercase() || *b == b'_') || password.ends_with(b"]");
    let word = STAND_INS.iter().any(|w| password.eq_ignore_ascii_case(w.as_bytes()));
    password.len() >= 4 && !(default || name || word || judge::stand_in(password))
}

const STAND_INS: &[&str] = &["pass", "passwd", "secret"];

/// Finds the first colon and the last `@` of an authority. A database's password may have an unescaped `/` in it:
/// what follows the colon is then no port.
fn authority(t: &[u8], from: usize, database: bool) -> Option<(Option<usize>, usize)> {
    let (mut colon, mut sign, mut at) = (None, None, from);
    while at < t.len() && at - from < 512 {
        let (b, len) = unit(t, at);
        match b {
            b'@' => sign = Some(at),
            b':' if colon.is_none() && sign.is_none() => colon = Some(at),
            b'/' | b'#' | b'?' => {
                let port = colon.is_none_or(|c| t[c + 1..at].iter().all(u8::is_ascii_digit));
                if sign.is_some() || port || !database {
                    break;
                }
            }
            b'\n' | b'\r' | b'\\' => match newline(t, at) {
                Some(n) if sign.is_none() && wrapped(t, colon, at, at + n) => {
                    at += n;
                    continue;
                }
                _ => break,
            },
            b' ' | b'\t' | b'"' | b'\'' | b'`' | b'<' | b'>' => break,
            b'(' | b')' | b'{' | b'}' | b'|' | b',' | b';' if !database => break,
            _ => {}
        }
        at += len.max(1);
    }
    steps(at - from);
    sign.map(|s| (colon.filter(|c| *c < s), s))
}

/// Tells whether a line break at `end` may stand inside a user or a password: what follows has the rest of both.
fn wrapped(t: &[u8], colon: Option<usize>, end: usize, next: usize) -> bool {
    let rest =
        t[next..].iter().take(80).take_while(|b| b.is_ascii_graphic() && !b"\"'/<>".contains(b)).count();
    steps(rest);
    let rest = &t[next..next + rest];
    let Some(sign) = rest.iter().position(|b| *b == b'@') else { return false };
    match colon {
        Some(colon) => colon + 1 == end || !t[colon + 1..end].iter().all(u8::is_ascii_digit),
        None => rest[..sign].contains(&b':'),
    }
}
