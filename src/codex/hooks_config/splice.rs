//! Edits of a text by byte ranges, and where lines, list items and comments begin and end in it.
//!
//! Codex's file is never printed from a parsed form: what no edit touches keeps its bytes.

use std::ops::Range;

/// Edits collected against one text and applied together.
#[derive(Debug, Default)]
pub struct Splices {
    edits: Vec<(Range<usize>, String)>,
}

impl Splices {
    pub fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.edits.push((at..at, text.into()));
    }

    pub fn replace(&mut self, range: Range<usize>, text: impl Into<String>) {
        self.edits.push((range, text.into()));
    }

    pub fn delete(&mut self, range: Range<usize>) {
        self.edits.push((range, String::new()));
    }

    /// The edited text. Of two edits that overlap, what both delete is deleted once.
    pub fn apply(mut self, text: &str) -> String {
        self.edits.sort_by_key(|(range, _)| (range.start, range.end));
        let mut edited = String::with_capacity(text.len() + 256);
        let mut at = 0;
        for (range, new) in self.edits {
            if range.start > at {
                edited.push_str(&text[at..range.start]);
            }
            edited.push_str(&new);
            at = at.max(range.end);
        }
        edited.push_str(&text[at..]);
        edited
    }
}

/// The start of the line that holds `at`; a byte order mark belongs to no line.
pub fn line_start(text: &str, at: usize) -> usize {
    match text[..at].rfind('\n') {
        Some(newline) => newline + 1,
        None if text.starts_with(BYTE_ORDER_MARK) => BYTE_ORDER_MARK.len_utf8().min(at),
        None => 0,
    }
}

/// The end of the line that holds `at`, its line break included.
pub fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |n| at + n + 1)
}

/// The whole lines that hold a range.
pub fn lines(text: &str, range: &Range<usize>) -> Range<usize> {
    line_start(text, range.start)..line_end(text, range.end)
}

/// The line before the one that starts at `start`, without its line break.
pub fn line_before(text: &str, start: usize) -> Option<(Range<usize>, &str)> {
    let end = start.checked_sub(1).filter(|e| text.as_bytes().get(*e) == Some(&b'\n'))?;
    let from = line_start(text, end);
    Some((from..start, text[from..end].trim_end_matches('\r')))
}

/// The line break this text is written with.
pub fn line_break(text: &str) -> &'static str {
    match text.find('\n') {
        Some(n) if text[..n].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Returns where the comma after `at` ends, white space and comments passed over; `None` when something else
/// comes first.
pub fn comma_after(text: &str, at: usize) -> Option<usize> {
    let mut in_comment = false;
    for (n, c) in text[at..].char_indices() {
        match c {
            '\n' => in_comment = false,
            _ if in_comment => {}
            '#' => in_comment = true,
            ',' => return Some(at + n + 1),
            c if c.is_whitespace() => {}
            _ => return None,
        }
    }
    None
}

/// Returns where the white space before `at` begins, line breaks included.
pub fn blank_before(text: &str, at: usize) -> usize {
    text[..at].trim_end_matches([' ', '\t', '\r', '\n']).len()
}

/// The edits that take items out of a list of `open` + items between commas; `gone` says which.
pub fn delete_items(text: &str, open: usize, items: &[Range<usize>], gone: &[bool], splices: &mut Splices) {
    if gone.iter().all(|g| *g) {
        if let Some(last) = items.last() {
            splices.delete(open..comma_after(text, last.end).unwrap_or(last.end));
        }
        return;
    }
    let first_kept = gone.iter().position(|g| !g).unwrap_or(0);
    let last_kept = gone.iter().rposition(|g| !g).unwrap_or(0);
    let last = items.len() - 1;
    let ends_with_comma = comma_after(text, items[last].end).is_some();
    for (n, item) in items.iter().enumerate().filter(|(n, _)| gone[*n]) {
        if n < first_kept {
            splices.delete(item.start..items[n + 1].start);
        } else if n < last_kept || ends_with_comma {
            let comma = comma_after(text, item.end).unwrap_or(item.end);
            splices.delete(blank_before(text, item.start)..comma);
        } else {
            let comma = comma_after(text, items[n - 1].end).unwrap_or(item.start);
            splices.delete(comma.saturating_sub(1)..comma);
            splices.delete(blank_before(text, item.start).max(items[n - 1].end)..item.end);
        }
    }
}

/// The mark some editors put before the first character of a file.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

#[cfg(test)]
mod tests {
    use super::*;

    fn without(text: &str, gone: &[&str]) -> String {
        let open = text.find('[').unwrap() + 1;
        let items: Vec<Range<usize>> =
            ["AA", "BB", "CC"].iter().filter_map(|i| text.find(i).map(|at| at..at + 2)).collect();
        let flags: Vec<bool> = items.iter().map(|r| gone.contains(&&text[r.clone()])).collect();
        let mut splices = Splices::default();
        delete_items(text, open, &items, &flags, &mut splices);
        splices.apply(text)
    }

    #[test]
    fn items_leave_list_with_their_comma() {
        for (text, gone, left) in [
            ("[AA, BB]", vec!["BB"], "[AA]"),
            ("[AA, BB]", vec!["AA"], "[BB]"),
            ("[ AA]", vec!["AA"], "[]"),
            ("[AA, BB,]", vec!["BB"], "[AA,]"),
            ("[\n  AA, # a\n  BB,\n]", vec!["BB"], "[\n  AA, # a\n]"),
            ("[AA, BB, CC]", vec!["BB"], "[AA, CC]"),
            ("[AA, BB, CC]", vec!["BB", "CC"], "[AA]"),
            ("[AA, BB, CC]", vec!["AA", "BB"], "[CC]"),
            ("[AA, BB, CC,]", vec!["AA", "BB", "CC"], "[]"),
            ("[AA # a\n, BB]", vec!["BB"], "[AA # a\n]"),
            ("[AA, # a\n BB, # b\n CC]", vec!["BB"], "[AA, # a # b\n CC]"),
        ] {
            assert_eq!(without(text, &gone), left, "{text} without {gone:?}");
        }
    }

    #[test]
    fn byte_order_mark_is_kept_out_of_first_line() {
        assert_eq!(line_start("\u{feff}a = 1", 5), 3);
        assert_eq!(line_before("\u{feff}a\r\nb", 6), Some((3..6, "a")));
        assert_eq!(line_before("\u{feff}a", 3), None);
    }

    #[test]
    fn edits_keep_what_they_do_not_touch() {
        let mut splices = Splices::default();
        splices.replace(4..6, "XY");
        splices.insert(0, "<");
        splices.delete(2..4);
        splices.insert(10, ">");
        assert_eq!(splices.apply("0123456789"), "<01XY6789>");
        let mut overlapping = Splices::default();
        overlapping.delete(2..6);
        overlapping.delete(3..4);
        overlapping.delete(5..8);
        assert_eq!(overlapping.apply("0123456789"), "0189");
    }

    #[test]
    fn lines_hold_their_line_break() {
        let text = "ab\ncd\r\n\nef";
        for (at, line) in [(0, 0..3), (2, 0..3), (3, 3..7), (5, 3..7), (7, 7..8), (8, 8..10), (10, 8..10)] {
            assert_eq!((line_start(text, at), line_end(text, at)), (line.start, line.end), "{at}");
        }
        assert_eq!(lines(text, &(1..4)), 0..7);
        assert_eq!(line_before(text, 3), Some((0..3, "ab")));
        assert_eq!(line_before(text, 8), Some((7..8, "")));
        assert_eq!((line_before(text, 0), line_before(text, 5)), (None, None));
        assert_eq!((line_break(text), line_break("a\r\nb\n"), line_break("a")), ("\n", "\r\n", "\n"));
        assert_eq!(line_start("\u{feff}a", 0), 0, "before the mark");
    }

    #[test]
    fn comma_is_found_behind_comments() {
        for (text, at, found) in [
            ("a, b", 1, Some(2)),
            ("a # x, y\n\t , b", 1, Some(12)),
            ("a b,", 1, None),
            ("a # x,", 1, None),
            ("a", 1, None),
        ] {
            assert_eq!(comma_after(text, at), found, "{text}");
        }
        assert_eq!((blank_before("a \t\r\n b", 6), blank_before("ab", 1)), (1, 1));
    }
}
