//! The commands for people: one file each, exit codes 0 done, 1 failed, 2 usage.
//!
//! A command gets the context and its own arguments, writes to stdout what was asked for and returns what it
//! could not do as an error, which is told once, here, on stderr.

mod backfill;
mod config;
mod demo;
mod doctor;
mod flush;
mod html;
mod install;
mod list;
mod preview;
mod resend;
mod setup;
mod show;
mod since;
mod stats;
mod uninstall;
mod view;

use argh::FromArgs;
use std::io::Write;
use std::path::Path;

use crate::context::Context;
use crate::handover;
use crate::settings::Settings;
use crate::trace::outline::printable;

/// What a command leaves behind for the shell.
pub mod exit {
    /// Everything went as asked.
    pub const DONE: u8 = 0;
    /// Something could not be done.
    pub const FAILED: u8 = 1;
    /// The command line was not understood.
    pub const USAGE: u8 = 2;
}

/// Traces of OpenAI Codex CLI sessions for Phoenix, Arize AX and OpenTelemetry collectors.
#[derive(FromArgs)]
struct Arguments {
    /// print the version
    #[argh(switch)]
    version: bool,
    #[argh(subcommand)]
    command: Option<Command>,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Command {
    Backfill(backfill::BackfillArgs),
    Config(config::Config),
    Demo(demo::Demo),
    Doctor(doctor::Doctor),
    Flush(flush::FlushArgs),
    Install(install::Install),
    List(list::ListArgs),
    Preview(preview::PreviewArgs),
    Resend(resend::ResendArgs),
    Show(show::ShowArgs),
    Stats(stats::StatsArgs),
    Uninstall(uninstall::Uninstall),
    #[allow(dead_code, reason = "as its only field")]
    Hook(Hook),
}

/// A role that Codex calls: session, tool, stop or notify.
#[derive(FromArgs)]
#[argh(subcommand, name = "hook")]
struct Hook {
    /// session, tool, stop or notify
    #[argh(positional)]
    #[allow(
        dead_code,
        reason = "named for the help text; the dispatcher takes named roles before this is parsed"
    )]
    role: Option<String>,
}

/// Runs a command; returns the exit code.
pub fn run(context: &Context) -> u8 {
    let args: Vec<String> = context.args().iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let program = args.first().and_then(|a| Path::new(a).file_name()?.to_str()).unwrap_or(PROGRAM).to_owned();
    let mut rest: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    if program == CONFIG_PROGRAM {
        rest.insert(0, "config");
    }
    if rest.is_empty() {
        rest.push("--help");
    }
    let arguments = match Arguments::from_args(&[PROGRAM], &rest) {
        Ok(arguments) => arguments,
        Err(early) if early.status.is_ok() => return say(&early.output),
        Err(early) => {
            eprint!("{}", early.output);
            return exit::USAGE;
        }
    };
    if arguments.version {
        return say(&format!("{PROGRAM} {}\n", env!("CARGO_PKG_VERSION")));
    }
    let mut out = std::io::stdout().lock();
    let mut refill = |settings: &Settings| handover::gather(context, settings);
    let done = match arguments.command {
        Some(Command::Backfill(args)) => backfill::run(&args, context, &mut out),
        Some(Command::Config(config)) => config::run(config, context, &mut out),
        Some(Command::Demo(demo)) => demo::run(demo, &mut out),
        Some(Command::Doctor(args)) => doctor::run(&args, context, &mut out),
        Some(Command::Install(args)) => install::run(&args, context, &mut out),
        Some(Command::Uninstall(args)) => uninstall::run(&args, context, &mut refill, &mut out),
        Some(Command::Flush(args)) => flush::run(&args, context, &mut refill, &mut out),
        Some(Command::List(args)) => list::run(&args, context, &mut out),
        Some(Command::Preview(args)) => preview::run(&args, context, &mut out),
        Some(Command::Resend(args)) => resend::run(&args, context, &mut refill, &mut out),
        Some(Command::Show(args)) => show::run(&args, context, &mut out),
        Some(Command::Stats(args)) => stats::run(&args, context, &mut out),
        // The dispatcher takes every named role before the command line is parsed.
        Some(Command::Hook(_)) | None => {
            eprintln!("{PROGRAM} hook takes one of: session, tool, stop, notify");
            return exit::USAGE;
        }
    };
    done.unwrap_or_else(|error| {
        // A reader that has seen enough is no failure.
        let closed = error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe);
        if closed {
            return exit::DONE;
        }
        eprintln!("{PROGRAM}: {}", printable(&format!("{error:#}")));
        exit::FAILED
    })
}

fn say(text: &str) -> u8 {
    let _ = std::io::stdout().write_all(text.as_bytes());
    exit::DONE
}

/// The name of the executable.
pub const PROGRAM: &str = "arize-codex";
/// The link that is short for `arize-codex config`.
pub const CONFIG_PROGRAM: &str = "arize-config";
