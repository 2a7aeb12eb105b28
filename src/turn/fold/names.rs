//! What a tool is called: by the user's name for it, the model's own, and an MCP server's.

use crate::codex::rollout::ToolDetail;
use crate::turn::fold::draft::ToolDraft;
use crate::turn::fold::forms::RESOURCE_TOOLS;

impl ToolDraft {
    /// The name shown, the model's own where it differs, and an MCP tool's server and tool.
    pub fn names(&self) -> (String, Option<String>, Option<(String, String)>) {
        let asked = self.request.as_ref();
        let raw = asked.map(|r| r.name.clone()).filter(|n| !n.is_empty());
        let namespace = asked.and_then(|r| r.namespace.as_deref());
        let hook = self.hook_name.clone();
        let reported = self.detail.as_ref().and_then(|d| Some((d.server.clone()?, d.tool.clone()?)));
        let mcp = reported
            // Codex notes its own tools for what servers offer as a server's.
            .filter(|(_, tool)| !RESOURCE_TOOLS.contains(&tool.as_str()))
            .or_else(|| mcp_parts(namespace, raw.as_deref()))
            .or_else(|| mcp_parts(None, hook.as_deref()));
        if let Some((server, tool)) = &mcp {
            return (format!("mcp__{server}__{tool}"), raw.filter(|r| r != tool), mcp);
        }
        let name = match raw.as_deref() {
            Some("exec_command" | "shell" | "shell_command" | "local_shell" | "container.exec") => {
                "Bash".to_owned()
            }
            Some(name) => name.to_owned(),
            None => hook.or_else(|| self.detail.as_ref().map(detail_name)).unwrap_or_default(),
        };
        let model_name = raw.filter(|r| *r != name);
        (name, model_name, None)
    }
}

/// `mcp__server` and a name, or `mcp__server__tool` in one.
fn mcp_parts(namespace: Option<&str>, name: Option<&str>) -> Option<(String, String)> {
    let name = name?;
    if let Some(server) = namespace.and_then(|n| n.strip_prefix("mcp__")) {
        return Some((server.trim_end_matches("__").to_owned(), name.to_owned()));
    }
    let (server, tool) = name.strip_prefix("mcp__")?.split_once("__")?;
    Some((server.to_owned(), tool.to_owned()))
}

fn detail_name(detail: &ToolDetail) -> String {
    match detail.kind.as_str() {
        "McpToolCall" | "mcp_tool_call_end" => detail.tool.as_deref().unwrap_or_default(),
        "CommandExecution" | "exec_command_end" => "Bash",
        "FileChange" | "patch_apply_end" => "apply_patch",
        "WebSearch" | "web_search_end" => "web_search",
        "ImageView" | "view_image_tool_call" => "view_image",
        "ImageGeneration" | "image_generation_end" => "image_generation",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mcp_names_are_split_whoever_writes_them() {
        let pair = Some(("demo".to_owned(), "add_it".to_owned()));
        assert_eq!(mcp_parts(Some("mcp__demo"), Some("add_it")), pair);
        assert_eq!(mcp_parts(Some("mcp__demo__"), Some("add_it")), pair);
        assert_eq!(mcp_parts(None, Some("mcp__demo__add_it")), pair);
        assert_eq!(mcp_parts(Some("collaboration"), Some("spawn_agent")), None);
    }

    #[test]
    fn own_tools_for_servers_are_no_servers() {
        let draft = |tool: &str| {
            let mut draft = ToolDraft::new("exec-1", crate::time::Timestamp::default());
            let [server, tool] = ["codex", tool].map(|name| Some(name.to_owned()));
            draft.detail =
                Some(ToolDetail { kind: "McpToolCall".into(), server, tool, ..ToolDetail::default() });
            draft.names().0
        };
        assert_eq!(draft("list_mcp_resources"), "list_mcp_resources");
        assert_eq!(draft("search"), "mcp__codex__search");
    }
}
