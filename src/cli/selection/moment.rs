//! Moments as people name them: `30m` ago, `2026-11-26`, `yesterday`, `this week`.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan, Zoned};
use std::time::Duration;

use crate::time::Timestamp;

/// A moment, or a day, week or month, relative to the present where its name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Ago(Duration),
    At(Timestamp),
    Local(DateTime),
    Day(Date),
    /// As many days before today.
    DayBefore(i64),
    /// As many weeks before this one. Weeks begin on Monday.
    Week(i64),
    Month(i64),
}

impl Moment {
    /// Reads a moment.
    ///
    /// # Errors
    /// When the text names none, as a sentence for the user.
    pub fn parse(text: &str) -> Result<Moment, String> {
        let text = text.trim();
        let words = text.to_ascii_lowercase().replace(['-', '_'], " ");
        let named = NAMES.iter().find(|(name, _)| *name == words).map(|(_, moment)| *moment);
        named
            .or_else(|| parse_duration(text).map(Moment::Ago))
            .or_else(|| text.parse::<Date>().ok().filter(|_| text.len() == DATE_LEN).map(Moment::Day))
            .or_else(|| Timestamp::parse(text).map(Moment::At))
            .or_else(|| text.parse::<DateTime>().ok().filter(|_| text.len() > DATE_LEN).map(Moment::Local))
            .ok_or_else(|| {
                format!(
                    "invalid time {text}; use 30m, 24h, 7d, 2026-11-26, today, yesterday, \"this week\" or \
                     \"this month\""
                )
            })
    }

    /// The moment itself, or the beginning of the day, week or month.
    pub fn start(self, now: Timestamp) -> Timestamp {
        self.bounds(now).map_or(Timestamp::default(), |(start, _)| start)
    }

    /// The moment itself, or the end of the day, week or month.
    pub fn end(self, now: Timestamp) -> Timestamp {
        self.bounds(now).map_or(now, |(_, end)| end)
    }

    fn bounds(self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        self.bounds_in(&zoned(now)?, now)
    }

    fn bounds_in(self, here: &Zoned, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let today = here.date();
        let (first, length): (Date, Span) = match self {
            Moment::Ago(duration) => {
                let at = now.minus(duration);
                return Some((at, at));
            }
            Moment::At(at) => return Some((at, at)),
            Moment::Local(moment) => {
                let at = timestamp(&moment.to_zoned(here.time_zone().clone()).ok()?);
                return Some((at, at));
            }
            Moment::Day(day) => (day, 1.day()),
            Moment::DayBefore(days) => (today.checked_sub(days.days()).ok()?, 1.day()),
            Moment::Week(weeks) => {
                let into = i64::from(today.weekday().to_monday_zero_offset());
                (today.checked_sub((into + 7 * weeks).days()).ok()?, 7.days())
            }
            Moment::Month(months) => (today.first_of_month().checked_sub(months.months()).ok()?, 1.month()),
        };
        let midnight = |day: Date| Some(timestamp(&day.to_zoned(here.time_zone().clone()).ok()?));
        Some((midnight(first)?, midnight(first.checked_add(length).ok()?)?))
    }
}

fn zoned(at: Timestamp) -> Option<Zoned> {
    Some(jiff::Timestamp::from_nanosecond(i128::from(at.as_nanos())).ok()?.to_zoned(TimeZone::system()))
}

fn timestamp(at: &Zoned) -> Timestamp {
    Timestamp::from_nanos(u64::try_from(at.timestamp().as_nanosecond()).unwrap_or_default())
}

/// Reads `90s`, `30m`, `24h`, `7d` or `2w`; a number alone counts as seconds.
fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        "w" => 7 * 24 * 3600,
        _ => return None,
    };
    let number: u64 = digits.parse().ok()?;
    Some(Duration::from_secs(number.saturating_mul(unit)))
}

const NAMES: [(&str, Moment); 7] = [
    ("now", Moment::Ago(Duration::ZERO)),
    ("today", Moment::DayBefore(0)),
    ("yesterday", Moment::DayBefore(1)),
    ("this week", Moment::Week(0)),
    ("last week", Moment::Week(1)),
    ("this month", Moment::Month(0)),
    ("last month", Moment::Month(1)),
];
/// `2026-11-26`.
const DATE_LEN: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_unit() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("30m", 1800), ("24h", 86400), (" 7d ", 604_800)] {
            assert_eq!(Moment::parse(text), Ok(Moment::Ago(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["", "h", "-1h", "1.5h", "1y", "1 h", "é", "2026-13-01", "someday", "2026-11"] {
            assert!(Moment::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn days_weeks_and_months_have_a_beginning_and_an_end() {
        let here: Zoned = "2026-11-27T08:30:00+01:00[Europe/Berlin]"
            .parse()
            .unwrap_or_else(|_| "2026-11-27T08:30:00+01:00[+01:00]".parse().unwrap());
        let bounds = |text: &str| {
            let moment = Moment::parse(text).unwrap();
            let (start, end) = moment.bounds_in(&here, timestamp(&here)).unwrap();
            let show = |at: Timestamp| {
                let at = jiff::Timestamp::from_nanosecond(i128::from(at.as_nanos())).unwrap();
                at.to_zoned(here.time_zone().clone()).strftime("%m-%d %H:%M").to_string()
            };
            (show(start), show(end))
        };
        for (text, start, end) in [
            ("today", "11-27 00:00", "11-28 00:00"),
            ("yesterday", "11-26 00:00", "11-27 00:00"),
            ("2026-11-26", "11-26 00:00", "11-27 00:00"),
            ("this week", "11-23 00:00", "11-30 00:00"),
            ("last-week", "11-16 00:00", "11-23 00:00"),
            ("This Month", "11-01 00:00", "12-01 00:00"),
            ("last month", "10-01 00:00", "11-01 00:00"),
            ("30m", "11-27 08:00", "11-27 08:00"),
            ("2026-11-26T10:00", "11-26 10:00", "11-26 10:00"),
            ("2026-11-26T10:00:00Z", "11-26 11:00", "11-26 11:00"),
        ] {
            assert_eq!(bounds(text), (start.to_owned(), end.to_owned()), "{text}");
        }
    }
}
