//! The rows of a page in columns: what is drawn of a span, and nothing that needs to be read to draw it.

use serde_json::{Map, Value, json};
use std::collections::HashMap;

use super::{Loaded, Row, millis};
use crate::cli::view::tree::Kind;
use crate::otel::ids::hex;
use crate::text::first_chars;

/// Returns the columns: names and the number of each span's, subjects, kinds by their letters, depths, starts and lengths
/// in ms, and where there are any, waits in ms, errors, and the ids by which rows are found again.
pub fn of(traces: &[Loaded], rows: &[Row], with_ids: bool) -> Value {
    let mut names: Vec<&str> = Vec::new();
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut named = Vec::with_capacity(rows.len());
    let (mut waits, mut errors) = (Map::new(), Map::new());
    for (at, row) in rows.iter().enumerate() {
        let name = row.node.name.as_str();
        named.push(*numbers.entry(name).or_insert_with(|| {
            names.push(name);
            names.len() - 1
        }));
        if let Some(wait) = row.node.permission.as_ref().and_then(|p| p.wait) {
            waits.insert(at.to_string(), json!(wait.as_secs_f64() * 1000.0));
        }
        if row.node.error.is_some() {
            let status = traces[row.trace].1[row.node.span].status.as_ref();
            errors.insert(at.to_string(), status.map_or("", |s| s.message.as_str()).into());
        }
    }
    let ids = || rows.iter().map(|row| hex(&traces[row.trace].1[row.node.span].span_id)).collect::<Vec<_>>();
    let nodes = || rows.iter().map(|row| &row.node);
    json!({
        "names": names, "n": named, "b": nodes().map(|n| first_chars(&n.about, MAX_SUBJECT_CHARS)).collect::<Vec<_>>(),
        "k": nodes().map(|n| letter(n.kind)).collect::<String>(),
        "d": nodes().map(|n| n.depth).collect::<Vec<_>>(),
        "s": rows.iter().map(|r| millis(r.node.start.saturating_sub(r.begin))).collect::<Vec<_>>(),
        "l": nodes().map(|n| millis(n.end.saturating_sub(n.start))).collect::<Vec<_>>(),
        "w": waits, "x": errors, "i": if with_ids { json!(ids()) } else { json!([]) },
    })
}

fn letter(kind: Kind) -> char {
    match kind {
        Kind::Agent => 'A',
        Kind::Llm => 'L',
        Kind::Tool => 'T',
        Kind::Chain => 'C',
        Kind::Other => 'S',
    }
}

/// As much of a subject as fits into a row.
const MAX_SUBJECT_CHARS: usize = 300;
