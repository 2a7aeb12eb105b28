//! The commands for people: one file each, exit codes 0 done, 1 failed, 2 usage.
//!
//! A command gets the context and its own arguments, writes to stdout what was asked for and returns what it
//! could not do as an error, which is printed once, here, on stderr. [`commands`] declares them, [`mod@line`] reads the command
//! line.

mod backfill;
mod commands;
mod config;
mod demo;
mod doctor;
mod flush;
mod follow;
mod html;
mod install;
mod line;
mod list;
mod open;
mod preview;
mod prices;
mod resend;
mod search;
mod selection;
mod setup;
mod show;
mod stats;
mod uninstall;
mod view;

use argh::{ArgsInfo, FromArgs};
use std::io::Write;
use std::path::Path;

use crate::context::{Context, var};
use crate::text::printable;
use commands::{Arguments, Command};
use line::table::{CommandSpec, Group, Shared};
use line::{Colour, Line, Request};
use selection::selectors::{SELECTING, Selectors};
use view::records::{Output, TABULATING};
use view::terminal::Terminal;

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
    error.kind() == std::io::ErrorKind::BrokenPipe || crate::platform::is_closed_pipe(error)
}

/// Runs a command; returns the exit code.
pub fn run(context: &Context) -> u8 {
    let args: Vec<String> = context.args().iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let program = args.first().and_then(|a| Path::new(a).file_name()?.to_str()).unwrap_or(PROGRAM).to_owned();
    let mut words: Vec<String> = args.into_iter().skip(1).collect();
    if program.strip_suffix(crate::platform::EXE_SUFFIX).unwrap_or(&program) == CONFIG_PROGRAM {
        words.insert(0, "config".to_owned());
    }
    let table = table();
    match line::split(&table, &words) {
        Ok(Request::Version) => say(&format!("{PROGRAM} {}\n", env!("CARGO_PKG_VERSION"))),
        Ok(Request::Help(path)) => {
            say(&line::help::help(&table, &path, Terminal::of(context).width.min(HELP_COLUMNS)))
        }
        Ok(Request::Run(line)) => match parse(&line) {
            Ok((command, selectors, output)) => {
                let context = &with_colour(context, line.colour);
                report(execute(command, &selectors, output, &table, context))
            }
            Err(message) => refuse(&message),
        },
        Err(message) => refuse(&message),
    }
}

/// The table of commands and their options.
fn table() -> CommandSpec {
    let shared = [
        Shared { group: Group::Selectors, commands: &SELECTING, info: Selectors::get_args_info() },
        Shared { group: Group::Output, commands: &TABULATING, info: Output::get_args_info() },
    ];
    CommandSpec::of::<Arguments>(PROGRAM, &shared)
}

/// Parses what was split.
fn parse(line: &Line) -> Result<(Command, Selectors, Output), String> {
    let message = |early: argh::EarlyExit| early.output.trim_end().to_owned();
    let own: Vec<&str> = line.own.iter().map(String::as_str).collect();
    let selectors: Vec<&str> = line.selectors.iter().map(String::as_str).collect();
    let output: Vec<&str> = line.output.iter().map(String::as_str).collect();
    let arguments = Arguments::from_args(&[PROGRAM], &own).map_err(message)?;
    let selectors = Selectors::from_args(&[PROGRAM], &selectors).map_err(message)?;
    let output = Output::from_args(&[PROGRAM], &output).map_err(message)?;
    Ok((arguments.command, selectors, output))
}

/// The context with what `--color` asks for in the place of the variables that do.
fn with_colour(context: &Context, colour: Colour) -> Context {
    let context = context.clone();
    match colour {
        Colour::Auto => context,
        Colour::Always => context.with_var(var::NO_COLOR, "").with_var(var::CLICOLOR_FORCE, "1"),
        Colour::Never => context.with_var(var::NO_COLOR, "1"),
    }
}

fn refuse(message: &str) -> u8 {
    eprintln!("{PROGRAM}: {}\n{PROGRAM} --help lists the commands", printable_lines(message));
    exit::USAGE
}

fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

fn report(result: anyhow::Result<u8>) -> u8 {
    result.unwrap_or_else(|error| {
        // A reader that has seen enough is no failure.
        if error.downcast_ref::<std::io::Error>().is_some_and(is_closed) {
            return exit::DONE;
        }
        eprintln!("{PROGRAM}: {}", printable(&format!("{error:#}")));
        if error.is::<UsageError>() { exit::USAGE } else { exit::FAILED }
    })
}

fn execute(
    command: Command,
    selectors: &Selectors,
    output: Output,
    table: &CommandSpec,
    context: &Context,
) -> anyhow::Result<u8> {
    let out = &mut std::io::stdout().lock();
    let form = output.form().map_err(usage)?;
    match command {
        Command::Demo(args) => demo::run(args, context, out),
        Command::Doctor(args) => doctor::run(&args, context, out),
        Command::List(args) => list::run(&args, selectors, form, context, out),
        Command::Preview(args) => preview::run(&args, selectors, context, out),
        Command::Show(args) => show::run(&args, selectors, context, out),
        Command::Open(args) => open::run(&args, context, out),
        Command::Search(args) => search::run(&args, selectors, form, context, out),
        Command::Stats(args) => stats::run(&args, selectors, form, context, out),
        Command::Prices(args) => prices::run(&args, form, context, &mut Unheeded(out)),
        Command::Config(config) => config::run(config, context, &mut Unheeded(out)),
        Command::Install(args) => install::run(&args, context, &mut Unheeded(out)),
        Command::Uninstall(args) => uninstall::run(&args, context, &mut Unheeded(out)),
        Command::Backfill(args) => backfill::run(&args, selectors, context, &mut Unheeded(out)),
        Command::Flush(args) => flush::run(&args, context, &mut Unheeded(out)),
        Command::Resend(args) => resend::run(&args, selectors, context, &mut Unheeded(out)),
        Command::Completions(args) => match line::completions::completions(table, &args.shell) {
            Some(script) => Ok(say(&script)),
            None => Err(usage(format!("completions are for bash, zsh and fish, not for {}", args.shell))),
        },
        Command::Man(_) => Ok(say(&line::man::page(table))),
        // The dispatcher takes every named role before the command line is parsed.
        Command::Hook(_) => Err(usage(format!("{PROGRAM} hook takes one of: session, tool, stop, notify"))),
    }
}

fn say(text: &str) -> u8 {
    let _ = std::io::stdout().write_all(text.as_bytes());
    exit::DONE
}

pub use crate::platform::PROGRAM;
/// The link that is short for `arize-codex config`.
pub const CONFIG_PROGRAM: &str = "arize-config";
/// Wider lines are hard to read.
const HELP_COLUMNS: usize = 100;
