//! `show --html`: traces as one page that needs nothing but itself.

use std::path::Path;

use super::view::pick::Trace;

/// Writes the page.
///
/// # Errors
/// When a trace cannot be read or the page cannot be written.
pub fn write(_traces: &[Trace], _path: &Path) -> anyhow::Result<()> {
    anyhow::bail!("not there yet")
}
