//! What is recorded where: every scenario with the default model, with gpt-5.5, on the release before and on older ones, or
//! a reason why not (`tests/lab/not-recorded.tsv`). The table stands in `fixtures/README.md`.

use std::path::Path;
use std::process::Command;

#[test]
fn every_cell_is_recorded_or_says_why_not() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/readme.py");
    let output = Command::new("python3").arg(program).arg("--check").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
