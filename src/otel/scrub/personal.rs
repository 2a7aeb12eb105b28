//! Personal data, which are replaced when the user asks for it: card numbers and bank accounts by their checksums, and
//! e-mail addresses.

use std::borrow::Cow;

use crate::otel::scrub::lazy::Lazy;
use crate::otel::scrub::scan::{Finding, Rank};

/// Adds the personal data of a text.
pub(super) fn detect(text: &str, list: &mut Vec<Finding>) {
    for (kind, regex, holds) in &SHAPES {
        let found = regex.find_iter(text.as_bytes()).filter(|m| holds(text, m.start, m.end));
        list.extend(found.map(|range| Finding { range, kind: Cow::Borrowed(kind), rank: Rank::Place }));
    }
}

type Check = fn(&str, usize, usize) -> bool;

static SHAPES: [(&str, Lazy, Check); 3] = [
    ("card", Lazy::new(r"\b[2-6][0-9]{3}(?:[ -]?[0-9]){9,15}\b"), is_card),
    ("iban", Lazy::new(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}\b"), is_iban),
    ("email", Lazy::new(EMAIL), is_email),
];
const EMAIL: &str = r"(?i)\b[a-z0-9._%+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*\.[a-z]{2,24}\b";

/// Tells whether digits add up as those of a card do (Luhn).
fn is_card(text: &str, start: usize, end: usize) -> bool {
    let digits: Vec<u32> = text[start..end].chars().filter_map(|c| c.to_digit(10)).collect();
    let sum = digits.iter().rev().enumerate().map(|(n, d)| match n % 2 {
        0 => *d,
        _ => d * 2 / 10 + d * 2 % 10,
    });
    let varied = digits.windows(2).any(|pair| pair[0] != pair[1]);
    // A part of a longer number, of a fraction or of an id is none.
    let apart = |b: Option<&u8>| !b.is_some_and(|b| matches!(b, b'.' | b'-' | b'_'));
    let bytes = text.as_bytes();
    let alone = apart(start.checked_sub(1).and_then(|n| bytes.get(n)))
        && apart(bytes.get(end).filter(|b| **b != b'.'));
    (13..=19).contains(&digits.len()) && varied && alone && sum.sum::<u32>() % 10 == 0
}

/// Tells whether a bank account has the check digits of its own (ISO 13616).
fn is_iban(text: &str, start: usize, end: usize) -> bool {
    let plain: Vec<u8> = text[start..end].bytes().filter(|b| *b != b' ').collect();
    let turned = plain[4..].iter().chain(&plain[..4]);
    let rest = turned.fold(0u32, |rest, b| match b {
        b'0'..=b'9' => (rest * 10 + u32::from(b - b'0')) % 97,
        _ => (rest * 100 + u32::from(b - b'A') + 10) % 97,
    });
    (15..=34).contains(&plain.len()) && rest == 1
}

/// Tells whether an address is a user's: not the user of a remote repository.
fn is_email(text: &str, start: usize, end: usize) -> bool {
    let remote = text[start..end].starts_with("git@") && text.as_bytes().get(end) == Some(&b':');
    !remote && !text[..start].ends_with("://") && !text[..start].ends_with(':')
}

#[cfg(test)]
mod tests {
    use crate::otel::scrub::Scrubber;

    #[test]
    fn personal_data_go_only_when_asked() {
        let text =
            "4111 1111 1111 1111, 5500-0000-0000-0004, DE89 3704 0044 0532 0130 00, a.b@corp.example.com.";
        assert_eq!(Scrubber::new(&[]).scrub(text), text);
        let out = Scrubber::new(&[]).with_personal_data(true).scrub(text).into_owned();
        assert_eq!(out, "<secret:card>, <secret:card>, <secret:iban>, <secret:email>.");
        assert_eq!(Scrubber::new(&[]).with_personal_data(true).scrub(&out), out);
    }

    #[test]
    fn numbers_that_do_not_add_up_stay() {
        let scrubber = Scrubber::new(&[]).with_personal_data(true);
        for text in [
            "4111 1111 1111 1112",
            "0000 0000 0000 0000",
            "DE88 3704 0044 0532 0130 00",
            "1795350300000000000",
            "git@github.com:owner/repo.git",
            "version 4.111111111111111 and id 4111111111111111-17",
            "@types/node npm@10",
        ] {
            assert_eq!(scrubber.scrub(text), text);
        }
    }
}
