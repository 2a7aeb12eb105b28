//! The TOOL span of one call: what it was asked, what it gave, whether it was allowed and how it went.

use opentelemetry_proto::tonic::trace::v1::Span;

use crate::otel::ids::SpanRole;
use crate::otel::redact::ContentClass;
use crate::otel::spans::Builder;
use crate::otel::spans::attributes::{Attributes, describe_image, is_json};
use crate::turn::{Decision, Origin, ToolCall};

impl Builder<'_> {
    pub(super) fn tool(&self, tool: &ToolCall) -> Span {
        let mut a = Attributes::new(self.redactor, "TOOL");
        self.common(&mut a);
        a.plain("tool.name", &tool.name);
        let json = is_json(&tool.arguments);
        let parameters = if json {
            tool.arguments.clone()
        } else {
            serde_json::json!({ "input": tool.arguments }).to_string()
        };
        a.json("tool.parameters", ContentClass::ToolDetail, &parameters);
        a.value("input", ContentClass::ToolDetail, &tool.arguments);
        if let Some(output) = self.tool_output(tool) {
            a.value("output", ContentClass::ToolContent, &output);
        }
        a.plain("tool.id", &tool.call_id);
        a.plain("tool_call.id", &tool.call_id);
        a.plain("codex.tool.call_id", &tool.call_id);
        a.plain_if("codex.tool.model_name", tool.model_name.as_deref());
        if let Some((server, name)) = &tool.mcp {
            a.plain("codex.mcp.server", server);
            a.plain("codex.mcp.tool", name);
        }
        if !tool.progress.is_empty() && self.redactor.shows(ContentClass::ToolContent) {
            a.list("codex.tool.progress", &tool.progress);
        }
        if let Some(code) = tool.exit_code {
            a.integer("codex.tool.exit_code", code);
        }
        self.permission(&mut a, tool);
        self.changes(&mut a, tool);
        let error = tool.error.as_ref().map(|message| {
            // Codex's own words about an exit hold nothing of the tool's.
            let plain = tool.exit_code.is_some_and(|code| *message == format!("exit code {code}"));
            let class = if plain { ContentClass::Plain } else { ContentClass::ToolContent };
            ("ToolError", class, message.clone())
        });
        let times = (tool.started, tool.ended);
        let id = self.id(SpanRole::Tool, &tool.key);
        let parent = match &tool.parent {
            Some(parent) => self.id(SpanRole::Tool, parent),
            None => self.root_id.clone(),
        };
        self.span(Some(parent), id, self.tool_title(tool), times, a, error)
    }

    /// A script's span is called by what the script does; names found only in its source are as secret as that.
    fn tool_title(&self, tool: &ToolCall) -> String {
        let Some(script) = &tool.script else { return tool.name.clone() };
        let called = script.calls.iter().map(|(name, times)| match times {
            1 => name.clone(),
            times => format!("{name} ×{times}"),
        });
        let named = script.named.iter().filter(|_| self.redactor.shows(ContentClass::ToolDetail)).cloned();
        let does: Vec<String> = called.chain(named).collect();
        let more = if does.len() > SHOWN_TOOLS { ", …" } else { "" };
        match does.get(..SHOWN_TOOLS.min(does.len())).filter(|does| !does.is_empty()) {
            Some(shown) => format!("{}: {}{more}", tool.name, shown.join(", ")),
            None => tool.name.clone(),
        }
    }

    pub(super) fn tool_output(&self, tool: &ToolCall) -> Option<String> {
        if tool.images.is_empty() {
            return tool.output.clone();
        }
        let images = tool.images.iter().map(describe_image);
        let parts = tool.output.iter().filter(|o| !o.is_empty()).cloned().chain(images);
        Some(parts.collect::<Vec<_>>().join("\n"))
    }

    fn permission(&self, a: &mut Attributes, tool: &ToolCall) {
        let Some(permission) = &tool.permission else {
            // Only hooks report that somebody was asked: without them nobody knows that nobody was.
            if self.turn.origin == Origin::Hooks {
                a.plain("codex.permission.decision", "none");
            }
            return;
        };
        let decision = match permission.decision {
            Decision::Approved => "approved",
            Decision::Denied => "denied",
            Decision::Unknown => "unknown",
        };
        a.plain("codex.permission.decision", decision);
        a.plain("codex.permission.decided_by", &permission.decided_by);
        if let Some(wait) = permission.wait {
            a.number("codex.permission.wait_ms", u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        }
        if let Some(reason) = &permission.reason {
            a.text("codex.permission.reason", ContentClass::ToolDetail, reason);
        }
    }

    fn changes(&self, a: &mut Attributes, tool: &ToolCall) {
        if tool.changes.is_empty() {
            return;
        }
        if self.redactor.shows(ContentClass::ToolDetail) {
            let files: Vec<String> = tool.changes.iter().map(|c| format!("{} {}", c.kind, c.path)).collect();
            a.list("codex.patch.files", &files);
        }
        a.number("codex.patch.file_count", tool.changes.len() as u64);
        a.number("codex.patch.lines_added", tool.changes.iter().map(|c| c.lines_added).sum());
        a.number("codex.patch.lines_removed", tool.changes.iter().map(|c| c.lines_removed).sum());
    }
}

/// How many tools the name of a script's span lists.
const SHOWN_TOOLS: usize = 5;
