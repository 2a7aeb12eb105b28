//! The order of spans in a drawn tree, and the lines that lead to each.

use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::HashMap;

/// A span's place in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its index among the spans the tree was made from.
    pub span: usize,
    /// For each level from 1 to its own, whether it is the last of its siblings there.
    pub last: Vec<bool>,
    /// The number of spans right below it.
    pub children: usize,
}

/// The spans in the order of a tree, each before those below it, siblings by time. A span whose parent is missing is
/// a root.
pub fn branches(spans: &[Span]) -> Vec<Branch> {
    let by_id: HashMap<&[u8], usize> =
        spans.iter().enumerate().map(|(n, s)| (s.span_id.as_slice(), n)).collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
    let mut roots = Vec::new();
    for (n, span) in spans.iter().enumerate() {
        match by_id.get(span.parent_span_id.as_slice()).filter(|p| **p != n) {
            Some(parent) => children[*parent].push(n),
            None => roots.push(n),
        }
    }
    let by_time = |list: &mut Vec<usize>| list.sort_by_key(|n| (spans[*n].start_time_unix_nano, *n));
    by_time(&mut roots);
    children.iter_mut().for_each(by_time);
    let mut branches = Vec::with_capacity(spans.len());
    let mut stack: Vec<(usize, Vec<bool>)> = roots.into_iter().rev().map(|n| (n, Vec::new())).collect();
    while let Some((n, last)) = stack.pop() {
        let below = std::mem::take(&mut children[n]);
        let count = below.len();
        for (at, child) in below.into_iter().enumerate().rev() {
            let mut last = last.clone();
            last.push(at + 1 == count);
            stack.push((child, last));
        }
        branches.push(Branch { span: n, last, children: count });
    }
    branches
}

/// The lines that lead to a span: `│  ├─ `.
pub fn lead(last: &[bool]) -> String {
    let Some((own, above)) = last.split_last() else { return String::new() };
    let mut lead: String = above.iter().map(|last| passing(*last)).collect();
    lead.push_str(if *own { "└─ " } else { "├─ " });
    lead
}

/// The lines before a note below a span: `│  │  `.
pub fn lead_below(last: &[bool], children: usize) -> String {
    last.iter().map(|last| passing(*last)).chain([passing(children == 0)]).collect()
}

/// The line of a level that a row passes by, which ends with the level's last span.
fn passing(last: bool) -> &'static str {
    if last { "   " } else { "│  " }
}
