//! Mounts of a test's own: this test binary is started again in a mount namespace, where it runs one ignored test.
//!
//! Root needs no more than that; everybody else gets a user namespace around it.

use std::path::Path;
use std::process::Command;

/// Runs an ignored test in a namespace of its own.
///
/// A system without namespaces must say so: a test that did not run is none that passed.
pub fn run(test: &str) {
    let Some(flags) = flags() else {
        let accepted = std::env::var_os("ARIZE_CODEX_TEST_NO_NAMESPACES").is_some();
        assert!(
            accepted,
            "this system lets nobody mount anything, so {test} cannot run; \
             ARIZE_CODEX_TEST_NO_NAMESPACES=1 leaves such tests out"
        );
        eprintln!("{test}: left out");
        return;
    };
    let output = Command::new("unshare")
        .args(flags)
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--nocapture", "--exact", test])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// Whether this process was started by [`run`]. The tests meant for that do nothing elsewhere.
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Mounts something at a directory, which only this namespace sees.
pub fn mount(arguments: &[&str], at: &Path) {
    let status = Command::new("mount").args(arguments).arg(at).status().unwrap();
    assert!(status.success(), "mount {arguments:?} {}", at.display());
}

fn flags() -> Option<&'static [&'static str]> {
    let works = |flags: &[&str]| {
        let tried =
            Command::new("unshare").args(flags).args(["mount", "-t", "tmpfs", "none", "/mnt"]).output();
        tried.is_ok_and(|o| o.status.success())
    };
    let ways: [&[&str]; 2] = [&["-m"], &["-rm"]];
    ways.into_iter().find(|flags| works(flags))
}

const INSIDE: &str = "ARIZE_CODEX_TEST_NAMESPACE";
