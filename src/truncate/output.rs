//! What is kept of a JSON text: at most so many bytes, every container closed. Where there is no more room, the rest of a
//! list or object is left out and what follows it is kept.

/// The kept text, and which containers are open in it.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) text: Vec<u8>,
    /// The most that is kept, in bytes.
    total: usize,
    /// What is added to `total` behind each container whose rest was left out, so that the ids which follow are kept.
    reserve: usize,
    /// Of each container that is open in `text`, outermost first: up to where its content is whole.
    open: Vec<usize>,
    /// How many containers are open that are not copied; `None` while everything is.
    skipped: Option<usize>,
    /// How often the rest of a container was left out.
    skips: usize,
    overflowed: bool,
}

impl Output {
    /// Starts an empty text of at most `total` bytes.
    pub(super) fn new(total: usize) -> Output {
        Output {
            text: Vec::new(),
            total,
            reserve: (total / 128).clamp(ID_BYTES, RESERVE_BYTES),
            open: Vec::new(),
            skipped: None,
            skips: 0,
            overflowed: false,
        }
    }

    /// Returns whether even the fields around everything else did not fit: nothing more is taken.
    pub(super) fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// Returns whether nothing is copied at this place.
    pub(super) fn is_skipping(&self) -> bool {
        self.skipped.is_some() || self.overflowed
    }

    /// Returns how long the text may get by a string that begins at `begin`. Behind a field that took all of it there is
    /// room for an id yet.
    pub(super) fn limit_of_strings(&self, begin: usize) -> usize {
        let outer = self.open.len() < OUTER_DEPTH && begin + ID_BYTES > self.total;
        if outer { (begin + ID_BYTES).min(self.total + self.reserve) } else { self.total }
    }

    /// Takes one byte outside of strings.
    pub(super) fn structure(&mut self, byte: u8) {
        match byte {
            b'{' | b'[' => {
                if let Some(skipped) = &mut self.skipped {
                    *skipped += 1;
                    return;
                }
                self.copy(byte);
                match self.skipped {
                    None => self.open.push(self.text.len()),
                    Some(ref mut skipped) => *skipped += 1,
                }
                self.overflowed |= self.open.len() > MAX_DEPTH;
            }
            b'}' | b']' => self.close_container(byte),
            b',' => {
                if let (None, Some(whole)) = (self.skipped, self.open.last_mut()) {
                    *whole = self.text.len();
                }
                self.copy(byte);
            }
            byte => self.copy(byte),
        }
    }

    fn close_container(&mut self, byte: u8) {
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
        self.text.push(byte);
    }

    /// Copies one byte of structure where there is room; where there is none, leaves out the rest of a container: the
    /// innermost at first, an outer one each further time.
    pub(super) fn copy(&mut self, byte: u8) {
        if self.is_skipping() {
            return;
        }
        let outer = self.open.len() < OUTER_DEPTH;
        if self.text.len() < self.total + if outer { self.reserve } else { 0 } {
            return self.text.push(byte);
        }
        let depth = self.open.len().saturating_sub(self.skips).max(OUTER_DEPTH);
        if self.skips == MOST_SKIPS || self.open.len() < depth {
            self.overflowed = true;
            return;
        }
        self.text.truncate(self.open[depth - 1]);
        self.skipped = Some(self.open.len() - depth);
        self.open.truncate(depth);
        self.skips += 1;
    }
}

/// The most that is added to the limit each time.
const RESERVE_BYTES: usize = 64 * 1024;
/// No id is longer.
const ID_BYTES: usize = 1024;
/// The fields of a payload, and of a rollout's line, are never left out.
const OUTER_DEPTH: usize = 2;
/// How many containers are left out before the text is given up.
const MOST_SKIPS: usize = 32;
/// The JSON library reads no deeper.
const MAX_DEPTH: usize = 128;
