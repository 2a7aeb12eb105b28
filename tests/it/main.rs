//! The integration tests: one binary, one module for each part.

mod collector;
mod export_outcomes;
mod export_phoenix;
mod export_tls;
mod outbox_model;
mod recordings;
mod replay;
mod view_backfill;
mod view_commands;
mod view_pages;
