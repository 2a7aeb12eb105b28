//! Reads the history, a month after the other.

use std::io;

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
    let mut passed = Passed::default();
    for path in files::months(paths).iter().filter(|path| since.is_none_or(|at| files::may_hold(path, at))) {
        read_month(path, &mut passed, each)?;
    }
    Ok(passed)
}
