//! The commands for people.

pub mod flush;
pub mod resend;
pub mod since;

use crate::context::Context;

/// Runs a command; returns the exit code.
pub fn run(_context: &Context) -> u8 {
    2
}

/// What a command leaves behind for the shell.
pub mod exit {
    pub const DONE: u8 = 0;
    pub const FAILED: u8 = 1;
    pub const USAGE: u8 = 2;
}
