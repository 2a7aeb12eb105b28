//! Whether a call was allowed: which question belongs to which call, and who answered it how.

use crate::time::Timestamp;
use crate::turn::fold::draft::{Asked, ToolDraft, request_of};
use crate::turn::fold::outcome::{
    ABORTED, REJECTED, names_the_user, reads_as_abort, reads_as_forbidden, reads_as_refusal,
};
use crate::turn::fold::tools::{Brief, Tools};
use crate::turn::rows::Row;
use crate::turn::{Decision, Permission};

impl ToolDraft {
    /// Returns whether the call was allowed, by whom and after how long; `None` when nobody was asked.
    pub fn permission(
        &self,
        finished: Option<Timestamp>,
        turn_ended: Timestamp,
        error: Option<&str>,
        reviewer: Option<&str>,
    ) -> Option<Permission> {
        let error = error.unwrap_or_default();
        let Some(asked) = &self.asked else {
            // The policy decides without asking anyone. What a script died of was decided about its nested call.
            let forbidden = reads_as_forbidden(error) && !self.is_script();
            return forbidden.then(|| Permission {
                decision: Decision::Denied,
                decided_by: "policy".to_owned(),
                wait: None,
                reason: None,
            });
        };
        let detail = self.detail.as_ref();
        let declined = detail.is_some_and(|d| d.status.as_deref() == Some("declined"));
        // A server's own words are none of Codex's: it may reject what a user has allowed. A call that was kept from
        // its server failed in no time.
        let served = detail.filter(|d| d.server.is_some());
        let kept_out = served.is_some_and(|d| d.error.is_some() && d.duration.is_some_and(|t| t.is_zero()));
        let refused = declined || kept_out || reads_as_refusal(error, served.is_some());
        let ran = self.finished_at.is_some() || self.detail.is_some();
        let decision = match (ran, finished.is_some()) {
            _ if refused => Decision::Denied,
            (true, _) => Decision::Approved,
            (false, true) if error == ABORTED && asked.shared => Decision::Unknown,
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
        let wait = decided.map(|at| at.since(asked.at));
        let by_hook = (refused && (kept_out || error.contains(REJECTED)) && !names_the_user(error))
            || wait.is_some_and(|w| w < SHORTEST_PERSON && decision != Decision::Unknown);
        let decided_by = match reviewer {
            Some(reviewer) if reviewer != "user" => reviewer,
            _ if by_hook => "hook",
            _ => "user",
        };
        let reason = asked.reason.clone();
        Some(Permission { decision, decided_by: decided_by.to_owned(), wait, reason })
    }

    /// Returns true if the call was asked about and cut off, so that it cannot be told apart from another
    /// such.
    fn is_undecided(&self) -> bool {
        let aborted = self.output.as_ref().is_some_and(|o| reads_as_abort(&o.text));
        let with_its_script = self.place.as_ref().and_then(|p| p.failure.as_deref()) == Some(ABORTED);
        self.asked.is_some()
            && (aborted || with_its_script)
            && self.detail.is_none()
            && self.finished_at.is_none()
    }

    /// The reason the model gave for asking.
    fn justification(&self) -> Option<String> {
        let arguments: serde_json::Value = serde_json::from_str(&self.request.as_ref()?.arguments).ok()?;
        arguments.get("justification")?.as_str().map(str::to_owned)
    }
}

/// Marks the calls of which one was refused and nothing tells which: an abort ends them all alike.
pub(super) fn mark_shared_refusals(tools: &mut Tools) {
    let asked = (0..tools.len()).filter(|place| tools.briefs()[*place].asked);
    let undecided: Vec<usize> = asked.filter(|place| tools.at(*place).is_undecided()).collect();
    for place in undecided.iter().filter(|_| undecided.len() > 1) {
        tools.change(*place, |tool| tool.asked.iter_mut().for_each(|asked| asked.shared = true));
    }
}

/// Gives a permission request to the call it is about. It names no id (`docs::codex`): the tool and what it is asked
/// to do decide, then the reason the model gave, and of several calls alike in all that the earliest that still
/// waits.
pub(super) fn ask_permission(tools: &mut Tools, row: &Row) {
    let wanted = row.input.as_deref().map(|i| request_of(i.get()));
    let waits = |brief: &Brief| {
        !brief.asked
            && brief.hook_at.is_some_and(|at| at <= row.at)
            && brief.finished_at.is_none_or(|at| at >= row.at)
    };
    let waiting = (0..tools.len()).rev().filter(|place| waits(&tools.briefs()[*place]));
    let named = waiting.filter(|place| tools.at(*place).hook_name.as_deref() == Some(row.name.as_str()));
    let mut found: Vec<usize> = named.take(MAX_WAITING).collect();
    found.sort_by_key(|place| tools.briefs()[*place].hook_at);
    let same = |place: &usize| tools.at(*place).hook_request == wanted;
    let reason = row.input.as_deref().and_then(|i| description_of(i.get()));
    let reasoned = |place: &usize| reason.is_some() && tools.at(*place).justification() == reason;
    let exact = found.iter().find(|place| same(place) && reasoned(place));
    let exact = exact.or_else(|| found.iter().find(|place| same(place)));
    // What was withheld cannot be compared: the earliest that waits is as good as any.
    let withheld = row.input.as_deref().is_some_and(|i| i.get().starts_with('"'));
    let only = found.first().filter(|_| found.len() == 1 || withheld);
    if let Some(place) = exact.or(only).copied() {
        tools.change(place, |tool| tool.asked = Some(Asked { at: row.at, reason, shared: false }));
    }
}

fn description_of(input: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(input).ok()?;
    value.get("description")?.as_str().map(str::to_owned)
}

/// More calls than ever wait for an answer at a time.
const MAX_WAITING: usize = 256;
/// No person reads a question and answers it faster.
const SHORTEST_PERSON: std::time::Duration = std::time::Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codex::rollout::{ToolDetail, ToolOutput};
    use crate::turn::fold::outcome::exit_code_in;
    use crate::turn::fold::tool_call::Frame;
    use crate::turn::{Status, ToolCall};
    use serde_json::value::RawValue;

    fn frame(ended: i64) -> Frame<'static> {
        Frame {
            started: Timestamp::from_millis(0),
            ended: Timestamp::from_millis(ended),
            status: &Status::Completed,
            reviewer: None,
            in_rollout: true,
        }
    }

    /// A command, or an MCP call, that Codex and a hook report.
    fn reported(output: &str, detail: serde_json::Value, hook: serde_json::Value) -> ToolCall {
        let at = Timestamp::from_millis;
        let mut draft = ToolDraft::new("c", at(1));
        draft.hooked(at(1), "Bash", None);
        draft.asked = Some(Asked { at: at(2), reason: None, shared: false });
        draft.reported_code = exit_code_in(output);
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
        draft.finish(&frame(1000)).unwrap()
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
            let call = reported(&output, detail, hook);
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
        let call = draft.finish(&frame(9)).unwrap();
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

    /// Calls of Bash that a hook reported, each at its time.
    fn hooked(calls: [(&str, i64); 2], input: &RawValue) -> Tools {
        let mut tools = Tools::new(&crate::turn::shelf::Scratch::default());
        for (id, at) in calls {
            let place = tools.place(id, Timestamp::default());
            tools.change(place, |tool| tool.hooked(Timestamp::from_millis(at), "Bash", Some(input)));
        }
        tools
    }

    #[test]
    fn withheld_requests_match_in_order() {
        let quoted = |text: &str| RawValue::from_string(format!("\"{text}\"")).unwrap();
        let withheld = quoted("<redacted (9 chars)>");
        let mut tools = hooked([("a", 10), ("b", 20)], &withheld);
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
        let asked = [0, 1].map(|place| tools.at(place).asked.as_ref().map(|a| a.at));
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
        let mut tools = hooked([("b", 20), ("a", 10)], &input);
        ask_permission(&mut tools, &row(25));
        ask_permission(&mut tools, &row(30));
        ask_permission(&mut tools, &row(40));
        let asked = [0, 1].map(|place| tools.at(place).asked.as_ref().map(|a| a.at));
        assert_eq!(asked, [30, 25].map(|at| Some(Timestamp::from_millis(at))));
        assert_eq!(tools.at(0).asked.as_ref().unwrap().reason.as_deref(), Some("why"));
    }
}
