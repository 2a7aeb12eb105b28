//! One tool call out of its up to five tellings: the model's request, its output, Codex's own note, two hooks.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::value::RawValue;

use crate::codex::rollout::{ToolDetail, ToolOutput, ToolRequest};
use crate::time::Timestamp;
use crate::turn::fold::outcome::{
    ABORTED, REJECTED, exit_code_in, names_the_user, reads_as_abort, reads_as_failure, reads_as_forbidden,
    reads_as_refusal, says_error,
};
use crate::turn::rows::Row;
use crate::turn::{Decision, Permission, Status, ToolCall};

/// A tool call as far as it has been told.
#[derive(Debug)]
pub(super) struct ToolDraft {
    pub call_id: String,
    /// How many calls of the turn had this id before.
    pub repeat: u32,
    /// The first moment anything was heard of it.
    first_at: Timestamp,
    pub asked_at: Option<Timestamp>,
    pub request: Option<ToolRequest>,
    pub output_at: Option<Timestamp>,
    pub output: Option<ToolOutput>,
    /// The exit code its whole text told.
    pub told_code: Option<i64>,
    pub detail_at: Option<Timestamp>,
    pub detail: Option<ToolDetail>,
    pub hook_at: Option<Timestamp>,
    hook_name: Option<String>,
    /// Whether a hook told of it before it ran.
    pub announced: bool,
    hook_input: Option<String>,
    /// What it was asked to do, as a permission request repeats it.
    hook_request: Option<u64>,
    pub finished_at: Option<Timestamp>,
    hook_output: Option<String>,
    hook_error: bool,
    permission_at: Option<Timestamp>,
    permission_reason: Option<String>,
    /// Whether others were asked about and cut off with it.
    permission_shared: bool,
    /// The thread of the subagent this call started.
    pub spawned: Option<String>,
}

impl ToolDraft {
    pub fn new(call_id: &str, at: Timestamp) -> ToolDraft {
        ToolDraft {
            call_id: call_id.to_owned(),
            repeat: 0,
            first_at: at,
            asked_at: None,
            request: None,
            output_at: None,
            output: None,
            told_code: None,
            detail_at: None,
            detail: None,
            hook_at: None,
            hook_name: None,
            announced: false,
            hook_input: None,
            hook_request: None,
            finished_at: None,
            hook_output: None,
            hook_error: false,
            permission_at: None,
            permission_reason: None,
            permission_shared: false,
            spawned: None,
        }
    }

    /// The id that only this call has in its turn.
    pub fn key(&self) -> String {
        match self.repeat {
            0 => self.call_id.clone(),
            repeat => format!("{}#{}", self.call_id, repeat + 1),
        }
    }

    /// Whether only an event told of this call, as of a search in old releases.
    pub fn is_hosted_detail(&self) -> bool {
        self.detail
            .as_ref()
            .is_some_and(|d| d.kind.starts_with("web_search") || d.kind.starts_with("image_gen"))
    }

    /// Takes what a hook said before, or after, the tool ran.
    pub fn hooked(&mut self, at: Timestamp, name: &str, input: Option<&RawValue>) {
        self.hook_at.get_or_insert(at);
        if !name.is_empty() {
            self.hook_name.get_or_insert_with(|| name.to_owned());
        }
        if let Some(input) = input {
            self.hook_input.get_or_insert_with(|| input.get().to_owned());
            self.hook_request.get_or_insert_with(|| request_of(input.get()));
        }
    }

    /// Takes what PostToolUse said.
    pub fn finished(&mut self, at: Timestamp, output: Option<&RawValue>) {
        self.finished_at.get_or_insert(at);
        let Some(output) = output else { return };
        self.hook_error |= says_error(output.get());
        // What went back to the model tells the same.
        if self.output.is_none() {
            self.hook_output = Some(plain_or_json(output.get()));
        }
    }

    /// Whether the call was made in this turn. A command of an earlier turn that ends in this one is told of by
    /// PostToolUse alone, with this turn's id.
    pub fn is_of_this_turn(&self, in_rollout: bool) -> bool {
        self.request.is_some() || self.detail.is_some() || self.announced || !in_rollout
    }

    /// The call as it is known once the turn is over; none for a draft that is no tool call.
    pub fn finish(
        self,
        turn_started: Timestamp,
        turn_ended: Timestamp,
        status: &Status,
        reviewer: Option<&str>,
    ) -> Option<ToolCall> {
        if self.request.is_none() && self.detail.is_none() && self.hook_name.is_none() {
            return None;
        }
        let key = self.key();
        let (name, model_name, mcp) = self.names();
        let exit_code = self.exit_code();
        let finished = [self.output_at, self.finished_at, self.detail_at].into_iter().flatten().next();
        let hosted = self.request.as_ref().is_some_and(|r| r.hosted);
        let abandoned = finished.is_none() && !hosted;
        let error = self.failure(exit_code, abandoned.then_some(status));
        let permission = self.permission(finished, turn_ended, error.as_deref(), reviewer);
        let started =
            self.asked_at.or(self.hook_at).unwrap_or(self.first_at).max(turn_started).min(turn_ended);
        let ended = match (finished, hosted) {
            (Some(at), _) => at,
            (None, true) => started,
            (None, false) => turn_ended,
        };
        let detail = self.detail.unwrap_or_default();
        let started = if hosted {
            detail.started.map_or(started, |at| at.max(turn_started).min(started))
        } else {
            started
        };
        let request = self.request.unwrap_or_default();
        let (output, images) = match self.output {
            Some(output) => (Some(output.text), output.images),
            None => (self.hook_output.or(detail.output), Vec::new()),
        };
        Some(ToolCall {
            key,
            call_id: self.call_id,
            parent: None,
            name,
            model_name,
            mcp,
            arguments: [
                request.arguments,
                self.hook_input.unwrap_or_default(),
                detail.query.unwrap_or_default(),
            ]
            .into_iter()
            .find(|a| !a.is_empty())
            .unwrap_or_default(),
            output,
            images,
            started,
            ended: ended.max(started).min(turn_ended.max(started)),
            exit_code,
            error,
            permission,
            changes: detail.changes,
        })
    }

    /// The name shown, the model's own where it differs, and an MCP tool's server and tool.
    fn names(&self) -> (String, Option<String>, Option<(String, String)>) {
        let asked = self.request.as_ref();
        let raw = asked.map(|r| r.name.clone()).filter(|n| !n.is_empty());
        let namespace = asked.and_then(|r| r.namespace.as_deref());
        let hook = self.hook_name.clone();
        let told = self.detail.as_ref().and_then(|d| Some((d.server.clone()?, d.tool.clone()?)));
        let mcp = told
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
            None => hook.or_else(|| self.detail.as_ref().map(|d| detail_name(&d.kind))).unwrap_or_default(),
        };
        let model_name = raw.filter(|r| *r != name);
        (name, model_name, None)
    }

    fn exit_code(&self) -> Option<i64> {
        let noted = self.detail.as_ref().and_then(|d| d.exit_code);
        let text = &self.output.as_ref().map_or("", |o| o.text.as_str());
        // A patch run through the shell has its own head inside the command's output.
        let patched = self.detail.as_ref().is_some_and(|d| !d.changes.is_empty());
        let inner =
            || text.split_once("\nOutput:\n").filter(|_| patched).and_then(|(_, inner)| exit_code_in(inner));
        noted.or(self.told_code).or_else(inner)
    }

    /// Why the call failed, in a line or in the tool's own words.
    fn failure(&self, exit_code: Option<i64>, abandoned: Option<&Status>) -> Option<String> {
        let text =
            self.output.as_ref().map(|o| o.text.as_str()).or(self.hook_output.as_deref()).unwrap_or_default();
        let detail = self.detail.as_ref();
        let status =
            detail.and_then(|d| d.status.as_deref()).or_else(|| self.request.as_ref()?.status.as_deref());
        // What a tool printed says how it went only where nothing else does.
        let untold = exit_code.is_none() && status != Some("completed");
        if untold && reads_as_abort(text) {
            return Some(ABORTED.to_owned());
        }
        if let Some(code) = exit_code.filter(|c| *c != 0) {
            return Some(format!("exit code {code}"));
        }
        if let Some(error) = detail.and_then(|d| d.error.clone()) {
            return Some(error);
        }
        let failed_status = status.filter(|s| matches!(*s, "failed" | "declined" | "errored" | "incomplete"));
        let told_false = self.output.as_ref().and_then(|o| o.success) == Some(false);
        if failed_status.is_some()
            || told_false
            || self.hook_error
            || (untold && self.output.is_some() && reads_as_failure(text))
        {
            let said = if text.is_empty() { failed_status.unwrap_or("failed") } else { text };
            return Some(said.to_owned());
        }
        abandoned
            .filter(|s| **s != Status::Completed)
            .map(|s| format!("unfinished: the turn was {}", s.name()))
    }

    fn permission(
        &self,
        finished: Option<Timestamp>,
        turn_ended: Timestamp,
        error: Option<&str>,
        reviewer: Option<&str>,
    ) -> Option<Permission> {
        let error = error.unwrap_or_default();
        let Some(asked) = self.permission_at else {
            // The policy decides without asking anyone.
            return reads_as_forbidden(error).then(|| Permission {
                decision: Decision::Denied,
                decided_by: "policy".to_owned(),
                wait: None,
                reason: None,
            });
        };
        let detail = self.detail.as_ref();
        let declined = detail.is_some_and(|d| d.status.as_deref() == Some("declined"));
        // A server's own words are none of Codex's: it may reject what a person has allowed. A call that was kept from
        // its server failed in no time.
        let served = detail.filter(|d| d.server.is_some());
        let kept_out = served.is_some_and(|d| d.error.is_some() && d.duration.is_some_and(|t| t.is_zero()));
        let refused = declined || kept_out || reads_as_refusal(error, served.is_some());
        let ran = self.finished_at.is_some() || self.detail.is_some();
        let decision = match (ran, finished.is_some()) {
            _ if refused => Decision::Denied,
            (true, _) => Decision::Approved,
            (false, true) if error == ABORTED && self.permission_shared => Decision::Unknown,
            (false, true) if error == ABORTED => Decision::Denied,
            (false, true) => Decision::Approved,
            (false, false) => Decision::Unknown,
        };
        let decided = match decision {
            // Codex's own note begins with the question; what it ran for comes after the answer.
            Decision::Approved => {
                self.detail.as_ref().and_then(|d| Some(d.completed?.minus(d.duration.unwrap_or_default())))
            }
            Decision::Denied => finished,
            Decision::Unknown => Some(turn_ended),
        };
        let wait = decided.map(|at| at.since(asked));
        let by_hook = (refused && (kept_out || error.contains(REJECTED)) && !names_the_user(error))
            || wait.is_some_and(|w| w < SHORTEST_PERSON && decision != Decision::Unknown);
        let decided_by = match reviewer {
            Some(reviewer) if reviewer != "user" => reviewer,
            _ if by_hook => "hook",
            _ => "user",
        };
        let reason = self.permission_reason.clone();
        Some(Permission { decision, decided_by: decided_by.to_owned(), wait, reason })
    }

    /// Whether the call was asked about and cut off, so that it cannot be told apart from another such.
    fn is_undecided(&self) -> bool {
        let aborted = self.output.as_ref().is_some_and(|o| reads_as_abort(&o.text));
        self.permission_at.is_some() && aborted && self.detail.is_none() && self.finished_at.is_none()
    }

    /// The reason the model gave for asking.
    fn justification(&self) -> Option<String> {
        let arguments: serde_json::Value = serde_json::from_str(&self.request.as_ref()?.arguments).ok()?;
        arguments.get("justification")?.as_str().map(str::to_owned)
    }
}

/// Marks the calls of which one was refused and nothing tells which: an abort ends them all alike.
pub(super) fn mark_shared_refusals(tools: &mut [ToolDraft]) {
    let undecided = tools.iter().filter(|t| t.is_undecided()).count();
    for tool in tools.iter_mut().filter(|t| undecided > 1 && t.is_undecided()) {
        tool.permission_shared = true;
    }
}

/// Gives a permission request to the call it is about. It names no id (`docs::codex`): the tool and what it is asked
/// to do decide, then the reason the model gave, and of several calls alike in all that the earliest that still
/// waits.
pub(super) fn ask_permission(tools: &mut [ToolDraft], row: &Row) {
    let wanted = row.input.as_deref().map(|i| request_of(i.get()));
    let waiting = |t: &ToolDraft| {
        t.permission_at.is_none()
            && t.hook_at.is_some_and(|at| at <= row.at)
            && t.finished_at.is_none_or(|at| at >= row.at)
            && t.hook_name.as_deref() == Some(row.name.as_str())
    };
    let same = |t: &ToolDraft| t.hook_request == wanted;
    let mut found: Vec<&mut ToolDraft> =
        tools.iter_mut().rev().filter(|t| waiting(t)).take(MAX_WAITING).collect();
    found.sort_by_key(|t| t.hook_at);
    let reason = row.input.as_deref().and_then(|i| description_of(i.get()));
    let reasoned = found.iter().position(|t| same(t) && reason.is_some() && t.justification() == reason);
    let exact = reasoned.or_else(|| found.iter().position(|t| same(t)));
    // What was withheld cannot be compared: the earliest that waits is as good as any.
    let withheld = row.input.as_deref().is_some_and(|i| i.get().starts_with('"'));
    let only = (found.len() == 1 || withheld && !found.is_empty()).then_some(0);
    if let Some(tool) = exact.or(only).map(|at| &mut found[at]) {
        tool.permission_at = Some(row.at);
        tool.permission_reason = reason;
    }
}

/// What a call is asked to do as a number, without the description that only a permission request carries.
fn request_of(input: &str) -> u64 {
    let mut value: serde_json::Value = serde_json::from_str(input).unwrap_or_default();
    if let Some(map) = value.as_object_mut() {
        map.remove("description");
    }
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn description_of(input: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(input).ok()?;
    value.get("description")?.as_str().map(str::to_owned)
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

fn detail_name(kind: &str) -> String {
    match kind {
        "CommandExecution" | "exec_command_end" => "Bash",
        "FileChange" | "patch_apply_end" => "apply_patch",
        "WebSearch" | "web_search_end" => "web_search",
        "ImageView" | "view_image_tool_call" => "view_image",
        "ImageGeneration" | "image_generation_end" => "image_generation",
        other => other,
    }
    .to_owned()
}

/// A JSON string as its text, other JSON as it is.
fn plain_or_json(json: &str) -> String {
    serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned())
}

/// More calls than ever wait for an answer at a time.
const MAX_WAITING: usize = 256;
/// No person reads a question and answers it faster.
const SHORTEST_PERSON: std::time::Duration = std::time::Duration::from_millis(300);
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

    /// A command, or an MCP call, that Codex and a hook tell of.
    fn told(output: &str, detail: serde_json::Value, hook: serde_json::Value) -> ToolCall {
        let at = Timestamp::from_millis;
        let mut draft = ToolDraft::new("c", at(1));
        draft.hooked(at(1), "Bash", None);
        draft.permission_at = Some(at(2));
        draft.told_code = exit_code_in(output);
        draft.output_at = Some(at(900));
        draft.output = Some(ToolOutput { text: output.to_owned(), ..ToolOutput::default() });
        draft.detail = (!detail.is_null()).then(|| ToolDetail {
            duration: detail["took_ms"].as_u64().map(std::time::Duration::from_millis),
            server: detail["server"].as_str().map(str::to_owned),
            tool: detail["server"].as_str().map(|_| "tool".to_owned()),
            status: detail["status"].as_str().map(str::to_owned),
            error: detail["error"].as_str().map(str::to_owned),
            ..ToolDetail::default()
        });
        if !hook.is_null() {
            draft.finished(at(900), RawValue::from_string(hook.to_string()).ok().as_deref());
        }
        draft.finish(at(0), at(1000), &Status::Completed, None).unwrap()
    }

    #[test]
    fn printed_text_is_no_outcome() {
        use serde_json::{Value::Null, json};
        let ran = "Wall time: 1 seconds\nProcess exited with code 0\nOutput:\n";
        let mcp =
            |status: &str, error| json!({"server": "s", "status": status, "error": error, "took_ms": 5});
        let kept_out = json!({"server": "s", "status": "failed", "error": "not there", "took_ms": 0});
        let rule = "exec_command failed: CreateProcess { message: \"Rejected(\\\"no\\\")\" }";
        let (approved, denied) = (Decision::Approved, Decision::Denied);
        for (output, detail, hook, error, decision) in [
            (format!("{ran}\"isError\":true"), Null, json!("{\"isError\":true}"), None, &approved),
            (format!("{ran}aborted by user"), Null, json!("aborted by user"), None, &approved),
            ("rejected 3 rows".into(), mcp("completed", None), Null, None, &approved),
            ("aborted by user".into(), mcp("completed", None), Null, None, &approved),
            (
                "x".into(),
                mcp("failed", Some("rejected: no such row")),
                Null,
                Some("rejected: no such row"),
                &approved,
            ),
            ("x".into(), Null, json!({"isError": true}), Some("x"), &approved),
            ("x".into(), kept_out, Null, Some("not there"), &denied),
            (format!("{ran}a\nb\naborted by user"), Null, Null, None, &approved),
            ("a\nb\naborted by user".into(), Null, Null, None, &approved),
            (
                "x".into(),
                mcp("failed", Some("user cancelled MCP tool call")),
                Null,
                Some("user cancelled MCP tool call"),
                &denied,
            ),
            ("Wall time: 2.5 seconds\naborted by user".into(), Null, Null, Some(ABORTED), &denied),
            (
                "apply_patch verification failed: no line in rejected.txt".into(),
                Null,
                Null,
                Some("apply_patch verification failed: no line in rejected.txt"),
                &approved,
            ),
            (rule.into(), Null, Null, Some(rule), &denied),
        ] {
            let call = told(&output, detail, hook);
            assert_eq!(call.error.as_deref(), error, "{output}");
            assert_eq!(&call.permission.unwrap().decision, decision, "{output}");
        }
    }

    #[test]
    fn forbidden_command_is_denied_by_policy() {
        let at = Timestamp::from_millis;
        let text = "exec_command failed: CreateProcess { message: \"Rejected(\\\"`rm` rejected: policy forbids \\\")\" }";
        let mut draft = ToolDraft::new("c", at(1));
        draft.hooked(at(1), "Bash", None);
        draft.output = Some(ToolOutput { text: text.to_owned(), ..ToolOutput::default() });
        draft.output_at = Some(at(2));
        let call = draft.finish(at(0), at(9), &Status::Completed, None).unwrap();
        let permission = call.permission.unwrap();
        assert_eq!((permission.decision, permission.decided_by.as_str()), (Decision::Denied, "policy"));
    }

    #[test]
    fn post_tool_use_only_call_belongs_to_previous_turn() {
        let mut draft = ToolDraft::new("c", Timestamp::default());
        draft.hooked(Timestamp::from_millis(1), "Bash", None);
        assert!(!draft.is_of_this_turn(true) && draft.is_of_this_turn(false));
        draft.announced = true;
        assert!(draft.is_of_this_turn(true));
    }

    #[test]
    fn withheld_requests_match_in_order() {
        let quoted = |text: &str| RawValue::from_string(format!("\"{text}\"")).unwrap();
        let mut tools: Vec<_> = ["a", "b"].map(|id| ToolDraft::new(id, Timestamp::default())).into();
        for (tool, at) in tools.iter_mut().zip([10, 20]) {
            tool.hooked(Timestamp::from_millis(at), "Bash", Some(&quoted("<redacted (9 chars)>")));
        }
        let input = Some(quoted("<redacted (30 chars)>"));
        for at in [25, 30] {
            let row = Row {
                at: Timestamp::from_millis(at),
                name: "Bash".into(),
                input: input.clone(),
                ..Row::default()
            };
            ask_permission(&mut tools, &row);
        }
        let asked: Vec<_> = tools.iter().map(|t| t.permission_at).collect();
        assert_eq!(asked, [25, 30].map(|at| Some(Timestamp::from_millis(at))));
    }

    #[test]
    fn identical_requests_match_in_order() {
        let row = |at: i64| Row {
            at: Timestamp::from_millis(at),
            name: "Bash".into(),
            input: RawValue::from_string(r#"{"command":"x","description":"why"}"#.into()).ok(),
            ..Row::default()
        };
        let input = RawValue::from_string(r#"{"command":"x"}"#.into()).unwrap();
        let mut tools =
            vec![ToolDraft::new("b", Timestamp::default()), ToolDraft::new("a", Timestamp::default())];
        tools[0].hooked(Timestamp::from_millis(20), "Bash", Some(&input));
        tools[1].hooked(Timestamp::from_millis(10), "Bash", Some(&input));
        ask_permission(&mut tools, &row(25));
        ask_permission(&mut tools, &row(30));
        ask_permission(&mut tools, &row(40));
        assert_eq!(tools[1].permission_at, Some(Timestamp::from_millis(25)));
        assert_eq!(tools[0].permission_at, Some(Timestamp::from_millis(30)));
        assert_eq!(tools[0].permission_reason.as_deref(), Some("why"));
    }
}
