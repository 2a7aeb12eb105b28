//! `arize-codex list`: the turns kept on this machine, by session, newest first.

mod records;
mod table;

use argh::{ArgsInfo, FromArgs};
use serde_json::Value;
use std::io::Write;

use super::selection::selectors::Selectors;
use super::selection::{self, Trace};
use super::view::records::{Form, write_json};
use super::view::terminal::Terminal;
use super::{exit, follow};
use crate::context::Context;
use crate::delivery;
use crate::otel::prices::Prices;
use crate::settings::Settings;

/// List recent turns, newest first.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "list")]
pub struct ListArgs {
    /// maximum number of turns (default 30; 0 for all)
    #[argh(option, arg_name = "n", default = "30")]
    limit: usize,
}

/// Prints the list.
///
/// # Errors
/// When it cannot be printed.
pub fn run(
    args: &ListArgs,
    selectors: &Selectors,
    form: Form,
    context: &Context,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    delivery::catch_up(context);
    let limit = if args.limit == 0 { usize::MAX } else { args.limit };
    let traces: Vec<(usize, Trace)> = selection::selected(context, selectors).take(limit).collect();
    let settings = Settings::load(context).unwrap_or_else(|_| Settings::without_config(context));
    let prices = &Prices::load(context.paths(), settings.profile.prices.as_deref());
    match form {
        Form::Json => {
            write_json(&traces.iter().map(|t| records::as_json(t, prices)).collect::<Vec<Value>>(), out)?;
        }
        Form::Csv | Form::Markdown => records::records(&traces, prices).write(form, out)?,
        Form::Text => {
            let terminal = Terminal::of(context);
            let mut text = follow::running_lines(selectors, &settings, context, terminal);
            if traces.is_empty() && text.is_empty() {
                writeln!(out, "{}", selectors.nothing())?;
                return Ok(exit::DONE);
            }
            text.push_str(&table::draw(&traces, prices, terminal));
            terminal.page(context, &text, out)?;
        }
    }
    Ok(exit::DONE)
}
