//! The cases of the table: programs, payloads, and the homes they find.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::spawn::{self, Payload};

/// A row of the table.
pub struct Case {
    pub name: &'static str,
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    pub home: PathBuf,
    pub payload: Payload,
    /// The row it is compared with.
    pub against: &'static str,
    /// How often that row's time it may take.
    pub limit: Option<f64>,
    pub peak_kib: Option<i64>,
    /// State files to lay down before each run, so that all runs find the same.
    found: Vec<(PathBuf, Vec<u8>)>,
    /// Whether a run leaves a flusher behind.
    starts_flusher: bool,
    /// Whether that flusher waits for an answer that never comes.
    hangs: bool,
    /// What the Python edition takes for the same, in microseconds, where it was measured.
    pub python: Option<(&'static str, f64)>,
}

impl Case {
    fn new(name: &'static str, program: PathBuf, home: &Path, payload: Payload) -> Case {
        let (arguments, home) = (Vec::new(), home.to_path_buf());
        let (against, limit, peak_kib) = (FLOOR, None, None);
        let (found, starts_flusher, hangs, python) = (Vec::new(), false, false, None);
        Case {
            name,
            program,
            arguments,
            home,
            payload,
            against,
            limit,
            peak_kib,
            found,
            starts_flusher,
            hangs,
            python,
        }
    }

    fn at_most(self, limit: f64, against: &'static str) -> Case {
        Case { limit: Some(limit), against, ..self }
    }

    fn peak(self, kib: i64) -> Case {
        Case { peak_kib: Some(kib), ..self }
    }

    /// Lets every run find the state that lies in its home now.
    fn finds_state(self) -> Case {
        let files = fs::read_dir(state(&self.home)).expect("state").flatten().map(|e| e.path());
        let files = files.filter(|p| p.extension().is_some_and(|e| e == "yaml" || e == "jsonl"));
        let found = files.filter(|p| p.to_string_lossy().contains(THREAD));
        let found = found.map(|path| (path.clone(), fs::read(path).expect("state"))).collect();
        Case { found, ..self }
    }

    fn leaves_flusher(self) -> Case {
        Case { starts_flusher: true, ..self }
    }

    /// Leaves a flusher that hangs.
    fn leaves_hung_flusher(self) -> Case {
        Case { starts_flusher: true, hangs: true, ..self }
    }

    fn in_python(self, what: &'static str, micros: f64) -> Case {
        Case { python: Some((what, micros)), ..self }
    }

    /// Lays down what the run changes or uses up, and takes away what it adds.
    pub fn prepare(&mut self) {
        if let Some((path, _)) = self.found.first() {
            let rows = path.with_file_name(format!("spans_{THREAD}.jsonl"));
            let _ = fs::remove_file(rows);
        }
        for (path, content) in &self.found {
            fs::write(path, content).expect("the state of a turn");
        }
    }

    /// Runs once more, to count the system calls.
    pub fn system_calls(&mut self) -> Option<usize> {
        self.prepare();
        let calls = spawn::system_calls(&self.program, &self.arguments, &self.home, &self.payload);
        self.settle();
        calls
    }

    /// Lets the process that a run has left behind come to its end, so that it disturbs no other run.
    pub fn settle(&self) {
        if !self.starts_flusher {
            return;
        }
        if self.hangs {
            spawn::end_all_in(&self.home);
        }
        while spawn::any_in(&self.home) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        for folder in ["closing", "sent"] {
            let _ = fs::remove_dir_all(state(&self.home).join(folder));
        }
    }
}

/// Makes the links that Codex calls.
pub fn link(binary: &Path, folder: &Path) {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    for role in ["session", "tool", "stop", "notify"] {
        symlink(binary, bin.join(format!("arize-hook-codex-{role}"))).expect("a link");
    }
}

/// Every case, with its home made ready.
pub fn all(folder: &Path) -> Vec<Case> {
    let bin = folder.join("bin");
    let role = |name: &str| bin.join(format!("arize-hook-codex-{name}"));
    let (tool, session, stop) = (role("tool"), role("session"), role("stop"));
    let rollout = folder.join("session.jsonl");
    write_rollout(&rollout, 1 << 20);
    let small = |event: &str, more: &str| {
        Payload::Pipe(payload(event, &format!(r#"{more},"transcript_path":"{}""#, rollout.display()), 1024))
    };
    let plain = home(folder, "plain", "target: local");
    let second = home(folder, "second", "target: local");
    let idle = home(folder, "idle", "target: local");
    let told = home(folder, "told", "target: local");
    spawn::run(&session, &[], &plain, &small("UserPromptSubmit", PROMPT));
    spawn::run(&session, &[], &idle, &small("SessionStart", SOURCE));
    spawn::run(&session, &[], &told, &small("UserPromptSubmit", PROMPT));
    spawn::run(&session, &[], &second, &small("UserPromptSubmit", PROMPT));
    end_turn(&stop, &second, &small("Stop", DONE));
    let large = folder.join("large.json");
    fs::write(&large, payload("PostToolUse", RESPONSE, 1 << 20)).expect("a payload");
    let asks = home(folder, "asks", "target: local");
    spawn::run(&session, &[], &asks, &small("UserPromptSubmit", PROMPT));
    let floor =
        nothing(folder).expect("the x86_64-unknown-linux-musl target for the program all are compared with");
    let to_a_file = vec!["-c".into(), format!("exec cat >{}", folder.join("cat").display()).into()];
    let mut cases = vec![
        Case::new(FLOOR, floor, &plain, small("PreToolUse", TOOL)),
        Case::new("/bin/true", "/bin/true".into(), &plain, small("PreToolUse", TOOL)),
        Case::new("tool", tool.clone(), &plain, small("PreToolUse", TOOL)).at_most(2.0, FLOOR).peak(4096),
        Case::new("before a model request", tool.clone(), &asks, small("PreModelRequest", REQUEST))
            .at_most(2.0, FLOOR)
            .peak(4096),
        Case::new("after a model request", tool.clone(), &asks, small("PostModelRequest", ANSWERED))
            .at_most(2.0, FLOOR)
            .peak(4096),
        Case::new("session, a new prompt", session.clone(), &second, small("UserPromptSubmit", PROMPT))
            .at_most(3.0, FLOOR)
            .peak(4096)
            .finds_state(),
        Case::new("session, its start", session, &idle, small("SessionStart", SOURCE))
            .at_most(3.0, FLOOR)
            .peak(4096)
            .finds_state(),
        Case {
            arguments: to_a_file,
            ..Case::new(CAT, "/bin/sh".into(), &plain, Payload::File(large.clone()))
        },
        Case::new("tool, 1 MiB response", tool, &plain, Payload::File(large))
            .at_most(3.0, CAT)
            .peak(16384)
            .finds_state(),
        Case {
            arguments: vec![NOTIFY.into()],
            ..Case::new("notify", role("notify"), &told, Payload::None)
                .finds_state()
                .leaves_flusher()
                .in_python("sending", PYTHON_SENDING)
        },
    ];
    cases.extend(notifies(&role("notify"), folder));
    cases.extend(stops(&bin, &stop, folder));
    cases
}

/// notify where no hook runs, so that it hands a turn over itself.
fn notifies(notify: &Path, folder: &Path) -> Vec<Case> {
    let long = home(folder, "notify-long", "target: local");
    let day = long.join(".codex/sessions").join(DAY_OF_THREAD);
    fs::create_dir_all(&day).expect("Codex's folder of the day");
    write_rollout(&day.join(format!("rollout-2025-10-20T00-00-00-{THREAD}.jsonl")), 100 << 20);
    let hung = home(folder, "notify-hung", &hung_backend());
    let off = home(folder, "notify-off", "trace_enabled: false");
    let of = |name, home: &Path| {
        let case = Case::new(name, notify.to_path_buf(), home, Payload::None).peak(16384);
        Case { arguments: vec![NOTIFY.into()], ..case }
    };
    vec![
        of("notify, tracing off", &off).in_python("disabled", PYTHON_DISABLED),
        of("notify alone, rollout of 100 MiB", &long)
            .leaves_flusher()
            .in_python("with a rollout of 100 MiB", PYTHON_LONG),
        of("notify alone, hung backend", &hung)
            .leaves_hung_flusher()
            .in_python("with a hung backend", PYTHON_HUNG),
    ]
}

/// Ends a turn and lets it be assembled, so that the next prompt begins another.
fn end_turn(stop: &Path, home: &Path, payload: &Payload) {
    spawn::run(stop, &[], home, payload);
    while spawn::any_in(home) {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Settings of a backend whose connections are taken by the system, where nobody answers.
fn hung_backend() -> String {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let yaml = format!("target: phoenix, endpoint: 'http://{}'", silent.local_addr().expect("its number"));
    std::mem::forget(silent);
    yaml
}

/// A rollout that is a hole between its first line and a turn as Codex writes it.
fn write_rollout(path: &Path, bytes: u64) {
    let mut file = File::create(path).expect("a rollout");
    let meta = format!(r#"{{"type":"session_meta","payload":{{"id":"{THREAD}","cwd":"/"}}}}"#);
    writeln!(file, "{meta}").expect("a rollout");
    file.seek(SeekFrom::Start(bytes)).expect("a rollout of any size");
    for kind in ["task_started", "task_complete"] {
        let payload = format!(r#"{{"type":"{kind}","turn_id":"{TURN}"}}"#);
        writeln!(file, "\n{{\"type\":\"event_msg\",\"payload\":{payload}}}").expect("a rollout");
    }
}

/// Stop of a turn of 50 calls, in homes that must make no difference.
fn stops(bin: &Path, stop: &Path, folder: &Path) -> Vec<Case> {
    let rollout = |name: &str, bytes: u64| {
        let path = folder.join(name);
        write_rollout(&path, bytes);
        format!(r#","transcript_path":"{}""#, path.display())
    };
    let hung = hung_backend();
    let (short, long) = (rollout("short.jsonl", 1 << 20), rollout("long.jsonl", 4 << 30));
    let homes = [
        (STOP, home(folder, "stop", "target: local"), short.clone()),
        ("Stop, rollout of 4 GiB", home(folder, "long", "target: local"), long),
        ("Stop, 5,000 sessions on disk", home(folder, "sessions", "target: local"), short.clone()),
        ("Stop, 5,000 turns in the outbox", home(folder, "backlog", ""), short.clone()),
        (HUNG, home(folder, "hung", &hung), short),
    ];
    for number in 0..5000 {
        let name = format!("state_01900000-0000-7000-8000-{number:012}.yaml");
        fs::write(state(&homes[2].1).join(name), "version: 1\n").expect("a state");
        let name = format!("01900000-0000-7000-8000-{number:012}.thread.0.turn");
        fs::write(state(&homes[3].1).join("outbox").join(name), "a turn").expect("an entry");
    }
    let mut cases = Vec::new();
    for (name, home, transcript) in homes {
        let more = format!("{DONE}{transcript}");
        begin_turn_of_fifty_calls(bin, &home, &transcript);
        let case = Case::new(name, stop.to_path_buf(), &home, Payload::Pipe(payload("Stop", &more, 1024)));
        let case = case.peak(16384).finds_state();
        let case = if name == HUNG { case.leaves_hung_flusher() } else { case.leaves_flusher() };
        cases.push(match name {
            STOP => case.at_most(5.0, FLOOR),
            _ => case.at_most(1.2, STOP),
        });
    }
    cases
}

/// Runs the hooks of a turn up to its end.
fn begin_turn_of_fifty_calls(bin: &Path, home: &Path, transcript: &str) {
    let run = |role: &str, event: &str, more: &str| {
        let payload = Payload::Pipe(payload(event, &format!("{more}{transcript}"), 1024));
        spawn::run(&bin.join(format!("arize-hook-codex-{role}")), &[], home, &payload);
    };
    run("session", "UserPromptSubmit", PROMPT);
    for call in 0..50 {
        let id = format!(r#","tool_name":"Bash","tool_use_id":"call-{call}""#);
        run("tool", "PreToolUse", &id);
        run("tool", "PostToolUse", &format!(r#"{id},"tool_response":"ok""#));
    }
}

/// A payload of about `size` bytes.
pub fn payload(event: &str, more: &str, size: usize) -> Vec<u8> {
    let mut text = format!(
        r#"{{"hook_event_name":"{event}","session_id":"{THREAD}","turn_id":"{TURN}","cwd":"/","model":"m"{more},"#
    );
    let key = if event == "PostToolUse" { "tool_response" } else { "other" };
    let rest = size.saturating_sub(text.len() + key.len() + 8);
    let repeats = text.contains(&format!(r#""{key}""#));
    let key = if repeats { "other" } else { key };
    text.push_str(&format!(r#""{key}":"{}"}}"#, "x".repeat(rest)));
    text.into_bytes()
}

/// A home with settings.
pub fn home(folder: &Path, name: &str, yaml: &str) -> PathBuf {
    let home = folder.join(name);
    let harness = home.join(".arize/harness");
    for folder in [state(&home), state(&home).join("outbox"), harness.clone()] {
        fs::create_dir_all(folder).expect("a home");
    }
    let mut config = File::create(harness.join("config.yaml")).expect("settings");
    writeln!(config, "harnesses: {{codex: {{{yaml}}}}}").expect("settings");
    home
}

pub fn state(home: &Path) -> PathBuf {
    home.join(".arize/harness/state/codex")
}

/// Builds the program that does nothing, static where the target is installed.
pub fn nothing(folder: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/nothing.rs");
    let out = folder.join("nothing");
    let mut rustc = Command::new("rustc");
    rustc.args(["-O", "-C", "panic=abort", "--target", "x86_64-unknown-linux-musl"]);
    rustc.args(["-C", "relocation-model=static", "-o"]).arg(&out).arg(source);
    rustc.output().ok()?.status.success().then_some(out)
}

const FLOOR: &str = "a static program that reads its input and ends";
const CAT: &str = "cat of 1 MiB to a file";
const HUNG: &str = "Stop, hung backend";
const STOP: &str = "Stop of 50 calls";
pub const THREAD: &str = "019a0000-0000-7000-8000-000000000001";
pub const TURN: &str = "019b0000-0000-7000-8000-000000000001";
pub const PROMPT: &str = r#","prompt":"do it""#;
const REQUEST: &str = r#","request_id":"r1","attempt_number":1,"kind":"sampling""#;
const ANSWERED: &str =
    r#","request_id":"r1","attempt_number":1,"kind":"sampling","status":"completed","response_id":"resp_1""#;
const SOURCE: &str = r#","source":"startup""#;
pub const TOOL: &str = r#","tool_name":"Bash","tool_use_id":"call-1","tool_input":{"command":"ls"}"#;
pub const RESPONSE: &str = r#","tool_name":"Bash","tool_use_id":"call-1""#;
pub const DONE: &str = r#","last_assistant_message":"done""#;
const NOTIFY: &str = r#"{"type":"agent-turn-complete","thread-id":"019a0000-0000-7000-8000-000000000001","turn-id":"019b0000-0000-7000-8000-000000000001","cwd":"/","input-messages":["do it"],"last-assistant-message":"done"}"#;
const DAY_OF_THREAD: &str = "2025/10/20";
/// The Python edition's notify, on a machine where /bin/true takes about 800 µs.
const PYTHON_DISABLED: f64 = 62_000.0;
const PYTHON_SENDING: f64 = 108_000.0;
const PYTHON_LONG: f64 = 963_000.0;
const PYTHON_HUNG: f64 = 10_000_000.0;
