//! From what hooks, rollout and notify said to the spans of a turn.
//!
//! [`state`] and [`rows`] are what hooks leave behind, [`fold`] is the pure step from all three sources to a
//! [`turn::Turn`], [`spans`] the pure step from there to OpenInference. [`redact`] decides what may be written.

pub mod closing;
mod flat_yaml;
pub mod fold;
pub mod ids;
pub mod outline;
pub mod place;
pub mod redact;
pub mod rows;
pub mod scrub;
pub mod spans;
pub mod state;
pub mod turn;
