//! `install` at a terminal, where a user answers its questions.

use std::fs;
use std::path::PathBuf;

use crate::codex::terminal::Terminal;
use crate::collector::{Answer, GrpcCollector, HttpCollector};

/// A home in which somebody runs `arize-codex install`.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Home {
        Home { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts install in a shell, so that what it leaves of the terminal can be tried.
    fn install(&self) -> Terminal {
        let home = format!("HOME={}", self.folder.path().display());
        let program = env!("CARGO_BIN_EXE_arize-codex");
        // The shell stays when the user interrupts.
        let script = "trap : INT; \"$0\" install; code=$?; echo left with $code; read line; \
                      echo \"then came $line\"; exit $code";
        let argv = ["env", "-i", &home, "PATH=/usr/bin:/bin", "TERM=screen", "sh", "-c", script, program];
        Terminal::start(self.folder.path(), &[], &argv)
    }

    fn config(&self) -> String {
        fs::read_to_string(self.path(".arize/harness/config.yaml")).unwrap()
    }

    /// Everything in this home.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        crate::codex::collect(self.folder.path(), &mut found);
        found.iter().map(|p| p.display().to_string()).collect()
    }
}

/// Sees that the terminal is as it was, and lets the shell end.
fn leave(terminal: &Terminal, code: i32) {
    terminal.see(&format!("left with {code}"));
    terminal.write("a line that is seen");
    terminal.see("a line that is seen");
    terminal.press("Enter");
    terminal.see("then came a line that is seen");
    assert!(terminal.wait_for_end().is_none_or(|told| told == code));
}

#[test]
#[ignore = "needs tmux"]
fn interactive_install_hides_the_key() {
    let home = Home::new();
    let phoenix = HttpCollector::start(|_| Answer::Accept);
    let terminal = home.install();
    terminal.see("Where should traces go?");
    terminal.answer("number [1]:", "1");
    // What is typed before the question is seen is no answer to it.
    terminal.see("Address of the backend [http://localhost:6006]:");
    terminal.write("nonsense here");
    terminal.press("Enter");
    terminal.see("that is not valid here");
    terminal.write(&phoenix.url());
    terminal.press("Enter");
    terminal.answer(
        "Record prompts, answers, commands and their output, and not only names, times and tokens? (Y/n):",
        "",
    );
    leave(&terminal, 0);
    let text = home.config();
    assert!(text.contains("target: phoenix") && text.contains("project_name: codex"), "{text}");
    assert!(text.contains(&phoenix.url()) && !text.contains("api_key"), "{text}");
    assert!(fs::read_to_string(home.path(".codex/config.toml")).unwrap().contains("arize-hook-codex-stop"));

    let arize = GrpcCollector::start(|_| Answer::Accept);
    let terminal = home.install();
    terminal.answer("number [1]:", "3");
    terminal.answer("Address of the backend", &format!("http://{}", arize.address()));
    terminal.answer("Space ID (Arize: Settings, Space):", "the-space");
    terminal.see("API key (Arize: Settings, API Keys) (not shown):");
    terminal.write("a mistyped one");
    terminal.press("C-u");
    terminal.write(KEY);
    terminal.write("x");
    terminal.press("BSpace");
    terminal.press("Enter");
    terminal.answer(
        "Record prompts, answers, commands and their output, and not only names, times and tokens? (Y/n):",
        "n",
    );
    terminal.answer("prompts and answers? (", "n");
    terminal.answer("commands, paths and patches? (", "n");
    terminal.answer("what commands and tools print? (", "y");
    leave(&terminal, 0);
    for (what, shown) in [("the screen", terminal.screen()), ("what was printed", terminal.printed())] {
        assert!(shown.contains("Space ID"), "{what}: {shown}");
        assert!(!shown.contains(&KEY[..6]) && !shown.contains("mistyped"), "{what} holds the key: {shown}");
    }
    let text = home.config();
    for wanted in ["target: arize", "space_id: the-space", "tool_content: true"] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    assert!(text.contains(&format!("api_key: {KEY}\n")), "{text}");
    assert!(text.contains("prompts: false") && text.contains("tool_details: false"), "{text}");
    assert!(!text.contains(&phoenix.url()), "{text}");
    let asked = &arize.book.seen()[0];
    assert_eq!(asked.headers.get("authorization").map(String::as_str), Some(KEY));
}

#[test]
#[ignore = "needs tmux"]
fn interrupted_install_writes_nothing() {
    type Reach = fn(&Terminal);
    let places: [(&str, i32, Reach); 3] = [
        ("at the first question", BY_SIGNAL, |terminal| terminal.see("number [1]:")),
        ("at a line", BY_SIGNAL, |terminal| {
            terminal.answer("number [1]:", "1");
            terminal.see("Address of the backend [http://localhost:6006]:");
        }),
        ("at the key", 1, |terminal| {
            terminal.answer("number [1]:", "2");
            terminal.answer("Space ID (Arize: Settings, Space):", "the-space");
            terminal.see("API key (Arize: Settings, API Keys) (not shown):");
            terminal.write(KEY);
        }),
    ];
    for (place, code, reach) in places {
        let home = Home::new();
        let terminal = home.install();
        reach(&terminal);
        terminal.press("C-c");
        leave(&terminal, code);
        assert!(!terminal.printed().contains(&KEY[..6]), "{place}");
        assert_eq!(home.files(), [""; 0], "{place}");
    }
}

/// How a shell reports an end by SIGINT.
const BY_SIGNAL: i32 = 130;
const KEY: &str = "sesame-open-0123456789";
