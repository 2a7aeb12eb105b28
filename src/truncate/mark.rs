//! The mark that ends a cut text, and cuts of text that is no JSON.

use std::borrow::Cow;

/// The mark that ends a cut value: how many of its bytes were dropped.
pub fn cut_mark(dropped: u64, total: u64) -> String {
    format!("… [cut: {dropped} of {total} bytes]")
}

/// Cuts a text that has yet to be searched for secrets, as [`cut`] does, and never inside a word.
pub fn cut_at_word(text: &str, limit: usize) -> Cow<'_, str> {
    let (body, total) = split_mark(text);
    if body.len() <= limit {
        return Cow::Borrowed(text);
    }
    let kept = &body[..body.floor_char_boundary(limit)];
    let kept = &kept[..kept.floor_char_boundary(whole_words(kept.as_bytes()))];
    Cow::Owned(format!("{kept}{}", cut_mark(total.saturating_sub(kept.len() as u64).max(1), total)))
}

/// Cuts a text to `limit` bytes and its mark. A text that is cut already keeps its original length in the mark.
pub fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    let (body, total) = split_mark(text);
    if body.len() <= limit {
        return Cow::Borrowed(text);
    }
    let kept = &body[..body.floor_char_boundary(limit)];
    Cow::Owned(format!("{kept}{}", cut_mark(total.saturating_sub(kept.len() as u64).max(1), total)))
}

/// A text without its cut mark, and how many bytes it had before it was cut. Secrets that were replaced since may have
/// made what was kept shorter or longer.
pub fn split_mark(text: &str) -> (&str, u64) {
    match mark_of(text) {
        Some((at, _, total)) => (&text[..at], total),
        None => (text, text.len() as u64),
    }
}

/// Returns where the mark at the end of a text begins, and its two numbers.
pub(super) fn mark_of(text: &str) -> Option<(usize, u64, u64)> {
    let inner = text.strip_suffix(" bytes]")?;
    let at = inner.rfind("… [cut: ")?;
    let (dropped, total) = inner[at + "… [cut: ".len()..].split_once(" of ")?;
    let (dropped, total) = (dropped.parse().ok()?, total.parse().ok()?);
    (dropped > 0 && dropped <= total).then_some((at, dropped, total))
}

/// The placeholder of a withheld text, which keeps its length in characters.
pub fn withheld(text: &str) -> Cow<'_, str> {
    let placeholder = text
        .strip_prefix("<redacted (")
        .and_then(|rest| rest.strip_suffix(" chars)>"))
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    if text.is_empty() || placeholder {
        return Cow::Borrowed(text);
    }
    let (kept, total) = split_mark(text);
    let chars = kept.chars().count() as u64 + total.saturating_sub(kept.len() as u64);
    Cow::Owned(format!("<redacted ({chars} chars)>"))
}

/// Returns how much of a text that was cut at its end is whole words: up to the last space, or escape of
/// JSON, or else punctuation, not too far back. What lies behind is plain characters.
pub(super) fn whole_words(text: &[u8]) -> usize {
    let from = text.len().saturating_sub(MAX_WORD_BYTES);
    let window = &text[from..];
    let space = window.iter().rposition(|b| b.is_ascii_whitespace() || *b == b'\\');
    let punctuation = || window.iter().rposition(|b| b"\"'`,;<>()[]{}|".contains(b));
    let Some(at) = space.or_else(punctuation).map(|at| from + at) else { return text.len() };
    if text[at] != b'\\' {
        return at + 1;
    }
    let slashes = text[..=at].iter().rev().take_while(|b| **b == b'\\').count();
    let escape = match (slashes % 2, text.get(at + 1)) {
        (0, _) => 1,
        (_, Some(b'u')) => 6,
        _ => 2,
    };
    (at + escape).min(text.len())
}

/// No key written in one piece is longer; a longer word is data, and is cut anywhere.
const MAX_WORD_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_twice_keeps_the_first_length() {
        let once = cut("0123456789", 6);
        assert_eq!(once, "012345… [cut: 4 of 10 bytes]");
        assert_eq!(cut(&once, 6), once);
        assert_eq!(cut(&once, 2), "01… [cut: 8 of 10 bytes]");
        assert_eq!(cut("short", 6), "short");
        assert_eq!(split_mark("x… [cut: 9 of 1 bytes]"), ("x… [cut: 9 of 1 bytes]", 24));
    }
}
