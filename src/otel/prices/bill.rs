//! What model calls cost, and how much of it is known.

use super::book::{Layer, Prices};
use super::money::Money;
use super::table::Rates;
use super::tier::Tier;
use crate::otel::token_use::TokenUse;

/// A sum of costs. What has no known price adds nothing and is counted, so that the sum says "at least".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bill {
    pub prompt: Money,
    pub completion: Money,
    /// How many calls have a price.
    pub priced_calls: u64,
    /// How many calls have none, or no tokens to count by.
    pub unknown_calls: u64,
    /// The tables that said so, each once.
    pub sources: Vec<String>,
}

impl Bill {
    /// The cost of every call, each in its own tier and step.
    pub fn of<'a>(uses: impl IntoIterator<Item = &'a TokenUse>, prices: &Prices) -> Bill {
        let mut bill = Bill::default();
        for used in uses {
            bill.add_use(used, prices);
        }
        bill
    }

    /// Adds the cost of some calls.
    pub fn add_use(&mut self, used: &TokenUse, prices: &Prices) {
        let tier = Tier::parse(used.tier.as_deref());
        self.add_priced(used, tier.and_then(|tier| prices.rates(&used.model, tier, used.long, used.at)));
    }

    /// Adds the cost of some calls, at the rates of a table where one knows them.
    pub fn add_priced(&mut self, used: &TokenUse, found: Option<(Rates, &Layer)>) {
        self.unknown_calls += used.unreported;
        if used.calls == 0 {
            return;
        }
        let Some((rates, layer)) = found else {
            self.unknown_calls += used.calls;
            return;
        };
        let cached = used.cached.min(used.input);
        let written = used.written.min(used.input - cached);
        let fresh = used.input - cached - written;
        self.prompt += rates.input.times(fresh) + rates.cached.times(cached) + rates.written.times(written);
        self.completion += rates.output.times(used.output);
        self.priced_calls += used.calls;
        if !self.sources.iter().any(|known| known == layer.name()) {
            self.sources.push(layer.name().to_owned());
        }
    }

    /// Adds another sum.
    pub fn add(&mut self, other: &Bill) {
        self.prompt += other.prompt;
        self.completion += other.completion;
        self.priced_calls += other.priced_calls;
        self.unknown_calls += other.unknown_calls;
        for source in &other.sources {
            if !self.sources.contains(source) {
                self.sources.push(source.clone());
            }
        }
    }

    pub fn total(&self) -> Money {
        self.prompt + self.completion
    }

    /// The total where anything is known; none where nothing is.
    pub fn known(&self) -> Option<Money> {
        (self.priced_calls > 0).then(|| self.total())
    }

    /// Returns true if more was spent than the sum says.
    pub fn is_partial(&self) -> bool {
        self.unknown_calls > 0
    }

    /// `$1.23`, `at least $1.23`, `unknown`, and nothing where nothing was asked of a model.
    pub fn in_words(&self) -> String {
        match (self.known(), self.is_partial()) {
            (Some(money), false) => money.in_words(),
            (Some(money), true) => format!("at least {money}"),
            (None, true) => "cost unknown".to_owned(),
            (None, false) => String::new(),
        }
    }

    /// As short as a column of a table needs it: `$1.23`, `≥$1.23`, `?`.
    pub fn in_short(&self) -> String {
        match (self.known(), self.is_partial()) {
            (Some(money), false) => money.in_words(),
            (Some(money), true) => format!("≥{money}"),
            (None, true) => "?".to_owned(),
            (None, false) => String::new(),
        }
    }

    /// The tables' names, for `codex.cost.source`.
    pub fn source(&self) -> String {
        self.sources.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn call(model: &str, tier: Option<&str>, [input, cached, written, output]: [u64; 4]) -> TokenUse {
        TokenUse {
            model: model.into(),
            tier: tier.map(str::to_owned),
            long: input > 272_000,
            at: Timestamp::parse("2026-11-20T12:00:00Z").unwrap(),
            calls: 1,
            input,
            cached,
            written,
            output,
            ..TokenUse::default()
        }
    }

    #[test]
    fn each_call_counts_in_its_own_tier_and_step() {
        let prices = Prices::built_in();
        for (used, usd) in [
            // 10k × 12.5 + 10k × 1.25 + 1k × 75.
            (call("gpt-5.5", Some("priority"), [20_000, 10_000, 0, 1000]), Some(0.2125)),
            // 50k × 1 + 40k × 0.05 + 10k × 1.25 + 4k × 5.
            (call("gpt-6.1-sol", Some("flex"), [100_000, 40_000, 10_000, 4000]), Some(0.0845)),
            // 1k × 24 + 299k × 1.2 + 1k × 90.
            (call("gpt-6.1-sol", Some("ultrafast"), [300_000, 299_000, 0, 1000]), Some(0.4728)),
            (call("gpt-5.1-codex", Some("priority"), [1, 0, 0, 1]), None),
            (call("gpt-5.5", Some("batch"), [1, 0, 0, 1]), None),
            (call("gpt-6.2-sol", None, [1, 0, 0, 1]), None),
        ] {
            let bill = Bill::of([&used], &prices);
            assert_eq!(bill.known().map(Money::usd), usd, "{used:?}");
            assert_eq!(bill.unknown_calls, u64::from(usd.is_none()));
        }
    }

    #[test]
    fn sums_with_unknown_parts_say_at_least() {
        let prices = Prices::built_in();
        let (known, unknown) =
            (call("gpt-5.5", None, [1_000, 0, 0, 0]), call("gpt-6.2-sol", None, [9, 0, 0, 9]));
        let words = |uses: &[&TokenUse]| Bill::of(uses.iter().copied(), &prices).in_words();
        assert_eq!(words(&[&known]), "$0.0050");
        assert_eq!(words(&[&known, &unknown]), "at least $0.0050");
        assert_eq!(words(&[&unknown]), "cost unknown");
        assert_eq!(words(&[]), "");
        let more_cached_than_read = call("gpt-5.5", None, [10, 20, 30, 0]);
        assert_eq!(Bill::of([&more_cached_than_read], &prices).total().usd(), 5e-6);
    }
}
