//! What must not leak does not: forty planted secrets through the real Codex, and all content of every recording when
//! the switches are off.

use base64::{Engine, engine::general_purpose::STANDARD};
use prost::Message;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::codex::{Codex, LATEST};
use crate::collector::{Answer, GrpcCollector, HttpCollector};
use crate::live::{get, phoenix, spans_in};
use crate::replay::{Recording, fixture, recordings};

/// A secret in the line it is planted in, and the part of it that must be seen nowhere.
struct Planted {
    line: String,
    core: String,
}

/// How secrets look, by their vendors' documents; `[…]` is the part that must go, `a36` in braces stands for 36
/// letters and digits. Made at run time, so that this file holds none.
const FORMS: [&str; 41] = [
    "[sk-proj-{u74}T3BlbkFJ{u74}]",
    "[sk-{a20}T3BlbkFJ{a20}]",
    "[sk-svcacct-{u74}T3BlbkFJ{u74}]",
    "[sk-ant-api03-{u93}AA]",
    "[AKIA{216}]",
    "AWS_SECRET_ACCESS_KEY=[{a40}]",
    "aws_secret_access_key = [{a40}]",
    "[AIza{u35}]",
    "[ya29.a0{u120}]",
    "[GOCSPX-{u28}]",
    "[ghp_{a36}]",
    "[gho_{a36}]",
    "[github_pat_{a22}_{a59}]",
    "[glpat-{u20}]",
    "[xoxb-{d12}-{d13}-{a24}]",
    "[xoxp-{d12}-{d12}-{d12}-{h32}]",
    "https://hooks.slack.com/services/T{U8}/B{U10}/[{a24}]",
    "[sk_live_{a24}]",
    "[rk_live_{a24}]",
    "[whsec_{a32}]",
    "[npm_{a36}]",
    "[pypi-AgEIcHlwaS5vcmc{u120}]",
    "[hf_{a34}]",
    "[SG.{u22}.{u43}]",
    "[dop_v1_{h64}]",
    "[dckr_pat_{u27}]",
    "[shpat_{h32}]",
    "[hvs.{u90}]",
    "[lin_api_{a40}]",
    "[dapi{h32}]",
    "postgres://app:[{a20}]@db.example.org:5432/app",
    "mysql://root:[{a18}]@db.example.org/app",
    "mongodb+srv://u:[{a18}]@c.example.org/x",
    "https://dev:[{a20}]@git.example.org/a/b.git",
    "Authorization: Bearer [{u60}]",
    "export DEPLOY_TOKEN=[{a32}]",
    "tool login --password [{a24}]",
    "DB_PASSWORD=[{a20}]",
    "\"api_key\": \"[{a32}]\"",
    "AccountKey=[{a86}==];EndpointSuffix=core.windows.net",
    "[eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ{a24}.{u43}]",
];

/// Numbers that nobody has to guess, the same in no two runs.
struct Random(u64);

impl Random {
    fn new() -> Random {
        let mut seed = [0u8; 8];
        arize_codex::file::fill_random(&mut seed);
        Random(u64::from_le_bytes(seed) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn fill(&mut self, form: &str) -> String {
        let mut out = String::new();
        let mut rest = form;
        while let Some((before, after)) = rest.split_once('{') {
            let (slot, tail) = after.split_once('}').unwrap();
            out.push_str(before);
            let letters = match &slot[..1] {
                "h" => "0123456789abcdef",
                "d" => "0123456789",
                "U" => "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
                "2" => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
                "u" => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                _ => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            };
            for _ in 0..slot[1..].parse::<usize>().unwrap() {
                out.push(letters.as_bytes()[self.below(letters.len())] as char);
            }
            rest = tail;
        }
        out + rest
    }
}

fn planted() -> Vec<Planted> {
    let mut random = Random::new();
    let mut all: Vec<Planted> = FORMS
        .iter()
        .map(|form| {
            let filled = random.fill(form);
            let (before, rest) = filled.split_once('[').unwrap();
            let (core, after) = rest.split_once(']').unwrap();
            Planted { line: format!("{before}{core}{after}"), core: core.to_owned() }
        })
        .collect();
    let core = STANDARD.encode(random.fill("deploy:{a20}"));
    all.push(Planted { line: format!("curl -H 'Authorization: Basic {core}' https://example.org"), core });
    let body: String = (0..6).map(|_| random.fill("{a64}\n")).collect();
    let kind = "PRIVATE KEY";
    let line = format!("-----BEGIN {kind}-----\n{body}-----END {kind}-----");
    all.push(Planted { line, core: body.lines().next().unwrap().to_owned() });
    all
}

/// The real Codex is given every secret in its prompt, a command, a command's output, its environment, a patch, and
/// what an MCP server answers.
fn run_with(planted: &[Planted], harness: &str) -> Codex {
    let lines: Vec<&str> = planted.iter().map(|p| p.line.as_str()).collect();
    let text = lines.join("\n");
    let patch: String = text.lines().map(|l| format!("+{l}\n")).collect();
    let scenario = json!({
        "model": [
            [{"reasoning": format!("they gave me\n{text}")}, {"message": format!("I see {}", lines[0])},
             {"call": "exec_command", "args": {"cmd": format!("cat > /dev/null <<'END'\n{text}\nEND")}}],
            [{"call": "exec_command", "args": {"cmd": "cat planted.txt"}}],
            [{"call": "exec_command", "args": {"cmd": "env; cat planted.txt >&2; exit 3"}}],
            [{"custom": "apply_patch", "input": format!("*** Begin Patch\n*** Add File: keys.txt\n{patch}*** End Patch")}],
            [{"raw": {"type": "tool_search_call", "id": "ts_1", "call_id": "ts1", "execution": "client", "arguments": {"query": "read"}}}],
            [{"call": "read", "namespace": "mcp__demo", "args": {"path": "planted.txt"}}],
            [{"call": "read", "namespace": "mcp__demo", "args": {"path": format!("missing {}", lines[1])}}],
            [{"message": format!("The keys are\n{text}")}],
        ],
        "config": "[mcp_servers.demo]\ncommand = \"MCP_PYTHON\"\nargs = [\"MCP_SERVER\"]\nrequired = true\nstartup_timeout_sec = 40\n",
    });
    let mut codex = Codex::new(LATEST, &scenario, harness);
    fs::write(codex.path("project/planted.txt"), &text).unwrap();
    for (n, line) in lines.iter().enumerate().filter(|(_, l)| !l.contains('\n')) {
        codex = codex.env(&format!("PLANTED_{n}"), line);
    }
    let output =
        codex.run(&["exec", &format!("keep these safe:\n{text}"), "--sandbox", "danger-full-access"], true);
    let entries = codex.delivered();
    let tools = entries.iter().map(|e| e.head.summary.tool_calls).sum::<u64>();
    assert!(tools >= 6, "{tools} calls\n{output:?}");
    codex
}

fn assert_none(planted: &[Planted], bytes: &[u8], place: &str) {
    let leaked = |secret: &&Planted| {
        let core = secret.core.as_bytes();
        // A part that was not taken for one is a leak as well.
        let random = &core[core.len() - 16.min(core.len())..];
        [core, random].iter().any(|part| memchr::memmem::find(bytes, part).is_some())
    };
    let found: Vec<String> = planted.iter().filter(leaked).map(|s| shape(&s.line)).collect();
    assert!(found.is_empty(), "{place} holds a part of {found:?}");
}

/// A line without its letters, for a message.
fn shape(line: &str) -> String {
    line.chars().take(16).collect()
}

fn assert_none_on_disk(planted: &[Planted], codex: &Codex) {
    let mut files = Vec::new();
    files_in(&codex.path(".arize/harness"), &mut files);
    assert!(files.iter().any(|f| f.to_string_lossy().contains("/debug/")), "debug files are kept");
    assert!(files.iter().any(|f| f.to_string_lossy().ends_with(".turn")), "the archive is kept");
    for file in files.iter().filter(|f| !f.starts_with(codex.path(".arize/harness/bin"))) {
        assert_none(planted, &fs::read(file).unwrap(), &file.display().to_string());
    }
    let page = codex.path("page.html");
    for command in [
        &["list"][..],
        &["list", "--json"],
        &["show", "last"],
        &["show", "last", "--full"],
        &["show", "last", "--json"],
        &["show", "last", "--html", page.to_str().unwrap()],
        &["preview", "last"],
        &["preview", "last", "--json"],
        &["preview", "last", "--json", "--span-tree", "turn"],
        &["stats"],
        &["stats", "--json"],
        &["stats", "--by", "tool", "--csv"],
        &["doctor"],
        &["doctor", "--json"],
        &["config", "list"],
    ] {
        let output = codex.ours(command);
        // A command that says nothing tells nothing about what it would say. doctor finds that nothing is installed.
        let spoke = output.status.success() || command[0] == "doctor";
        assert!(spoke && !output.stdout.is_empty(), "{command:?}: {output:?}");
        assert_none(planted, &output.stdout, &format!("{command:?}"));
        assert_none(planted, &output.stderr, &format!("{command:?}"));
    }
    let page = unpacked(&fs::read_to_string(page).unwrap());
    assert!(page.contains("openinference.span.kind"), "the details of its spans can be read");
    assert_none(planted, page.as_bytes(), "the page of show --html");
}

/// A page, followed by what lies in it compressed.
fn unpacked(page: &str) -> String {
    let mut all = page.to_owned();
    for part in page.split("<script type=\"application/gzip\"").skip(1) {
        let data = part.split(['>', '<']).nth(1).expect("an element with data");
        let bytes = STANDARD.decode(data).expect("base64");
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut all).expect("gzip");
    }
    all
}

fn files_in(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files_in(&entry.path(), found)
        } else if kind.is_file() {
            found.push(entry.path())
        }
    }
}

#[test]
#[ignore = "needs Codex"]
fn planted_secrets_stay_off_http_and_disk() {
    let planted = planted();
    assert!(planted.len() >= 40);
    for tree in ["turn", "calls"] {
        let collector = HttpCollector::start(|_| Answer::Accept);
        let harness =
            format!("target: phoenix, endpoint: '{}', span_tree: {tree}, trace_debug: true", collector.url());
        let codex = run_with(&planted, &harness);
        let seen = collector.book.seen();
        assert!(!seen.is_empty());
        for request in seen {
            assert_none(&planted, &request.request.encode_to_vec(), "a request");
            assert_none(&planted, format!("{:?}", request.headers).as_bytes(), "a request's headers");
        }
        assert_none_on_disk(&planted, &codex);
    }
}

#[test]
#[ignore = "needs Codex"]
fn planted_secrets_stay_off_grpc() {
    let planted = planted();
    for limit in [64, 300, 65536] {
        let collector = GrpcCollector::start(|_| Answer::Accept);
        let harness = format!(
            "target: arize, endpoint: 'http://{}', api_key: k, space_id: s, span_tree: calls, trace_debug: true, max_value_bytes: {limit}",
            collector.address()
        );
        let codex = run_with(&planted, &harness);
        let seen = collector.book.seen();
        assert!(!seen.is_empty());
        for request in seen {
            assert_none(&planted, &request.request.encode_to_vec(), "a request");
        }
        assert_none_on_disk(&planted, &codex);
    }
}

#[test]
#[ignore = "needs Codex and Phoenix"]
fn planted_secrets_stay_off_phoenix() {
    let planted = planted();
    let phoenix = phoenix();
    let project = format!("secrets-{}", std::process::id());
    let harness =
        format!("target: phoenix, endpoint: 'http://{phoenix}', project_name: {project}, span_tree: calls");
    let codex = run_with(&planted, &harness);
    let sent: usize = codex.delivered().iter().map(|e| e.spans.len()).sum();
    assert!(sent > 10, "{sent}");
    assert_eq!(spans_in(&phoenix, &project, sent).len(), sent);
    for path in ["", "/spans?limit=1000", "/spans/otlpv1?limit=1000", "/traces?limit=1000&include_spans=true"]
    {
        let answer = get(&phoenix, &format!("/v1/projects/{project}{path}"));
        assert!(answer["data"].is_array() || answer["data"].is_object(), "{path}: {answer}");
        assert_none(&planted, answer.to_string().as_bytes(), &format!("Phoenix's answer to {path:?}"));
    }
}

#[test]
fn disabled_recording_writes_no_content() {
    let harness = "target: local, export_mode: sync, trace_debug: true, span_tree: calls";
    let off = "logging: {prompts: false, tool_details: false, tool_content: false}";
    let recordings = recordings();
    assert!(recordings.len() > 100);
    for folder in recordings {
        let recording = Recording::load(&folder);
        let needles = contents_of(&folder);
        let config = format!("{off}\nharnesses: {{codex: {{{harness}}}}}\n");
        recording.replay_under(&config, "calls", &mut |home| {
            let mut files = Vec::new();
            files_in(&home.join(".arize/harness"), &mut files);
            for file in files {
                let bytes = fs::read(&file).unwrap();
                for needle in &needles {
                    let at = memchr::memmem::find(&bytes, needle.as_bytes());
                    assert!(at.is_none(), "{}: {} holds {needle:?}", recording.name, file.display());
                }
            }
        });
    }
}

#[test]
fn enabled_recording_writes_content() {
    let recording = fixture("0.169.0", "tools").unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/codex-0.169.0/tools");
    let needles = contents_of(&folder);
    let mut found = BTreeSet::new();
    let config = "harnesses: {codex: {target: local, export_mode: sync, trace_debug: true}}\n";
    recording.replay_under(config, "calls", &mut |home| {
        let mut files = Vec::new();
        files_in(&home.join(".arize/harness"), &mut files);
        for bytes in files.iter().map(|f| fs::read(f).unwrap()) {
            let held = |n: &&String| memchr::memmem::find(&bytes, n.as_bytes()).is_some();
            found.extend(needles.iter().filter(held).cloned());
        }
    });
    assert!(!needles.is_empty() && found.len() * 2 > needles.len(), "{found:?} of {needles:?}");
}

/// The texts of a recording that the switches withhold and that could be nothing else.
fn contents_of(folder: &Path) -> BTreeSet<String> {
    let (mut held, mut plain) = (BTreeSet::new(), String::new());
    for line in fs::read_to_string(folder.join("events.jsonl")).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        for (key, value) in event["payload"].as_object().into_iter().flatten() {
            let content = matches!(
                key.as_str(),
                "prompt"
                    | "tool_input"
                    | "tool_response"
                    | "last_assistant_message"
                    | "input-messages"
                    | "last-assistant-message"
            );
            if content { texts(value, &mut held) } else { plain.push_str(&value.to_string()) }
        }
    }
    let telling = |text: &String| text.len() >= 12 && text.contains(' ') && !plain.contains(text.as_str());
    held.into_iter().filter(telling).collect()
}

fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let line = text.lines().find(|l| l.trim().len() >= 12).unwrap_or_default();
            found.insert(line.trim().chars().take(80).collect());
        }
        Value::Array(list) => list.iter().for_each(|v| texts(v, found)),
        Value::Object(map) => map.values().for_each(|v| texts(v, found)),
        _ => {}
    }
}
