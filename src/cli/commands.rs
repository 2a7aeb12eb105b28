//! The commands and their options, declared once: the parser, the help, the completions, the man page and the tables
//! of the documentation are all made of this.

use argh::{ArgsInfo, FromArgs};

use super::{
    backfill, config, demo, doctor, flush, install, list, open, preview, prices, resend, search, show, stats,
    uninstall,
};

/// Traces of OpenAI Codex CLI sessions for Phoenix, Arize AX and OpenTelemetry collectors.
#[derive(FromArgs, ArgsInfo)]
pub struct Arguments {
    #[argh(subcommand)]
    pub command: Command,
}

/// What can be asked for.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub enum Command {
    Install(install::Install),
    Doctor(doctor::Doctor),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Open(open::OpenArgs),
    Search(search::SearchArgs),
    Stats(stats::StatsArgs),
    Prices(prices::PricesArgs),
    Preview(preview::PreviewArgs),
    Backfill(backfill::BackfillArgs),
    Resend(resend::ResendArgs),
    Flush(flush::FlushArgs),
    Config(config::Config),
    Demo(demo::Demo),
    Uninstall(uninstall::Uninstall),
    Completions(Completions),
    Man(Man),
    Hook(#[expect(dead_code, reason = "the dispatcher takes named roles before this is parsed")] Hook),
}

/// Print a completion script for your shell.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "completions")]
pub struct Completions {
    /// bash, zsh or fish
    #[argh(positional)]
    pub shell: String,
}

/// Print the manual page, in the format of man.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "man")]
pub struct Man {}

/// Run as one of the hooks; Codex calls this.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "hook")]
pub struct Hook {
    /// session, tool, stop or notify
    #[argh(positional)]
    #[expect(
        dead_code,
        reason = "named for the help text; the dispatcher takes named roles before this is parsed"
    )]
    role: Option<String>,
}
