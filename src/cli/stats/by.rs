//! What the rows of `stats` are: days, models, projects, …

use std::collections::BTreeMap;
use std::ops::Range;

use crate::cli::view::text::{local, local_day};
use crate::otel::history_line::Line;
use crate::time::Timestamp;

/// What turns are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Day,
    Week,
    Month,
    Model,
    Project,
    Branch,
    Commit,
    Tool,
    Session,
}

impl By {
    /// Every choice, under the name that is given and printed.
    pub const NAMES: [(&'static str, By); 9] = [
        ("day", By::Day),
        ("week", By::Week),
        ("month", By::Month),
        ("model", By::Model),
        ("project", By::Project),
        ("branch", By::Branch),
        ("commit", By::Commit),
        ("tool", By::Tool),
        ("session", By::Session),
    ];

    /// Reads a choice.
    ///
    /// # Errors
    /// When there is none of that name, as a sentence for the user.
    pub fn parse(text: &str) -> Result<By, String> {
        let found = By::NAMES.iter().find(|(name, _)| *name == text).map(|(_, by)| *by);
        found.ok_or_else(|| {
            "--by is day, week, month, model, project, branch, commit, tool or session".to_owned()
        })
    }

    pub fn name(self) -> &'static str {
        By::NAMES.iter().find(|(_, by)| *by == self).map_or("", |(name, _)| name)
    }

    /// Returns true if rows are in the order of time.
    pub fn is_time(self) -> bool {
        matches!(self, By::Day | By::Week | By::Month)
    }

    /// The form of a day, week or month.
    fn format(self) -> &'static str {
        match self {
            By::Week => "%G-W%V",
            By::Month => "%Y-%m",
            _ => "%Y-%m-%d",
        }
    }

    /// The row of a turn that is counted by what it is, not by when.
    pub fn row_of(self, line: &Line) -> String {
        let or_none = |text: Option<&str>, none: &str| text.unwrap_or(none).to_owned();
        match self {
            By::Project => line.cwd.as_deref().map_or_else(|| "unknown".to_owned(), directory_name),
            By::Branch => or_none(line.branch.as_deref(), "no branch"),
            By::Commit => or_none(line.commit.as_deref(), "no commit"),
            By::Session => line.root.as_ref().map_or(&line.thread, |(thread, _)| thread).clone().into_owned(),
            _ => or_none(line.model.as_deref().filter(|m| !m.is_empty()), "unknown"),
        }
    }
}

/// The last part of a directory's path.
fn directory_name(path: &str) -> String {
    path.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(path).to_owned()
}

/// The names of days, weeks and months in the user's own time, each day worked out once.
#[derive(Debug)]
pub struct Calendar {
    format: &'static str,
    /// The days by their first millisecond.
    days: BTreeMap<u64, Day>,
    /// The one that was asked for last.
    last: Day,
}

/// A day, or what is left of it where a clock is set.
#[derive(Debug, Clone, Default)]
struct Day {
    /// The first millisecond, and the first of the next day.
    range: Range<u64>,
    name: String,
}

impl Calendar {
    pub fn new(by: By) -> Calendar {
        Calendar { format: by.format(), days: BTreeMap::new(), last: Day::default() }
    }

    /// The name of the day, week or month in which a moment lies.
    pub fn name(&mut self, at: Timestamp) -> &str {
        let ms = at.as_millis();
        if !self.last.range.contains(&ms) {
            let known = self.days.range(..=ms).next_back().map(|(_, day)| day);
            let day = known.filter(|day| day.range.contains(&ms)).cloned().unwrap_or_else(|| self.day(at));
            self.days.insert(day.range.start, day.clone());
            self.last = day;
        }
        &self.last.name
    }

    fn day(&self, at: Timestamp) -> Day {
        let name = local(at, self.format);
        let ms = at.as_millis();
        Day { range: local_day(at).unwrap_or(ms..ms + 1), name }
    }
}
