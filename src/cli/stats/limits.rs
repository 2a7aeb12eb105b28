//! How much of the account's rate limits is used up, and how fast it goes.

use std::time::Duration;

use crate::cli::view::text::local;
use crate::otel::history_line::Line;
use crate::otel::rate_limit::RateLimit;
use crate::time::{Timestamp, lasted};

/// The newest window of each length, and the first state of it that is known.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    windows: Vec<Window>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    first: (Timestamp, RateLimit),
    last: (Timestamp, RateLimit),
}

impl Limits {
    /// Takes what a turn reports at its end.
    pub fn add(&mut self, line: &Line) {
        let at = line.ended_at();
        for limit in &line.limits {
            self.state(at, *limit);
        }
    }

    /// Adds what another has taken.
    pub fn merge(&mut self, other: Limits) {
        for window in other.windows {
            self.state(window.first.0, window.first.1);
            self.state(window.last.0, window.last.1);
        }
    }

    fn state(&mut self, at: Timestamp, limit: RateLimit) {
        let Some(known) = self.windows.iter_mut().find(|w| w.last.1.minutes == limit.minutes) else {
            self.windows.push(Window { first: (at, limit), last: (at, limit) });
            return;
        };
        match (at >= known.last.0, limit.is_same_window(&known.last.1)) {
            (true, true) => known.last = (at, limit),
            (true, false) => *known = Window { first: (at, limit), last: (at, limit) },
            (false, true) if at < known.first.0 => known.first = (at, limit),
            (false, _) => {}
        }
    }

    /// A sentence for each window, the shortest first; of one that has begun anew since, only that.
    pub fn lines(&self, now: Timestamp) -> Vec<String> {
        let mut windows = self.windows.clone();
        windows.sort_by_key(|w| w.last.1.minutes);
        windows.iter().map(|w| w.sentence(now)).collect()
    }
}

impl Window {
    fn sentence(&self, now: Timestamp) -> String {
        let (at, limit) = self.last;
        let name = limit.window();
        let resets = Timestamp::from_millis(i64::try_from(limit.resets_at).unwrap_or(0).saturating_mul(1000));
        let has_reset = limit.resets_at > 0;
        if has_reset && resets <= now {
            return format!("{name} limit: {:.0}% used before it was reset", limit.percent());
        }
        let mut out = format!("{name} limit: {:.0}% used", limit.percent());
        let (began, first) = self.first;
        let (points, time) = (limit.percent() - first.percent(), at.since(began));
        if points > 0.0 && !time.is_zero() {
            out.push_str(&format!(", {points:.0} points in {}", lasted(time)));
            let left = time.mul_f64(((100.0 - limit.percent()).max(0.0) / points).min(MOST_TIMES));
            if !has_reset || at.plus(left) < resets {
                out.push_str(&format!(", used up in {} at this pace", lasted(left)));
            }
        }
        if has_reset {
            let form =
                if resets.since(now) > Duration::from_secs(20 * 3600) { "%a %d %b %H:%M" } else { "%H:%M" };
            out.push_str(&format!("; resets {}", local(resets, form)));
        }
        out
    }
}

/// A pace slower than this is none.
const MOST_TIMES: f64 = 1e6;

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: u64, used: u64, resets_at: u64) -> Line<'static> {
        let limits = vec![RateLimit { minutes: 300, used, resets_at }];
        let mut line = Line::default();
        (line.at, line.limits) = (second * 1000, limits);
        line
    }

    #[test]
    fn limits_tell_use_and_pace_of_the_newest_window() {
        let mut limits = Limits::default();
        // The window before, then two turns of the present one, of which the later was written first.
        for turn in [line(1000, 900, 9000), line(40_000, 300, 50_000), line(36_400, 100, 50_010)] {
            limits.add(&turn);
        }
        let at = |second: i64| Timestamp::from_millis(second * 1000);
        let lines = limits.lines(at(41_000));
        assert_eq!(lines.len(), 1);
        let text = &lines[0];
        // 20 points an hour: the other 70 take longer than the window has left.
        assert!(text.starts_with("5 h limit: 30% used, 20 points in 1h 00m; resets "), "{text}");
        limits.add(&line(40_100, 900, 50_000));
        let text = &limits.lines(at(41_000))[0];
        assert!(text.contains("90% used, 80 points in 1h 01m, used up in 7m 42s at this pace"), "{text}");
        assert_eq!(limits.lines(at(60_000)), ["5 h limit: 90% used before it was reset"]);
    }
}
