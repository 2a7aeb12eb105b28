//! Searches Codex's own rollouts, on all cores, in bounded memory.

use serde::Deserialize;
use std::io::Read;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use super::pattern::{Excerpt, Pattern};
use super::{EXCERPTS, Match};
use crate::cli::selection::selectors::Selectors;
use crate::codex::rollout::{locate, reader};
use crate::context::Context;
use crate::delivery::past_turns;
use crate::ids::ThreadId;
use crate::otel::redact::Redactor;
use crate::time::Timestamp;

/// Returns the rollouts that hold the text, newest first. Of the selectors the session and the times count.
///
/// # Errors
/// When Codex's directory cannot be read.
pub fn search(
    pattern: &Pattern,
    redactor: &Redactor,
    selectors: &Selectors,
    limit: usize,
    context: &Context,
) -> anyhow::Result<Vec<Match>> {
    let mut files = past_turns::rollouts(context.paths().codex(), &[])?;
    files.retain(|path| is_selected(path, selectors, context));
    let next = AtomicUsize::new(0);
    let found: Mutex<Vec<Match>> = Mutex::default();
    let work = || {
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Some(hit) = search_file(path, pattern, redactor)
                && let Ok(mut found) = found.lock()
            {
                found.push(hit);
            }
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 1..cores {
            scope.spawn(work);
        }
        work();
    });
    let mut found = found.into_inner().unwrap_or_default();
    found.sort_by_key(|hit| std::cmp::Reverse(hit.at));
    found.truncate(limit);
    Ok(found)
}

fn is_selected(path: &Path, selectors: &Selectors, context: &Context) -> bool {
    let Some((thread, started)) = identity(path) else { return false };
    let filter = selectors.at(context);
    let seconds = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs().try_into().ok();
    let written = std::fs::metadata(path).and_then(|m| m.modified()).ok().and_then(seconds);
    let written = written.map(|seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000)));
    selectors.session.as_deref().is_none_or(|beginning| thread.as_str().starts_with(beginning))
        && filter.since().is_none_or(|since| written.is_none_or(|at| at >= since))
        && filter.until().is_none_or(|until| started.is_none_or(|at| at < until))
}

/// The thread of a rollout and when it began, from its file's name.
fn identity(path: &Path) -> Option<(ThreadId, Option<Timestamp>)> {
    let stem = locate::rollout_stem(path.file_name()?.to_str()?)?;
    let id = stem.get("rollout-2026-11-27T10-00-00-".len()..)?.split('_').next()?;
    Some((ThreadId::parse(id).ok()?, Timestamp::of_uuid_v7(id)))
}

fn search_file(path: &Path, pattern: &Pattern, redactor: &Redactor) -> Option<Match> {
    let (thread, started) = identity(path)?;
    let mut hit = Match {
        number: None,
        thread: thread.to_string(),
        turn: None,
        at: started.unwrap_or_default(),
        about: path.display().to_string(),
        count: 0,
        excerpts: Vec::new(),
    };
    // A file that cannot be read to its end holds what was found until then.
    let _ = matching_lines(&mut *reader::open_bytes(path).ok()?, pattern, &mut |line| {
        hit.count += 1;
        if hit.excerpts.len() < EXCERPTS
            && let Some(found) = excerpt(line, pattern, redactor)
        {
            hit.excerpts.push(found);
        }
    });
    (hit.count > 0).then_some(hit)
}

/// Shows `each` every line that holds the text, a part of it where it is longer than [`MAX_LINE_BYTES`].
fn matching_lines(
    input: &mut dyn Read,
    pattern: &Pattern,
    each: &mut dyn FnMut(&[u8]),
) -> std::io::Result<()> {
    let mut buffer = vec![0; BLOCK_BYTES];
    let mut filled = 0;
    loop {
        if filled == buffer.len() && buffer.len() < MAX_LINE_BYTES {
            buffer.resize(buffer.len() * 2, 0);
        }
        let read = match input.read(&mut buffer[filled..]) {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        filled += read;
        let whole = match memchr::memrchr(b'\n', &buffer[..filled]) {
            _ if read == 0 => filled,
            Some(end) => end + 1,
            None if filled == MAX_LINE_BYTES => filled,
            None => continue,
        };
        lines_in(&buffer[..whole], pattern, each);
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
        if read == 0 {
            return Ok(());
        }
    }
}

fn lines_in(block: &[u8], pattern: &Pattern, each: &mut dyn FnMut(&[u8])) {
    let mut at = 0;
    while let Some(found) = pattern.find(block, at) {
        let start = memchr::memrchr(b'\n', &block[..found.start]).map_or(0, |n| n + 1);
        let end = memchr::memchr(b'\n', &block[found.start..]).map_or(block.len(), |n| found.start + n);
        each(&block[start..end]);
        at = (end + 1).min(block.len());
        if at == block.len() {
            return;
        }
    }
}

/// The kind of a line and what stands around the text in it.
fn excerpt(line: &[u8], pattern: &Pattern, redactor: &Redactor) -> Option<(String, Excerpt)> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow, default)]
        r#type: &'a str,
        #[serde(borrow, default)]
        payload: Payload<'a>,
    }
    #[derive(Deserialize, Default)]
    struct Payload<'a> {
        #[serde(borrow, default)]
        r#type: &'a str,
    }
    let kind = match serde_json::from_slice::<Line>(line) {
        Ok(line) if line.payload.r#type.is_empty() => line.r#type.to_owned(),
        Ok(line) => line.payload.r#type.to_owned(),
        Err(_) => "line".to_owned(),
    };
    Some((kind, pattern.excerpt(line, redactor)?))
}

const BLOCK_BYTES: usize = 512 * 1024;
const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A source that gives a few bytes at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let take = self.0.len().min(out.len()).min(7);
            out[..take].copy_from_slice(&self.0[..take]);
            self.0 = &self.0[take..];
            Ok(take)
        }
    }

    #[test]
    fn each_matching_line_is_found_once() {
        let text = b"a needle and a needle\nnothing\n\nneedle\nlast needle";
        let mut lines = Vec::new();
        let pattern = Pattern::new("needle").unwrap();
        matching_lines(&mut Slow(text), &pattern, &mut |line| {
            lines.push(String::from_utf8_lossy(line).into_owned())
        })
        .unwrap();
        assert_eq!(lines, ["a needle and a needle", "needle", "last needle"]);
    }
}
