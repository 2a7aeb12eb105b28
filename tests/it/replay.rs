//! Replays a recorded session through the roles, in this process, at the recorded moments.
//!
//! Before each call the rollouts hold just the lines Codex had written by then, so that what is folded is what a
//! live hook would have found.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use arize_codex::context::Context;
use arize_codex::delivery::archive;
use arize_codex::hook::{self, Role};
use arize_codex::otel::attribute::{number, string};
use arize_codex::otel::entry::Entry;
use arize_codex::otel::ids;
use arize_codex::otel::ids::SpanRole;
use arize_codex::time::Timestamp;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

/// Recordings whose expectation is right and whose trace is not yet. To be emptied; nothing may be added to hide a
/// change for the worse.
const NOT_YET_RIGHT: &[&str] = &[];

/// The directories of all recordings whose traces are right.
pub fn recordings() -> Vec<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let folders =
        |path: PathBuf| fs::read_dir(path).unwrap().flatten().map(|e| e.path()).filter(|p| p.is_dir());
    let mut found: Vec<PathBuf> = folders(fixtures).flat_map(folders).collect();
    let right = |f: &Path| !NOT_YET_RIGHT.iter().any(|name| f.ends_with(name));
    found.retain(|f| f.join("expected.json").exists() && right(f));
    found.sort();
    found
}

/// The recording of a scenario on a release, when there is one.
pub fn fixture(release: &str, name: &str) -> Option<Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/codex-{release}/{name}"));
    folder.join("expected.json").exists().then(|| Recording::load(&folder))
}

/// A recorded session and what it must become.
pub struct Recording {
    pub name: String,
    folder: PathBuf,
    events: Vec<Value>,
    pub expected: Value,
    /// The calls that end a turn find the turn's end, as the process behind them does, which waits for it.
    waits: bool,
    /// A long line stands before each turn.
    padded: bool,
}

/// What came out of a replay.
pub struct Replayed {
    pub entries: Vec<Entry>,
}

/// A turn as the expectations describe it.
pub struct Seen {
    pub status: Value,
    pub prompts: Value,
    pub answer: Value,
    pub tokens: Value,
    pub responses: usize,
    pub compactions: usize,
    pub tools: Value,
    pub outside: usize,
    /// Kind and parent's kind of every span but the turn's own.
    pub shape: BTreeMap<String, usize>,
    /// Start and end of each tool call in ms.
    pub times: BTreeMap<String, (i64, i64)>,
}

impl Recording {
    pub fn load(folder: &Path) -> Recording {
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let parts: Vec<_> = folder.iter().rev().take(2).map(|p| p.to_str().unwrap()).collect();
        Recording {
            name: format!("{}/{}", parts[1], parts[0]),
            folder: folder.to_owned(),
            events: read("events.jsonl").lines().map(|l| serde_json::from_str(l).unwrap()).collect(),
            expected: serde_json::from_str(&read("expected.json")).unwrap(),
            waits: false,
            padded: false,
        }
    }

    /// The recording with turns so long that little of what came before is near: a line of 100 kB before each.
    pub fn padded(mut self) -> Recording {
        self.padded = true;
        self
    }

    /// The recording as who waits for the end of each turn sees it: other lines may stand before that.
    pub fn waiting(mut self) -> Recording {
        self.waits = true;
        self
    }

    /// The recording from its first call of a turn on, as hooks see a session that began without them.
    pub fn beginning_at(mut self, turn: &str) -> Recording {
        let first = self.events.iter().position(|e| e["payload"]["turn_id"] == turn).expect("a turn");
        self.events.drain(..first);
        self
    }

    /// The recording with every hook called twice, as where a plugin registers them beside config.toml.
    pub fn doubled(mut self) -> Recording {
        self.events = std::mem::take(&mut self.events).into_iter().flat_map(|e| [e.clone(), e]).collect();
        self
    }

    /// Runs every call in its order; everything is assembled and archived when it returns.
    pub fn replay(&self, tree: &str) -> Replayed {
        self.replay_under(LOCAL, tree, &mut |_| {})
    }

    /// Does what [`Recording::replay`] does under settings of its own; `look` sees the home after each call.
    pub fn replay_under(&self, config: &str, tree: &str, look: &mut dyn FnMut(&Path)) -> Replayed {
        let home = tempfile::tempdir().unwrap();
        self.replay_with(config, &self.context(home.path(), tree), &mut || look(home.path()))
    }

    /// As [`Recording::replay`], in a home that the caller keeps.
    pub fn replay_in(&self, context: &Context) -> Replayed {
        self.replay_with(LOCAL, context, &mut || {})
    }

    fn replay_with(&self, config: &str, context: &Context, look: &mut dyn FnMut()) -> Replayed {
        fs::create_dir_all(context.paths().harness()).unwrap();
        fs::write(context.paths().config_yaml(), config).unwrap();
        let rollouts = Rollouts::of(&self.folder, context.paths().codex(), self.padded);
        for (n, event) in self.events.iter().enumerate() {
            let at = event["unix_ms"].as_i64().unwrap();
            rollouts.write_until(at);
            if self.waits && self.ends_a_turn(n) {
                rollouts.write_to_end_of(event["payload"]["turn_id"].as_str().unwrap());
            }
            self.call(context, event, &rollouts, at);
            look();
        }
        // The turns of a Codex that was killed are found by the next hook of any thread.
        rollouts.write_until(i64::MAX);
        for marker in arize_codex::delivery::processes::list(context.paths()) {
            let settings = arize_codex::settings::Settings::load(context).unwrap();
            arize_codex::delivery::orphans::close_thread(context.paths(), &settings, &marker).unwrap();
        }
        let settings = arize_codex::settings::Settings::load(context).unwrap();
        let budget = arize_codex::delivery::budget::Budget::within(std::time::Duration::from_secs(20));
        arize_codex::delivery::flush::run(context, &settings, budget);
        let log = fs::read_to_string(context.paths().log_file()).unwrap_or_default();
        assert_eq!(log, "", "{}", self.name);
        look();
        let items: Vec<_> = archive::items(context.paths()).collect();
        let entries = items.iter().map(|i| Entry::decode(&fs::read(&i.path).unwrap()).unwrap()).collect();
        Replayed { entries }
    }

    /// Returns true if a call ends its turn: no later one ends it once more, after another tool's Stop hook asked for more.
    fn ends_a_turn(&self, n: usize) -> bool {
        let ends = |event: &Value| ENDING.contains(&event["event"].as_str().unwrap());
        let turn = &self.events[n]["payload"]["turn_id"];
        let again = |later: &Value| ends(later) && later["payload"]["turn_id"] == *turn;
        ends(&self.events[n]) && !self.events[n + 1..].iter().any(again)
    }

    /// Puts the rollouts where Codex left them, as they were at the end.
    pub fn lay_rollouts(&self, codex: &Path) {
        Rollouts::of(&self.folder, codex, self.padded).write_until(i64::MAX);
    }

    pub fn context(&self, home: &Path, tree: &str) -> Context {
        let vars = [("HOME", home.to_str().unwrap()), ("ARIZE_SPAN_TREE", tree)];
        let vars: BTreeMap<String, String> = vars.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        Context::given(vec!["arize-codex".into()], vars)
    }

    fn call(&self, context: &Context, event: &Value, rollouts: &Rollouts, at: i64) {
        let name = event["event"].as_str().unwrap();
        let mut payload = event["payload"].clone();
        for key in ["transcript_path", "agent_transcript_path"] {
            if let Some(path) = payload[key].as_str().map(str::to_owned) {
                payload[key] = rollouts.path_of(&path).to_str().unwrap().into();
            }
        }
        let codex = context.paths().codex().to_str().unwrap();
        if let Some(below) = payload["cwd"].as_str().and_then(|cwd| cwd.strip_prefix("/home/dev/.codex")) {
            payload["cwd"] = format!("{codex}{below}").into();
        }
        let moment = Timestamp::from_millis(at);
        let text = payload.to_string();
        if name == "notify" {
            let args = vec!["arize-hook-codex-notify".into(), text.into()];
            let vars =
                [("HOME".to_owned(), context.paths().harness().join("../..").to_str().unwrap().to_owned())];
            let mut vars: BTreeMap<String, String> = vars.into();
            if let Some(tree) = context.var("ARIZE_SPAN_TREE") {
                vars.insert("ARIZE_SPAN_TREE".into(), tree);
            }
            hook::serve(Role::Notify, &Context::given(args, vars).at(moment), &mut std::io::empty());
        } else {
            hook::serve(Role::Session, &context.clone().at(moment), &mut text.as_bytes());
        }
    }

    /// The turns that can be known. Where only notify fires, a turn that failed is never reported.
    pub fn expected_turns(&self) -> Vec<Value> {
        let turns = self.expected["turns"].as_array().unwrap();
        let hooks = self.expected["hooks"].as_bool() != Some(false);
        let known = turns.iter().filter(|t| hooks || t["status"] == "completed");
        // A review runs in a thread of its own, inside a turn without a prompt; its hooks name the session. To
        // the user it is one turn of the session: the review's own.
        let reviewed = |turn: &Value| {
            turns.iter().find(|o| o["kind"] == "review" && o["thread"] == turn["parent"]["thread"])
        };
        let as_seen = |turn: &Value| {
            let mut turn = turn.clone();
            if let Some(outer) = reviewed(&turn) {
                turn["thread"] = outer["thread"].clone();
            }
            turn
        };
        known.filter(|t| t["kind"] != "review").map(as_seen).collect()
    }

    /// The expected turns without what differs between two runs.
    pub fn described(&self) -> Value {
        let turns = self.expected_turns().into_iter().map(|turn| {
            let mut tools: Vec<&Value> = turn["tools"].as_array().into_iter().flatten().collect();
            tools.sort_by_key(|t| t["call_id"].to_string());
            let ok: Vec<Value> = tools.iter().map(|t| t["ok"].clone()).collect();
            json!({
                "status": turn["status"], "prompts": turn["prompts"], "answer": turn["answer"],
                "tokens": self.wanted_tokens(&turn), "compactions": turn["compactions"], "tools": ok,
            })
        });
        Value::from(turns.collect::<Vec<_>>())
    }

    /// When the model asked for each call of a turn and when its output was there, by the rollout alone, in ms.
    pub fn call_times(&self, thread: &str, turn: &str) -> BTreeMap<String, (i64, Option<i64>)> {
        let mut times: BTreeMap<String, (i64, Option<i64>)> = BTreeMap::new();
        for path in walk(&self.folder).iter().filter(|p| p.extension().is_some_and(|e| e == "jsonl")) {
            if !path.to_str().unwrap().contains(&format!("-{thread}")) {
                continue;
            }
            let mut current = String::new();
            for line in fs::read_to_string(path).unwrap().lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                let (payload, at) = (&line["payload"], line["timestamp"].as_str().unwrap());
                let at = Timestamp::parse(at).unwrap().as_millis() as i64;
                if payload["type"] == "task_started" {
                    current = payload["turn_id"].as_str().unwrap_or_default().to_owned();
                }
                let (kind, id) = (payload["type"].as_str().unwrap_or_default(), payload["call_id"].as_str());
                let Some(id) = id.filter(|_| line["type"] == "response_item" && current == turn) else {
                    continue;
                };
                if kind.ends_with("_output") {
                    times.entry(id.to_owned()).and_modify(|t| t.1 = Some(at));
                } else {
                    times.insert(id.to_owned(), (at, None));
                }
            }
        }
        times
    }

    /// Returns true if Codex called a hook for each model request.
    pub fn reports_requests(&self) -> bool {
        self.events.iter().any(|event| event["event"] == "PostModelRequest")
    }

    pub fn has_rollout(&self, thread: &str) -> bool {
        walk(&self.folder).iter().any(|p| p.to_str().unwrap().contains(thread))
    }

    /// No response at all is no usage, not a usage of nothing.
    pub fn wanted_tokens(&self, turn: &Value) -> Value {
        let tokens = turn["tokens"].clone();
        if tokens["prompt"] == 0 && tokens["completion"] == 0 { Value::Null } else { tokens }
    }

    /// The expected tools, as a replay tells them: by call id, with what went wrong and what was asked. What the
    /// expectation leaves open is taken from `got`; what nobody can know without a rollout is none.
    pub fn wanted_tools(&self, turn: &Value, rollout: bool, got: &Value) -> Value {
        let hooks = self.expected["hooks"].as_bool() != Some(false);
        let found = |id: &Value| got.as_array().unwrap().iter().find(|t| t["call_id"] == *id).cloned();
        let one = |tool: &Value| {
            let asked = tool["permission"]["asked"].as_bool() == Some(true);
            let by_policy = tool["permission"]["by"] == "policy";
            let decision = match tool["permission"]["decision"].as_str().filter(|_| asked || by_policy) {
                // Esc at the question is the terminal's "no, and tell Codex what to do differently".
                Some("aborted" | "denied") => "denied",
                Some(decision) if decision.starts_with("approved") => "approved",
                Some(other) => panic!("{other}"),
                None if asked => "unknown",
                // Without hooks nobody knows that nobody was asked.
                None => {
                    if hooks {
                        "none"
                    } else {
                        ""
                    }
                }
            };
            let found = found(&tool["call_id"]).unwrap_or(Value::Null);
            let open = |wanted: &Value, name: &str| {
                if wanted.is_null() { found[name].clone() } else { wanted.clone() }
            };
            json!({
                "call_id": tool["call_id"],
                "in": tool["in"],
                "name": wanted_name(tool, &found),
                "ok": open(&tool["ok"], "ok"),
                "exit_code": if rollout { open(&tool["exit_code"], "exit_code") } else { Value::Null },
                "permission": Some(decision).filter(|d| !d.is_empty()),
            })
        };
        let known = turn["tools"].as_array().into_iter().flatten().filter(|_| rollout || hooks);
        let mut tools: Vec<Value> = known.map(one).collect();
        if turn["kind"] == "user_shell" {
            // The command a user ran themselves is told as a tool, though no model asked for it.
            tools.extend(got.as_array().unwrap().iter().cloned());
        }
        tools.sort_by_key(|t| t["call_id"].to_string());
        Value::from(tools)
    }
}

/// Settings that deliver to the archive alone, before the hook returns.
const LOCAL: &str = "harnesses: {codex: {target: local, export_mode: sync}}\n";

/// The rollouts of a recording, growing as they did.
struct Rollouts {
    files: Vec<(PathBuf, Vec<(i64, String)>)>,
}

impl Rollouts {
    fn of(folder: &Path, codex: &Path, padded: bool) -> Rollouts {
        let mut files = Vec::new();
        for entry in walk(folder) {
            let name = entry.file_name().unwrap().to_str().unwrap().to_owned();
            if !name.starts_with("rollout-") {
                continue;
            }
            if !name.ends_with(".jsonl") {
                let target = place_of(codex, &name);
                fs::create_dir_all(target.parent().unwrap()).unwrap();
                fs::copy(&entry, target).unwrap();
                continue;
            }
            let text = fs::read_to_string(&entry).unwrap();
            let lines = text.lines().map(|line| {
                let value: Value = serde_json::from_str(line).unwrap();
                let at = Timestamp::parse(value["timestamp"].as_str().unwrap()).unwrap();
                let padding = match padded && value["payload"]["type"] == "task_started" {
                    true => format!(
                        "{{\"timestamp\":{},\"type\":\"world_state\",\"payload\":{{\"x\":\"{}\"}}}}\n",
                        value["timestamp"],
                        "x".repeat(100_000)
                    ),
                    false => String::new(),
                };
                (at.as_millis() as i64, format!("{padding}{line}\n"))
            });
            files.push((place_of(codex, &name), lines.collect()));
        }
        Rollouts { files }
    }

    fn path_of(&self, recorded: &str) -> PathBuf {
        let name = Path::new(recorded).file_name().unwrap();
        let found = self.files.iter().find(|(path, _)| path.file_name().unwrap() == name);
        found.map_or_else(|| PathBuf::from(recorded), |(path, _)| path.clone())
    }

    /// Writes the rollout in which a turn ends up to that line.
    fn write_to_end_of(&self, turn: &str) {
        let ends = |line: &str| line.contains("\"task_complete\"") || line.contains("\"turn_aborted\"");
        for (path, lines) in &self.files {
            let end = lines.iter().position(|(_, line)| ends(line) && line.contains(turn));
            if let Some(end) = end {
                let text: String = lines[..=end].iter().map(|(_, line)| line.as_str()).collect();
                fs::write(path, text).unwrap();
            }
        }
    }

    /// Writes what Codex had written by `at`, the line that ends a turn included: it follows within milliseconds.
    fn write_until(&self, at: i64) {
        for (path, lines) in &self.files {
            let mut shown = lines.partition_point(|(when, _)| *when <= at);
            while lines.get(shown).is_some_and(|(when, line)| {
                let ends = line.contains("\"task_complete\"") || line.contains("\"turn_aborted\"");
                *when <= at.saturating_add(250) && ends
            }) {
                shown += 1;
            }
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let text: String = lines[..shown].iter().map(|(_, line)| line.as_str()).collect();
            if text.is_empty() {
                let _ = fs::remove_file(path);
            } else {
                fs::write(path, text).unwrap();
            }
        }
    }
}

/// The events with which a turn ends.
const ENDING: [&str; 3] = ["Stop", "SubagentStop", "Interrupt"];

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() { found.extend(walk(&entry.path())) } else { found.push(entry.path()) }
    }
    found
}

/// `rollout-2026-11-22T…` lies in the directory of its day.
fn place_of(codex: &Path, name: &str) -> PathBuf {
    let day: Vec<&str> = name["rollout-".len()..].splitn(4, ['-', 'T']).take(3).collect();
    codex.join("sessions").join(day.join("/")).join(name)
}

impl Replayed {
    /// The thread and turn of every entry.
    pub fn turns(&self) -> Vec<(String, String)> {
        self.entries.iter().map(|e| (e.head.key.thread.to_string(), e.head.key.turn.to_string())).collect()
    }

    fn entries_of(&self, thread: &str, turn: &str) -> Vec<&Entry> {
        let ours = |e: &&Entry| e.head.key.thread.as_str() == thread && e.head.key.turn.as_str() == turn;
        let mut found: Vec<&Entry> = self.entries.iter().filter(ours).collect();
        found.sort_by_key(|e| e.head.key.part);
        found
    }

    /// A turn with its continuations.
    pub fn turn(&self, thread: &str, turn: &str, tree: &str) -> Option<Seen> {
        let entries = self.entries_of(thread, turn);
        let (first, last) = (entries.first()?, entries.last()?);
        let spans: Vec<&Span> = entries.iter().flat_map(|e| &e.spans).collect();
        let kind = |kind: &'static str| {
            spans.iter().copied().filter(move |s| string(s, "openinference.span.kind") == Some(kind))
        };
        let roots: Vec<&Span> = entries.iter().map(|e| &e.spans[0]).collect();
        let prompts = roots.iter().filter_map(|r| string(r, "input.value")).collect::<Vec<_>>().join("\n\n");
        let prompts: Vec<&str> = prompts.split("\n\n").filter(|p| !p.is_empty()).collect();
        let _ = first;
        let answer = string(roots[roots.len() - 1], "output.value").map_or(Value::Null, Value::from);
        let mut tools: Vec<Value> = kind("TOOL").map(|span| tool(span, &spans)).collect();
        tools.sort_by_key(|t| t["call_id"].to_string());
        let sum = |key: &str| {
            let counts: Vec<i64> = kind("LLM").filter_map(|s| number(s, key)).collect();
            if counts.is_empty() { Value::Null } else { counts.iter().sum::<i64>().into() }
        };
        let tokens = json!({
            "prompt": sum("llm.token_count.prompt"),
            "completion": sum("llm.token_count.completion"),
            "cache_read": sum("llm.token_count.prompt_details.cache_read"),
            "reasoning": sum("llm.token_count.completion_details.reasoning"),
        });
        let told = tokens["prompt"].is_number();
        let outside = entries.iter().map(|e| spans_outside(&e.spans)).sum();
        let with_usage = kind("LLM").filter(|s| number(s, "llm.token_count.prompt").is_some()).count();
        Some(Seen {
            status: string(&last.spans[0], "codex.turn.status").map_or(Value::Null, Value::from),
            prompts: Value::from(prompts),
            answer,
            tokens: if told { tokens } else { Value::Null },
            responses: if tree == "calls" { with_usage } else { 0 },
            compactions: kind("CHAIN").count(),
            tools: Value::from(tools),
            outside,
            shape: shape(&entries),
            times: kind("TOOL")
                .map(|s| {
                    let ms = |nanos: u64| (nanos / 1_000_000) as i64;
                    let id = string(s, "tool_call.id").unwrap().to_owned();
                    (id, (ms(s.start_time_unix_nano), ms(s.end_time_unix_nano)))
                })
                .collect(),
        })
    }

    /// The parent of the span of a turn, in hex.
    pub fn parent_of(&self, thread: &str, turn: &str) -> Option<String> {
        let entries = self.entries_of(thread, turn);
        entries.first().map(|e| hex(&e.spans[0].parent_span_id))
    }

    /// The span a tool call must have, in hex, when it is there.
    pub fn tool_span(&self, thread: &str, turn: &str, call: &str) -> Option<String> {
        use arize_codex::ids::{ThreadId, TurnId};
        let (thread_id, turn_id) = (ThreadId::parse(thread).ok()?, TurnId::parse(turn).ok()?);
        let id = ids::span_id(&thread_id, &turn_id, SpanRole::Tool, call);
        let there = self.entries_of(thread, turn).iter().any(|e| e.spans.iter().any(|s| s.span_id == id));
        there.then(|| hex(&id))
    }
}

/// The name Codex shows to hooks, without the prefix it puts before the tools for agents. A script is named by what
/// it does, which is tested elsewhere.
fn wanted_name(tool: &Value, found: &Value) -> Value {
    match (tool["name"].as_str().unwrap(), tool["namespace"].as_str()) {
        ("exec", None) => found["name"].clone(),
        ("exec_command", _) => "Bash".into(),
        (name, Some(space)) if space.starts_with("mcp__") => format!("{space}__{name}").into(),
        (name, _) => name.into(),
    }
}

fn tool(span: &Span, spans: &[&Span]) -> Value {
    let failed = span.status.as_ref().is_some_and(|s| s.code == 2);
    let has_event = span.events.iter().any(|e| e.name == "exception");
    assert_eq!(failed, has_event, "an error has its exception event");
    let parent = spans.iter().find(|s| s.span_id == span.parent_span_id);
    let script = parent.filter(|s| string(s, "openinference.span.kind") == Some("TOOL"));
    json!({
        "call_id": string(span, "tool_call.id"),
        "in": script.and_then(|s| string(s, "tool_call.id")),
        "name": span.name,
        "ok": !failed,
        "exit_code": number(span, "codex.tool.exit_code"),
        "permission": string(span, "codex.permission.decision"),
    })
}

/// How often each kind of span hangs from each kind of parent, in the turn's own entries.
fn shape(entries: &[&Entry]) -> BTreeMap<String, usize> {
    let spans: Vec<&Span> = entries.iter().flat_map(|e| &e.spans).collect();
    let kind = |s: &Span| string(s, "openinference.span.kind").unwrap_or("?").to_owned();
    let mut found = BTreeMap::new();
    for entry in entries {
        for span in &entry.spans[1..] {
            let parent = spans
                .iter()
                .find(|p| p.span_id == span.parent_span_id)
                .map_or("nothing".to_owned(), |p| kind(p));
            *found.entry(format!("{} in {parent}", kind(span))).or_default() += 1;
        }
    }
    found
}

/// How many spans lie outside their parent, end before they start or stand before an earlier sibling.
fn spans_outside(spans: &[Span]) -> usize {
    let disordered =
        spans[1..].windows(2).filter(|w| w[0].start_time_unix_nano > w[1].start_time_unix_nano).count();
    let outside = |span: &&Span| {
        let parent = spans.iter().find(|p| p.span_id == span.parent_span_id);
        span.start_time_unix_nano > span.end_time_unix_nano
            || parent.is_some_and(|p| {
                span.start_time_unix_nano < p.start_time_unix_nano
                    || span.end_time_unix_nano > p.end_time_unix_nano
            })
    };
    disordered + spans.iter().filter(outside).count()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
