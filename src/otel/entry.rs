//! One finished turn as a file: a line that names the format, a line of JSON about the turn, OTLP spans.
//!
//! The same file lies in the outbox until it is delivered and in the archive afterwards. It holds nothing of the
//! backend: target, key and endpoint are read at delivery. Where a rule names the backend it holds the rule's name, and
//! has the version 2, so that a release which knows no such rules does not deliver it elsewhere.

use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span};
use prost::Message;
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::io::{self, Write};

use crate::ids::{ThreadId, TurnId};
use crate::layout::ENTRY_SUFFIX;
use crate::otel::rate_limit::RateLimit;
use crate::otel::time_spent::TimeSpent;
use crate::otel::token_use::TokenUse;
use crate::otel::tool_use::ToolUse;
use crate::time::Timestamp;

/// A finished turn, or a later part of one, ready to be delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub head: Head,
    /// After redaction and cutting; the span without a parent inside the entry comes first.
    pub spans: Vec<Span>,
}

/// Identity of an entry. A turn continued after its end has parts 1, 2, …
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntryKey {
    pub turn: TurnId,
    pub thread: ThreadId,
    #[serde(default)]
    pub part: u32,
}

/// Summary of a turn, read without decoding its spans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    #[serde(flatten)]
    pub key: EntryKey,
    /// The thread and turn whose trace this is part of; the turn's own unless it is a subagent's.
    pub root_thread: ThreadId,
    pub root_turn: TurnId,
    pub project_name: String,
    /// The rule whose backend it goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_rule: Option<String>,
    pub started_at: Timestamp,
    pub ended_at: Timestamp,
    pub summary: Summary,
}

/// A turn in a line.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// `Turn 3`, `Turn`, or the subagent's path.
    pub name: String,
    /// The prompt's first line, redacted and cut.
    pub prompt: String,
    pub model: Option<String>,
    pub cwd: Option<String>,
    /// The git branch the turn began on.
    pub branch: Option<String>,
    /// completed, failed or interrupted.
    pub status: String,
    /// Calls that the model asked for.
    pub tool_calls: u64,
    pub failed_tool_calls: u64,
    /// Calls that a script of the model's made (code mode).
    pub nested_tool_calls: u64,
    pub failed_nested_tool_calls: u64,
    pub model_calls: u64,
    pub prompt_tokens: Option<u64>,
    pub cached_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
    pub reasoning_tokens: Option<u64>,
    /// The same tokens as they are priced; empty in turns of releases before prices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<TokenUse>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolUse>,
    #[serde(skip_serializing_if = "TimeSpent::is_empty")]
    pub time: TimeSpent,
    pub compactions: u64,
    /// The most tokens that a call left in the model's context, and how many that holds, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<(u64, Option<u64>)>,
    /// What the account had used of its limits at the turn's end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<RateLimit>,
    /// The turn's number in its session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// live, notify or backfill.
    pub origin: String,
}

/// Why a file is no entry.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    #[error("not a turn of arize-codex")]
    Foreign,
    #[error("written by a newer arize-codex (format {0})")]
    Newer(u32),
    #[error("damaged turn: {0}")]
    Damaged(String),
}

impl EntryKey {
    /// The name of the entry's file. Codex's turn ids begin with their time, so names sort by it.
    pub fn file_name(&self) -> String {
        format!("{}.{}.{}{ENTRY_SUFFIX}", self.turn, self.thread, self.part)
    }

    /// Reads a file's name back.
    pub fn from_file_name(name: &str) -> Option<EntryKey> {
        let mut parts = name.strip_suffix(ENTRY_SUFFIX)?.split('.');
        let turn = TurnId::parse(parts.next()?).ok()?;
        let thread = ThreadId::parse(parts.next()?).ok()?;
        let part = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(EntryKey { turn, thread, part })
    }
}

impl Summary {
    /// Returns the prompt, or the turn's name where there is none.
    pub fn title(&self) -> &str {
        if self.prompt.is_empty() { &self.name } else { &self.prompt }
    }
}

impl Entry {
    /// The content of the entry's file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // A vector takes every write.
        let _ = write(&mut out, &self.head, &self.spans);
        out
    }

    /// Reads a file's content.
    ///
    /// # Errors
    /// When it is another format, a newer one, or damaged.
    pub fn decode(content: &[u8]) -> Result<Entry, EntryError> {
        let (head, rest) = Head::decode(content)?;
        let spans = ScopeSpans::decode(rest).map_err(|e| EntryError::Damaged(e.to_string()))?.spans;
        Ok(Entry { head, spans })
    }
}

impl Head {
    /// Reads the head of a file's content and returns the bytes of the spans behind it.
    ///
    /// # Errors
    /// When it is another format, a newer one, or damaged.
    pub fn decode(content: &[u8]) -> Result<(Head, &[u8]), EntryError> {
        let rest = content.strip_prefix(MAGIC.as_bytes()).ok_or(EntryError::Foreign)?;
        let (version, rest) = split_line(rest).ok_or(EntryError::Foreign)?;
        let version =
            std::str::from_utf8(version).ok().and_then(|v| v.parse().ok()).ok_or(EntryError::Foreign)?;
        if version > VERSION_WITH_RULE {
            return Err(EntryError::Newer(version));
        }
        let (head, rest) = split_line(rest).ok_or_else(|| EntryError::Damaged("no head".to_owned()))?;
        let head = serde_json::from_slice(head).map_err(|e| EntryError::Damaged(e.to_string()))?;
        Ok((head, rest))
    }
}

/// Writes an entry's file span by span, so that a large turn need not be in memory twice.
///
/// # Errors
/// When `out` cannot be written.
pub fn write<S: Borrow<Span>>(
    out: &mut impl Write,
    head: &Head,
    spans: impl IntoIterator<Item = S>,
) -> io::Result<()> {
    write_head(out, head)?;
    let mut encoded = Vec::new();
    spans.into_iter().try_for_each(|span| write_span(out, span.borrow(), &mut encoded))
}

/// Writes what stands before the spans.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_head(out: &mut impl Write, head: &Head) -> io::Result<()> {
    let version = if head.backend_rule.is_some() { VERSION_WITH_RULE } else { VERSION };
    writeln!(out, "{MAGIC}{version}")?;
    // A head holds strings and numbers only, which always serialise.
    out.write_all(&serde_json::to_vec(head).unwrap_or_default())?;
    out.write_all(b"\n")
}

/// Writes one span; `encoded` is used again for the next.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_span(out: &mut impl Write, span: &Span, encoded: &mut Vec<u8>) -> io::Result<()> {
    encoded.clear();
    prost::encoding::message::encode(SPANS_FIELD, span, encoded);
    out.write_all(encoded)
}

/// Returns true if the beginning of a file is that of an entry which may name a rule.
pub(super) fn may_name_rule(beginning: &[u8]) -> bool {
    let version = beginning.strip_prefix(MAGIC.as_bytes());
    version.is_some_and(|rest| !rest.starts_with(format!("{VERSION}\n").as_bytes()))
}

fn split_line(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', content)?;
    Some((&content[..end], &content[end + 1..]))
}

const MAGIC: &str = "arize-codex turn ";
const VERSION: u32 = 1;
const VERSION_WITH_RULE: u32 = 2;
/// The number of `ScopeSpans.spans` (opentelemetry/proto/trace/v1/trace.proto).
pub(super) const SPANS_FIELD: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let key = EntryKey {
            turn: TurnId::parse("turn-1").unwrap(),
            thread: ThreadId::parse("thread_2").unwrap(),
            part: 0,
        };
        let head = Head {
            root_thread: key.thread.clone(),
            root_turn: key.turn.clone(),
            key,
            project_name: "codex".into(),
            backend_rule: None,
            started_at: Timestamp::from_millis(1),
            ended_at: Timestamp::from_millis(2),
            summary: Summary { name: "Turn 1".into(), ..Summary::default() },
        };
        Entry { head, spans: vec![Span { name: "Turn 1\n".into(), ..Span::default() }] }
    }

    #[test]
    fn an_entry_survives_its_file() {
        let entry = entry();
        assert_eq!(Entry::decode(&entry.encode()).unwrap(), entry);
        assert_eq!(EntryKey::from_file_name(&entry.head.key.file_name()), Some(entry.head.key));
    }

    #[test]
    fn foreign_newer_and_damaged_entries_differ() {
        let content = entry().encode();
        assert!(matches!(Entry::decode(b"{}"), Err(EntryError::Foreign)));
        let newer = String::from_utf8_lossy(&content).replacen("turn 1\n", "turn 9\n", 1);
        assert!(matches!(Entry::decode(newer.as_bytes()), Err(EntryError::Newer(9))));
        assert!(matches!(Entry::decode(&content[..content.len() - 3]), Err(EntryError::Damaged(_))));
        for name in ["x", "a.b.turn", "a.b.c.turn", "../a.b.0.turn", ".tmp-a.b.0.turn", "a.b.0.1.turn"] {
            assert_eq!(EntryKey::from_file_name(name), None, "{name}");
        }
    }
}
