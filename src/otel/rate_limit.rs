//! How much of an account's rate limits is used up, as Codex reports it behind each response.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

use crate::time::Timestamp;

/// One window of an account's limits at the end of a turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// How long the window is; 0 where nobody says.
    #[serde(rename = "w", default)]
    pub minutes: u64,
    /// The used part, in thousandths.
    #[serde(rename = "u", default)]
    pub used: u64,
    /// When it begins anew, in seconds since 1970; 0 where nobody says.
    #[serde(rename = "z", default)]
    pub resets_at: u64,
}

/// Reads the `rate_limits` of Codex's `token_count`: `primary` and `secondary`, each with `used_percent`,
/// `window_minutes` and `resets_at`, or as older releases write it `resets_in_seconds`.
pub fn parse(json: &str, at: Timestamp) -> Vec<RateLimit> {
    let Ok(limits) = serde_json::from_str::<Value>(json) else { return Vec::new() };
    let one = |name: &str| {
        let window = limits.get(name)?;
        let percent = window.get("used_percent")?.as_f64().filter(|p| (0.0..=MOST_PERCENT).contains(p))?;
        let number = |name: &str| window.get(name).and_then(Value::as_u64);
        let later = |seconds| at.plus(Duration::from_secs(seconds)).as_millis() / 1000;
        Some(RateLimit {
            minutes: number("window_minutes").unwrap_or(0),
            used: (percent * 10.0).round() as u64,
            resets_at: number("resets_at").or(number("resets_in_seconds").map(later)).unwrap_or(0),
        })
    };
    ["primary", "secondary"].into_iter().filter_map(one).collect()
}

impl RateLimit {
    /// Returns true if both are states of the same window: of the same length, and begun anew at about the same time.
    pub fn is_same_window(&self, other: &RateLimit) -> bool {
        self.minutes == other.minutes && self.resets_at.abs_diff(other.resets_at) <= SAME_RESET_SECONDS
    }

    /// `5 h`, `7 d`: the length of the window.
    pub fn window(&self) -> String {
        match self.minutes {
            0 => "limit".to_owned(),
            m if m % 1440 == 0 => format!("{} d", m / 1440),
            m if m % 60 == 0 => format!("{} h", m / 60),
            m => format!("{m} min"),
        }
    }

    /// The used part as a percentage.
    pub fn percent(&self) -> f64 {
        self.used as f64 / 10.0
    }
}

/// More than anybody can have used.
const MOST_PERCENT: f64 = 10_000.0;
/// Codex works the moment out anew with each response.
const SAME_RESET_SECONDS: u64 = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_both_forms_are_read() {
        let at = Timestamp::from_millis(1_000_000_000);
        let json = r#"{"primary": {"used_percent": 12.34, "window_minutes": 300, "resets_at": 1000500},
            "secondary": {"used_percent": 3, "window_minutes": 10080, "resets_in_seconds": 60}, "credits": {}}"#;
        let limits = parse(json, at);
        let shown: Vec<_> = limits.iter().map(|l| (l.window(), l.used, l.resets_at)).collect();
        assert_eq!(shown, [("5 h".to_owned(), 123, 1_000_500), ("7 d".to_owned(), 30, 1_000_060)]);
        for none in
            ["", "{}", "[]", r#"{"primary": {"used_percent": -1}}"#, r#"{"primary": {"used_percent": "9"}}"#]
        {
            assert_eq!(parse(none, at), [], "{none}");
        }
    }
}
