//! Splits the words of a command line: the command's own for argh, the shared options, and what every command takes.

use super::help::metavar;
use super::nearest::nearest;
use super::table::{CommandSpec, Group, OptionSpec};

/// What a command line asks for.
#[derive(Debug)]
pub enum Request {
    /// To run a command.
    Run(Line),
    /// The help of the command reached by these words.
    Help(Vec<&'static str>),
    Version,
}

/// The words of a command line, by who parses them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The command, its own options and its positional words, for argh.
    pub own: Vec<String>,
    pub selectors: Vec<String>,
    pub output: Vec<String>,
    pub colour: Colour,
}

/// What `--color` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

/// Splits the words behind the program's name.
///
/// # Errors
/// With a sentence about what was not understood, and the nearest word that would be.
pub fn split(table: &CommandSpec, words: &[String]) -> Result<Request, String> {
    let mut state =
        Splitting { command: table, path: Vec::new(), line: Line::default(), positionals: Vec::new() };
    let mut words = words.iter();
    let mut options_ended = false;
    while let Some(word) = words.next() {
        let is_option = !options_ended && word.len() > 1 && word.starts_with('-');
        match word.as_str() {
            "--" if !options_ended => options_ended = true,
            "-h" | "--help" if !options_ended => return Ok(Request::Help(state.path)),
            "-V" | "--version" if !options_ended && state.path.is_empty() => return Ok(Request::Version),
            _ if is_option => state.option(word, &mut words)?,
            "help" if state.path.is_empty() => return Ok(Request::Help(help_path(table, words.as_slice())?)),
            _ => state.word(word)?,
        }
    }
    state.finish()
}

/// The command that `help COMMAND …` asks about.
fn help_path(table: &CommandSpec, words: &[String]) -> Result<Vec<&'static str>, String> {
    let (mut command, mut path) = (table, Vec::new());
    for word in words.iter().filter(|w| !w.starts_with('-')) {
        command = command.command(word).ok_or_else(|| no_command(command, word))?;
        path.push(command.name);
    }
    Ok(path)
}

struct Splitting<'a> {
    command: &'a CommandSpec,
    path: Vec<&'static str>,
    line: Line,
    positionals: Vec<String>,
}

impl<'a> Splitting<'a> {
    /// Takes a word that is no option: the next command, or a positional.
    fn word(&mut self, word: &str) -> Result<(), String> {
        if self.command.commands.is_empty() {
            self.positionals.push(word.to_owned());
            return Ok(());
        }
        self.command = self.command.command(word).ok_or_else(|| no_command(self.command, word))?;
        self.path.push(self.command.name);
        Ok(())
    }

    /// Takes an option and its value.
    fn option(&mut self, word: &str, rest: &mut std::slice::Iter<String>) -> Result<(), String> {
        let (given, attached) = match word.split_once('=') {
            Some((name, value)) if word.starts_with("--") => (name, Some(value.to_owned())),
            _ => (word, None),
        };
        let name = given.strip_prefix("--").unwrap_or_default();
        let option = self.command.option(name).ok_or_else(|| no_option(self.command, &self.path, given))?;
        let value = match (option.value, attached) {
            (None, None) => None,
            (None, Some(_)) => return Err(format!("{given} takes no value")),
            (Some(_), Some(value)) => Some(value),
            (Some(what), None) => Some(self.next_value(given, what, option, rest)?),
        };
        let words = match option.group {
            Group::Own => &mut self.line.own,
            Group::Selectors => &mut self.line.selectors,
            Group::Output => &mut self.line.output,
            Group::Everywhere => {
                self.line.colour = colour(value.as_deref().unwrap_or_default())?;
                return Ok(());
            }
        };
        words.push(format!("--{}", option.name));
        words.extend(value);
        Ok(())
    }

    fn next_value(
        &self,
        given: &str,
        what: &str,
        option: &OptionSpec,
        rest: &mut std::slice::Iter<String>,
    ) -> Result<String, String> {
        let looks_like_option = |w: &String| w.len() > 1 && w.starts_with('-');
        if option.value_optional && rest.as_slice().first().is_none_or(looks_like_option) {
            return Ok(String::new());
        }
        let known = |w: &String| w.strip_prefix("--").is_some_and(|n| self.command.option(n).is_some());
        match rest.as_slice().first() {
            Some(value) if !known(value) => {
                rest.next();
                Ok(value.clone())
            }
            _ => Err(format!("{given} needs a value: {given} {}", metavar(what))),
        }
    }

    fn finish(mut self) -> Result<Request, String> {
        if !self.command.commands.is_empty() {
            if self.path.is_empty() {
                return Ok(Request::Help(self.path));
            }
            let names: Vec<&str> = self.command.commands.iter().map(|c| c.name).collect();
            return Err(format!("{} needs one of: {}", self.path.join(" "), names.join(", ")));
        }
        let mut own: Vec<String> = self.path.iter().map(|word| (*word).to_owned()).collect();
        own.append(&mut self.line.own);
        if !self.positionals.is_empty() {
            // A lone dash, and "help", are words here, and options to argh.
            own.push("--".to_owned());
            own.append(&mut self.positionals);
        }
        self.line.own = own;
        Ok(Request::Run(self.line))
    }
}

fn colour(value: &str) -> Result<Colour, String> {
    match value {
        "auto" => Ok(Colour::Auto),
        "always" => Ok(Colour::Always),
        "never" => Ok(Colour::Never),
        _ => Err(format!("--color is auto, always or never, not {value}")),
    }
}

fn no_command(command: &CommandSpec, word: &str) -> String {
    let names = command.commands.iter().map(|c| c.name);
    let meant = nearest(word, names).map(|n| format!("; did you mean {n}?")).unwrap_or_default();
    format!("unknown command {word}{meant}")
}

fn no_option(command: &CommandSpec, path: &[&str], given: &str) -> String {
    let name = given.trim_start_matches('-');
    let names = command.options.iter().map(|o| o.name);
    let meant = nearest(name, names).map(|n| format!("; did you mean --{n}?")).unwrap_or_default();
    let of = path.last().map(|_| format!("{} has ", path.join(" "))).unwrap_or_default();
    format!("{of}no option {given}{meant}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::line::table::PositionalSpec;

    fn option(name: &'static str, value: Option<&'static str>, group: Group) -> OptionSpec {
        OptionSpec { name, value, value_optional: name == "html", about: "", group, choices: &[] }
    }

    fn table() -> CommandSpec {
        let command = |name, options, commands| CommandSpec {
            name,
            about: "",
            options,
            positionals: vec![PositionalSpec { name: "turn", about: "", required: false, repeated: false }],
            commands,
        };
        let show = vec![
            option("limit", Some("n"), Group::Own),
            option("full", None, Group::Own),
            option("html", Some("file"), Group::Own),
            option("session", Some("id"), Group::Selectors),
            option("json", None, Group::Output),
            option("color", Some("when"), Group::Everywhere),
        ];
        let set = command("set", Vec::new(), Vec::new());
        let config = command("config", Vec::new(), vec![set]);
        command("program", Vec::new(), vec![command("show", show, Vec::new()), config])
    }

    fn run(words: &[&str]) -> Result<Line, String> {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        match split(&table(), &words)? {
            Request::Run(line) => Ok(line),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn words_go_to_whoever_parses_them() {
        for (words, own) in [
            (&["show"][..], &["show"][..]),
            (&["show", "--limit", "5"], &["show", "--limit", "5"]),
            (&["show", "--limit=5", "x"], &["show", "--limit", "5", "--", "x"]),
            (&["show", "--limit=a=b"], &["show", "--limit", "a=b"]),
            (&["show", "--limit", "-5"], &["show", "--limit", "-5"]),
            (&["show", "-"], &["show", "--", "-"]),
            (&["show", "help"], &["show", "--", "help"]),
            (&["show", "--", "--full"], &["show", "--", "--full"]),
            (&["show", "--html"], &["show", "--html", ""]),
            (&["show", "--html", "--full"], &["show", "--html", "", "--full"]),
            (&["show", "--html", "-", "3"], &["show", "--html", "-", "--", "3"]),
            (&["show", "--html="], &["show", "--html", ""]),
            (&["config", "set", "key", "-"], &["config", "set", "--", "key", "-"]),
        ] {
            assert_eq!(run(words).unwrap().own, own, "{words:?}");
        }
        let line = run(&["show", "--session=ab", "--json", "--color", "never", "--thread", "cd"]).unwrap();
        assert_eq!(line.selectors, ["--session", "ab", "--session", "cd"]);
        assert_eq!((line.output, line.colour), (vec!["--json".to_owned()], Colour::Never));
    }

    #[test]
    fn mistyped_words_are_answered_with_the_nearest() {
        for (words, said) in [
            (&["shwo"][..], "unknown command shwo; did you mean show?"),
            (&["frobnicate"], "unknown command frobnicate"),
            (&["config", "st"], "unknown command st; did you mean set?"),
            (&["config"], "config needs one of: set"),
            (&["show", "--limt=5"], "show has no option --limt; did you mean --limit?"),
            (&["show", "-x"], "show has no option -x"),
            (&["show", "--full=yes"], "--full takes no value"),
            (&["show", "--limit"], "--limit needs a value: --limit N"),
            (&["show", "--limit", "--full"], "--limit needs a value: --limit N"),
            (&["show", "--color", "blue"], "--color is auto, always or never, not blue"),
        ] {
            assert_eq!(run(words).unwrap_err(), said, "{words:?}");
        }
    }

    #[test]
    fn help_is_found_everywhere() {
        for (words, path) in [
            (&[][..], &[][..]),
            (&["--help"], &[]),
            (&["help"], &[]),
            (&["help", "config", "set"], &["config", "set"]),
            (&["show", "-h"], &["show"]),
            (&["show", "--limit", "5", "--help"], &["show"]),
        ] {
            assert_eq!(run(words).unwrap_err(), format!("Help({path:?})"), "{words:?}");
        }
        assert_eq!(run(&["-V"]).unwrap_err(), "Version");
    }
}
