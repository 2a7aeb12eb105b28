//! From a [`Turn`](crate::turn::Turn) to OpenTelemetry spans, and the file that holds them.
//!
//! [`spans`] is the pure step from a turn to OpenInference spans in either layout; [`redact`] decides what may be
//! written and [`scrub`] replaces secrets. An [`entry`] is a finished turn as a file; [`resource`] adds what the
//! backend in force asks for, [`size`] makes a span fit a request.

pub mod attribute;
pub mod entry;
pub mod entry_reader;
mod gen_ai;
pub mod history_line;
pub mod ids;
mod memo;
mod names;
pub mod prices;
pub mod rate_limit;
pub mod redact;
pub mod resource;
pub mod scrub;
pub mod size;
pub mod span_tree;
pub mod spans;
#[cfg(test)]
pub(crate) mod testing;
pub mod text_tree;
pub mod time_spent;
pub mod token_use;
pub mod tool_use;
