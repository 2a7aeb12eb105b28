//! Spans of time as people give them: `90s`, `30m`, `24h`, `7d`, `2w`.

use std::time::Duration;

/// Reads a span of time; a number alone counts as seconds.
///
/// # Errors
/// When it is none, as a sentence for the user who gave it.
pub fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        "w" => 7 * 24 * 3600,
        _ => return Err(format!("{text} is no time such as 30m, 24h or 7d")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("{text} is no time such as 30m, 24h or 7d"))?;
    Ok(Duration::from_secs(number.saturating_mul(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_are_read_in_every_unit() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("30m", 1800), ("24h", 86400), (" 7d ", 604_800)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "h", "-1h", "1.5h", "1y", "1 h", "é"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
