//! The help of a command, from the table.

use super::table::{CommandSpec, Group, OptionSpec};
use crate::cli::view::text::{pad, width};

/// The help of the command under `path`, for a terminal of this width.
pub fn help(root: &CommandSpec, path: &[&str], columns: usize) -> String {
    let mut command = root;
    for word in path {
        command = command.command(word).unwrap_or(command);
    }
    let mut out = format!("Usage: {}\n\n", usage(root, path, command));
    wrapped(&mut out, command.about, 0, columns);
    let rows = |rows: Vec<(String, &str)>, title: &str, out: &mut String| {
        if rows.is_empty() {
            return;
        }
        out.push_str(&format!("\n{title}:\n"));
        let label = rows.iter().map(|(name, _)| width(name)).max().unwrap_or(0).min(MAX_LABEL);
        for (name, about) in rows {
            out.push_str(&format!("  {}  ", pad(&name, label.max(width(&name)))));
            wrapped(out, about, label + 4, columns);
        }
    };
    let positionals = command.positionals.iter().map(|p| (metavar(p.name), p.about)).collect();
    rows(positionals, "Arguments", &mut out);
    rows(command.shown().map(|c| (c.name.to_owned(), c.about)).collect(), "Commands", &mut out);
    for (group, title) in TITLES {
        let options = command.options.iter().filter(|o| o.group == group);
        rows(options.map(|o| (signature(o), o.about)).collect(), title, &mut out);
    }
    if path.is_empty() {
        out.push_str(&format!("\nRun `{} COMMAND --help` for the options of a command.\n", root.name));
        out.push_str("Exit codes: 0 success, 1 failure, 2 invalid command line.\n");
    }
    out
}

/// Returns how a command is called.
pub fn usage(root: &CommandSpec, path: &[&str], command: &CommandSpec) -> String {
    let mut out = root.name.to_owned();
    for word in path {
        out.push(' ');
        out.push_str(word);
    }
    if !command.commands.is_empty() {
        out.push_str(" COMMAND");
    }
    if command.options.iter().any(|o| o.group != Group::Everywhere) {
        out.push_str(" [OPTION…]");
    }
    for positional in &command.positionals {
        let name = metavar(positional.name);
        let more = if positional.repeated { "…" } else { "" };
        match positional.required {
            true => out.push_str(&format!(" {name}{more}")),
            false => out.push_str(&format!(" [{name}{more}]")),
        }
    }
    out
}

/// An option as it is written, with its value.
pub fn signature(option: &OptionSpec) -> String {
    let name = option.name;
    match (option.value, option.value_optional) {
        (None, _) => format!("--{name}"),
        (Some(value), false) => format!("--{name} {}", metavar(value)),
        (Some(value), true) => format!("--{name} [{}]", metavar(value)),
    }
}

/// The name of a value, in capitals.
pub fn metavar(name: &str) -> String {
    name.to_uppercase().replace('_', "-")
}

fn wrapped(out: &mut String, text: &str, indent: usize, columns: usize) {
    let room = columns.saturating_sub(indent).max(20);
    let mut used = 0;
    for word in text.split_whitespace() {
        if used > 0 && used + 1 + width(word) > room {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            used = 0;
        }
        if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += width(word);
    }
    out.push('\n');
}

/// The headings of a command's options, in their order.
pub const TITLES: [(Group, &str); 4] = [
    (Group::Own, "Options"),
    (Group::Selectors, "Select turns"),
    (Group::Output, "Output format"),
    (Group::Everywhere, "Global options"),
];
const MAX_LABEL: usize = 26;
