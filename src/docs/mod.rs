//! What a maintainer needs to know and the code cannot show: observed facts, measurements, how to test.
//!
//! - [`codex`]: what the real Codex does, the releases each fact was seen on, and how to see it again
//! - [`backends`]: what receivers of traces accept, keep and show
//! - [`costs`]: how tokens become dollars, and where other tools count differently
//! - [`hook_time`]: where the time of a hook goes
//! - [`testing`]: how to test, record and try a change
//! - [`crate::layout`]: every file on disk

#[doc = include_str!("backends.md")]
pub mod backends {}

#[doc = include_str!("codex.md")]
pub mod codex {}

#[doc = include_str!("costs.md")]
pub mod costs {}

#[doc = include_str!("hook-time.md")]
pub mod hook_time {}

#[doc = include_str!("testing.md")]
pub mod testing {}
