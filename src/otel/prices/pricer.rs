//! Looks prices up for many calls, each price once a day of theirs.

use super::book::{Layer, Prices};
use super::table::Rates;
use super::tier::Tier;
use crate::otel::token_use::TokenUse;

/// Prices that have been looked up.
#[derive(Debug)]
pub struct Pricer<'a> {
    prices: &'a Prices,
    known: Vec<Known<'a>>,
}

#[derive(Debug)]
struct Known<'a> {
    model: String,
    tier: Option<String>,
    long: bool,
    /// Days since 1970, UTC: prices change with a day.
    day: u64,
    found: Option<(Rates, &'a Layer)>,
}

impl<'a> Pricer<'a> {
    pub fn new(prices: &'a Prices) -> Pricer<'a> {
        Pricer { prices, known: Vec::new() }
    }

    /// Returns what a token of these calls cost, and the table that says so.
    pub fn rates(&mut self, used: &TokenUse) -> Option<(Rates, &'a Layer)> {
        let day = used.at.as_millis() / DAY_MS;
        let is_same = |k: &Known| k.long == used.long && k.model == used.model && k.tier == used.tier;
        let place = self.known.iter().position(is_same);
        if let Some(known) = place.and_then(|at| self.known.get(at)).filter(|known| known.day == day) {
            return known.found;
        }
        let tier = Tier::parse(used.tier.as_deref());
        let found = tier.and_then(|tier| self.prices.rates(&used.model, tier, used.long, used.at));
        match place {
            Some(at) => (self.known[at].day, self.known[at].found) = (day, found),
            None if self.known.len() < MOST_KNOWN => {
                let (model, tier) = (used.model.clone(), used.tier.clone());
                self.known.push(Known { model, tier, long: used.long, day, found });
            }
            None => {}
        }
        found
    }
}

const DAY_MS: u64 = 24 * 3600 * 1000;
/// As many as are looked through in less time than a table takes.
const MOST_KNOWN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn prices_looked_up_before_are_the_tables_own() {
        let prices = Prices::built_in();
        let mut pricer = Pricer::new(&prices);
        let days = ["2026-08-20", "2026-08-21", "2026-08-20", "2026-08-22"];
        for day in days.map(|day| Timestamp::parse(&format!("{day}T23:59:59Z")).unwrap()) {
            for (model, tier) in [("gpt-5.6-sol", None), ("gpt-5.6-sol", Some("flex")), ("gpt-6.2-sol", None)]
            {
                for long in [false, true] {
                    let tier_name = tier.map(str::to_owned);
                    let used = TokenUse {
                        model: model.into(),
                        tier: tier_name,
                        long,
                        at: day,
                        ..TokenUse::default()
                    };
                    let expected = prices.rates(model, Tier::parse(tier).unwrap(), long, day);
                    let rates = pricer.rates(&used).map(|(rates, _)| rates);
                    assert_eq!(rates, expected.map(|(rates, _)| rates), "{model} {tier:?} {long} {day:?}");
                }
            }
        }
    }
}
