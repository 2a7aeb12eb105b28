//! What `list`, `show`, `preview` and `stats` share: which turns a user means, their spans as a tree, and how
//! to write for the terminal that is there.

pub mod draw;
pub mod redaction_marks;
pub mod selection;
pub mod terminal;
pub mod text;
pub mod tree;
