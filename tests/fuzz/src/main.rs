//! The fuzzer: FUZZ_TARGET names the foreign format that libFuzzer's input is taken for.
//!
//! `tests/fuzz/run` builds it with coverage, seeds it from the recordings and runs each target.
#![no_main]

mod targets;

use std::sync::OnceLock;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<targets::Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let found = targets::ALL.iter().find(|(n, _)| *n == name);
        found.unwrap_or_else(|| panic!("FUZZ_TARGET {name:?} is none of the targets")).1
    })(data);
});
