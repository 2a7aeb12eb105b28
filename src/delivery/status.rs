//! `delivery.json`: how delivery has been going, for the next flusher and for `doctor`.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crate::context::Paths;
use crate::delivery::transport::retry::LONGEST_ASKED;
use crate::file;
use crate::git::without_credentials;
use crate::settings::Settings;
use crate::time::Timestamp;

/// State of delivery.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeliveryStatus {
    version: u32,
    /// The backend in force.
    #[serde(flatten)]
    pub health: Health,
    /// The backends of rules, by the rule's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, Health>,
    /// Entries delivered, since the file was made.
    pub delivered: u64,
    /// Entries filed away on this machine alone, since the file was made.
    pub kept: u64,
    /// Spans that a backend refused, since the file was made.
    pub refused_spans: u64,
    /// Spans of accepted requests that a backend dropped, since the file was made.
    pub dropped_spans: u64,
    /// Entries set aside, since the file was made.
    pub set_aside: u64,
    /// When the archive was last pruned.
    pub pruned_at: Option<Timestamp>,
}

/// State of delivery to one backend.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// Which backend and key the rest is about, as a digest.
    backend: String,
    /// The same backend in words, for whoever looks with other settings.
    pub used: Option<Used>,
    pub last_success: Option<Timestamp>,
    pub consecutive_failures: u64,
    pub last_error: Option<LastError>,
    /// The server asked not to be called before.
    pub next_attempt_at: Option<Timestamp>,
    /// What this backend last said about a request that it accepted.
    pub last_warning: Option<Warning>,
}

/// A backend that deliveries went to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Used {
    pub target: String,
    /// Without a user name and password.
    pub endpoint: Option<String>,
    /// The variable of the hooks' environment that named it.
    pub variable: Option<String>,
}

/// The state that delivery is in since its last success.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastError {
    pub at: Timestamp,
    /// The first time this very error came up.
    pub since: Timestamp,
    pub text: String,
    pub advice: String,
}

/// Words of a backend about a request that it accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Warning {
    pub at: Timestamp,
    pub text: String,
}

impl DeliveryStatus {
    /// Reads the status; a missing or damaged one, or one of another version, is a fresh one.
    pub fn load(paths: &Paths) -> DeliveryStatus {
        let content = file::read_bounded(&paths.delivery_status(), MAX_BYTES).ok().flatten();
        let status: Option<DeliveryStatus> = content.and_then(|c| serde_json::from_slice(&c).ok());
        status
            .filter(|s| s.version == VERSION)
            .unwrap_or(DeliveryStatus { version: VERSION, ..DeliveryStatus::default() })
    }

    /// Writes the status.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, paths: &Paths) -> io::Result<()> {
        // Numbers, times and strings always serialise.
        let path = paths.delivery_status();
        let written = file::write_atomic(&path, &serde_json::to_vec(self).unwrap_or_default());
        written.map_err(|e| file::named(&path, e))
    }

    /// Forgets what was learnt of other backends, or with other keys, than those of these settings.
    pub fn turn_to(&mut self, settings: &Settings) {
        self.health.turn_to(settings);
        let rules = settings.backend_rules();
        self.rules.retain(|name, _| rules.iter().any(|(rule, _)| rule == name));
        for (name, settings) in rules {
            self.rules.entry(name).or_default().turn_to(&settings);
        }
    }

    /// What is known of the backend of a rule, or of the one in force everywhere else.
    pub fn of(&mut self, rule: Option<&str>) -> &mut Health {
        match rule {
            Some(name) => self.rules.entry(name.to_owned()).or_default(),
            None => &mut self.health,
        }
    }

    /// Returns how long every server still wants to be left alone.
    pub fn wait(&self, now: Timestamp) -> Duration {
        let all = [&self.health].into_iter().chain(self.rules.values());
        all.map(|health| health.wait(now)).min().unwrap_or_default()
    }
}

impl Used {
    fn of(settings: &Settings) -> Option<Used> {
        let endpoint = settings.endpoint.as_deref().map(without_credentials);
        let variable = settings.backend_variable.map(str::to_owned);
        Some(Used { target: settings.target?.name().to_owned(), endpoint, variable })
    }
}

impl Health {
    /// Returns the backend that the hooks' deliveries went to, if it is another than that of these settings.
    pub fn used_elsewhere(&self, settings: &Settings) -> Option<&Used> {
        self.used.as_ref().filter(|_| self.backend != digest(settings))
    }

    fn turn_to(&mut self, settings: &Settings) {
        let backend = digest(settings);
        if self.backend != backend {
            *self = Health { backend, used: Used::of(settings), ..Health::default() };
        }
    }

    /// Notes a warning, and returns whether it is another than before and so worth a line in the log.
    pub fn warned(&mut self, now: Timestamp, text: &str) -> bool {
        let known = self.last_warning.as_ref().is_some_and(|w| w.text == text);
        self.last_warning = Some(Warning { at: now, text: text.to_owned() });
        !known
    }

    /// Notes a success.
    pub fn succeeded(&mut self, now: Timestamp) {
        self.last_success = Some(now);
        self.consecutive_failures = 0;
        self.last_error = None;
        self.next_attempt_at = None;
    }

    /// Notes a failure, and returns whether it is another state than before and so worth a line in the log.
    pub fn failed(&mut self, now: Timestamp, text: &str, advice: &str, wait: Option<Duration>) -> bool {
        let known = self.last_error.as_ref().filter(|e| e.text == text).map(|e| e.since);
        self.consecutive_failures += 1;
        self.next_attempt_at = wait.map(|w| now.plus(w.min(LONGEST_ASKED)));
        self.last_error = Some(LastError {
            at: now,
            since: known.unwrap_or(now),
            text: text.to_owned(),
            advice: advice.to_owned(),
        });
        known.is_none()
    }

    /// Returns how long the server still wants to be left alone. A clock that was set back does not prolong
    /// it: what was asked for before `now` was ever reached counts no more.
    pub fn wait(&self, now: Timestamp) -> Duration {
        let asked_in_the_future = self.last_error.as_ref().is_some_and(|e| e.at > now);
        match self.next_attempt_at {
            Some(at) if !asked_in_the_future => at.since(now),
            _ => Duration::ZERO,
        }
    }
}

fn digest(settings: &Settings) -> String {
    let mut hash = Sha256::new();
    hash.update(settings.target.map_or("none", |t| t.name()));
    for part in [settings.endpoint.as_deref(), settings.space_id.as_deref()] {
        hash.update([0]);
        hash.update(part.unwrap_or_default());
    }
    let key = settings.api_key.iter().chain(settings.headers.iter().map(|(_, value)| value));
    for secret in key {
        hash.update([0]);
        hash.update(secret.expose());
    }
    hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect()
}

const VERSION: u32 = 1;
const MAX_BYTES: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otel::testing;

    #[test]
    fn failure_is_logged_once() {
        let mut status = Health::default();
        let at = Timestamp::from_millis;
        assert!(status.failed(at(1), "HTTP status 401", "", None));
        assert!(!status.failed(at(2), "HTTP status 401", "", None));
        assert_eq!(status.last_error.as_ref().unwrap().since, at(1));
        assert!(status.failed(at(3), "HTTP status 403", "", None));
        assert_eq!(status.consecutive_failures, 3);
        status.succeeded(at(4));
        assert!(status.failed(at(5), "HTTP status 403", "", None));
    }

    #[test]
    fn clock_change_never_blocks_delivery() {
        let mut status = Health::default();
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        status.failed(at(1000), "HTTP status 503", "", Some(Duration::from_secs(60)));
        assert_eq!(status.wait(at(1010)), Duration::from_secs(50));
        assert_eq!(status.wait(at(1)), Duration::ZERO, "set back");
        assert_eq!(status.wait(at(9000)), Duration::ZERO);
        status.failed(at(1000), "HTTP status 503", "", Some(Duration::from_secs(1 << 40)));
        assert!(status.wait(at(1000)) <= LONGEST_ASKED);
    }

    #[test]
    fn status_file_survives_damage() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        file::create_private_dir(&paths.state()).unwrap();
        let mut status = DeliveryStatus::load(&paths);
        status.of(None).failed(Timestamp::from_millis(5), "x", "y", None);
        status.of(Some("path ~/x")).succeeded(Timestamp::from_millis(6));
        status.save(&paths).unwrap();
        assert_eq!(DeliveryStatus::load(&paths), status);
        std::fs::write(paths.delivery_status(), b"{").unwrap();
        assert_eq!(DeliveryStatus::load(&paths).health.consecutive_failures, 0);
    }
}
