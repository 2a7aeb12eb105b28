//! The command line, from words to what argh parses, and everything else that is made of the table of commands.
//!
//! argh stays the parser. What it lacks is done here, before it: `--option=value`, `-` as a value, options that several
//! commands share, options of every command, optional values, and errors that name the nearest word.

pub mod completions;
pub mod help;
pub mod man;
pub mod nearest;
mod split;
pub mod table;

pub use split::{Colour, Line, Request, split};
