//! The tokens of a turn as they have to be priced: by model, service tier and step, each call by its own.
//!
//! Small enough to be kept for good: with these figures a turn of last year can be priced anew.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;
use crate::turn::Turn;

/// What some calls of one model, in one tier and on one side of the step, used in the same quarter of an hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUse {
    /// Empty where nothing records it.
    #[serde(rename = "m", default)]
    pub model: String,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// True if each prompt was above 272,000 tokens.
    #[serde(rename = "l", default, skip_serializing_if = "is_false")]
    pub long: bool,
    /// When the first of the responses ended.
    #[serde(with = "millis")]
    pub at: Timestamp,
    /// Calls whose tokens are known.
    #[serde(rename = "n", default)]
    pub calls: u64,
    /// Calls that answered something, without a record of the tokens it took.
    #[serde(rename = "u", default, skip_serializing_if = "is_zero")]
    pub unreported: u64,
    /// Tokens read, cached and newly cached ones included.
    #[serde(rename = "i", default)]
    pub input: u64,
    #[serde(rename = "c", default, skip_serializing_if = "is_zero")]
    pub cached: u64,
    #[serde(rename = "w", default, skip_serializing_if = "is_zero")]
    pub written: u64,
    /// Tokens written, reasoning included.
    #[serde(rename = "o", default)]
    pub output: u64,
    #[serde(rename = "r", default, skip_serializing_if = "is_zero")]
    pub reasoning: u64,
}

/// Counts one more response among those of a turn, added to those it is like.
pub fn count(all: &mut Vec<TokenUse>, call: &crate::turn::ModelCall, model_of_turn: Option<&str>) {
    let used = of_call(call, model_of_turn);
    match all.iter_mut().find(|known| known.is_like(&used)) {
        Some(known) => known.add(&used),
        None if used.calls + used.unreported > 0 => all.push(used),
        None => {}
    }
}

/// Returns what a turn used: its responses, or where their tokens are not known, the turn's own.
pub fn of_turn(turn: &Turn, counted: Vec<TokenUse>) -> Vec<TokenUse> {
    let (model, mut all) = (turn.about.model.as_deref(), counted);
    let reported = all.iter().any(|used| used.calls > 0);
    if let Some(usage) = turn.usage.as_ref().filter(|_| !reported) {
        // The sum of a turn's calls, whose number is not recorded: its step is not known.
        all = vec![TokenUse::new(model, None, turn.ended, Some(usage))];
        all[0].long = false;
        all[0].unreported = u64::from(usage.input_tokens > LONG_PROMPT);
    }
    all
}

/// One response.
pub fn of_call(call: &crate::turn::ModelCall, model_of_turn: Option<&str>) -> TokenUse {
    let model = call.model.as_deref().or(model_of_turn);
    let mut used = TokenUse::new(model, call.service_tier.as_deref(), call.ended, call.usage.as_ref());
    used.unreported = u64::from(call.usage.is_none() && !call.output.is_empty());
    used
}

impl TokenUse {
    /// Returns what one request used; nothing where that is not known.
    pub fn new(
        model: Option<&str>,
        tier: Option<&str>,
        at: Timestamp,
        usage: Option<&crate::codex::payload::Usage>,
    ) -> TokenUse {
        let usage = usage.copied();
        let calls = u64::from(usage.is_some());
        let usage = usage.unwrap_or_default();
        TokenUse {
            model: model.unwrap_or_default().to_owned(),
            tier: tier.map(str::to_owned),
            long: usage.input_tokens > LONG_PROMPT,
            at,
            calls,
            unreported: 0,
            input: usage.input_tokens,
            cached: usage.cached_input_tokens,
            written: usage.cache_write_input_tokens.unwrap_or(0),
            output: usage.output_tokens,
            reasoning: usage.reasoning_output_tokens,
        }
    }

    fn is_like(&self, other: &TokenUse) -> bool {
        let quarter = |at: Timestamp| at.as_millis() / QUARTER_MS;
        self.model == other.model
            && self.tier == other.tier
            && self.long == other.long
            && quarter(self.at) == quarter(other.at)
    }

    fn add(&mut self, other: &TokenUse) {
        self.calls += other.calls;
        self.unreported += other.unreported;
        self.input = self.input.saturating_add(other.input);
        self.cached = self.cached.saturating_add(other.cached);
        self.written = self.written.saturating_add(other.written);
        self.output = self.output.saturating_add(other.output);
        self.reasoning = self.reasoning.saturating_add(other.reasoning);
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

mod millis {
    use super::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(at.as_millis())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_millis)
    }
}

/// The prompt above which some models cost more a token, for the whole request.
pub const LONG_PROMPT: u64 = 272_000;
/// Midnight is on a quarter of an hour everywhere, so a turn can be counted by the days of its responses.
const QUARTER_MS: u64 = 15 * 60 * 1000;
