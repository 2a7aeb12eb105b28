//! The options with which every command selects turns.

use argh::{ArgsInfo, FromArgs};

use super::moment::Moment;
use crate::context::Context;
use crate::otel::entry::{Head, Summary};
use crate::otel::history_line::Line;
use crate::otel::tool_use::ToolUse;
use crate::time::Timestamp;

/// Options that select turns. Each one given narrows the selection.
#[derive(FromArgs, ArgsInfo, Debug, Clone, Default)]
pub struct Selectors {
    /// only turns of this project, or in a directory of this name or path
    #[argh(option, arg_name = "name")]
    pub project: Option<String>,
    /// only turns of models whose name contains NAME
    #[argh(option, arg_name = "name")]
    pub model: Option<String>,
    /// only turns on this git branch
    #[argh(option, arg_name = "name")]
    pub branch: Option<String>,
    /// only turns that failed or had a failed tool call
    #[argh(switch)]
    pub failed: bool,
    /// only this session and its subagents; the start of the ID is enough
    #[argh(option, arg_name = "id")]
    pub session: Option<String>,
    /// only turns after TIME: 30m, 24h, 7d, 2026-11-26, today, yesterday, "this week", "this month"
    #[argh(option, arg_name = "time", from_str_fn(Moment::parse))]
    pub since: Option<Moment>,
    /// only turns before TIME; a day, week or month is included whole
    #[argh(option, arg_name = "time", from_str_fn(Moment::parse))]
    pub until: Option<Moment>,
}

/// The commands that take [`Selectors`].
pub const SELECTING: [&str; 7] = ["list", "show", "stats", "search", "resend", "backfill", "preview"];

impl Selectors {
    /// Fixes the times that are relative to the present.
    pub fn at(&self, context: &Context) -> Filter<'_> {
        let now = context.now();
        Filter {
            selectors: self,
            since: self.since.map(|moment| moment.start(now)),
            until: self.until.map(|moment| moment.end(now)),
        }
    }

    /// Returns true if nothing is selected.
    pub fn is_empty(&self) -> bool {
        let texts = [&self.project, &self.model, &self.branch, &self.session];
        texts.iter().all(|t| t.is_none()) && !self.failed && self.since.is_none() && self.until.is_none()
    }

    /// Says that nothing was found, in a way that names the reason.
    pub fn nothing(&self) -> &'static str {
        match (self.is_empty(), self.since.is_some() || self.until.is_some()) {
            (true, _) => "no turn has been recorded yet",
            (_, true) => "no turn has been recorded in that time",
            _ => "no recorded turn matches these options",
        }
    }
}

/// [`Selectors`] at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Filter<'a> {
    selectors: &'a Selectors,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Filter<'_> {
    /// Returns true if a turn, or a subagent's turn, is selected. A turn counts for every time in which it
    /// was running.
    pub fn takes(&self, head: &Head) -> bool {
        self.takes_turn(head, &head.summary, head.ended_at)
    }

    /// As [`Filter::takes`], for a turn whose parts have been added up.
    pub fn takes_turn(&self, head: &Head, summary: &Summary, ended: Timestamp) -> bool {
        self.takes_about(&About {
            started: head.started_at,
            ended,
            failed: summary.status == "failed" || summary.failed_tool_calls > 0,
            project: &head.project_name,
            directory: summary.cwd.as_deref(),
            model: summary.model.as_deref(),
            branch: summary.branch.as_deref(),
            threads: [head.root_thread.as_str(), head.key.thread.as_str()],
        })
    }

    /// As [`Filter::takes`], for a turn of the history.
    pub fn takes_line(&self, line: &Line) -> bool {
        let failed = |t: &ToolUse| t.failed > t.failed_nested;
        self.takes_about(&About {
            started: line.started_at(),
            ended: line.ended_at(),
            failed: line.status == "failed" || line.tools.iter().any(failed),
            project: &line.project,
            directory: line.cwd.as_deref(),
            model: line.model.as_deref(),
            branch: line.branch.as_deref(),
            threads: [line.root.as_ref().map_or(&line.thread, |(thread, _)| thread), &line.thread],
        })
    }

    fn takes_about(&self, about: &About) -> bool {
        let Filter { selectors, since, until } = self;
        since.is_none_or(|since| about.ended >= since)
            && until.is_none_or(|until| about.started < until)
            && (!selectors.failed || about.failed)
            && selectors.project.as_deref().is_none_or(|name| is_of_project(about, name))
            && selectors.model.as_deref().is_none_or(|name| contains(about.model, name))
            && selectors.branch.as_deref().is_none_or(|name| about.branch == Some(name))
            && selectors.session.as_deref().is_none_or(|id| about.threads.iter().any(|t| t.starts_with(id)))
    }

    /// The moment before which nothing is selected.
    pub fn since(&self) -> Option<Timestamp> {
        self.since
    }

    /// The moment from which on nothing is selected.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }
}

/// What of a turn selections ask for.
struct About<'a> {
    started: Timestamp,
    ended: Timestamp,
    /// True if the turn failed, or a tool in it.
    failed: bool,
    project: &'a str,
    directory: Option<&'a str>,
    model: Option<&'a str>,
    branch: Option<&'a str>,
    /// The session's and the turn's own.
    threads: [&'a str; 2],
}

/// Returns true if the turn went to this project, or worked in a directory of this name, or at or below this
/// path.
fn is_of_project(about: &About, name: &str) -> bool {
    let directory = about.directory.unwrap_or_default().trim_end_matches(['/', '\\']);
    let wanted = name.trim_end_matches(['/', '\\']);
    let last = directory.rsplit(['/', '\\']).next().unwrap_or_default();
    let below = || {
        directory.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '\\']))
    };
    about.project == name || !wanted.is_empty() && (last == wanted || wanted.contains(['/', '\\']) && below())
}

fn contains(text: Option<&str>, part: &str) -> bool {
    text.is_some_and(|text| text.to_lowercase().contains(&part.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otel::testing;
    use std::collections::BTreeMap;

    fn selects(args: &[&str], head: &Head) -> bool {
        let context =
            Context::given(Vec::new(), BTreeMap::new()).at(Timestamp::parse("2026-11-27T12:00:00Z").unwrap());
        Selectors::from_args(&["x"], args).unwrap().at(&context).takes(head)
    }

    fn selects_line(args: &[&str], head: &Head) -> bool {
        let context =
            Context::given(Vec::new(), BTreeMap::new()).at(Timestamp::parse("2026-11-27T12:00:00Z").unwrap());
        Selectors::from_args(&["x"], args).unwrap().at(&context).takes_line(&Line::of(head))
    }

    #[test]
    fn each_option_narrows_the_selection() {
        let mut head = testing::entry("turn-1", 1).head;
        head.project_name = "codex".into();
        head.started_at = Timestamp::parse("2026-11-27T10:00:00Z").unwrap();
        head.ended_at = Timestamp::parse("2026-11-27T10:30:00Z").unwrap();
        head.summary = Summary {
            model: Some("gpt-6.2-sol".into()),
            branch: Some("main".into()),
            cwd: Some("/home/dev/parser/src".into()),
            status: "completed".into(),
            ..Summary::default()
        };
        for (args, taken) in [
            (&[][..], true),
            (&["--project", "codex"], true),
            (&["--project", "src"], true),
            (&["--project", "/home/dev/parser/"], true),
            (&["--project", "/home/dev/pars"], false),
            (&["--project", ""], false),
            (&["--model", "SOL"], true),
            (&["--model", "terra"], false),
            (&["--branch", "main"], true),
            (&["--branch", "mai"], false),
            (&["--failed"], false),
            (&["--session", "thr"], true),
            (&["--session", "x"], false),
            (&["--since", "100m"], true),
            (&["--since", "1h"], false),
            (&["--until", "100m"], true),
            (&["--until", "3h"], false),
            (&["--since", "2026-11-28"], false),
            (&["--until", "2026-11-25"], false),
        ] {
            assert_eq!(selects(args, &head), taken, "{args:?}");
            assert_eq!(selects_line(args, &head), taken, "{args:?}, as a line of the history");
        }
        head.summary.failed_tool_calls = 1;
        assert!(selects(&["--failed"], &head));
    }
}
