//! What a page shows first: its titles, the sums, and as many rows as any window has.

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Map, Value, json};

use super::{Loaded, PageContext, Row, columns, millis};
use crate::cli::selection::Trace;
use crate::cli::view::text::{first_line, folder_name, local};
use crate::cli::view::tree::{Kind, Tokens};
use crate::otel::attribute::{double, number, string};
use crate::otel::ids::hex;

/// Returns the head of a page, with the first `count` rows.
pub fn of(traces: &[Loaded], rows: &[Row], count: usize, around: PageContext) -> Value {
    let end = |row: &Row| millis(row.node.end.saturating_sub(row.begin));
    let total = rows.iter().map(end).fold(0.001, f64::max);
    let (title, subtitle) = titles(traces);
    let heads = traces.iter().enumerate().map(|(n, loaded)| trace_head(n, loaded, rows, around));
    json!({
        "title": title, "subtitle": subtitle, "total": total, "live": around.live, "details": around.details,
        "session": around.session,
        "count": rows.len(), "traces": heads.collect::<Vec<_>>(), "sums": sums(traces, rows),
        "rows": columns::of(traces, &rows[..count], around.live.is_some() || around.details.is_some()),
    })
}

fn titles(traces: &[Loaded]) -> (String, String) {
    let Some((first, _)) = traces.first() else { return ("Codex trace".to_owned(), String::new()) };
    let head = first.head();
    let summary = &head.summary;
    let prompt = first_line(&summary.prompt);
    let title = match (traces.len(), prompt.is_empty()) {
        (1, false) => format!("{}: {prompt}", summary.name),
        (1, true) => summary.name.clone(),
        (n, _) => format!("Session of {n} turns"),
    };
    let folder = summary.cwd.as_deref().map(folder_name);
    let state = (traces.len() == 1).then(|| summary.status.clone());
    let parts = [
        state,
        folder,
        summary.model.clone(),
        Some(local(head.started_at, "%A %d %B %Y, %H:%M")),
        Some(format!("session {}", first.thread)),
    ];
    (title, parts.into_iter().flatten().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" · "))
}

fn trace_head(number: usize, (trace, spans): &Loaded, rows: &[Row], around: PageContext) -> Value {
    let trace: &Trace = trace;
    let summary = &trace.head().summary;
    let id = spans.first().map(|s| hex(&s.trace_id));
    let first = rows.partition_point(|row| row.trace < number);
    let own = &rows[first..rows.partition_point(|row| row.trace <= number)];
    let begin = own.first().map_or(0, |row| row.begin);
    let end = own.iter().map(|row| row.node.end).max().unwrap_or(begin);
    json!({
        "first": first,
        "link": around.link.zip(id.as_deref()).map(|(link, id)| link(id)),
        "id": id,
        "start": begin / 1_000_000,
        "took": millis(end.saturating_sub(begin)),
        "name": summary.name,
        "prompt": first_line(&summary.prompt),
        "status": summary.status,
    })
}

/// What the figures and the overview tell.
fn sums(traces: &[Loaded], rows: &[Row]) -> Value {
    let mut tools = Groups::default();
    let mut models = Groups::default();
    let mut spent = Map::new();
    let (mut calls, mut failed, mut cost, mut unknown) = (0u64, 0u64, None, false);
    let mut kinds: Vec<&str> = Vec::new();
    for row in rows {
        let (node, span) = (&row.node, &traces[row.trace].1[row.node.span]);
        let time = millis(node.end.saturating_sub(node.start));
        let has_failed = node.error.is_some();
        failed += u64::from(has_failed);
        for kind in [Some(chip(node.kind)), has_failed.then_some("ERROR")].into_iter().flatten() {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        if node.kind == Kind::Tool {
            calls += 1;
            tools.add(&node.name, time, has_failed, Tokens::default());
        }
        if let Some(tokens) = node.tokens {
            let model = string(span, "llm.model_name").filter(|m| !m.is_empty()).unwrap_or("unknown");
            models.add(model, time, has_failed, tokens);
        }
        if let Some(usd) = double(span, "llm.cost.total") {
            cost = Some(cost.unwrap_or(0.0) + usd);
        }
        unknown |= number(span, "codex.cost.unknown_calls").is_some_and(|calls| calls > 0);
        if node.depth == 0 {
            add_time(&mut spent, span);
        }
    }
    let said = |key| match traces {
        [(_, spans)] => rows.first().and_then(|row| string(&spans[row.node.span], key).map(str::to_owned)),
        _ => None,
    };
    json!({
        "calls": calls, "failed": failed, "cost": cost, "unknown": unknown, "kinds": kinds, "spent": spent,
        "tools": tools.sorted(), "models": models.sorted(),
        "prompt": said("input.value"), "answer": said("output.value"),
    })
}

/// The group of the filters that a kind belongs to.
fn chip(kind: Kind) -> &'static str {
    match kind {
        Kind::Llm | Kind::Tool | Kind::Agent => kind.name(),
        Kind::Chain | Kind::Other => "CHAIN",
    }
}

fn add_time(spent: &mut Map<String, Value>, span: &Span) {
    for part in PARTS {
        if let Some(ms) = number(span, &format!("codex.time.{part}_ms")) {
            let before = spent.get(part).and_then(Value::as_i64).unwrap_or(0);
            spent.insert(part.to_owned(), before.saturating_add(ms).into());
        }
    }
}

/// The calls of each tool, or of each model.
#[derive(Default)]
struct Groups(Vec<Group>);

#[derive(Default, serde::Serialize)]
struct Group {
    name: String,
    calls: u64,
    failed: u64,
    time: f64,
    #[serde(flatten)]
    tokens: Tokens,
}

impl Groups {
    fn add(&mut self, name: &str, time: f64, failed: bool, tokens: Tokens) {
        let at = self.0.iter().position(|group| group.name == name).unwrap_or_else(|| {
            self.0.push(Group { name: name.to_owned(), ..Group::default() });
            self.0.len() - 1
        });
        let group = &mut self.0[at];
        group.calls += 1;
        group.failed += u64::from(failed);
        group.time += time;
        group.tokens.add(tokens);
    }

    /// The groups, the one that took longest first.
    fn sorted(mut self) -> Vec<Group> {
        self.0.sort_by(|a, b| b.time.total_cmp(&a.time));
        self.0
    }
}

/// What a turn's time went into.
const PARTS: [&str; 5] = ["model", "tools", "approvals", "hooks", "compaction"];
