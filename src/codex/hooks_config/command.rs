//! The shell command of a hook: quoted when we write it, recognised when we find it.

use std::path::Path;

use crate::codex::events::HookRole;
use crate::platform;

/// How command lines are read: by a POSIX shell, or by PowerShell and cmd.exe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shell {
    Posix,
    Windows,
}

const SHELL: Shell = if cfg!(windows) { Shell::Windows } else { Shell::Posix };

/// Writes a path so that the shell Codex calls runs it.
pub fn quoted(path: &str) -> String {
    match SHELL {
        Shell::Posix => for_posix(path),
        Shell::Windows => for_windows(path, || platform::short_path(Path::new(path))),
    }
}

/// Quotes a path where it needs it; the form is understood by sh, bash, zsh and fish alike.
fn for_posix(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,".contains(c);
    if !path.is_empty() && path.chars().all(plain) {
        return path.to_owned();
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

/// Writes a path so that PowerShell and cmd.exe alike run it: Codex takes the first, and the second where there is no
/// PowerShell. A quoted path is an expression to PowerShell, which prints it and runs nothing. So a path that needs
/// quotes is its short name, and where the volume keeps none, the argument of a cmd.exe.
fn for_windows(path: &str, short: impl FnOnce() -> Option<String>) -> String {
    let plain = |c: char| c.is_alphanumeric() || "\\/:._-+~".contains(c);
    if path.chars().all(plain) {
        return path.to_owned();
    }
    match short().filter(|short| short.chars().all(plain)) {
        Some(short) => short,
        None => format!("cmd /d /c \"{path}\""),
    }
}

/// The keys under which Codex looks for a handler's command on this system, the first that is there first. A handler may
/// have one for Windows beside the one for all (`hooks/list` of codex.exe 0.142.5, 0.155.0 and 0.171.0).
pub const KEYS: &[&str] = match SHELL {
    Shell::Posix => &["command"],
    Shell::Windows => &["commandWindows", "command_windows", "command"],
};

/// Directory in which this repository's plugin expects the executables, in its own spelling. Where PowerShell runs the
/// hooks it is the default one: PowerShell 5.1 has no short way to say "this variable, or else".
pub const PLUGIN_BIN: &str = match SHELL {
    Shell::Posix => "${ARIZE_HARNESS_HOME:-$HOME/.arize/harness}/bin",
    Shell::Windows => r"$HOME\.arize\harness\bin",
};

/// The program a command starts with: leading assignments and what only runs another program are passed over.
pub fn program(command: &str) -> Option<String> {
    program_for(SHELL, command)
}

fn program_for(shell: Shell, command: &str) -> Option<String> {
    let is_assignment = |word: &String| {
        word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
    };
    let is_prefix = |word: &String| match shell {
        Shell::Posix => matches!(word.as_str(), "env" | "exec" | "command" | "/usr/bin/env"),
        Shell::Windows => {
            let word = word.to_ascii_lowercase();
            matches!(word.as_str(), "&" | "cmd" | "cmd.exe" | "%comspec%" | "/c" | "/d" | "/s")
        }
    };
    words(shell, command).into_iter().find(|word| !is_assignment(word) && !is_prefix(word))
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
    base_name_for(SHELL, path)
}

fn base_name_for(shell: Shell, path: &str) -> &str {
    match shell {
        Shell::Posix => path.rsplit('/').next().unwrap_or(path),
        Shell::Windows => {
            let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
            let stem = name.len().checked_sub(EXE.len()).and_then(|at| name.split_at_checked(at));
            stem.filter(|(_, end)| end.eq_ignore_ascii_case(EXE)).map_or(name, |(stem, _)| stem)
        }
    }
}

/// Splits a command as the shell would, as far as quotes and backslashes go.
fn words(shell: Shell, command: &str) -> Vec<String> {
    let escapes = shell == Shell::Posix;
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
                    word.push(if c == '\\' && escapes { chars.next().unwrap_or(c) } else { c });
                }
            }
            '\\' if escapes => word.get_or_insert_default().extend(chars.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

const EXE: &str = ".exe";
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
            assert_eq!(for_posix(path), written);
            assert_eq!(program_for(Shell::Posix, written).as_deref(), Some(path));
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
            assert_eq!(program_for(Shell::Posix, command).as_deref().and_then(role_of), role, "{command}");
        }
    }

    #[test]
    fn windows_path_runs_in_powershell_and_cmd() {
        let short = |text: &str| Some(text.to_owned());
        for (path, short, written) in [
            (r"C:\Users\jo\.arize\x.exe", None, r"C:\Users\jo\.arize\x.exe"),
            (r"C:\Users\Zoë\x.exe", None, r"C:\Users\Zoë\x.exe"),
            (r"C:\Users\Jo Doe\x.exe", short(r"C:\Users\JODOE~1\x.exe"), r"C:\Users\JODOE~1\x.exe"),
            (r"C:\Jo Doe\x.exe", short(r"C:\Jo Doe\x.exe"), r#"cmd /d /c "C:\Jo Doe\x.exe""#),
            (r"\\server\Jo Doe\x.exe", None, r#"cmd /d /c "\\server\Jo Doe\x.exe""#),
        ] {
            assert_eq!(for_windows(path, || short.clone()), written);
            let runs = short.filter(|s| s == written).unwrap_or_else(|| path.to_owned());
            assert_eq!(program_for(Shell::Windows, written), Some(runs));
        }
    }

    #[test]
    fn windows_program_is_named_in_every_spelling() {
        for (command, name) in [
            (r"C:\v\arize-hook-codex-stop.exe", "arize-hook-codex-stop"),
            (r"c:/v/arize-hook-codex-stop.EXE x", "arize-hook-codex-stop"),
            (r#"& "C:\v w\arize-hook-codex-tool.exe""#, "arize-hook-codex-tool"),
            (r#"CMD /D /S /C "C:\v w\arize-hook-codex-tool""#, "arize-hook-codex-tool"),
            ("echo arize-hook-codex-stop", "echo"),
            (".exe", ""),
            ("é", "é"),
        ] {
            let program = program_for(Shell::Windows, command).unwrap();
            assert_eq!(base_name_for(Shell::Windows, &program), name, "{command}");
        }
    }
}
