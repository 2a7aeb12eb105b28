//! How a tool call went: the one table of the forms in which Codex says that a call failed, was refused or cut off.
//!
//! The status of the model's request says nothing of it: the API writes `completed` on every custom call, which means
//! that the model finished writing it. What counts, in this order: the exit code, Codex's own note of the call, the
//! flag beside the output, a hook's result, and only where none of these exists, the output: one of Codex's own tools has
//! a form for what worked ([`super::forms`]), and of others Codex's refusals are known by their words. A tool may
//! print the same words, so they count at the beginning of an output alone.

use crate::codex::rollout::{ToolDetail, ToolOutput, ToolRequest};
use crate::turn::fold::forms;

/// Everything known of how a call went.
#[derive(Debug, Default)]
pub(super) struct Told<'a> {
    pub exit_code: Option<i64>,
    pub detail: Option<&'a ToolDetail>,
    pub request: Option<&'a ToolRequest>,
    pub output: Option<&'a ToolOutput>,
    /// What PostToolUse handed over; used where the rollout has no output.
    pub hook_output: Option<&'a str>,
    /// The hook's result calls itself an error.
    pub hook_error: bool,
    /// The status of a call that the model's provider ran: there, request and result are one line.
    pub hosted_status: Option<&'a str>,
    /// A script of the model's, or the wait for one.
    pub script: bool,
}

/// Returns why a call failed, in a line or in the tool's own words; `None` when it worked.
pub(super) fn failure(reported: &Told) -> Option<String> {
    let text = reported.output.map(|o| o.text.as_str()).or(reported.hook_output).unwrap_or_default();
    if reported.script && reported.detail.is_none() && text.starts_with("Script ") {
        return script_error(text);
    }
    let noted = reported.detail.and_then(|d| d.status.as_deref());
    if reported.exit_code.is_none() && noted != Some("completed") && reads_as_abort(text) {
        return Some(ABORTED.to_owned());
    }
    if let Some(code) = reported.exit_code.filter(|c| *c != 0) {
        return Some(format!("exit code {code}"));
    }
    if let Some(error) = reported.detail.and_then(|d| d.error.clone()) {
        return Some(error);
    }
    let bad_status = noted.or(reported.hosted_status).filter(|status| FAILED_STATUSES.contains(status));
    let success = reported.output.and_then(|o| o.success);
    let unreported = reported.exit_code.is_none() && reported.detail.is_none() && success.is_none();
    let foreign = |output| reported.request.is_some_and(|request| forms::is_foreign(request, output));
    let said_so =
        unreported && reported.output.is_some_and(|output| reads_as_failure(text) || foreign(output));
    if bad_status.is_none() && success != Some(false) && !reported.hook_error && !said_so {
        return None;
    }
    let noted_text = reported.detail.and_then(|d| d.output.as_deref()).unwrap_or_default();
    let said = [text, noted_text, bad_status.unwrap_or("failed")].into_iter().find(|t| !t.is_empty());
    said.map(str::to_owned)
}

/// Returns whether a tool, by the name hooks have for it, is never left running. Codex calls PostToolUse for all of them
/// but for a call that failed; a command may run on.
pub(super) fn always_ends(tool: &str) -> bool {
    tool != "Bash"
}

/// Returns the exit code in the text Codex gives to the model: in the lines before `Output:`, or in the JSON of old
/// releases. 0.118 repeats the command, of any length, before those lines.
pub(super) fn exit_code_in(text: &str) -> Option<i64> {
    if text.starts_with('{') {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        return value.get("metadata")?.get("exit_code")?.as_i64();
    }
    let head = if text.starts_with("Command: ") {
        let starts = ["\nChunk ID: ", "\nWall time: ", "\nExit code: "];
        &text[starts.iter().filter_map(|start| text.find(start)).min()? + 1..]
    } else {
        text
    };
    let head = head.lines().take(8).take_while(|l| !l.starts_with("Output:"));
    let mut codes = head.filter_map(|line| {
        let code =
            line.strip_prefix("Process exited with code ").or_else(|| line.strip_prefix("Exit code: "));
        code?.trim().parse().ok()
    });
    codes.next()
}

/// Returns what a script died of, from its output (code mode): nothing when it completed, runs on or was stopped.
pub(super) fn script_error(text: &str) -> Option<String> {
    let said = text.strip_prefix("Script failed")?;
    let reason = said.split_once("Script error:\n").map_or(said, |(_, reason)| reason).trim();
    Some(if reason.is_empty() { "Script failed" } else { reason }.to_owned())
}

/// Returns the cell a script goes on in, from an output that says it is still running.
pub(super) fn running_cell(text: &str) -> Option<&str> {
    text.strip_prefix("Script running with cell ID ")?.lines().next()
}

/// Finds the failure of a nested call in what its script printed: the script caught it, and may have shown it.
pub(super) fn failure_within(text: &str, tool: &str) -> Option<String> {
    let begins = match tool {
        "apply_patch" => PATCH_FAILURES,
        "view_image" => IMAGE_FAILURES,
        "Bash" => COMMAND_FAILURES,
        _ => MCP_FAILURES,
    };
    let at = begins.iter().filter_map(|begin| text.find(begin)).min()?;
    let said = text[at..].lines().next().unwrap_or_default();
    let said = said.split_once("\"}").map_or(said, |(said, _)| said);
    Some(said.trim_end_matches(['"', '\\', ')']).to_owned())
}

/// Returns whether an output without any status is one of Codex's own refusals.
pub(super) fn reads_as_failure(text: &str) -> bool {
    let incompatible =
        || text.lines().next().is_some_and(|l| l.ends_with("invoked with incompatible payload"));
    let forms = [PATCH_FAILURES, IMAGE_FAILURES, COMMAND_FAILURES, MCP_FAILURES, FAILURES];
    forms.iter().copied().flatten().any(|start| text.starts_with(start)) || incompatible()
}

/// Returns whether an output is what Codex gives to the model for a call that was cut off: a line that begins so,
/// behind one with the time at the most.
pub(super) fn reads_as_abort(text: &str) -> bool {
    let mut lines = text.lines();
    let (first, second, third) = (lines.next(), lines.next(), lines.next());
    third.is_none() && second.or(first).is_some_and(|last| last.starts_with(ABORTED))
}

/// Returns whether a failed call's text says that the policy, or a rule of the user's, does not let it run.
pub(super) fn reads_as_forbidden(error: &str) -> bool {
    error.starts_with(FORBIDDEN) || (error.contains(REJECTED) && BY_POLICY.iter().any(|p| error.contains(p)))
}

/// Returns whether a refusal says that it was the user's.
pub(super) fn names_the_user(error: &str) -> bool {
    error.contains("rejected by user") || error.contains("user cancelled") || error.contains("user rejected")
}

/// Returns whether a failed call's text says that it was not allowed to run.
pub(super) fn reads_as_refusal(error: &str, foreign: bool) -> bool {
    let begins = |starts: &[&str]| starts.iter().any(|start| error.starts_with(start));
    begins(CANCELLED)
        || (!foreign && (begins(REFUSALS) || (reads_as_failure(error) && error.contains(REJECTED))))
            && !error.contains(UNSTARTED)
}

/// Returns whether what a tool gave to a hook is an MCP result that calls itself an error. What a command printed is
/// a JSON string, whatever it says.
pub(super) fn says_error(json: &str) -> bool {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct WireResult {
        is_error: bool,
    }
    json.starts_with('{') && serde_json::from_str::<WireResult>(json).is_ok_and(|r| r.is_error)
}

/// Codex's text for a call that was cut off.
pub(super) const ABORTED: &str = "aborted by user";
/// What is said of a call that failed without a word.
pub(super) const NO_RESULT: &str = "no result: Codex reported none for this call";
/// A refusal inside one of Codex's own failure texts.
pub(super) const REJECTED: &str = "Rejected(";
/// What stands in the same brackets where a command could not be started, which nobody refused.
const UNSTARTED: &str = "Failed to create unified exec process";
/// The statuses of Codex's notes, and of hosted calls, that mean a failure.
const FAILED_STATUSES: &[&str] = &["failed", "declined", "errored", "incomplete", "cancelled", "timed_out"];
/// Refusal by a policy that forbids even to ask.
const FORBIDDEN: &str = "approval policy is ";
/// How a rule of the user's, or of the machine's, refuses.
const BY_POLICY: &[&str] = &["rejected: policy forbids", "rejected: blocked by policy"];
/// How the text begins when the user does not let an MCP tool run.
const CANCELLED: &[&str] = &["user cancelled", "user rejected"];
/// How the text begins when the user, a reviewer or a hook refuses.
const REFUSALS: &[&str] = &[
    "exec command rejected",
    "patch rejected",
    "rejected",
    "Rejected",
    "denied by",
    "This action was rejected",
    "automatic approval review denied",
    "Command blocked by",
    "Tool call blocked by",
];
/// How Codex's own failure texts begin (0.135 to 0.171), by the tool.
const PATCH_FAILURES: &[&str] =
    &["apply_patch verification failed", "apply_patch handler received", "patch rejected"];
const IMAGE_FAILURES: &[&str] = &["unable to locate", "unable to read", "unable to process"];
const COMMAND_FAILURES: &[&str] = &[
    "exec_command failed",
    "write_stdin failed",
    "Unknown process id",
    "exec command rejected",
    FORBIDDEN,
    "Command blocked by",
    "command timed out",
    "failed in sandbox",
];
const MCP_FAILURES: &[&str] = &[
    "tool call error",
    "MCP tool call error",
    "MCP tool call cancelled",
    "user cancelled MCP tool call",
    "user rejected MCP tool call",
    "tool call rejected because",
    "Tool call blocked by",
];
const FAILURES: &[&str] = &[
    "unsupported call",
    "unsupported custom tool call",
    "failed to parse",
    "execution error",
    "Fatal error: ",
    "collab ",
    "Rejected",
    "rejected",
    "This action was rejected",
    "The action was not executed because",
    "automatic approval review",
    "request_user_input is not supported",
    "dynamic tool calls are not supported",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_read_from_the_head_alone() {
        let behind = format!("Command: cat <<EOF\n{}EOF\nChunk ID: 3\n", "line\n".repeat(40));
        for (text, code) in [
            ("Chunk ID: x\nWall time: 0.1\nProcess exited with code 3\nOutput:\noops", Some(3)),
            ("Wall time: 1\nOutput:\nExit code: 9", None),
            ("{\"output\":\"\",\"metadata\":{\"exit_code\":2}}", Some(2)),
            ("{broken", None),
            (&format!("{behind}{}Process exited with code 7", "Note: x\n".repeat(6)), Some(7)),
            (&format!("{behind}{}Process exited with code 7", "Note: x\n".repeat(7)), None),
            (&format!("{behind}Process exited with code 7\nOutput:\nx"), Some(7)),
            (&format!("{behind}Output:\nProcess exited with code 7"), None),
        ] {
            assert_eq!(exit_code_in(text), code, "{text}");
        }
    }

    /// Each form in which a call without a note of Codex's fails, and what stays of it.
    #[test]
    fn outputs_alone_tell_failures() {
        for text in [
            "unsupported call: nonsense",
            "unsupported custom tool call: nonsense",
            "apply_patch verification failed: Failed to read file",
            "unable to locate image at `x.png`: No such file",
            "failed to parse function arguments: missing field `cmd`",
            "exec_command failed for `touch /x`: CreateProcess { message: \"Rejected(\\\"rejected by user\\\")\" }",
            "approval policy is Never; reject command — you cannot ask",
            "Command blocked by PreToolUse hook: no. Command: rm",
            "Tool call blocked by PreToolUse hook: no",
            "patch rejected: writing outside of the project; rejected by user approval settings",
            "exec command rejected by user",
            "This action was rejected due to unacceptable risk.\nReason: …",
            "The action was not executed because automatic approval review could not be completed.",
            "user cancelled MCP tool call",
            "tool call error: tool call failed",
            "collab spawn failed: no such agent",
            "write_stdin failed: Unknown process id 9",
            "tool exec_command invoked with incompatible payload",
        ] {
            let output = ToolOutput { text: text.to_owned(), ..ToolOutput::default() };
            let reported = Told { output: Some(&output), ..Told::default() };
            assert_eq!(failure(&reported).as_deref(), Some(text));
            // What Codex noted as done may print whatever it likes.
            let detail = ToolDetail { status: Some("completed".to_owned()), ..ToolDetail::default() };
            assert_eq!(failure(&Told { detail: Some(&detail), ..reported }), None, "{text}");
        }
        for text in
            ["Plan updated", "{\"task_name\":\"/root/helper\"}", "", "Wall time: 1\nOutput:\nrejected"]
        {
            let output = ToolOutput { text: text.to_owned(), ..ToolOutput::default() };
            assert_eq!(failure(&Told { output: Some(&output), ..Told::default() }), None, "{text}");
        }
    }

    #[test]
    fn aborts_are_told_from_what_a_tool_prints() {
        for (text, noted, error) in [
            ("aborted by user after 2.5s", None, Some(ABORTED)),
            ("Wall time: 2.5 seconds\naborted by user", None, Some(ABORTED)),
            ("aborted by user after 2.5s", Some("failed"), Some(ABORTED)),
            ("aborted by user after 2.5s", Some("completed"), None),
            ("a\nb\naborted by user", None, None),
        ] {
            let output = ToolOutput { text: text.to_owned(), ..ToolOutput::default() };
            let detail = noted.map(|s| ToolDetail { status: Some(s.to_owned()), ..ToolDetail::default() });
            let reported = Told { output: Some(&output), detail: detail.as_ref(), ..Told::default() };
            assert_eq!(failure(&reported).as_deref(), error, "{text} {noted:?}");
        }
    }

    #[test]
    fn notes_flags_and_hooks_tell_failures() {
        let output = |success| ToolOutput { text: "words".into(), success, ..ToolOutput::default() };
        let noted = |status: &str, error: Option<&str>| ToolDetail {
            status: Some(status.to_owned()),
            error: error.map(str::to_owned),
            ..ToolDetail::default()
        };
        let (words, good, bad) = (output(None), output(Some(true)), output(Some(false)));
        let (declined, boom, fine) =
            (noted("declined", None), noted("failed", Some("boom")), noted("completed", None));
        let printed = ToolOutput { text: "Script failed".into(), ..ToolOutput::default() };
        let base = || Told { output: Some(&words), ..Told::default() };
        for (n, (reported, error)) in [
            (Told { exit_code: Some(7), ..base() }, Some("exit code 7")),
            (Told { exit_code: Some(0), ..base() }, None),
            (Told { detail: Some(&declined), ..base() }, Some("words")),
            (Told { detail: Some(&declined), ..Told::default() }, Some("declined")),
            (Told { detail: Some(&boom), ..base() }, Some("boom")),
            (Told { detail: Some(&fine), ..base() }, None),
            (Told { output: Some(&bad), ..Told::default() }, Some("words")),
            (Told { output: Some(&good), ..Told::default() }, None),
            (Told { hook_error: true, hook_output: Some("said"), ..Told::default() }, Some("said")),
            (Told { hosted_status: Some("failed"), ..Told::default() }, Some("failed")),
            (Told { hosted_status: Some("completed"), ..Told::default() }, None),
            (Told { output: Some(&printed), ..Told::default() }, None),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(failure(&reported).as_deref(), error, "case {n}");
        }
    }

    #[test]
    fn scripts_tell_their_own_errors() {
        let head = "\nWall time 0.0 seconds\nOutput:\n\n";
        for (text, error) in [
            (
                format!("Script failed{head}Script error:\nError: boom\n    at m:1:7"),
                Some("Error: boom\n    at m:1:7"),
            ),
            (
                format!("Script failed{head}printed\nScript error:\nexec cell 9 not found"),
                Some("exec cell 9 not found"),
            ),
            ("Script failed".to_owned(), Some("Script failed")),
            (format!("Script completed{head}Script failed"), None),
            (format!("Script completed{head}unsupported call: x"), None),
            (format!("Script running with cell ID 8{head}"), None),
            (format!("Script terminated{head}"), None),
            ("aborted by user after 4.5s".to_owned(), Some(ABORTED)),
        ] {
            let output = ToolOutput { text: text.clone(), ..ToolOutput::default() };
            let reported = Told { script: true, output: Some(&output), ..Told::default() };
            assert_eq!(failure(&reported).as_deref(), error, "{text}");
        }
        assert_eq!(running_cell("Script running with cell ID 8\nWall time"), Some("8"));
    }

    #[test]
    fn caught_failures_are_found_in_what_scripts_print() {
        let printed = "[{\"status\":\"rejected\",\"reason\":\"apply_patch verification failed: no file\"},{\"reason\":\"unable to locate image at `y.png`\"}]";
        assert_eq!(
            failure_within(printed, "apply_patch").as_deref(),
            Some("apply_patch verification failed: no file")
        );
        assert_eq!(
            failure_within(printed, "view_image").as_deref(),
            Some("unable to locate image at `y.png`")
        );
        assert_eq!(failure_within(printed, "Bash"), None);
    }

    #[test]
    fn refusals_name_who_refused() {
        let rule = "exec_command failed: CreateProcess { message: \"Rejected(\\\"`rm` rejected: policy forbids \\\")\" }";
        let user = "exec_command failed: Rejected(\"rejected by user\")";
        assert!(reads_as_forbidden(rule) && reads_as_refusal(rule, false) && !names_the_user(rule));
        assert!(reads_as_refusal(user, false) && names_the_user(user) && !reads_as_forbidden(user));
        assert!(reads_as_forbidden("approval policy is Never; reject command"));
        assert!(reads_as_refusal("user cancelled MCP tool call", true));
        assert!(!reads_as_refusal("rejected: no such table", true));
        let unstarted = "exec_command failed: CreateProcess { message: \"Rejected(\\\"Failed to create unified exec process: No such file\\\")\" }";
        assert!(!reads_as_refusal(unstarted, false));
    }
}
