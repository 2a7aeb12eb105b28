//! `arize-codex open`: all sessions of this machine as pages that the executable itself serves on loopback.
//!
//! [`guard`] decides which requests are answered at all, [`server`] holds the connections, [`answer`] makes the answers
//! out of [`rows`], the cached list of turns. Nothing is ever written.

mod answer;
mod guard;
mod rows;
mod server;

use argh::{ArgsInfo, FromArgs};
use std::io::Write;

use super::selection::selectors::Selectors;
use super::view::browser;
use super::{exit, selection};
use crate::context::Context;
use crate::otel::ids::hex;

/// Open all recorded sessions, or one turn, in the browser.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(subcommand, name = "open")]
pub struct OpenArgs {
    /// last, a number from `list`, or the start of a session or turn ID
    #[argh(positional, arg_name = "turn")]
    what: Option<String>,
    /// print the address and serve until Ctrl-C
    #[argh(switch)]
    no_browser: bool,
}

/// Serves the pages until Ctrl-C, or until nobody has looked for ten minutes.
///
/// # Errors
/// When there is no such turn, or no port of this machine can be listened on.
pub fn run(args: &OpenArgs, context: &Context, out: &mut dyn Write) -> anyhow::Result<u8> {
    let page = match args.what.as_deref() {
        None => String::new(),
        Some(what) => page_of(context, what)?,
    };
    let server = server::Server::bind(token()?)?;
    let address = format!("{}{page}", server.address());
    if args.no_browser {
        writeln!(out, "{address}")?;
        out.flush()?;
        return server.run(context, None).map(|()| exit::DONE);
    }
    writeln!(out, "{address}\nPress Ctrl-C to stop; it stops by itself after ten minutes without use")?;
    out.flush()?;
    browser::open(context, &address);
    server.run(context, Some(server::IDLE)).map(|()| exit::DONE)
}

/// Makes the token that every address holds. Without a source of randomness nothing is served.
fn token() -> anyhow::Result<String> {
    let mut random = [0; 16];
    let source = rustls::crypto::ring::default_provider().secure_random;
    source.fill(&mut random).map_err(|_| anyhow::anyhow!("no source of random numbers is available"))?;
    Ok(hex(&random))
}

/// The page of a turn, or of a session's conversation.
fn page_of(context: &Context, what: &str) -> anyhow::Result<String> {
    let found = selection::wanted(context, &Selectors::default(), Some(what))?;
    Ok(match &found[..] {
        [one] => format!("turn/{}.{}", one.turn, one.thread),
        [first, ..] => format!("#session={}", first.thread),
        [] => String::new(),
    })
}
