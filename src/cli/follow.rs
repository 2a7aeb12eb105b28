//! `arize-codex show --follow`: running turns as they go, redrawn in place on a terminal, as lines elsewhere.

use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::{Duration, Instant};

use super::selection::selectors::Selectors;
use super::selection::{self, Trace};
use super::view::draw;
use super::view::terminal::{Style, Terminal};
use super::view::text::{first_line, fit, folder_name, local};
use super::view::tree::{self, Kind, Node};
use crate::context::Context;
use crate::delivery::running;
use crate::otel::attribute::string;
use crate::otel::entry::{Entry, EntryKey};
use crate::otel::ids::hex;
use crate::otel::prices::{Bill, Prices};
use crate::settings::Settings;
use crate::time::lasted;

/// What is done with a turn once it has ended.
pub type Ended<'a> = dyn FnMut(&Trace, &mut dyn Write) -> anyhow::Result<()> + 'a;

/// Shows the turns of the session that begins with `wanted`, or of all, until nobody reads on. With `only_ended` those
/// that run are left out.
///
/// # Errors
/// When nothing can be printed.
pub fn follow(
    wanted: Option<&str>,
    selectors: &Selectors,
    context: &Context,
    only_ended: bool,
    ended: &mut Ended,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let settings = Settings::load(context).unwrap_or_else(|_| Settings::without_config(context));
    let prices = Prices::load(context.paths(), settings.profile.prices.as_deref());
    let terminal = Terminal::of(context);
    let mut known: BTreeSet<EntryKey> = selection::keys(context.paths()).into_iter().collect();
    let mut frame = Frame::default();
    let mut lines = Lines::default();
    loop {
        let began = Instant::now();
        let running: Vec<Entry> = running::turns(context, &settings)
            .into_iter()
            .filter(|entry| wanted.is_none_or(|w| entry.head.root_thread.as_str().starts_with(w)))
            .filter(|entry| selectors.at(context).takes(&entry.head))
            .collect();
        let over = over(wanted, selectors, context, &mut known);
        if !over.is_empty() {
            frame.clear(out)?;
        }
        for trace in &over {
            ended(trace, out)?;
        }
        match terminal.height {
            _ if only_ended => {}
            Some(height) => frame.draw(&picture(&running, &prices, terminal), height, out)?,
            None => lines.print(&running, out)?,
        }
        out.flush()?;
        // A large turn takes a while to read: no more than a fifth of the time goes into it.
        std::thread::sleep(LOOK_EVERY.max(began.elapsed() * 4));
    }
}

/// Returns a line for each selected turn that runs, and an empty one behind them.
pub fn running_lines(
    selectors: &Selectors,
    settings: &Settings,
    context: &Context,
    terminal: Terminal,
) -> String {
    if !running::any(context) {
        return String::new();
    }
    let mut out = String::new();
    let filter = selectors.at(context);
    for entry in running::turns(context, settings).iter().filter(|entry| filter.takes(&entry.head)) {
        let head = &entry.head;
        let lead = format!("running  {}  ", local(head.started_at, "%H:%M"));
        let took = format!("  {}", lasted(head.ended_at.since(head.started_at)));
        terminal.paint_into(&mut out, Style::Waiting, &lead);
        let said = if head.summary.prompt.is_empty() { &head.summary.name } else { &head.summary.prompt };
        let room = terminal.width.saturating_sub(lead.len() + took.len());
        out.push_str(&fit(&first_line(said), room));
        terminal.paint_into(&mut out, Style::Quiet, &took);
        out.push('\n');
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// The selected turns that have ended since the last look, oldest first.
fn over(
    wanted: Option<&str>,
    selectors: &Selectors,
    context: &Context,
    known: &mut BTreeSet<EntryKey>,
) -> Vec<Trace> {
    let is_new =
        |trace: &Trace, known: &BTreeSet<EntryKey>| trace.items.iter().any(|i| !known.contains(&i.head.key));
    let mut fresh: Vec<Trace> = selection::traces(context.paths())
        .take(LOOKED_AT)
        .filter(|trace| trace.has_root() && is_new(trace, known))
        .filter(|trace| wanted.is_none_or(|w| trace.thread.as_str().starts_with(w)))
        .filter(|trace| trace.is_selected(&selectors.at(context)))
        .collect();
    fresh.reverse();
    for trace in &fresh {
        known.extend(trace.items.iter().map(|i| i.head.key.clone()));
    }
    fresh
}

/// What was drawn last, to be drawn over.
#[derive(Debug, Default)]
struct Frame {
    lines: usize,
}

impl Frame {
    fn clear(&mut self, out: &mut dyn Write) -> std::io::Result<()> {
        if self.lines > 0 {
            write!(out, "\x1b[{}A\x1b[J", self.lines)?;
        }
        self.lines = 0;
        Ok(())
    }

    /// Draws the end of a picture that is higher than the terminal.
    fn draw(&mut self, picture: &str, height: usize, out: &mut dyn Write) -> std::io::Result<()> {
        self.clear(out)?;
        let lines: Vec<&str> = picture.lines().collect();
        for line in &lines[lines.len().saturating_sub(height.saturating_sub(1))..] {
            writeln!(out, "{line}")?;
            self.lines += 1;
        }
        Ok(())
    }
}

/// Every running turn as a tree, with a line that says what it does at the moment.
fn picture(running: &[Entry], prices: &Prices, terminal: Terminal) -> String {
    let mut out = String::new();
    for turn in by_turn(running) {
        let (Some(first), spans) = (turn.first(), spans_of(&turn)) else { continue };
        let (head, summary) = (&first.head, &first.head.summary);
        let took = lasted(head.ended_at.since(head.started_at));
        out.push_str(&draw::heading(
            terminal,
            &format!("{}  running {took}", summary.name),
            &local(head.started_at, "%H:%M:%S"),
        ));
        let mut bill = Bill::default();
        turn.iter().for_each(|entry| bill.add(&Bill::of(&entry.head.summary.uses, prices)));
        let about = [
            summary.cwd.as_deref().map(folder_name),
            summary.model.clone(),
            draw::total_tokens(&spans).map(draw::tokens_in_words),
            Some(bill.in_words()).filter(|words| !words.is_empty()),
            context_fill(first),
        ];
        let about = about.into_iter().flatten().collect::<Vec<_>>().join(" · ");
        terminal.paint_into(&mut out, Style::Quiet, &fit(&first_line(&about), terminal.width));
        out.push('\n');
        out.push_str(&draw::tree(&spans, terminal, false));
        terminal.paint_into(&mut out, Style::Waiting, &fit(&first_line(&now(&turn, &spans)), terminal.width));
        out.push_str("\n\n");
    }
    out
}

fn by_turn(running: &[Entry]) -> Vec<Vec<&Entry>> {
    let mut turns: Vec<Vec<&Entry>> = Vec::new();
    for entry in running {
        match turns.last_mut().filter(|turn| turn[0].head.root_turn == entry.head.root_turn) {
            Some(turn) => turn.push(entry),
            None => turns.push(vec![entry]),
        }
    }
    turns
}

fn spans_of(turn: &[&Entry]) -> Vec<Span> {
    turn.iter().flat_map(|entry| entry.spans.iter().cloned()).collect()
}

fn context_fill(entry: &Entry) -> Option<String> {
    let (used, size) = entry.head.summary.context?;
    let size = size.filter(|size| *size > 0)?;
    Some(format!("context {} % full", used.saturating_mul(100) / size))
}

/// Returns what a turn does at the moment.
fn now(turn: &[&Entry], spans: &[Span]) -> String {
    let nodes = tree::build(spans);
    let running = running_spans(turn);
    let runs = |node: &&Node| running.contains(&spans[node.span].span_id);
    let end = nodes.iter().map(|node| node.end).max().unwrap_or(0);
    if let Some(node) = nodes.iter().filter(runs).find(|node| is_undecided(node)) {
        let since = node.permission.as_ref().and_then(|p| p.wait).map(lasted).unwrap_or_default();
        return format!("waiting for your approval for {since}: {} {}", node.name, node.about);
    }
    let busy: Vec<String> = nodes
        .iter()
        .filter(runs)
        .filter(|node| node.kind == Kind::Tool)
        .map(|node| format!("{} {} since {}", node.name, node.about, lasted(node.lasted())))
        .collect();
    if !busy.is_empty() {
        return busy.join("; ");
    }
    let last = nodes.iter().filter(|node| node.depth > 0).map(|node| node.end).max();
    let since = last.or_else(|| nodes.first().map(|node| node.start)).unwrap_or(end);
    format!("the model has been working for {}", lasted(Duration::from_nanos(end.saturating_sub(since))))
}

/// The spans without an end yet: each ends where its own part of the turn, or its subagent, is now.
fn running_spans(turn: &[&Entry]) -> BTreeSet<Vec<u8>> {
    let of_entry = |entry: &&Entry| {
        let now = entry.head.ended_at.as_nanos();
        let runs = |span: &&Span| {
            let kind = string(span, "openinference.span.kind");
            span.end_time_unix_nano >= now && matches!(kind, Some("TOOL" | "AGENT"))
        };
        entry.spans.iter().filter(runs).map(|span| span.span_id.clone()).collect::<Vec<_>>()
    };
    turn.iter().flat_map(of_entry).collect()
}

fn is_undecided(node: &Node) -> bool {
    node.permission.as_ref().is_some_and(|permission| permission.decision == "unknown")
}

/// Calls as lines, when they start, wait for an approval, and end.
#[derive(Debug, Default)]
struct Lines {
    /// What was printed of each call last.
    printed: BTreeMap<String, Stage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Started,
    Waits,
    Ended,
}

impl Lines {
    fn print(&mut self, running: &[Entry], out: &mut dyn Write) -> std::io::Result<()> {
        for turn in by_turn(running) {
            let (spans, runs) = (spans_of(&turn), running_spans(&turn));
            for node in tree::build(&spans).iter().filter(|node| !node.name.is_empty()) {
                let span = &spans[node.span];
                self.line(node, key(span), node.depth == 0 || runs.contains(&span.span_id), out)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, node: &Node, key: String, runs: bool, out: &mut dyn Write) -> std::io::Result<()> {
        let about = first_line(&format!("{} {}", node.name, node.about));
        let known = self.printed.get(&key).copied();
        let stage = match runs {
            false => Stage::Ended,
            true if is_undecided(node) => Stage::Waits,
            true => Stage::Started,
        };
        // Of a call to a model nothing is known before its end.
        if known.is_none() && !node.name.starts_with("Model call ") {
            writeln!(out, "{}  started  {about}", clock(node.start))?;
        }
        if known < Some(stage) {
            match stage {
                Stage::Started => {}
                Stage::Waits => writeln!(out, "{}    waits  for your approval: {about}", clock(node.end))?,
                Stage::Ended => {
                    let failed = node.error.as_deref().map(|e| format!("  {}", first_line(e)));
                    let failed = failed.unwrap_or_default();
                    writeln!(out, "{}  {:>7}  {about}{failed}", clock(node.end), lasted(node.lasted()))?;
                }
            }
            self.printed.insert(key, stage);
        }
        Ok(())
    }
}

/// What a span is known by from look to look. A model's call has another id once the session file has its response.
fn key(span: &Span) -> String {
    match span.name.strip_prefix("Model call ") {
        Some(number) => format!("{} {number}", hex(&span.parent_span_id)),
        None => hex(&span.span_id),
    }
}

fn clock(nanos: u64) -> String {
    let millis = i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX);
    local(crate::time::Timestamp::from_millis(millis), "%H:%M:%S")
}

const LOOK_EVERY: Duration = Duration::from_millis(300);
/// More turns than end between two looks.
const LOOKED_AT: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ThreadId, TurnId};
    use crate::otel::entry::{Head, Summary};
    use crate::time::Timestamp;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

    /// A span of a running part of a turn: id, parent, name, kind, and its end in ms.
    fn span(id: u8, parent: u8, name: &str, kind: &str, end: u64) -> Span {
        let value = Some(AnyValue { value: Some(Value::StringValue(kind.to_owned())) });
        let key = "openinference.span.kind".to_owned();
        Span {
            span_id: vec![id; 8],
            parent_span_id: if parent == 0 { Vec::new() } else { vec![parent; 8] },
            name: name.to_owned(),
            end_time_unix_nano: end * 1_000_000,
            attributes: vec![KeyValue { key, value, ..KeyValue::default() }],
            ..Span::default()
        }
    }

    fn entry(thread: &str, now: i64, spans: Vec<Span>) -> Entry {
        let (root_thread, root_turn) = (ThreadId::parse("root").unwrap(), TurnId::parse("turn").unwrap());
        let key = EntryKey { turn: root_turn.clone(), thread: ThreadId::parse(thread).unwrap(), part: 0 };
        let (started_at, ended_at) = (Timestamp::from_millis(0), Timestamp::from_millis(now));
        let (project_name, summary) = ("codex".to_owned(), Summary::default());
        let head = Head {
            key,
            root_thread,
            root_turn,
            project_name,
            backend_rule: None,
            started_at,
            ended_at,
            summary,
        };
        Entry { head, spans }
    }

    fn printed(lines: &mut Lines, running: &[Entry]) -> Vec<String> {
        let mut out = Vec::new();
        lines.print(running, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().map(|line| line.get(8..).unwrap_or_default().trim().to_owned()).collect()
    }

    #[test]
    fn running_calls_are_not_printed_as_ended() {
        // A subagent is looked at a moment later than the turn it belongs to.
        let running = |model: u8, agent_end: u64| {
            let root = vec![
                span(1, 0, "Turn 1", "AGENT", 1000),
                span(model, 1, "Model call 1", "LLM", 300),
                span(3, 1, "Bash", "TOOL", 1000),
            ];
            let agent = vec![span(4, 1, "Agent", "AGENT", 1001), span(5, 4, "Bash", "TOOL", agent_end)];
            [entry("root", 1000, root), entry("agent", 1001, agent)]
        };
        let mut lines = Lines::default();
        let first = printed(&mut lines, &running(2, 1001));
        assert_eq!(first.len(), 5, "{first:?}");
        assert_eq!(first.iter().filter(|line| line.starts_with("started")).count(), 4, "{first:?}");
        assert!(first.contains(&"300 ms  Model call 1".to_owned()), "{first:?}");
        assert!(
            printed(&mut lines, &running(9, 1001)).is_empty(),
            "a model's call is reported once, whatever its id"
        );
        assert_eq!(printed(&mut lines, &running(9, 700)), ["700 ms  Bash"]);
    }
}
