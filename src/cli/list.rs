//! `arize-codex list`: the turns kept on this machine, by session, newest first.

use argh::FromArgs;
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;

use super::view::terminal::{Style, Terminal};
use super::view::text::{first_line, fit, lasted, local, pad, pad_left, short, short_id, width};
use super::{exit, since};
use crate::cli::view::selection;
use crate::cli::view::selection::Trace;
use crate::context::Context;
use crate::delivery::archive::Place;
use crate::otel::entry::{Head, Summary};
use crate::time;

/// List recent sessions and turns, newest first.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "list")]
pub struct ListArgs {
    /// how many turns (default 30; 0 for all)
    #[argh(option, default = "30")]
    limit: usize,
    /// only turns that ended within this time: 30m, 24h, 7d
    #[argh(option, from_str_fn(since::parse))]
    since: Option<Duration>,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// Prints the list.
///
/// # Errors
/// When it cannot be printed.
pub fn run(args: &ListArgs, context: &Context, out: &mut dyn Write) -> anyhow::Result<u8> {
    let now = time::now();
    let recent = |t: &Trace| args.since.is_none_or(|since| now.since(t.head().ended_at) <= since);
    let limit = if args.limit == 0 { usize::MAX } else { args.limit };
    let traces: Vec<Trace> = selection::traces(context.paths()).filter(recent).take(limit).collect();
    if args.json {
        let list: Vec<Value> = traces.iter().map(as_json).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
        return Ok(exit::DONE);
    }
    if traces.is_empty() {
        let when = if args.since.is_some() { "in that time" } else { "yet" };
        writeln!(out, "no turn has been recorded {when}")?;
        return Ok(exit::DONE);
    }
    let terminal = Terminal::of(context);
    terminal.page(context, &table(&traces, terminal), out)?;
    Ok(exit::DONE)
}

fn as_json(trace: &Trace) -> Value {
    let head = trace.head();
    json!({
        "thread": trace.thread,
        "turn": trace.turn,
        "project": head.project_name,
        "started_at_ms": head.started_at.as_millis(),
        "ended_at_ms": trace.ended_at().as_millis(),
        "delivery": place_name(trace.place()),
        "agents": trace.agents(),
        "summary": trace.summary(),
    })
}

/// Returns where a turn lies, in a word.
pub fn place_name(place: Place) -> &'static str {
    match place {
        Place::Sent => "delivered",
        Place::Waiting => "waiting",
        Place::SetAside => "set aside",
    }
}

/// The turns under a line for each session that follows another.
fn table(traces: &[Trace], terminal: Terminal) -> String {
    let mut out = String::new();
    let mut at = 0;
    while at < traces.len() {
        let thread = &traces[at].thread;
        let run = traces[at..].iter().take_while(|t| t.thread == *thread).count();
        if at > 0 {
            out.push('\n');
        }
        session_line(&mut out, terminal, traces[at].head(), thread.as_str());
        for trace in &traces[at..at + run] {
            turn_line(&mut out, terminal, trace);
        }
        at += run;
    }
    out
}

fn session_line(out: &mut String, terminal: Terminal, head: &Head, thread: &str) {
    let folder = head.summary.cwd.as_deref().map(folder_name).unwrap_or_default();
    let day = local(head.started_at, "%a %d %b %Y");
    let id = short_id(thread);
    let room = terminal.width.saturating_sub(width(&day) + width(id) + 4);
    terminal.paint_into(out, Style::Strong, &fit(&first_line(&folder), room));
    out.push_str("  ");
    terminal.paint_into(out, Style::Quiet, &format!("{day}  {id}"));
    out.push('\n');
}

/// Time, name, prompt, then what is known in numbers; narrow terminals lose the numbers first.
fn turn_line(out: &mut String, terminal: Terminal, trace: &Trace) {
    let head = trace.head();
    let summary = &trace.summary();
    let mut tail: Vec<(Style, String)> = Vec::new();
    if terminal.width >= 76 {
        tail.push((Style::Quiet, pad_left(&calls(summary, trace.agents()), 13)));
    }
    if terminal.width >= 60 {
        tail.push((Style::Quiet, pad_left(&tokens(summary), 13)));
    }
    if terminal.width >= 110 {
        tail.push((Style::Quiet, pad(&first_line(summary.model.as_deref().unwrap_or_default()), 14)));
    }
    tail.push((Style::Plain, pad_left(&lasted(trace.ended_at().since(head.started_at)), 8)));
    let (went, delivered) = (status(summary), delivery(trace.place()));
    match (terminal.width >= 60, went.0) {
        (true, _) => tail.extend([went, delivered]),
        // Where there is room for one word, the worse one.
        (false, Style::Good) => tail.push(delivered),
        (false, _) => tail.push(went),
    }
    let lead = format!("  {}  {}  ", local(head.started_at, "%H:%M"), short_id(trace.turn.as_str()));
    let taken = width(&lead) + tail.iter().map(|(_, t)| 2 + width(t)).sum::<usize>();
    let room = terminal.width.saturating_sub(taken);
    terminal.paint_into(out, Style::Quiet, &lead);
    out.push_str(&pad(&first_line(said(summary)), room));
    for (style, text) in tail {
        out.push_str("  ");
        terminal.paint_into(out, style, &text);
    }
    let end = out.trim_end().len();
    out.truncate(end);
    out.push('\n');
}

/// The prompt, or the turn's name where there is none.
fn said(summary: &Summary) -> &str {
    if summary.prompt.is_empty() { &summary.name } else { &summary.prompt }
}

fn status(summary: &Summary) -> (Style, String) {
    let (style, word) = match summary.status.as_str() {
        "failed" => (Style::Bad, "failed"),
        "interrupted" => (Style::Waiting, "stopped"),
        _ => (Style::Good, "ok"),
    };
    (style, pad(word, 7))
}

/// Returns what became of the turn on its way to the backend; of one that arrived nothing needs to be said.
fn delivery(place: Place) -> (Style, String) {
    match place {
        Place::Sent => (Style::Good, "✓".to_owned()),
        Place::Waiting => (Style::Waiting, "waiting".to_owned()),
        Place::SetAside => (Style::Bad, "refused".to_owned()),
    }
}

fn tokens(summary: &Summary) -> String {
    match (summary.prompt_tokens, summary.completion_tokens) {
        (Some(prompt), Some(completion)) => format!("{} → {}", short(prompt), short(completion)),
        _ => String::new(),
    }
}

fn calls(summary: &Summary, agents: usize) -> String {
    let failed = match summary.failed_tool_calls {
        0 => String::new(),
        n => format!(" {n}✗"),
    };
    let agents = if agents > 0 { format!(" {agents}⑂") } else { String::new() };
    match summary.tool_calls {
        0 => agents.trim_start().to_owned(),
        1 => format!("1 tool{failed}{agents}"),
        n => format!("{n} tools{failed}{agents}"),
    }
}

/// The last part of a directory's path.
pub fn folder_name(path: &str) -> String {
    path.rsplit('/').find(|p| !p.is_empty()).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::archive::Item;
    use crate::ids::{ThreadId, TurnId};
    use crate::otel::entry::EntryKey;
    use crate::time::Timestamp;

    fn trace(thread: &str, turn: &str) -> Trace {
        let (thread, turn) = (ThreadId::parse(thread).unwrap(), TurnId::parse(turn).unwrap());
        let summary = Summary {
            name: "Turn 12".into(),
            prompt: "日本語の長い問い and a very long prompt that goes on and on and on and on and on".into(),
            model: Some("a-model-with-a-long-name".into()),
            cwd: Some("/home/dev/some-folder-with-a-rather-long-name-for-a-terminal".into()),
            status: "interrupted".into(),
            tool_calls: 1234,
            failed_tool_calls: 99,
            prompt_tokens: Some(12_345_678),
            completion_tokens: Some(123_456),
            ..Summary::default()
        };
        let head = Head {
            key: EntryKey { turn: turn.clone(), thread: thread.clone(), part: 0 },
            root_thread: thread.clone(),
            root_turn: turn.clone(),
            project_name: "codex".into(),
            started_at: Timestamp::from_millis(1_795_350_336_172),
            ended_at: Timestamp::from_millis(1_795_350_436_172),
            summary,
        };
        let items = vec![Item { head, place: Place::Waiting, path: "x".into() }];
        Trace { thread, turn, items }
    }

    #[test]
    fn the_parts_of_a_turn_are_one_line() {
        let mut whole = trace("s-1", "t-1");
        let mut part = whole.items[0].clone();
        part.head.key.part = 1;
        part.head.summary =
            Summary { status: "failed".into(), prompt_tokens: Some(1), tool_calls: 1, ..part.head.summary };
        whole.items.push(part);
        let sum = whole.summary();
        assert_eq!((sum.prompt_tokens, sum.tool_calls), (Some(12_345_679), 1235));
        let line = table(&[whole], Terminal { width: 120, height: None, colour: false });
        assert!(line.contains("failed   waiting") && line.contains("a-model-with-"), "{line}");
    }

    #[test]
    fn list_groups_turns_by_session() {
        let traces = [trace("s-1", "t-3"), trace("s-1", "t-2"), trace("s-2", "t-1")];
        for columns in [40, 60, 72, 80, 110, 200] {
            let terminal = Terminal { width: columns, height: None, colour: false };
            let text = table(&traces, terminal);
            assert_eq!(text.lines().count(), 6, "two sessions, three turns, a line between\n{text}");
            for line in text.lines() {
                assert!(width(line) <= columns, "{columns}: {line}");
            }
        }
    }
}
