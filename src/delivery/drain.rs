//! What waits in the outbox, by the backend it goes to.

use std::collections::BTreeMap;

use crate::delivery::flush_context::FlushContext;
use crate::delivery::lane::Lane;
use crate::delivery::{acknowledged, outbox};
use crate::otel::entry::EntryKey;
use crate::otel::entry_reader;
use crate::settings::Settings;

/// Turns that go to one backend.
struct Share {
    settings: Settings,
    /// The rule that the turns remember.
    remembered: Option<String>,
    /// The rule whose backend takes them.
    rule: Option<String>,
    keys: Vec<EntryKey>,
}

impl FlushContext<'_> {
    /// Delivers every entry in the outbox; returns false when it has to stop. A backend that does not answer holds up
    /// nothing that goes to another.
    pub fn run(&mut self) -> bool {
        let limit = self.settings.outbox_mb.saturating_mul(1024 * 1024);
        let over = outbox::enforce_limit(self.paths, limit, &self.settings.log);
        self.status.set_aside += over;
        self.report.set_aside += over;
        acknowledged::recover(self.paths);
        let mut all_done = true;
        for (n, share) in self.shares().into_iter().enumerate() {
            if n > 0 && self.is_over() {
                return false;
            }
            all_done &= self.deliver(share);
        }
        all_done
    }

    fn deliver(&mut self, share: Share) -> bool {
        Lane::new(self, &share.settings, share.remembered, share.rule).deliver(share.keys)
    }

    /// Returns what waits, by backend: first where deliveries go well.
    fn shares(&mut self) -> Vec<Share> {
        let known: Vec<String> = self.settings.backend_rules().into_iter().map(|(name, _)| name).collect();
        let mut groups: BTreeMap<Option<(String, Option<String>)>, Vec<EntryKey>> = BTreeMap::new();
        for key in outbox::list(self.paths) {
            // The directory decides only where the rule is not known.
            let rule = entry_reader::backend_rule(&outbox::waiting(self.paths, &key))
                .map(|(rule, directory)| (rule.clone(), directory.filter(|_| !known.contains(&rule))));
            groups.entry(rule).or_default().push(key);
        }
        let mut shares = Vec::new();
        for (group, keys) in groups {
            let Some((name, directory)) = group else {
                let settings = self.settings.clone();
                shares.push(Share { settings, remembered: None, rule: None, keys });
                continue;
            };
            match self.settings.of_rule(&name, directory.as_deref()) {
                Some(settings) => {
                    let rule = settings.profile.backend_rule.clone();
                    shares.push(Share { settings, remembered: Some(name), rule, keys });
                }
                None => {
                    self.report.last_error = Some(format!("{}; {}", gone(keys.len(), &name), GONE_ADVICE))
                }
            }
        }
        shares.sort_by_key(|share| self.status.of(share.rule.as_deref()).consecutive_failures);
        shares
    }
}

/// Says that turns wait for the backend of a rule that is not there any more.
pub fn gone(count: usize, rule: &str) -> String {
    let turns = if count == 1 { "1 turn waits".to_owned() } else { format!("{count} turns wait") };
    format!("{turns} for the backend of a rule that is no longer in config.yaml: {rule}")
}

/// What to do about turns whose rule is gone.
pub const GONE_ADVICE: &str =
    "put the rule back, or run `arize-codex backfill --again`, which follows the rules as they are now";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::budget::{Budget, Report};
    use crate::delivery::status::DeliveryStatus;
    use crate::otel::testing;
    use std::path::Path;
    use std::time::Duration;

    /// Runs a flush over turns, each with the rule it remembers, and shows what is left.
    fn run(
        home: &Path,
        budget: Budget,
        yaml: &str,
        turns: &[(&str, Option<&str>)],
    ) -> (bool, DeliveryStatus, Report) {
        let (paths, settings) = (testing::paths(home), testing::settings(home, yaml));
        for (turn, rule) in turns {
            let mut entry = testing::entry(turn, 2);
            entry.head.backend_rule = rule.map(str::to_owned);
            outbox::put(&paths, &entry).unwrap();
        }
        let mut report = Report::default();
        let status = DeliveryStatus::default();
        let watch = &mut |_: &Report| {};
        let mut flush =
            FlushContext { paths: &paths, settings: &settings, budget, status, report: &mut report, watch };
        let done = flush.run();
        let status = flush.status;
        (done, status, report)
    }

    fn asked() -> Budget {
        Budget::asked(Duration::from_secs(60))
    }

    /// A rule for `/x` whose backend is this machine.
    const RULES: &str = "target: local, rules: [{path: /x, target: local}]";

    #[test]
    fn every_turn_goes_to_its_backend() {
        let home = tempfile::tempdir().unwrap();
        let turns = [("turn-1", None), ("turn-2", Some("path /x"))];
        let (done, status, report) = run(home.path(), asked(), RULES, &turns);
        assert_eq!((done, status.kept, report.delivered, report.last_error), (true, 2, 2, None));
    }

    #[test]
    fn turn_of_a_gone_rule_follows_its_directory() {
        // A directory must be an absolute one of the system.
        let (rules, below) = if cfg!(windows) {
            ("target: local, rules: [{path: 'C:\\x', target: local}]", "C:\\x\\below")
        } else {
            (RULES, "/x/below")
        };
        let home = tempfile::tempdir().unwrap();
        let mut entry = testing::entry("turn-1", 2);
        entry.head.backend_rule = Some("path /gone".into());
        entry.head.summary.cwd = Some(below.into());
        outbox::put(&testing::paths(home.path()), &entry).unwrap();
        let (done, status, report) = run(home.path(), asked(), rules, &[]);
        assert_eq!((done, status.kept, report.last_error), (true, 1, None));
    }

    #[test]
    fn turn_of_a_rule_that_is_gone_waits() {
        let home = tempfile::tempdir().unwrap();
        let turns = [("turn-1", Some("path /gone")), ("turn-2", None)];
        let (done, status, report) = run(home.path(), asked(), "target: local", &turns);
        let error = report.last_error.unwrap();
        assert!(error.starts_with("1 turn waits for the backend of a rule") && error.ends_with(GONE_ADVICE));
        assert_eq!((done, status.kept), (true, 1));
        assert!(gone(2, "x").starts_with("2 turns wait for"));
    }

    #[test]
    fn backend_that_fails_holds_up_no_other() {
        let home = tempfile::tempdir().unwrap();
        let yaml = "target: local, rules: [{path: /x, target: phoenix, endpoint: 'ftp://x'}]";
        let turns = [("turn-1", None), ("turn-2", Some("path /x")), ("turn-3", None)];
        let (done, status, report) = run(home.path(), asked(), yaml, &turns);
        assert_eq!((done, status.kept, report.last_error.is_some()), (false, 2, true));
        assert_eq!(outbox::list(&testing::paths(home.path())).len(), 1);
    }

    #[test]
    fn flush_that_is_over_begins_no_backend() {
        let home = tempfile::tempdir().unwrap();
        let over = Budget::within(Duration::ZERO);
        let turns = [("turn-1", None), ("turn-2", Some("path /x"))];
        let (done, status, _) = run(home.path(), over, RULES, &turns);
        assert_eq!((done, status.kept), (false, 1), "the first is tried in any case");
        let (done, status, _) = run(home.path(), over, RULES, &[]);
        assert_eq!((done, status.kept), (true, 1));
    }

    #[test]
    fn outbox_over_its_limit_is_cleared_first() {
        let home = tempfile::tempdir().unwrap();
        let mut entry = testing::entry("turn-1", 0);
        entry.spans = vec![testing::span(0, 1024 * 1024)];
        outbox::put(&testing::paths(home.path()), &entry).unwrap();
        let yaml = "target: local, outbox_mb: 1";
        let (_, status, report) = run(home.path(), asked(), yaml, &[("turn-2", None)]);
        assert_eq!((status.set_aside, report.set_aside, status.kept), (1, 1, 1));
        entry.spans = vec![testing::span(0, 5_000)];
        entry.head.key.turn = crate::ids::TurnId::parse("turn-3").unwrap();
        outbox::put(&testing::paths(home.path()), &entry).unwrap();
        let (_, status, _) = run(home.path(), asked(), yaml, &[("turn-4", None)]);
        assert_eq!((status.set_aside, status.kept), (0, 2), "the limit is in megabytes");
    }
}
