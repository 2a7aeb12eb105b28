//! What a backfill found and did: a line that moves while it works, and the sentences at its end.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::cli::view::text::{counted, grouped};
use crate::text::printable;
use crate::time::lasted;

/// Counts what was found and done.
#[derive(Debug, Default)]
pub struct Count {
    pub files: u64,
    /// Not opened: read to their end by an earlier run.
    pub finished: u64,
    pub unreadable: u64,
    pub turns: u64,
    pub spans: u64,
    pub known: u64,
    pub running: u64,
    pub unwanted: u64,
    /// Rollouts of other sessions.
    pub elsewhere: u64,
    pub internal: u64,
    pub delivered: u64,
    /// Files that are no rollouts, and what they are.
    pub foreign: Vec<(PathBuf, &'static str)>,
    /// Number of rollouts by each program that is not Codex.
    pub programs: BTreeMap<String, u64>,
}

impl Count {
    /// Writes the sentences.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, dry_run: bool, out: &mut dyn Write) -> std::io::Result<()> {
        let spans = counted(self.spans, "span");
        if dry_run {
            writeln!(out, "{} to send, {spans}", counted(self.turns, "turn"))?;
        } else {
            writeln!(
                out,
                "{} found, {spans}, {} delivered",
                counted(self.turns, "turn"),
                counted(self.delivered, "turn")
            )?;
        }
        let read = self.files - self.finished;
        writeln!(out, "{}, {} of them read", counted(self.files, "session file"), grouped(read))?;
        let rest = [
            (self.known, "already traced"),
            (self.running, "possibly still running; left to the hooks"),
            (self.unwanted, "outside the selection"),
        ];
        for (n, why) in rest.into_iter().filter(|(n, _)| *n > 0) {
            writeln!(out, "{} {why}", counted(n, "turn"))?;
        }
        let rest = [
            (self.elsewhere, "of other sessions"),
            (self.internal, "of Codex's internal sessions"),
            (self.unreadable, "that could not be read; see the log"),
        ];
        for (n, which) in rest.into_iter().filter(|(n, _)| *n > 0) {
            writeln!(out, "{} {which}", counted(n, "session file"))?;
        }
        for (name, n) in &self.programs {
            let turns = if *n == 1 { "its turns have" } else { "their turns have" };
            writeln!(
                out,
                "{} written by {}, not by Codex: {turns} no model",
                counted(*n, "session file"),
                printable(name)
            )?;
        }
        for (path, what) in self.foreign.iter().take(MOST_NAMED) {
            writeln!(out, "not a session file: {}: {what}", printable(&path.display().to_string()))?;
        }
        if self.foreign.len() > MOST_NAMED {
            writeln!(
                out,
                "{} more files are not session files",
                grouped((self.foreign.len() - MOST_NAMED) as u64)
            )?;
        }
        Ok(())
    }
}

/// A line on stderr that is written over, when somebody looks.
#[derive(Debug)]
pub struct ProgressLine {
    files: usize,
    began: Instant,
    drawn: Instant,
    shown: bool,
}

impl ProgressLine {
    pub fn new(files: usize) -> ProgressLine {
        let now = Instant::now();
        ProgressLine { files, began: now, drawn: now, shown: std::io::stderr().is_terminal() }
    }

    /// Draws the line anew, a few times a second at most.
    pub fn tick(&mut self, count: &Count) {
        if !self.shown || self.drawn.elapsed() < REDRAW {
            return;
        }
        self.drawn = Instant::now();
        let done = count.files.saturating_sub(1) as f64 / self.files.max(1) as f64;
        let filled = (done * BAR_COLUMNS as f64) as usize;
        let elapsed = self.began.elapsed();
        let left = if done > 0.02 {
            let left = elapsed.mul_f64((1.0 - done) / done);
            format!(", {} left", lasted(left))
        } else {
            String::new()
        };
        eprint!(
            "\r\u{1b}[K{}{} {}/{} files, {} turns, {} delivered{left}",
            "█".repeat(filled),
            "░".repeat(BAR_COLUMNS - filled),
            count.files,
            self.files,
            grouped(count.turns),
            grouped(count.delivered),
        );
    }

    /// Clears the line.
    pub fn end(&self) {
        if self.shown {
            eprint!("\r\u{1b}[K");
        }
    }
}

/// Number of files that are named one by one.
const MOST_NAMED: usize = 20;
const REDRAW: Duration = Duration::from_millis(100);
const BAR_COLUMNS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_names_found_and_left_out() {
        let count = Count { files: 3, finished: 1, turns: 1, spans: 1234, known: 2, ..Count::default() };
        let mut out = Vec::new();
        count.write(true, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "1 turn to send, 1,234 spans\n3 session files, 2 of them read\n2 turns already traced\n"
        );
    }
}
