//! What tokens cost: price tables ([`table`], [`book`], [`pricer`]) and the bill for a turn ([`bill`]).
//!
//! Prices are those OpenAI's API charges for a token. Who pays a subscription reads them as the worth of what was used.
//! The built-in table, `table.json`, is made by tests/prices/renew.py from the table that LiteLLM's PyPI package
//! carries. A price that is not listed is unknown, never zero. Phoenix multiplies the same figures, without tiers and without
//! the days on which a price changed; where neither matters its total and ours are the same.

pub mod bill;
pub mod book;
pub mod money;
pub mod pricer;
pub mod table;
pub mod tier;

pub use bill::Bill;
pub use book::Prices;
pub use money::Money;
pub use pricer::Pricer;
