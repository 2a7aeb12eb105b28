//! Secrets that were encoded in base64 together with their names: a file of variables, a manifest, a configuration.

use crate::otel::scrub::header::LENIENT;
use crate::otel::scrub::scan::{Rank, Scan};
use base64::Engine;

/// Words that tell of a secret, as base64 has them in each of its three positions.
pub(super) fn keys() -> Vec<String> {
    let words = [
        "PASSWORD", "Password", "password", "_TOKEN", "_SECRET", "API_KEY", "_KEY=", "token\"", "secret\"",
        "_key\"", "_token", "_secret", "://",
    ];
    let mut keys = Vec::new();
    for word in words {
        for shift in 0..3 {
            let text = [&b"\0\0"[..shift], word.as_bytes()].concat();
            let code = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&text);
            // The first and the last letters depend on what stands beside the word.
            let (from, to) = ([0, 2, 3][shift], text.len() * 8 / 6);
            keys.push(code[from..to].to_owned());
        }
    }
    keys.retain(|key| key.len() > 3);
    keys
}

impl Scan<'_> {
    /// Looks at a run of base64 that has such a word in it: if the text it stands for has a secret, all of it goes.
    pub(super) fn encoded(&mut self, at: usize) {
        let t = self.t;
        if at < self.encoded_end || self.depth > 0 {
            return;
        }
        let part = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
        let from = at - t[self.encoded_end..at].iter().rev().take(MOST).take_while(part).count();
        let end = at + t[at..].iter().take(MOST).take_while(part).count();
        self.encoded_end = end;
        let run = &t[from..end];
        if run.len() < 12 {
            return;
        }
        let whole = run.len() - usize::from(run.len() % 4 == 1);
        let Ok(text) = LENIENT.decode(&run[..whole]) else { return };
        let odd = text.iter().filter(|b| !(b' '..=b'~').contains(*b) && !b"\n\r\t".contains(b)).count();
        if odd * 20 <= text.len() && !(self.search)(&text, self.depth + 1).is_empty() {
            let padding = t[end..].iter().take(2).take_while(|b| **b == b'=').count();
            self.add(from, from..end + padding, "base64", Rank::Form);
        }
    }
}

/// No encoded file is longer.
const MOST: usize = 1024 * 1024;
