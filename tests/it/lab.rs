//! A home of its own in which the real executable is called as Codex calls it.

use arize_codex::context::{Context, Paths};
use arize_codex::ids::{ThreadId, TurnId};
use arize_codex::otel::ids::trace_id;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::collector::Book;

/// A temporary home, and the settings in it.
pub struct Lab {
    folder: tempfile::TempDir,
    home: PathBuf,
    context: Context,
    pub environment: Vec<(String, String)>,
}

impl Lab {
    /// A home whose `harnesses.codex` is `yaml`.
    pub fn new(yaml: &str) -> Lab {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_path_buf();
        Lab::at(folder, home, yaml)
    }

    /// A home in a directory of its own below a temporary one.
    pub fn at(folder: tempfile::TempDir, home: PathBuf, yaml: &str) -> Lab {
        let vars = BTreeMap::from([("HOME".to_owned(), home.to_str().unwrap().to_owned())]);
        let lab = Lab { folder, home, context: Context::given(vec![], vars), environment: Vec::new() };
        lab.configure(yaml);
        lab
    }

    pub fn configure(&self, yaml: &str) {
        crate::export_outcomes::configure(self.paths(), yaml);
    }

    pub fn context(&self) -> &Context {
        &self.context
    }

    pub fn paths(&self) -> &Paths {
        self.context.paths()
    }

    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.paths().log_file()).unwrap_or_default()
    }

    /// The executable under one of its names, with this home and nothing else.
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arize-codex"));
        command.arg0(name).env_clear().env("HOME", &self.home).env("PATH", "/usr/bin:/bin");
        command.envs(self.environment.iter().map(|(k, v)| (k, v))).current_dir("/");
        command
    }

    /// Starts a role and gives it its payload; the caller waits, or kills.
    pub fn start(&self, role: &str, payload: &str) -> Child {
        let mut command = self.command(&format!("arize-hook-codex-{role}"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A role that was killed, or that needs no more, has closed its end.
        let _ = child.stdin.take().unwrap().write_all(payload.as_bytes());
        child
    }

    /// Calls a role and holds it to the contract: exit 0, nothing on stdout, in bounded time.
    pub fn call(&self, role: &str, payload: &str) {
        let began = Instant::now();
        let output = self.start(role, payload).wait_with_output().unwrap();
        let took = began.elapsed();
        assert!(output.status.success(), "{role}: {:?} {output:?}", output.status);
        assert!(output.stdout.is_empty(), "{role} spoke: {output:?}");
        assert!(took < LONGEST_CALL, "{role} took {took:?}");
    }

    /// Runs a command for people.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command("arize-codex").args(arguments).output().unwrap()
    }

    /// Delivers what is left, as a user would; fails when anything stays.
    pub fn flush(&self) {
        let output = self.run(&["flush", "--wait", "60"]);
        assert!(output.status.success(), "{output:?}\n{}", self.log());
    }

    /// The processes that still run in this home.
    pub fn processes(&self) -> Vec<u32> {
        let mark = format!("HOME={}\0", self.home.display());
        let ours = |pid: &u32| {
            std::fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|e| memchr::memmem::find(&e, mark.as_bytes()).is_some())
        };
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        all.filter_map(|e| e.file_name().to_str()?.parse().ok()).filter(ours).collect()
    }

    /// Checks what must hold when all is over: nothing waits, nobody runs, nothing lies about.
    pub fn assert_at_rest(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.processes().is_empty() {
            assert!(Instant::now() < deadline, "stray processes {:?}", self.processes());
            std::thread::yield_now();
        }
        let names = |folder: PathBuf| -> Vec<String> {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let names = entries.filter_map(|e| e.file_name().into_string().ok());
            names.filter(|n| !n.starts_with(arize_codex::file::TEMPORARY_PREFIX)).collect()
        };
        let closing: Vec<_> =
            names(self.paths().closing()).into_iter().filter(|n| n.ends_with(".json")).collect();
        assert_eq!(closing, [""; 0], "closed turns are left");
        let outbox: Vec<_> = names(self.paths().outbox()).into_iter().filter(|n| n != "rejected").collect();
        assert_eq!(outbox, [""; 0], "the outbox is not empty");
        assert_eq!(
            names(arize_codex::delivery::outbox::rejected(self.paths())),
            [""; 0],
            "turns were set aside"
        );
    }
}

/// A session of Codex: it calls its hooks in their order.
pub struct Session<'a> {
    lab: &'a Lab,
    pub thread: String,
}

impl<'a> Session<'a> {
    pub fn start(lab: &'a Lab, number: u64) -> Session<'a> {
        let session = Session::named(lab, number);
        session.call("session", &session.payload("SessionStart", None, r#","source":"startup""#));
        session
    }

    /// A session that calls nothing yet.
    pub fn named(lab: &'a Lab, number: u64) -> Session<'a> {
        Session { lab, thread: format!("019a0000-0000-7000-8000-{number:012x}") }
    }

    /// A whole turn of `tools` tool calls.
    pub fn turn(&self, number: u64, tools: u64) {
        for (role, payload) in self.calls_of_turn(number, tools) {
            self.call(role, &payload);
        }
    }

    /// The calls of a turn: which role, with which payload.
    pub fn calls_of_turn(&self, number: u64, tools: u64) -> Vec<(&'static str, String)> {
        let turn = turn_id(number);
        let turn = Some(turn.as_str());
        let mut calls = vec![("session", self.payload("UserPromptSubmit", turn, r#","prompt":"do it""#))];
        for tool in 0..tools {
            calls.push(("tool", self.tool("PreToolUse", number, tool)));
            calls.push(("tool", self.tool("PostToolUse", number, tool)));
        }
        calls.push(("stop", self.payload("Stop", turn, r#","last_assistant_message":"done""#)));
        calls
    }

    pub fn tool(&self, event: &str, turn: u64, tool: u64) -> String {
        let mut more =
            format!(r#","tool_name":"Bash","tool_use_id":"call-{tool}","tool_input":{{"command":"ls"}}"#);
        if event == "PostToolUse" {
            more.push_str(r#","tool_response":"a file""#);
        }
        self.payload(event, Some(&turn_id(turn)), &more)
    }

    pub fn end(&self) {
        self.call("stop", &self.payload("SessionEnd", None, r#","reason":"exit""#));
    }

    pub fn call(&self, role: &str, payload: &str) {
        self.lab.call(role, payload);
    }

    pub fn payload(&self, event: &str, turn: Option<&str>, more: &str) -> String {
        let turn = turn.map_or(String::new(), |t| format!(r#","turn_id":"{t}""#));
        format!(
            r#"{{"hook_event_name":"{event}","session_id":"{}"{turn},"transcript_path":null,"cwd":"/","model":"m"{more}}}"#,
            self.thread
        )
    }

    /// The trace of one of its turns.
    pub fn trace(&self, turn: u64) -> [u8; 16] {
        trace_id(&ThreadId::parse(&self.thread).unwrap(), &TurnId::parse(&turn_id(turn)).unwrap())
    }
}

/// A rollout that a test writes as Codex would.
pub struct Rollout {
    path: PathBuf,
}

impl Rollout {
    /// The thread's own, with its first line, where only who is reported it finds it.
    pub fn of(lab: &Lab, session: &Session<'_>) -> Rollout {
        Rollout::at(lab.folder().join(format!("rollout-{}.jsonl", session.thread)), session)
    }

    /// The thread's own, in one of the directories where Codex keeps its rollouts.
    pub fn in_codex(lab: &Lab, session: &Session<'_>) -> Rollout {
        let folder = lab.paths().codex().join("archived_sessions");
        std::fs::create_dir_all(&folder).unwrap();
        Rollout::at(folder.join(format!("rollout-2026-11-22T12-00-00-{}.jsonl", session.thread)), session)
    }

    fn at(path: PathBuf, session: &Session<'_>) -> Rollout {
        let rollout = Rollout { path };
        rollout.write("session_meta", "", &format!(r#""id":"{}""#, session.thread));
        rollout
    }

    /// Appends a line of a turn.
    pub fn write(&self, kind: &str, turn: &str, payload: &str) {
        let mut file = std::fs::File::options().create(true).append(true).open(&self.path).unwrap();
        let at = "2026-11-22T12:00:00.000Z";
        writeln!(
            file,
            r#"{{"timestamp":"{at}","type":"{kind}","payload":{{"turn_id":"{turn}",{payload}}}}}"#
        )
        .unwrap();
    }

    /// Appends what the model answered, and what it used.
    pub fn write_response(&self, turn: &str, text: &str, tokens: u64) {
        let content = format!(r#"[{{"type":"output_text","text":"{text}"}}]"#);
        self.write(
            "response_item",
            turn,
            &format!(r#""type":"message","role":"assistant","content":{content}"#),
        );
        let usage = format!(r#"{{"input_tokens":{tokens},"output_tokens":1,"total_tokens":{}}}"#, tokens + 1);
        self.write("token_usage_record", turn, &format!(r#""response_id":"{text}","usage":{usage}"#));
    }

    /// Makes it a file that nobody has written to for two days.
    pub fn grow_old(&self) {
        let file = std::fs::File::options().append(true).open(&self.path).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(48 * 3600)).unwrap();
    }

    /// A payload that names it.
    pub fn named_in(&self, payload: &str) -> String {
        let named = format!(r#""transcript_path":"{}""#, self.path.display());
        payload.replace(r#""transcript_path":null"#, &named)
    }
}

/// How often each span came, by its id and name.
type Spans = BTreeMap<(Vec<u8>, String), usize>;

/// What a collector has of each turn.
pub struct Delivered {
    by_trace: BTreeMap<Vec<u8>, Spans>,
}

impl Delivered {
    pub fn to(book: &Book) -> Delivered {
        let mut by_trace: BTreeMap<_, Spans> = BTreeMap::new();
        for span in book.spans() {
            *by_trace.entry(span.trace_id).or_default().entry((span.span_id, span.name)).or_default() += 1;
        }
        Delivered { by_trace }
    }

    /// Takes a turn out; fails unless it came with exactly its spans. Returns how often one of them came again.
    pub fn take(&mut self, trace: [u8; 16], spans: usize) -> usize {
        let found = self.by_trace.remove(trace.as_slice()).unwrap_or_default();
        let names: Vec<_> = found.keys().map(|(_, name)| name).collect();
        assert_eq!(found.len(), spans, "spans {names:?} of the turn in trace {trace:02x?}");
        found.values().map(|n| n - 1).sum()
    }

    /// Fails when anything came that nobody took out.
    pub fn assert_nothing_else(&self) {
        assert!(self.by_trace.is_empty(), "{} traces of no turn", self.by_trace.len());
    }
}

pub fn turn_id(number: u64) -> String {
    format!("019b0000-{:04x}-7000-8000-{:012x}", number >> 16 & 0xffff, number & 0xffff)
}

/// Far above what a call takes, far below what Codex would wait.
const LONGEST_CALL: Duration = Duration::from_secs(8);
