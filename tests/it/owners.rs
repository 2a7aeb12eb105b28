//! Whose files are whose: whatever umask Codex has, nobody else reads or changes anything of ours; a directory of
//! another user's is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::lab::{Lab, Session};

/// Runs the executable under one of its names with a umask.
fn run(lab: &Lab, umask: &str, name: &str, args: &[&str], input: &str) -> Output {
    let program = lab.folder().join(name);
    let _ = std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_arize-codex"), &program);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "umask \"$0\" && exec \"$@\"", umask]).arg(program).args(args).env_clear();
    command.env("HOME", lab.folder()).current_dir("/").stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // notify reads nothing.
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes());
    child.wait_with_output().unwrap()
}

/// A whole session, and what people do with it.
fn live_a_day(lab: &Lab, umask: &str) {
    let done = |args: &[&str]| {
        let output = run(lab, umask, "arize-codex", args, "");
        assert!(output.status.success(), "umask {umask}: {args:?}: {output:?}");
    };
    done(&["config", "set", "harnesses.codex.trace_debug", "true"]);
    let session = Session::named(lab, 1);
    let mut calls = vec![("session", session.payload("SessionStart", None, r#","source":"startup""#))];
    calls.extend(session.calls_of_turn(0, 2));
    calls.push(("stop", session.payload("SessionEnd", None, r#","reason":"exit""#)));
    for (role, payload) in calls {
        let output = run(lab, umask, &format!("arize-hook-codex-{role}"), &[], &payload);
        assert!(output.status.success() && output.stdout.is_empty(), "umask {umask}: {output:?}");
    }
    let alone = format!(
        r#"{{"type":"agent-turn-complete","thread-id":"{}","turn-id":"{}","cwd":"/","input-messages":["hi"]}}"#,
        Session::named(lab, 2).thread,
        crate::lab::turn_id(9)
    );
    assert!(run(lab, umask, "arize-hook-codex-notify", &[&alone], "").status.success());
    // Something for the log.
    assert!(run(lab, umask, "arize-hook-codex-stop", &[], "{").status.success());
    done(&["flush", "--wait", "60"]);
    done(&["resend", "--since", "1h"]);
    done(&["show", "last"]);
    assert!(!lab.log().is_empty());
}

#[test]
fn files_are_private_under_any_umask() {
    for umask in ["000", "022", "077", "0777"] {
        let lab = Lab::new("target: local");
        // With the strangest of them nothing can be made that its owner could use.
        if umask == "0777" {
            let session = Session::named(&lab, 1);
            let start = session.payload("SessionStart", None, "");
            let output = run(&lab, umask, "arize-hook-codex-session", &[], &start);
            assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
            continue;
        }
        install(&lab, umask);
        live_a_day(&lab, umask);
        assert_eq!(archived(&lab), 2, "umask {umask}");
        let mut checked = 0;
        for (path, mode) in
            modes(&lab.folder().join(".arize")).into_iter().chain(modes(&lab.folder().join(".codex")))
        {
            assert_eq!(mode & 0o022, 0, "umask {umask}: others can write {} ({mode:o})", path.display());
            let harness = lab.paths().harness();
            let open =
                [harness.to_owned(), harness.parent().unwrap().to_owned(), lab.paths().codex().to_owned()];
            if !open.contains(&path) && !path.starts_with(lab.paths().bin()) {
                assert_eq!(mode & 0o077, 0, "umask {umask}: others can read {} ({mode:o})", path.display());
                checked += 1;
            }
        }
        assert!(checked > 20, "umask {umask}: {checked}");
    }
}

#[test]
fn a_folder_of_another_user_s_is_left_alone() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("owners::a_folder_of_another_user_s_is_left_alone: left out, only root gives folders away");
        return;
    }
    for place in ["", "state", "state/codex/outbox", "state/codex/closing", "state/codex/sent", "logs"] {
        let lab = Lab::new("target: local, export_mode: sync");
        install(&lab, "022");
        let session = Session::start(&lab, 1);
        session.turn(0, 1);
        run(&lab, "077", "arize-hook-codex-stop", &[], "{");
        let folder = lab.paths().harness().join(place);
        fs::create_dir_all(&folder).unwrap();
        chown(&folder, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
        let before = content(&folder);
        session.turn(1, 1);
        session.end();
        for command in [&["flush", "--wait", "1"][..], &["list"], &["show", "last"], &["doctor"]] {
            let output = lab.run(command);
            assert!(matches!(output.status.code(), Some(0 | 1)), "{place:?} {command:?}: {output:?}");
        }
        let after = content(&folder);
        let changed: BTreeSet<_> =
            before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path)).collect();
        assert!(changed.is_empty(), "{changed:?} in {place:?}, which is another's");
        assert_eq!(fs::metadata(&folder).unwrap().uid(), SOMEBODY, "{place:?}");
        if place.starts_with("state/codex/") {
            let doctor = String::from_utf8(lab.run(&["doctor"]).stdout).unwrap();
            assert!(doctor.contains(place) && doctor.contains("another user"), "{doctor}");
        }
    }
}

/// Installs without copying the executable, which is large.
fn install(lab: &Lab, umask: &str) {
    let bin = lab.paths().bin();
    arize_codex::file::create_private_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_arize-codex"), bin.join("arize-codex")).unwrap();
    let output = run(lab, umask, "arize-codex", &["install", "--yes", "--target", "local"], "");
    assert!(output.status.success(), "{output:?}");
}

fn archived(lab: &Lab) -> usize {
    fs::read_dir(lab.paths().sent()).unwrap().count()
}

/// Every file and directory below one, and itself, with its mode. Links have none of their own.
fn modes(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = vec![(folder.to_owned(), fs::metadata(folder).unwrap().mode() & 0o7777)];
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            found.extend(modes(&entry.path()));
        } else if !metadata.is_symlink() {
            found.push((entry.path(), metadata.mode() & 0o7777));
        }
    }
    found
}

/// What lies below a directory.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = Vec::new();
    crate::codex::collect(folder, &mut files);
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap_or_default())).collect()
}

const SOMEBODY: u32 = 12_345;
