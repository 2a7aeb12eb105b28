//! Counts turns of the history into rows.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use super::by::{By, Calendar};
use super::sum::Sum;
use crate::otel::history_line::Line;
use crate::otel::prices::{Pricer, Prices};
use crate::otel::token_use::TokenUse;

/// Rows that are being counted.
pub struct Tally<'a> {
    by: By,
    pricer: Pricer<'a>,
    calendar: Calendar,
    rows: Rows,
}

/// Rows by their names; the one asked for last is found at once.
#[derive(Default)]
struct Rows {
    rows: Vec<(String, Sum)>,
    places: HashMap<String, usize>,
    last: usize,
}

impl<'a> Tally<'a> {
    pub fn new(by: By, prices: &'a Prices) -> Tally<'a> {
        Tally { by, pricer: Pricer::new(prices), calendar: Calendar::new(by), rows: Rows::default() }
    }

    /// Counts a turn. Its tokens count on the day of each response and for the model that gave it, everything else on
    /// the day the turn began and for the model it began with.
    pub fn add(&mut self, line: &Line) {
        if self.by == By::Tool {
            for tool in &line.tools {
                let row = self.rows.row(&tool.name);
                row.add_tool(tool);
                row.time += Duration::from_millis(tool.ms);
            }
            return;
        }
        let is_time = self.by.is_time();
        let own = (!is_time).then(|| self.by.row_of(line));
        let name = match &own {
            Some(name) => name,
            None => self.calendar.name(line.started_at()),
        };
        self.rows.row(name).add_turn(line);
        for used in &line.uses {
            let name = match (&own, self.by) {
                (_, By::Model) => model_of(used),
                (Some(name), _) => name,
                (None, _) => self.calendar.name(used.at),
            };
            self.rows.row(name).add_use(used, &mut self.pricer);
        }
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: Tally) {
        for (name, sum) in &other.rows.rows {
            self.rows.row(name).merge(sum);
        }
    }

    /// The rows: days, weeks and months in their order, everything else by what it took most of.
    pub fn rows(self) -> Vec<(String, Sum)> {
        let mut rows = self.rows.rows;
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        match self.by {
            by if by.is_time() => {}
            By::Tool => rows.sort_by_key(|(_, sum)| Reverse(sum.calls)),
            _ => rows.sort_by_key(|(_, sum)| Reverse((sum.bill.total(), sum.tokens()))),
        }
        rows
    }
}

impl Rows {
    fn row(&mut self, name: &str) -> &mut Sum {
        if self.rows.get(self.last).is_none_or(|(last, _)| last != name) {
            self.last = self.places.get(name).copied().unwrap_or_else(|| {
                self.rows.push((name.to_owned(), Sum::default()));
                self.places.insert(name.to_owned(), self.rows.len() - 1);
                self.rows.len() - 1
            });
        }
        &mut self.rows[self.last].1
    }
}

/// All rows as one.
pub fn total(rows: &[(String, Sum)]) -> Sum {
    rows.iter().fold(Sum::default(), |mut all, (_, sum)| {
        all.merge(sum);
        all
    })
}

fn model_of(used: &TokenUse) -> &str {
    if used.model.is_empty() { "unknown" } else { &used.model }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otel::entry::Head;
    use crate::otel::testing;
    use crate::time::Timestamp;

    fn used(model: &str, at: &str, input: u64) -> TokenUse {
        TokenUse {
            model: model.into(),
            at: Timestamp::parse(at).unwrap(),
            calls: 1,
            input,
            ..TokenUse::default()
        }
    }

    /// A turn that began before one day's midnight and ended in another month, whatever the time zone.
    fn head() -> Head {
        let mut head = testing::entry("turn-1", 0).head;
        head.started_at = Timestamp::parse("2026-10-10T12:00:00Z").unwrap();
        head.ended_at = Timestamp::parse("2026-11-20T12:00:00Z").unwrap();
        head.summary.model = Some("gpt-5.5".into());
        head.summary.uses = vec![
            used("gpt-5.5", "2026-10-10T12:00:00Z", 1_000_000),
            used("gpt-6.2-sol", "2026-11-20T12:00:00Z", 7),
        ];
        head
    }

    fn rows(by: By) -> Vec<(String, Sum)> {
        let prices = Prices::built_in();
        let mut tally = Tally::new(by, &prices);
        tally.add(&Line::of(&head()));
        tally.rows()
    }

    #[test]
    fn tokens_count_on_the_day_of_their_response() {
        let months = rows(By::Month);
        let shown: Vec<_> =
            months.iter().map(|(n, s)| (n.as_str(), s.turns, s.prompt, s.bill.in_short())).collect();
        assert_eq!(shown, [("2026-10", 1, 1_000_000, "$5.00".into()), ("2026-11", 0, 7, "?".into())]);
        let all = total(&months);
        assert_eq!((all.turns, all.bill.in_words()), (1, "at least $5.00".to_owned()));
    }

    #[test]
    fn tokens_count_for_the_model_that_answered() {
        let shown: Vec<_> = rows(By::Model).into_iter().map(|(n, s)| (n, s.turns, s.prompt)).collect();
        assert_eq!(shown, [("gpt-5.5".into(), 1, 1_000_000), ("gpt-6.2-sol".into(), 0, 7)]);
    }
}
