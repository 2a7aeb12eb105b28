//! Telling a secret from a stand-in, an identifier or a word: by the pairs of letters it is made of, never by a
//! list of the values themselves.

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

/// Tells whether a value can be a password that a user chose. `loose` where nothing else but a password can
/// stand (an environment assignment, a flag): there a plain word counts too.
pub(super) fn password(value: &[u8], loose: bool) -> bool {
    let least = if loose { 4 } else { 6 };
    if value.len() < least || stand_in(value) || value.iter().any(u8::is_ascii_whitespace) {
        return false;
    }
    if value.starts_with(b"/") || value.starts_with(b"./") || value.starts_with(b"~/") || has(value, b"://") {
        return false;
    }
    let s = Shape::of(value);
    let symbols = value
        .iter()
        .filter(|b| matches!(b, b'!' | b'@' | b'#' | b'%' | b'^' | b'&' | b'*' | b'+' | b'?' | b'~'))
        .count();
    let letters = s.lower + s.upper;
    if letters == 0 {
        return s.digits == value.len() && (s.digits >= 6 || loose);
    }
    s.digits > 0 || symbols > 0 || (loose && letters >= 6) || (s.upper > 0 && s.lower > 0 && !s.wordy())
}

/// Tells whether a value only stands in for a secret: a variable, a template, a mask, an ellipsis, a type, or one
/// of the words that documentation puts there.
pub(super) fn stand_in(value: &[u8]) -> bool {
    let first = value.first().copied().unwrap_or(0);
    if matches!(first, b'<' | b'$' | b'{' | b'[' | b'(' | b'&' | b'\\')
        || (matches!(first, b'@' | b'%' | b'*') && value.len() < 8)
        || value.starts_with(b"%(")
    {
        return true;
    }
    // Nearly no value has any of these, and one look tells.
    let marked =
        value.iter().any(|b| matches!(b, b'.' | b'$' | b'{' | b'<' | b'*' | b'(' | b':' | b'@' | 0xe2));
    marked && MARKS.iter().any(|mark| has(value, mark.as_bytes()))
        || Shape::of(value).regular()
        || stand_in_word(value)
}

const MARKS: &[&str] = &["...", "…", "${", "{{", "<secret:", "***", "(", "process.env", "@env", "env.", "::"];

fn stand_in_word(value: &[u8]) -> bool {
    let mut small = [0u8; 32];
    let small = &mut small[..value.len().min(32)];
    small.copy_from_slice(&value[..small.len()]);
    small.make_ascii_lowercase();
    WORDS.iter().any(|w| w.as_bytes() == small)
        || (PARTS.iter().any(|p| has(small, p.as_bytes())) && !random(value, 16))
}

const PARTS: &[&str] = &[
    "your",
    "xxxx",
    "changeme",
    "change_me",
    "change-me",
    "placeholder",
    "redacted",
    "replace",
    "insert",
    "dummy",
    "_here",
    "-here",
    "goes",
];
const WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "secret",
    "token",
    "string",
    "none",
    "null",
    "nil",
    "true",
    "false",
    "undefined",
    "required",
    "optional",
    "example",
    "default",
    "value",
    "prompt",
    "stdin",
    "test",
    "todo",
    "hidden",
    "masked",
    "unset",
    "empty",
    "enabled",
    "disabled",
    "username",
    "user",
    "base64",
    "sha256",
    "sha512",
    "utf8",
    "utf-8",
    "mypassword",
    "my-password",
    "my_password",
    "mysecret",
    "my-secret",
    "p@ssword",
    "secretkey",
    "apikey",
    "api_key",
    "api-key",
    "pass123",
    "bearer",
    "basic",
    "string?",
    "secret_key",
    "md5",
];

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
        let mut s = Shape {
            digits: 0,
            lower: 0,
            upper: 0,
            distinct: 0,
            pairs: 0,
            common: 0,
            runs: 0,
            len: value.len(),
        };
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
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    a.is_ascii_lowercase() && b.is_ascii_lowercase() && FOLLOWS[(a - b'a') as usize] >> (b - b'a') & 1 == 1
}

const FOLLOWS: [u32; 26] = {
    let rows: [&[u8]; 26] = [
        b"bcdgilmnprstuvy",
        b"aeijloruy",
        b"acehikloprtuy",
        b"adeiorsuy",
        b"acdefglmnprstvwxy",
        b"aefiortu",
        b"aeghilnorsu",
        b"aeiortu",
        b"abcdefglmnoprstvz",
        b"aeous",
        b"einsy",
        b"adefiklmopstuy",
        b"abeimopsu",
        b"acdegiknostuvy",
        b"abcdfgiklmnoprstuvw",
        b"aehiloprstu",
        b"u",
        b"acdegiklmnoprstuvy",
        b"acehiklmopstuwy",
        b"acehilorstuwy",
        b"abcdegilmnprst",
        b"aeio",
        b"aehinors",
        b"aceipt",
        b"eiopst",
        b"aeio",
    ];
    let mut bits = [0; 26];
    let mut i = 0;
    while i < 26 {
        let mut j = 0;
        while j < rows[i].len() {
            bits[i] |= 1 << (rows[i][j] - b'a');
            j += 1;
        }
        i += 1;
    }
    bits
};

/// Tells whether `text` has `part` in it.
pub(super) fn has(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}
