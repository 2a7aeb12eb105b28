//! `arize-codex stats`: tokens, time, turns and failures of what is kept on this machine.

use argh::{ArgsInfo, FromArgs};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use super::exit;
use super::list::folder_name;
use super::selection::selectors::Selectors;
use super::view::records::{Form, Records};
use super::view::terminal::{Style, Terminal};
use super::view::text::{first_line, grouped, lasted, local, pad, pad_left, short, width};
use crate::context::Context;
use crate::delivery::archive;
use crate::delivery::archive::Item;
use crate::otel::entry_reader::EntryReader;
use crate::otel::text_tree::string;

/// Count tokens, time, turns and failures, by day, project directory, model or tool.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "stats")]
pub struct StatsArgs {
    /// day (default), project, model or tool
    #[argh(option, arg_name = "what", from_str_fn(by), default = "By::Day")]
    by: By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Day,
    Project,
    Model,
    Tool,
}

fn by(text: &str) -> Result<By, String> {
    match text {
        "day" => Ok(By::Day),
        "project" => Ok(By::Project),
        "model" => Ok(By::Model),
        "tool" => Ok(By::Tool),
        _ => Err("--by is day, project, model or tool".to_owned()),
    }
}

/// Sums of one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sum {
    turns: u64,
    failed: u64,
    interrupted: u64,
    agents: u64,
    calls: u64,
    failed_calls: u64,
    time: Duration,
    prompt: u64,
    cached: u64,
    completion: u64,
    reasoning: u64,
}

/// Prints the sums.
///
/// # Errors
/// When they cannot be printed.
pub fn run(
    args: &StatsArgs,
    selectors: &Selectors,
    form: Form,
    context: &Context,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let filter = selectors.at(context);
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for item in archive::items(context.paths()).filter(|item| filter.takes(&item.head)) {
        match args.by {
            By::Tool => add_tools(&mut sums, &item),
            by => sums.entry(group(by, &item)).or_default().add(&item),
        }
    }
    let rows = sorted(sums, args.by);
    match form {
        Form::Text if rows.is_empty() => writeln!(out, "{}", selectors.nothing())?,
        Form::Text => {
            let terminal = Terminal::of(context);
            terminal.page(context, &table(&rows, args.by, terminal), out)?;
        }
        _ => records(&rows, args.by).write(form, out)?,
    }
    Ok(exit::DONE)
}

fn group(by: By, item: &Item) -> String {
    let summary = &item.head.summary;
    match by {
        By::Day => local(item.head.started_at, "%Y-%m-%d"),
        By::Project => summary.cwd.as_deref().map_or_else(|| "unknown".to_owned(), folder_name),
        _ => summary.model.clone().unwrap_or_else(|| "unknown".to_owned()),
    }
}

/// Adds the tool calls of a turn, reading its spans one by one. What cannot be read adds nothing.
fn add_tools(sums: &mut BTreeMap<String, Sum>, item: &Item) {
    let Ok(mut reader) = EntryReader::open(&item.path) else { return };
    while let Ok(Some(span)) = reader.next_span() {
        if string(&span, "openinference.span.kind") != Some("TOOL") {
            continue;
        }
        let sum = sums.entry(span.name.clone()).or_default();
        sum.calls += 1;
        sum.failed_calls += u64::from(span.status.as_ref().is_some_and(|s| s.code == ERROR));
        sum.time += Duration::from_nanos(span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano));
    }
}

/// Days in their order, everything else by what it took most of.
fn sorted(sums: BTreeMap<String, Sum>, by: By) -> Vec<(String, Sum)> {
    let mut rows: Vec<(String, Sum)> = sums.into_iter().collect();
    match by {
        By::Day => {}
        By::Tool => rows.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.calls)),
        By::Project | By::Model => rows.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.tokens())),
    }
    rows
}

impl Sum {
    fn add(&mut self, item: &Item) {
        let (head, summary) = (&item.head, &item.head.summary);
        let own = head.key.thread == head.root_thread;
        // A continuation is part of a turn that is counted.
        if own && head.key.part == 0 {
            self.turns += 1;
            self.failed += u64::from(summary.status == "failed");
            self.interrupted += u64::from(summary.status == "interrupted");
        }
        if own {
            self.time += head.ended_at.since(head.started_at);
        } else {
            self.agents += 1;
        }
        self.calls += summary.tool_calls;
        self.failed_calls += summary.failed_tool_calls;
        self.prompt += summary.prompt_tokens.unwrap_or(0);
        self.cached += summary.cached_tokens.unwrap_or(0);
        self.completion += summary.completion_tokens.unwrap_or(0);
        self.reasoning += summary.reasoning_tokens.unwrap_or(0);
    }

    fn tokens(&self) -> u64 {
        self.prompt + self.completion
    }

    /// Every number under its name, as `--json`, `--csv` and `--markdown` give it.
    fn fields(&self, by: By) -> Vec<(&'static str, u64)> {
        let millis = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        let calls =
            [("tool_calls", self.calls), ("failed_tool_calls", self.failed_calls), ("time_ms", millis)];
        if by == By::Tool {
            return calls.to_vec();
        }
        let turns = [
            ("turns", self.turns),
            ("failed", self.failed),
            ("interrupted", self.interrupted),
            ("subagent_turns", self.agents),
        ];
        let tokens = [
            ("prompt_tokens", self.prompt),
            ("cached_tokens", self.cached),
            ("completion_tokens", self.completion),
            ("reasoning_tokens", self.reasoning),
        ];
        turns.into_iter().chain(calls).chain(tokens).collect()
    }
}

impl By {
    fn name(self) -> &'static str {
        match self {
            By::Day => "day",
            By::Project => "project",
            By::Model => "model",
            By::Tool => "tool",
        }
    }
}

fn records(rows: &[(String, Sum)], by: By) -> Records {
    let names = Sum::default().fields(by).into_iter().map(|(name, _)| name);
    let row = |(name, sum): &(String, Sum)| {
        let numbers = sum.fields(by).into_iter().map(|(_, value)| Value::from(value));
        std::iter::once(Value::from(name.as_str())).chain(numbers).collect()
    };
    Records {
        fields: std::iter::once(by.name()).chain(names).collect(),
        rows: rows.iter().map(row).collect(),
    }
}

fn table(rows: &[(String, Sum)], by: By, terminal: Terminal) -> String {
    let all = rows.iter().fold(Sum::default(), |mut all, (_, sum)| {
        all.merge(sum);
        all
    });
    let measure = |sum: &Sum| if by == By::Tool { sum.calls } else { sum.tokens() };
    let most = rows.iter().map(|(_, sum)| measure(sum)).max().unwrap_or(0).max(1);
    let label = rows.iter().map(|(name, _)| width(name)).max().unwrap_or(0).clamp(8, terminal.width / 3);
    let heads = heads(by, terminal.width.saturating_sub(label));
    let taken = label + heads.iter().map(|(_, w)| w + 1).sum::<usize>() + 2;
    let bar = terminal.width.saturating_sub(taken).min(40);
    let mut out = pad(by.name(), label);
    for (head, columns) in &heads {
        out.push(' ');
        out.push_str(&pad_left(head, *columns));
    }
    if bar >= MIN_BAR {
        out.push_str("  ");
        out.push_str(if by == By::Tool { "calls" } else { "tokens" });
    }
    let mut out = terminal.paint(Style::Quiet, &out);
    out.push('\n');
    let mut line = |name: &str, sum: &Sum, style: Style| {
        terminal.paint_into(&mut out, style, &pad(&first_line(name), label));
        for (head, columns) in &heads {
            let value = sum.shown(head);
            let bad = *head == "failed" && value != "0";
            out.push(' ');
            let style = if bad { Style::Bad } else { Style::Plain };
            terminal.paint_into(&mut out, style, &pad_left(&value, *columns));
        }
        if style != Style::Strong && bar >= MIN_BAR {
            let long = measure(sum) as f64 / most as f64 * bar as f64;
            out.push_str("  ");
            terminal.paint_into(&mut out, Style::Model, &"█".repeat((long.round() as usize).max(1)));
        }
        out.push('\n');
    };
    for (name, sum) in rows {
        line(name, sum, Style::Plain);
    }
    if rows.len() > 1 {
        line("all", &all, Style::Strong);
    }
    out
}

/// The columns that fit; the least telling go first.
fn heads(by: By, room: usize) -> Vec<(&'static str, usize)> {
    let (mut heads, optional): (Vec<(&str, usize)>, &[&str]) = if by == By::Tool {
        (vec![("calls", 7), ("failed", 7), ("time", 8), ("mean", 8)], &["mean", "failed"])
    } else {
        let all = vec![
            ("turns", 6),
            ("failed", 7),
            ("tools", 6),
            ("time", 8),
            ("in", 6),
            ("out", 6),
            ("cached", 7),
            ("reasoning", 10),
        ];
        (all, &["reasoning", "cached", "tools", "failed", "time"])
    };
    let taken = |heads: &[(&str, usize)]| heads.iter().map(|(_, w)| w + 1).sum::<usize>();
    for name in optional {
        if taken(&heads) <= room {
            break;
        }
        heads.retain(|(head, _)| head != name);
    }
    heads
}

impl Sum {
    fn merge(&mut self, other: &Sum) {
        self.turns += other.turns;
        self.failed += other.failed;
        self.interrupted += other.interrupted;
        self.agents += other.agents;
        self.calls += other.calls;
        self.failed_calls += other.failed_calls;
        self.time += other.time;
        self.prompt += other.prompt;
        self.cached += other.cached;
        self.completion += other.completion;
        self.reasoning += other.reasoning;
    }

    fn shown(&self, head: &str) -> String {
        match head {
            "turns" => grouped(self.turns),
            "failed" if self.turns == 0 => grouped(self.failed_calls),
            "failed" => grouped(self.failed),
            "tools" | "calls" => grouped(self.calls),
            "time" => lasted(self.time),
            "mean" => lasted(self.time / u32::try_from(self.calls.max(1)).unwrap_or(u32::MAX)),
            "in" => short(self.prompt),
            "out" => short(self.completion),
            "cached" => short(self.cached),
            _ => short(self.reasoning),
        }
    }
}

/// Shorter bars say nothing.
const MIN_BAR: usize = 8;
const ERROR: i32 = opentelemetry_proto::tonic::trace::v1::status::StatusCode::Error as i32;

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<(String, Sum)> {
        let sum = |turns, prompt| Sum { turns, prompt, failed: 1, ..Sum::default() };
        vec![("a,\"b\"".to_owned(), sum(2, 1_000_000)), ("=1+2".to_owned(), sum(1, 10))]
    }

    #[test]
    fn the_table_fits_and_ends_with_the_sum() {
        for columns in [24, 40, 60, 80, 120] {
            let terminal = Terminal { width: columns, height: None, colour: false };
            let text = table(&rows(), By::Project, terminal);
            assert!(text.lines().last().unwrap().starts_with("all"), "{text}");
            assert!(columns < 40 || text.lines().all(|l| width(l) <= columns), "{columns}\n{text}");
        }
    }
}
