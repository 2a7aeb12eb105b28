//! What the scrubber promises: the corpus (`forms` × `carriers`) gives the recall, sources and logs found on the
//! machine give the precision, the rest are properties and tables of single cases.

mod carriers;
mod corpus;
mod exact;
mod forms;
mod measure;
mod properties;
mod rows;
mod table;

/// A small generator with a seed (SplitMix64), so that every run sees the same corpus.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    fn text(&mut self, alphabet: &str, len: usize) -> String {
        let bytes = alphabet.as_bytes();
        (0..len).map(|_| bytes[self.below(bytes.len())] as char).collect()
    }
}

fn scrubber() -> crate::otel::scrub::Scrubber {
    crate::otel::scrub::Scrubber::new(&[])
}
