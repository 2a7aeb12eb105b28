//! One tool call once everything is reported: its bounds, its result, its failure.

use crate::time::Timestamp;
use crate::turn::fold::draft::ToolDraft;
use crate::turn::fold::outcome::{self, Told, exit_code_in};
use crate::turn::fold::sealed;
use crate::turn::{Status, ToolCall};

/// The turn a draft is finished in.
pub(super) struct Frame<'a> {
    pub started: Timestamp,
    pub ended: Timestamp,
    pub status: &'a Status,
    /// Who answers questions, where it is not the user.
    pub reviewer: Option<&'a str>,
    /// True if the rollout reported the turn.
    pub in_rollout: bool,
}

impl ToolDraft {
    /// Returns the call as it is known once the turn is over; `None` for a draft that is no tool call.
    pub fn finish(self, frame: &Frame) -> Option<ToolCall> {
        if self.request.is_none() && self.detail.is_none() && self.hook_name.is_none() {
            return None;
        }
        let finished = self.finished_moment();
        let exit_code = self.exit_code();
        let error = self.failure(exit_code, finished.is_none(), frame);
        let permission = self.permission(finished, frame.ended, error.as_deref(), frame.reviewer);
        let (started, ended) = self.bounds(finished, frame);
        let key = self.key();
        let (name, model_name, mcp) = self.names();
        let detail = self.detail.unwrap_or_default();
        let request = self.request.unwrap_or_default();
        let arguments = [Some(request.arguments), detail.arguments, self.hook_input, detail.query];
        // Of a nested call both reports of a turn know Codex's note.
        let noted = detail.output.clone().filter(|_| self.place.is_some());
        let (output, images) = match self.output {
            Some(output) => (Some(output.text), output.images),
            None => (noted.or(self.hook_output).or(detail.output), [request.images, detail.images].concat()),
        };
        Some(ToolCall {
            key,
            call_id: self.call_id,
            parent: self.place.map(|place| place.parent),
            name,
            model_name,
            mcp,
            script: self.script,
            arguments: sealed::unsealed_arguments(
                arguments.into_iter().flatten().find(|a| !a.is_empty()).unwrap_or_default(),
            ),
            output,
            progress: self.progress,
            images,
            started,
            ended,
            exit_code,
            error,
            permission,
            changes: detail.changes,
        })
    }

    fn is_hosted(&self) -> bool {
        self.request.as_ref().is_some_and(|r| r.hosted)
    }

    /// When the call was over. A nested call's own note is the truest, and the only one that backfill has too.
    fn finished_moment(&self) -> Option<Timestamp> {
        let noted = self.detail_at.map(|at| self.detail.as_ref().and_then(|d| d.completed).unwrap_or(at));
        let reported = match &self.place {
            Some(place) => [noted, self.finished_at, place.settled],
            None if self.earlier => [noted, self.finished_at, None],
            None => [self.output_at, self.finished_at, self.detail_at],
        };
        reported.into_iter().flatten().next()
    }

    fn bounds(&self, finished: Option<Timestamp>, frame: &Frame) -> (Timestamp, Timestamp) {
        if let Some(place) = &self.place {
            let (from, to) = (place.from.max(frame.started), place.to.min(frame.ended));
            let started = place.started.max(from).min(to);
            return (started, finished.unwrap_or(to).max(started).min(to.max(started)));
        }
        let noted = self.detail.as_ref().and_then(|d| d.started).filter(|_| self.earlier);
        let asked = self.asked_at.or(noted).or(self.hook_at).unwrap_or(self.first_at);
        let mut started = asked.max(frame.started).min(frame.ended);
        let ended = match (finished, self.is_hosted()) {
            (Some(at), _) => at,
            (None, true) => started,
            (None, false) => frame.ended,
        };
        if self.is_hosted() {
            let noted = self.detail.as_ref().and_then(|d| d.started);
            started = noted.map_or(started, |at| at.max(frame.started).min(started));
        }
        (started, ended.max(started).min(frame.ended.max(started)))
    }

    fn exit_code(&self) -> Option<i64> {
        let noted = self.detail.as_ref().and_then(|d| d.exit_code);
        let text = &self.output.as_ref().map_or("", |o| o.text.as_str());
        // A patch run through the shell has its own head inside the command's output.
        let patched = self.detail.as_ref().is_some_and(|d| !d.changes.is_empty());
        let inner =
            || text.split_once("\nOutput:\n").filter(|_| patched).and_then(|(_, inner)| exit_code_in(inner));
        // What a command printed is no head of Codex's; a patch has one.
        let alone = self.detail.is_none();
        let hooked = || exit_code_in(self.hook_output.as_deref().filter(|_| alone && self.is_patch())?);
        noted.or(self.reported_code).or_else(inner).or_else(hooked)
    }

    fn is_patch(&self) -> bool {
        self.hook_name.as_deref() == Some("apply_patch")
    }

    /// Why the call failed, in a line or in the tool's own words.
    fn failure(&self, exit_code: Option<i64>, unfinished: bool, frame: &Frame) -> Option<String> {
        let hosted = self.is_hosted();
        let reported = Told {
            exit_code,
            detail: self.detail.as_ref(),
            request: self.request.as_ref(),
            output: self.output.as_ref(),
            hook_output: self.hook_output.as_deref(),
            hook_error: self.hook_error,
            hosted_status: self.request.as_ref().filter(|_| hosted).and_then(|r| r.status.as_deref()),
            script: self.is_script(),
        };
        let reason = self.place.as_ref().and_then(|place| place.failure.clone());
        let status = self.detail.as_ref().and_then(|d| d.status.as_deref());
        let failure = self.reported_error.clone().or_else(|| outcome::failure(&reported));
        match failure {
            // A bare status says less than the script that was reported why.
            Some(said) if Some(said.as_str()) == status => reason.or(Some(said)),
            Some(said) => Some(said),
            None => reason.or_else(|| self.unanswered(unfinished && !hosted, frame)),
        }
    }

    /// Why a call without any result has none.
    fn unanswered(&self, unfinished: bool, frame: &Frame) -> Option<String> {
        if !unfinished {
            return None;
        }
        // Hooks alone: Codex calls no PostToolUse for what fails. A command may run on.
        let runs_on = || self.hook_name.as_deref().is_none_or(|n| !outcome::always_ends(n));
        match frame.status {
            Status::Running => None,
            Status::Completed if frame.in_rollout || runs_on() => None,
            Status::Completed => Some(outcome::NO_RESULT.to_owned()),
            status => Some(format!("unfinished: the turn was {}", status.name())),
        }
    }
}
