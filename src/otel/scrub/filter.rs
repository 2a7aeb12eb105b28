//! The prefilter: finds in one pass the few places at which a detector is worth a call. Every detector is bound to
//! four bytes, letters in any case; a bit set of their hashes says no for nearly all of ordinary text. The tables
//! are built by the compiler, so a process that scrubs nothing pays nothing.

use crate::otel::scrub::rules::{INNER, RULES};

/// What stands at a place besides, or instead of, a prefix of [`RULES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Special {
    None,
    /// The start of a name such as `password`, `token` or `_key`.
    Name,
    Url,
    Authorization,
    Bearer,
    Cookie,
    Jwt,
    Telegram,
    Discord,
    AzureClient,
    Twilio,
    Command,
    UserFlag,
    Signature,
    Webhook,
    Inner,
    EncodedPem,
    Pem,
}

#[derive(Clone, Copy)]
pub(super) struct Entry {
    gram: u32,
    pub(super) token: bool,
    pub(super) special: Special,
}

/// Returns the first place at or after `from` whose four bytes are bound to a detector.
pub(super) fn next(text: &[u8], from: usize) -> Option<(usize, Entry)> {
    let mut at = from;
    loop {
        let hit = text.get(at..)?.windows(4).position(|w| match *w {
            [a, b, c, d] => {
                let h = hash(fold(a, b, c, d));
                TABLES.bits[(h >> 6) as usize & (WORDS - 1)] >> (h & 63) & 1 == 1
            }
            _ => false,
        })?;
        at += hit;
        if let Some(entry) = lookup(&text[at..]) {
            return Some((at, entry));
        }
        at += 1;
    }
}

/// Like [`lookup`], but asks the bit set first: for places of which most have no detector.
pub(super) fn lookup_fast(text: &[u8]) -> Option<Entry> {
    let &[a, b, c, d, ..] = text else { return None };
    let h = hash(fold(a, b, c, d));
    if TABLES.bits[(h >> 6) as usize & (WORDS - 1)] >> (h & 63) & 1 == 0 { None } else { lookup(text) }
}

/// Returns the detector bound to the first four bytes of `text`.
fn lookup(text: &[u8]) -> Option<Entry> {
    let &[a, b, c, d, ..] = text else { return None };
    let gram = fold(a, b, c, d);
    let mut slot = hash(gram) as usize & (SLOTS - 1);
    loop {
        let entry = TABLES.slots[slot];
        if entry.gram == gram {
            return Some(entry);
        }
        if entry.gram == 0 {
            return None;
        }
        slot = (slot + 1) & (SLOTS - 1);
    }
}

const WORDS: usize = 4096;
const SLOTS: usize = 8192;
static TABLES: Tables = Tables::build();

struct Tables {
    bits: [u64; WORDS],
    slots: [Entry; SLOTS],
}

const EMPTY: Entry = Entry { gram: 0, token: false, special: Special::None };

/// Anchors in lower case, `?` for any byte a token may have there, `#` for a digit, `%` for a hex digit.
const SPECIALS: &[(&str, Special)] = &[
    ("pass", Special::Name),
    ("_pwd", Special::Name),
    ("pwd=", Special::Name),
    ("pwd:", Special::Name),
    ("pwd\"", Special::Name),
    ("pwd'", Special::Name),
    ("pwd\\", Special::Name),
    ("pwd ", Special::Name),
    ("secr", Special::Name),
    ("toke", Special::Name),
    ("apik", Special::Name),
    ("_key", Special::Name),
    ("-key", Special::Name),
    (".key", Special::Name),
    ("skey", Special::Name),
    ("tkey", Special::Name),
    ("ekey", Special::Name),
    ("hkey", Special::Name),
    ("gkey", Special::Name),
    ("dkey", Special::Name),
    ("nkey", Special::Name),
    ("rkey", Special::Name),
    ("ckey", Special::Name),
    ("pkey", Special::Name),
    ("cred", Special::Name),
    ("?://", Special::Url),
    (":\\/\\", Special::Url),
    ("auth", Special::Authorization),
    ("bear", Special::Bearer),
    ("cook", Special::Cookie),
    ("eyj?", Special::Jwt),
    (":aa?", Special::Telegram),
    ("#q~?", Special::AzureClient),
    ("sk%%", Special::Twilio),
    ("mysq", Special::Command),
    ("mari", Special::Command),
    ("sshp", Special::Command),
    ("redi", Special::Command),
    ("dock", Special::Command),
    (" -u ", Special::UserFlag),
    ("-use", Special::UserFlag),
    ("sig=", Special::Signature),
    ("-sig", Special::Signature),
    ("slac", Special::Webhook),
    ("webh", Special::Webhook),
    ("ls0t", Special::EncodedPem),
    ("begi", Special::Pem),
    ("y---", Special::Pem),
    ("y --", Special::Pem),
    ("k---", Special::Pem),
    ("e-li", Special::Pem),
];

const ANY: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789-_.+/=";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Returns how many bytes a byte of a pattern stands for.
const fn choices(p: u8) -> usize {
    match p {
        b'?' => ANY.len(),
        b'#' => 10,
        b'%' => 16,
        _ => 1,
    }
}

const fn choice(p: u8, n: usize) -> u8 {
    match p {
        b'?' => ANY[n],
        b'#' => b'0' + n as u8,
        b'%' => b"0123456789abcdef"[n],
        _ => p,
    }
}

const fn fold(a: u8, b: u8, c: u8, d: u8) -> u32 {
    u32::from_le_bytes([a, b, c, d]) | 0x2020_2020
}

const fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(0x9E37_79B1) >> 14
}

impl Tables {
    const fn build() -> Tables {
        let mut t = Tables { bits: [0; WORDS], slots: [EMPTY; SLOTS] };
        let mut i = 0;
        while i < RULES.len() {
            t.expand(RULES[i].prefix.as_bytes(), true, Special::None);
            i += 1;
        }
        i = 0;
        while i < INNER.len() {
            t.expand(INNER[i].mark.as_bytes(), false, Special::Inner);
            i += 1;
        }
        i = 0;
        while i < SPECIALS.len() {
            t.expand(SPECIALS[i].0.as_bytes(), false, SPECIALS[i].1);
            i += 1;
        }
        t.discord();
        t
    }

    /// Adds every four bytes that the pattern stands for; a pattern of three bytes stands for any fourth.
    const fn expand(&mut self, p: &[u8], token: bool, special: Special) {
        let fourth = if p.len() > 3 { p[3] } else { b'?' };
        let (a, b, c, d) = (choices(p[0]), choices(p[1]), choices(p[2]), choices(fourth));
        let mut n = 0;
        while n < a * b * c * d {
            let gram = fold(
                choice(p[0], n % a),
                choice(p[1], n / a % b),
                choice(p[2], n / (a * b) % c),
                choice(fourth, n / (a * b * c)),
            );
            self.add(gram, token, special);
            n += 1;
        }
    }

    /// A Discord token starts with the base64 of a decimal number: nine hundred forms of its first three digits.
    const fn discord(&mut self) {
        let mut n = 100;
        while n < 1000 {
            let (x, y, z) = (b'0' + (n / 100) as u8, b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8);
            self.add(
                fold(
                    BASE64[(x >> 2) as usize],
                    BASE64[((x & 3) << 4 | y >> 4) as usize],
                    BASE64[((y & 15) << 2 | z >> 6) as usize],
                    BASE64[(z & 63) as usize],
                ),
                false,
                Special::Discord,
            );
            n += 1;
        }
    }

    const fn add(&mut self, gram: u32, token: bool, special: Special) {
        let h = hash(gram);
        self.bits[(h >> 6) as usize & (WORDS - 1)] |= 1 << (h & 63);
        let mut slot = h as usize & (SLOTS - 1);
        while self.slots[slot].gram != 0 && self.slots[slot].gram != gram {
            slot = (slot + 1) & (SLOTS - 1);
        }
        let old = self.slots[slot];
        self.slots[slot] = Entry {
            gram,
            token: old.token || token,
            special: if matches!(special, Special::None) { old.special } else { special },
        };
    }
}
