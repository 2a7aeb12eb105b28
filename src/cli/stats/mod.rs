//! `arize-codex stats`: tokens, cost, time, turns and failures, from the history.

mod by;
mod limits;
mod receipt;
mod sum;
mod table;
mod tally;

use argh::{ArgsInfo, FromArgs};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;

use self::by::By;
use self::limits::Limits;
use self::receipt::Facts;
use self::sum::Sum;
use self::tally::{Tally, total};
use super::selection::moment::Moment;
use super::selection::selectors::{Filter, Selectors};
use super::view::records::{Form, Records, write_json};
use super::view::terminal::{Style, Terminal};
use super::view::text::fit;
use super::{exit, usage};
use crate::context::Context;
use crate::delivery::history;
use crate::otel::history_line::Line;
use crate::otel::prices::Prices;
use crate::settings::Settings;
use crate::time::Timestamp;

/// Sum up cost, tokens, time, turns and failures.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "stats")]
pub struct StatsArgs {
    /// group by day (default), week, month, model, project, branch, commit, tool or session
    #[argh(option, arg_name = "what", from_str_fn(By::parse), default = "By::Day")]
    by: By,
    /// compare with the equally long period before --since
    #[argh(switch)]
    compare: bool,
    /// print a Markdown receipt for a pull request; needs --branch or --commits
    #[argh(switch)]
    receipt: bool,
    /// only turns that started on these commits of the current repository, such as main..HEAD
    #[argh(option, arg_name = "range")]
    commits: Option<String>,
}

/// Prints the sums.
///
/// # Errors
/// When the history cannot be read, or nothing can be printed.
pub fn run(
    args: &StatsArgs,
    selectors: &Selectors,
    form: Form,
    context: &Context,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let settings = Settings::load(context).unwrap_or_else(|_| Settings::without_config(context));
    let prices = Prices::load(context.paths(), settings.profile.prices.as_deref());
    let commits = args.commits.as_deref().map(receipt::commits).transpose()?;
    let counting = Counting { selectors, commits, prices: &prices, context, settings: &settings };
    if args.receipt {
        return counting.receipt(args, out);
    }
    let before = if args.compare { Some(selectors_before(selectors, context)?) } else { None };
    let Counted { rows, before, limits } = counting.count(args.by, before.as_ref())?;
    match form {
        Form::Text if rows.is_empty() && before.is_none() => writeln!(out, "{}", selectors.nothing())?,
        Form::Text => {
            let terminal = Terminal::of(context);
            let mut text = table::draw(&rows, before.as_ref(), args.by, terminal);
            for line in limits.lines(context.now()) {
                terminal.paint_into(&mut text, Style::Quiet, &fit(&line, terminal.width));
                text.push('\n');
            }
            terminal.page(context, &text, out)?;
        }
        Form::Json if before.is_some() => {
            let one =
                |sum: &Sum| fields(sum, args.by).into_iter().collect::<serde_json::Map<String, Value>>();
            let before = before.as_ref().map(one);
            let document = json!({
                "rows": records(&rows, args.by).objects(), "all": one(&total(&rows)), "before": before,
            });
            write_json(&document, out)?;
        }
        _ => {
            let mut rows = rows;
            if let Some(before) = before {
                rows.extend([("all".to_owned(), total(&rows)), ("before".to_owned(), before)]);
            }
            records(&rows, args.by).write(form, out)?;
        }
    }
    for problem in &prices.problems {
        eprintln!("prices: {problem}");
    }
    Ok(exit::DONE)
}

/// What a count found.
struct Counted {
    rows: Vec<(String, Sum)>,
    /// The sum of the period before, where one is given.
    before: Option<Sum>,
    limits: Limits,
}

/// Everything a count needs.
struct Counting<'a> {
    selectors: &'a Selectors,
    commits: Option<BTreeSet<String>>,
    prices: &'a Prices,
    context: &'a Context,
    settings: &'a Settings,
}

impl Counting<'_> {
    /// Counts what is selected, and the period before where one is given.
    fn count(&self, by: By, before: Option<&Selectors>) -> anyhow::Result<Counted> {
        let (filter, earlier) = (self.selectors.at(self.context), before.map(|b| b.at(self.context)));
        let since = earlier.as_ref().map_or(filter.since(), Filter::since);
        let (prices, commits) = (self.prices, self.commits.as_ref());
        let all = self.selectors.is_empty() && commits.is_none();
        let make = || (Tally::new(by, prices), Tally::new(by, prices), Limits::default());
        let [(mut now, mut then, mut limits), newer] =
            history::count(self.context.paths(), self.settings, since, make, |(now, then, limits), line| {
                if all || takes(&filter, commits, line) {
                    now.add(line);
                    limits.add(line);
                } else if earlier.as_ref().is_some_and(|earlier| takes(earlier, commits, line)) {
                    then.add(line);
                }
            })?;
        now.merge(newer.0);
        then.merge(newer.1);
        limits.merge(newer.2);
        Ok(Counted { rows: now.rows(), before: before.map(|_| total(&then.rows())), limits })
    }

    fn receipt(&self, args: &StatsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
        let about = match (&self.selectors.branch, &args.commits) {
            (Some(branch), None) => branch.clone(),
            (_, Some(range)) => range.clone(),
            (None, None) => return Err(usage("--receipt needs --branch NAME or --commits RANGE")),
        };
        let filter = self.selectors.at(self.context);
        let mut tally = Tally::new(By::Model, self.prices);
        let mut facts = Facts::default();
        history::each(self.context.paths(), self.settings, filter.since(), &mut |line| {
            if takes(&filter, self.commits.as_ref(), line) {
                tally.add(line);
                facts.add(line);
            }
        })?;
        let rows = tally.rows();
        if rows.is_empty() {
            writeln!(out, "{}", self.selectors.nothing())?;
            return Ok(exit::DONE);
        }
        out.write_all(receipt::write(&about, &rows, &facts).as_bytes())?;
        Ok(exit::DONE)
    }
}

/// Returns true if a turn is selected, and began on one of the commits where some are given.
fn takes(filter: &Filter, commits: Option<&BTreeSet<String>>, line: &Line) -> bool {
    let commit = |commits: &BTreeSet<String>| line.commit.as_deref().is_some_and(|c| commits.contains(c));
    commits.is_none_or(commit) && filter.takes_line(line)
}

/// The same selection in the period before: as long, and up to the beginning of the selected one.
fn selectors_before(selectors: &Selectors, context: &Context) -> anyhow::Result<Selectors> {
    let now = context.now();
    let Some(since) = selectors.since.map(|moment| moment.start(now)) else {
        return Err(usage("--compare needs --since, such as 7d or \"this month\""));
    };
    let until = selectors.until.map_or(now, |moment| moment.end(now)).min(now);
    let earlier: Timestamp = since.minus(until.since(since));
    let (since, until) = (Some(Moment::At(earlier)), Some(Moment::At(since)));
    Ok(Selectors { since, until, ..selectors.clone() })
}

fn fields(sum: &Sum, by: By) -> Vec<(String, Value)> {
    let fields = if by == By::Tool { sum.tool_fields() } else { sum.fields() };
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn records(rows: &[(String, Sum)], by: By) -> Records {
    let values = |sum: &Sum| if by == By::Tool { sum.tool_fields() } else { sum.fields() };
    let names = values(&Sum::default()).into_iter().map(|(name, _)| name);
    let row = |(name, sum): &(String, Sum)| {
        let numbers = values(sum).into_iter().map(|(_, value)| value);
        std::iter::once(Value::from(name.as_str())).chain(numbers).collect()
    };
    Records {
        fields: std::iter::once(by.name()).chain(names).collect(),
        rows: rows.iter().map(row).collect(),
    }
}
