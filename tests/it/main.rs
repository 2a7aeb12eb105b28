//! The integration tests: one binary, one module for each part. On Windows those run that need no Codex, no shell, no
//! links, no terminal and no executable in a home of its own; `tests/platform/windows_test.py` does the rest there with the real codex.exe.

#[cfg(unix)]
mod attributes;
#[cfg(unix)]
mod codex;
mod collector;
#[cfg(unix)]
mod command_line;
#[cfg(unix)]
mod config_layers;
#[cfg(unix)]
mod cost;
#[cfg(unix)]
mod doctor;
#[cfg(unix)]
mod doctor_faults;
#[cfg(unix)]
mod documents;
mod export_batches;
mod export_budget;
#[cfg(unix)]
mod export_killed;
mod export_outcomes;
#[cfg(unix)]
mod export_phoenix;
#[cfg(unix)]
mod export_receivers;
mod export_tls;
#[cfg(unix)]
mod export_told;
#[cfg(unix)]
mod faults;
#[cfg(unix)]
mod faults_disk;
#[cfg(unix)]
mod faults_kill;
#[cfg(unix)]
mod faults_time;
#[cfg(unix)]
mod history_faults;
#[cfg(unix)]
mod hostile;
#[cfg(unix)]
mod hostile_files;
#[cfg(unix)]
mod hostile_grid;
#[cfg(unix)]
mod lab;
#[cfg(unix)]
mod large_turn;
#[cfg(unix)]
mod layers;
#[cfg(unix)]
mod live;
#[cfg(unix)]
mod live_app_server;
#[cfg(unix)]
mod live_configs;
#[cfg(unix)]
mod live_managed;
#[cfg(unix)]
mod live_story;
#[cfg(unix)]
mod live_trust;
#[cfg(unix)]
mod made_rollouts;
#[cfg(unix)]
mod matrix;
mod model_input;
#[cfg(unix)]
mod namespace;
#[cfg(unix)]
mod next_look;
#[cfg(unix)]
mod one_story;
mod outbox_model;
#[cfg(unix)]
mod owners;
#[cfg(unix)]
mod past_rollouts;
#[cfg(unix)]
mod platform;
#[cfg(unix)]
mod readme;
#[cfg(unix)]
mod receivers;
mod recordings;
mod replay;
#[cfg(unix)]
mod rule_backends;
#[cfg(unix)]
mod secrets;
#[cfg(unix)]
mod seed;
#[cfg(unix)]
mod setup;
#[cfg(unix)]
mod setup_terminal;
mod shapes;
#[cfg(unix)]
mod supply;
#[cfg(unix)]
mod view_backfill;
#[cfg(unix)]
mod view_commands;
#[cfg(unix)]
mod view_follow;
#[cfg(unix)]
mod view_open;
mod view_pages;
#[cfg(unix)]
mod view_search;
