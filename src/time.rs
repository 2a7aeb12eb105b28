//! Moments, as nanoseconds since 1970 in UTC, and how foreign formats write them.

use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment in nanoseconds since 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    pub const fn from_nanos(nanos: u64) -> Timestamp {
        Timestamp(nanos)
    }

    /// Takes milliseconds; a negative time and one past the year 2500 are clamped.
    pub fn from_millis(millis: i64) -> Timestamp {
        Timestamp((millis.max(0) as u64).min(LATEST_MILLIS) * 1_000_000)
    }

    /// Reads an RFC 3339 time, as rollout lines carry it.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let at: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(at.as_nanosecond()).ok().filter(|n| *n <= LATEST_MILLIS * 1_000_000).map(Timestamp)
    }

    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The time from `earlier` to this moment, zero when it is not earlier.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    pub fn plus(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The moment `duration` before this one, not before 1970.
    pub fn minus(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The time of creation inside a UUID of version 7, as Codex's thread and turn ids are.
    pub fn of_uuid_v7(id: &str) -> Option<Timestamp> {
        let hex: String = id.chars().filter(|c| *c != '-').collect();
        if hex.len() != 32 || hex.as_bytes()[12] != b'7' {
            return None;
        }
        i64::from_str_radix(hex.get(..12)?, 16).ok().map(Timestamp::from_millis)
    }
}

/// A duration in at most eight characters: `3 ms`, `2.4 s`, `3m 05s`, `2h 10m`, `382d 10h`.
pub fn lasted(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match duration.as_millis() {
        0..=999 => format!("{} ms", duration.as_millis()),
        1_000..=59_949 => format!("{:.1} s", duration.as_secs_f64()),
        _ if seconds < 3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ if seconds < 1000 * 3600 => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// The present moment; 1970 on a clock set before it.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

const LATEST_MILLIS: u64 = 16_725_225_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rollout_times_and_uuid_times_agree() {
        let line = Timestamp::parse("2026-11-22T12:25:36.172Z").unwrap();
        let id = Timestamp::of_uuid_v7("01a20338-12a8-70e0-af71-2abbd9056370").unwrap();
        assert_eq!(line.as_millis(), 1_795_350_336_172);
        assert!(id.since(line) < Duration::from_secs(1) && line.since(id) < Duration::from_secs(1));
    }

    #[test]
    fn foreign_times_never_overflow() {
        assert_eq!(Timestamp::from_millis(-5).as_nanos(), 0);
        assert_eq!(Timestamp::from_millis(i64::MAX).as_millis(), LATEST_MILLIS);
        for text in ["", "yesterday", "9999-12-31T23:59:59Z", "1900-01-01T00:00:00Z"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
        assert_eq!(Timestamp::of_uuid_v7("é1a20338-12a8-70e0-af71-2abbd905637"), None);
    }
}
