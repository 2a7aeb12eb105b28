//! The list in a terminal: a line for each session and its turns below, with as many columns as there is room for.

use crate::cli::selection::Trace;
use crate::cli::view::terminal::{Style, Terminal};
use crate::cli::view::text::{first_line, fit, folder_name, local, pad, pad_left, short, short_id, width};
use crate::delivery::archive::DeliveryState;
use crate::otel::entry::{Head, Summary};
use crate::otel::prices::{Bill, Prices};
use crate::time::lasted;

/// The turns under a line for each session that follows another.
pub fn draw(traces: &[(usize, Trace)], prices: &Prices, terminal: Terminal) -> String {
    let mut out = String::new();
    let layout = Layout::of(traces, terminal.width);
    let mut at = 0;
    while at < traces.len() {
        let thread = &traces[at].1.thread;
        let run = traces[at..].iter().take_while(|(_, t)| t.thread == *thread).count();
        if at > 0 {
            out.push('\n');
        }
        session_line(&mut out, terminal, traces[at].1.head(), thread.as_str());
        for (number, trace) in &traces[at..at + run] {
            turn_line(&mut out, terminal, &layout, *number, trace, &trace.bill(prices));
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

/// Which columns there is room for beside the prompt. Narrow terminals lose ids first, then models, then tokens, then
/// the cost, then tool calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    number: usize,
    id: bool,
    model: bool,
    tokens: bool,
    cost: bool,
    calls: bool,
    /// How the turn went and where it is, in two columns or in one.
    two_states: bool,
    prompt: usize,
}

impl Layout {
    fn of(traces: &[(usize, Trace)], columns: usize) -> Layout {
        let last = traces.iter().map(|(number, _)| *number).max().unwrap_or(1);
        let number = last.to_string().len();
        let mut layout = Layout {
            number,
            id: true,
            model: true,
            tokens: true,
            cost: true,
            calls: true,
            two_states: true,
            prompt: columns.saturating_sub(1),
        };
        let drop: [fn(&mut Layout); 6] = [
            |l| l.two_states = false,
            |l| l.id = false,
            |l| l.model = false,
            |l| l.tokens = false,
            |l| l.cost = false,
            |l| l.calls = false,
        ];
        for drop in drop {
            if columns >= layout.taken() + PROMPT_COLUMNS {
                break;
            }
            drop(&mut layout);
        }
        layout.prompt = columns.saturating_sub(layout.taken());
        layout
    }

    /// The columns of everything but the prompt.
    fn taken(&self) -> usize {
        let optional = [
            (self.id, 2 + ID_COLUMNS),
            (self.model, 2 + MODEL_COLUMNS),
            (self.tokens, 2 + NUMBERS_COLUMNS),
            (self.cost, 2 + COST_COLUMNS),
            (self.calls, 2 + NUMBERS_COLUMNS),
            (self.two_states, 2 + STATE_COLUMNS),
        ];
        let optional: usize = optional.iter().filter(|(shown, _)| *shown).map(|(_, columns)| columns).sum();
        // The number, the time, the duration and one state, each with the blanks before it; the blanks of the prompt.
        (2 + self.number) + (2 + TIME_COLUMNS) + (2 + LASTED_COLUMNS) + (2 + STATE_COLUMNS) + 2 + optional
    }
}

/// Number, time, prompt, then what is known in numbers.
fn turn_line(
    out: &mut String,
    terminal: Terminal,
    layout: &Layout,
    number: usize,
    trace: &Trace,
    bill: &Bill,
) {
    let head = trace.head();
    let summary = &trace.summary();
    let number = pad_left(&number.to_string(), layout.number);
    let mut lead = format!("  {number}  {}", local(head.started_at, "%H:%M"));
    if layout.id {
        lead.push_str(&format!("  {}", pad(short_id(trace.turn.as_str()), ID_COLUMNS)));
    }
    terminal.paint_into(out, Style::Quiet, &lead);
    out.push_str("  ");
    out.push_str(&pad(&first_line(summary.title()), layout.prompt));
    let mut column = |style: Style, text: &str| {
        out.push_str("  ");
        terminal.paint_into(out, style, text);
    };
    if layout.calls {
        column(Style::Quiet, &pad_left(&calls(summary, trace.agents()), NUMBERS_COLUMNS));
    }
    if layout.tokens {
        column(Style::Quiet, &pad_left(&tokens(summary), NUMBERS_COLUMNS));
    }
    if layout.cost {
        column(Style::Quiet, &pad_left(&bill.in_short(), COST_COLUMNS));
    }
    if layout.model {
        column(Style::Quiet, &pad(&first_line(summary.model.as_deref().unwrap_or_default()), MODEL_COLUMNS));
    }
    column(Style::Plain, &pad_left(&lasted(trace.ended_at().since(head.started_at)), LASTED_COLUMNS));
    let (went, delivered) = (status(summary), delivery(trace.place()));
    match (layout.two_states, went.0) {
        (true, _) => {
            column(went.0, &went.1);
            column(delivered.0, &delivered.1);
        }
        // Where there is room for one word, the worse one.
        (false, Style::Good) => column(delivered.0, &delivered.1),
        (false, _) => column(went.0, &went.1),
    }
    let end = out.trim_end().len();
    out.truncate(end);
    out.push('\n');
}

/// As many columns as a prompt needs to be recognised by.
const PROMPT_COLUMNS: usize = 32;
const TIME_COLUMNS: usize = 5;
const ID_COLUMNS: usize = 13;
const MODEL_COLUMNS: usize = 14;
const NUMBERS_COLUMNS: usize = 13;
const COST_COLUMNS: usize = 8;
const LASTED_COLUMNS: usize = 8;
const STATE_COLUMNS: usize = 7;

fn status(summary: &Summary) -> (Style, String) {
    let (style, word) = match summary.status.as_str() {
        "failed" => (Style::Bad, "failed"),
        "interrupted" => (Style::Waiting, "stopped"),
        _ => (Style::Good, "ok"),
    };
    (style, pad(word, 7))
}

/// Returns what became of the turn on its way to the backend; of one that arrived nothing needs to be said.
fn delivery(place: DeliveryState) -> (Style, String) {
    match place {
        DeliveryState::Sent => (Style::Good, "✓".to_owned()),
        DeliveryState::SentInPart => (Style::Bad, "in part".to_owned()),
        DeliveryState::Waiting => (Style::Waiting, "waiting".to_owned()),
        DeliveryState::SetAside => (Style::Bad, "refused".to_owned()),
        DeliveryState::Deleted => (Style::Quiet, "deleted".to_owned()),
        DeliveryState::Dry => (Style::Quiet, "dry run".to_owned()),
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
            backend_rule: None,
            started_at: Timestamp::from_millis(1_795_350_336_172),
            ended_at: Timestamp::from_millis(1_795_350_436_172),
            summary,
        };
        let items = vec![Item { head, place: DeliveryState::Waiting, path: "x".into() }];
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
        let line =
            draw(&[(1, whole)], &Prices::built_in(), Terminal { width: 160, height: None, colour: false });
        assert!(line.contains("failed   waiting") && line.contains("a-model-with-"), "{line}");
    }

    #[test]
    fn turns_stand_under_their_session_and_fit_the_terminal() {
        let traces = [(1, trace("s-1", "t-3")), (2, trace("s-1", "t-2")), (1234, trace("s-2", "t-1"))];
        for columns in [24, 40, 60, 72, 80, 110, 200] {
            let terminal = Terminal { width: columns, height: None, colour: false };
            let text = draw(&traces, &Prices::built_in(), terminal);
            assert_eq!(text.lines().count(), 6, "two sessions, three turns, a line between\n{text}");
            for line in text.lines() {
                assert!(width(line) <= columns || columns < 40, "{columns}: {line}");
            }
        }
    }

    #[test]
    fn narrow_terminals_keep_the_prompt() {
        let traces = [(1, trace("s-1", "t-1"))];
        for (columns, prompt, parts) in [
            (60, 29, "calls -"),
            (80, 32, "calls"),
            (100, 32, "cost"),
            (110, 32, "tokens"),
            (120, 32, "model"),
            (140, 32, "id"),
        ] {
            let layout = Layout::of(&traces, columns);
            assert!(layout.prompt >= prompt, "{columns}: {layout:?}");
            let shown = [
                (layout.calls, "calls"),
                (layout.cost, "cost"),
                (layout.tokens, "tokens"),
                (layout.model, "model"),
                (layout.id, "id"),
            ];
            let shown = shown.iter().rev().find(|(shown, _)| *shown).map_or("calls -", |(_, name)| name);
            assert_eq!(shown, parts, "{columns}: {layout:?}");
        }
    }
}
