//! Traces of OpenAI Codex CLI sessions.
#![forbid(unsafe_op_in_unsafe_fn)]

pub mod codex;
pub mod context;
pub mod export;
pub mod file;
pub mod log;
pub mod settings;
pub mod time;
pub mod trace;
