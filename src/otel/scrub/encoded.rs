//! Secrets that were encoded in base64 together with their names: a file of variables, a manifest, a configuration.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::otel::scrub::scan::{Rank, Scan};
use crate::otel::scrub::value::{run, run_back};

impl Scan<'_> {
    /// Looks at a run of base64 that has such a word in it: if the text it stands for has a secret, all of it goes.
    pub(super) fn encoded(&mut self, at: usize) {
        let t = self.t;
        if at < self.read.encoded || self.depth > 0 {
            return;
        }
        let part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
        let from = at - run_back(&t[self.read.encoded..at], MOST, part);
        let end = at + run(&t[at..], MOST, part);
        self.read.encoded = end;
        let Some(text) = decode(&t[from..end]) else { return };
        let odd = text.iter().filter(|b| !(b' '..=b'~').contains(*b) && !b"\n\r\t".contains(b)).count();
        if odd * 20 <= text.len() && !(self.search)(&text, self.depth + 1).is_empty() {
            let padding = run(&t[end..], 2, |b| b == b'=');
            self.add(from, from..end + padding, "base64", Rank::Form);
        }
    }
}

/// Reads base64 in either of its alphabets, with or without its padding, cut anywhere.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text.iter().filter(|b| **b != b'=').map(|b| [*b, b'+', b'/'][plain(*b)]).collect();
    LENIENT.decode(&text[..text.len() - usize::from(text.len() % 4 == 1)]).ok()
}

fn plain(b: u8) -> usize {
    memchr::memchr(b, b"-_").map_or(0, |n| n + 1)
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// No encoded file is longer.
const MOST: usize = 1024 * 1024;
