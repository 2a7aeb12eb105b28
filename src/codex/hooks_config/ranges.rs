//! Where the tables, values and list items of a parsed config.toml lie in its text.

use std::ops::Range;
use toml_edit::{Array, Item, Key, Table, TableLike, Value};

use crate::codex::hooks_config::splice;

/// A range of bytes.
pub type Span = Range<usize>;

/// The header and values of a table and of everything inside it.
pub fn parts_of(table: &Table) -> Vec<Span> {
    let mut parts: Vec<Span> = Vec::new();
    if !table.is_dotted() && !table.is_implicit() {
        parts.extend(table.span());
    }
    for (name, item) in table.iter() {
        parts.extend(parts_of_item(table.key(name).and_then(Key::span), item));
    }
    parts
}

/// The range of an item from its key on, or those of everything inside it.
pub fn parts_of_item(key: Option<Span>, item: &Item) -> Vec<Span> {
    match item {
        Item::Table(table) => parts_of(table),
        Item::ArrayOfTables(tables) => tables.iter().flat_map(parts_of).collect(),
        Item::Value(Value::InlineTable(table)) if table.is_dotted() => {
            let ends = entries(table).into_iter().map(|(_, span)| span.end).max();
            key.zip(ends).map(|(key, end)| key.start..end).into_iter().collect()
        }
        Item::Value(value) => {
            let start = key.or_else(|| value.span()).map(|s| s.start);
            start.zip(value.span()).map(|(start, span)| start..span.end).into_iter().collect()
        }
        Item::None => Vec::new(),
    }
}

/// The entries of an inline table with their ranges from key to value, in the order of the text.
pub fn entries(table: &dyn TableLike) -> Vec<(String, Span)> {
    let mut found: Vec<(String, Span)> = table
        .iter()
        .flat_map(|(name, item)| {
            let key = table.key(name).and_then(Key::span);
            parts_of_item(key, item).into_iter().map(|span| (name.to_owned(), span))
        })
        .collect();
    found.sort_by_key(|(_, span)| span.start);
    found
}

/// The ranges of an array's items.
pub fn item_spans(array: &Array) -> Vec<Span> {
    array.iter().filter_map(Value::span).collect()
}

/// The values of a table that stand before any header, those with dotted keys included.
pub fn value_spans(table: &Table, spans: &mut Vec<Span>) {
    for (name, item) in table.iter() {
        match item {
            Item::Value(_) => spans.extend(parts_of_item(table.key(name).and_then(Key::span), item)),
            Item::Table(inner) if inner.is_dotted() => value_spans(inner, spans),
            _ => {}
        }
    }
}

/// Returns where the first header of a table or of anything inside it begins.
pub fn first_header(table: &Table) -> Option<usize> {
    let starts = table.iter().filter_map(|(_, item)| match item {
        Item::Table(inner) => {
            let own = (!inner.is_dotted() && !inner.is_implicit()).then(|| inner.span()).flatten();
            own.map(|s| s.start).into_iter().chain(first_header(inner)).min()
        }
        Item::ArrayOfTables(tables) => tables.iter().filter_map(Table::span).map(|s| s.start).min(),
        _ => None,
    });
    starts.min()
}

/// The line, counted from one, that holds a byte.
pub fn line_number(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1
}

/// Whole lines of every part, those that overlap merged.
pub fn part_lines(text: &str, parts: &[Span]) -> Vec<Span> {
    let mut lines: Vec<Span> = parts.iter().map(|part| splice::lines(text, part)).collect();
    lines.sort_by_key(|line| line.start);
    lines.dedup_by(|next, kept| {
        let joined = next.start <= kept.end;
        if joined {
            kept.end = kept.end.max(next.end);
        }
        joined
    });
    lines
}
