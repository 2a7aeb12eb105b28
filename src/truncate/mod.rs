//! Reads foreign JSON of any size in bounded memory: long strings are cut while they stream by.
//!
//! Payloads and rollout lines can be gigabytes (a tool's output, an image), of which only the first part of each
//! string is wanted. [`Shortener`] copies a JSON text, ends every string after a limit with a mark that says how
//! long it was, and mends what the JSON library would refuse: lone surrogates and invalid UTF-8.
//!
//! A cut never leaves the first half of a word: half a key is no longer known for one when secrets are looked for.

mod mark;
mod output;
mod shortener;
#[cfg(test)]
mod tests;

pub use mark::{cut, cut_at_word, cut_mark, split_mark, withheld};
pub use shortener::{MAX_BYTES, Shortener};
