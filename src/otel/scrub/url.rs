//! Passwords and tokens in the authority of a URL: `scheme://user:password@host`.

use crate::otel::scrub::judge::{self, JUDGED};
use crate::otel::scrub::scan::{Rank, Scan};
use crate::otel::scrub::table::shapes::NAMES_PASSWORD;
use crate::otel::scrub::table::syntax::{DATABASE_USER, USER};
use crate::otel::scrub::table::words::{DATABASES, STORES};
use crate::otel::scrub::value::{End, run_back};

impl Scan<'_> {
    /// Looks at the authority behind the `://` at `at`.
    pub(super) fn url(&mut self, at: usize) {
        let (t, from) = (self.t, at + 3);
        // Nearly no URL has a user: look for the end of the authority, or the sign, first.
        let stop = self.end(End::Authority, from);
        if t.get(stop) != Some(&b'@') || stop - from > MOST {
            return;
        }
        let scheme = run_back(&t[..at], 20, |b| b.is_ascii_alphanumeric() || b"+.-".contains(&b));
        let name = t[at - scheme..at].to_ascii_lowercase();
        let database = DATABASES.iter().any(|d| judge::has(&name, d.as_bytes()));
        let users = if database { &DATABASE_USER } else { &USER };
        let Some(user) = users.find(self.ahead(from, MOST)) else { return };
        let sign = from + user.end - 1;
        match memchr::memchr(b':', &t[from..sign]).map(|n| from + n) {
            Some(colon) if is_secret(&t[from..colon], &t[colon + 1..sign]) => {
                self.add(at - scheme, colon + 1..sign, "url-password", Rank::Place);
            }
            None if judge::random(&t[from..sign], 20) && !STORES.contains(&&name[..name.len().min(4)]) => {
                self.add(at - scheme, from..sign, "url-token", Rank::Place);
            }
            _ => {}
        }
    }
}

/// Tells whether a password in a URL is more than a name of what stands there.
fn is_secret(user: &[u8], password: &[u8]) -> bool {
    let judged = &password[..password.len().min(JUDGED)];
    let default = password == user && password.len() < 9;
    password.len() >= 4
        && !default
        && NAMES_PASSWORD.find(judged).is_none()
        && !judge::stands_in(judged, true)
}

/// No authority is longer.
const MOST: usize = 512;
