//! A compact copy of a month of the history, beside it, in which years are read in a moment.
//!
//! It can be thrown away at any time: it counts only as long as the month's file has the length and the time it was made
//! from, and it is made anew, with the next reading, for months nobody writes to any more.
//!
//! Behind a line of text (its format and the version of the lines it knows) and a checksum of all the rest stand whole
//! numbers of seven bits a byte, the lowest first: length and time of the month's file, what readers passed over in it,
//! each text once, and the turns with texts by their number.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::lines::{Passed, read_once};
use crate::file;
use crate::otel::history_line::{Line, VERSION};
use crate::otel::rate_limit::RateLimit;
use crate::otel::time_spent::TimeSpent;
use crate::otel::token_use::TokenUse;
use crate::otel::tool_use::ToolUse;
use crate::time::Timestamp;

/// Shows `each` the turns of one month's file, each turn once: from the copy where it is one of this very file, or else
/// from the file itself, of which a copy is then left where nobody writes to it any more.
///
/// # Errors
/// When the month's file cannot be read. A copy that cannot be read or written costs time alone.
pub fn read_month(path: &Path, passed: &mut Passed, each: &mut dyn FnMut(&Line)) -> io::Result<()> {
    let Some(stamp) = Stamp::of(path) else { return read_once(path, passed, each) };
    let content = file::read_bounded(&copy_of(path), MAX_BYTES).ok().flatten().unwrap_or_default();
    if let Some(found) = Copy::check(&content, stamp)
        && let Some(more) = found.turns(each)
    {
        passed.add(more);
        return Ok(());
    }
    if !stamp.is_settled() {
        return read_once(path, passed, each);
    }
    let mut packer = Packer::default();
    let mut found = Passed::default();
    read_once(path, &mut found, &mut |line| {
        packer.turn(line);
        each(line);
    })?;
    passed.add(found);
    if Stamp::of(path) == Some(stamp) {
        let _ = file::write_atomic(&copy_of(path), &packer.finish(stamp, found));
    }
    Ok(())
}

/// Identifies the state of a month's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    len: u64,
    /// When it was written, in nanoseconds since 1970.
    written: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Stamp> {
        let metadata = fs::metadata(path).ok()?;
        let since = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Some(Stamp { len: metadata.len(), written: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX) })
    }

    /// Returns true if nothing was changed for a while. A clock that was set back makes nothing of it.
    fn is_settled(self) -> bool {
        crate::time::now().since(Timestamp::from_nanos(self.written)) > SETTLED
    }
}

fn copy_of(path: &Path) -> PathBuf {
    path.with_extension("index")
}

/// Collects the turns of a copy.
#[derive(Debug, Default)]
struct Packer {
    turns: u64,
    numbers: Vec<u8>,
    texts: Vec<u8>,
    ids: HashMap<String, u64>,
}

impl Packer {
    fn turn(&mut self, line: &Line) {
        self.turns += 1;
        self.text(&line.turn);
        self.text(&line.thread);
        self.number(line.part.into());
        self.optional(line.root.as_ref().map(|(thread, _)| thread.as_ref()));
        self.optional(line.root.as_ref().map(|(_, turn)| turn.as_ref()));
        self.number(line.at);
        self.number(line.ms);
        self.text(&line.status);
        self.text(&line.project);
        self.maybe(line.number);
        for text in [&line.model, &line.cwd, &line.branch, &line.commit] {
            self.optional(text.as_deref());
        }
        self.text(&line.origin);
        self.number(line.uses.len() as u64);
        for used in &line.uses {
            self.text(&used.model);
            self.optional(used.tier.as_deref());
            self.number(used.long.into());
            self.number(used.at.as_millis());
            let TokenUse { calls, untold, input, cached, written, output, reasoning, .. } = *used;
            self.numbers([calls, untold, input, cached, written, output, reasoning]);
        }
        self.number(line.tools.len() as u64);
        for tool in &line.tools {
            self.text(&tool.name);
            let ToolUse { calls, failed, nested, failed_nested, ms, asked, denied, wait_ms, .. } = *tool;
            self.numbers([calls, failed, nested, failed_nested, ms, asked, denied, wait_ms]);
        }
        let TimeSpent { model_ms, first_token_ms, tools_ms, approvals_ms, hooks_ms, compaction_ms } =
            line.time;
        self.numbers([model_ms, first_token_ms, tools_ms, approvals_ms, hooks_ms, compaction_ms]);
        self.number(line.compactions);
        self.maybe(line.context.map(|(tokens, _)| tokens));
        self.maybe(line.context.and_then(|(_, window)| window));
        self.number(line.limits.len() as u64);
        for limit in &line.limits {
            self.numbers([limit.minutes, limit.used, limit.resets_at]);
        }
    }

    fn number(&mut self, number: u64) {
        push(&mut self.numbers, number);
    }

    fn numbers<const N: usize>(&mut self, all: [u64; N]) {
        all.into_iter().for_each(|number| self.number(number));
    }

    /// One more than the number, and 0 for none.
    fn maybe(&mut self, number: Option<u64>) {
        self.number(number.map_or(0, |n| n.saturating_add(1)));
    }

    fn text(&mut self, text: &str) {
        let id = self.id(text);
        self.number(id);
    }

    fn optional(&mut self, text: Option<&str>) {
        let id = text.map(|text| self.id(text));
        self.maybe(id);
    }

    fn id(&mut self, text: &str) -> u64 {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = self.ids.len() as u64;
        push(&mut self.texts, text.len() as u64);
        self.texts.extend_from_slice(text.as_bytes());
        self.ids.insert(text.to_owned(), id);
        id
    }

    fn finish(self, stamp: Stamp, passed: Passed) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.numbers.len() + self.texts.len() + 64);
        for number in [stamp.len, stamp.written, passed.torn, passed.newer, self.ids.len() as u64] {
            push(&mut body, number);
        }
        body.extend(self.texts);
        push(&mut body, self.turns);
        body.extend(self.numbers);
        [magic().as_bytes(), &checksum(&body).to_le_bytes(), &body].concat()
    }
}

fn push(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A copy that is whole and of the file in its present state.
struct Copy<'a> {
    rest: Unpacker<'a>,
    passed: Passed,
}

impl<'a> Copy<'a> {
    fn check(content: &'a [u8], stamp: Stamp) -> Option<Copy<'a>> {
        let rest = content.strip_prefix(magic().as_bytes())?;
        let (sum, body) = rest.split_first_chunk::<8>()?;
        let mut rest = Unpacker { bytes: body, at: 0, texts: Vec::new() };
        let written = Stamp { len: rest.number()?, written: rest.number()? };
        if written != stamp || checksum(body) != u64::from_le_bytes(*sum) {
            return None;
        }
        let passed = Passed { torn: rest.number()?, newer: rest.number()? };
        let texts = rest.number()?;
        for _ in 0..texts {
            let len = usize::try_from(rest.number()?).ok()?;
            let text = body.get(rest.at..rest.at.checked_add(len)?)?;
            rest.at += len;
            rest.texts.push(std::str::from_utf8(text).ok()?);
        }
        Some(Copy { rest, passed })
    }

    /// Shows the turns; none when it is no copy of ours, which its checksum rules out.
    fn turns(self, each: &mut dyn FnMut(&Line)) -> Option<Passed> {
        let mut rest = self.rest;
        let mut line = Line::default();
        for _ in 0..rest.number()? {
            rest.turn(&mut line)?;
            each(&line);
        }
        Some(self.passed)
    }
}

struct Unpacker<'a> {
    bytes: &'a [u8],
    at: usize,
    texts: Vec<&'a str>,
}

impl<'a> Unpacker<'a> {
    /// Reads a turn into the place of the one before, whose memory it takes over.
    fn turn(&mut self, line: &mut Line<'a>) -> Option<()> {
        line.turn = self.text()?;
        line.thread = self.text()?;
        line.part = u32::try_from(self.number()?).ok()?;
        line.root = self.optional()?.zip(self.optional()?);
        line.at = self.number()?;
        line.ms = self.number()?;
        line.status = self.text()?;
        line.project = self.text()?;
        line.number = self.maybe()?;
        for text in [&mut line.model, &mut line.cwd, &mut line.branch, &mut line.commit] {
            *text = self.optional()?;
        }
        line.origin = self.text()?;
        let uses = self.count()?;
        line.uses.resize_with(uses, TokenUse::default);
        line.uses.iter_mut().try_for_each(|used| self.token_use(used))?;
        let tools = self.count()?;
        line.tools.resize_with(tools, ToolUse::default);
        line.tools.iter_mut().try_for_each(|tool| self.tool_use(tool))?;
        let [model_ms, first_token_ms, tools_ms, approvals_ms, hooks_ms, compaction_ms] = self.numbers()?;
        line.time = TimeSpent { model_ms, first_token_ms, tools_ms, approvals_ms, hooks_ms, compaction_ms };
        line.compactions = self.number()?;
        let (tokens, window) = (self.maybe()?, self.maybe()?);
        line.context = tokens.map(|tokens| (tokens, window));
        let limits = self.count()?;
        line.limits.clear();
        for _ in 0..limits {
            let [minutes, used, resets_at] = self.numbers()?;
            line.limits.push(RateLimit { minutes, used, resets_at });
        }
        Some(())
    }

    fn token_use(&mut self, used: &mut TokenUse) -> Option<()> {
        self.text()?.as_ref().clone_into(&mut used.model);
        used.tier = self.optional()?.map(Cow::into_owned);
        used.long = self.number()? != 0;
        used.at = Timestamp::from_millis(i64::try_from(self.number()?).ok()?);
        [used.calls, used.untold, used.input, used.cached, used.written, used.output, used.reasoning] =
            self.numbers()?;
        Some(())
    }

    fn tool_use(&mut self, tool: &mut ToolUse) -> Option<()> {
        self.text()?.as_ref().clone_into(&mut tool.name);
        [
            tool.calls,
            tool.failed,
            tool.nested,
            tool.failed_nested,
            tool.ms,
            tool.asked,
            tool.denied,
            tool.wait_ms,
        ] = self.numbers()?;
        Some(())
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn numbers<const N: usize>(&mut self) -> Option<[u64; N]> {
        let mut all = [0; N];
        for number in &mut all {
            *number = self.number()?;
        }
        Some(all)
    }

    fn maybe(&mut self) -> Option<Option<u64>> {
        self.number().map(|n| n.checked_sub(1))
    }

    /// How many of something follow; never more than there are bytes.
    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|n| *n <= self.bytes.len())
    }

    fn text(&mut self) -> Option<Cow<'a, str>> {
        let id = usize::try_from(self.number()?).ok()?;
        self.texts.get(id).map(|text| Cow::Borrowed(*text))
    }

    fn optional(&mut self) -> Option<Option<Cow<'a, str>>> {
        let Some(id) = self.maybe()? else { return Some(None) };
        self.texts.get(usize::try_from(id).ok()?).map(|text| Some(Cow::Borrowed(*text)))
    }
}

/// A sum that another byte anywhere changes.
fn checksum(bytes: &[u8]) -> u64 {
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(bytes.len() as u64, |sum, word| mix(sum, u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| mix(sum, u64::from(*byte)))
}

/// Names the format and the version of the lines it was made from, so that a release that reads more makes it anew.
fn magic() -> String {
    format!("arize-codex history index 1, lines {VERSION}\n")
}

/// More than a copy of any month has.
const MAX_BYTES: u64 = 512 * 1024 * 1024;
/// A month that was not written to for so long is rarely written to again.
const SETTLED: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"{"v":1,"turn":"t-1","thread":"s-1","part":2,"root":["s-0","t-0"],"at":1795350336172,"ms":77,
        "status":"failed","project":"shop","n":4,"model":"gpt-5.5","cwd":"/a \"b\"","branch":"main","commit":"c0ffee",
        "origin":"hooks","uses":[{"m":"gpt-5.5","t":"priority","l":true,"at":1795350336172,"n":2,"u":1,"i":300000,
        "c":9,"w":8,"o":7,"r":6},{"m":"","at":5,"n":0,"i":0,"o":0}],"tools":[{"name":"Bash","n":3,"failed":2,"nest":1,
        "failed_nested":1,"ms":9,"asked":1,"denied":1,"wait_ms":4}],"time":{"m":1,"f":2,"t":3,"a":4,"h":5,"c":6},
        "compact":3,"ctx":[7,null],"lim":[{"w":300,"u":421,"z":1795350400}]}"#;
    const SPARSE: &str =
        r#"{"v":1,"turn":"t-2","thread":"s-1","at":0,"ms":18446744073709551615,"status":""}"#;

    fn month(lines: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("2026-10.jsonl");
        let text: String = lines.iter().map(|l| l.replace("\n        ", "") + "\n").collect();
        fs::write(&path, text).unwrap();
        age(&path);
        (folder, path)
    }

    fn age(path: &Path) {
        let then = SystemTime::now() - Duration::from_secs(100_000);
        fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    }

    /// What a reading shows, every field of it.
    fn read(path: &Path) -> (Vec<String>, Passed) {
        let (mut lines, mut passed) = (Vec::new(), Passed::default());
        read_month(path, &mut passed, &mut |line| lines.push(format!("{line:?}").replace("v: 0", "v: 1")))
            .unwrap();
        (lines, passed)
    }

    #[test]
    fn copy_shows_every_field_of_the_lines() {
        let (_folder, path) = month(&[FULL, SPARSE, FULL, "{\"v\":1,", "{\"v\":9}"]);
        let first = read(&path);
        assert_eq!((first.0.len(), first.1), (2, Passed { torn: 1, newer: 1 }));
        assert!(copy_of(&path).exists());
        fs::write(&path, vec![b'x'; fs::metadata(&path).unwrap().len() as usize]).unwrap();
        let stamp = fs::metadata(copy_of(&path)).unwrap();
        assert!(stamp.len() > 100);
        assert_eq!(read(&path).0, Vec::<String>::new(), "another time: the copy does not count");
    }

    #[test]
    fn copy_is_read_in_place_of_the_file() {
        let (_folder, path) = month(&[FULL, SPARSE]);
        let first = read(&path);
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, vec![b'x'; fs::metadata(&path).unwrap().len() as usize]).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
        assert_eq!(read(&path), first);
    }

    #[test]
    fn damaged_copy_is_made_anew() {
        let (_folder, path) = month(&[FULL, SPARSE]);
        let first = read(&path);
        let whole = fs::read(copy_of(&path)).unwrap();
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 0x10;
            fs::write(copy_of(&path), &broken).unwrap();
            assert_eq!(read(&path), first, "byte {at}");
            fs::write(copy_of(&path), &whole[..at]).unwrap();
            assert_eq!(read(&path), first, "cut at {at}");
        }
        assert_eq!(fs::read(copy_of(&path)).unwrap(), whole);
    }

    #[test]
    fn month_that_grows_gets_no_copy() {
        let (_folder, path) = month(&[FULL]);
        read(&path);
        fs::write(&path, format!("{}\n{SPARSE}\n", FULL.replace("\n        ", ""))).unwrap();
        fs::remove_file(copy_of(&path)).unwrap();
        assert_eq!(read(&path).0.len(), 2);
        assert!(!copy_of(&path).exists());
    }
}
