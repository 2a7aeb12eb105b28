//! Finds the keys of all tables in one pass: a bit set of hashes of their first three letters says no for nearly all
//! of ordinary text. Built in microseconds, which an automaton of so many keys is not.

/// What is looked for, in any case, each with what it belongs to.
pub(super) struct Keys<T> {
    bits: Box<[u64]>,
    /// The keys, by the slot of their hash.
    slots: Vec<Vec<(&'static [u8], T)>>,
}

impl<T: Copy> Keys<T> {
    /// Takes keys of at least three bytes.
    pub(super) fn new(list: impl Iterator<Item = (&'static [u8], T)>) -> Keys<T> {
        let bits = vec![0; GRAMS / 64].into_boxed_slice();
        let mut keys = Keys { bits, slots: (0..SLOTS).map(|_| Vec::new()).collect() };
        for (key, owner) in list.filter(|(key, _)| key.len() > 2) {
            let hash = hash(key[0], key[1], key[2]);
            keys.bits[hash / 64] |= 1 << (hash % 64);
            keys.slots[hash % SLOTS].push((key, owner));
        }
        keys
    }

    /// Calls `each` with every key that stands in a text, from its start to its end.
    pub(super) fn find(&self, t: &[u8], mut each: impl FnMut(usize, &[u8], T)) {
        for (at, gram) in t.windows(3).enumerate() {
            let hash = hash(gram[0], gram[1], gram[2]);
            if self.bits[hash / 64] >> (hash % 64) & 1 == 0 {
                continue;
            }
            for (key, owner) in &self.slots[hash % SLOTS] {
                if t.get(at..at + key.len()).is_some_and(|here| here.eq_ignore_ascii_case(key)) {
                    each(at, key, *owner);
                }
            }
        }
    }
}

const GRAMS: usize = 1 << 16;
const SLOTS: usize = 1 << 10;

fn hash(a: u8, b: u8, c: u8) -> usize {
    let folded = u32::from_le_bytes([a, b, c, 0]) | 0x0020_2020;
    (folded.wrapping_mul(0x9E37_79B1) >> 16) as usize
}
