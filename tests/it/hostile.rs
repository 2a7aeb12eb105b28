//! Hostile input, case by case: whatever reaches a role, it ends with exit code 0 and an empty stdout; whatever stands
//! in our directories, a command ends with a clear answer; in bounded time and memory, with nothing changed elsewhere.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// What a process may take of address space, in KiB; the test build itself takes the larger part of it.
const MEMORY_KIB: u64 = 192 * 1024;
/// Well below the deadline of a role, on a machine that does other work as well.
const PATIENCE: Duration = Duration::from_secs(15);

/// A home with our directories in it, beside things that are not ours.
pub struct Home {
    folder: tempfile::TempDir,
}

/// What became of a process.
pub struct Ended {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Home {
    pub fn new() -> Home {
        let folder = tempfile::tempdir().unwrap();
        let home = Home { folder };
        for name in ["home/.arize/harness", "home/.codex/sessions/2026/11/23", "outside", "project/.git"] {
            fs::create_dir_all(home.path(name)).unwrap();
        }
        fs::write(home.path("outside/canary"), "untouched").unwrap();
        fs::write(home.path("home/.codex/config.toml"), "model = \"x\"\n").unwrap();
        home.configure("target: local, export_mode: sync");
        home
    }

    pub fn configure(&self, harness: &str) {
        let path = self.harness("config.yaml");
        arize_codex::file::write_atomic(&path, format!("harnesses: {{codex: {{{harness}}}}}\n").as_bytes())
            .unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn harness(&self, name: &str) -> PathBuf {
        self.path("home/.arize/harness").join(name)
    }

    /// Everything that is not ours, with its content or kind.
    pub fn elsewhere(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        for name in ["outside", "project", "home/.codex"] {
            collect(&self.path(name), &mut found);
        }
        for entry in fs::read_dir(self.path("home")).unwrap().flatten() {
            found.insert(entry.path(), Vec::new());
        }
        found
    }

    /// Runs the executable under a limit of memory, with what `input` gives.
    pub fn run(&self, args: &[OsString], input: &[u8]) -> Ended {
        let started = Instant::now();
        let mut child = Command::new("/bin/sh")
            .args(["-c", "ulimit -v \"$0\" && ulimit -c 0 && exec \"$@\"", &MEMORY_KIB.to_string()])
            .arg(env!("CARGO_BIN_EXE_arize-codex"))
            .args(args)
            .env_clear()
            .env("HOME", self.path("home"))
            .current_dir(self.path("project"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_child(&child);
        // One that hangs is ended, so that the test goes on.
        let (ended, over) = mpsc::channel::<()>();
        let watch = std::thread::spawn(move || {
            if over.recv_timeout(PATIENCE + Duration::from_secs(5)) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        // A process that ends before it has read everything is seen below.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        drop(ended);
        watch.join().unwrap();
        Ended {
            code: output.status.code(),
            signal: output.status.signal(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took: started.elapsed(),
        }
    }

    /// Runs a role and holds it to its contract.
    pub fn role(&self, role: &str, input: &[u8], case: &str) {
        let ended = self.run(&["hook".into(), role.into()], input);
        ended.check_role(role, case);
    }
}

impl Ended {
    pub fn check_role(&self, role: &str, case: &str) {
        assert_eq!((self.code, self.signal), (Some(0), None), "{role}: {case}\n{}", self.stderr);
        assert_eq!((self.stdout.as_str(), self.stderr.as_str()), ("", ""), "{role}: {case}");
        assert!(self.took < PATIENCE, "{role}: {case} took {:?}", self.took);
    }

    pub fn check_command(&self, case: &str) {
        if let Err(why) = self.command_fault() {
            panic!("{case}: {why}");
        }
    }

    /// What is wrong with how a command for people ended.
    pub fn command_fault(&self) -> Result<(), String> {
        if self.took >= PATIENCE {
            return Err(format!("took {:?}", self.took));
        }
        if !matches!(self.code, Some(0..=2)) {
            return Err(format!("ended with {:?}, signal {:?}\n{}", self.code, self.signal, self.stderr));
        }
        for text in [&self.stdout, &self.stderr] {
            if text.contains("panicked") || text.contains(['\u{1b}', '\u{7}', '\u{202e}']) {
                return Err(format!("{text:?}"));
            }
        }
        Ok(())
    }
}

fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let size = entry.metadata().map_or(0, |m| m.len());
        if kind.is_dir() {
            collect(&path, found);
        } else {
            let content =
                if kind.is_file() && size < 1 << 20 { fs::read(&path).unwrap() } else { Vec::new() };
            found.insert(path, [content, size.to_le_bytes().to_vec()].concat());
        }
    }
}

/// A pipe nobody writes to.
pub fn pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

/// A file that says it is of `size` bytes and takes no space.
pub fn sparse(path: &Path, size: u64) {
    fs::File::create(path).unwrap().set_len(size).unwrap();
}

/// Runs the cases, two at a time: every one has a home of its own.
pub fn each<T: Send>(cases: Vec<T>, run: impl Fn(T) + Sync) {
    let queue = Mutex::new(cases.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let Some(case) = queue.lock().unwrap_or_else(|e| e.into_inner()).next() else { return };
                    run(case);
                }
            });
        }
    });
}

/// A payload of an event with further fields, which may repeat or contradict the usual ones.
fn payload(event: &str, more: &str) -> Vec<u8> {
    let usual = r#""session_id":"01a20338-12a8-70e0-af71-2abbd9056370","turn_id":"01a20338-12a8-70e0-af71-2abbd9056371","cwd":"/tmp","model":"m""#;
    format!("{{\"hook_event_name\":\"{event}\",{usual}{more}}}").into_bytes()
}

/// Inputs that are hostile whatever event they are of: a name, and the bytes.
fn hostile_inputs(event: &str) -> Vec<(String, Vec<u8>)> {
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    let whole: [(&str, Vec<u8>); 14] = [
        ("nothing", vec![]),
        ("spaces", b" \n\t ".repeat(1000)),
        ("null", b"null".to_vec()),
        ("a list", b"[]".to_vec()),
        ("a text", b"\"text\"".to_vec()),
        ("half", b"{\"hook_event_name\":".to_vec()),
        ("nul bytes", vec![0; 100_000]),
        ("not UTF-8", b"{\"prompt\":\"\xff\xfe\xc0\x80\"}".to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("brackets without end", vec![b'['; 1_000_000]),
        ("braces without end", b"{\"a\":".repeat(200_000)),
        ("a text without end", [b"{\"prompt\":\"".to_vec(), vec![b'x'; 5_000_000]].concat()),
        ("escapes without end", b"{\"a\":\"\\u12".repeat(100_000)),
        ("40 MB", payload(event, &format!(",\"prompt\":\"{}\"", "y".repeat(40_000_000)))),
    ];
    cases.extend(whole.map(|(name, bytes)| (name.to_owned(), bytes)));
    let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    let long = "z".repeat(200_000);
    let wide = format!("[{}0]", "0,".repeat(1_000_000));
    let fields: Vec<(&str, String)> = vec![
        ("deep input", format!(",\"tool_input\":{deep},\"tool_response\":{deep}")),
        ("wide response", format!(",\"tool_response\":{wide}")),
        ("a number no one can hold", ",\"agent_id\":1e999,\"reason\":123456789012345678901234567890".into()),
        ("a key twice", ",\"model\":\"a\",\"model\":\"b\"".into()),
        ("an unknown event", ",\"hook_event_name\":\"Stop\"".into()),
        ("half a surrogate", ",\"prompt\":\"\\ud800\",\"tool_name\":\"\\udc00\"".into()),
        (
            "control characters",
            ",\"prompt\":\"\\u0000\\u001b[2J\\u0007\\u202e\",\"tool_name\":\"\\u001b]0;x\\u0007\"".into(),
        ),
        ("an id that climbs", ",\"agent_id\":\"../../outside/x\"".into()),
        ("an id with a slash", ",\"agent_id\":\"a/b\"".into()),
        ("an id with a zero", ",\"agent_id\":\"a\\u0000b\"".into()),
        ("an id that is too long", format!(",\"agent_id\":\"{}\"", "a".repeat(250))),
        ("the longest id", format!(",\"agent_id\":\"{}\"", "a".repeat(80))),
        ("its own parent", ",\"agent_id\":\"01a20338-12a8-70e0-af71-2abbd9056370\"".into()),
        (
            "long names",
            format!(",\"tool_name\":\"{long}\",\"tool_use_id\":\"{long}\",\"agent_type\":\"{long}\""),
        ),
        ("a long folder", format!(",\"cwd\":\"/{long}\"")),
        ("a relative folder", ",\"cwd\":\"../..\"".into()),
        ("a folder with a zero", ",\"cwd\":\"/tmp/\\u0000x\"".into()),
        (
            "objects for texts",
            ",\"prompt\":{\"a\":1},\"cwd\":[1],\"tool_name\":{},\"transcript_path\":7".into(),
        ),
        ("a million keys", format!(",\"x\":{{{}\"z\":0}}", "\"k\":1,".repeat(1_000_000))),
    ];
    let unusual = fields.into_iter().map(|(name, more)| (name.to_owned(), payload(event, &more)));
    cases.extend(unusual.filter(|(name, _)| name != "a key twice" || event != "x"));
    cases
}

#[test]
fn hostile_payload_never_fails_a_hook() {
    let roles = [
        ("session", "UserPromptSubmit"),
        ("tool", "PostToolUse"),
        ("stop", "Stop"),
        ("stop", "SubagentStart"),
    ];
    let mut cases = Vec::new();
    for (role, event) in roles {
        cases.extend(hostile_inputs(event).into_iter().map(|(name, input)| (role, name, input)));
    }
    assert!(cases.len() >= 130, "{}", cases.len());
    each(cases, |(role, name, input)| {
        let home = Home::new();
        let before = home.elsewhere();
        home.role(role, &input, &name);
        assert_eq!(home.elsewhere(), before, "{role}: {name}");
    });
}

#[test]
fn no_argument_makes_notify_fail() {
    let base = r#""type":"agent-turn-complete","thread-id":"01a20338-12a8-70e0-af71-2abbd9056370""#;
    let arguments: Vec<Vec<u8>> = vec![
        vec![],
        b"{".to_vec(),
        b"null".to_vec(),
        b"\xff\xfe".to_vec(),
        b"--help".to_vec(),
        b"[[[[[[[[[[[[[[[[[[[".repeat(5000),
        format!("{{{base}}}").into_bytes(),
        format!("{{{base},\"turn-id\":\"../../x\"}}").into_bytes(),
        format!("{{{base},\"input-messages\":[{}0]}}", "1,".repeat(40_000)).into_bytes(),
        format!("{{{base},\"input-messages\":\"{}\"}}", "x".repeat(100_000)).into_bytes(),
        format!("{{{base},\"last-assistant-message\":\"\\ud800\\u0000\"}}").into_bytes(),
        format!("{{{base},\"cwd\":\"\\u0000\",\"client\":\"\\u001b[2J\"}}").into_bytes(),
        format!("{{{base},\"token_usage\":{{\"input_tokens\":18446744073709551616,\"output_tokens\":-1}}}}").into_bytes(),
        format!("{{{base},\"token_usage\":{{\"input_tokens\":18446744073709551615,\"output_tokens\":18446744073709551615}}}}").into_bytes(),
    ];
    each(arguments, |argument| {
        let home = Home::new();
        let before = home.elsewhere();
        let shown = String::from_utf8_lossy(&argument[..argument.len().min(60)]).into_owned();
        let ended = home.run(&["hook".into(), "notify".into(), OsString::from_vec(argument)], b"");
        ended.check_role("notify", &shown);
        assert_eq!(home.elsewhere(), before, "{shown}");
    });
}

#[test]
fn no_transcript_holds_a_hook_up() {
    let line = |payload: &str| {
        format!("{{\"timestamp\":\"2026-11-23T00:00:00Z\",\"type\":\"event_msg\",\"payload\":{payload}}}\n")
    };
    let started = line(r#"{"type":"task_started","turn_id":"01a20338-12a8-70e0-af71-2abbd9056371"}"#);
    let cases: Vec<&str> = vec![
        "a pipe",
        "a folder",
        "zero",
        "itself",
        "memory",
        "a loop",
        "sparse",
        "relative",
        "bomb",
        "depth",
        "times",
        "one turn a million times",
        "binary",
        "empty",
    ];
    each(cases, |case| {
        let home = Home::new();
        let path = home.path("outside/rollout.jsonl");
        let named = match case {
            "zero" => PathBuf::from("/dev/zero"),
            "itself" => PathBuf::from("/dev/stdin"),
            "memory" => PathBuf::from("/proc/self/mem"),
            "relative" => PathBuf::from("../outside/canary"),
            "bomb" => home.path("outside/rollout.jsonl.zst"),
            _ => path.clone(),
        };
        let turn = "01a20338-12a8-70e0-af71-2abbd9056371";
        match case {
            "a pipe" => pipe(&path),
            "a folder" => fs::create_dir(&path).unwrap(),
            "a loop" => std::os::unix::fs::symlink(&path, &path).unwrap(),
            "sparse" => sparse(&path, 48 << 20),
            "bomb" => fs::write(&named, b"\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff").unwrap(),
            "depth" => {
                let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
                fs::write(&path, format!("{started}{}", line(&deep))).unwrap();
            }
            "times" => {
                let odd = line(&format!(
                    r#"{{"type":"item_completed","turn_id":"{turn}","started_at_ms":-9223372036854775808,"completed_at_ms":1e300,"item":{{"type":"CommandExecution","id":"c","exit_code":99999999999999999999}}}}"#
                ));
                let usage = line(&format!(
                    r#"{{"type":"token_count","turn_id":"{turn}","info":{{"total_token_usage":{{"input_tokens":18446744073709551615,"output_tokens":18446744073709551615}}}}}}"#
                ));
                fs::write(&path, format!("{started}{odd}{}", usage.repeat(50))).unwrap();
            }
            "one turn a million times" => fs::write(&path, turn.repeat(200_000)).unwrap(),
            "binary" => fs::write(&path, (0..=255u8).collect::<Vec<_>>().repeat(4000)).unwrap(),
            "empty" => fs::write(&path, "").unwrap(),
            _ => {}
        }
        let before = home.elsewhere();
        let more = format!(",\"transcript_path\":{:?},\"prompt\":\"hello\"", named.to_str().unwrap());
        home.role("session", &payload("UserPromptSubmit", &more), case);
        home.role("stop", &payload("Stop", &more), case);
        assert_eq!(home.elsewhere(), before, "{case}");
        let sent = fs::read_dir(home.harness("state/codex/sent")).map_or(0, Iterator::count);
        assert_eq!(sent, 1, "{case}: the turn is told with what hooks know");
    });
}

#[test]
fn endless_input_ends_at_deadline() {
    let home = Home::new();
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_arize-codex"))
        .args(["hook", "tool"])
        .env_clear()
        .env("HOME", home.path("home"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"{\"hook_event_name\":\"PreToolUse\"").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(29), "Codex ends a hook after 30 seconds");
}
