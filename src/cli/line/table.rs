//! The table of commands and options, read out of argh's declarations.

use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfoKind, Optionality};

/// A command, or the program itself.
#[derive(Debug, Clone)]
pub struct CommandSpec {
    pub name: &'static str,
    pub about: &'static str,
    pub options: Vec<OptionSpec>,
    pub positionals: Vec<PositionalSpec>,
    pub commands: Vec<CommandSpec>,
}

/// An option, without its dashes.
#[derive(Debug, Clone)]
pub struct OptionSpec {
    pub name: &'static str,
    /// How its value is called, where it takes one.
    pub value: Option<&'static str>,
    /// May stand without its value.
    pub value_optional: bool,
    pub about: &'static str,
    pub group: Group,
    /// What its value may be, for completions.
    pub choices: &'static [&'static str],
}

/// Who declares an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The command itself.
    Own,
    /// [`Selectors`](crate::cli::selection::selectors::Selectors), shared by the commands that select turns.
    Selectors,
    /// [`Output`](crate::cli::view::records::Output), shared by the commands that print tables.
    Output,
    /// Every command.
    Everywhere,
}

/// A word that is no option.
#[derive(Debug, Clone)]
pub struct PositionalSpec {
    pub name: &'static str,
    pub about: &'static str,
    pub required: bool,
    pub repeated: bool,
}

/// Options shared by several commands.
pub struct Shared {
    pub group: Group,
    pub commands: &'static [&'static str],
    pub info: CommandInfoWithArgs,
}

impl CommandSpec {
    /// Reads the declaration of a program, and adds the options its commands share.
    pub fn of<T: ArgsInfo>(program: &'static str, shared: &[Shared]) -> CommandSpec {
        let mut root = command(program, T::get_args_info());
        for command in &mut root.commands {
            for shared in shared.iter().filter(|s| s.commands.contains(&command.name)) {
                command.options.extend(options(&shared.info, shared.group, command.name));
            }
        }
        root.each(&mut |command| command.options.extend(EVERYWHERE.iter().cloned()));
        root.options.push(VERSION);
        root
    }

    /// The command under this name.
    pub fn command(&self, name: &str) -> Option<&CommandSpec> {
        self.commands.iter().find(|c| c.name == name)
    }

    /// The option under this name.
    pub fn option(&self, name: &str) -> Option<&OptionSpec> {
        let aliased = self.options.iter().any(|o| o.group == Group::Selectors);
        let name = ALIASES.iter().find(|(alias, _)| aliased && *alias == name).map_or(name, |(_, name)| name);
        self.options.iter().find(|o| o.name == name)
    }

    /// The commands a user calls: all but the hooks.
    pub fn shown(&self) -> impl Iterator<Item = &CommandSpec> {
        self.commands.iter().filter(|c| c.name != HOOK)
    }

    fn each(&mut self, change: &mut dyn FnMut(&mut CommandSpec)) {
        change(self);
        for command in &mut self.commands {
            command.each(change);
        }
    }
}

fn command(name: &'static str, info: CommandInfoWithArgs) -> CommandSpec {
    CommandSpec {
        name,
        about: info.description,
        options: options(&info, Group::Own, name),
        positionals: info
            .positionals
            .iter()
            .filter(|p| !p.hidden)
            .map(|p| PositionalSpec {
                name: p.name,
                about: p.description,
                required: p.optionality == Optionality::Required,
                repeated: matches!(p.optionality, Optionality::Repeating | Optionality::Greedy),
            })
            .collect(),
        commands: info.commands.into_iter().map(|c| command(c.name, c.command)).collect(),
    }
}

fn options(info: &CommandInfoWithArgs, group: Group, command: &str) -> Vec<OptionSpec> {
    let shown = info.flags.iter().filter(|f| !f.hidden && f.long != "--help");
    shown
        .map(|flag| {
            let name = flag.long.trim_start_matches("--");
            let value = match flag.kind {
                FlagInfoKind::Option { arg_name } => Some(arg_name),
                FlagInfoKind::Switch => None,
            };
            let choices = CHOICES.iter().find(|(option, _)| *option == name).map_or(&[][..], |(_, c)| c);
            let value_optional = OPTIONAL_VALUES.contains(&(command, name));
            OptionSpec { name, value, value_optional, about: flag.description, group, choices }
        })
        .collect()
}

const EVERYWHERE: [OptionSpec; 2] = [
    OptionSpec {
        name: "color",
        value: Some("WHEN"),
        value_optional: false,
        about: "when to use colours: auto (default), always or never; NO_COLOR and CLICOLOR_FORCE are respected",
        group: Group::Everywhere,
        choices: &["auto", "always", "never"],
    },
    OptionSpec {
        name: "help",
        value: None,
        value_optional: false,
        about: "print this help",
        group: Group::Everywhere,
        choices: &[],
    },
];
const VERSION: OptionSpec = OptionSpec {
    name: "version",
    value: None,
    value_optional: false,
    about: "print the version",
    group: Group::Everywhere,
    choices: &[],
};
/// Options that may stand without a value, and their commands.
const OPTIONAL_VALUES: [(&str, &str); 2] = [("show", "html"), ("demo", "html")];
/// Earlier names of options that select turns.
const ALIASES: [(&str, &str); 1] = [("thread", "session")];
/// What the value of an option may be, for completions.
const CHOICES: [(&str, &[&str]); 3] = [
    ("target", &["phoenix", "arize", "otlp", "local"]),
    ("span-tree", &["turn", "calls"]),
    ("by", &["day", "week", "month", "model", "project", "branch", "commit", "tool", "session"]),
];
const HOOK: &str = "hook";
