//! Reads foreign JSON of any size in bounded memory: long strings are cut while they stream by.
//!
//! Payloads and rollout lines can be gigabytes (a tool's output, an image), of which only the first part of each
//! string is wanted. [`Shortener`] copies a JSON text, ends every string after a limit with a mark that says how
//! long it was, and mends what the JSON library would refuse: lone surrogates and invalid UTF-8.
//!
//! A cut never leaves the first half of a word: half a key is no longer known for one when secrets are looked for.

/// Copies one JSON text with its long strings cut.
#[derive(Debug)]
pub struct Shortener {
    limit: usize,
    /// The most that is kept of the whole text.
    total: usize,
    /// What is added to it behind each container whose rest was left out, so that the ids which follow are kept.
    reserve: usize,
    out: Vec<u8>,
    state: State,
    /// Offset of the current string in `out`.
    begin: usize,
    /// Text right behind the cut: a value that was cut before ends with its own mark.
    tail: Vec<u8>,
    /// The last bytes of the current string behind the cut, where the mark of an earlier cut would stand.
    last: Vec<u8>,
    /// Of each container that is open in `out`, outermost first: up to where its content is whole.
    open: Vec<usize>,
    /// How many containers are open that are not copied; `None` while everything is.
    skipped: Option<usize>,
    /// How often the rest of a container was left out.
    skips: usize,
    /// Unescaped bytes of the current string so far, and how many of them were dropped.
    seen: u64,
    dropped: u64,
    /// A `\uD8xx` escape waiting for its other half.
    high: Option<[u8; 4]>,
    overflowed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Outside,
    Inside,
    Escape,
    Unicode { digits: [u8; 4], have: usize },
}

impl Shortener {
    /// Cuts strings longer than `limit` bytes.
    pub fn new(limit: usize) -> Shortener {
        Shortener::bounded(limit, MAX_BYTES)
    }

    /// Cuts strings longer than `limit` bytes. Of a text that is longer than `total` bytes all the same, the rest of
    /// the list or object is left out that makes it so, and what follows that is kept.
    pub fn bounded(limit: usize, total: usize) -> Shortener {
        Shortener {
            limit,
            total,
            reserve: (total / 128).clamp(ID_BYTES, RESERVE_BYTES),
            out: Vec::new(),
            state: State::Outside,
            begin: 0,
            tail: Vec::new(),
            last: Vec::new(),
            open: Vec::new(),
            skipped: None,
            skips: 0,
            seen: 0,
            dropped: 0,
            high: None,
            overflowed: false,
        }
    }

    /// Takes the next bytes of the text.
    pub fn push(&mut self, mut chunk: &[u8]) {
        while !self.overflowed && !chunk.is_empty() {
            let taken = match self.state {
                State::Outside => self.outside(chunk),
                State::Inside => self.inside(chunk),
                State::Escape => self.escape(chunk[0]),
                State::Unicode { digits, have } => self.unicode(chunk[0], digits, have),
            };
            chunk = &chunk[taken..];
        }
    }

    /// The shortened text; `None` when even without long strings it is too large.
    pub fn finish(mut self) -> Option<Vec<u8>> {
        self.flush_high();
        (!self.overflowed).then(|| match String::from_utf8(self.out) {
            Ok(text) => text.into_bytes(),
            Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned().into_bytes(),
        })
    }

    fn outside(&mut self, chunk: &[u8]) -> usize {
        let end = memchr::memchr(b'"', chunk).unwrap_or(chunk.len());
        chunk[..end].iter().for_each(|byte| self.structure(*byte));
        if end == chunk.len() {
            return end;
        }
        self.copy(b'"');
        self.state = State::Inside;
        (self.seen, self.dropped, self.begin) = (0, 0, self.out.len());
        self.tail.clear();
        self.last.clear();
        end + 1
    }

    /// Takes one byte outside of strings.
    fn structure(&mut self, byte: u8) {
        match byte {
            b'{' | b'[' => {
                if let Some(skipped) = &mut self.skipped {
                    *skipped += 1;
                    return;
                }
                self.copy(byte);
                match self.skipped {
                    None => self.open.push(self.out.len()),
                    Some(ref mut skipped) => *skipped += 1,
                }
                self.overflowed |= self.open.len() > MAX_DEPTH;
            }
            b'}' | b']' => self.closes(byte),
            b',' => {
                if let (None, Some(whole)) = (self.skipped, self.open.last_mut()) {
                    *whole = self.out.len();
                }
                self.copy(byte);
            }
            byte => self.copy(byte),
        }
    }

    fn closes(&mut self, byte: u8) {
        match &mut self.skipped {
            Some(0) => {
                self.skipped = None;
                self.total += self.reserve;
            }
            Some(skipped) => {
                *skipped -= 1;
                return;
            }
            None => {}
        }
        self.open.pop();
        self.out.push(byte);
    }

    /// Copies one byte of structure where there is room; where there is none, leaves out the rest of a container: the
    /// innermost at first, an outer one each further time.
    fn copy(&mut self, byte: u8) {
        if self.skipped.is_some() || self.overflowed {
            return;
        }
        let outer = self.open.len() < OUTER_DEPTH;
        if self.out.len() < self.total + if outer { self.reserve } else { 0 } {
            return self.out.push(byte);
        }
        let depth = self.open.len().saturating_sub(self.skips).max(OUTER_DEPTH);
        if self.skips == MOST_SKIPS || self.open.len() < depth {
            self.overflowed = true;
            return;
        }
        self.out.truncate(self.open[depth - 1]);
        self.skipped = Some(self.open.len() - depth);
        self.open.truncate(depth);
        self.skips += 1;
    }

    fn inside(&mut self, chunk: &[u8]) -> usize {
        let end = memchr::memchr2(b'"', b'\\', chunk).unwrap_or(chunk.len());
        if end > 0 {
            self.flush_high();
            self.plain(&chunk[..end]);
            return end;
        }
        if chunk[0] == b'\\' {
            self.state = State::Escape;
        } else {
            self.flush_high();
            self.close();
        }
        1
    }

    /// Copies unescaped bytes as far as the limit lets, never ending inside a character.
    fn plain(&mut self, bytes: &[u8]) {
        let room = if self.dropped > 0 { 0 } else { self.room() };
        if bytes.len() > room {
            let rest = &bytes[room..];
            self.last.extend_from_slice(&rest[rest.len().saturating_sub(MAX_MARK_BYTES)..]);
            self.last.drain(..self.last.len().saturating_sub(MAX_MARK_BYTES));
        }
        self.seen += bytes.len() as u64;
        let keep = bytes.len().min(room);
        self.out.extend_from_slice(&bytes[..keep]);
        if keep < bytes.len() {
            let started = self.dropped > 0;
            if self.dropped == self.tail.len() as u64 {
                let rest = &bytes[keep..];
                let free = MAX_MARK_BYTES.saturating_sub(self.tail.len());
                self.tail.extend_from_slice(&rest[..rest.len().min(free)]);
            }
            self.dropped += (bytes.len() - keep) as u64;
            if !started {
                self.drop_partial_character();
            }
        }
    }

    /// Takes back the first bytes of a character whose rest did not fit.
    fn drop_partial_character(&mut self) {
        let tail = self.out.iter().rev().take(4).position(|b| b & 0xC0 != 0x80);
        let Some(behind) = tail else { return };
        let lead = self.out[self.out.len() - 1 - behind];
        let needed = match lead {
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
            _ => 1,
        };
        if needed > behind + 1 {
            let partial = self.out.split_off(self.out.len() - 1 - behind);
            self.tail.splice(0..0, partial);
            self.dropped += (behind + 1) as u64;
        }
    }

    fn room(&self) -> usize {
        if self.skipped.is_some() || self.overflowed {
            return 0;
        }
        let in_string = usize::try_from(self.seen - self.dropped).unwrap_or(usize::MAX);
        self.limit.saturating_sub(in_string).min(self.total_of_strings().saturating_sub(self.out.len()))
    }

    /// Returns how long the text may get by strings. Behind a field that took all of it there is room for an
    /// id yet.
    fn total_of_strings(&self) -> usize {
        let outer = self.open.len() < OUTER_DEPTH && self.begin + ID_BYTES > self.total;
        if outer { (self.begin + ID_BYTES).min(self.total + self.reserve) } else { self.total }
    }

    fn escape(&mut self, byte: u8) -> usize {
        if byte == b'u' {
            self.state = State::Unicode { digits: [0; 4], have: 0 };
        } else {
            self.flush_high();
            self.keep_escape(&[b'\\', byte], 1);
            self.state = State::Inside;
        }
        1
    }

    fn unicode(&mut self, byte: u8, mut digits: [u8; 4], have: usize) -> usize {
        if !byte.is_ascii_hexdigit() {
            // Not an escape at all: the JSON reader will say so.
            if self.room() > 1 {
                self.out.extend_from_slice(b"\\u");
            }
            self.state = State::Inside;
            return 0;
        }
        digits[have] = byte;
        if have < 3 {
            self.state = State::Unicode { digits, have: have + 1 };
            return 1;
        }
        self.state = State::Inside;
        let code = digits.iter().fold(0u32, |code, d| code * 16 + (*d as char).to_digit(16).unwrap_or(0));
        match (self.high.take(), code) {
            (Some(high), 0xDC00..=0xDFFF) => {
                let mut both = *b"\\u0000\\u0000";
                both[2..6].copy_from_slice(&high);
                both[8..].copy_from_slice(&digits);
                self.keep_escape(&both, 4);
            }
            (waiting, code) => {
                if waiting.is_some() {
                    self.keep_escape(REPLACEMENT, 3);
                }
                match code {
                    0xD800..=0xDBFF => self.high = Some(digits),
                    0xDC00..=0xDFFF => self.keep_escape(REPLACEMENT, 3),
                    _ => {
                        let mut one = *b"\\u0000";
                        one[2..].copy_from_slice(&digits);
                        self.keep_escape(
                            &one,
                            if code < 0x80 {
                                1
                            } else if code < 0x800 {
                                2
                            } else {
                                3
                            },
                        );
                    }
                }
            }
        }
        1
    }

    fn flush_high(&mut self) {
        if self.high.take().is_some() {
            self.keep_escape(REPLACEMENT, 3);
        }
    }

    /// Copies an escape that stands for `len` bytes.
    fn keep_escape(&mut self, escape: &[u8], len: u64) {
        let fits = self.dropped == 0
            && self.room() >= len as usize
            && self.out.len() + escape.len() <= self.total_of_strings();
        self.seen += len;
        if !fits {
            self.dropped += len;
        } else {
            self.out.extend_from_slice(escape);
        }
    }

    fn close(&mut self) {
        self.state = State::Outside;
        if self.skipped.is_some() || self.overflowed {
            return;
        }
        if self.dropped > 0 && !self.ends_with_own_mark() {
            let kept = whole_words(&self.out[self.begin..]);
            self.dropped += (self.out.len() - self.begin - kept) as u64;
            self.out.truncate(self.begin + kept);
            let shown = self.seen - self.dropped;
            // What was cut before keeps its first length.
            let total =
                std::str::from_utf8(&self.last).ok().and_then(mark_of).map_or(self.seen, |(_, _, t)| t);
            self.out.extend_from_slice(cut_mark(total.saturating_sub(shown), total).as_bytes());
        }
        self.out.push(b'"');
    }
}

impl Shortener {
    /// Puts back the mark of a string that was cut before, when nothing else was dropped now.
    fn ends_with_own_mark(&mut self) -> bool {
        if self.dropped != self.tail.len() as u64 {
            return false;
        }
        let len = self.out.len();
        self.out.extend_from_slice(&self.tail);
        if !self.out.ends_with(b" bytes]") {
            self.out.truncate(len);
            return false;
        }
        // The mark counts bytes of the text, not of its escapes.
        let quoted = [b"\"", &self.out[self.begin..], b"\""].concat();
        let whole = serde_json::from_slice::<String>(&quoted);
        let marked = whole.is_ok_and(|text| mark_of(&text).is_some());
        if !marked {
            self.out.truncate(len);
        }
        marked
    }
}

/// Returns how much of a text that was cut at its end is whole words: up to the last space, or escape of
/// JSON, or else punctuation, not too far back. What lies behind is plain characters.
fn whole_words(text: &[u8]) -> usize {
    let from = text.len().saturating_sub(MAX_WORD_BYTES);
    let window = &text[from..];
    let space = window.iter().rposition(|b| b.is_ascii_whitespace() || *b == b'\\');
    let punctuation = || window.iter().rposition(|b| b"\"'`,;<>()[]{}|".contains(b));
    let Some(at) = space.or_else(punctuation).map(|at| from + at) else { return text.len() };
    if text[at] != b'\\' {
        return at + 1;
    }
    let slashes = text[..=at].iter().rev().take_while(|b| **b == b'\\').count();
    let escape = match (slashes % 2, text.get(at + 1)) {
        (0, _) => 1,
        (_, Some(b'u')) => 6,
        _ => 2,
    };
    (at + escape).min(text.len())
}

/// The mark that ends a cut value: how many of its bytes were dropped.
pub fn cut_mark(dropped: u64, total: u64) -> String {
    format!("… [cut: {dropped} of {total} bytes]")
}

/// Cuts a text that has yet to be searched for secrets, as [`cut`] does, and never inside a word.
pub fn cut_at_word(text: &str, limit: usize) -> std::borrow::Cow<'_, str> {
    let (body, total) = split_mark(text);
    if body.len() <= limit {
        return std::borrow::Cow::Borrowed(text);
    }
    let kept = &body[..body.floor_char_boundary(limit)];
    let kept = &kept[..kept.floor_char_boundary(whole_words(kept.as_bytes()))];
    std::borrow::Cow::Owned(format!(
        "{kept}{}",
        cut_mark(total.saturating_sub(kept.len() as u64).max(1), total)
    ))
}

/// Cuts a text to `limit` bytes and its mark. A text that is cut already keeps its original length in the mark.
pub fn cut(text: &str, limit: usize) -> std::borrow::Cow<'_, str> {
    let (body, total) = split_mark(text);
    if body.len() <= limit {
        return std::borrow::Cow::Borrowed(text);
    }
    let kept = &body[..body.floor_char_boundary(limit)];
    std::borrow::Cow::Owned(format!(
        "{kept}{}",
        cut_mark(total.saturating_sub(kept.len() as u64).max(1), total)
    ))
}

/// A text without its cut mark, and how many bytes it had before it was cut. Secrets that were replaced since may have
/// made what was kept shorter or longer.
pub fn split_mark(text: &str) -> (&str, u64) {
    match mark_of(text) {
        Some((at, _, total)) => (&text[..at], total),
        None => (text, text.len() as u64),
    }
}

/// Returns where the mark at the end of a text begins, and its two numbers.
fn mark_of(text: &str) -> Option<(usize, u64, u64)> {
    let inner = text.strip_suffix(" bytes]")?;
    let at = inner.rfind("… [cut: ")?;
    let (dropped, total) = inner[at + "… [cut: ".len()..].split_once(" of ")?;
    let (dropped, total) = (dropped.parse().ok()?, total.parse().ok()?);
    (dropped > 0 && dropped <= total).then_some((at, dropped, total))
}

/// The placeholder of a withheld text, which keeps its length in characters.
pub fn withheld(text: &str) -> std::borrow::Cow<'_, str> {
    let placeholder = text
        .strip_prefix("<redacted (")
        .and_then(|rest| rest.strip_suffix(" chars)>"))
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    if text.is_empty() || placeholder {
        return std::borrow::Cow::Borrowed(text);
    }
    let (kept, total) = split_mark(text);
    let chars = kept.chars().count() as u64 + total.saturating_sub(kept.len() as u64);
    std::borrow::Cow::Owned(format!("<redacted ({chars} chars)>"))
}

/// The most that is kept of one JSON text, in bytes.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;
/// The most that is added each time.
const RESERVE_BYTES: usize = 64 * 1024;
/// No id is longer.
const ID_BYTES: usize = 1024;
/// How many containers are left out before the text is given up.
const MOST_SKIPS: usize = 32;
/// The fields of a payload, and of a rollout's line, are never left out.
const OUTER_DEPTH: usize = 2;
/// The JSON library reads no deeper.
const MAX_DEPTH: usize = 128;
/// No mark is longer.
const MAX_MARK_BYTES: usize = 64;
/// No key written in one piece is longer; a longer word is data, and is cut anywhere.
const MAX_WORD_BYTES: usize = 4096;
const REPLACEMENT: &[u8] = b"\\ufffd";

#[cfg(test)]
mod tests {
    use super::*;

    fn shortened(text: &[u8], limit: usize, step: usize) -> Option<String> {
        let mut shortener = Shortener::new(limit);
        text.chunks(step).for_each(|chunk| shortener.push(chunk));
        shortener.finish().map(|out| String::from_utf8(out).unwrap())
    }

    #[test]
    fn shortener_cuts_strings_in_any_chunking() {
        for (text, want) in [
            (r#"{"a":1,"b":["xy",null]}"#, r#"{"a":1,"b":["xy",null]}"#),
            (r#"["abcdefgh"]"#, r#"["abcd… [cut: 4 of 8 bytes]"]"#),
            (r#"["ab\n\"cdef"]"#, r#"["ab\n\"… [cut: 4 of 8 bytes]"]"#),
            (r#"["a bcdef"]"#, r#"["a … [cut: 5 of 7 bytes]"]"#),
            (r#"["a\\bcdef"]"#, r#"["a\\… [cut: 5 of 7 bytes]"]"#),
            (r#"["\u00e9bcdef"]"#, r#"["\u00e9… [cut: 5 of 7 bytes]"]"#),
            (r#"["aaaé"]"#, r#"["aaa… [cut: 2 of 5 bytes]"]"#),
            (r#"["\ud83d\ude00"]"#, r#"["\ud83d\ude00"]"#),
            (r#"["\ud83d","\udc00a"]"#, r#"["\ufffd","\ufffda"]"#),
            (r#"["\ud83d\ud83dx"]"#, r#"["\ufffd… [cut: 4 of 7 bytes]"]"#),
        ] {
            for step in 1..text.len() {
                let got = shortened(text.as_bytes(), 4, step);
                assert_eq!(got.as_deref(), Some(want), "{text} by {step}");
            }
            serde_json::from_str::<serde_json::Value>(want).unwrap();
        }
    }

    #[test]
    fn huge_string_takes_bounded_memory() {
        let mut shortener = Shortener::new(1000);
        shortener.push(b"{\"x\":\"");
        for _ in 0..1000 {
            shortener.push(&[b'y'; 100_000]);
        }
        shortener.push(b"\",\"after\":true}");
        assert!(shortener.out.capacity() < 10_000);
        let value: serde_json::Value = serde_json::from_slice(&shortener.finish().unwrap()).unwrap();
        assert!(value["x"].as_str().unwrap().ends_with("[cut: 99999000 of 100000000 bytes]"));
        assert_eq!(value["after"], true);
    }

    #[test]
    fn endless_structure_is_given_up() {
        let mut shortener = Shortener::new(1000);
        for _ in 0..100 {
            shortener.push(&[b'['; 1_000_000]);
        }
        assert!(shortener.finish().is_none());
        assert!(
            shortened(&[b"\"\\u12"[..].repeat(2_000_000)].concat(), 10, 65536)
                .is_none_or(|o| o.len() < 20_000_000)
        );
    }

    #[test]
    fn payload_of_small_values_keeps_the_fields_around_them() {
        for inner in ["{\"a\":[1,2]},", "\"x\",", "17,", "[[]],", "\"\\n\\n\\n\","] {
            let text = format!("{{\"id\":\"t\",\"out\":[{}0],\"call\":\"c1\"}}", inner.repeat(4000));
            for step in [1, 7, 4096] {
                let mut shortener = Shortener::bounded(1000, 5000);
                text.as_bytes().chunks(step).for_each(|chunk| shortener.push(chunk));
                let out = shortener.finish().expect("kept");
                let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
                assert_eq!((&value["id"], &value["call"]), (&"t".into(), &"c1".into()), "{inner}");
                assert!(!value["out"].as_array().unwrap().is_empty() && out.len() < 9000, "{inner}");
            }
        }
    }

    #[test]
    fn payload_of_escapes_is_cut_and_not_dropped() {
        let text = format!("{{\"out\":\"{}\",\"call\":\"c1\"}}", "\\u0001".repeat(4000));
        let mut shortener = Shortener::bounded(100_000, 5000);
        shortener.push(text.as_bytes());
        let value: serde_json::Value = serde_json::from_slice(&shortener.finish().expect("kept")).unwrap();
        assert!(value["out"].as_str().unwrap().ends_with("of 4000 bytes]"), "{value}");
    }

    #[test]
    fn mark_keeps_the_first_length_however_often_a_text_is_cut() {
        let first = shortened(format!("[\"{}\"]", "word ".repeat(2000)).as_bytes(), 1000, 9).unwrap();
        assert!(first.ends_with("of 10000 bytes]\"]"), "{first}");
        let scrubbed = first.replacen("word word", "<secret:x>", 3);
        for text in [&first, &scrubbed] {
            let again = shortened(text.as_bytes(), 300, 9).unwrap();
            assert!(again.ends_with("of 10000 bytes]\"]") && again.len() < 350, "{again}");
            let plain: Vec<String> = serde_json::from_str(text).unwrap();
            assert!(cut(&plain[0], 300).ends_with("of 10000 bytes]"));
        }
    }

    #[test]
    fn invalid_utf8_is_mended() {
        assert_eq!(shortened(b"[\"a\xff\"]", 10, 1).as_deref(), Some("[\"a\u{fffd}\"]"));
    }

    #[test]
    fn half_a_key_is_never_kept() {
        let key = format!("sk-{}", "a1B2".repeat(40));
        for limit in 20..60 {
            assert_eq!(cut_at_word(&format!("the key is {key} here"), limit).find("sk-"), None);
            let json = format!("[\"the key is {key} here\"]");
            assert!(!shortened(json.as_bytes(), limit, 7).unwrap().contains("sk-"));
        }
    }

    #[test]
    fn cut_string_keeps_its_mark() {
        let once = shortened(br#"["one two three four"]"#, 10, 3).unwrap();
        assert_eq!(once, r#"["one two … [cut: 10 of 18 bytes]"]"#);
        assert_eq!(shortened(once.as_bytes(), 10, 3).unwrap(), once);
        let short = r#"["\"\"\"\"… [cut: 4 of 8 bytes]"]"#;
        assert_eq!(shortened(short.as_bytes(), 29, 3).unwrap(), short, "the limit falls into the mark");
        let escaped = shortened(br#"["one\ntwo\nthree four"]"#, 10, 3).unwrap();
        assert_eq!(shortened(escaped.as_bytes(), 10, 3).unwrap(), escaped);
    }

    #[test]
    fn cutting_twice_keeps_the_first_length() {
        let once = cut("0123456789", 6);
        assert_eq!(once, "012345… [cut: 4 of 10 bytes]");
        assert_eq!(cut(&once, 6), once);
        assert_eq!(cut(&once, 2), "01… [cut: 8 of 10 bytes]");
        assert_eq!(cut("short", 6), "short");
        assert_eq!(split_mark("x… [cut: 9 of 1 bytes]"), ("x… [cut: 9 of 1 bytes]", 24));
    }
}
