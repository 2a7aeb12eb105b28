//! The manual page, in roff, from the table.

use super::help;
use super::table::CommandSpec;

/// The page of the program and all its commands.
pub fn page(root: &CommandSpec) -> String {
    let name = root.name;
    let mut out = format!(".TH {} 1 \"\" \"{name} {VERSION}\"\n", name.to_uppercase());
    out.push_str(&format!(".SH NAME\n{name} \\- {}\n", escaped(root.about)));
    out.push_str(&format!(".SH SYNOPSIS\n.B {name}\n.I COMMAND\n[\\fIOPTION\\fR…]\n"));
    out.push_str(&format!(".SH DESCRIPTION\n{}\n.SH COMMANDS\n", escaped(DESCRIPTION)));
    for command in root.shown() {
        section(&mut out, root, &[command.name], command);
        for sub in &command.commands {
            section(&mut out, root, &[command.name, sub.name], sub);
        }
    }
    out.push_str(".SH \"EXIT STATUS\"\n0 done, 1 failed, 2 the command line was not understood.\n");
    out.push_str(".SH FILES\n");
    for (path, about) in FILES {
        out.push_str(&format!(".TP\n.I {}\n{}\n", escaped(path), escaped(about)));
    }
    out
}

fn section(out: &mut String, root: &CommandSpec, path: &[&str], command: &CommandSpec) {
    out.push_str(&format!(".SS \"{}\"\n", escaped(&help::usage(root, path, command))));
    out.push_str(&escaped(command.about));
    out.push('\n');
    for positional in &command.positionals {
        let name = help::metavar(positional.name);
        out.push_str(&format!(".TP\n.I {}\n{}\n", escaped(&name), escaped(positional.about)));
    }
    for option in &command.options {
        out.push_str(&format!(".TP\n.B {}\n{}\n", escaped(&help::signature(option)), escaped(option.about)));
    }
}

/// A text in which roff finds nothing to do.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('"', "\\(dq");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
const DESCRIPTION: &str = "Codex calls this program at each point of a session. It turns each finished turn into \
                           OpenInference spans, keeps them on this machine and delivers them to the backend that is \
                           set. The commands below set it up, check it, and show what is kept.";
const FILES: [(&str, &str); 4] = [
    ("~/.arize/harness/config.yaml", "the settings"),
    ("~/.arize/harness/state/codex", "turns kept on this machine"),
    ("~/.arize/harness/logs/codex.log", "the log"),
    ("~/.codex/config.toml", "where Codex finds the hooks"),
];
