//! Hooks that an administrator has registered for everybody, in /etc/codex, with the real Codex.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::codex::{Codex, LATEST, scenario};
use crate::collector::{Answer, HttpCollector};
use crate::namespace::{self, mount};

#[test]
#[ignore = "needs Codex"]
fn managed_hooks_run_without_trust() {
    namespace::run("live_managed::with_requirements");
}

#[test]
#[ignore = "a part of another test, which starts it in a namespace"]
fn with_requirements() {
    if !namespace::is_inside() {
        return;
    }
    let _machine = managed_machine();
    // Nothing in the home reports us: where traces go is in the environment.
    let collector = HttpCollector::start(|_| Answer::Accept);
    let codex = Codex::bare(LATEST, &scenario("tools")).env("PHOENIX_ENDPOINT", &collector.url());
    let flags = codex.model_flags();
    let mut args: Vec<&str> = flags.iter().map(String::as_str).collect();
    args.extend(["exec", "look around and add a file", "--sandbox", "danger-full-access"]);
    let output = codex.run(&args, false);
    assert!(output.status.success(), "{output:?}");
    let entries = codex.delivered();
    assert_eq!(entries.len(), 1, "{output:?}");
    assert_eq!(entries[0].head.summary.prompt_tokens, Some(5010));
    assert_eq!(collector.book.spans().len(), 6);
    let doctor = codex.ours(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(said.contains("14 of 14 registered by the administrator"), "{said}");
}

/// A user of such a machine who has run `install` as well: Codex runs each hook twice, and every turn is told once.
#[test]
#[ignore = "needs Codex"]
fn managed_and_own_hooks_report_once() {
    namespace::run("live_managed::with_requirements_and_install");
}

#[test]
#[ignore = "a part of another test, which starts it in a namespace"]
fn with_requirements_and_install() {
    if !namespace::is_inside() {
        return;
    }
    let _machine = managed_machine();
    let collector = HttpCollector::start(|_| Answer::Accept);
    let url = collector.url();
    let codex = Codex::bare(LATEST, &scenario("tools")).env("PHOENIX_ENDPOINT", &url);
    let installed = codex.ours(&["install", "--yes", "--target", "phoenix", "--endpoint", &url]);
    assert!(installed.status.success(), "{installed:?}");
    let flags = codex.model_flags();
    let mut args: Vec<&str> = flags.iter().map(String::as_str).collect();
    args.extend(["exec", "look around and add a file", "--sandbox", "danger-full-access"]);
    let output = codex.run(&args, true);
    assert!(output.status.success(), "{output:?}");
    let entries = codex.delivered();
    assert_eq!(entries.len(), 1, "{output:?}");
    assert_eq!(entries[0].head.summary.prompt_tokens, Some(5010));
    let counts = collector.book.counts();
    assert_eq!((counts.len(), counts.values().max()), (6, Some(&1)), "each span once, and none is lost");
    let seen = fs::read_to_string(codex.path(".arize/harness/state/codex/seen/Stop")).unwrap();
    assert_eq!(seen.trim(), "2", "both Stop hooks ran");
}

/// Registers the hooks for everybody in this namespace.
fn managed_machine() -> tempfile::TempDir {
    let machine = tempfile::tempdir().unwrap();
    let bin = machine.path().join("bin");
    fs::create_dir(&bin).unwrap();
    for role in ["session", "tool", "stop", "notify"] {
        symlink(env!("CARGO_BIN_EXE_arize-codex"), bin.join(format!("arize-hook-codex-{role}"))).unwrap();
    }
    decree(machine.path(), &requirements().replace(MANAGED_BIN, bin.to_str().unwrap()));
    machine
}

/// Puts a requirements.toml into the /etc/codex of this namespace.
fn decree(scratch: &Path, text: &str) {
    let etc = scratch.join("etc");
    // What only root may read is no loss.
    let _ = Command::new("cp").args(["-a", "/etc"]).arg(&etc).output();
    fs::create_dir_all(etc.join("codex")).unwrap();
    fs::write(etc.join("codex/requirements.toml"), text).unwrap();
    mount(&["--bind", etc.to_str().unwrap()], Path::new("/etc"));
}

fn requirements() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/deploy/requirements.toml");
    fs::read_to_string(path).unwrap()
}

/// Where the file says the administrator has put the executable.
const MANAGED_BIN: &str = "/opt/arize-codex/bin";
