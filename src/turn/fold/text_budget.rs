//! How much text a turn may hold. Every text is cut when it comes in, and less of each is kept once a turn has said
//! very much; that something was said, and all numbers, are kept whatever their count.

use crate::codex::rollout::{Fact, ModelOutput, TurnEnd, UserMessage};
use crate::truncate::{Shortener, cut_at_word};
use crate::turn::closed::Reason;

/// Space left for a turn's texts.
#[derive(Debug)]
pub(super) struct TextBudget {
    limit: usize,
    left: usize,
}

impl TextBudget {
    /// For texts of at most `limit` bytes each. Of turns that `backfill` reads by the thousand less is kept.
    pub fn new(limit: usize, reason: Reason) -> TextBudget {
        let left = if reason == Reason::Backfill { MAX_PAST_TURN_BYTES } else { MAX_TURN_BYTES };
        TextBudget { limit, left }
    }

    /// Most bytes of a text.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Cuts the texts of a fact. A tool's output is cut by [`TextBudget::text`], once it has been looked at.
    pub fn fit(&mut self, fact: &mut Fact) {
        match fact {
            Fact::User(UserMessage { text, images }) => {
                self.text(text);
                images.iter_mut().for_each(|image| self.text(&mut image.0));
            }
            Fact::AgentMessage { text, .. } | Fact::AssistantEvent { text } => self.text(text),
            Fact::Given { text, .. } => self.text(text),
            Fact::Tools { schemas } => schemas.iter_mut().for_each(|schema| self.json(schema)),
            Fact::Compacted { summary: text, .. } | Fact::Error { message: text } => self.text(text),
            Fact::Output(ModelOutput::Message { text } | ModelOutput::Reasoning { text }) => self.text(text),
            Fact::Output(ModelOutput::Call(request)) => {
                self.json(&mut request.arguments);
                request.images.iter_mut().for_each(|image| self.text(&mut image.0));
            }
            Fact::ToolDetail(detail) => {
                let detail = &mut **detail;
                for text in [&mut detail.output, &mut detail.error, &mut detail.query].into_iter().flatten() {
                    self.text(text);
                }
                if let Some(arguments) = &mut detail.arguments {
                    self.json(arguments);
                }
                if self.left == 0 {
                    detail.changes.truncate(MAX_CHANGES);
                }
            }
            Fact::TurnEnded(TurnEnd::Completed { last_message, error, .. }) => {
                [last_message, error].into_iter().flatten().for_each(|text| self.text(text));
            }
            _ => {}
        }
    }

    /// Cuts a text.
    pub fn text(&mut self, text: &mut String) {
        let limit = self.take(text.len());
        if text.len() > limit {
            *text = cut_at_word(text, limit).into_owned();
        }
    }

    /// Cuts the strings inside a JSON text, or the text when it is none.
    pub fn json(&mut self, text: &mut String) {
        let limit = self.take(text.len());
        if text.len() <= limit {
            return;
        }
        let mut shortener = Shortener::bounded(limit, limit.saturating_mul(2));
        shortener.push(text.as_bytes());
        let short = shortener.finish().and_then(|json| String::from_utf8(json).ok());
        let short = short.filter(|json| serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok());
        *text = short.unwrap_or_else(|| cut_at_word(text, limit).into_owned());
    }

    fn take(&mut self, len: usize) -> usize {
        let limit = self.limit.min((self.left / SHARES).max(FLOOR_BYTES));
        self.left = self.left.saturating_sub(len.min(limit));
        limit
    }
}

/// Most bytes kept of a turn's texts; spans repeat some of them up to three times.
const MAX_TURN_BYTES: usize = 24 * 1024 * 1024;
/// The same for a turn of the past: with its spans and their file it stays below 64 MiB.
const MAX_PAST_TURN_BYTES: usize = 6 * 1024 * 1024;
/// No text takes a greater part of what is left.
const SHARES: usize = 16;
/// Bytes kept of each text when nothing is left.
const FLOOR_BYTES: usize = 512;
const MAX_CHANGES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_turn_keeps_less_of_each_text() {
        let mut room = TextBudget::new(65536, Reason::Stop);
        let mut kept = 0;
        for _ in 0..20_000 {
            let mut text = "word ".repeat(10_000);
            room.text(&mut text);
            kept += text.len();
        }
        assert!(kept < MAX_TURN_BYTES + 20_000 * (FLOOR_BYTES + 64), "{kept}");
    }

    #[test]
    fn no_text_takes_more_than_its_share() {
        for (reason, share) in [(Reason::Stop, 1_572_864), (Reason::Backfill, 393_216)] {
            let mut text = "word ".repeat(400_000);
            TextBudget::new(usize::MAX, reason).text(&mut text);
            assert!((share - 100..share + 100).contains(&text.len()), "{}", text.len());
        }
    }

    #[test]
    fn cut_arguments_stay_json() {
        let mut room = TextBudget::new(100, Reason::Stop);
        let mut json = format!("{{\"command\":\"{}\"}}", "x y ".repeat(100));
        room.json(&mut json);
        assert!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["command"].is_string());
        let mut patch = format!("*** Begin \"Patch\n{}", "+line\n".repeat(100));
        room.json(&mut patch);
        assert!(patch.len() < 200 && patch.contains("[cut: "));
    }
}
