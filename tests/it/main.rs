//! The integration tests: one binary, one module for each part.

mod codex;
mod collector;
mod export_outcomes;
mod export_phoenix;
mod export_tls;
mod hostile;
mod hostile_files;
mod live;
mod outbox_model;
mod recordings;
mod replay;
mod secrets;
mod supply;
