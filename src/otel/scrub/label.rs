//! What a name says about the value that is assigned to it.

use crate::otel::scrub::judge::{self, JUDGED, Trust};
use crate::otel::scrub::words::{KEYS, OTHERS, TAILS};

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
        let mut buffer = [0u8; NAME];
        let mut len = 0;
        for b in raw.iter().take(NAME).filter(|b| b.is_ascii_alphanumeric()) {
            buffer[len] = b.to_ascii_lowercase();
            len += 1;
        }
        let mut plain = &buffer[..len];
        while let [rest @ .., b'0'..=b'9'] = plain {
            plain = rest;
        }
        for tail in TAILS {
            plain = plain.strip_suffix(tail.as_bytes()).unwrap_or(plain);
        }
        let name = |kind| Name { kind, chosen: false, upper, vague: false, short: plain == b"pass" };
        let found =
            Name::kind(plain, raw, upper).map(|(kind, chosen, vague)| Name { chosen, vague, ..name(kind) });
        found.filter(|_| !OTHERS.iter().any(|w| judge::has(plain, w.as_bytes())))
    }

    /// Returns the kind, whether people choose the value, and whether the name is vague.
    fn kind(plain: &[u8], raw: &[u8], upper: bool) -> Option<(&'static str, bool, bool)> {
        let is = |word: &str| plain.ends_with(word.as_bytes());
        let any = |words: &[&str]| words.iter().any(|w| is(w));
        let has = |word: &str| judge::has(plain, word.as_bytes());
        let apart = || raw.iter().rev().skip(4).take(2).any(|b| matches!(b, b'_' | b'-' | b'.'));
        let pass = is("pass") && (plain == b"pass" || apart())
            || any(&["dbpass", "userpass", "smtppass", "ftppass", "sshpass"]);
        if pass || any(&["password", "passwd", "passphrase", "passcode", "pwd"]) {
            return Some(("password", true, false));
        }
        let kind = if any(&["token", "tokenvalue"]) {
            if has("aws") || has("amzsecurity") { "aws-session-token" } else { "token" }
        } else if is("secretaccesskey") || (has("aws") && is("secretkey")) {
            "aws-secret-key"
        } else if any(&["accountkey", "storagekey", "sharedaccesskey"]) {
            "azure"
        } else if is("secret") {
            "secret"
        } else if any(&["apikey", "appkey", "subscriptionkey"]) {
            if has("arize") || has("phoenix") { "arize" } else { "api-key" }
        } else if is("spacekey") {
            "arize"
        } else if any(KEYS) {
            "key"
        } else if is("key") && raw.len() > 5 && raw[..2].eq_ignore_ascii_case(b"x-") {
            "api-key"
        } else if upper && is("key") && raw.len() > 3 {
            return Some(("key", false, true));
        } else if any(&["credential", "credentials", "auth"]) && !is("oauth") {
            "credential"
        } else {
            return None;
        };
        Some((kind, false, false))
    }

    /// Tells whether a value can be that of this name.
    pub(super) fn takes(&self, value: &[u8], trust: Trust, least: usize) -> bool {
        let judged = &value[..value.len().min(JUDGED)];
        if self.short && !(judged.is_ascii() && judged.iter().any(u8::is_ascii_digit)) {
            return false;
        }
        let fits = if self.vague {
            // A path, the key of a cache and the name of a ticket have parts.
            judge::random(judged, 16) && !judged.iter().any(|b| matches!(b, b'/' | b'.' | b':' | b' '))
        } else if self.chosen || (trust == Trust::Sure && self.kind == "secret") {
            judge::password(judged, trust) && !(self.short && judged.iter().all(u8::is_ascii_digit))
        } else {
            judge::random(judged, least)
                && !judged.iter().any(|b| matches!(b, b' ' | b'\\'))
                && !judge::has(judged, b"://")
        };
        fits && !judge::stands_in(judged, trust != Trust::Doubtful)
    }
}

/// No name is longer.
pub(super) const NAME: usize = 64;
