//! Passwords and tokens in the authority of a URL: `scheme://user:password@host`.

use crate::otel::scrub::judge;
use crate::otel::scrub::scan::{Rank, Scan};
use crate::otel::scrub::words::DATABASES;

impl Scan<'_> {
    /// Looks at the authority behind the `://` at `at`.
    pub(super) fn url(&mut self, at: usize) {
        let (t, from) = (self.t, at + 3);
        // Nearly no URL has a user: look for the end of the authority, or the sign, first.
        let stop = self.ends.authority(t, from);
        if t.get(stop) != Some(&b'@') || stop - from > MOST {
            return;
        }
        let ahead = &t[from..t.len().min(from + MOST)];
        let scheme =
            t[..at].iter().rev().take(20).take_while(|b| b.is_ascii_alphanumeric() || b"+.-".contains(b));
        let scheme = t[at - scheme.count()..at].to_ascii_lowercase();
        let database = DATABASES.iter().any(|d| judge::has(&scheme, d.as_bytes()));
        let Some((colon, sign)) = authority(ahead, database) else { return };
        let (colon, sign) = (colon.map(|c| from + c), from + sign);
        match colon {
            Some(colon) if sign > colon + 1 && is_secret(&t[from..colon], &t[colon + 1..sign]) => {
                self.add(at - scheme.len(), colon + 1..sign, "url-password", Rank::Place);
            }
            None if sign > from && judge::random(&t[from..sign], 20) => {
                self.add(at - scheme.len(), from..sign, "url-token", Rank::Place);
            }
            _ => {}
        }
    }
}

fn is_secret(user: &[u8], password: &[u8]) -> bool {
    let default = password == user && password.len() < 9;
    let name = password.iter().all(|b| b.is_ascii_uppercase() || *b == b'_') || password.ends_with(b"]");
    let word = STAND_INS.iter().any(|w| password.eq_ignore_ascii_case(w.as_bytes()));
    password.len() >= 4 && !(default || name || word || judge::stands_in(password, true))
}

const STAND_INS: &[&str] = &["pass", "passwd", "secret", "port", "pserver:anoncvs"];

/// Finds the first colon and the last `@` of an authority. A database's password may have an unescaped `/` in it:
/// what follows the colon is then no port.
fn authority(t: &[u8], database: bool) -> Option<(Option<usize>, usize)> {
    let (mut colon, mut sign) = (None, None);
    for (at, b) in t.iter().enumerate() {
        match b {
            b'@' => sign = Some(at),
            b':' if colon.is_none() && sign.is_none() => colon = Some(at),
            b'/' | b'#' | b'?' => {
                let port = colon.is_none_or(|c| t[c + 1..at].iter().all(u8::is_ascii_digit));
                if sign.is_some() || port || *b == b'/' && !database {
                    break;
                }
            }
            b'"' | b'\'' | b'`' | b'<' | b'>' | 0..=b' ' => break,
            b'(' | b')' | b'{' | b'}' | b'|' | b',' | b';' | b'\\' if !database => break,
            _ => {}
        }
    }
    sign.map(|s| (colon.filter(|c| *c < s), s))
}

/// No authority is longer.
const MOST: usize = 512;
