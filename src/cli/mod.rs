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
mod session;
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
use crate::otel::text_tree::printable;

/// Exit codes for the shell.
pub mod exit {
    /// Everything went as asked.
    pub const DONE: u8 = 0;
    /// Something could not be done.
    pub const FAILED: u8 = 1;
    /// The command line was not understood.
    pub const USAGE: u8 = 2;
}

/// A command line that makes no sense, found only once it was parsed; its exit code is [`exit::USAGE`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageError(String);

fn usage(message: impl Into<String>) -> anyhow::Error {
    UsageError(message.into()).into()
}

/// The report of a command that acts: it does so whether or not anybody reads on.
struct Unheeded<W>(W);

impl<W: Write> Write for Unheeded<W> {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.write(text).or_else(|e| if is_closed(&e) { Ok(text.len()) } else { Err(e) })
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush().or_else(|e| if is_closed(&e) { Ok(()) } else { Err(e) })
    }
}

fn is_closed(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::BrokenPipe
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
    Hook(#[expect(dead_code, reason = "the dispatcher takes named roles before this is parsed")] Hook),
}

/// A role that Codex calls: session, tool, stop or notify.
#[derive(FromArgs)]
#[argh(subcommand, name = "hook")]
struct Hook {
    /// session, tool, stop or notify
    #[argh(positional)]
    #[expect(
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
    for argument in rest.iter_mut().take_while(|a| **a != "--") {
        match *argument {
            "-h" => *argument = "--help",
            "-V" => *argument = "--version",
            _ => {}
        }
    }
    // To argh a lone dash is an option. Here it is the value that stands for standard input.
    if rest.starts_with(&["config", "set"]) && rest.last() == Some(&"-") && !rest.contains(&"--") {
        rest.insert(2, "--");
    }
    let arguments = match Arguments::from_args(&[PROGRAM], &rest) {
        Ok(arguments) => arguments,
        Err(early) if early.status.is_ok() => return say(&early.output),
        Err(early) => {
            eprintln!(
                "{}\n{PROGRAM} --help names the commands, and {PROGRAM} COMMAND --help their options",
                early.output.trim_end()
            );
            return exit::USAGE;
        }
    };
    if arguments.version {
        return say(&format!("{PROGRAM} {}\n", env!("CARGO_PKG_VERSION")));
    }
    execute(arguments.command, context).unwrap_or_else(|error| {
        // A reader that has seen enough is no failure.
        if error.downcast_ref::<std::io::Error>().is_some_and(is_closed) {
            return exit::DONE;
        }
        eprintln!("{PROGRAM}: {}", printable(&format!("{error:#}")));
        if error.is::<UsageError>() { exit::USAGE } else { exit::FAILED }
    })
}

fn execute(command: Option<Command>, context: &Context) -> anyhow::Result<u8> {
    let out = &mut std::io::stdout().lock();
    match command {
        Some(Command::Demo(demo)) => demo::run(demo, out),
        Some(Command::Doctor(args)) => doctor::run(&args, context, out),
        Some(Command::List(args)) => list::run(&args, context, out),
        Some(Command::Preview(args)) => preview::run(&args, context, out),
        Some(Command::Show(args)) => show::run(&args, context, out),
        Some(Command::Stats(args)) => stats::run(&args, context, out),
        Some(Command::Config(config)) => config::run(config, context, &mut Unheeded(out)),
        Some(Command::Install(args)) => install::run(&args, context, &mut Unheeded(out)),
        Some(Command::Uninstall(args)) => uninstall::run(&args, context, &mut Unheeded(out)),
        Some(Command::Backfill(args)) => backfill::run(&args, context, &mut Unheeded(out)),
        Some(Command::Flush(args)) => flush::run(&args, context, &mut Unheeded(out)),
        Some(Command::Resend(args)) => resend::run(&args, context, &mut Unheeded(out)),
        // The dispatcher takes every named role before the command line is parsed.
        Some(Command::Hook(_)) | None => {
            Err(usage(format!("{PROGRAM} hook takes one of: session, tool, stop, notify")))
        }
    }
}

fn say(text: &str) -> u8 {
    let _ = std::io::stdout().write_all(text.as_bytes());
    exit::DONE
}

/// The name of the executable.
pub const PROGRAM: &str = "arize-codex";
/// The link that is short for `arize-codex config`.
pub const CONFIG_PROGRAM: &str = "arize-config";
