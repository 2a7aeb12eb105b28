//! Traces of OpenAI Codex CLI sessions: one executable that Codex calls at each point of a session.
//!
//! # The way through
//! `main` → [`run`] takes the role from the program's own name or the command line. A role ([`hook`]) writes what
//! Codex reports into the thread's state and rows ([`turn::state`], [`turn::rows`]). The hook that ends a turn closes
//! it ([`delivery::close`]) and starts a detached process, which reads the rollout ([`codex::rollout`]), folds
//! everything into a [`turn::Turn`] ([`turn::fold`]), builds spans ([`otel::spans`]), puts them into the outbox and
//! delivers them ([`delivery::flush`]). People use the commands in [`cli`].
//!
//! # Layers
//! An arrow points down, never up and never in a circle; a test holds every `crate::` path against this table.
//!
//! | layer | may use |
//! |---|---|
//! | `hook`, `cli` | everything below, not each other |
//! | `delivery` | everything below: the one driver that closes, assembles, sends and archives |
//! | `otel` | `turn`, `codex`, `settings`: spans, redaction, the file of a finished turn |
//! | `turn` | `codex`, `settings`: state, rows, the fold |
//! | `settings` | `git` |
//! | `codex`, `git` | the ground |
//! | `arena`, `context`, `file`, `ids`, `layout`, `log`, `platform`, `text`, `time`, `truncate` | the ground: std and each other |

pub mod arena;
pub mod cli;
pub mod codex;
pub mod context;
pub mod delivery;
pub mod docs;
pub mod file;
pub mod git;
pub mod hook;
pub mod ids;
pub mod layout;
pub mod log;
pub mod otel;
pub mod platform;
pub mod settings;
pub mod text;
pub mod time;
pub mod truncate;
pub mod turn;

use std::path::Path;

use context::Context;
use hook::Role;

/// Does what the program's name, or its arguments, ask for; returns the exit code.
pub fn run(context: &Context) -> u8 {
    if context.args().get(1..).is_some_and(|rest| rest == platform::DETACHED_ARGUMENTS) {
        hook::deliver_detached(context);
        return 0;
    }
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
    let name = name.strip_suffix(platform::EXE_SUFFIX).unwrap_or(name);
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

/// Prefix of the hooks' links.
pub const HOOK_PREFIX: &str = "arize-hook-codex-";
