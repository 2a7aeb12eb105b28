//! Receivers that tests start: a Rotel and a Kafka broker of the lab, and a recorded session that is sent to them.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::Value;

use crate::collector::spans_of;
use crate::lab::Lab;
use crate::replay::{Recording, fixture};

/// A session of Codex 0.171 with a subagent and failed commands, under ids of its own, so that it can be sent to one
/// receiver several times.
pub struct Session {
    pub thread: String,
    pub expected: Value,
    pub lab: Lab,
}

impl Session {
    /// Sends the session with the real executable; `harness` is what stands under `harnesses.codex`.
    pub fn send(number: u32, harness: &str) -> Session {
        let recording = fixture("0.171.0", "subagent").expect("a recording of a subagent");
        let lab = Lab::new(&format!("{harness}, user_id: {USER}"));
        let thread = lay(&recording, &lab, number);
        let output = lab.run(&["backfill"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let turns = recording.expected["turns"].as_array().unwrap().len();
        assert!(said.contains(&format!("{turns} turns delivered")), "{said}{output:?}\n{}", lab.log());
        Session { thread, expected: recording.expected, lab }
    }

    /// The turn that a user began.
    pub fn root(&self) -> &Value {
        self.turns().iter().find(|turn| turn["parent"].is_null()).unwrap()
    }

    pub fn turns(&self) -> &[Value] {
        self.expected["turns"].as_array().unwrap()
    }

    /// A count of tokens over all turns, as `expected.json` names it.
    pub fn tokens(&self, name: &str) -> i64 {
        self.turns().iter().map(|turn| turn["tokens"][name].as_i64().unwrap()).sum()
    }

    /// How many tool calls all turns have.
    pub fn tools(&self) -> usize {
        self.turns().iter().map(|turn| turn["tools"].as_array().unwrap().len()).sum()
    }
}

/// Lays the recording's rollouts with other ids; returns the root thread's.
fn lay(recording: &Recording, lab: &Lab, number: u32) -> String {
    let below = lab.paths().codex();
    fs::create_dir_all(below).unwrap();
    recording.lay_rollouts(below);
    let turns = recording.expected["turns"].as_array().unwrap();
    let ids =
        turns.iter().flat_map(|turn| [&turn["thread"], &turn["turn_id"]]).map(|id| id.as_str().unwrap());
    let own = format!("{:08x}{:04x}", std::process::id(), number);
    let renamed = |text: &str| {
        ids.clone().fold(text.to_owned(), |text, id| text.replace(id, &format!("{}{own}", &id[..24])))
    };
    for path in files(below) {
        let text = renamed(&fs::read_to_string(&path).unwrap());
        fs::remove_file(&path).unwrap();
        let path = path.with_file_name(renamed(path.file_name().unwrap().to_str().unwrap()));
        fs::write(&path, text).unwrap();
        let long_ago = SystemTime::now() - Duration::from_secs(48 * 3600);
        File::options().append(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    let root = turns.iter().find(|turn| turn["parent"].is_null()).unwrap();
    renamed(root["thread"].as_str().unwrap())
}

fn files(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(below).unwrap().flatten().map(|e| e.path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else if entry.extension().is_some_and(|e| e == "jsonl") {
            found.push(entry);
        }
    }
    found
}

/// A process that ends with the test.
pub struct Running(Child);

impl Running {
    /// Starts it and waits until it listens.
    fn start(command: &mut Command, port: u16) -> Running {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut running = Running(child);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = running.0.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "{command:?} does not listen: {ended:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Rotel that receives over HTTP and gRPC.
pub struct Rotel {
    pub http: String,
    pub grpc: String,
    _process: Running,
    _folder: tempfile::TempDir,
}

impl Rotel {
    /// Starts one with these flags beside the addresses.
    pub fn start(flags: &[String]) -> Rotel {
        let folder = tempfile::tempdir().unwrap();
        let (http, grpc) = (free_port(), free_port());
        let (http_at, grpc_at) = (format!("127.0.0.1:{http}"), format!("127.0.0.1:{grpc}"));
        let mut command = Command::new(lab().join("rotel/bin/rotel-agent"));
        command.arg("start").args(["--otlp-http-endpoint", &http_at, "--otlp-grpc-endpoint", &grpc_at]);
        command.arg("--pid-file").arg(folder.path().join("pid"));
        command.arg("--log-file").arg(folder.path().join("log"));
        command.args(flags).env_clear().current_dir(folder.path());
        let process = Running::start(&mut command, http);
        Rotel {
            http: format!("http://{http_at}"),
            grpc: format!("http://{grpc_at}"),
            _process: process,
            _folder: folder,
        }
    }
}

/// A broker that speaks Kafka's protocol and keeps its topics in memory.
pub struct Broker {
    pub address: String,
    _process: Running,
}

impl Broker {
    pub fn start() -> Broker {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let url = format!("tcp://{address}");
        let mut command = Command::new(lab().join("rotel/bin/tansu"));
        command.args(["broker", "--listener-url", &url, "--advertised-listener-url", &url]);
        command.args(["--storage-engine", "memory://tansu/"]).env_clear();
        Broker { address, _process: Running::start(&mut command, port) }
    }

    fn python(&self, verb: &str, topic: &str) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/kafka.py");
        let mut command = Command::new(lab().join("rotel/bin/python"));
        command.arg(script).args([verb, &self.address, topic]).stdin(Stdio::null());
        command
    }

    /// Makes a topic, and reads it from its beginning on.
    pub fn topic(&self, name: &str) -> Topic {
        assert!(self.python("topic", name).status().unwrap().success());
        let mut child = self.python("read", name).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, messages) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let message = base64::engine::general_purpose::STANDARD.decode(line).unwrap();
                if tell.send(message).is_err() {
                    return;
                }
            }
        });
        Topic { messages, _consumer: Running(child) }
    }
}

/// What a consumer reads of a topic.
pub struct Topic {
    messages: Receiver<Vec<u8>>,
    _consumer: Running,
}

impl Topic {
    /// Reads until there are `count` spans, or nothing has come for a while.
    pub fn spans(&self, count: usize, patience: Duration) -> Vec<Span> {
        let mut spans = Vec::new();
        while spans.len() < count {
            let Ok(message) = self.messages.recv_timeout(patience) else { break };
            spans.extend(spans_of(&ExportTraceServiceRequest::decode(message.as_slice()).unwrap()));
        }
        spans
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn lab() -> PathBuf {
    std::env::var("ARIZE_CODEX_TEST_LAB").expect("ARIZE_CODEX_TEST_LAB is unset: run tests/run").into()
}

pub const USER: &str = "dev@example.com";
/// How long anything may take to start.
pub const PATIENCE: Duration = Duration::from_secs(60);
