//! Reads the lines of one month's file; what cannot be read is passed over and counted.

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::Path;

use crate::file;
use crate::otel::history_line::{Line, Unread};

/// What readers passed over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    pub torn: u64,
    pub newer: u64,
}

impl Passed {
    pub fn add(&mut self, more: Passed) {
        self.torn += more.torn;
        self.newer += more.newer;
    }
}

/// Shows `each` the turns of one month's file, each turn once.
///
/// # Errors
/// When it cannot be read.
pub fn read_once(path: &Path, passed: &mut Passed, each: &mut dyn FnMut(&Line)) -> io::Result<()> {
    let mut seen = HashSet::new();
    read(path, passed, &mut |line| {
        if seen.insert(line.digest()) {
            each(line);
        }
    })
}

/// Shows `each` the lines of a file as they stand there, doubled ones too.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path, passed: &mut Passed, each: &mut dyn FnMut(&Line)) -> io::Result<()> {
    let source = match file::open_regular(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(file::named(path, e)),
    };
    let mut source = BufReader::with_capacity(BUFFER_BYTES, source);
    let mut kept = Vec::new();
    loop {
        let buffer = source.fill_buf().map_err(|e| file::named(path, e))?;
        if buffer.is_empty() {
            break;
        }
        let mut at = 0;
        while let Some(end) = memchr::memchr(b'\n', &buffer[at..]) {
            let line = &buffer[at..at + end];
            at += end + 1;
            if kept.is_empty() {
                take(line, passed, each);
            } else {
                kept.extend_from_slice(line);
                take(&kept, passed, each);
                kept.clear();
            }
        }
        if kept.len() < MAX_LINE_BYTES {
            kept.extend_from_slice(&buffer[at..]);
        }
        let len = buffer.len();
        source.consume(len);
    }
    // Behind the last newline stands a line that is torn, or whole but for its newline.
    take(&kept, passed, each);
    Ok(())
}

fn take(line: &[u8], passed: &mut Passed, each: &mut dyn FnMut(&Line)) {
    if line.is_empty() {
        return;
    }
    match Line::parse(line) {
        Ok(line) => each(&line),
        Err(Unread::Torn) => passed.torn += 1,
        Err(Unread::Newer) => passed.newer += 1,
    }
}

const BUFFER_BYTES: usize = 256 * 1024;
/// More than any line of ours has.
const MAX_LINE_BYTES: usize = 1024 * 1024;
