//! The way of a new user, with the real Codex in a terminal: install, trust, a turn; then an entry that was changed,
//! and what `doctor` says is what Codex does.

use std::fs;

use crate::codex::{Codex, LATEST, scenario};
use crate::live::{phoenix, spans_in};

#[test]
#[ignore = "needs Codex"]
fn changed_entry_loses_trust_until_reinstall() {
    let user = User::installs(&["install", "--yes", "--target", "local"]);
    let untrusted = user.doctor();
    assert!(untrusted.0 == 1 && untrusted.1.contains("never reviewed"), "{untrusted:?}");
    user.trusts_all_and_says_something();
    assert_eq!(user.codex.delivered().len(), 1);
    user.assert_trusted();
    assert_eq!(user.turn_ends_with_stop_hook(), (1, 2), "Codex itself asks nothing more");

    let config = user.codex.path(".codex/config.toml");
    let trusted = fs::read_to_string(&config).unwrap();
    let (before, stop) = trusted.split_once("[[hooks.Stop.hooks]]").unwrap();
    fs::write(
        &config,
        format!("{before}[[hooks.Stop.hooks]]{}", stop.replacen("timeout = 30", "timeout = 29", 1)),
    )
    .unwrap();
    let changed = user.doctor();
    assert_eq!(changed.0, 1, "{changed:?}");
    let complaint = changed.1.lines().find(|l| l.starts_with("FAIL")).unwrap_or_default();
    assert!(complaint.contains(" Stop: changed since they were trusted"), "{changed:?}");
    assert_eq!(user.turn_ends_with_stop_hook(), (2, 2), "Codex does not run it either");

    assert!(user.codex.ours(&["install", "--yes", "--target", "local"]).status.success());
    assert_eq!(fs::read_to_string(&config).unwrap(), trusted);
    user.assert_trusted();
    assert_eq!(user.turn_ends_with_stop_hook(), (2, 3));
}

#[test]
#[ignore = "needs Codex and Phoenix"]
fn first_trusted_turn_reaches_phoenix() {
    let phoenix = phoenix();
    let project = format!("first turn {}", std::process::id());
    let endpoint = format!("http://{phoenix}");
    let user = User::installs(&[
        "install",
        "--yes",
        "--target",
        "phoenix",
        "--endpoint",
        &endpoint,
        "--project",
        &project,
    ]);
    user.trusts_all_and_says_something();
    let spans = spans_in(&phoenix, &project, 1);
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert_eq!(spans[0]["attributes"]["input.value"], PROMPT);
    assert_eq!(spans[0]["attributes"]["output.value"], ANSWER);
    user.assert_trusted();
}

/// Somebody with Codex on the PATH, in a home that was empty.
struct User {
    codex: Codex,
}

impl User {
    fn installs(args: &[&str]) -> User {
        let codex = Codex::bare(LATEST, &scenario("chat"));
        let path = format!("{}:{}", codex.program_folder().display(), std::env::var("PATH").unwrap());
        let user = User { codex: codex.env("PATH", &path) };
        let output = user.codex.ours(args);
        assert!(output.status.success(), "{output:?}");
        user
    }

    /// One session of the terminal UI.
    fn trusts_all_and_says_something(&self) {
        let flags = self.codex.model_flags();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let terminal = self.codex.open_terminal(&flags);
        terminal.see("Hooks need review");
        terminal.see("2. Trust all and continue");
        let reviewed = || !terminal.screen().contains("Hooks need review");
        terminal.press_until("2", "the choice", || terminal.screen().contains("› 2.") || reviewed());
        terminal.press_until("Enter", "the prompt", reviewed);
        terminal.write(PROMPT);
        terminal.see(PROMPT);
        terminal.press_until("Enter", "the answer", || terminal.screen().contains(ANSWER));
        terminal.wait("our Stop", || self.stops() == 1);
        terminal.press_until("C-c", "the end", || terminal.ended().0);
    }

    /// Runs a turn as anybody does, without any flag for trust. Returns how many turns were reported by other means
    /// than the Stop hook, the first one counted, and how often that hook has run.
    fn turn_ends_with_stop_hook(&self) -> (u64, u64) {
        let flags = self.codex.model_flags();
        let mut args: Vec<&str> = flags.iter().map(String::as_str).collect();
        args.extend(["exec", PROMPT]);
        let output = self.codex.run(&args, false);
        assert!(output.status.success(), "{output:?}");
        (self.codex.delivered().len() as u64 - self.stops() + 1, self.stops())
    }

    fn stops(&self) -> u64 {
        let path = self.codex.path(".arize/harness/state/codex/seen/Stop");
        fs::read_to_string(path).ok().and_then(|n| n.trim().parse().ok()).unwrap_or_default()
    }

    /// doctor's exit code and what it says.
    fn doctor(&self) -> (i32, String) {
        let output = self.codex.ours(&["doctor"]);
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }

    fn assert_trusted(&self) {
        let (code, text) = self.doctor();
        assert!(code == 0 && text.contains("all 14 hooks: registered and trusted"), "{code}\n{text}");
    }
}

const PROMPT: &str = "say something kind";
const ANSWER: &str = "Hello there.";
