//! `arize-codex preview`: exactly what is sent for a turn, or would be under other settings.

mod differences;
mod text;

use anyhow::{Context as _, bail};
use argh::{ArgsInfo, FromArgs};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::path::Path;

use self::differences::differences;
use super::exit;
use super::selection::selectors::Selectors;
use super::selection::{self, Trace};
use super::view::records::write_json;
use super::view::terminal::{Style, Terminal};
use super::view::text::{counted, grouped};
use crate::cli::view::redaction_marks;
use crate::cli::view::redaction_marks::RedactionCounts;
use crate::codex::rollout::locate;
use crate::context::Context;
use crate::delivery::archive::Item;
use crate::delivery::past_turns;
use crate::delivery::past_turns::{FoundTurn, Wanted};
use crate::delivery::transport::endpoint::Endpoint;
use crate::file;
use crate::otel::entry::Entry;
use crate::otel::redact::{ContentClass, Redactor};
use crate::otel::resource::Decoration;
use crate::settings::{Settings, SpanTree, Target};
use crate::text::printable;

/// Show exactly what is sent for a turn, after redaction and truncation.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "preview")]
pub struct PreviewArgs {
    /// last (default), a number from `list`, or the start of a session or turn ID
    #[argh(positional, arg_name = "turn")]
    what: Option<String>,
    /// rebuild the turn from Codex's session file in this layout: turn or calls
    #[argh(option, arg_name = "layout", from_str_fn(span_tree))]
    span_tree: Option<SpanTree>,
    /// show what another backend would get: phoenix, arize, otlp or local
    #[argh(option, from_str_fn(target))]
    target: Option<Target>,
    /// show this text file after redaction instead, to try redact_patterns; "-" for standard input
    #[argh(option, arg_name = "file")]
    text: Option<String>,
    /// print JSON; "request" holds the OTLP request
    #[argh(switch)]
    json: bool,
}

fn span_tree(text: &str) -> Result<SpanTree, String> {
    SpanTree::parse(text).ok_or_else(|| "--span-tree is turn or calls".to_owned())
}

fn target(text: &str) -> Result<Target, String> {
    Target::parse(text).ok_or_else(|| "--target is one of phoenix, arize, otlp, local".to_owned())
}

/// Prints what would be sent.
///
/// # Errors
/// When there is no such turn, or what it would be built from is gone.
pub fn run(
    args: &PreviewArgs,
    selectors: &Selectors,
    context: &Context,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let settings = Settings::load(context)?;
    if let Some(name) = &args.text {
        return preview_text(name, &settings, out);
    }
    let traces = selection::wanted(context, selectors, args.what.as_deref())?;
    let mut previews = Vec::new();
    for item in traces.iter().flat_map(|t: &Trace| &t.items) {
        previews.push(Preview::of(item, args, context, &settings)?);
    }
    if args.json {
        let list: Vec<Value> = previews.iter().map(Preview::as_json).collect();
        write_json(&list, out)?;
        return Ok(exit::DONE);
    }
    let terminal = Terminal::of(context);
    let mut text = String::new();
    for preview in &previews {
        preview.write(&mut text, terminal);
    }
    let all = previews.iter().fold(RedactionCounts::default(), |mut all, p| {
        all.merge(&p.marks);
        all
    });
    text.push_str(&all.in_words());
    text.push('\n');
    terminal.page(context, &text, out)?;
    Ok(exit::DONE)
}

/// Prints a text as the settings in force would let it go, and what is wrong with them on stderr.
fn preview_text(name: &str, settings: &Settings, out: &mut dyn Write) -> anyhow::Result<u8> {
    let bytes = match name {
        "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().take(MAX_TEXT_BYTES).read_to_end(&mut bytes)?;
            bytes
        }
        name => file::read_bounded(Path::new(name), MAX_TEXT_BYTES)
            .with_context(|| name.to_owned())?
            .with_context(|| format!("{name} is not there"))?,
    };
    for problem in settings.problems.iter().filter(|p| p.starts_with("redact_")) {
        eprintln!("note: {problem}");
    }
    let text = Redactor::new(&settings.profile)
        .text(ContentClass::ToolContent, &String::from_utf8_lossy(&bytes))
        .into_owned();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    write!(out, "{}{end}", printable_lines(&text))?;
    Ok(exit::DONE)
}

/// Makes each line printable.
fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// The longest text that is tried.
const MAX_TEXT_BYTES: u64 = 64 * 1024 * 1024;

/// One entry as its request.
struct Preview {
    /// Those by which it is delivered.
    settings: Settings,
    name: String,
    project: String,
    request: ExportTraceServiceRequest,
    marks: RedactionCounts,
    /// Differences between what is stored and what the settings in force would send.
    differences: Option<Vec<String>>,
    rebuilt: bool,
}

impl Preview {
    fn of(
        item: &Item,
        args: &PreviewArgs,
        context: &Context,
        settings: &Settings,
    ) -> anyhow::Result<Preview> {
        let stored = selection::read(item)?;
        let before = &settings_of(&stored, settings);
        let settings = &for_target(before, args.target);
        let entry = match args.span_tree {
            None => stored.clone(),
            Some(tree) => rebuild(item, tree, context, settings)?,
        };
        let request = request_of(&entry, settings);
        let other = args.span_tree.is_some() || args.target.is_some();
        let differences = other.then(|| differences(&request_of(&stored, before), &request));
        Ok(Preview {
            settings: settings.clone(),
            name: entry.head.summary.name.clone(),
            project: entry.head.project_name.clone(),
            marks: redaction_marks::count(&request),
            request,
            differences,
            rebuilt: args.span_tree.is_some(),
        })
    }

    fn bytes(&self) -> usize {
        self.request.encoded_len()
    }

    fn spans(&self) -> impl Iterator<Item = &Span> {
        self.request.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans)
    }

    fn as_json(&self) -> Value {
        let settings = &self.settings;
        json!({
            "target": settings.target.map(Target::name),
            "endpoint": endpoint(settings),
            "project": self.project,
            "spans": self.spans().count(),
            "bytes": self.bytes(),
            "marks": self.marks.as_json(),
            "differences": self.differences,
            "rebuilt": self.rebuilt,
            "request": &self.request,
        })
    }

    fn write(&self, out: &mut String, terminal: Terminal) {
        let settings = &self.settings;
        let target = settings.target.map_or("no backend", Target::name);
        let at = endpoint(settings).map(|e| format!(" at {e}")).unwrap_or_default();
        terminal.paint_into(out, Style::Strong, &printable(&self.name));
        let count = self.spans().count();
        let size = format!("{}, {} bytes", counted(count as u64, "span"), grouped(self.bytes() as u64));
        terminal.paint_into(out, Style::Quiet, &printable(&format!("  to {target}{at}: {size}")));
        out.push_str("\n\n");
        for group in &self.request.resource_spans {
            terminal.paint_into(out, Style::Other, "resource\n");
            text::attributes(out, terminal, group.resource.iter().flat_map(|r| &r.attributes));
        }
        for span in self.spans() {
            out.push('\n');
            text::span(out, terminal, span);
        }
        out.push('\n');
        if let Some(differences) = &self.differences {
            let title = if differences.is_empty() { "as stored\n" } else { "other than what is stored\n" };
            terminal.paint_into(out, Style::Waiting, title);
            for line in differences {
                out.push_str(&format!("  {}\n", printable(line)));
            }
            if self.rebuilt {
                out.push_str(
                    "  rebuilt from Codex's session file: what only hooks see, such as approvals, is missing\n",
                );
            }
            out.push('\n');
        }
    }
}

/// The settings by which a turn is delivered: those of its rule, where it remembers one.
fn settings_of(entry: &Entry, settings: &Settings) -> Settings {
    let Some(rule) = &entry.head.backend_rule else { return settings.clone() };
    let of_rule = settings.of_rule(rule, entry.head.summary.cwd.as_deref());
    of_rule.unwrap_or_else(|| {
        let mut nowhere = settings.clone();
        (nowhere.target, nowhere.endpoint) = (None, None);
        nowhere
    })
}

/// The settings with another backend. The endpoint and key in force belong to the backend in force.
fn for_target(settings: &Settings, target: Option<Target>) -> Settings {
    let mut settings = settings.clone();
    if target.is_some_and(|target| settings.target != Some(target)) {
        settings.endpoint = None;
    }
    settings.target = target.or(settings.target);
    settings
}

fn endpoint(settings: &Settings) -> Option<String> {
    Endpoint::of(settings).ok().map(|e| e.to_string())
}

fn request_of(entry: &Entry, settings: &Settings) -> ExportTraceServiceRequest {
    let decoration = Decoration::new(settings, &entry.head);
    decoration.request(entry.spans.iter().cloned().map(|s| decoration.span(s)).collect())
}

/// Builds a turn anew from its rollout. What only hooks saw, permissions above all, is not in it.
fn rebuild(item: &Item, tree: SpanTree, context: &Context, settings: &Settings) -> anyhow::Result<Entry> {
    let key = &item.head.key;
    let path = locate::find_rollout(context.paths().codex(), &key.thread).with_context(|| {
        format!("Codex's session file of {} is gone, so no other layout can be built", key.thread)
    })?;
    let wanted = Wanted { turn: Some(key.clone()), span_tree: Some(tree), ..Wanted::default() };
    let mut entry = None;
    past_turns::scan(context, settings, &path, &wanted, &mut |found| {
        if let FoundTurn::Turn(found) = found {
            entry = Some(found.into_entry());
        }
        Ok(())
    })?;
    match entry {
        Some(entry) => Ok(entry),
        None if key.part > 0 => bail!("a continued turn cannot be rebuilt on its own"),
        None => bail!("{} does not contain a finished turn {}", path.display(), key.turn),
    }
}
