//! `arize-codex show`: a turn or a session as a tree beside a time axis, as JSON, or as the turns end.

use argh::{ArgsInfo, FromArgs};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::selection::selectors::Selectors;
use super::selection::{self, Trace};
use super::view::browser;
use super::view::terminal::{Style, Terminal};
use super::view::text::{first_line, fit, folder_name, local, place_name, short_id};
use super::view::{draw, markdown, spent};
use super::{exit, follow, html};
use crate::context::{Context, Paths};
use crate::delivery::archive::DeliveryState;
use crate::delivery::in_part;
use crate::otel::prices::Prices;
use crate::otel::resource::Decoration;
use crate::settings::Settings;
use crate::time::lasted;

/// Show a turn, or a whole session, as a tree.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "show")]
pub struct ShowArgs {
    /// last (default), a number from `list`, or the start of a session or turn ID
    #[argh(positional, arg_name = "turn")]
    what: Option<String>,
    /// show every call of a long turn
    #[argh(switch)]
    full: bool,
    /// print the spans as OTLP JSON
    #[argh(switch)]
    json: bool,
    /// print Markdown for an issue or a review
    #[argh(switch)]
    markdown: bool,
    /// write a self-contained page to FILE ("-" for standard output); without FILE, open it in the browser
    #[argh(option, arg_name = "file")]
    html: Option<PathBuf>,
    /// show turns while they run
    #[argh(switch)]
    follow: bool,
}

/// Shows what is asked for.
///
/// # Errors
/// When there is no such turn, or it cannot be read or written.
pub fn run(
    args: &ShowArgs,
    selectors: &Selectors,
    context: &Context,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    if args.follow {
        if args.html.is_some() {
            return Err(super::usage("use either --follow or --html, not both"));
        }
        return follow(args, selectors, context, out);
    }
    let traces = selection::wanted(context, selectors, args.what.as_deref())?;
    if let Some(path) = &args.html {
        return page(&traces, path, context, out);
    }
    if args.json {
        write_json(&traces, context, out)?;
        return Ok(exit::DONE);
    }
    if args.markdown {
        for trace in &traces {
            writeln!(out, "{}", markdown::of_trace(trace)?.trim_end())?;
        }
        return Ok(exit::DONE);
    }
    let prices = prices(context);
    let terminal = Terminal::of(context);
    let mut text = String::new();
    for (n, trace) in traces.iter().enumerate() {
        if n > 0 {
            text.push('\n');
        }
        text.push_str(&picture(trace, &prices, terminal, args.full)?);
        text.push_str(&missing_at_backend(trace, context.paths(), terminal));
    }
    terminal.page(context, &text, out)?;
    Ok(exit::DONE)
}

/// Writes the page where it is asked for: to standard output, to a file, or for the browser.
fn page(traces: &[Trace], path: &Path, context: &Context, out: &mut dyn Write) -> anyhow::Result<u8> {
    if path == Path::new("-") {
        out.write_all(html::page_of(traces)?.as_bytes())?;
        return Ok(exit::DONE);
    }
    if !path.as_os_str().is_empty() {
        html::write(traces, path)?;
        writeln!(out, "{}", path.display())?;
        return Ok(exit::DONE);
    }
    let folder = context.paths().state().join("pages");
    crate::file::create_private_dir(&folder)?;
    let path = folder.join(format!("{}.html", traces.first().map_or("turn", |t| t.turn.as_str())));
    html::write(traces, &path)?;
    writeln!(out, "{}", path.display())?;
    Ok(if browser::open(context, &path.to_string_lossy()) { exit::DONE } else { exit::FAILED })
}

/// One OTLP document; what is put around the spans is what the settings in force want.
fn write_json(traces: &[Trace], context: &Context, out: &mut dyn Write) -> anyhow::Result<()> {
    let settings = Settings::load(context).unwrap_or_else(|_| Settings::without_config(context));
    write!(out, "{{\"resourceSpans\":[")?;
    for (n, item) in traces.iter().flat_map(|t| &t.items).enumerate() {
        let decoration = Decoration::new(&settings, &item.head);
        let spans = selection::read(item)?.spans.into_iter().map(|s| decoration.span(s)).collect();
        let document = serde_json::to_value(decoration.request(spans))?;
        write!(out, "{}{}", if n > 0 { "," } else { "" }, document["resourceSpans"][0])?;
    }
    writeln!(out, "]}}")?;
    Ok(())
}

fn prices(context: &Context) -> Prices {
    let settings = Settings::load(context).unwrap_or_else(|_| Settings::without_config(context));
    Prices::load(context.paths(), settings.profile.prices.as_deref())
}

/// A trace as text: a line about it, the prompt, the tree, the answer.
pub(super) fn picture(
    trace: &Trace,
    prices: &Prices,
    terminal: Terminal,
    full: bool,
) -> anyhow::Result<String> {
    let head = trace.head();
    let summary = &head.summary;
    let spans = trace.spans()?;
    let state = if summary.status.is_empty() { "unknown" } else { &summary.status };
    let took = lasted(head.ended_at.since(head.started_at));
    let place = place_name(trace.place());
    let when = local(head.started_at, "%a %d %b %H:%M:%S");
    let mut out = draw::heading(
        terminal,
        &first_line(&format!("{}  {state} in {took}", summary.name)),
        &format!("{when}  {place}"),
    );
    let folder = summary.cwd.as_deref().map(folder_name);
    let session = format!("session {}", short_id(trace.thread.as_str()));
    let tokens = draw::total_tokens(&spans).map(draw::tokens_in_words);
    let about: Vec<String> =
        [folder, summary.model.clone(), Some(session), tokens].into_iter().flatten().collect();
    let about = first_line(&about.join(" · "));
    terminal.paint_into(&mut out, Style::Quiet, &fit(&about, terminal.width));
    let sum = trace.summary();
    let lines =
        [spent::cost(&trace.bill(prices)), spent::time(&sum.time), spent::context(&sum), spent::limits(&sum)];
    for line in lines {
        if !line.is_empty() {
            out.push('\n');
            terminal.paint_into(&mut out, Style::Quiet, &fit(&first_line(&line), terminal.width));
        }
    }
    out.push_str("\n\n");
    if let Some(root) = spans.first() {
        out.push_str(&draw::quote(terminal, root, "input.value", "› ", 6));
        out.push('\n');
    }
    out.push_str(&draw::tree(&spans, terminal, full));
    if let Some(root) = spans.first() {
        let answer = draw::quote(terminal, root, "output.value", "• ", if full { 200 } else { 12 });
        if !answer.is_empty() {
            out.push('\n');
            out.push_str(&answer);
        }
    }
    Ok(out)
}

/// What the backend said of a turn that it took in part only, a line each.
fn missing_at_backend(trace: &Trace, paths: &Paths, terminal: Terminal) -> String {
    let mut out = String::new();
    for item in trace.items.iter().filter(|item| item.place == DeliveryState::SentInPart) {
        let why = in_part::why(paths, &item.head.key).unwrap_or_default();
        terminal.paint_into(&mut out, Style::Bad, &first_line(&why));
        out.push('\n');
    }
    if out.is_empty() { out } else { format!("\n{out}") }
}

/// Shows running turns as they go, and each as `show` does once it has ended.
fn follow(
    args: &ShowArgs,
    selectors: &Selectors,
    context: &Context,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let wanted = args.what.as_deref().filter(|w| *w != selection::LAST);
    let mut ended = |trace: &Trace, out: &mut dyn Write| {
        if args.json {
            return write_json(std::slice::from_ref(trace), context, out);
        }
        Ok(writeln!(out, "{}", picture(trace, &prices(context), Terminal::of(context), args.full)?)?)
    };
    follow::follow(wanted, selectors, context, args.json, &mut ended, out)
}
