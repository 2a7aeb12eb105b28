//! Turns of the history as whole numbers and texts that stand there once: the body of a month's compact copy.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::otel::history_line::Line;
use crate::otel::rate_limit::RateLimit;
use crate::otel::time_spent::TimeSpent;
use crate::otel::token_use::TokenUse;
use crate::otel::tool_use::ToolUse;
use crate::time::Timestamp;

/// Collects the turns of a copy.
#[derive(Debug, Default)]
pub(super) struct Packer {
    turns: u64,
    numbers: Vec<u8>,
    texts: Vec<u8>,
    ids: HashMap<String, u64>,
}

impl Packer {
    /// Adds one turn.
    pub fn turn(&mut self, line: &Line) {
        self.turns += 1;
        self.text(&line.turn);
        self.text(&line.thread);
        self.number(line.part.into());
        self.optional(line.root.as_ref().map(|(thread, _)| thread.as_ref()));
        self.optional(line.root.as_ref().map(|(_, turn)| turn.as_ref()));
        self.number(line.at);
        self.number(line.ms);
        self.text(&line.status);
        self.text(&line.project);
        self.maybe(line.number);
        for text in [&line.model, &line.cwd, &line.branch, &line.commit] {
            self.optional(text.as_deref());
        }
        self.text(&line.origin);
        self.number(line.uses.len() as u64);
        for used in &line.uses {
            self.text(&used.model);
            self.optional(used.tier.as_deref());
            self.number(used.long.into());
            self.number(used.at.as_millis());
            let TokenUse { calls, unreported, input, cached, written, output, reasoning, .. } = *used;
            self.numbers([calls, unreported, input, cached, written, output, reasoning]);
        }
        self.number(line.tools.len() as u64);
        for tool in &line.tools {
            self.text(&tool.name);
            let ToolUse { calls, failed, nested, failed_nested, ms, asked, denied, wait_ms, .. } = *tool;
            self.numbers([calls, failed, nested, failed_nested, ms, asked, denied, wait_ms]);
        }
        let TimeSpent { model_ms, first_token_ms, tools_ms, approvals_ms, hooks_ms, compaction_ms } =
            line.time;
        self.numbers([model_ms, first_token_ms, tools_ms, approvals_ms, hooks_ms, compaction_ms]);
        self.number(line.compactions);
        self.maybe(line.context.map(|(tokens, _)| tokens));
        self.maybe(line.context.and_then(|(_, window)| window));
        self.number(line.limits.len() as u64);
        for limit in &line.limits {
            self.numbers([limit.minutes, limit.used, limit.resets_at]);
        }
    }

    fn number(&mut self, number: u64) {
        push(&mut self.numbers, number);
    }

    fn numbers<const N: usize>(&mut self, all: [u64; N]) {
        all.into_iter().for_each(|number| self.number(number));
    }

    /// One more than the number, and 0 for none.
    fn maybe(&mut self, number: Option<u64>) {
        self.number(number.map_or(0, |n| n.saturating_add(1)));
    }

    fn text(&mut self, text: &str) {
        let id = self.id(text);
        self.number(id);
    }

    fn optional(&mut self, text: Option<&str>) {
        let id = text.map(|text| self.id(text));
        self.maybe(id);
    }

    fn id(&mut self, text: &str) -> u64 {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = self.ids.len() as u64;
        push(&mut self.texts, text.len() as u64);
        self.texts.extend_from_slice(text.as_bytes());
        self.ids.insert(text.to_owned(), id);
        id
    }

    /// Roughly how much [`Packer::write`] writes.
    pub fn bytes(&self) -> usize {
        self.numbers.len() + self.texts.len()
    }

    /// Writes each text once, and behind them the turns.
    pub fn write(self, out: &mut Vec<u8>) {
        push(out, self.ids.len() as u64);
        out.extend(self.texts);
        push(out, self.turns);
        out.extend(self.numbers);
    }
}

/// Writes a whole number, seven bits a byte, the lowest first.
pub(super) fn push(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads what a [`Packer`] wrote; none wherever it is not that.
pub(super) struct Unpacker<'a> {
    bytes: &'a [u8],
    at: usize,
    texts: Vec<&'a str>,
}

impl<'a> Unpacker<'a> {
    pub fn new(bytes: &'a [u8]) -> Unpacker<'a> {
        Unpacker { bytes, at: 0, texts: Vec::new() }
    }

    /// Reads the texts, which the turns behind them name by number.
    pub fn read_texts(&mut self) -> Option<()> {
        for _ in 0..self.number()? {
            let len = usize::try_from(self.number()?).ok()?;
            let text = self.bytes.get(self.at..self.at.checked_add(len)?)?;
            self.at += len;
            self.texts.push(std::str::from_utf8(text).ok()?);
        }
        Some(())
    }

    /// Reads a turn into the place of the one before, whose memory it takes over.
    pub fn turn(&mut self, line: &mut Line<'a>) -> Option<()> {
        line.turn = self.text()?;
        line.thread = self.text()?;
        line.part = u32::try_from(self.number()?).ok()?;
        line.root = self.optional()?.zip(self.optional()?);
        line.at = self.number()?;
        line.ms = self.number()?;
        line.status = self.text()?;
        line.project = self.text()?;
        line.number = self.maybe()?;
        for text in [&mut line.model, &mut line.cwd, &mut line.branch, &mut line.commit] {
            *text = self.optional()?;
        }
        line.origin = self.text()?;
        let uses = self.count()?;
        line.uses.resize_with(uses, TokenUse::default);
        line.uses.iter_mut().try_for_each(|used| self.token_use(used))?;
        let tools = self.count()?;
        line.tools.resize_with(tools, ToolUse::default);
        line.tools.iter_mut().try_for_each(|tool| self.tool_use(tool))?;
        let [model_ms, first_token_ms, tools_ms, approvals_ms, hooks_ms, compaction_ms] = self.numbers()?;
        line.time = TimeSpent { model_ms, first_token_ms, tools_ms, approvals_ms, hooks_ms, compaction_ms };
        line.compactions = self.number()?;
        let (tokens, window) = (self.maybe()?, self.maybe()?);
        line.context = tokens.map(|tokens| (tokens, window));
        let limits = self.count()?;
        line.limits.clear();
        for _ in 0..limits {
            let [minutes, used, resets_at] = self.numbers()?;
            line.limits.push(RateLimit { minutes, used, resets_at });
        }
        Some(())
    }

    fn token_use(&mut self, used: &mut TokenUse) -> Option<()> {
        self.text()?.as_ref().clone_into(&mut used.model);
        used.tier = self.optional()?.map(Cow::into_owned);
        used.long = self.number()? != 0;
        used.at = Timestamp::from_millis(i64::try_from(self.number()?).ok()?);
        [used.calls, used.unreported, used.input, used.cached, used.written, used.output, used.reasoning] =
            self.numbers()?;
        Some(())
    }

    fn tool_use(&mut self, tool: &mut ToolUse) -> Option<()> {
        self.text()?.as_ref().clone_into(&mut tool.name);
        [
            tool.calls,
            tool.failed,
            tool.nested,
            tool.failed_nested,
            tool.ms,
            tool.asked,
            tool.denied,
            tool.wait_ms,
        ] = self.numbers()?;
        Some(())
    }

    pub fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn numbers<const N: usize>(&mut self) -> Option<[u64; N]> {
        let mut all = [0; N];
        for number in &mut all {
            *number = self.number()?;
        }
        Some(all)
    }

    fn maybe(&mut self) -> Option<Option<u64>> {
        self.number().map(|n| n.checked_sub(1))
    }

    /// How many of something follow; never more than there are bytes.
    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|n| *n <= self.bytes.len())
    }

    fn text(&mut self) -> Option<Cow<'a, str>> {
        let id = usize::try_from(self.number()?).ok()?;
        self.texts.get(id).map(|text| Cow::Borrowed(*text))
    }

    fn optional(&mut self) -> Option<Option<Cow<'a, str>>> {
        let Some(id) = self.maybe()? else { return Some(None) };
        self.texts.get(usize::try_from(id).ok()?).map(|text| Some(Cow::Borrowed(*text)))
    }
}
