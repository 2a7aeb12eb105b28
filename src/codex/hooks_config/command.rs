//! The shell command of a hook: quoted when we write it, recognised when we find it.

use crate::codex::events::HookRole;

/// Quotes a path for the shell where it needs it; the form is understood by sh, bash, zsh and fish alike.
pub fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,".contains(c);
    if !path.is_empty() && path.chars().all(plain) {
        return path.to_owned();
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

/// The program a command starts with: leading assignments and `env`, `exec` and `command` are passed over.
pub fn program(command: &str) -> Option<String> {
    let is_assignment = |word: &String| {
        word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
    };
    let is_prefix = |word: &String| matches!(word.as_str(), "env" | "exec" | "command" | "/usr/bin/env");
    words(command).into_iter().find(|word| !is_assignment(word) && !is_prefix(word))
}

/// Which of our hook executables a path names, whatever edition it belongs to.
pub fn role_of(program: &str) -> Option<HookRole> {
    let name = base_name(program);
    HookRole::ALL.into_iter().find(|role| role.link() == name)
}

/// Returns true if a path names our notify executable, whatever edition it belongs to.
pub fn is_notify(program: &str) -> bool {
    base_name(program) == NOTIFY_NAME
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Splits a command as a shell would, as far as quotes and backslashes go.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => word.get_or_insert_default().extend(chars.by_ref().take_while(|c| *c != '\'')),
            '"' => {
                let word = word.get_or_insert_default();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    word.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The name of the executable that Codex's `notify` calls.
pub const NOTIFY_NAME: &str = "arize-hook-codex-notify";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_quoted_only_when_needed() {
        for (path, written) in [
            ("/home/dev/.arize/harness/bin/x", "/home/dev/.arize/harness/bin/x"),
            ("/Users/Jo Doe/x", "'/Users/Jo Doe/x'"),
            ("/it's/x", r"'/it'\''s/x'"),
            ("/a$b/é", "'/a$b/é'"),
        ] {
            assert_eq!(quoted(path), written);
            assert_eq!(program(written).as_deref(), Some(path));
        }
    }

    #[test]
    fn own_program_is_recognised_in_every_spelling() {
        for (command, role) in [
            ("/v/bin/arize-hook-codex-stop", Some(HookRole::Stop)),
            ("\"/v w/arize-hook-codex-tool\" x", Some(HookRole::Tool)),
            ("ARIZE_VERBOSE=1 exec ~/v/arize-hook-codex-session", Some(HookRole::Session)),
            ("'/it'\\''s/arize-hook-codex-stop'", Some(HookRole::Stop)),
            ("echo arize-hook-codex-stop", None),
            ("/v/arize-hook-codex-stop-else", None),
            ("", None),
        ] {
            assert_eq!(program(command).as_deref().and_then(role_of), role, "{command}");
        }
    }
}
