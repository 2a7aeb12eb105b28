//! The sums of one row of `stats`.

use serde_json::Value;
use std::time::Duration;

use crate::otel::history_line::Line;
use crate::otel::prices::{Bill, Pricer};
use crate::otel::time_spent::TimeSpent;
use crate::otel::token_use::TokenUse;
use crate::otel::tool_use::ToolUse;

/// Sums of one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sum {
    pub turns: u64,
    pub failed: u64,
    pub interrupted: u64,
    pub agents: u64,
    pub calls: u64,
    pub failed_calls: u64,
    pub approvals: u64,
    pub denials: u64,
    pub approval_wait: Duration,
    pub compactions: u64,
    /// The fullest that a model's context was, in thousandths.
    pub context_fill: Option<u64>,
    /// The most that was used of any rate limit, in thousandths.
    pub limit_used: Option<u64>,
    pub time: Duration,
    pub spent: TimeSpent,
    pub prompt: u64,
    pub cached: u64,
    pub written: u64,
    pub completion: u64,
    pub reasoning: u64,
    pub bill: Bill,
}

impl Sum {
    /// Counts a turn: all but its tokens, which count by their own time and model.
    pub fn add_turn(&mut self, line: &Line) {
        let own = line.root.is_none();
        // A continuation is part of a turn that is counted.
        if own && line.part == 0 {
            self.turns += 1;
            self.failed += u64::from(line.status == "failed");
            self.interrupted += u64::from(line.status == "interrupted");
        }
        if own {
            self.time += Duration::from_millis(line.ms);
            self.spent.add(&line.time);
        } else {
            self.agents += 1;
        }
        self.compactions += line.compactions;
        let fill = |(tokens, window): (u64, Option<u64>)| tokens.saturating_mul(1000).checked_div(window?);
        self.context_fill = self.context_fill.max(line.context.and_then(fill));
        self.limit_used = self.limit_used.max(line.limits.iter().map(|limit| limit.used).max());
        for tool in &line.tools {
            self.add_tool(tool);
            self.calls -= tool.nested.min(self.calls);
            self.failed_calls -= tool.failed_nested.min(self.failed_calls);
        }
    }

    /// Counts all calls of a tool.
    pub fn add_tool(&mut self, tool: &ToolUse) {
        self.calls += tool.calls;
        self.failed_calls += tool.failed;
        self.approvals += tool.asked;
        self.denials += tool.denied;
        self.approval_wait += Duration::from_millis(tool.wait_ms);
    }

    /// Counts tokens and what they cost.
    pub fn add_use(&mut self, used: &TokenUse, pricer: &mut Pricer) {
        self.prompt = self.prompt.saturating_add(used.input);
        self.cached = self.cached.saturating_add(used.cached);
        self.written = self.written.saturating_add(used.written);
        self.completion = self.completion.saturating_add(used.output);
        self.reasoning = self.reasoning.saturating_add(used.reasoning);
        self.bill.add_priced(used, pricer.rates(used));
    }

    /// Adds another row.
    pub fn merge(&mut self, other: &Sum) {
        self.turns += other.turns;
        self.failed += other.failed;
        self.interrupted += other.interrupted;
        self.agents += other.agents;
        self.calls += other.calls;
        self.failed_calls += other.failed_calls;
        self.approvals += other.approvals;
        self.denials += other.denials;
        self.approval_wait += other.approval_wait;
        self.compactions += other.compactions;
        self.context_fill = self.context_fill.max(other.context_fill);
        self.limit_used = self.limit_used.max(other.limit_used);
        self.time += other.time;
        self.spent.add(&other.spent);
        self.prompt += other.prompt;
        self.cached += other.cached;
        self.written += other.written;
        self.completion += other.completion;
        self.reasoning += other.reasoning;
        self.bill.add(&other.bill);
    }

    pub fn tokens(&self) -> u64 {
        self.prompt + self.completion
    }

    /// The share of the prompt that came from the cache; none without a prompt.
    pub fn cache_share(&self) -> Option<f64> {
        (self.prompt > 0).then(|| self.cached as f64 / self.prompt as f64)
    }

    /// Every number of a tool's row under its name, as `--json`, `--csv` and `--markdown` give it.
    pub fn tool_fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = vec![
            ("tool_calls", self.calls.into()),
            ("failed_tool_calls", self.failed_calls.into()),
            ("time_ms", millis(self.time).into()),
        ];
        fields.extend(self.approval_fields());
        fields
    }

    /// Every number of another row.
    pub fn fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields: Vec<(&str, Value)> = vec![
            ("turns", self.turns.into()),
            ("failed", self.failed.into()),
            ("interrupted", self.interrupted.into()),
            ("subagent_turns", self.agents.into()),
            ("tool_calls", self.calls.into()),
            ("failed_tool_calls", self.failed_calls.into()),
            ("time_ms", millis(self.time).into()),
            ("prompt_tokens", self.prompt.into()),
            ("cached_tokens", self.cached.into()),
            ("cache_write_tokens", self.written.into()),
            ("completion_tokens", self.completion.into()),
            ("reasoning_tokens", self.reasoning.into()),
            ("cache_share", self.cache_share().into()),
            ("cost_usd", self.bill.known().map(|money| money.usd()).into()),
            ("unpriced_calls", self.bill.unknown_calls.into()),
            ("compactions", self.compactions.into()),
            ("context_fill", self.context_fill.map(share).into()),
            ("limit_used", self.limit_used.map(share).into()),
            ("model_ms", self.spent.model_ms.into()),
            ("tools_ms", self.spent.tools_ms.into()),
            ("hooks_ms", self.spent.hooks_ms.into()),
            ("compaction_ms", self.spent.compaction_ms.into()),
        ];
        fields.extend(self.approval_fields());
        fields
    }

    fn approval_fields(&self) -> [(&'static str, Value); 3] {
        [
            ("approvals", self.approvals.into()),
            ("denials", self.denials.into()),
            ("approval_wait_ms", millis(self.approval_wait).into()),
        ]
    }
}

/// Thousandths as a share of 1.
fn share(thousandths: u64) -> f64 {
    thousandths as f64 / 1000.0
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
