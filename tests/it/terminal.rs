//! A terminal with a user at it: tmux on a socket of its own, without anybody's settings.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// One program in a terminal. It ends with this value.
pub struct Terminal {
    folder: tempfile::TempDir,
}

impl Terminal {
    /// Starts `program` in `directory`, with these variables beside those of this process.
    pub fn start(folder: &Path, variables: &[(String, String)], program: &[&str]) -> Terminal {
        let terminal = Terminal { folder: tempfile::tempdir().unwrap() };
        let variables: Vec<String> = variables.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let mut start = vec!["set-option", "-g", "remain-on-exit", "on", ";", "new-session", "-d"];
        start.extend(["-s", "t", "-x", "160", "-y", "50", "-c", folder.to_str().unwrap(), "env"]);
        start.extend(variables.iter().map(String::as_str));
        start.extend(program);
        // Whatever is printed, also what is not seen for long.
        let record = format!("cat >> '{}'", terminal.printed_path().display());
        start.extend([";", "pipe-pane", "-t", "t", &record]);
        let output = terminal.tmux(&start);
        assert!(output.status.success(), "tmux: {}", String::from_utf8_lossy(&output.stderr));
        terminal
    }

    /// What can be seen now.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.tmux(&["capture-pane", "-p", "-t", "t"]).stdout).into_owned()
    }

    /// Everything that was printed since the beginning.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.printed_path()).unwrap_or_default()).into_owned()
    }

    /// Types a text.
    pub fn write(&self, text: &str) {
        self.tmux(&["send-keys", "-t", "t", "-l", text]);
    }

    /// Presses a key by tmux's name for it.
    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", "-t", "t", key]);
    }

    /// Waits until `text` is seen.
    pub fn see(&self, text: &str) {
        self.wait(text, || self.screen().contains(text));
    }

    /// Sees a question and answers it.
    pub fn answer(&self, question: &str, answer: &str) {
        self.see(question);
        self.write(answer);
        self.press("Enter");
    }

    /// Presses a key again and again until it did what it is for: a program may not listen yet.
    pub fn press_until(&self, key: &str, what: &str, done: impl Fn() -> bool) {
        let mut pressed: Option<Instant> = None;
        self.wait(what, || {
            if done() {
                return true;
            }
            if pressed.is_none_or(|at| at.elapsed() > AGAIN) {
                self.press(key);
                pressed = Some(Instant::now());
            }
            false
        });
    }

    /// Waits until something is so.
    pub fn wait(&self, what: &str, mut done: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < deadline, "not seen: {what}\n{}", self.screen());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Whether the program has ended, and its exit code, which tmux does not always know.
    pub fn ended(&self) -> (bool, Option<i32>) {
        let format = "#{pane_dead} #{pane_dead_status}";
        let output = self.tmux(&["display-message", "-p", "-t", "t", format]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut words = told.split_whitespace();
        (words.next() == Some("1"), words.next().and_then(|code| code.parse().ok()))
    }

    /// Waits for the program's end and returns its exit code, where it is told.
    pub fn wait_for_end(&self) -> Option<i32> {
        self.wait("the end of the program", || self.ended().0);
        self.ended().1
    }

    fn tmux(&self, args: &[&str]) -> Output {
        let socket = self.folder.path().join("tmux");
        Command::new("tmux").args(["-f", "/dev/null", "-S"]).arg(socket).args(args).output().unwrap()
    }

    fn printed_path(&self) -> PathBuf {
        self.folder.path().join("printed")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// Far above what anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const AGAIN: Duration = Duration::from_secs(2);
