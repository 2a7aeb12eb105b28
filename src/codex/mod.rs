//! All knowledge of Codex: its ids, its payloads, its rollouts, its configuration file.
//!
//! What is written here was observed (`docs::codex`) and is read tolerantly: an unknown field or event is
//! harmless, a missing one is none. Nothing here writes anything but Codex's configuration.

pub mod events;
pub mod hooks_config;
mod lenient;
pub mod notify_chain;
pub mod payload;
pub mod plugin;
pub mod process;
pub mod rollout;
