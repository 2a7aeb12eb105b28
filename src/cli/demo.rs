//! `demo`: a recorded session of the real Codex, replayed through the real roles in a temporary home.

use anyhow::{Context as _, bail};
use argh::{ArgsInfo, FromArgs};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::exit::DONE;
use crate::codex::events::HookEvent;
use crate::context::{Context, var};
use crate::delivery::archive;
use crate::otel::entry::Entry;
use crate::otel::text_tree;
use crate::settings::SpanTree;

/// Replay a recorded session through the real hooks and print its tree.
#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand, name = "demo")]
pub struct Demo {
    /// turn or calls
    #[argh(option, default = "String::from(\"turn\")")]
    span_tree: String,
}

/// Replays the recording and prints its tree.
///
/// # Errors
/// When the temporary home cannot be made or the turn does not come out of it.
pub fn run(demo: Demo, out: &mut dyn Write) -> anyhow::Result<u8> {
    if SpanTree::parse(&demo.span_tree).is_none() {
        return Err(super::usage("--span-tree is turn or calls"));
    }
    let home = Scratch::make()?;
    let rollout = home.path.join(ROLLOUT_PATH);
    fs::create_dir_all(rollout.parent().context("no folder")?)?;
    fs::write(&rollout, ROLLOUT)?;
    fs::create_dir_all(home.path.join("harness"))?;
    fs::write(home.path.join("harness/config.yaml"), "harnesses: {codex: {target: local}}\n")?;
    for line in RECORDED.lines() {
        let event: serde_json::Value = serde_json::from_str(line)?;
        call(&home, &demo, &rollout, &event)?;
    }
    let settled = Command::new(std::env::current_exe()?)
        .args(["flush", "--wait", "30"])
        .envs(home.variables(&demo))
        .stdout(Stdio::null())
        .status()?;
    if !settled.success() {
        bail!("the recorded session was not delivered");
    }
    let context = Context::given(Vec::new(), home.variables(&demo).into_iter().collect());
    for item in archive::items(context.paths()) {
        let entry = Entry::decode(&fs::read(&item.path)?)?;
        write!(out, "{}", text_tree::tree(&entry.spans))?;
    }
    Ok(DONE)
}

/// Calls the role Codex would call, with the payload it gave.
fn call(home: &Scratch, demo: &Demo, rollout: &Path, event: &serde_json::Value) -> anyhow::Result<()> {
    let name = event["event"].as_str().unwrap_or_default();
    let mut payload = event["payload"].clone();
    if payload.get("transcript_path").is_some_and(|p| p.is_string()) {
        payload["transcript_path"] = rollout.to_string_lossy().into();
    }
    let role = match name {
        "notify" => "notify",
        name => HookEvent::named(name).map_or("tool", |event| event.role.name()),
    };
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["hook", role]).envs(home.variables(demo)).stdin(Stdio::piped()).stdout(Stdio::null());
    if role == "notify" {
        command.arg(payload.to_string());
    }
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // The role may end before it reads, when the payload is not for it.
        let _ = stdin.write_all(payload.to_string().as_bytes());
    }
    child.wait()?;
    Ok(())
}

/// A temporary home, deleted at the end.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn make() -> anyhow::Result<Scratch> {
        let mut random = [0; 8];
        crate::file::fill_random(&mut random);
        let path = std::env::temp_dir().join(format!("arize-codex-demo-{:016x}", u64::from_ne_bytes(random)));
        crate::file::create_private_dir(&path)?;
        Ok(Scratch { path })
    }

    /// An environment that leads nowhere but into this home.
    fn variables(&self, demo: &Demo) -> Vec<(String, String)> {
        let under = |name: &str| self.path.join(name).to_string_lossy().into_owned();
        let mut variables = vec![
            ("HOME".to_owned(), under("")),
            (var::HARNESS_HOME.to_owned(), under("harness")),
            (var::CODEX_HOME.to_owned(), under("codex")),
            (var::SPAN_TREE.to_owned(), demo.span_tree.clone()),
        ];
        for name in crate::settings::keys::KEYS.iter().flat_map(|k| k.variables) {
            if *name != var::SPAN_TREE {
                variables.push(((*name).to_owned(), String::new()));
            }
        }
        variables
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

const RECORDED: &str = include_str!("../../fixtures/codex-0.169.0/tools/events.jsonl");
const ROLLOUT: &str = include_str!(
    "../../fixtures/codex-0.169.0/tools/rollout-2026-11-22T12-25-36-01a20338-12a8-70e0-af71-2abbd9056370.jsonl"
);
const ROLLOUT_PATH: &str =
    "codex/sessions/2026/11/22/rollout-2026-11-22T12-25-36-01a20338-12a8-70e0-af71-2abbd9056370.jsonl";
