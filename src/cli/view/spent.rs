//! What a turn took, in words: money, time by what it went into, the fill of the model's context.

use std::time::Duration;

use super::text::short;
use crate::otel::entry::Summary;
use crate::otel::prices::Bill;
use crate::otel::rate_limit::RateLimit;
use crate::otel::time_spent::TimeSpent;
use crate::time::lasted;

/// `model 12.3 s (first token 0.8 s) · tools 4.0 s · approvals 2.0 s`; nothing where nothing is known.
pub fn time(spent: &TimeSpent) -> String {
    let shown = |ms: u64| lasted(Duration::from_millis(ms));
    let first = match spent.first_token_ms {
        0 => String::new(),
        ms => format!(" (first token {})", shown(ms)),
    };
    let parts = spent.parts().into_iter().filter(|(_, ms)| *ms > 0);
    let parts = parts.map(|(name, ms)| match name {
        "model" => format!("model {}{first}", shown(ms)),
        name => format!("{name} {}", shown(ms)),
    });
    parts.collect::<Vec<_>>().join(" · ")
}

/// `context 45% of 272k · 2 compactions`; nothing where nothing is known.
pub fn context(summary: &Summary) -> String {
    let fill = summary.context.map(|(tokens, window)| match window.filter(|window| *window > 0) {
        Some(window) => format!("context {:.0}% of {}", tokens as f64 / window as f64 * 100.0, short(window)),
        None => format!("context {}", short(tokens)),
    });
    let compactions = match summary.compactions {
        0 => None,
        1 => Some("1 compaction".to_owned()),
        n => Some(format!("{n} compactions")),
    };
    fill.into_iter().chain(compactions).collect::<Vec<_>>().join(" · ")
}

/// `limits 5 h 42% · 7 d 12%`: what the account had used of its limits; nothing where nothing is known.
pub fn limits(summary: &Summary) -> String {
    let one = |limit: &RateLimit| format!("{} {:.0}%", limit.window(), limit.percent());
    let all: Vec<String> = summary.limits.iter().map(one).collect();
    if all.is_empty() { String::new() } else { format!("limits {}", all.join(" · ")) }
}

/// `$0.12 (litellm 1.110.2)`: the cost and who says so; nothing where no model was asked.
pub fn cost(bill: &Bill) -> String {
    let words = bill.in_words();
    match bill.sources.is_empty() {
        true => words,
        false => format!("{words} ({})", bill.source()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_took_nothing_are_left_out() {
        let spent = TimeSpent { model_ms: 12_300, first_token_ms: 800, tools_ms: 40, ..TimeSpent::default() };
        assert_eq!(time(&spent), "model 12.3 s (first token 800 ms) · tools 40 ms");
        assert_eq!(time(&TimeSpent::default()), "");
        let summary =
            Summary { context: Some((136_000, Some(272_000))), compactions: 2, ..Summary::default() };
        assert_eq!(context(&summary), "context 50% of 272k · 2 compactions");
        let limits_used = vec![RateLimit { minutes: 300, used: 421, resets_at: 0 }];
        assert_eq!(limits(&Summary { limits: limits_used, ..Summary::default() }), "limits 5 h 42%");
        assert_eq!(context(&Summary { context: Some((999, None)), ..Summary::default() }), "context 999");
    }
}
