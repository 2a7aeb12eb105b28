//! A receipt in Markdown: what Codex did for a branch or for some commits, to paste into a pull request.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::sum::Sum;
use super::tally::total;
use crate::cli::view::text::{counted, grouped, local, short};
use crate::otel::history_line::Line;
use crate::time::{Timestamp, lasted};

/// What a receipt needs beside the rows by model.
#[derive(Debug, Default)]
pub struct Facts {
    sessions: BTreeSet<String>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Facts {
    pub fn add(&mut self, line: &Line) {
        let session = line.root.as_ref().map_or(&line.thread, |(thread, _)| thread);
        if !self.sessions.contains(session.as_ref()) {
            self.sessions.insert(session.clone().into_owned());
        }
        self.first = Some(self.first.map_or(line.started_at(), |at| at.min(line.started_at())));
        self.last = self.last.max(Some(line.ended_at()));
    }
}

/// Writes the receipt of the rows, which are by model.
pub fn write(about: &str, rows: &[(String, Sum)], facts: &Facts) -> String {
    let all = total(rows);
    let mut out = String::new();
    let day = |at: Option<Timestamp>| at.map(|at| local(at, "%Y-%m-%d")).unwrap_or_default();
    let days = match (day(facts.first), day(facts.last)) {
        (first, last) if first == last => first,
        (first, last) => format!("{first} to {last}"),
    };
    // A string takes every write.
    let _ = writeln!(out, "### Codex: {}\n", cell(about));
    let sessions = counted(facts.sessions.len() as u64, "session");
    let agents =
        if all.agents > 0 { format!(", {}", counted(all.agents, "subagent turn")) } else { String::new() };
    let failed = if all.failed > 0 { format!(", {} failed", grouped(all.failed)) } else { String::new() };
    let _ = writeln!(out, "{}{agents}{failed} in {sessions}, {days}.\n", counted(all.turns, "turn"));
    let _ = writeln!(out, "| model | tokens in | cached | tokens out | cost |\n|---|---:|---:|---:|---:|");
    for (name, sum) in rows {
        let _ = writeln!(out, "{}", row(&cell(name), sum));
    }
    if rows.len() > 1 {
        let _ = writeln!(out, "{}", row("**all**", &all));
    }
    let part = |name: &str, ms: u64| format!("{name} {}", lasted(Duration::from_millis(ms)));
    let spent: Vec<String> =
        all.spent.parts().into_iter().filter(|(_, ms)| *ms > 0).map(|(name, ms)| part(name, ms)).collect();
    let spent = if spent.is_empty() { String::new() } else { format!(" ({})", spent.join(", ")) };
    let _ = writeln!(out, "\nTime {}{spent}; {}.", lasted(all.time), tools(&all));
    if !all.bill.sources.is_empty() {
        let note = if all.bill.is_partial() { "; calls without a known price are not in it" } else { "" };
        let _ = writeln!(out, "\n<sub>Cost at API prices: {}{note}.</sub>", cell(&all.bill.source()));
    }
    out
}

/// The commits whose turns count for `A..B`: a turn notes the commit it began on, which its own work follows. So `A`
/// counts, and `B` does not.
///
/// # Errors
/// When git does not know the range.
pub fn commits(range: &str) -> anyhow::Result<BTreeSet<String>> {
    let Some((from, to)) = range.split_once("..").map(|(from, to)| (from, to.trim_start_matches('.'))) else {
        bail!("--commits takes a range such as main..HEAD");
    };
    let to = if to.is_empty() { "HEAD" } else { to };
    let base = git(&["merge-base", from, to])?;
    let mut found: BTreeSet<String> =
        git(&["rev-list", &format!("{from}..{to}")])?.lines().map(str::to_owned).collect();
    found.insert(base.trim().to_owned());
    found.remove(git(&["rev-parse", &format!("{to}^{{commit}}")])?.trim());
    Ok(found)
}

fn git(args: &[&str]) -> anyhow::Result<String> {
    if args.iter().skip(1).any(|arg| arg.starts_with('-')) {
        bail!("{} is not a commit", args[1]);
    }
    let run = Command::new("git").args(args).stdin(Stdio::null()).output().context("git cannot be run")?;
    if !run.status.success() {
        bail!("git {}: {}", args.join(" "), String::from_utf8_lossy(&run.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&run.stdout).into_owned())
}

fn row(name: &str, sum: &Sum) -> String {
    let share = sum.cache_share().map_or_else(String::new, |share| format!("{:.0} %", share * 100.0));
    let cost = sum.bill.in_words();
    format!("| {name} | {} | {share} | {} | {cost} |", short(sum.prompt), short(sum.completion))
}

fn tools(sum: &Sum) -> String {
    let failed =
        if sum.failed_calls > 0 { format!(", {} failed", grouped(sum.failed_calls)) } else { String::new() };
    let asked = match sum.approvals {
        0 => String::new(),
        n => format!("; {} asked for, waited {}", grouped(n), lasted(sum.approval_wait)),
    };
    format!("{} tool calls{failed}{asked}", grouped(sum.calls))
}

/// Text in which nothing is Markdown.
fn cell(text: &str) -> String {
    let text = crate::text::printable(text);
    text.chars().fold(String::new(), |mut out, c| {
        if matches!(c, '|' | '\\' | '`' | '*' | '<' | '[' | ']') {
            out.push('\\');
        }
        out.push(c);
        out
    })
}
