//! One line of the history: what is kept of a turn for good. It holds no content: ids, times, places, counts.
//!
//! The line begins with its version. What a later version adds under new names is passed over; what it changes raises
//! the number, and a reader leaves such a line alone. Names are short because years of turns are read at once.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::ids::{ThreadId, TurnId};
use crate::otel::entry::{EntryKey, Head, Summary};
use crate::otel::rate_limit::RateLimit;
use crate::otel::time_spent::TimeSpent;
use crate::otel::token_use::{LONG_PROMPT, TokenUse};
use crate::otel::tool_use::ToolUse;
use crate::time::Timestamp;

/// A turn of the history.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Line<'a> {
    v: u32,
    #[serde(borrow)]
    pub turn: Cow<'a, str>,
    #[serde(borrow)]
    pub thread: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_zero32")]
    pub part: u32,
    /// The thread and turn that set a subagent to work; none for a turn of its own.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub root: Option<(Cow<'a, str>, Cow<'a, str>)>,
    /// When it began, in milliseconds since 1970.
    pub at: u64,
    /// How long it took.
    pub ms: u64,
    #[serde(borrow)]
    pub status: Cow<'a, str>,
    #[serde(borrow, default)]
    pub project: Cow<'a, str>,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub origin: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<TokenUse>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolUse>,
    #[serde(default, skip_serializing_if = "TimeSpent::is_empty")]
    pub time: TimeSpent,
    #[serde(rename = "compact", default, skip_serializing_if = "is_zero")]
    pub compactions: u64,
    #[serde(rename = "ctx", default, skip_serializing_if = "Option::is_none")]
    pub context: Option<(u64, Option<u64>)>,
    #[serde(rename = "lim", default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<RateLimit>,
}

/// Why a line is not a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// Cut off or damaged.
    Torn,
    /// Written by a newer arize-codex.
    Newer,
}

impl<'a> Line<'a> {
    /// Returns what is kept of a finished turn.
    pub fn of(head: &'a Head) -> Line<'a> {
        let (key, summary) = (&head.key, &head.summary);
        let some = |text: &'a Option<String>| text.as_deref().map(Cow::Borrowed);
        let root = (head.root_thread != key.thread)
            .then(|| (Cow::Borrowed(head.root_thread.as_str()), Cow::Borrowed(head.root_turn.as_str())));
        Line {
            v: VERSION,
            turn: key.turn.as_str().into(),
            thread: key.thread.as_str().into(),
            part: key.part,
            root,
            at: head.started_at.as_millis(),
            ms: u64::try_from(head.ended_at.since(head.started_at).as_millis()).unwrap_or(u64::MAX),
            status: summary.status.as_str().into(),
            project: head.project_name.as_str().into(),
            number: summary.number,
            model: some(&summary.model),
            cwd: some(&summary.cwd),
            branch: some(&summary.branch),
            commit: some(&summary.commit),
            origin: summary.origin.as_str().into(),
            uses: uses_of(head),
            tools: summary.tools.clone(),
            time: summary.time,
            compactions: summary.compactions,
            context: summary.context,
            limits: summary.limits.clone(),
        }
    }

    /// The line as it is written.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Strings and numbers always serialise.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }

    /// Reads a line.
    ///
    /// # Errors
    /// When it is torn, or of a newer version.
    pub fn parse(line: &'a [u8]) -> Result<Line<'a>, Unread> {
        match serde_json::from_slice::<Line>(line) {
            Ok(line) if line.v == VERSION => Ok(line),
            Ok(_) => Err(Unread::Newer),
            Err(_) if version_of(line).is_some_and(|v| v > VERSION) => Err(Unread::Newer),
            Err(_) => Err(Unread::Torn),
        }
    }

    /// A digest of what identifies the turn, the same in every run of this executable.
    pub fn digest(&self) -> u64 {
        digest(&self.turn, &self.thread, self.part)
    }

    /// When it was over.
    pub fn ended_at(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.at.saturating_add(self.ms)).unwrap_or(i64::MAX))
    }

    pub fn started_at(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.at).unwrap_or(i64::MAX))
    }

    /// The head of the turn as lists show it, without what is not kept: name, prompt.
    pub fn to_head(&self) -> Option<Head> {
        let turn = TurnId::parse(&self.turn).ok()?;
        let thread = ThreadId::parse(&self.thread).ok()?;
        let root = self.root.as_ref();
        let root_thread = root.map_or(Ok(thread.clone()), |r| ThreadId::parse(&r.0)).ok()?;
        let root_turn = root.map_or(Ok(turn.clone()), |r| TurnId::parse(&r.1)).ok()?;
        Some(Head {
            key: EntryKey { turn, thread, part: self.part },
            root_thread,
            root_turn,
            project_name: self.project.clone().into_owned(),
            backend_rule: None,
            started_at: self.started_at(),
            ended_at: self.ended_at(),
            summary: self.summary(),
        })
    }

    fn summary(&self) -> Summary {
        let sum = |of: fn(&TokenUse) -> u64| {
            (!self.uses.is_empty()).then(|| self.uses.iter().map(of).fold(0u64, u64::saturating_add))
        };
        let own = |text: &Option<Cow<str>>| text.clone().map(Cow::into_owned);
        Summary {
            name: self.number.map_or_else(|| "Turn".to_owned(), |n| format!("Turn {n}")),
            model: own(&self.model),
            cwd: own(&self.cwd),
            status: self.status.clone().into_owned(),
            tool_calls: self.tools.iter().map(|t| t.calls - t.nested.min(t.calls)).sum(),
            failed_tool_calls: self.tools.iter().map(|t| t.failed - t.failed_nested.min(t.failed)).sum(),
            nested_tool_calls: self.tools.iter().map(|t| t.nested).sum(),
            failed_nested_tool_calls: self.tools.iter().map(|t| t.failed_nested).sum(),
            model_calls: self.uses.iter().map(|u| u.calls).sum(),
            prompt_tokens: sum(|u| u.input),
            cached_tokens: sum(|u| u.cached),
            completion_tokens: sum(|u| u.output),
            reasoning_tokens: sum(|u| u.reasoning),
            origin: self.origin.clone().into_owned(),
            uses: self.uses.clone(),
            tools: self.tools.clone(),
            time: self.time,
            compactions: self.compactions,
            context: self.context,
            limits: self.limits.clone(),
            number: self.number,
            branch: own(&self.branch),
            commit: own(&self.commit),
            ..Summary::default()
        }
    }
}

/// A digest of a turn's key.
pub fn digest(turn: &str, thread: &str, part: u32) -> u64 {
    let mut hasher = DefaultHasher::new();
    (turn, thread, part).hash(&mut hasher);
    hasher.finish()
}

/// The tokens of a turn, those of a release before prices as one call whose step is not known.
fn uses_of(head: &Head) -> Vec<TokenUse> {
    let summary = &head.summary;
    let Some(input) = summary.prompt_tokens.filter(|_| summary.uses.is_empty()) else {
        return summary.uses.clone();
    };
    vec![TokenUse {
        model: summary.model.clone().unwrap_or_default(),
        at: head.ended_at,
        calls: summary.model_calls.max(1),
        unreported: u64::from(input > LONG_PROMPT),
        input,
        cached: summary.cached_tokens.unwrap_or(0),
        output: summary.completion_tokens.unwrap_or(0),
        reasoning: summary.reasoning_tokens.unwrap_or(0),
        ..TokenUse::default()
    }]
}

fn version_of(line: &[u8]) -> Option<u32> {
    let rest = std::str::from_utf8(line).ok()?.strip_prefix("{\"v\":")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_zero32(number: &u32) -> bool {
    *number == 0
}

/// The version of the lines this release writes.
pub const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otel::testing::entry;

    #[test]
    fn line_keeps_everything_but_content() {
        let mut head = entry("turn-1", 0).head;
        head.summary = Summary {
            name: "Turn 3".into(),
            prompt: "a secret plan".into(),
            status: "failed".into(),
            model: Some("gpt-5.5".into()),
            cwd: Some("/a \"quoted\" folder".into()),
            number: Some(3),
            uses: vec![TokenUse {
                model: "gpt-5.5".into(),
                calls: 2,
                input: 10,
                output: 1,
                ..TokenUse::default()
            }],
            tools: vec![ToolUse { name: "Bash".into(), calls: 1, failed: 1, ..ToolUse::default() }],
            branch: Some("main".into()),
            context: Some((11, Some(272_000))),
            ..Summary::default()
        };
        let bytes = Line::of(&head).to_bytes();
        let text = std::str::from_utf8(&bytes).unwrap();
        assert!(text.starts_with("{\"v\":1,\"turn\":\"turn-1\"") && text.ends_with("}\n"), "{text}");
        assert!(!text.contains("plan"), "{text}");
        let line = Line::parse(&bytes).unwrap();
        let back = line.to_head().unwrap();
        assert_eq!((&back.key, &back.root_turn), (&head.key, &head.root_turn));
        assert_eq!(back.summary.uses, head.summary.uses);
        assert_eq!((back.summary.prompt_tokens, back.summary.failed_tool_calls), (Some(10), 1));
        assert_eq!(back.summary.cwd, head.summary.cwd);
        assert_eq!(back.summary.prompt, "");
    }

    #[test]
    fn torn_and_newer_lines_are_told_apart() {
        let bytes = Line::of(&entry("turn-1", 0).head).to_bytes();
        let text = String::from_utf8(bytes.clone()).unwrap();
        for end in 1..bytes.len() - 2 {
            assert_eq!(Line::parse(&bytes[..end]), Err(Unread::Torn), "{end}");
        }
        for newer in [text.replace("\"v\":1", "\"v\":2"), "{\"v\":7,\"turn\":[]}".to_owned()] {
            assert_eq!(Line::parse(newer.as_bytes()), Err(Unread::Newer), "{newer}");
        }
        let more = text.replace("\"v\":1", "\"v\":1,\"later\":{}");
        assert!(Line::parse(more.as_bytes()).is_ok(), "an addition is no new version");
    }
}
