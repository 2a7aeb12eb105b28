//! Code mode: which calls a script of the model's made, within which bounds, and what became of those that nothing
//! but their beginning was reported.
//!
//! The model asks for `exec` with a script; its calls of tools have ids of their own (`exec-<uuid>`), hooks and notes,
//! but no line of the model's and no parent. Only time links them: a nested call belongs to the `exec` in whose time it
//! began, or to the `wait` in which most of it ran, when the script went on after its first answer. A nested call that
//! fails inside Codex has neither note nor PostToolUse: what its script died of, or printed, says why.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::Timestamp;
use crate::turn::Script;
use crate::turn::fold::draft::{Nesting, ToolDraft};
use crate::turn::fold::outcome::{
    ABORTED, NO_RESULT, always_ends, failure_within, reads_as_abort, running_cell,
};
use crate::turn::fold::tools::Tools;

/// An `exec`, or a `wait` for one that goes on.
#[derive(Debug)]
struct Run {
    /// Its place among the calls, whose texts stay there.
    place: usize,
    key: String,
    started: Timestamp,
    ended: Timestamp,
    answered: bool,
    /// The cell its script runs in, where it went on after its first answer.
    cell: Option<String>,
}

impl ToolDraft {
    fn run(&self, place: usize, turn_ended: Timestamp) -> Run {
        let waited = || {
            let arguments: serde_json::Value = serde_json::from_str(self.source()).ok()?;
            arguments.get("cell_id")?.as_str().map(str::to_owned)
        };
        Run {
            place,
            key: self.key(),
            started: self.asked_at.unwrap_or(self.first_at),
            ended: self.output_at.unwrap_or(turn_ended),
            answered: self.output.is_some(),
            cell: running_cell(self.printed()).map(str::to_owned).or_else(waited),
        }
    }

    /// The script, or what a wait was asked to do.
    fn source(&self) -> &str {
        self.request.as_ref().map_or("", |r| r.arguments.as_str())
    }

    fn printed(&self) -> &str {
        self.output.as_ref().map_or("", |o| o.text.as_str())
    }

    /// From when to when a nested call ran, as far as is known; what both reports of a turn know comes first.
    fn ran(&self) -> (Timestamp, Timestamp) {
        let detail = self.detail.as_ref();
        // A note behind the turn's end may not be there yet when the turn is reported.
        let late = self.detail_at.is_none();
        let noted = detail.and_then(|d| d.started);
        let reported = if late { self.hook_at.or(noted) } else { noted.or(self.hook_at) };
        let started = reported.unwrap_or(self.first_at);
        let ended = detail.and_then(|d| d.completed).or(self.detail_at).or(self.finished_at);
        (started, ended.unwrap_or(started).max(started))
    }
}

/// Gives every nested call its place.
pub(super) fn place_nested(tools: &mut Tools, turn_ended: Timestamp) {
    let scripts = (0..tools.len()).filter(|place| tools.briefs()[*place].script);
    let mut runs: Vec<Run> = scripts.map(|place| tools.at(place).run(place, turn_ended)).collect();
    if runs.is_empty() {
        return;
    }
    runs.sort_by_key(|r| r.started);
    for nested in 0..tools.len() {
        if tools.briefs()[nested].nested
            && let Some(place) = place_of(tools, &runs, nested)
        {
            tools.change(nested, |tool| tool.place = Some(place));
        }
    }
    name_scripts(tools);
}

/// Gives every `exec` what it does. Only calls that Codex noted count, of which hooks and rollout both know; of one
/// that failed without a note the source tells the name.
fn name_scripts(tools: &mut Tools) {
    let mut noted: BTreeMap<String, Vec<(Timestamp, String)>> = BTreeMap::new();
    for place in (0..tools.len()).filter(|place| tools.briefs()[*place].nested) {
        let tool = tools.at(place);
        if let (Some(place), Some(_)) = (&tool.place, &tool.detail) {
            noted.entry(place.parent.clone()).or_default().push((place.started, tool.names().0));
        }
    }
    let scripts: Vec<usize> = (0..tools.len()).filter(|place| tools.briefs()[*place].script).collect();
    for place in scripts {
        tools.change(place, |tool| {
            let Some(source) = tool.request.as_ref().filter(|r| r.name == "exec").map(|r| &r.arguments)
            else {
                return;
            };
            let mut calls = noted.remove(&tool.key()).unwrap_or_default();
            calls.sort();
            let mut script = Script::default();
            for (_, name) in calls {
                match script.calls.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, times)) => *times += 1,
                    None => script.calls.push((name, 1)),
                }
            }
            script.named = tools_in(source);
            script.named.retain(|name| !script.calls.iter().any(|(called, _)| called == name));
            tool.script = Some(script);
        });
    }
}

/// Returns the tools a script's source calls by name, each once.
fn tools_in(source: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for part in source.split("tools.").skip(1) {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        if name.is_empty() || end > MAX_NAME || !rest.trim_start().starts_with('(') {
            continue;
        }
        let name = if name == "exec_command" { "Bash" } else { name };
        if found.len() < MAX_NAMES && !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    found
}

fn place_of(tools: &Tools, runs: &[Run], nested: usize) -> Option<Nesting> {
    let tool = tools.at(nested);
    let (started, ended) = tool.ran();
    let at = run_of(tools, runs, (started, ended), &tool.asked_text())?;
    let run = &runs[at];
    let silent = tool.detail_at.is_none() && tool.finished_at.is_none();
    let refused = tool.detail.as_ref().is_some_and(|d| d.status.as_deref() == Some("declined"));
    let failure = (silent || refused).then(|| failure_of(tools, runs, at, &tool)).flatten();
    Some(Nesting {
        parent: run.key.clone(),
        from: run.started,
        to: run.ended,
        started,
        settled: failure.is_some().then_some(run.ended),
        failure,
    })
}

impl ToolDraft {
    /// Returns what distinguishes the call in a script's text.
    fn asked_text(&self) -> String {
        let given =
            self.detail.as_ref().and_then(|d| d.arguments.clone()).or_else(|| self.hook_input.clone());
        let value: serde_json::Value = serde_json::from_str(&given.unwrap_or_default()).unwrap_or_default();
        let text = ["command", "path"].iter().find_map(|name| value.get(*name)?.as_str());
        text.unwrap_or_default().to_owned()
    }
}

/// The run a nested call belongs to.
fn run_of(
    tools: &Tools,
    runs: &[Run],
    (started, ended): (Timestamp, Timestamp),
    asked: &str,
) -> Option<usize> {
    let holds = |run: &Run| run.started <= started && started <= run.ended;
    let quoted = serde_json::to_string(asked).unwrap_or_default();
    let quoted = quoted.trim_matches('"');
    let names = |run: &Run| {
        let script = tools.at(run.place);
        !quoted.is_empty() && (script.source().contains(quoted) || script.source().contains(asked))
    };
    let within: Vec<usize> = (0..runs.len()).filter(|at| holds(&runs[*at])).collect();
    let named = within.iter().copied().rfind(|at| within.len() > 1 && names(&runs[*at]));
    // Scripts of one response run one after the other: the one that is over first has been running.
    let running = || within.iter().copied().min_by_key(|at| runs[*at].ended);
    let first = named.or_else(running).or_else(|| between(runs, started))?;
    let cell = runs[first].cell.as_ref();
    let overlap = |run: &Run| ended.min(run.ended).since(started.max(run.started));
    let chain =
        (0..runs.len()).filter(|at| *at == first || cell.is_some() && runs[*at].cell.as_ref() == cell);
    // Of equal shares the first counts.
    chain.rev().max_by_key(|at| (overlap(&runs[*at]), *at == first))
}

/// For a call that began while its script ran on and nobody waited: the next wait, else the last run before.
fn between(runs: &[Run], started: Timestamp) -> Option<usize> {
    let open = |cell: &Option<String>| {
        cell.is_some() && runs.iter().any(|r| r.cell == *cell && r.started <= started)
    };
    let next = (0..runs.len()).find(|at| runs[*at].started > started && open(&runs[*at].cell));
    next.or_else(|| (0..runs.len()).rev().find(|at| runs[*at].started <= started))
}

/// Why a call that has no result, or a bare refusal, failed; `None` where it may be running on.
fn failure_of(tools: &Tools, runs: &[Run], at: usize, tool: &ToolDraft) -> Option<String> {
    let name = tool.hook_name.clone().unwrap_or_else(|| tool.names().0);
    let cell = runs[at].cell.as_ref();
    let chain = || {
        let same = move |(n, run): &(usize, &Run)| *n == at || cell.is_some() && run.cell.as_ref() == cell;
        runs.iter().enumerate().skip(at).filter(same).map(|(_, run)| (run, tools.at(run.place)))
    };
    if chain().any(|(_, script)| reads_as_abort(script.printed())) {
        return Some(ABORTED.to_owned());
    }
    let reason = chain().find_map(|(_, script)| script.reported_error.clone());
    let reported = reason
        .as_deref()
        .and_then(|reason| failure_within(reason, &name))
        .or_else(|| chain().find_map(|(_, script)| failure_within(script.printed(), &name)))
        .or_else(|| reason.filter(|r| name != "Bash" && is_of_a_tool(r)));
    let last =
        chain().next_back().filter(|(run, script)| run.answered && running_cell(script.printed()).is_none());
    let ended = |run: &Run| always_ends(&name) || never_ran(run, tool);
    reported.or_else(|| last.filter(|(run, _)| ended(run)).map(|_| NO_RESULT.to_owned()))
}

/// Returns true if what a script died of is what a tool threw: a sentence, where JavaScript's own errors name their class.
fn is_of_a_tool(reason: &str) -> bool {
    let class = reason.split(':').next().unwrap_or_default();
    !class.ends_with("Error") || class.contains(' ')
}

/// Returns true if a script was over so soon after its command was asked for that the command cannot be running on:
/// Codex waits for each at least [`SHORTEST_WAIT`]. It was refused, and the script caught that.
fn never_ran(run: &Run, tool: &ToolDraft) -> bool {
    tool.hook_at.is_some_and(|at| run.ended < at.plus(SHORTEST_WAIT))
}

/// Longest name of a tool that is looked for in a source, and how many.
const MAX_NAME: usize = 64;
const MAX_NAMES: usize = 16;
/// Shortest time that Codex lets a script wait for a command before it hands over one that still runs.
const SHORTEST_WAIT: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_names_its_tools() {
        for (source, names) in [
            ("text(await tools.exec_command({cmd: 'x'}))", vec!["Bash"]),
            (
                "tools.apply_patch(p); tools.apply_patch (q); tools.mcp__demo__add({})",
                vec!["apply_patch", "mcp__demo__add"],
            ),
            ("Object.keys(tools.x); mytools.y; tools.z", vec![]),
            ("tools.(x)", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(tools_in(source), names, "{source}");
        }
        let named = |length| tools_in(&format!("tools.{}()", "a".repeat(length))).len();
        assert_eq!((named(MAX_NAME), named(MAX_NAME + 1)), (1, 0));
        let many: String = (0..=MAX_NAMES).map(|n| format!("tools.t{n}();")).collect();
        assert_eq!(tools_in(&many).len(), MAX_NAMES);
    }
}
