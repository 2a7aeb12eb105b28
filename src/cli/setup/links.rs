//! The executable in its place and the names it goes by.

use anyhow::Context as _;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::cli::{CONFIG_PROGRAM, PROGRAM};
use crate::codex::events::HookRole;
use crate::codex::hooks_config::NOTIFY_NAME;
use crate::context::Paths;
use crate::file;
use crate::file::replace;

/// The names under which Codex and people call the executable.
pub const LINKS: [&str; 5] =
    [HookRole::Session.link(), HookRole::Tool.link(), HookRole::Stop.link(), NOTIFY_NAME, CONFIG_PROGRAM];

/// Copies this executable into our directory and makes the links beside it.
///
/// # Errors
/// When the directory or a file in it cannot be written.
pub fn place(paths: &Paths) -> anyhow::Result<()> {
    let folder = paths.bin();
    let named = || format!("cannot write into {}", folder.display());
    if !folder.exists() {
        file::create_private_dir(&folder).with_context(named)?;
    }
    let ourselves = std::env::current_exe().context("cannot find this executable")?;
    let target = folder.join(PROGRAM);
    if !is_same_file(&ourselves, &target) {
        copy(&ourselves, &target).with_context(named)?;
    }
    for name in LINKS {
        link(Path::new(PROGRAM), &folder.join(name)).with_context(named)?;
    }
    Ok(())
}

/// Makes `arize-codex` and `arize-config` callable from another directory, as one on the PATH. A file of somebody
/// else's is left alone. Returns the links made.
///
/// # Errors
/// When the directory cannot be written.
pub fn link_into(folder: &Path, paths: &Paths) -> anyhow::Result<Vec<PathBuf>> {
    let named = || format!("cannot write into {}", folder.display());
    fs::create_dir_all(folder).with_context(named)?;
    let mut made = Vec::new();
    for name in [PROGRAM, CONFIG_PROGRAM] {
        let at = folder.join(name);
        if fs::symlink_metadata(&at).is_ok_and(|m| !m.is_symlink()) {
            continue;
        }
        link(&paths.bin().join(name), &at).with_context(named)?;
        made.push(at);
    }
    Ok(made)
}

/// Removes the executable and the links beside it; what else lies there stays.
pub fn remove(paths: &Paths) -> Vec<PathBuf> {
    let folder = paths.bin();
    let mut gone: Vec<PathBuf> = Vec::new();
    for name in LINKS.into_iter().chain([PROGRAM]) {
        let path = folder.join(name);
        if fs::remove_file(&path).is_ok() {
            gone.push(path);
        }
    }
    let _ = fs::remove_dir(&folder);
    gone
}

/// Removes a link that leads into our directory.
pub fn remove_link(link: &Path, paths: &Paths) -> bool {
    let ours = fs::read_link(link).is_ok_and(|target| target.starts_with(paths.bin()));
    ours && fs::remove_file(link).is_ok()
}

/// Returns what is wrong with the executable and its links; empty when nothing is.
pub fn problems(paths: &Paths) -> Vec<String> {
    let program = paths.bin().join(PROGRAM);
    let runnable = |path: &Path| fs::metadata(path).is_ok_and(|m| m.is_file() && m.mode() & 0o111 != 0);
    if !runnable(&program) {
        return vec![format!("{} is missing or cannot be executed", program.display())];
    }
    let wrong = |name: &&&str| !is_same_file(&paths.bin().join(name), &program);
    LINKS.iter().filter(wrong).map(|name| format!("{name} does not lead to {PROGRAM}")).collect()
}

fn link(target: &Path, at: &Path) -> std::io::Result<()> {
    if fs::read_link(at).is_ok_and(|found| found == target) {
        return Ok(());
    }
    replace::put(at, |temporary| symlink(target, temporary))
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    replace::put(to, |temporary| {
        fs::copy(from, temporary)?;
        fs::set_permissions(temporary, fs::Permissions::from_mode(0o755))
    })
}

/// Returns true if two paths lead to one file.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}
