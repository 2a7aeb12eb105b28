//! A table of prices in the form of LiteLLM's `model_prices_and_context_window.json`: USD a token, by model.
//!
//! Read are `input_cost_per_token`, `cache_read_input_token_cost`, `cache_creation_input_token_cost` and
//! `output_cost_per_token`, each also with `_above_272k_tokens` and with `_flex`, `_priority` and `_ultrafast` behind
//! it. Two additions of ours: `_about` says where a table is from, and `before` lists the prices of a model that no
//! longer hold, each with the first day (`until`, UTC) on which it did not.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

use super::money::Money;
use super::tier::Tier;
use crate::time::Timestamp;

/// Prices by model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// The package and version, or the file, it was made from.
    pub source: String,
    /// The day it was made.
    pub date: Option<String>,
    models: BTreeMap<String, Vec<Period>>,
}

/// The prices of a token in one tier and step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    pub input: Money,
    pub cached: Money,
    pub written: Money,
    pub output: Money,
}

/// What a model cost for a while.
#[derive(Debug, Clone, PartialEq)]
struct Period {
    /// The moment from which it costs something else.
    until: Option<Timestamp>,
    /// By step, up to 272,000 tokens and above, then by tier.
    rates: [[Option<Rates>; 4]; 2],
}

/// Why a price file cannot be used. The prices known without it still hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TableError {
    #[error("not JSON: {0}")]
    NotJson(String),
    #[error(
        "not a price table: an object of models is expected, as in LiteLLM's model_prices_and_context_window.json"
    )]
    NotATable,
    #[error("no model in it has input_cost_per_token and output_cost_per_token")]
    Empty,
    #[error("{model}: {key} is {value}; a price is a number of USD a token, from 0 to 1")]
    BadPrice { model: String, key: String, value: String },
    #[error("{model}: {key} has a step other than 272,000 tokens, which is not supported")]
    OtherStep { model: String, key: String },
    #[error("{model}: `before` is a list of prices with `until`, a day such as 2026-07-30")]
    BadDate { model: String },
}

impl Table {
    /// Reads a table; `source` names it where it does not say itself what it is.
    ///
    /// # Errors
    /// When it is not JSON, of another shape, holds no price, or a price that is none. A broken entry refuses the whole
    /// table: half a table would count some turns wrong in silence.
    pub fn parse(text: &[u8], source: &str) -> Result<Table, TableError> {
        let value: Value = serde_json::from_slice(text).map_err(|e| TableError::NotJson(e.to_string()))?;
        Table::from_json(&value, source)
    }

    /// Does what [`Table::parse`] does with JSON that is read already.
    ///
    /// # Errors
    /// As [`Table::parse`].
    pub fn from_json(value: &Value, source: &str) -> Result<Table, TableError> {
        let object = value.as_object().ok_or(TableError::NotATable)?;
        let about = |key: &str| object.get(ABOUT)?.get(key)?.as_str().map(str::to_owned);
        let mut models = BTreeMap::new();
        for (name, entry) in object.iter().filter(|(name, _)| *name != ABOUT) {
            let entry = entry.as_object().ok_or(TableError::NotATable)?;
            if let Some(periods) = periods(name, entry)? {
                models.insert(name.to_ascii_lowercase(), periods);
            }
        }
        if models.is_empty() {
            return Err(TableError::Empty);
        }
        Ok(Table {
            source: about("source").unwrap_or_else(|| source.to_owned()),
            date: about("date"),
            models,
        })
    }

    /// The models it has a price for.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.models.keys().map(String::as_str)
    }

    /// The longest name of the table that is the model's: the same, without the provider before a `/`, or without the
    /// date of a snapshot behind it. A longer name of another model, `gpt-6-sol-next` for `gpt-6-sol`, is none.
    pub fn name_of(&self, model: &str) -> Option<&str> {
        let model = model.trim().to_ascii_lowercase();
        let bare = model.rsplit('/').next().unwrap_or(&model);
        let full = [model.as_str(), bare];
        let whole = full.iter().find_map(|name| self.models.get_key_value(*name));
        let snapshot = || {
            let fits =
                |name: &&String| full.iter().any(|m| m.strip_prefix(name.as_str()).is_some_and(is_snapshot));
            let name = self.models.keys().filter(fits).max_by_key(|name| name.len())?;
            self.models.get_key_value(name)
        };
        whole.or_else(snapshot).map(|(name, _)| name.as_str())
    }

    /// Returns what a token of the model cost at a moment, in a tier, in a request above 272,000 tokens or
    /// not.
    pub fn rates(&self, model: &str, tier: Tier, long: bool, at: Timestamp) -> Option<Rates> {
        let periods = self.models.get(self.name_of(model)?)?;
        let period = periods.iter().find(|p| p.until.is_none_or(|until| at < until))?;
        let [short_step, long_step] = &period.rates;
        let (tier, standard) = (tier as usize, Tier::Standard as usize);
        let short = short_step[tier];
        if !long || long_step.iter().all(Option::is_none) {
            return short;
        }
        // Where a tier has a price but no step, requests above the step are served, and billed, as standard ones.
        long_step[tier].or(long_step[standard].filter(|_| short.is_some()))
    }
}

fn periods(model: &str, entry: &Map<String, Value>) -> Result<Option<Vec<Period>>, TableError> {
    let Some(now) = period(model, entry, None)? else { return Ok(None) };
    let mut all = Vec::new();
    let bad_date = || TableError::BadDate { model: model.to_owned() };
    if let Some(before) = entry.get(BEFORE) {
        for earlier in before.as_array().ok_or_else(bad_date)? {
            let earlier = earlier.as_object().ok_or_else(bad_date)?;
            let day = earlier.get("until").and_then(Value::as_str).ok_or_else(bad_date)?;
            let until = Timestamp::parse(&format!("{day}T00:00:00Z")).ok_or_else(bad_date)?;
            all.extend(period(model, earlier, Some(until))?);
        }
    }
    all.sort_by_key(|p| p.until);
    all.push(now);
    Ok(Some(all))
}

fn period(
    model: &str,
    entry: &Map<String, Value>,
    until: Option<Timestamp>,
) -> Result<Option<Period>, TableError> {
    for (key, value) in entry {
        check(model, key, value)?;
    }
    let price = |key: &str| entry.get(key).and_then(Value::as_f64).and_then(Money::from_usd);
    let mut rates = [[None; 4]; 2];
    for (step, above) in ["", ABOVE].into_iter().enumerate() {
        for tier in Tier::ALL {
            let end = format!("{above}{}", tier.suffix());
            let one = |kind: &str| price(&format!("{kind}{end}"));
            let (Some(input), Some(output)) = (one(INPUT), one(OUTPUT)) else { continue };
            rates[step][tier as usize] = Some(Rates {
                input,
                output,
                // A model without a price of its own for them bills them as any input.
                cached: one(CACHED).unwrap_or(input),
                written: one(WRITTEN).unwrap_or(input),
            });
        }
    }
    Ok(rates[0][0].is_some().then_some(Period { until, rates }))
}

/// Refuses a price that is none, among those that are read.
fn check(model: &str, key: &str, value: &Value) -> Result<(), TableError> {
    let Some(end) = [INPUT, CACHED, WRITTEN, OUTPUT].iter().find_map(|kind| key.strip_prefix(kind)) else {
        return Ok(());
    };
    let step = end.strip_prefix("_above_").map(|rest| rest.split("_tokens").next().unwrap_or_default());
    if value.is_null() || step.is_some_and(|s| s.ends_with("hr") || s.contains("hr_")) {
        return Ok(());
    }
    if step.is_some_and(|s| s != "272k") {
        return Err(TableError::OtherStep { model: model.to_owned(), key: key.to_owned() });
    }
    match value.as_f64() {
        Some(usd) if (0.0..=1.0).contains(&usd) => Ok(()),
        _ => Err(TableError::BadPrice {
            model: model.to_owned(),
            key: key.to_owned(),
            value: crate::truncate::cut(&value.to_string(), 60).into_owned(),
        }),
    }
}

/// Returns true if what stands behind a model's name only says which state of it is meant: `-2026-04-23`,
/// `-0613`, `-latest`.
fn is_snapshot(rest: &str) -> bool {
    let Some(rest) = rest.strip_prefix(['-', '@', ':']) else { return false };
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    let dated = rest.bytes().all(|b| b.is_ascii_digit() || b == b'-') && matches!(digits, 4 | 6 | 8);
    dated || rest == "latest"
}

/// The names of LiteLLM's prices, without tier and step.
pub const INPUT: &str = "input_cost_per_token";
pub const CACHED: &str = "cache_read_input_token_cost";
pub const WRITTEN: &str = "cache_creation_input_token_cost";
pub const OUTPUT: &str = "output_cost_per_token";
/// Says where a table is from.
pub const ABOUT: &str = "_about";
const BEFORE: &str = "before";
const ABOVE: &str = "_above_272k_tokens";

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Table, TableError> {
        Table::parse(text.as_bytes(), "test")
    }

    fn built_in() -> Table {
        Table::parse(include_bytes!("table.json"), "built in").unwrap()
    }

    #[test]
    fn names_match_with_provider_and_date_and_never_another_model() {
        let table = built_in();
        for (model, name) in [
            ("gpt-5.5", Some("gpt-5.5")),
            ("openai/gpt-5.5", Some("gpt-5.5")),
            ("openrouter/openai/GPT-5.5", Some("gpt-5.5")),
            ("gpt-5.5-2026-04-23", Some("gpt-5.5")),
            ("gpt-5.1-codex-max", Some("gpt-5.1-codex-max")),
            ("gpt-5-codex-latest", Some("gpt-5-codex")),
            ("gpt-6.1-sol@20261001", Some("gpt-6.1-sol")),
            ("gpt-6.2-sol", None),
            ("gpt-5.5-turbo", None),
            ("gpt-5.55", None),
            ("gpt", None),
            ("", None),
        ] {
            assert_eq!(table.name_of(model), name, "{model}");
        }
    }

    #[test]
    fn step_tier_and_day_choose_the_price() {
        let table = built_in();
        let at = |day: &str| Timestamp::parse(&format!("{day}T12:00:00Z")).unwrap();
        for (model, tier, long, day, input, output) in [
            ("gpt-5.5", Tier::Standard, false, "2026-11-01", 5.0, 30.0),
            ("gpt-5.5", Tier::Standard, true, "2026-11-01", 10.0, 45.0),
            ("gpt-5.5", Tier::Priority, false, "2026-11-01", 12.5, 75.0),
            // No step of its own for fast mode: the standard one.
            ("gpt-5.5", Tier::Priority, true, "2026-11-01", 10.0, 45.0),
            ("gpt-5.5", Tier::Flex, true, "2026-11-01", 5.0, 22.5),
            ("gpt-6.1-sol", Tier::Ultrafast, true, "2026-11-01", 24.0, 90.0),
            // No step at all.
            ("gpt-5.1", Tier::Standard, true, "2026-11-01", 1.25, 10.0),
            ("gpt-5.6-sol", Tier::Standard, false, "2026-08-20", 5.0, 30.0),
            ("gpt-5.6-sol", Tier::Standard, false, "2026-08-21", 4.0, 20.0),
            ("o3", Tier::Standard, false, "2025-05-01", 10.0, 40.0),
        ] {
            let rates = table.rates(model, tier, long, at(day)).unwrap();
            let million = |money: Money| money.times(1_000_000).usd();
            assert_eq!(
                (million(rates.input), million(rates.output)),
                (input, output),
                "{model} {tier:?} {long} {day}"
            );
        }
        assert_eq!(
            table.rates("gpt-5.1-codex", Tier::Priority, false, at("2026-11-01")),
            None,
            "unknown, not standard"
        );
        assert_eq!(
            table.rates("gpt-5.6-sol", Tier::Flex, false, at("2026-08-01")),
            None,
            "of an earlier time"
        );
    }

    #[test]
    fn broken_tables_say_what_is_wrong() {
        let bad =
            |value: &str| TableError::BadPrice { model: "m".into(), key: INPUT.into(), value: value.into() };
        let entry = |input: &str| format!(r#"{{"m": {{"{INPUT}": {input}, "{OUTPUT}": 0.1}}}}"#);
        assert!(matches!(table("{"), Err(TableError::NotJson(_))));
        for shape in ["[]", "3", r#"{"m": 3}"#] {
            assert_eq!(table(shape), Err(TableError::NotATable), "{shape}");
        }
        for empty in ["{}", r#"{"m": {"mode": "chat"}}"#] {
            assert_eq!(table(empty), Err(TableError::Empty), "{empty}");
        }
        for price in ["-0.1", "2", "\"0.1\"", "[]"] {
            assert_eq!(table(&entry(price)), Err(bad(price)), "{price}");
        }
        let step = format!(r#"{{"m": {{"{INPUT}": 0, "{OUTPUT}": 0, "{INPUT}_above_200k_tokens": 0}}}}"#);
        assert!(matches!(table(&step), Err(TableError::OtherStep { .. })));
        let dated = format!(r#"{{"m": {{"{INPUT}": 0, "{OUTPUT}": 0, "before": [{{"until": "soon"}}]}}}}"#);
        assert!(matches!(table(&dated), Err(TableError::BadDate { .. })));
        assert!(table(&entry("0.1")).is_ok());
    }
}
