//! A trace as a tree beside a time axis, as wide as the terminal.

use opentelemetry_proto::tonic::trace::v1::Span;
use std::time::Duration;

use super::terminal::{Style, Terminal};
use super::text::{first_line, fit, grouped, pad, pad_left, short, width};
use super::tree::{Kind, Node, Tokens, build};
use crate::otel::attribute::string;
use crate::otel::span_tree::{lead, lead_below};
use crate::time::lasted;

/// Draws the tree of a trace's spans. Of many siblings that went well only some are shown, unless `full`.
pub fn tree(spans: &[Span], terminal: Terminal, full: bool) -> String {
    let nodes = build(spans);
    let begin = nodes.iter().map(|n| n.start).min().unwrap_or(0);
    let end = nodes.iter().map(|n| n.end).max().unwrap_or(0);
    let layout = Layout::of(terminal);
    let chart = Chart { terminal, layout, begin, total: end.saturating_sub(begin).max(1) };
    let mut out = chart.axis();
    for row in rows(&nodes, full) {
        match row {
            Row::Span(node) => chart.span(&mut out, node),
            Row::Folded(nodes) => chart.folded(&mut out, &nodes),
        }
    }
    out
}

/// The columns of the picture; a width of none leaves the column out.
#[derive(Debug, Clone, Copy)]
struct Layout {
    label: usize,
    bar: usize,
    tokens: bool,
    /// How full each call left the context.
    fill: bool,
}

impl Layout {
    fn of(terminal: Terminal) -> Layout {
        let width = terminal.width;
        let tokens = width >= 100;
        let fill = width >= 110;
        let numbers = if tokens { TOKEN_COLUMNS + 1 } else { 0 } + if fill { FILL_COLUMNS } else { 0 };
        let rest = width.saturating_sub(TIME_COLUMNS + numbers);
        if width < 60 {
            return Layout { label: rest, bar: 0, tokens, fill };
        }
        let label = (rest * 56 / 100).min(90);
        Layout { label, bar: rest - label - 2, tokens, fill }
    }
}

/// A line of the tree: a span, or siblings that are left out.
enum Row<'a> {
    Span(&'a Node),
    Folded(Vec<&'a Node>),
}

/// Leaves out the middle of long runs of leaves that went well.
fn rows(nodes: &[Node], full: bool) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    let mut at = 0;
    while at < nodes.len() {
        let depth = nodes[at].depth;
        let dull = |n: &Node| n.depth == depth && n.children == 0 && n.error.is_none() && depth > 0;
        let run = nodes[at..].iter().take_while(|n| dull(n)).count();
        if full || run <= FOLD_FROM {
            let shown = run.max(1);
            rows.extend(nodes[at..at + shown].iter().map(Row::Span));
            at += shown;
            continue;
        }
        let (first, last) = (at + FOLD_KEEPS, at + run - FOLD_KEEPS);
        rows.extend(nodes[at..first].iter().map(Row::Span));
        rows.push(Row::Folded(nodes[first..last].iter().collect()));
        rows.extend(nodes[last..at + run].iter().map(Row::Span));
        at += run;
    }
    rows
}

struct Chart {
    terminal: Terminal,
    layout: Layout,
    begin: u64,
    total: u64,
}

impl Chart {
    /// The scale above the bars.
    fn axis(&self) -> String {
        if self.layout.bar == 0 {
            return String::new();
        }
        let step = nice_step(self.total / (self.layout.bar as u64 / TICK_COLUMNS).max(1));
        let mut line = String::new();
        for tick in 0.. {
            let at = self.columns(tick * step);
            let mark = lasted(Duration::from_nanos(tick * step)).replace(".0 s", " s").replace(" 00s", "");
            if at + width(&mark) > self.layout.bar {
                break;
            }
            line = pad(&line, at);
            line.push_str(if tick == 0 { "0" } else { &mark });
        }
        let blank = " ".repeat(self.layout.label + TIME_COLUMNS + 1);
        format!("{blank}{}\n", self.terminal.paint(Style::Quiet, &line))
    }

    fn span(&self, out: &mut String, node: &Node) {
        let lead = lead(&node.last);
        let style = if node.error.is_some() { Style::Bad } else { style_of(node.kind) };
        let failed = if node.error.is_some() { "✗ " } else { "" };
        let room = self.layout.label.saturating_sub(width(&lead));
        let name = fit(&format!("{failed}{}", node.name), room);
        let about = fit(&node.about, room.saturating_sub(width(&name) + 2));
        self.terminal.paint_into(out, Style::Quiet, &lead);
        self.terminal.paint_into(out, if node.depth == 0 { Style::Strong } else { style }, &name);
        let mut used = width(&lead) + width(&name);
        if node.depth > 0 && !about.is_empty() {
            out.push_str("  ");
            self.terminal.paint_into(out, Style::Plain, &about);
            used += 2 + width(&about);
        }
        out.extend(std::iter::repeat_n(' ', (self.layout.label).saturating_sub(used)));
        out.push_str(&pad_left(&lasted(node.lasted()), TIME_COLUMNS));
        if self.layout.bar > 0 {
            out.push(' ');
            self.bar(out, node, style);
            out.push(' ');
        }
        if self.layout.tokens
            && let Some(tokens) = node.tokens
        {
            let text = format!(" {} → {}", short(tokens.prompt), short(tokens.completion));
            let fill = node.context_fill.filter(|_| self.layout.fill).map(|fill| format!("{fill}%"));
            let text = match fill {
                Some(fill) => format!("{}{}", pad(&text, TOKEN_COLUMNS + 1), pad_left(&fill, FILL_COLUMNS)),
                None => fit(&text, TOKEN_COLUMNS + 1),
            };
            self.terminal.paint_into(out, Style::Quiet, &text);
        }
        end_line(out);
        self.notes(out, node, &lead_below(&node.last, node.children));
    }

    /// Writes what went wrong and what was waited for, below the span.
    fn notes(&self, out: &mut String, node: &Node, below: &str) {
        let room = self.terminal.width.saturating_sub(width(below));
        let mut note = |style, text: &str| {
            self.terminal.paint_into(out, Style::Quiet, below);
            self.terminal.paint_into(out, style, &fit(text, room));
            end_line(out);
        };
        if let Some(permission) = &node.permission {
            let waited = permission.wait.map(|w| format!(" after {}", lasted(w))).unwrap_or_default();
            // Nobody has answered yet, or nobody will ever know.
            let decision =
                if permission.decision == "unknown" { "not answered" } else { &permission.decision };
            note(Style::Waiting, &format!("permission {decision}{waited}"));
        }
        if let Some(error) = &node.error {
            note(Style::Bad, &first_line(error));
        }
    }

    /// A bar from the span's beginning to its end; the part spent waiting for a permission is shaded.
    fn bar(&self, out: &mut String, node: &Node, style: Style) {
        let from = self.columns(node.start.saturating_sub(self.begin)).min(self.layout.bar - 1);
        let eighths = self.eighths(node.end.saturating_sub(self.begin)).saturating_sub(8 * from).max(1);
        let waited = node.permission.as_ref().and_then(|p| p.wait).map_or(0, |wait| {
            let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
            self.columns(nanos).min(eighths / 8)
        });
        out.extend(std::iter::repeat_n(' ', from));
        self.terminal.paint_into(out, Style::Waiting, &"░".repeat(waited));
        let mut bar = "█".repeat(eighths / 8 - waited);
        if !eighths.is_multiple_of(8) && from + eighths / 8 < self.layout.bar {
            bar.push(PARTS[eighths % 8 - 1]);
        }
        self.terminal.paint_into(out, style, &bar);
        let used = from + waited + width(&bar);
        out.extend(std::iter::repeat_n(' ', self.layout.bar.saturating_sub(used)));
    }

    fn folded(&self, out: &mut String, nodes: &[&Node]) {
        let Some(first) = nodes.first() else { return };
        let lead = lead(&first.last);
        let mut names: Vec<(String, usize)> = Vec::new();
        for node in nodes {
            let name = if node.name.starts_with("Model call") { "Model call" } else { &node.name };
            match names.iter_mut().find(|(known, _)| known == name) {
                Some((_, count)) => *count += 1,
                None => names.push((name.to_owned(), 1)),
            }
        }
        names.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let shown: Vec<String> = names.iter().take(4).map(|(name, n)| format!("{n} × {name}")).collect();
        let spent: Duration = nodes.iter().map(|n| n.lasted()).sum();
        let text = format!("⋮ {} more: {}, {}", nodes.len(), shown.join(", "), lasted(spent));
        self.terminal.paint_into(out, Style::Quiet, &lead.replace("├─", "│ "));
        self.terminal.paint_into(out, Style::Quiet, &fit(&text, self.terminal.width - width(&lead)));
        end_line(out);
    }

    fn columns(&self, nanos: u64) -> usize {
        self.eighths(nanos) / 8
    }

    /// A time as eighths of a column.
    fn eighths(&self, nanos: u64) -> usize {
        let scaled = u128::from(nanos) * (self.layout.bar as u128 * 8) / u128::from(self.total);
        usize::try_from(scaled).unwrap_or(usize::MAX).min(self.layout.bar * 8)
    }
}

/// A turn's prompt and answer, tokens and state, around its tree.
pub fn heading(terminal: Terminal, left: &str, right: &str) -> String {
    let room = terminal.width.saturating_sub(width(right) + 2);
    let left = fit(left, room);
    let gap = terminal.width.saturating_sub(width(&left) + width(right));
    let mut out = terminal.paint(Style::Strong, &left);
    out.extend(std::iter::repeat_n(' ', gap));
    terminal.paint_into(&mut out, Style::Quiet, right);
    end_line(&mut out);
    out
}

/// The tokens of a trace in words: each is counted where the tree shows it.
pub fn tokens_in_words(tokens: Tokens) -> String {
    format!(
        "{} tokens in ({} cached), {} out ({} reasoning)",
        grouped(tokens.prompt),
        grouped(tokens.cached),
        grouped(tokens.completion),
        grouped(tokens.reasoning)
    )
}

/// The sum over the spans that have tokens: no span's tokens are repeated by another.
pub fn total_tokens(spans: &[Span]) -> Option<Tokens> {
    spans.iter().filter_map(Tokens::of).fold(None, |sum: Option<Tokens>, tokens| {
        let mut sum = sum.unwrap_or_default();
        sum.add(tokens);
        Some(sum)
    })
}

/// A prompt or an answer behind its mark, at most `lines` lines of it.
pub fn quote(terminal: Terminal, span: &Span, key: &str, mark: &str, lines: usize) -> String {
    let text = string(span, key).unwrap_or_default();
    let mut out = String::new();
    let said = text.lines().filter(|l| !l.trim().is_empty());
    for (n, line) in said.clone().take(lines).enumerate() {
        terminal.paint_into(&mut out, Style::Quiet, if n == 0 { mark } else { "  " });
        out.push_str(&fit(&crate::text::printable(line), terminal.width.saturating_sub(2)));
        end_line(&mut out);
    }
    let more = said.count().saturating_sub(lines);
    if more > 0 {
        terminal.paint_into(&mut out, Style::Quiet, &format!("  ⋮ {more} more lines"));
        end_line(&mut out);
    }
    out
}

/// The colour of a kind of span.
pub fn style_of(kind: Kind) -> Style {
    match kind {
        Kind::Agent => Style::Agent,
        Kind::Llm => Style::Model,
        Kind::Tool => Style::Tool,
        Kind::Chain | Kind::Other => Style::Other,
    }
}

fn end_line(out: &mut String) {
    let end = out.trim_end_matches(' ').len();
    out.truncate(end);
    out.push('\n');
}

/// 1, 2 or 5 times a power of ten, at least `nanos`; from a minute on, whole minutes.
fn nice_step(nanos: u64) -> u64 {
    let minute: u64 = 60_000_000_000;
    let unit = if nanos > 30_000_000_000 { minute } else { 1_000_000 };
    let mut power = unit;
    loop {
        for factor in [1, 2, 5] {
            if power.saturating_mul(factor) >= nanos {
                return power.saturating_mul(factor).max(1);
            }
        }
        power = power.saturating_mul(10);
    }
}

const TIME_COLUMNS: usize = 9;
const TOKEN_COLUMNS: usize = 15;
const FILL_COLUMNS: usize = 5;
const TICK_COLUMNS: u64 = 7;
/// Longer runs of dull siblings are folded …
const FOLD_FROM: usize = 24;
/// … to this many at either end.
const FOLD_KEEPS: usize = 8;
const PARTS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

#[cfg(test)]
mod tests {
    use super::super::tree::tests::span;
    use super::*;

    fn terminal(width: usize) -> Terminal {
        Terminal { width, height: None, colour: false }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let about = [("input.value", "日本語 a very long prompt that goes on and on and on and on")];
        let spans: Vec<Span> = (1..40).map(|n| span(n, n / 3, u64::from(n) * 7, &about)).collect();
        for columns in [24, 40, 59, 60, 80, 99, 100, 133, 240] {
            for line in tree(&spans, terminal(columns), false).lines() {
                assert!(width(line) <= columns, "{columns}: {line}");
            }
        }
    }

    #[test]
    fn long_turn_folds_all_but_errors() {
        let mut spans: Vec<Span> = (2..100).map(|n| span(n, 1, u64::from(n), &[])).collect();
        spans.push(span(1, 0, 0, &[]));
        spans[60].status = Some(opentelemetry_proto::tonic::trace::v1::Status {
            code: 2,
            message: "exit code 3\nmore".into(),
        });
        let short = tree(&spans, terminal(100), false);
        assert!(short.lines().count() < 45, "{short}");
        assert!(short.contains("✗ span 62") && short.contains("exit code 3") && short.contains("⋮ 44 more"));
        assert!(tree(&spans, terminal(100), true).lines().count() > 100);
    }

    #[test]
    fn the_axis_counts_in_round_steps() {
        let seconds = |s: u64| s * 1_000_000_000;
        for (at_least, step) in [(1, 1_000_000), (seconds(3), seconds(5)), (seconds(31), seconds(60))] {
            assert_eq!(nice_step(at_least), step);
        }
    }
}
