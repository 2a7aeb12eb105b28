//! The table of `stats` in the terminal.

use super::by::By;
use super::sum::Sum;
use super::tally::total;
use crate::cli::view::terminal::{Style, Terminal};
use crate::cli::view::text::{first_line, grouped, pad, pad_left, short, short_id, width};
use crate::time::lasted;

/// Draws the rows, their sum, and the period before where it is to be compared.
pub fn draw(rows: &[(String, Sum)], before: Option<&Sum>, by: By, terminal: Terminal) -> String {
    let all = total(rows);
    let name_of = |name: &str| match by {
        By::Session => short_id(name).to_owned(),
        By::Commit => name.get(..COMMIT).unwrap_or(name).to_owned(),
        _ => first_line(name),
    };
    let measure = |sum: &Sum| if by == By::Tool { sum.calls } else { sum.tokens() };
    let most = rows.iter().map(|(_, sum)| measure(sum)).max().unwrap_or(0).max(1);
    let names = rows.iter().map(|(name, _)| width(&name_of(name))).max().unwrap_or(0);
    let label = names.clamp(8, terminal.width / 3);
    let heads = heads(by, terminal.width.saturating_sub(label));
    let taken = label + heads.iter().map(|(_, w)| w + 1).sum::<usize>() + 2;
    let bar = terminal.width.saturating_sub(taken).min(40);
    let mut out = head_line(by, &heads, label, bar, terminal);
    let mut line = |name: &str, values: &[(String, bool)], style: Style, measured: Option<u64>| {
        terminal.paint_into(&mut out, style, &pad(name, label));
        for ((_, columns), (value, bad)) in heads.iter().zip(values) {
            out.push(' ');
            let style = if *bad { Style::Bad } else { Style::Plain };
            terminal.paint_into(&mut out, style, &pad_left(value, *columns));
        }
        if let Some(measured) = measured.filter(|_| bar >= MIN_BAR) {
            let long = measured as f64 / most as f64 * bar as f64;
            out.push_str("  ");
            terminal.paint_into(&mut out, Style::Model, &"█".repeat((long.round() as usize).max(1)));
        }
        out.push('\n');
    };
    let values = |sum: &Sum| -> Vec<(String, bool)> {
        heads.iter().map(|(head, _)| shown(sum, head, by)).map(|v| (v.0, v.1)).collect()
    };
    for (name, sum) in rows {
        line(&name_of(name), &values(sum), Style::Plain, Some(measure(sum)));
    }
    if rows.len() > 1 || before.is_some() {
        line("all", &values(&all), Style::Strong, None);
    }
    if let Some(before) = before {
        line("before", &values(before), Style::Quiet, None);
        let changes: Vec<_> = heads.iter().map(|(head, _)| (change(before, &all, head, by), false)).collect();
        line("change", &changes, Style::Strong, None);
    }
    out
}

fn head_line(by: By, heads: &[(&str, usize)], label: usize, bar: usize, terminal: Terminal) -> String {
    let mut out = pad(by.name(), label);
    for (head, columns) in heads {
        out.push(' ');
        out.push_str(&pad_left(head, *columns));
    }
    if bar >= MIN_BAR {
        out.push_str("  ");
        out.push_str(if by == By::Tool { "calls" } else { "tokens" });
    }
    let mut out = terminal.paint(Style::Quiet, &out);
    out.push('\n');
    out
}

/// The columns that fit; the least useful go first.
fn heads(by: By, room: usize) -> Vec<(&'static str, usize)> {
    let (mut heads, optional): (Vec<(&str, usize)>, &[&str]) = if by == By::Tool {
        (
            vec![("calls", 7), ("failed", 7), ("time", 8), ("mean", 8), ("asked", 6), ("waited", 8)],
            &["waited", "asked", "mean", "failed"],
        )
    } else {
        let all = vec![
            ("turns", 6),
            ("failed", 7),
            ("stopped", 7),
            ("tools", 6),
            ("asked", 6),
            ("time", 8),
            ("in", 6),
            ("cached", 6),
            ("out", 6),
            ("cost", 9),
            ("context", 7),
            ("limit", 5),
        ];
        (all, &["limit", "context", "stopped", "asked", "tools", "failed", "time", "cached"])
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

/// Thousandths as a percentage; nothing where nothing is known.
fn percent(thousandths: Option<u64>) -> String {
    thousandths.map(|n| format!("{:.0}%", n as f64 / 10.0)).unwrap_or_default()
}

/// A cell, and whether it reports something bad.
fn shown(sum: &Sum, head: &str, by: By) -> (String, bool) {
    // Columns are made for a month; years have more.
    let count = |n: u64| if n < 100_000 { grouped(n) } else { short(n) };
    match head {
        "turns" => (count(sum.turns), false),
        "failed" => {
            let failed = if by == By::Tool { sum.failed_calls } else { sum.failed };
            (count(failed), failed > 0)
        }
        "stopped" => (count(sum.interrupted), false),
        "tools" | "calls" => (count(sum.calls), false),
        "asked" => (count(sum.approvals), false),
        "waited" => (lasted(sum.approval_wait), false),
        "time" => (lasted(sum.time), false),
        "mean" => (lasted(sum.time / u32::try_from(sum.calls.max(1)).unwrap_or(u32::MAX)), false),
        "in" => (short(sum.prompt), false),
        "out" => (short(sum.completion), false),
        "context" => (percent(sum.context_fill), false),
        "limit" => (percent(sum.limit_used), sum.limit_used >= Some(1000)),
        "cached" => (sum.cache_share().map_or_else(String::new, |s| format!("{:.0}%", s * 100.0)), false),
        _ => (sum.bill.in_short(), false),
    }
}

/// Returns how much more or less than in the period before.
fn change(before: &Sum, now: &Sum, head: &str, by: By) -> String {
    let number = |sum: &Sum| -> f64 {
        match head {
            "turns" => sum.turns as f64,
            "failed" if by == By::Tool => sum.failed_calls as f64,
            "failed" => sum.failed as f64,
            "stopped" => sum.interrupted as f64,
            "tools" | "calls" => sum.calls as f64,
            "asked" => sum.approvals as f64,
            "waited" => sum.approval_wait.as_secs_f64(),
            "time" => sum.time.as_secs_f64(),
            "mean" => sum.time.as_secs_f64() / sum.calls.max(1) as f64,
            "in" => sum.prompt as f64,
            "out" => sum.completion as f64,
            "cost" => sum.bill.total().usd(),
            _ => 0.0,
        }
    };
    let (before, now) = (number(before), number(now));
    if before == 0.0 { String::new() } else { format!("{:+.0}%", (now - before) / before * 100.0) }
}

/// Shorter bars say nothing.
const MIN_BAR: usize = 8;
/// How much of a commit's id names it.
const COMMIT: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<(String, Sum)> {
        let sum = |turns, prompt| Sum { turns, prompt, failed: 1, ..Sum::default() };
        vec![("a,\"b\"".to_owned(), sum(2, 1_000_000)), ("=1+2".to_owned(), sum(1, 10))]
    }

    #[test]
    fn table_fits_and_ends_with_sum() {
        for columns in [24, 40, 60, 80, 120] {
            let terminal = Terminal { width: columns, height: None, colour: false };
            let text = draw(&rows(), None, By::Project, terminal);
            assert!(text.lines().last().unwrap().starts_with("all"), "{text}");
            assert!(columns < 40 || text.lines().all(|l| width(l) <= columns), "{columns}\n{text}");
        }
    }

    #[test]
    fn years_are_not_cut() {
        let years = Sum { turns: 730_000, failed: 123_456, calls: 4_381_000, ..Sum::default() };
        let terminal = Terminal { width: 160, height: None, colour: false };
        let text =
            draw(&[("a".to_owned(), years.clone()), ("b".to_owned(), years)], None, By::Model, terminal);
        assert!(text.contains("730k") && text.contains("1.4M") && !text.contains('…'), "{text}");
    }

    #[test]
    fn comparison_shows_period_before_and_change() {
        let before = Sum { turns: 2, prompt: 2_000_020, ..Sum::default() };
        let terminal = Terminal { width: 120, height: None, colour: false };
        let text = draw(&rows(), Some(&before), By::Model, terminal);
        let last = text.lines().last().unwrap();
        assert!(last.starts_with("change") && last.contains("+50%") && last.contains("-50%"), "{text}");
    }
}
