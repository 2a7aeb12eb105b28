//! An amount of money, exact: whole millionths of a millionth of a US dollar.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// US dollars, in units of 10⁻¹² dollars. Every price a token has in the table is a whole number of them, so sums do
/// not depend on their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Money(u64);

impl Money {
    pub const ZERO: Money = Money(0);

    /// Reads an amount of dollars; `None` for one that is negative, not a number or beyond all bounds.
    pub fn from_usd(usd: f64) -> Option<Money> {
        (usd.is_finite() && (0.0..=MAX_USD).contains(&usd)).then(|| Money((usd * UNITS).round() as u64))
    }

    pub fn usd(self) -> f64 {
        self.0 as f64 / UNITS
    }

    /// The price of `count` tokens at this price a token.
    pub fn times(self, count: u64) -> Money {
        Money(self.0.saturating_mul(count))
    }

    /// Cents for what people compare, and as many digits as matter for what is less.
    pub fn in_words(self) -> String {
        let usd = self.usd();
        match usd {
            _ if self == Money::ZERO => "$0.00".to_owned(),
            _ if usd < 0.000_1 => "<$0.0001".to_owned(),
            _ if usd < 0.1 => format!("${usd:.4}"),
            _ if usd < 1000.0 => format!("${usd:.2}"),
            _ => format!("${usd:.0}"),
        }
    }
}

impl Add for Money {
    type Output = Money;

    fn add(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        *self = *self + other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(all: I) -> Money {
        all.fold(Money::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_words())
    }
}

const UNITS: f64 = 1e12;
/// More than this program will ever count.
const MAX_USD: f64 = 1e7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_a_token_are_exact() {
        for (usd, units) in
            [(1.25e-6, 1_250_000), (5e-9, 5000), (1.38e-7, 138_000), (0.000_112_5, 112_500_000)]
        {
            assert_eq!(Money::from_usd(usd), Some(Money(units)), "{usd}");
        }
        for bad in [-1e-9, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(Money::from_usd(bad), None, "{bad}");
        }
    }

    #[test]
    fn amounts_are_shown_with_digits_that_tell_something() {
        for (usd, words) in [
            (0.0, "$0.00"),
            (0.000_01, "<$0.0001"),
            (0.012_34, "$0.0123"),
            (12.345, "$12.35"),
            (4321.0, "$4321"),
        ] {
            assert_eq!(Money::from_usd(usd).unwrap().in_words(), words);
        }
    }
}
