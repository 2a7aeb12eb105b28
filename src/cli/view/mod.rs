//! What `list`, `show`, `preview` and `stats` share: their spans as a tree, how to write for the terminal that
//! is there, and rows for other programs.

pub mod browser;
pub mod draw;
pub mod markdown;
pub mod records;
pub mod redaction_marks;
pub mod spent;
pub mod terminal;
pub mod text;
pub mod tree;
