//! What Codex's own words say of a call: its exit code, that it failed, was cut off, or was not allowed to run.
//!
//! A tool may print the same words. Whoever asks here has nothing else that says how the call went.

/// The exit code in the text Codex gives to the model: in the lines before `Output:`, or in the JSON of old
/// releases.
pub(super) fn exit_code_in(text: &str) -> Option<i64> {
    if text.starts_with('{') {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        return value.get("metadata")?.get("exit_code")?.as_i64();
    }
    let head = text.lines().take(8).take_while(|l| !l.starts_with("Output:"));
    let mut codes = head.filter_map(|line| {
        let code =
            line.strip_prefix("Process exited with code ").or_else(|| line.strip_prefix("Exit code: "));
        code?.trim().parse().ok()
    });
    codes.next()
}

/// Whether an output without any status is one of Codex's own refusals.
pub(super) fn reads_as_failure(text: &str) -> bool {
    FAILURES.iter().any(|start| text.starts_with(start))
}

/// Whether an output is what Codex gives to the model for a call that was cut off: a line that begins so, behind one
/// with the time at the most.
pub(super) fn reads_as_abort(text: &str) -> bool {
    let mut lines = text.lines();
    let (first, second, third) = (lines.next(), lines.next(), lines.next());
    third.is_none() && second.or(first).is_some_and(|last| last.starts_with(ABORTED))
}

/// Whether a failed call's text says that the policy, or a rule of a person's, does not let it run.
pub(super) fn reads_as_forbidden(error: &str) -> bool {
    error.starts_with(FORBIDDEN) || (error.contains(REJECTED) && error.contains(BY_POLICY))
}

/// Whether a refusal says that it was the person's.
pub(super) fn names_the_user(error: &str) -> bool {
    error.contains("rejected by user") || error.contains("user cancelled")
}

/// Whether a failed call's text says that it was not allowed to run.
pub(super) fn reads_as_refusal(error: &str, foreign: bool) -> bool {
    let begins = |starts: &[&str]| starts.iter().any(|start| error.starts_with(start));
    begins(CANCELLED)
        || (!foreign && (begins(REFUSALS) || (reads_as_failure(error) && error.contains(REJECTED))))
}

/// Whether what a tool gave to a hook is an MCP result that calls itself an error. What a command printed is a JSON
/// string, whatever it says.
pub(super) fn says_error(json: &str) -> bool {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct WireResult {
        is_error: bool,
    }
    json.starts_with('{') && serde_json::from_str::<WireResult>(json).is_ok_and(|r| r.is_error)
}

/// What Codex says of a call that was cut off.
pub(super) const ABORTED: &str = "aborted by user";
/// How the policy refuses what may not even be asked for.
const FORBIDDEN: &str = "approval policy is ";
/// How a rule of a person's refuses.
const BY_POLICY: &str = "rejected: policy forbids";
/// How the text begins when a person does not let an MCP tool run.
const CANCELLED: &[&str] = &["user cancelled", "user rejected"];
/// How the text begins when a person, a reviewer or a hook refuses.
const REFUSALS: &[&str] = &["exec command rejected", "patch rejected", "rejected", "Rejected", "denied by"];
/// A refusal inside one of Codex's own failure texts.
pub(super) const REJECTED: &str = "Rejected(";
/// How Codex's own failure texts begin (0.135 to 0.169).
const FAILURES: &[&str] = &[
    "unsupported call",
    "unsupported custom tool call",
    "unable to locate",
    "unable to read",
    "unable to process",
    "failed to parse",
    "apply_patch verification failed",
    "apply_patch handler received",
    "exec_command failed",
    "write_stdin failed",
    "execution error",
    "tool call error",
    "collab ",
    "Unknown process id",
    "patch rejected",
    "exec command rejected",
    FORBIDDEN,
    "Command blocked by",
    "Tool call blocked by",
    "Rejected",
    "rejected",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_read_from_the_head_alone() {
        assert_eq!(
            exit_code_in("Chunk ID: x\nWall time: 0.1\nProcess exited with code 3\nOutput:\noops"),
            Some(3)
        );
        assert_eq!(exit_code_in("Wall time: 1\nOutput:\nExit code: 9"), None);
        assert_eq!(exit_code_in("{\"output\":\"\",\"metadata\":{\"exit_code\":2}}"), Some(2));
        assert_eq!(exit_code_in("{broken"), None);
    }
}
