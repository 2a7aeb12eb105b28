//! `demo`: a recorded session of the real Codex, replayed through the real roles in a temporary home, and shown as
//! `show` shows it.

use anyhow::{Context as _, bail};
use argh::{ArgsInfo, FromArgs};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::exit::{DONE, FAILED};
use super::selection::{self, Trace};
use super::view::browser;
use super::view::terminal::Terminal;
use super::{PROGRAM, html, show};
use crate::codex::events::HookEvent;
use crate::context::{Context, var};
use crate::otel::prices::Prices;
use crate::settings::SpanTree;

/// Replay a recorded Codex session and show it; needs no Codex, no server and no installation.
#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand, name = "demo")]
pub struct Demo {
    /// layout of the trace: turn or calls
    #[argh(option, arg_name = "layout", default = "String::from(\"turn\")")]
    span_tree: String,
    /// write a self-contained page to FILE ("-" for standard output); without FILE, open it in the browser
    #[argh(option, arg_name = "file")]
    html: Option<PathBuf>,
}

/// Replays the recording and shows it.
///
/// # Errors
/// When the temporary home cannot be made or the turn does not come out of it.
pub fn run(demo: Demo, context: &Context, out: &mut dyn Write) -> anyhow::Result<u8> {
    if SpanTree::parse(&demo.span_tree).is_none() {
        return Err(super::usage("--span-tree must be turn or calls"));
    }
    let home = replay(&demo)?;
    let inside = Context::given(Vec::new(), home.variables(&demo).into_iter().collect());
    let traces: Vec<Trace> = selection::traces(inside.paths()).collect();
    let Some(file) = &demo.html else {
        let prices = Prices::load(inside.paths(), None);
        for trace in &traces {
            write!(out, "{}", show::picture(trace, &prices, Terminal::of(context), true)?)?;
        }
        writeln!(out, "\nThis was a recorded Codex session, replayed through the real hooks.")?;
        writeln!(out, "See it as a page:            {} demo --html", program(context))?;
        writeln!(out, "Trace your own sessions:     {} install", program(context))?;
        return Ok(DONE);
    };
    if file == Path::new("-") {
        out.write_all(html::page_of(&traces)?.as_bytes())?;
        return Ok(DONE);
    }
    let opens = file.as_os_str().is_empty();
    let path = if opens { page_path()? } else { file.clone() };
    html::write(&traces, &path)?;
    writeln!(out, "{}", path.display())?;
    Ok(if !opens || browser::open(context, &path.to_string_lossy()) { DONE } else { FAILED })
}

/// A page that outlives the temporary home, in a directory of the user's own: the browser reads it later.
fn page_path() -> anyhow::Result<PathBuf> {
    Ok(Scratch::make()?.keep().join("demo.html"))
}

/// Returns how the user calls the program now.
fn program(context: &Context) -> String {
    context.args().first().map_or(PROGRAM.into(), |a| a.to_string_lossy().into_owned())
}

/// Replays the recording in a home of its own.
fn replay(demo: &Demo) -> anyhow::Result<Scratch> {
    let home = Scratch::make()?;
    let rollout = home.path.join(ROLLOUT_PATH);
    fs::create_dir_all(rollout.parent().context("no folder")?)?;
    fs::write(&rollout, ROLLOUT)?;
    fs::create_dir_all(home.path.join("harness"))?;
    fs::write(home.path.join("harness/config.yaml"), "harnesses: {codex: {target: local}}\n")?;
    for line in RECORDED.lines() {
        let event: serde_json::Value = serde_json::from_str(line)?;
        call(&home, demo, &rollout, &event)?;
    }
    let settled = Command::new(std::env::current_exe()?)
        .args(["flush", "--wait", "30"])
        .envs(home.variables(demo))
        .stdout(Stdio::null())
        .status()?;
    if !settled.success() {
        bail!("the recorded session was not delivered");
    }
    Ok(home)
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

    /// Leaves the directory where it is.
    fn keep(mut self) -> PathBuf {
        std::mem::take(&mut self.path)
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
        if !self.path.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

const RECORDED: &str = include_str!("../../fixtures/codex-0.169.0/tools/events.jsonl");
const ROLLOUT: &str = include_str!(
    "../../fixtures/codex-0.169.0/tools/rollout-2026-11-22T12-25-36-01a20338-12a8-70e0-af71-2abbd9056370.jsonl"
);
const ROLLOUT_PATH: &str =
    "codex/sessions/2026/11/22/rollout-2026-11-22T12-25-36-01a20338-12a8-70e0-af71-2abbd9056370.jsonl";
