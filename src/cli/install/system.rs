//! `install --system DIR`: the executable and its links for all users of a machine, and nothing of any one user.

use std::io::Write;
use std::path::Path;

use crate::cli::PROGRAM;
use crate::cli::exit::DONE;
use crate::cli::setup::links;
use crate::context::Context;
use crate::platform;

/// Places the executable and its links in `DIR/bin`, readable by everybody.
///
/// # Errors
/// When the directory cannot be written.
pub fn install(
    directory: &Path,
    context: &Context,
    dry_run: bool,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let directory = std::path::absolute(directory)?;
    let bin = directory.join("bin");
    if dry_run {
        writeln!(out, "would install {PROGRAM} and its links into {}", bin.display())?;
        return Ok(DONE);
    }
    links::place_in(&bin, true)?;
    let machine = context.paths().machine_config();
    writeln!(out, "program   {} and its links, for every user", bin.join(PROGRAM).display())?;
    writeln!(out, "settings  {}: put settings for all users there, for example", machine.display())?;
    writeln!(out, "            harnesses: {{codex: {{target: otlp, endpoint: \"http://collector:4318\"}}}}")?;
    writeln!(
        out,
        "codex     {} registers the hooks for all users, with managed_dir",
        platform::codex_requirements().display()
    )?;
    writeln!(out, "          and the commands in {}; .github/deploy/requirements.toml is an", bin.display())?;
    writeln!(out, "          example. Without it, each user runs `{PROGRAM} install`.")?;
    Ok(DONE)
}
