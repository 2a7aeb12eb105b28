//! Numbers, times and foreign text as a user reads them, in a given width.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::delivery::archive::DeliveryState;
use crate::text::printable;
use crate::time::Timestamp;

/// The first line of a text that says something, made harmless for a terminal.
pub fn first_line(text: &str) -> String {
    printable(text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or_default())
}

/// Returns how many columns a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Cuts a text to `columns`, with `…` for what is left out.
pub fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > columns {
            break;
        }
        used += wide;
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// Cuts or fills a text to exactly `columns`.
pub fn pad(text: &str, columns: usize) -> String {
    let mut out = fit(text, columns);
    let used = width(&out);
    out.extend(std::iter::repeat_n(' ', columns.saturating_sub(used)));
    out
}

/// As [`pad`], with the text at the right.
pub fn pad_left(text: &str, columns: usize) -> String {
    let text = fit(text, columns);
    let fill = columns.saturating_sub(width(&text));
    format!("{}{text}", " ".repeat(fill))
}

/// The last part of a directory's path.
pub fn folder_name(path: &str) -> String {
    let windows = path.as_bytes().get(1) == Some(&b':') || path.starts_with(r"\\");
    path.rsplit(|c| c == '/' || (c == '\\' && windows)).find(|p| !p.is_empty()).unwrap_or(path).to_owned()
}

/// Returns where a turn lies, in a word.
pub fn place_name(place: DeliveryState) -> &'static str {
    match place {
        DeliveryState::Sent => "delivered",
        DeliveryState::SentInPart => "delivered in part",
        DeliveryState::Waiting => "waiting",
        DeliveryState::SetAside => "set aside",
        DeliveryState::Deleted => "deleted",
        DeliveryState::Dry => "dry run",
    }
}

/// A number with thousands apart: `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things: `1 turn`, `12,345 turns`.
pub fn counted(number: u64, one: &str) -> String {
    format!("{} {one}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A number in at most five characters: `987`, `12.3k`, `4.5M`.
pub fn short(number: u64) -> String {
    let scaled = |unit: u64, name: &str| {
        let tenths = number / (unit / 10);
        if tenths >= 1000 {
            format!("{}{name}", tenths / 10)
        } else {
            format!("{}.{}{name}", tenths / 10, tenths % 10)
        }
    };
    match number {
        0..=9_999 => number.to_string(),
        10_000..=999_999 => scaled(1_000, "k"),
        1_000_000..=999_999_999 => scaled(1_000_000, "M"),
        _ => scaled(1_000_000_000, "G"),
    }
}

/// A moment in the user's own time, in a `strftime` format.
pub fn local(at: Timestamp, format: &str) -> String {
    let seconds = i64::try_from(at.as_millis() / 1000).unwrap_or_default();
    let Ok(moment) = jiff::Timestamp::from_second(seconds) else { return String::new() };
    moment.to_zoned(jiff::tz::TimeZone::system()).strftime(format).to_string()
}

/// The milliseconds since 1970 of the day, in the user's own time, in which a moment lies.
pub fn local_day(at: Timestamp) -> Option<std::ops::Range<u64>> {
    let moment = jiff::Timestamp::from_millisecond(i64::try_from(at.as_millis()).ok()?).ok()?;
    let first = moment.to_zoned(jiff::tz::TimeZone::system()).start_of_day().ok()?;
    let next = first.tomorrow().ok()?.start_of_day().ok()?;
    let ms = |day: &jiff::Zoned| u64::try_from(day.timestamp().as_millisecond()).unwrap_or(0);
    Some(ms(&first)..ms(&next))
}

/// The beginning of an id, enough to name it again.
pub fn short_id(id: &str) -> &str {
    id.get(..SHORT_ID).unwrap_or(id)
}

/// The time in a version 7 UUID, to the millisecond: `01a20338-2c12`.
const SHORT_ID: usize = 13;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::lasted;
    use std::time::Duration;

    #[test]
    fn texts_fit_their_columns() {
        assert_eq!(fit("hello", 5), "hello");
        assert_eq!(fit("hello", 4), "hel…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("hello", 0), "");
        assert_eq!((pad("日", 4), pad_left("7", 3)), ("日  ".to_owned(), "  7".to_owned()));
        assert_eq!(first_line("\n  \n a\u{1b}[31mb\u{202e}c\nd"), "a [31mb c");
    }

    #[test]
    fn numbers_and_durations_are_short() {
        let shown = [0, 9_999, 10_000, 123_456, 1_000_000, 2_345_678_901].map(short);
        assert_eq!(shown, ["0", "9999", "10.0k", "123k", "1.0M", "2.3G"]);
        assert_eq!((grouped(999), grouped(1_234_567)), ("999".to_owned(), "1,234,567".to_owned()));
        let times = [3, 2_400, 59_949, 59_960, 185_000, 7_800_000, 33_040_980_000]
            .map(Duration::from_millis)
            .map(lasted);
        assert_eq!(times, ["3 ms", "2.4 s", "59.9 s", "0m 59s", "3m 05s", "2h 10m", "382d 10h"]);
    }
}
