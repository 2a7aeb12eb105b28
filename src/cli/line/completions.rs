//! Completions for bash, zsh and fish, from the table.

use super::table::{CommandSpec, OptionSpec};

/// The completions for a shell, or none for one that is not known.
pub fn completions(root: &CommandSpec, shell: &str) -> Option<String> {
    match shell {
        "bash" => Some(bash(root)),
        "zsh" => Some(zsh(root)),
        "fish" => Some(fish(root)),
        _ => None,
    }
}

/// Every command with the words that lead to it.
fn paths(root: &CommandSpec) -> Vec<(Vec<&'static str>, &CommandSpec)> {
    let mut found = Vec::new();
    for command in root.shown() {
        found.push((vec![command.name], command));
        found.extend(command.commands.iter().map(|c| (vec![command.name, c.name], c)));
    }
    found
}

fn names(commands: &[CommandSpec]) -> String {
    commands.iter().map(|c| c.name).filter(|n| *n != "hook").collect::<Vec<_>>().join(" ")
}

fn options(command: &CommandSpec) -> String {
    command.options.iter().map(|o| format!("--{}", o.name)).collect::<Vec<_>>().join(" ")
}

/// The options with a fixed choice of values.
fn with_choices(root: &CommandSpec) -> Vec<&OptionSpec> {
    let mut found: Vec<&OptionSpec> = Vec::new();
    for option in paths(root).iter().flat_map(|(_, c)| &c.options).filter(|o| !o.choices.is_empty()) {
        if !found.iter().any(|o| o.name == option.name) {
            found.push(option);
        }
    }
    found
}

fn bash(root: &CommandSpec) -> String {
    let mut out = format!(
        "# bash completions of {0}; put this into your .bashrc: eval \"$({0} completions bash)\"\n\
         _arize_codex() {{\n    local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} path= word\n\
         \x20   for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n\
         \x20       case $word in -*) ;; *) path=\"$path $word\" ;; esac\n    done\n    case $before in\n",
        root.name
    );
    for option in with_choices(root) {
        out.push_str(&format!(
            "        --{}) COMPREPLY=($(compgen -W \"{}\" -- \"$current\")); return ;;\n",
            option.name,
            option.choices.join(" ")
        ));
    }
    out.push_str("    esac\n    case $path in\n");
    let mut commands = paths(root);
    commands.reverse();
    for (path, command) in commands {
        let words = format!("{} {}", options(command), names(&command.commands));
        out.push_str(&format!("        \" {}\"*) set -- {} ;;\n", path.join(" "), words.trim()));
    }
    out.push_str(&format!("        *) set -- {} {} ;;\n    esac\n", names(&root.commands), options(root)));
    out.push_str("    COMPREPLY=($(compgen -W \"$*\" -- \"$current\"))\n}\n");
    out.push_str(&format!("complete -o default -F _arize_codex {}\n", root.name));
    out
}

fn zsh(root: &CommandSpec) -> String {
    let mut out = format!(
        "#compdef {}\n_arize_codex() {{\n    local -a words_of\n    local path=\"\" word\n",
        root.name
    );
    out.push_str(
        "    for word in ${words[2,CURRENT-1]}; do\n        case $word in -*) ;; *) path=\"$path $word\" ;; esac\n    done\n    \
         case ${words[CURRENT-1]} in\n",
    );
    for option in with_choices(root) {
        out.push_str(&format!(
            "        --{}) compadd -- {}; return ;;\n",
            option.name,
            option.choices.join(" ")
        ));
    }
    out.push_str("    esac\n    case $path in\n");
    let described = |items: Vec<(String, &str)>| {
        let items = items
            .into_iter()
            .map(|(name, about)| format!("'{}:{}'", name, about.replace('\'', "’").replace(':', "\\:")));
        items.collect::<Vec<_>>().join(" ")
    };
    let words = |command: &CommandSpec| {
        let commands = command.shown().map(|c| (c.name.to_owned(), c.about));
        described(
            commands.chain(command.options.iter().map(|o| (format!("--{}", o.name), o.about))).collect(),
        )
    };
    let mut commands = paths(root);
    commands.reverse();
    for (path, command) in commands {
        out.push_str(&format!("        \" {}\"*) words_of=({}) ;;\n", path.join(" "), words(command)));
    }
    out.push_str(&format!("        *) words_of=({}) ;;\n    esac\n", words(root)));
    out.push_str("    _describe 'arize-codex' words_of || _files\n}\n");
    out.push_str(&format!("compdef _arize_codex {}\n", root.name));
    out
}

fn fish(root: &CommandSpec) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let mut out = format!("# fish completions of {}\n", root.name);
    let all = names(&root.commands);
    for command in root.shown() {
        out.push_str(&format!(
            "complete -c {} -f -n 'not __fish_seen_subcommand_from {all}' -a {} -d {}\n",
            root.name,
            command.name,
            quoted(command.about)
        ));
    }
    for (path, command) in paths(root) {
        let seen: Vec<String> = path.iter().map(|w| format!("__fish_seen_subcommand_from {w}")).collect();
        let condition = seen.join("; and ");
        for sub in command.shown() {
            let line = format!("complete -c {} -f -n '{condition}' -a {}", root.name, sub.name);
            out.push_str(&format!("{line} -d {}\n", quoted(sub.about)));
        }
        for option in &command.options {
            let value = match (option.value, option.choices) {
                (None, _) => String::new(),
                (Some(_), []) => " -r".to_owned(),
                (Some(_), choices) => format!(" -x -a '{}'", choices.join(" ")),
            };
            let line = format!("complete -c {} -n '{condition}' -l {}{value}", root.name, option.name);
            out.push_str(&format!("{line} -d {}\n", quoted(option.about)));
        }
    }
    out
}
