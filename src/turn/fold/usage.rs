//! Token accounting over releases that tell usage exactly and releases that repeat running totals.

pub(super) use crate::codex::payload::Usage;

/// Reads `token_count` events: they are repeated, so only a change of the total counts (`docs::codex`).
#[derive(Debug, Default)]
pub(super) struct TokenCounter {
    total: Option<Usage>,
    exact: bool,
}

impl TokenCounter {
    /// Notes that the release tells exact usage, which makes the totals redundant.
    pub(super) fn exact(&mut self) {
        self.exact = true;
    }

    /// Returns true if the release tells exact usage.
    pub(super) fn is_exact(&self) -> bool {
        self.exact
    }

    /// Returns what a count adds to this turn. Before the first total is known, the last response's own usage
    /// counts when there is a response that waits for it.
    pub(super) fn count(&mut self, ours: bool, unpriced: bool, total: &Usage, last: &Usage) -> Option<Usage> {
        let before = self.total.replace(*total);
        if self.exact || !ours {
            return None;
        }
        let used = match before {
            Some(before) if total.total_tokens >= before.total_tokens => total.minus(&before),
            // A total that shrank was begun anew.
            Some(_) => *last,
            None if unpriced => *last,
            None => return None,
        };
        (used.input_tokens > 0 || used.output_tokens > 0).then_some(used)
    }
}

/// Adds usage to a sum, which is none for none.
pub(super) fn add(sum: &mut Option<Usage>, usage: &Usage) {
    sum.get_or_insert_default().add(usage);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input: u64) -> Usage {
        Usage { input_tokens: input, output_tokens: 1, total_tokens: input + 1, ..Usage::default() }
    }

    #[test]
    fn repeated_totals_count_once() {
        let mut counter = TokenCounter::default();
        let two = usage(30).minus(&Usage { output_tokens: 0, total_tokens: 0, ..usage(0) });
        assert_eq!(counter.count(true, true, &usage(10), &usage(10)), Some(usage(10)));
        assert_eq!(counter.count(true, false, &usage(10), &usage(10)), None);
        assert_eq!(counter.count(true, true, &two, &usage(20)).unwrap().input_tokens, 20);
        assert_eq!(counter.count(true, true, &two, &Usage::default()), None);
    }

    #[test]
    fn totals_of_earlier_turns_are_the_base() {
        let mut counter = TokenCounter::default();
        assert_eq!(counter.count(false, true, &usage(100), &usage(100)), None);
        assert_eq!(counter.count(true, true, &usage(107), &usage(7)).unwrap().input_tokens, 7);
        assert_eq!(counter.count(true, true, &usage(9), &usage(9)), Some(usage(9)), "a total begun anew");
        let silent = usage(0);
        assert_eq!(
            TokenCounter::default().count(true, true, &silent, &silent),
            Some(silent),
            "none read, one written"
        );
        counter.exact();
        assert_eq!(counter.count(true, true, &usage(200), &usage(93)), None);
        let mut repeated_first = TokenCounter::default();
        assert_eq!(repeated_first.count(true, false, &usage(50), &usage(50)), None);
        assert_eq!(repeated_first.count(true, true, &usage(55), &usage(5)).unwrap().input_tokens, 5);
    }
}
