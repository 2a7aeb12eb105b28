//! What turns cost: scripted rollouts against dollars worked out by hand, and what is left of turns after years.

use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// A model call: model, tier, prompt, of it cached and newly cached, completion.
pub type Call = (&'static str, Option<&'static str>, [u64; 4]);

pub const K: u64 = 1000;
const PRIORITY: Option<&str> = Some("priority");
const FLEX: Option<&str> = Some("flex");

/// Six turns; each is scripted five times over. Behind each stand its dollars, by hand: USD per million tokens are
/// gpt-5.5 5 / 0.5 / – / 30 (above 272k 10 / 1 / – / 45; priority 12.5 / 1.25 / – / 75), gpt-6.1-sol 2 / 0.1 / 2.5 / 10
/// (above 272k 4 / 0.2 / 5 / 15; flex half of it), gpt-5.4-mini 0.75 / 0.075 / – / 4.5, gpt-6.2-sol unknown.
pub fn turns() -> Vec<(Vec<Call>, f64, u64)> {
    vec![
        // 60k × 5 + 40k × 0.5 + 10k × 30 = 0.30 + 0.02 + 0.30
        (vec![("gpt-5.5", None, [100 * K, 40 * K, 0, 10 * K])], 0.62, 0),
        // Each of two calls stays below the step that their sum passes: 200k × 5 + 1k × 30, twice.
        (vec![("gpt-5.5", None, [200 * K, 0, 0, K]), ("gpt-5.5", None, [200 * K, 0, 0, K])], 2.06, 0),
        // Above the step: 100k × 10 + 200k × 1 + 2k × 45; at the step: 272k × 5 + 0.
        (
            vec![("gpt-5.5", None, [300 * K, 200 * K, 0, 2 * K]), ("gpt-5.5", None, [272 * K, 0, 0, 0])],
            2.65,
            0,
        ),
        // 10k × 5 + 10k × 0.5 + 1k × 30. With a cache write: 50k × 2 + 40k × 0.1 + 10k × 2.5 + 4k × 10.
        (
            vec![
                ("gpt-5.5", None, [20 * K, 10 * K, 0, K]),
                ("gpt-6.1-sol", None, [100 * K, 40 * K, 10 * K, 4 * K]),
            ],
            0.05 + 0.005 + 0.03 + 0.1 + 0.004 + 0.025 + 0.04,
            0,
        ),
        // Above the step, cache read and write: 100k × 4 + 150k × 0.2 + 50k × 5 + 10k × 15. And 8k × 0.75 + 2k × 4.5.
        (
            vec![
                ("gpt-6.1-sol", None, [300 * K, 150 * K, 50 * K, 10 * K]),
                ("gpt-5.4-mini", None, [8 * K, 0, 0, 2 * K]),
            ],
            0.4 + 0.03 + 0.25 + 0.15 + 0.006 + 0.009,
            0,
        ),
        // Nobody knows this model's price; the other call's 4k × 0.75 + 1k × 4.5 count.
        (vec![("gpt-6.2-sol", None, [50 * K, 0, 0, K]), ("gpt-5.4-mini", None, [4 * K, 0, 0, K])], 0.0075, 1),
    ]
}

/// The same calls in other tiers.
fn tiered() -> Vec<(Vec<Call>, f64, u64)> {
    vec![
        // Fast mode: 10k × 12.5 + 10k × 1.25 + 1k × 75. Flex with a cache write: 50k × 1 + 40k × 0.05 + 10k × 1.25 + 4k × 5.
        (
            vec![
                ("gpt-5.5", PRIORITY, [20 * K, 10 * K, 0, K]),
                ("gpt-6.1-sol", FLEX, [100 * K, 40 * K, 10 * K, 4 * K]),
            ],
            0.125 + 0.0125 + 0.075 + 0.05 + 0.002 + 0.0125 + 0.02,
            0,
        ),
    ]
}

/// A home with a configuration, and what is run in it.
pub struct Machine {
    pub home: tempfile::TempDir,
}

impl Machine {
    pub fn new() -> Machine {
        Machine::with("target: local")
    }

    pub fn with(settings: &str) -> Machine {
        let machine = Machine { home: tempfile::tempdir().unwrap() };
        let harness = machine.home.path().join(".arize/harness");
        fs::create_dir_all(&harness).unwrap();
        fs::write(harness.join("config.yaml"), format!("harnesses: {{codex: {{{settings}}}}}")).unwrap();
        machine
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arize-codex"));
        command.args(args).env_clear().env("HOME", self.home.path()).env("TZ", "UTC");
        command
    }

    pub fn run(&self, args: &[&str]) -> (i32, String) {
        Machine::end(self.command(args))
    }

    pub fn end(mut command: Command) -> (i32, String) {
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let (_, text) = self.run(args);
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e}\n{text}"))
    }

    pub fn history(&self) -> PathBuf {
        self.home.path().join(".arize/harness/state/codex/history")
    }

    /// Writes the rollout of a session: after each call its usage twice, as a retry and a compaction send it again.
    pub fn script(&self, session: u64, turns: &[(Vec<Call>, f64, u64)]) {
        self.script_on(session, turns, &"c".repeat(40));
    }

    /// The same, begun on a commit.
    fn script_on(&self, session: u64, turns: &[(Vec<Call>, f64, u64)], commit: &str) {
        let thread = id(session, 0);
        let mut lines = vec![line(
            0,
            "session_meta",
            json!({
                "id": thread, "session_id": thread, "cwd": "/home/dev/shop", "cli_version": "0.171.0", "source": "exec",
                "git": {"branch": "checkout", "commit_hash": commit},
            }),
        )];
        for (n, (calls, ..)) in turns.iter().enumerate() {
            let turn = id(session, n as u64 + 1);
            let minute = n as u64 * 2 + 1;
            let event = |seconds, payload: Value| line(minute * 60 + seconds, "event_msg", payload);
            lines.push(event(
                0,
                json!({"type": "task_started", "turn_id": turn, "model_context_window": 922_000}),
            ));
            for (at, (model, tier, [input, cached, written, output])) in calls.iter().enumerate() {
                let at = at as u64 * 10;
                lines.push(line(
                    minute * 60 + at,
                    "turn_context",
                    json!({"turn_id": turn, "model": model, "cwd": "/home/dev/shop"}),
                ));
                lines.push(event(
                    at,
                    json!({"type": "thread_settings_applied", "thread_id": thread,
                    "thread_settings": {"model": model, "service_tier": tier}}),
                ));
                if at == 0 {
                    lines.push(event(at, json!({"type": "user_message", "message": "go"})));
                }
                lines.push(line(
                    minute * 60 + at + 5,
                    "response_item",
                    json!({"type": "message", "role": "assistant",
                    "content": [{"type": "output_text", "text": format!("answer {at}")}]}),
                ));
                let usage = json!({"input_tokens": input, "cached_input_tokens": cached,
                    "cache_write_input_tokens": written, "output_tokens": output, "total_tokens": input + output});
                lines.push(line(
                    minute * 60 + at + 6,
                    "token_usage_record",
                    json!({"turn_id": turn,
                    "response_id": format!("resp-{session}-{n}-{at}"), "usage": usage}),
                ));
                for _ in 0..2 {
                    lines.push(event(
                        at + 6,
                        json!({"type": "token_count", "info":
                        {"total_token_usage": usage, "last_token_usage": usage}}),
                    ));
                }
            }
            lines.push(event(
                50,
                json!({"type": "task_complete", "turn_id": turn, "last_agent_message": "done"}),
            ));
        }
        let folder = self.home.path().join(".codex/sessions/2026/11/20");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("rollout-2026-11-20T10-00-00-{thread}.jsonl"));
        fs::write(path, lines.concat()).unwrap();
    }

    /// Thirty turns in five sessions, told by backfill.
    pub fn scripted() -> Machine {
        let machine = Machine::new();
        for session in 1..=5 {
            machine.script(session, &turns());
        }
        machine.make_old(Duration::from_secs(24 * 3600));
        let (code, said) = machine.run(&["backfill"]);
        assert!(code == 0 && said.starts_with("30 turns found"), "{said}");
        machine
    }

    pub fn make_old(&self, age: Duration) {
        each_file(self.home.path(), &mut |path| {
            let file = fs::File::options().append(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
        });
    }
}

fn each_file(folder: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => each_file(&entry.path(), each),
            kind if kind.is_file() => each(&entry.path()),
            _ => {}
        }
    }
}

/// A UUID of version 7 of that day.
fn id(session: u64, turn: u64) -> String {
    format!("01a1f866-0d00-7{turn:03x}-8000-{session:012x}")
}

fn line(second: u64, kind: &str, payload: Value) -> String {
    let at = format!("2026-11-20T10:{:02}:{:02}.000Z", second / 60, second % 60);
    format!("{}\n", json!({"timestamp": at, "type": kind, "payload": payload}))
}

fn dollars(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no amount"))
}

#[test]
fn thirty_scripted_turns_cost_what_a_hand_counts() {
    let machine = Machine::scripted();
    let list = machine.json(&["list", "--json", "--limit", "0"]);
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 30);
    for (n, (_, cost, unknown)) in turns().iter().enumerate() {
        for session in 1..=5 {
            let turn = list.iter().find(|t| t["turn"] == *id(session, n as u64 + 1)).unwrap();
            assert!(
                (dollars(&turn["cost_usd"]) - cost).abs() < 1e-9,
                "turn {n}: {} not {cost}",
                turn["cost_usd"]
            );
            assert_eq!(turn["unpriced_calls"], *unknown, "turn {n}");
        }
    }
    let all: f64 = turns().iter().map(|(_, cost, _)| 5.0 * cost).sum();
    let stats = machine.json(&["stats", "--json", "--by", "branch"]);
    assert!((dollars(&stats[0]["cost_usd"]) - all).abs() < 1e-9, "{stats}");
    assert_eq!((&stats[0]["branch"], &stats[0]["turns"]), (&json!("checkout"), &json!(30)));
    let models = machine.json(&["stats", "--json", "--by", "model"]);
    let by_model: f64 = models.as_array().unwrap().iter().filter_map(|m| m["cost_usd"].as_f64()).sum();
    assert!((by_model - all).abs() < 1e-9, "{models}");
    let unknown = models.as_array().unwrap().iter().find(|m| m["model"] == "gpt-6.2-sol").unwrap();
    assert_eq!((&unknown["cost_usd"], &unknown["unpriced_calls"]), (&Value::Null, &json!(5)));
}

#[test]
fn each_call_counts_in_its_own_tier() {
    let machine = Machine::new();
    machine.script(1, &tiered());
    machine.make_old(Duration::from_secs(24 * 3600));
    machine.run(&["backfill"]);
    let list = machine.json(&["list", "--json"]);
    assert!((dollars(&list[0]["cost_usd"]) - tiered()[0].1).abs() < 1e-9, "{list}");
}

#[test]
fn spans_carry_the_cost_of_their_own_call() {
    let machine = Machine::scripted();
    let shown = machine.json(&["show", "--json", &id(1, 3)]);
    let spans = shown["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let attribute = |key: &str| {
        let list = spans[0]["attributes"].as_array().unwrap().iter().find(|a| a["key"] == key);
        list.unwrap_or_else(|| panic!("no {key}"))["value"].clone()
    };
    let cost = |key: &str| attribute(key)["doubleValue"].as_f64().unwrap();
    assert!((cost("llm.cost.total") - 2.65).abs() < 1e-9);
    assert!((cost("llm.cost.completion") - 0.09).abs() < 1e-9);
    assert!((cost("llm.cost.prompt") - 2.56).abs() < 1e-9);
    assert!(attribute("codex.cost.source")["stringValue"].as_str().unwrap().starts_with("litellm "));
}

#[test]
fn price_of_ones_own_counts_past_turns_anew() {
    let machine = Machine::scripted();
    let (code, said) = machine.run(&["prices", "check"]);
    assert!(code == 1 && said.starts_with("gpt-6.2-sol: no price; 5 calls, 255,000 tokens"), "{said}");
    let (code, said) = machine.run(&["prices", "set", "gpt-6.2-sol", "--like", "gpt-6.1-sol"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(machine.run(&["prices", "check"]).0, 0);
    let models = machine.json(&["stats", "--json", "--by", "model"]);
    let row = models.as_array().unwrap().iter().find(|m| m["model"] == "gpt-6.2-sol").unwrap();
    // 50k × 2 + 1k × 10, five times.
    assert!((dollars(&row["cost_usd"]) - 0.55).abs() < 1e-9, "{row}");
    let list = machine.json(&["prices", "list", "--json"]);
    let own = list.as_array().unwrap().iter().find(|p| p["model"] == "gpt-6.2-sol").unwrap();
    assert_eq!((&own["source"], &own["input_usd"]), (&json!("user"), &json!(2.0)));
    assert_eq!(machine.run(&["prices", "set", "x", "--input", "-3", "--output", "1"]).0, 1);
    assert_eq!(machine.run(&["prices", "set", "x", "--input", "3"]).0, 2);
}

#[test]
fn broken_price_file_leaves_the_built_in_table() {
    let machine = Machine::scripted();
    let file = machine.home.path().join("prices.json");
    let before = machine.json(&["stats", "--json", "--by", "branch"]);
    for (content, why) in [
        ("{", "not JSON"),
        ("[]", "not a price table"),
        (
            r#"{"m": {"input_cost_per_token": -1e-6, "output_cost_per_token": 0}}"#,
            "m: input_cost_per_token is",
        ),
    ] {
        fs::write(&file, content).unwrap();
        let (code, said) = machine.run(&["prices", "update", file.to_str().unwrap()]);
        assert!(code == 1 && said.contains(why) && said.contains("unchanged"), "{said}");
    }
    assert_eq!(machine.json(&["stats", "--json", "--by", "branch"]), before);
    fs::write(&file, r#"{"gpt-5.5": {"input_cost_per_token": 0, "output_cost_per_token": 0}}"#).unwrap();
    assert_eq!(machine.run(&["prices", "update", file.to_str().unwrap()]).0, 0);
    assert_ne!(machine.json(&["stats", "--json", "--by", "branch"]), before);
}

#[test]
fn local_turns_are_kept_and_counted_after_400_days() {
    let machine = Machine::scripted();
    machine.make_old(Duration::from_secs(400 * 24 * 3600));
    machine.run(&["flush"]);
    machine.run(&["backfill"]);
    machine.make_old(Duration::from_secs(400 * 24 * 3600));
    assert_eq!(machine.json(&["stats", "--json", "--by", "branch"])[0]["turns"], 30);
    for session in 1..=5 {
        let (code, said) = machine.run(&["show", &id(session, 1)]);
        assert!(code == 0 && said.contains("done"), "{said}");
    }
}

#[test]
fn deleted_turns_are_counted_and_brought_back() {
    let machine = Machine::scripted();
    let before = machine.json(&["stats", "--json", "--by", "model"]);
    fs::remove_dir_all(machine.home.path().join(".arize/harness/state/codex/sent")).unwrap();
    assert_eq!(machine.json(&["stats", "--json", "--by", "model"]), before);
    let list = machine.json(&["list", "--json", "--limit", "0"]);
    assert_eq!((list.as_array().unwrap().len(), &list[0]["delivery"]), (30, &json!("deleted")));
    let (code, said) = machine.run(&["show", &id(1, 1)]);
    assert!(code == 1 && said.contains("backfill --again"), "{said}");
    let (code, said) = machine.run(&["backfill", "--again"]);
    assert!(code == 0 && said.starts_with("30 turns found"), "{said}");
    assert_eq!(machine.run(&["show", &id(1, 1)]).0, 0);
    assert_eq!(machine.json(&["stats", "--json", "--by", "model"]), before, "no turn counts twice");
    let (code, said) = machine.run(&["resend", "--again", "--since", "5200w"]);
    assert!(code == 0 && said.starts_with("30 turns found"), "{said}");
    assert_eq!(machine.json(&["stats", "--json", "--by", "model"]), before);
}

#[test]
fn history_is_private_holds_no_content_and_survives_damage() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::scripted();
    let path = machine.history().join("2026-11.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 30);
    assert!(!text.contains("answer") && !text.contains("\"go\""), "{text}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let before = machine.json(&["stats", "--json", "--by", "model"]);
    let damaged =
        format!("{text}{}{{\"v\":9}}\n{}", text.lines().next().unwrap().to_owned() + "\n", &text[..50]);
    fs::write(&path, damaged).unwrap();
    assert_eq!(machine.json(&["stats", "--json", "--by", "model"]), before);
    let (_, said) = machine.run(&["doctor"]);
    assert!(said.contains("skipped 1 damaged lines and 1 written by a newer version"), "{said}");
}

#[test]
fn copied_months_are_priced_anew() {
    let machine = Machine::scripted();
    let slow = machine.json(&["stats", "--json", "--by", "model"]);
    assert!(!machine.history().join("2026-11.index").exists(), "the month is still written to");
    machine.make_old(Duration::from_secs(24 * 3600));
    assert_eq!(machine.json(&["stats", "--json", "--by", "model"]), slow);
    assert!(machine.history().join("2026-11.index").exists());
    assert_eq!(machine.json(&["stats", "--json", "--by", "model"]), slow);
    assert_eq!(machine.run(&["prices", "set", "gpt-6.2-sol", "--like", "gpt-6.1-sol"]).0, 0);
    let models = machine.json(&["stats", "--json", "--by", "model"]);
    let own = models.as_array().unwrap().iter().find(|m| m["model"] == "gpt-6.2-sol").unwrap();
    assert!((dollars(&own["cost_usd"]) - 5.0 * (0.1 + 0.01)).abs() < 1e-9, "{own}");
}

#[test]
fn commit_range_counts_the_turns_begun_in_it() {
    let machine = Machine::new();
    let repository = tempfile::tempdir().unwrap();
    let git = |args: &[&str]| {
        let who = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"];
        let output =
            Command::new("git").current_dir(repository.path()).args(who).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q"]);
    let commits: Vec<String> = (0..4)
        .map(|n| {
            git(&["commit", "-q", "--allow-empty", "-m", &n.to_string()]);
            git(&["rev-parse", "HEAD"])
        })
        .collect();
    // The work that becomes a commit begins on the one before it.
    for (session, commit) in commits.iter().enumerate() {
        machine.script_on(session as u64 + 1, &turns(), commit);
    }
    machine.script_on(9, &turns(), &"f".repeat(40));
    machine.make_old(Duration::from_secs(24 * 3600));
    machine.run(&["backfill"]);
    let stats = |args: &[&str]| {
        let mut command = machine.command(&[&["stats"], args].concat());
        command.current_dir(repository.path()).env("PATH", std::env::var("PATH").unwrap());
        Machine::end(command)
    };
    let range = format!("{}..{}", commits[1], commits[3]);
    let (code, text) = stats(&["--commits", &range, "--json", "--by", "commit"]);
    let rows: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    let mut counted: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["commit"].as_str().unwrap(), r["turns"].as_u64()))
        .collect();
    counted.sort_by_key(|(commit, _)| commits.iter().position(|c| c == commit));
    assert_eq!((code, counted), (0, vec![(commits[1].as_str(), Some(6)), (commits[2].as_str(), Some(6))]));
    let (code, text) = stats(&["--commits", &range, "--receipt"]);
    assert!(
        code == 0 && text.starts_with(&format!("### Codex: {range}\n\n12 turns in 2 sessions")),
        "{text}"
    );
    assert_eq!(stats(&["--commits", "nothing..HEAD"]).0, 1);
}

/// Models, tiers and steps that both price alike.
#[test]
#[ignore = "needs a Phoenix"]
fn phoenix_counts_the_same_dollars() {
    let phoenix =
        std::env::var("ARIZE_CODEX_TEST_PHOENIX").expect("ARIZE_CODEX_TEST_PHOENIX is unset: run tests/run");
    let project = format!("dollars-{}", std::process::id());
    let machine = Machine::with(&format!(
        "target: phoenix, endpoint: '{phoenix}', span_tree: calls, project_name: {project}"
    ));
    let mut both: Vec<_> = turns().into_iter().take(3).collect();
    // 7k × 0.75 + 1k × 0.075 + 2k × 4.5
    both.push((vec![("gpt-5.4-mini", None, [8 * K, K, 0, 2 * K])], 0.005_25 + 0.000_075 + 0.009, 0));
    machine.script(u64::from(std::process::id()), &both);
    machine.make_old(Duration::from_secs(24 * 3600));
    let (code, said) = machine.run(&["backfill"]);
    assert!(code == 0 && said.starts_with("4 turns found"), "{said}");
    let ours = dollars(&machine.json(&["stats", "--json", "--by", "branch"])[0]["cost_usd"]);
    assert!((ours - both.iter().map(|(_, cost, _)| cost).sum::<f64>()).abs() < 1e-9, "{ours}");
    let (whole, spans) = crate::live::costs(&phoenix, &project, 6);
    for theirs in [whole, spans] {
        assert!((theirs - ours).abs() <= ours * 0.001, "Phoenix counts {theirs}, we {ours}");
    }
}

#[test]
fn receipt_is_markdown_for_a_pull_request() {
    let machine = Machine::scripted();
    let (code, text) = machine.run(&["stats", "--receipt", "--branch", "checkout"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("### Codex: checkout\n\n30 turns in 5 sessions, 2026-11-20.\n"), "{text}");
    assert!(text.contains("| gpt-6.2-sol | 250k | 0 % | 5000 | cost unknown |"), "{text}");
    assert!(text.contains("| **all** |") && text.contains("| at least $"), "{text}");
    assert_eq!(machine.run(&["stats", "--receipt"]).0, 2);
    assert_eq!(machine.run(&["stats", "--compare"]).0, 2);
    let compared = machine.json(&["stats", "--json", "--compare", "--since", "2026-11-20"]);
    assert_eq!((&compared["all"]["turns"], &compared["before"]["turns"]), (&json!(30), &json!(0)));
}
