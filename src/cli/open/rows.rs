//! The turns of this machine as rows, read once and kept until files come or go.
//!
//! A turn of the archive has its prompt and its page; of an older one the history knows the numbers alone.

use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::cli::selection;
use crate::cli::selection::selectors::Selectors;
use crate::cli::view::records::Records;
use crate::cli::view::text::{folder_name, local, place_name};
use crate::context::{Context, Paths};
use crate::delivery::archive::DeliveryState;
use crate::delivery::{history, running};
use crate::otel::entry::Head;
use crate::otel::prices::{Bill, Pricer, Prices};
use crate::settings::Settings;
use crate::time::Timestamp;

/// One turn with its continuations and subagents.
#[derive(Debug, Clone)]
pub struct Row {
    /// The turn's own head, its continuations added up.
    pub head: Head,
    ended_at: Timestamp,
    /// The cost of the turn and its subagents.
    bill: Bill,
    agents: usize,
    /// Where the whole turn lies; none when the history alone knows it.
    place: Option<DeliveryState>,
    /// Everything a search looks at, in lower case.
    text: String,
}

/// The rows, newest first, and the state of the files they were read from.
#[derive(Debug, Default)]
pub struct Rows {
    rows: Vec<Row>,
    read_at: Option<Stamp>,
    /// Turns that run, read anew for every answer.
    running: Vec<Row>,
}

/// When files last came or went, and how long the newest month of the history is.
pub type Stamp = (Vec<Option<SystemTime>>, u64);

/// A selection of rows.
#[derive(Debug, Default)]
pub struct Query {
    pub text: String,
    pub selectors: Selectors,
}

/// The sums of selected rows.
#[derive(Debug, Default, Serialize)]
pub struct Totals {
    pub turns: usize,
    pub failed: usize,
    /// US dollars.
    pub cost: f64,
    /// Some of the turns have calls without a price.
    pub cost_is_partial: bool,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub duration_ms: u64,
}

/// Returns the state of the files that rows are read from.
pub fn stamp(paths: &Paths) -> Stamp {
    let directories = [paths.outbox(), paths.sent(), paths.rejected(), paths.dry()];
    let changed = |path: PathBuf| fs::metadata(path).and_then(|m| m.modified()).ok();
    let newest = history::months(paths).pop();
    let length = newest.and_then(|path| fs::metadata(path).ok()).map_or(0, |m| m.len());
    (directories.map(changed).into(), length)
}

impl Rows {
    /// Reads the rows anew when files have come or gone.
    pub fn refresh(&mut self, context: &Context) {
        let now = stamp(context.paths());
        if self.read_at.as_ref() != Some(&now) {
            self.rows = read(context);
            self.read_at = Some(now);
        }
        self.running = running(context);
    }

    /// Returns the rows that a query selects, newest first.
    pub fn select<'a>(&'a self, query: &Query, context: &Context) -> Vec<&'a Row> {
        let filter = query.selectors.at(context);
        let words: Vec<String> = query.text.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let is_selected = |row: &&Row| {
            words.iter().all(|word| row.text.contains(word.as_str()))
                && filter.takes_turn(&row.head, &row.head.summary, row.ended_at)
        };
        self.running.iter().chain(&self.rows).filter(is_selected).collect()
    }
}

impl Row {
    fn new(head: Head, ended_at: Timestamp, place: Option<DeliveryState>) -> Row {
        let summary = &head.summary;
        let parts = [
            &summary.prompt,
            &summary.name,
            head.root_thread.as_str(),
            head.key.turn.as_str(),
            &head.project_name,
        ];
        let optional =
            [&summary.cwd, &summary.branch, &summary.model].map(|t| t.as_deref().unwrap_or_default());
        let text = parts
            .into_iter()
            .map(AsRef::as_ref)
            .chain(optional)
            .collect::<Vec<&str>>()
            .join("\n")
            .to_lowercase();
        // Ten thousands of rows are held: what they are counted from is not needed any more.
        let mut head = head;
        (head.summary.uses, head.summary.tools, head.summary.commit) = (Vec::new(), Vec::new(), None);
        Row { head, ended_at, bill: Bill::default(), agents: 0, place, text }
    }

    /// The row with documented, stable names.
    pub fn to_json(&self) -> Value {
        let (head, summary) = (&self.head, &self.head.summary);
        json!({
            "thread": head.root_thread, "turn": head.key.turn, "name": summary.name, "prompt": summary.prompt,
            "project": head.project_name, "directory": self.directory(), "branch": summary.branch,
            "model": summary.model, "status": summary.status,
            "started_at_ms": head.started_at.as_millis(), "duration_ms": self.duration_ms(),
            "tool_calls": summary.tool_calls, "failed_tool_calls": summary.failed_tool_calls, "agents": self.agents,
            "prompt_tokens": summary.prompt_tokens, "completion_tokens": summary.completion_tokens,
            "cost": self.bill.known().map(|money| money.usd()), "cost_is_partial": self.bill.is_partial(),
            "delivery": self.place.map(place_name),
        })
    }

    fn directory(&self) -> String {
        self.head.summary.cwd.as_deref().map(folder_name).unwrap_or_default()
    }

    fn duration_ms(&self) -> u64 {
        u64::try_from(self.ended_at.since(self.head.started_at).as_millis()).unwrap_or(u64::MAX)
    }
}

/// Adds rows up.
pub fn total(rows: &[&Row]) -> Totals {
    let mut sum = Totals { turns: rows.len(), ..Totals::default() };
    for row in rows {
        let summary = &row.head.summary;
        sum.failed += usize::from(summary.status == "failed");
        sum.cost += row.bill.known().map_or(0.0, |money| money.usd());
        sum.cost_is_partial |= row.bill.is_partial();
        sum.prompt_tokens += summary.prompt_tokens.unwrap_or(0);
        sum.completion_tokens += summary.completion_tokens.unwrap_or(0);
        sum.duration_ms = sum.duration_ms.saturating_add(row.duration_ms());
    }
    sum
}

/// Returns the sums of rows by day, model or project: days in their order, the rest by cost.
pub fn costs(rows: &[&Row], by: &str) -> Vec<(String, Totals)> {
    let mut groups: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        let group = match by {
            "model" => row.head.summary.model.clone().unwrap_or_default(),
            "project" => row.directory(),
            _ => local(row.head.started_at, "%Y-%m-%d"),
        };
        groups.entry(group).or_default().push(row);
    }
    let mut sums: Vec<(String, Totals)> =
        groups.into_iter().map(|(name, rows)| (name, total(&rows))).collect();
    if matches!(by, "model" | "project") {
        sums.sort_by(|a, b| b.1.cost.total_cmp(&a.1.cost).then(b.1.turns.cmp(&a.1.turns)));
    }
    sums
}

/// The rows as a table for other programs.
pub fn table(rows: &[&Row]) -> Records {
    let cells = |row: &&Row| {
        let mut row = row.to_json();
        FIELDS.iter().map(|field| row[*field].take()).collect()
    };
    Records { fields: FIELDS.to_vec(), rows: rows.iter().map(cells).collect() }
}

/// The sums of [`costs`] as a table for other programs.
pub fn costs_table(rows: &[&Row], by: &str) -> Records {
    let cells = |(name, sum): (String, Totals)| {
        let cost = if sum.cost_is_partial && sum.cost == 0.0 { Value::Null } else { sum.cost.into() };
        vec![
            name.into(),
            sum.turns.into(),
            sum.failed.into(),
            cost,
            sum.cost_is_partial.into(),
            sum.prompt_tokens.into(),
            sum.completion_tokens.into(),
            sum.duration_ms.into(),
        ]
    };
    Records { fields: SUM_FIELDS.to_vec(), rows: costs(rows, by).into_iter().map(cells).collect() }
}

const FIELDS: [&str; 19] = [
    "thread",
    "turn",
    "name",
    "prompt",
    "project",
    "directory",
    "branch",
    "model",
    "status",
    "started_at_ms",
    "duration_ms",
    "tool_calls",
    "failed_tool_calls",
    "agents",
    "prompt_tokens",
    "completion_tokens",
    "cost",
    "cost_is_partial",
    "delivery",
];
const SUM_FIELDS: [&str; 8] = [
    "name",
    "turns",
    "failed",
    "cost",
    "cost_is_partial",
    "prompt_tokens",
    "completion_tokens",
    "duration_ms",
];

/// The turns that run, newest first; of a subagent its turn's row knows.
fn running(context: &Context) -> Vec<Row> {
    if !running::any(context) {
        return Vec::new();
    }
    let settings = Settings::load(context).unwrap_or_else(|_| Settings::without_config(context));
    let prices = Prices::load(context.paths(), settings.profile.prices.as_deref());
    let own =
        running::turns(context, &settings).into_iter().filter(|e| e.head.key.thread == e.head.root_thread);
    let mut rows: Vec<Row> = own
        .map(|entry| {
            let (head, ended_at) = (entry.head.clone(), entry.head.ended_at);
            Row { bill: Bill::of(&entry.head.summary.uses, &prices), ..Row::new(head, ended_at, None) }
        })
        .collect();
    rows.reverse();
    rows
}

fn read(context: &Context) -> Vec<Row> {
    let paths = context.paths();
    let users_file = Settings::load(context).ok().and_then(|s| s.profile.prices);
    let prices = Prices::load(paths, users_file.as_deref());
    let mut rows = Vec::new();
    let mut known = HashMap::new();
    let mut pricer = Pricer::new(&prices);
    for trace in selection::traces(paths) {
        let head = Head { summary: trace.summary(), ..trace.head().clone() };
        let mut row = Row::new(head, trace.ended_at(), Some(trace.place()));
        row.agents = trace.agents();
        for used in trace.items.iter().flat_map(|item| &item.head.summary.uses) {
            row.bill.add_priced(used, pricer.rates(used));
        }
        known.insert((trace.thread, trace.turn), None);
        rows.push(row);
    }
    // A history that cannot be read leaves what the archive has.
    let _ = history::read(paths, None, &mut |line| {
        let Some(head) = line.to_head() else { return };
        let mut bill = Bill::default();
        line.uses.iter().for_each(|used| bill.add_priced(used, pricer.rates(used)));
        let root = (head.root_thread.clone(), head.root_turn.clone());
        match known.get(&root) {
            Some(None) => {}
            Some(Some(at)) => {
                let row: &mut Row = &mut rows[*at];
                row.bill.add(&bill);
                row.agents += usize::from(head.key.thread != head.root_thread);
            }
            // The history holds a subagent's line before its root's: the row of both waits for the root.
            None if head.key.thread == head.root_thread => {
                known.insert(root, Some(rows.len()));
                let ended_at = head.ended_at;
                let mut row = Row::new(head, ended_at, None);
                row.bill.add(&bill);
                rows.push(row);
            }
            None => {}
        }
    });
    rows.sort_by_key(|row| std::cmp::Reverse(row.head.started_at));
    rows
}
