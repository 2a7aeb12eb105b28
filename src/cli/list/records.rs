//! The list as JSON and as flat rows.

use serde_json::{Value, json};

use crate::cli::selection::Trace;
use crate::cli::view::records::{Records, rfc3339};
use crate::cli::view::text::place_name;
use crate::otel::prices::Prices;

/// One turn with everything the list knows of it.
pub fn as_json((number, trace): &(usize, Trace), prices: &Prices) -> Value {
    let head = trace.head();
    let bill = trace.bill(prices);
    json!({
        "number": number,
        "thread": trace.thread,
        "turn": trace.turn,
        "project": head.project_name,
        "started_at": rfc3339(head.started_at),
        "ended_at": rfc3339(trace.ended_at()),
        "started_at_ms": head.started_at.as_millis(),
        "ended_at_ms": trace.ended_at().as_millis(),
        "duration_ms": duration_ms(trace),
        "delivery": place_name(trace.place()),
        "agents": trace.agents(),
        "cost_usd": bill.known().map(|money| money.usd()),
        "unpriced_calls": bill.unknown_calls,
        "summary": trace.summary(),
    })
}

fn duration_ms(trace: &Trace) -> u64 {
    u64::try_from(trace.ended_at().since(trace.head().started_at).as_millis()).unwrap_or(u64::MAX)
}

/// The turns as flat rows.
pub fn records(traces: &[(usize, Trace)], prices: &Prices) -> Records {
    let row = |(number, trace): &(usize, Trace)| {
        let (head, summary) = (trace.head(), trace.summary());
        vec![
            (*number).into(),
            rfc3339(head.started_at),
            duration_ms(trace).into(),
            summary.status.clone().into(),
            place_name(trace.place()).into(),
            head.project_name.clone().into(),
            summary.cwd.clone().into(),
            summary.branch.clone().into(),
            summary.model.clone().into(),
            summary.tool_calls.into(),
            summary.failed_tool_calls.into(),
            summary.prompt_tokens.into(),
            summary.cached_tokens.into(),
            summary.completion_tokens.into(),
            trace.bill(prices).known().map(|money| money.usd()).into(),
            trace.thread.as_str().into(),
            trace.turn.as_str().into(),
            summary.title().into(),
        ]
    };
    Records { fields: FIELDS.to_vec(), rows: traces.iter().map(row).collect() }
}

/// The fields of `--csv` and `--markdown`.
const FIELDS: [&str; 18] = [
    "number",
    "started_at",
    "duration_ms",
    "status",
    "delivery",
    "project",
    "directory",
    "branch",
    "model",
    "tool_calls",
    "failed_tool_calls",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "cost_usd",
    "thread",
    "turn",
    "prompt",
];
