//! The integration tests: one binary, one module for each part.

mod codex;
mod collector;
mod doctor;
mod export_budget;
mod export_outcomes;
mod export_phoenix;
mod export_tls;
mod faults;
mod faults_disk;
mod faults_kill;
mod faults_time;
mod hostile;
mod hostile_files;
mod lab;
mod layers;
mod live;
mod outbox_model;
mod readme;
mod recordings;
mod replay;
mod secrets;
mod setup;
mod supply;
mod view_backfill;
mod view_commands;
mod view_pages;
