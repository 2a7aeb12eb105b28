//! `arize-codex search`: turns, or lines of Codex's own rollouts, that hold a text. What is shown is scrubbed.

mod archive;
mod pattern;
mod rollouts;
mod touched;

use argh::{ArgsInfo, FromArgs};
use serde_json::Value;
use std::io::Write;

use self::pattern::{Excerpt, Pattern};
use super::exit;
use super::selection::selectors::Selectors;
use super::view::records::{Form, Records};
use super::view::terminal::{Style, Terminal};
use super::view::text::{first_line, fit, local, short_id};
use crate::context::Context;
use crate::otel::redact::Redactor;
use crate::settings::Settings;
use crate::time::Timestamp;

/// Find turns by a text in their prompt, answer, commands or output, or by a file they touched.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "search")]
pub struct SearchArgs {
    /// text to find; case-sensitive if it contains a capital letter
    #[argh(positional)]
    text: Option<String>,
    /// find turns that changed this file, or named it in a command, instead of a text
    #[argh(option, arg_name = "path")]
    file: Option<String>,
    /// search Codex's own session files instead of the recorded turns
    #[argh(switch)]
    rollouts: bool,
    /// maximum number of results (default 20; 0 for all)
    #[argh(option, arg_name = "n", default = "20")]
    limit: usize,
}

/// A turn, or a session's rollout, that holds the text.
#[derive(Debug)]
struct Match {
    /// The turn's number in `list`.
    number: Option<usize>,
    thread: String,
    turn: Option<String>,
    at: Timestamp,
    /// Its prompt, or the rollout's file.
    about: String,
    /// Texts, or lines, that hold it.
    count: usize,
    excerpts: Vec<(String, Excerpt)>,
}

/// Searches and prints, newest first.
///
/// # Errors
/// When the text is empty, or nothing can be printed.
pub fn run(
    args: &SearchArgs,
    selectors: &Selectors,
    form: Form,
    context: &Context,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let settings = Settings::load(context).unwrap_or_else(|_| Settings::without_config(context));
    // Excerpts of rollouts have never passed the redactor.
    let redactor = Redactor::new(&settings.profile);
    let limit = if args.limit == 0 { usize::MAX } else { args.limit };
    let (found, pattern) = match (&args.text, &args.file) {
        (Some(_), Some(_)) => return Err(super::usage("search takes TEXT or --file PATH, not both")),
        (None, Some(_)) if args.rollouts => {
            return Err(super::usage("--file searches recorded turns; leave --rollouts out"));
        }
        (None, Some(path)) => {
            let found = touched::search(path, &redactor, selectors, limit, context);
            let name = path.rsplit('/').next().and_then(Pattern::new);
            found.zip(name).ok_or_else(|| super::usage("--file needs the path of a file"))?
        }
        (text, None) => {
            let pattern = text.as_deref().and_then(Pattern::new);
            let pattern = pattern.ok_or_else(|| super::usage("search needs a TEXT, or --file PATH"))?;
            let found = match args.rollouts {
                true => rollouts::search(&pattern, &redactor, selectors, limit, context)?,
                false => archive::search(&pattern, &redactor, selectors, limit, context),
            };
            (found, pattern)
        }
    };
    match form {
        Form::Text if found.is_empty() => {
            let elsewhere = match (args.rollouts, &args.file) {
                (_, Some(_)) => "no recorded turn touched that file",
                (true, None) => "no match",
                (false, None) => {
                    "no match in the recorded turns; --rollouts searches Codex's own session files"
                }
            };
            writeln!(out, "{elsewhere}")?;
        }
        Form::Text => {
            let terminal = Terminal::of(context);
            terminal.page(context, &picture(&found, &pattern, terminal), out)?;
        }
        _ => records(&found).write(form, out)?,
    }
    // As grep does: whether there was something.
    Ok(if found.is_empty() { exit::FAILED } else { exit::DONE })
}

fn picture(found: &[Match], pattern: &Pattern, terminal: Terminal) -> String {
    let mut out = String::new();
    for (n, hit) in found.iter().enumerate() {
        if n > 0 {
            out.push('\n');
        }
        let number = hit.number.map(|n| format!("{n}  ")).unwrap_or_default();
        let lead = format!("{number}{}  {}  ", local(hit.at, "%Y-%m-%d %H:%M"), short_id(&hit.thread));
        terminal.paint_into(&mut out, Style::Quiet, &lead);
        let room = terminal.width.saturating_sub(lead.len());
        terminal.paint_into(&mut out, Style::Strong, &fit(&first_line(&hit.about), room));
        out.push('\n');
        for (place, excerpt) in &hit.excerpts {
            let lead = format!("  {place}  ");
            terminal.paint_into(&mut out, Style::Quiet, &lead);
            let text = excerpt.fitted(terminal.width.saturating_sub(lead.len()));
            for (part, is_match) in pattern.split(&text) {
                let style = if is_match { Style::Waiting } else { Style::Plain };
                terminal.paint_into(&mut out, style, part);
            }
            out.push('\n');
        }
        let more = hit.count.saturating_sub(hit.excerpts.len());
        if more > 0 {
            terminal.paint_into(&mut out, Style::Quiet, &format!("  and {more} more\n"));
        }
    }
    out
}

fn records(found: &[Match]) -> Records {
    let fields = vec!["number", "thread", "turn", "at", "about", "count", "place", "text"];
    let mut rows = Vec::new();
    for hit in found {
        for (place, excerpt) in &hit.excerpts {
            rows.push(vec![
                hit.number.map_or(Value::Null, Value::from),
                hit.thread.clone().into(),
                hit.turn.clone().map_or(Value::Null, Value::from),
                super::view::records::rfc3339(hit.at),
                hit.about.clone().into(),
                hit.count.into(),
                place.clone().into(),
                excerpt.text.clone().into(),
            ]);
        }
    }
    Records { fields, rows }
}

/// As many excerpts of a turn as help to recognise it.
const EXCERPTS: usize = 3;
