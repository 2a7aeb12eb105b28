//! What waits in the outbox, by the backend it goes to.

use std::collections::BTreeMap;

use crate::delivery::lane::Lane;
use crate::delivery::round::Round;
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

impl Round<'_> {
    /// Delivers every entry in the outbox; returns false when it has to stop. A backend that does not answer holds up
    /// nothing that goes to another.
    pub fn run(&mut self) -> bool {
        let limit = self.settings.outbox_mb.saturating_mul(1024 * 1024);
        let over = outbox::enforce_limit(self.paths, limit, &self.settings.log);
        self.status.set_aside += over;
        self.report.set_aside += over;
        acknowledged::settle(self.paths);
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
