//! Reads the history, a month after the other.

use std::io;
use std::path::PathBuf;
use std::thread;

use super::files;
use super::index::read_month;
use super::lines::Passed;
use crate::layout::Paths;
use crate::otel::history_line::Line;
use crate::time::Timestamp;

/// Shows `each` the turns of the history that began since then, a month after the other, the oldest first.
///
/// # Errors
/// When a file that is there cannot be read.
pub fn read(paths: &Paths, since: Option<Timestamp>, each: &mut dyn FnMut(&Line)) -> io::Result<Passed> {
    read_months(&months_since(paths, since), each)
}

/// Lets two counters read half of the months each, at the same time, and returns them, that of the older half first.
///
/// # Errors
/// When a file that is there cannot be read.
pub fn read_in_halves<T: Send>(
    paths: &Paths,
    since: Option<Timestamp>,
    make: impl Fn() -> T + Sync,
    each: impl Fn(&mut T, &Line) + Sync,
) -> io::Result<[T; 2]> {
    let months = months_since(paths, since);
    let (older, newer) = months.split_at(months.len() / 2);
    let count = |months: &[PathBuf]| {
        let mut counter = make();
        read_months(months, &mut |line| each(&mut counter, line)).map(|_| counter)
    };
    if older.is_empty() {
        return Ok([make(), count(newer)?]);
    }
    thread::scope(|scope| {
        let other = scope.spawn(|| count(older));
        let newer = count(newer);
        let older = other.join().unwrap_or_else(|_| Err(io::Error::other("reading the history failed")));
        Ok([older?, newer?])
    })
}

fn months_since(paths: &Paths, since: Option<Timestamp>) -> Vec<PathBuf> {
    let mut months = files::months(paths);
    months.retain(|path| since.is_none_or(|at| files::may_hold(path, at)));
    months
}

fn read_months(months: &[PathBuf], each: &mut dyn FnMut(&Line)) -> io::Result<Passed> {
    let mut passed = Passed::default();
    for path in months {
        read_month(path, &mut passed, each)?;
    }
    Ok(passed)
}
