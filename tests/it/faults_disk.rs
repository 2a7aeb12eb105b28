//! A full disk and a read-only one.
//!
//! Small and read-only disks are mounted in a namespace of the test's own.

use std::path::PathBuf;

use crate::collector::{Answer, HttpCollector};
use crate::lab::{Delivered, Lab, Session};
use crate::namespace::{self, mount};

#[test]
fn full_disk_disturbs_nobody() {
    namespace::run("faults_disk::with_a_full_disk");
}

#[test]
fn read_only_disk_disturbs_nobody() {
    namespace::run("faults_disk::with_a_read_only_disk");
}

/// A home on a disk of half a megabyte.
fn small_lab(collector: &HttpCollector) -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    std::fs::create_dir(&home).unwrap();
    mount(&["-t", "tmpfs", "-o", "size=512k", "none"], &home);
    Lab::at(folder, home, &format!("target: phoenix, endpoint: '{}'", collector.url()))
}

/// Fills the disk to its last byte; returns the file that does.
fn fill(lab: &Lab) -> PathBuf {
    use std::io::Write;
    let path = lab.folder().join("home/ballast");
    let mut file = std::fs::File::create(&path).unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
    path
}

#[test]
#[ignore = "a part of another test, which starts it in a namespace"]
fn with_a_full_disk() {
    if !namespace::is_inside() {
        return;
    }
    let collector = HttpCollector::start(|_| Answer::Accept);
    let lab = small_lab(&collector);
    let session = Session::start(&lab, 1);
    session.turn(0, 1);
    // All of a turn, then a later part of it, then its end alone fall into the time of the full disk.
    let ballast = fill(&lab);
    session.turn(1, 1);
    std::fs::remove_file(&ballast).unwrap();
    session.turn(2, 1);
    for (turn, full_from) in [(3, 1), (4, 3)] {
        let calls = session.calls_of_turn(turn, 1);
        for (place, (role, payload)) in calls.iter().enumerate() {
            if place == full_from {
                fill(&lab);
            }
            session.call(role, payload);
        }
        std::fs::remove_file(&ballast).unwrap();
    }
    session.turn(5, 1);
    session.end();
    lab.flush();
    let traces: Vec<Vec<u8>> = collector.book.spans().into_iter().map(|s| s.trace_id).collect();
    let mut delivered = Delivered::to(&collector.book);
    for turn in [0, 2, 4, 5] {
        assert_eq!(delivered.take(session.trace(turn), 2), 0, "turn {turn}");
    }
    assert!(traces.contains(&session.trace(3).to_vec()), "what was known of turn 3 before the disk was full");
    lab.assert_at_rest();
}

#[test]
#[ignore = "a part of another test, which starts it in a namespace"]
fn with_a_read_only_disk() {
    if !namespace::is_inside() {
        return;
    }
    let collector = HttpCollector::start(|_| Answer::Accept);
    let lab = small_lab(&collector);
    let home = lab.folder().join("home");
    mount(&["-o", "remount,ro"], &home);
    let session = Session::start(&lab, 1);
    session.turn(0, 1);
    let output = lab.run(&["flush", "--wait", "1"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    mount(&["-o", "remount,rw"], &home);
    session.turn(1, 1);
    session.end();
    lab.flush();
    let mut delivered = Delivered::to(&collector.book);
    assert_eq!(delivered.take(session.trace(1), 2), 0);
    delivered.assert_nothing_else();
    lab.assert_at_rest();
}
