//! The real Codex CLI with our hooks in a temporary home, driven by the scripted model (tests/lab/mock_model.py).
//!
//! ARIZE_CODEX_TEST_LAB names the directory with the releases; `tests/run` fills it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use arize_codex::codex::hooks_config;
use arize_codex::codex::hooks_config::Executables;
use arize_codex::codex::hooks_config::survey::Survey;
use arize_codex::codex::hooks_config::trust;
use arize_codex::context::Context;
use arize_codex::delivery::archive;
use arize_codex::delivery::archive::DeliveryState;
use arize_codex::otel::entry::Entry;
use serde_json::Value;

#[path = "terminal.rs"]
pub mod terminal;

use terminal::Terminal;

/// The releases every scenario must give the same turns on.
pub const RELEASES: [&str; 6] = ["0.139.0", "0.142.5", "0.146.1", "0.155.0", "0.169.0", "0.171.0"];
/// The release that is tested in depth.
pub const LATEST: &str = "0.171.0";

/// A home in which a release of Codex runs with our hooks.
pub struct Codex {
    home: tempfile::TempDir,
    codex: PathBuf,
    model: Child,
    port: String,
    extra: Vec<(String, String)>,
}

impl Codex {
    /// Sets a home up for a scenario of tests/lab/scenarios; `harness` is what stands under `harnesses.codex`.
    pub fn new(release: &str, scenario: &Value, harness: &str) -> Codex {
        let codex = Codex::bare(release, scenario);
        codex.set_up(scenario, harness);
        codex
    }

    /// A home with nothing in it but a directory to work in and Codex's own, which is empty: nothing of ours. What leads Codex to the
    /// scenario's model is left to [`Codex::model_flags`].
    pub fn bare(release: &str, scenario: &Value) -> Codex {
        let lab =
            std::env::var("ARIZE_CODEX_TEST_LAB").expect("ARIZE_CODEX_TEST_LAB is unset: run tests/run");
        let codex = Path::new(&lab).join(format!("codex-{release}/node_modules/.bin/codex"));
        assert!(codex.exists(), "Codex {release} is not in the lab: run tests/run");
        let home = tempfile::tempdir().unwrap();
        let script = home.path().join("model.json");
        fs::write(&script, scenario["model"].to_string()).unwrap();
        let (model, port) = start_model(&script);
        for folder in ["project", ".codex"] {
            fs::create_dir(home.path().join(folder)).unwrap();
        }
        Codex { home, codex, model, port, extra: Vec::new() }
    }

    /// The flags with which Codex asks the scripted model, whatever its config.toml says.
    pub fn model_flags(&self) -> Vec<String> {
        let provider = format!(
            "model_providers.mock={{name=\"mock\",base_url=\"http://127.0.0.1:{}/v1\",wire_api=\"responses\",env_key=\"MOCK_KEY\"}}",
            self.port
        );
        let trusted = format!("projects={{{:?}={{trust_level=\"trusted\"}}}}", self.path("project"));
        let no_news = "notice.model_migrations={\"gpt-5.5\"=\"gpt-6-sol\"}".to_owned();
        let values = [
            "model=\"gpt-5.5\"".to_owned(),
            "model_provider=\"mock\"".to_owned(),
            provider,
            trusted,
            no_news,
        ];
        values.into_iter().flat_map(|v| ["-c".to_owned(), v]).collect()
    }

    /// Sets a variable in Codex's environment.
    pub fn env(mut self, name: &str, value: &str) -> Codex {
        self.extra.push((name.to_owned(), value.to_owned()));
        self
    }

    fn set_up(&self, scenario: &Value, harness: &str) {
        let bin = self.path(".arize/harness/bin");
        fs::create_dir_all(&bin).unwrap();
        for role in ["session", "tool", "stop", "notify"] {
            symlink(env!("CARGO_BIN_EXE_arize-codex"), bin.join(format!("arize-hook-codex-{role}"))).unwrap();
        }
        let config = format!("harnesses: {{codex: {{{harness}}}}}\n");
        // Private, as install writes it: it may hold a key.
        arize_codex::file::write_atomic(&self.path(".arize/harness/config.yaml"), config.as_bytes()).unwrap();
        let mcp_server = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/mcp_server.py");
        let project = self.path("project");
        let port = &self.port;
        let extra = scenario["config"].as_str().unwrap_or_default();
        let extra = extra
            .replace("MCP_PYTHON", "python3")
            .replace("MCP_SERVER", mcp_server.to_str().unwrap())
            .replace("/home/dev/project", project.to_str().unwrap());
        let model = if scenario["default_model"] == true { "" } else { "model = \"gpt-5.5\"\n" };
        let config = format!(
            "{model}model_provider = \"mock\"\n\n[model_providers.mock]\nname = \"mock\"\n\
             base_url = \"http://127.0.0.1:{port}/v1\"\nwire_api = \"responses\"\nenv_key = \"MOCK_KEY\"\n\
             request_max_retries = 1\nstream_max_retries = 1\n{extra}\n"
        );
        let executables = Executables::in_folder(bin.to_str().unwrap());
        let installed = hooks_config::edit::install(&config, &executables).unwrap();
        fs::write(self.path(".codex/config.toml"), installed.text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The context our own code has in this home.
    pub fn context(&self) -> Context {
        let vars = BTreeMap::from([("HOME".to_owned(), self.home.path().to_str().unwrap().to_owned())]);
        Context::given(vec!["arize-codex".into()], vars)
    }

    /// Approves every hook in config.toml, as Codex itself would write it.
    pub fn trust_hooks(&self) {
        let path = self.path(".codex/config.toml");
        let mut text = fs::read_to_string(&path).unwrap();
        for hook in trust::list(&Survey::of(&text).unwrap()) {
            let key = format!("{}:{}", path.display(), hook.place());
            text.push_str(&format!("\n[hooks.state.{key:?}]\ntrusted_hash = {:?}\n", hook.hash()));
        }
        fs::write(path, text).unwrap();
    }

    /// Starts `codex ARGS`.
    pub fn start(&self, args: &[&str]) -> Child {
        let mut command = Command::new(&self.codex);
        command.args(args).current_dir(self.path("project")).envs(self.environment());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The turns delivered so far, oldest first.
    pub fn archived(&self) -> Vec<Entry> {
        let context = self.context();
        let sent = archive::items(context.paths()).filter(|i| i.place == DeliveryState::Sent);
        let mut entries: Vec<Entry> =
            sent.map(|i| Entry::decode(&fs::read(&i.path).unwrap()).unwrap()).collect();
        entries.sort_by_key(|e| e.head.started_at);
        entries
    }

    /// The executable of Codex.
    pub fn program(&self) -> &Path {
        &self.codex
    }

    /// Waits until a hook event came so often; `trace_debug` must be on.
    pub fn wait_for_event(&self, event: &str, count: u64) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.seen_events(event) < count {
            assert!(Instant::now() < deadline, "{event} did not come");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn environment(&self) -> Vec<(String, String)> {
        let path = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let mut all = vec![
            ("HOME".to_owned(), path("")),
            ("CODEX_HOME".to_owned(), path(".codex")),
            ("MOCK_KEY".to_owned(), "x".to_owned()),
        ];
        all.extend(self.extra.iter().cloned());
        all
    }

    /// Runs `codex ARGS` to its end, hooks trusted for this run unless `trusted` is false.
    pub fn run(&self, args: &[&str], trusted: bool) -> Output {
        let mut command = Command::new(&self.codex);
        command.args(args).arg("--skip-git-repo-check");
        // Releases without hooks do not know the flag.
        if trusted && !self.codex.to_str().unwrap().contains("codex-0.139.0") {
            command.arg("--dangerously-bypass-hook-trust");
        }
        command
            .current_dir(self.path("project"))
            .envs(self.environment())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// The directory to put on a PATH for programs that look for `codex`.
    pub fn program_folder(&self) -> &Path {
        self.codex.parent().unwrap()
    }

    /// Runs a command of Codex that is no session.
    pub fn manage(&self, args: &[&str]) -> Output {
        let mut command = Command::new(&self.codex);
        command.args(args).current_dir(self.path("project")).envs(self.environment());
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// Runs every `exec` of a scenario.
    pub fn run_scenario(&self, scenario: &Value) {
        let mut thread = String::new();
        for run in scenario["runs"].as_array().unwrap() {
            let args: Vec<String> = run
                .as_array()
                .unwrap()
                .iter()
                .map(|a| a.as_str().unwrap().replace("{thread}", &thread))
                .collect();
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            self.run(&args, scenario["trusted"].as_bool() != Some(false));
            if thread.is_empty() {
                thread = self.first_thread();
            }
        }
    }

    fn first_thread(&self) -> String {
        let mut found = Vec::new();
        collect(&self.path(".codex/sessions"), &mut found);
        found.sort();
        let stem = found.first().and_then(|p| p.file_stem()?.to_str()).unwrap_or_default();
        stem.get(28..).unwrap_or_default().to_owned()
    }

    /// Drives the terminal UI: a step is text to type, `{"key": …}` or `{"sleep": seconds}`. Returns the screen.
    pub fn terminal(&self, args: &[&str], steps: &[Value], trusted: bool) -> String {
        let flags: &[&str] = if trusted { &["--dangerously-bypass-hook-trust"] } else { &[] };
        let terminal = self.open_terminal(&[args, flags].concat());
        for step in steps {
            if let Some(text) = step.as_str() {
                terminal.write(text);
                std::thread::sleep(Duration::from_secs(1));
            } else if let Some(key) = step["key"].as_str() {
                terminal.press(key);
                std::thread::sleep(Duration::from_secs(1));
            } else if let Some(event) = step["event"].as_str() {
                let count = step["count"].as_u64().unwrap_or(1);
                terminal.wait(&step.to_string(), || self.seen_events(event) >= count);
            } else if let Some(text) = step["see"].as_str() {
                terminal.see(text);
            } else {
                std::thread::sleep(Duration::from_secs_f64(step["sleep"].as_f64().unwrap()));
            }
        }
        terminal.screen()
    }

    /// Starts the terminal UI.
    pub fn open_terminal(&self, args: &[&str]) -> Terminal {
        let mut program = vec![self.codex.to_str().unwrap()];
        program.extend(args);
        Terminal::start(&self.path("project"), &self.environment(), &program)
    }

    /// Ends what Codex left behind: its terminal UI starts a server that outlives it.
    fn end_codex(&self) {
        let ours = format!("CODEX_HOME={}", self.path(".codex").to_str().unwrap());
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = process.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else {
                continue;
            };
            let environment = fs::read(process.path().join("environ")).unwrap_or_default();
            if environment.split(|b| *b == 0).any(|v| v == ours.as_bytes()) {
                let pid = rustix::process::Pid::from_raw(pid).unwrap();
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }

    /// How often a hook event came, told by the payloads that `trace_debug: true` keeps.
    fn seen_events(&self, event: &str) -> u64 {
        let folder = self.path(".arize/harness/state/codex/debug");
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        files.filter(|f| f.file_name().to_string_lossy().ends_with(&format!("-{event}.json"))).count() as u64
    }

    /// Runs one of our commands in this home.
    pub fn ours(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arize-codex"));
        command.args(args).envs(self.environment()).stdin(Stdio::null()).output().unwrap()
    }

    /// Waits until everything is delivered and returns the entries, oldest first.
    pub fn delivered(&self) -> Vec<Entry> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let flushed = self.ours(&["flush", "--wait", "30"]);
            let log = fs::read_to_string(self.path(".arize/harness/logs/codex.log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "not delivered\n{log}");
            if flushed.status.success() {
                assert_eq!(log, "");
                break;
            }
        }
        self.archived()
    }
}

impl Drop for Codex {
    fn drop(&mut self) {
        self.end_codex();
        let _ = self.model.kill();
        let _ = self.model.wait();
    }
}

/// A scenario of the lab by its name.
pub fn scenario(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/lab/scenarios/{name}.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn start_model(script: &Path) -> (Child, String) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/mock_model.py");
    let mut model = Command::new("python3").arg(program).arg(script).stdout(Stdio::piped()).spawn().unwrap();
    let mut port = String::new();
    BufReader::new(model.stdout.take().unwrap()).read_line(&mut port).unwrap();
    (model, port.trim().to_owned())
}

/// Every file below a directory.
pub fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() { collect(&entry.path(), found) } else { found.push(entry.path()) }
    }
}
