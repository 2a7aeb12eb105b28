//! Every config.toml of tests/configs under the real Codex, before and after `install`: what was accepted still is,
//! with `--strict-config`; what the user's own hooks and notify did they still do; and ours run beside them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use crate::codex::{Codex, LATEST, scenario};
use crate::hostile::each;

#[test]
#[ignore = "needs Codex"]
fn codex_accepts_every_installed_config() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs");
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    let valid: Vec<_> = files
        .into_iter()
        .filter(|p| !p.file_name().unwrap().to_str().unwrap().starts_with("invalid-"))
        .map(|p| (p.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&p).unwrap()))
        .collect();
    assert!(valid.len() >= 30, "{}", valid.len());
    each(valid, |(name, text)| Person::with(&name, &text).installs());
}

/// Somebody with a config.toml, in a home where the programs it names are there.
struct Person {
    name: String,
    codex: Codex,
}

impl Person {
    fn with(name: &str, text: &str) -> Person {
        let codex = Codex::bare(LATEST, &scenario("chat"));
        let programs = codex.path("programs");
        fs::create_dir(&programs).unwrap();
        for program in PROGRAMS {
            write_program(&programs.join(program), NOTES_ITS_CALL);
        }
        // Servers that Codex starts and that are no subject here.
        for server in ["npx", "docs", "x"] {
            write_program(&programs.join(server), "exit 1\n");
        }
        let mut text = text.to_owned();
        for folder in FOLDERS {
            text = text.replace(folder, &format!("{}/", programs.display()));
        }
        fs::write(codex.path(".codex/config.toml"), with_own(&text)).unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        Person { name: name.to_owned(), codex: codex.env("PATH", &path).env("SHELL", "/bin/sh") }
    }

    fn installs(&self) {
        let name = &self.name;
        let first = self.turn();
        assert!(first.status.success(), "{name}: {first:?}");
        let notify = own_notify(&fs::read_to_string(self.codex.path(".codex/config.toml")).unwrap());
        notify.iter().for_each(|notify| self.wait_for_call(notify));
        let mut before = self.take_calls();
        // What was handed to the old edition beside another tool's notify is taken away from it.
        before.iter_mut().for_each(|call| *call = call.replace(OLD_ARGUMENT, ""));
        let installed = self.codex.ours(&["install", "--yes", "--target", "local"]);
        assert!(installed.status.success(), "{name}: {installed:?}");
        let second = self.turn();
        assert!(second.status.success(), "{name}: {second:?}");
        notify.iter().for_each(|notify| self.wait_for_call(notify));
        let after = self.take_calls();
        assert_eq!(after, before, "{name}: the person's own programs");
        assert!(!before.is_empty(), "{name}: nobody called anything");
        for event in ["SessionStart", "UserPromptSubmit", "Stop", "SessionEnd", "notify"] {
            let path = self.codex.path(".arize/harness/state/codex/seen").join(event);
            self.wait(&format!("our {event}"), || fs::read_to_string(&path).is_ok_and(|n| n == "1\n"));
        }
        let entries = self.codex.delivered();
        assert_eq!(entries.len(), 1, "{name}");
        assert_eq!(entries[0].head.summary.status, "completed", "{name}");
    }

    fn turn(&self) -> Output {
        let flags = self.codex.model_flags();
        let mut args: Vec<&str> = flags.iter().map(String::as_str).collect();
        args.extend(["exec", "--strict-config", "say hello"]);
        self.codex.run(&args, true)
    }

    /// The calls of the user's own programs since the last look, in alphabetical order.
    fn take_calls(&self) -> Vec<String> {
        let path = self.codex.path("called");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        let mut calls: Vec<String> = text.lines().map(str::to_owned).collect();
        calls.sort();
        calls
    }

    /// Waits for a program that Codex does not wait for.
    fn wait_for_call(&self, program: &str) {
        let called = || fs::read_to_string(self.codex.path("called")).unwrap_or_default();
        self.wait(program, || called().lines().any(|l| l.split(' ').next() == Some(program)));
    }

    fn wait(&self, what: &str, done: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !done() {
            assert!(Instant::now() < deadline, "{}: {what} was not called", self.name);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A file with a hook and a notify of the user's own where it has none and can take one at its end.
fn with_own(text: &str) -> String {
    let (mark, text) = match text.strip_prefix('\u{feff}') {
        Some(rest) => ("\u{feff}", rest),
        None => ("", text),
    };
    let is_valid = |text: &str| text.parse::<toml_edit::DocumentMut>().is_ok();
    let mut text = text.to_owned();
    let notify = format!("notify = [\"mine\", \"notify\"]\n{text}");
    if is_valid(&notify) {
        text = notify;
    }
    let hook = format!(
        "{text}\n[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = \"command\"\ncommand = \"mine stop\"\n"
    );
    if is_valid(&hook) {
        text = hook;
    }
    format!("{mark}{text}")
}

/// The program that notify calls, without its directory; none when it is one of ours.
fn own_notify(text: &str) -> Option<String> {
    let document: toml_edit::DocumentMut = text.trim_start_matches('\u{feff}').parse().unwrap();
    let program = document.get("notify")?.get(0)?.as_str()?.rsplit('/').next()?.to_owned();
    (!program.starts_with("arize-hook")).then_some(program)
}

fn write_program(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The programs that the files name in hooks and notify.
const PROGRAMS: [&str; 15] = [
    "mine",
    "say-done",
    "hello",
    "say",
    "bye",
    "spy",
    "afplay",
    "guard",
    "logger",
    "python3",
    "bell",
    "terminal-notifier",
    "powershell",
    "Client",
    "notify",
];
/// The directories they lie in there.
const FOLDERS: [&str; 3] = ["/usr/local/bin/", "/Applications/Use.app/Contents/MacOS/", "/opt/other/"];
/// How an installer of before put two programs into one notify.
const OLD_ARGUMENT: &str = " /home/dev/.arize/harness/venv/bin/arize-hook-codex-notify";
/// Leaves a line with the program's name and arguments; without the payload that notify gets.
const NOTES_ITS_CALL: &str = r#"
line=$(basename "$0")
for argument; do
    case $argument in
    "{"*) ;;
    *) line="$line $argument" ;;
    esac
done
echo "$line" >>"$HOME/called"
cat >/dev/null
"#;
