//! The terminal that is there, or is not: width, colours, the pager.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::process::Stdio;

use crate::context::{Context, var};
use crate::platform;

/// Capabilities of stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    pub width: usize,
    /// Lines of a screen; none when nobody looks at one.
    pub height: Option<usize>,
    pub colour: bool,
}

/// Meaning of a piece of text, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Strong,
    Quiet,
    Bad,
    Good,
    Waiting,
    Model,
    Tool,
    Agent,
    Other,
}

impl Terminal {
    /// Asks stdout; COLUMNS gives the width where there is no terminal, NO_COLOR and CLICOLOR_FORCE decide on colours.
    pub fn of(context: &Context) -> Terminal {
        let stdout = io::stdout();
        let size = platform::terminal_size().filter(|_| stdout.is_terminal());
        let given = context.var(var::COLUMNS).and_then(|c| c.parse().ok());
        let measured = size.map(|(columns, _)| columns).filter(|w| *w > 0);
        Terminal {
            width: measured.or(given).unwrap_or(DEFAULT_WIDTH).clamp(MIN_WIDTH, MAX_WIDTH),
            height: size.map(|(_, rows)| rows).filter(|rows| *rows > 0),
            colour: wants_colour(context, size.is_some()),
        }
    }

    /// The text in the colour of its meaning.
    pub fn paint(&self, style: Style, text: &str) -> String {
        let mut out = String::new();
        self.paint_into(&mut out, style, text);
        out
    }

    /// Appends the text in the colour of its meaning.
    pub fn paint_into(&self, out: &mut String, style: Style, text: &str) {
        let code = match style {
            Style::Plain => "",
            Style::Strong => "1",
            Style::Quiet => "2",
            Style::Bad => "31",
            Style::Good => "32",
            Style::Waiting => "33",
            Style::Model => "34",
            Style::Tool => "36",
            Style::Agent => "35",
            Style::Other => "90",
        };
        if !self.colour || code.is_empty() || text.trim().is_empty() {
            out.push_str(text);
        } else {
            let _ = write!(out, "\u{1b}[{code}m{text}\u{1b}[0m");
        }
    }

    /// Writes a text, through the user's pager when it is longer than the screen.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn page(&self, context: &Context, text: &str, out: &mut dyn Write) -> io::Result<()> {
        let long = self.height.is_some_and(|height| text.lines().count() + 1 > height);
        if long && self.try_pager(context, text) {
            return Ok(());
        }
        out.write_all(text.as_bytes())
    }

    fn try_pager(&self, context: &Context, text: &str) -> bool {
        let pager = context.var(var::PAGER).or_else(|| platform::DEFAULT_PAGER.map(str::to_owned));
        let Some(pager) = pager else { return false };
        let mut command = platform::shell(&pager);
        command.stdin(Stdio::piped());
        if context.var(LESS).is_none() {
            // As git does: end on one screen, show colours, leave the text behind.
            command.env(LESS, "FRX");
        }
        let Ok(mut child) = command.spawn() else { return false };
        if let Some(mut stdin) = child.stdin.take() {
            // A user who has seen enough closes the pager.
            let _ = stdin.write_all(text.as_bytes());
        }
        // A shell that finds no such pager says so and leaves with 127.
        child.wait().is_ok_and(|status| status.code() != Some(127))
    }
}

/// CLICOLOR_FORCE outranks what is known of the terminal, NO_COLOR outranks CLICOLOR_FORCE. `--color` sets one and
/// unsets the other.
fn wants_colour(context: &Context, is_terminal: bool) -> bool {
    let forced = context.var(var::CLICOLOR_FORCE).is_some_and(|value| value != "0");
    let dumb = context.var(var::TERM).is_some_and(|t| t == "dumb");
    context.var(var::NO_COLOR).is_none() && (forced || is_terminal && !dumb)
}

const LESS: &str = "LESS";
const DEFAULT_WIDTH: usize = 120;
const MIN_WIDTH: usize = 24;
const MAX_WIDTH: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn colours_follow_the_environment() {
        for (vars, terminal, expected) in [
            (&[][..], true, true),
            (&[], false, false),
            (&[("TERM", "dumb")], true, false),
            (&[("NO_COLOR", "1")], true, false),
            (&[("CLICOLOR_FORCE", "1")], false, true),
            (&[("CLICOLOR_FORCE", "0")], false, false),
            (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], true, false),
        ] {
            let vars: BTreeMap<String, String> =
                vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let context = Context::given(Vec::new(), vars.clone());
            assert_eq!(wants_colour(&context, terminal), expected, "{vars:?} {terminal}");
        }
    }

    #[test]
    fn only_a_terminal_gets_colours() {
        let plain = Terminal { width: 80, height: None, colour: false };
        assert_eq!(plain.paint(Style::Bad, "x"), "x");
        let coloured = Terminal { colour: true, ..plain };
        assert_eq!(coloured.paint(Style::Bad, "x"), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(coloured.paint(Style::Plain, "x"), "x");
    }
}
