//! `codex app-server` as editors and desktop applications run it: one process, several threads, and turns that end
//! without a hook. Each must be delivered within seconds while the process lives on.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use arize_codex::delivery::archive;
use serde_json::{Value, json};

use crate::codex::{Codex, LATEST, scenario};

/// The release before calls hooks for each request too, so that it leaves no turn waiting either.
const RELEASES: [&str; 2] = [LATEST, "0.169.0"];

#[test]
#[ignore = "needs Codex"]
fn living_app_server_leaves_no_turn_waiting() {
    let mut wrong = Vec::new();
    for (release, name) in RELEASES.into_iter().flat_map(|release| SCENARIOS.map(|name| (release, name))) {
        let told = run(release, name);
        wrong.extend(told.into_iter().map(|line| format!("{release} {name}: {line}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const SCENARIOS: [&str; 10] = [
    "app-threads",
    "app-failures",
    "app-review-inline",
    "app-agent-interrupted",
    "app-shell",
    "app-interrupt",
    "app-approvals",
    "app-sample",
    "app-goal",
    "app-cell-outlives",
];

/// Plays a scenario and says what was wrong.
fn run(release: &str, name: &str) -> Vec<String> {
    let scenario = scenario(name);
    let codex = Codex::new(release, &scenario, "target: local, trace_debug: true");
    codex.trust_hooks();
    prepare(&codex, &scenario);
    let mut app = AppServer::start(&codex);
    let mut wrong = Vec::new();
    for command in scenario["runs"][0]["app"].as_array().unwrap() {
        if let Some(event) = command["event"].as_str() {
            codex.wait_for_event(event, command["count"].as_u64().unwrap_or(1));
            continue;
        }
        let answer = app.tell(command);
        if answer["error"].is_string() {
            wrong.push(format!("{command}: {answer}"));
        }
        let (turn, status) = (answer["turn"].as_str(), answer["status"].as_str());
        if let (Some(turn), Some(status)) = (turn, status) {
            wrong.extend(
                late(&codex, |found| found.get(turn).is_some_and(|got| got == status))
                    .map(|found| format!("turn {turn} {status}, not delivered in time beside {found:?}")),
            );
        }
    }
    let wanted = expected(name);
    if name == "app-shell" {
        // No hook is called for it, and nobody runs who could notice: it is told by the next look.
        assert!(codex.ours(&["list"]).status.success());
    }
    wrong.extend(
        late(&codex, |found| sorted(found) == wanted).map(|found| format!("{wanted:?}, got {found:?}")),
    );
    assert!(app.lives(), "{release} {name}: the server has ended");
    wrong
}

/// Waits until the archive holds what it should; returns what it holds when it does not within five seconds.
fn late(
    codex: &Codex,
    right: impl Fn(&BTreeMap<String, String>) -> bool,
) -> Option<BTreeMap<String, String>> {
    let deadline = Instant::now() + LONGEST;
    loop {
        let found = delivered(codex);
        if right(&found) {
            return None;
        }
        if Instant::now() > deadline {
            return Some(found);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The turns in the archive and how they ended. Nobody asks for them: no command of ours runs meanwhile.
fn delivered(codex: &Codex) -> BTreeMap<String, String> {
    let context = codex.context();
    let heads =
        archive::items(context.paths()).filter(|i| i.place == archive::DeliveryState::Sent).map(|i| i.head);
    heads.map(|head| (head.key.turn.to_string(), head.summary.status)).collect()
}

/// How the turns of a scenario must end. A review is one turn, told with its own thread.
fn expected(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/lab/expect/{name}.json"));
    let stated: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let turns = stated["turns"].as_array().unwrap().iter().filter(|turn| turn["kind"] != "review");
    let mut found: Vec<String> = turns.map(|turn| turn["status"].as_str().unwrap().to_owned()).collect();
    found.sort();
    found
}

fn sorted(found: &BTreeMap<String, String>) -> Vec<String> {
    let mut found: Vec<String> = found.values().cloned().collect();
    found.sort();
    found
}

fn prepare(codex: &Codex, scenario: &Value) {
    for command in scenario["setup"].as_array().into_iter().flatten() {
        let mut shell = Command::new("sh");
        shell.args(["-c", command.as_str().unwrap()]).current_dir(codex.path("project"));
        for name in ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"] {
            shell.env(name, "dev@example.com");
        }
        assert!(shell.status().unwrap().success());
    }
}

/// The server and its driver (`tests/lab/app_server.py`).
struct AppServer {
    driver: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl AppServer {
    fn start(codex: &Codex) -> AppServer {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/app_server.py");
        let mut command = Command::new("python3");
        command.arg(program).arg(codex.program()).arg(codex.path("project")).envs(codex.environment());
        let mut driver = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(driver.stdout.take().unwrap());
        AppServer { input: driver.stdin.take(), output, driver }
    }

    fn tell(&mut self, command: &Value) -> Value {
        writeln!(self.input.as_mut().unwrap(), "{command}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| json!({ "error": "the driver has ended" }))
    }

    fn lives(&mut self) -> bool {
        self.driver.try_wait().unwrap().is_none()
    }
}

impl Drop for AppServer {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.driver.wait();
    }
}

/// A turn that ended without a hook is delivered in that time.
const LONGEST: Duration = Duration::from_secs(5);
