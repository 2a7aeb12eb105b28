//! Traces of OpenAI Codex CLI sessions: one executable that Codex calls at each point of a session.
//!
//! # The way through
//! `main` → [`run`] takes the role from the program's own name or the command line. A role ([`hook`]) writes what
//! Codex tells it into the thread's state and rows ([`trace::state`], [`trace::rows`]). The hook that ends a turn
//! freezes it and starts a detached process ([`handover`]), which reads the rollout ([`codex::rollout`]), folds
//! everything into a [`trace::turn::Turn`] ([`trace::fold`]), builds spans ([`trace::spans`]), puts them into the
//! outbox and delivers them ([`export`]). People use the commands in [`cli`].
//!
//! # Layers
//! An arrow may point down, never up; a test holds the `use crate::` lines against this table.
//!
//! | layer | may use |
//! |---|---|
//! | `hook`, `cli` | everything below, not each other |
//! | `handover` | everything below: the one place where turns, rollouts and the outbox meet |
//! | `trace` | `codex`, `settings`, and of `export` the entry it builds |
//! | `export` | `settings`, and of `codex` the ids and the cutting of long values |
//! | `codex`, `settings`, `git` | the ground |
//! | `context`, `file`, `log`, `os`, `time`, `arena` | the ground: std and each other |

pub mod arena;
pub mod cli;
pub mod codex;
pub mod context;
pub mod export;
pub mod file;
pub mod git;
pub mod handover;
pub mod hook;
pub mod log;
pub mod os;
pub mod settings;
pub mod time;
pub mod trace;

use std::path::Path;

use context::Context;
use hook::Role;

/// Does what the program's name, or its arguments, ask for; returns the exit code.
pub fn run(context: &Context) -> u8 {
    if let Some(role) = role_by_name(context) {
        hook::run(role, context);
        return 0;
    }
    cli::run(context)
}

/// The role of a symbolic link named after it, or of `hook ROLE`. A role that is not known is still Codex calling:
/// it must not be answered with a usage error.
fn role_by_name(context: &Context) -> Option<Role> {
    let args = context.args();
    let name =
        args.first().and_then(|a| Path::new(a).file_name()).and_then(|n| n.to_str()).unwrap_or_default();
    if let Some(role) = name.strip_prefix(HOOK_PREFIX) {
        return Some(Role::parse(role).unwrap_or(Role::Session));
    }
    if args.get(1).is_some_and(|a| a == "hook") {
        let role = args.get(2).and_then(|a| a.to_str()).unwrap_or_default();
        return match role {
            "--help" | "-h" | "help" | "" => None,
            role => Some(Role::parse(role).unwrap_or(Role::Session)),
        };
    }
    None
}

/// What the names of the hooks' links begin with.
pub const HOOK_PREFIX: &str = "arize-hook-codex-";
