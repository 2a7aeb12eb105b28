//! `spans_<thread>.jsonl`: what hooks saw of a turn's tools, one row a call, in the order of arrival.
//!
//! The first row carries the settings of the turn, so that the tool role need not read any file of settings.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::codex::payload::Usage;
use crate::file;
use crate::ids::TurnId;
use crate::settings::Logging;
use crate::time::Timestamp;

/// One call of a hook, or the settings in force. Which fields are set depends on the kind.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    pub row: Kind,
    pub at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub call_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Box<RawValue>>,
    /// Cause of a compaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Box<Request>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<HookSettings>,
}

/// A request to the model, before or after it was made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    pub id: String,
    /// 1, or more when the stream broke and Codex asked again.
    pub attempt: u64,
    /// sampling or foreground_compaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// completed, failed or cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Kind of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Settings,
    PreToolUse,
    PostToolUse,
    PermissionRequest,
    PreCompact,
    PostCompact,
    PreModelRequest,
    PostModelRequest,
    /// Of a newer release of this program: harmless.
    #[default]
    #[serde(other)]
    Unknown,
}

/// The settings the tool role needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookSettings {
    pub logging: Logging,
    pub max_value_bytes: usize,
    pub debug: bool,
}

impl Row {
    /// The row as a line.
    pub fn to_line(&self) -> Vec<u8> {
        // Rows hold nothing that could fail to serialise.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

/// Rows as they are read, one after the other.
pub type Rows = Box<dyn Iterator<Item = Row>>;

/// Reads the rows of a file; torn, foreign and endless lines are passed over, a missing file has none.
pub fn read(path: &Path) -> Rows {
    let Ok(file) = file::open_regular(path) else { return none() };
    let mut lines = BufReader::with_capacity(BUFFER_BYTES, file.take(MAX_BYTES));
    let mut line = Vec::new();
    Box::new(std::iter::from_fn(move || {
        loop {
            line.clear();
            match lines.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return None,
                Ok(_) => {
                    if let Ok(row) = serde_json::from_slice(&line) {
                        return Some(row);
                    }
                }
            }
        }
    }))
}

/// Returns no rows: of a turn that no hook saw.
pub fn none() -> Rows {
    Box::new(std::iter::empty())
}

/// Reads rows from the content of a file.
pub fn parse(content: &[u8]) -> Vec<Row> {
    content.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// The first row of a file, from its first bytes.
pub fn first(head: &[u8]) -> Option<Row> {
    let end = memchr::memchr(b'\n', head)?;
    serde_json::from_slice(&head[..end]).ok()
}

const BUFFER_BYTES: usize = 64 * 1024;
/// More than a row of ours, and than a whole file of them, ever takes.
const MAX_LINE_BYTES: u64 = 16 * 1024 * 1024;
const MAX_BYTES: u64 = 128 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_torn_lines() {
        let logging = Logging { prompts: true, tool_details: false, tool_content: true };
        let settings = HookSettings { logging, max_value_bytes: 9, debug: false };
        let tool = Row {
            row: Kind::PreToolUse,
            at: Timestamp::from_millis(5),
            name: "Bash".into(),
            input: RawValue::from_string("{\"command\":\"ls\"}".into()).ok(),
            ..Row::default()
        };
        let mut content = Row { row: Kind::Settings, settings: Some(settings), ..Row::default() }.to_line();
        assert_eq!(first(&content).and_then(|row| row.settings), Some(settings));
        content.extend(tool.to_line());
        content.extend(b"{\"row\":\"of_tomorrow\",\"x\":1}\n{\"row\":\"pre_tool");
        let rows = parse(&content);
        let kinds: Vec<Kind> = rows.iter().map(|r| r.row).collect();
        assert_eq!(kinds, [Kind::Settings, Kind::PreToolUse, Kind::Unknown]);
        assert_eq!(rows[1].input.as_ref().map(|i| i.get()), Some("{\"command\":\"ls\"}"));
    }
}
