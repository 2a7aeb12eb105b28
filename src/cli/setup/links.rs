//! The executable in its place and the names it goes by.

use anyhow::Context as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::{CONFIG_PROGRAM, PROGRAM};
use crate::codex::events::HookRole;
use crate::codex::hooks_config::NOTIFY_NAME;
use crate::context::Paths;
use crate::file::{self, replace};
use crate::platform;

/// The names under which Codex and people call the executable.
pub const LINKS: [&str; 5] =
    [HookRole::Session.link(), HookRole::Tool.link(), HookRole::Stop.link(), NOTIFY_NAME, CONFIG_PROGRAM];

/// Copies this executable into our directory and makes the links beside it.
///
/// # Errors
/// When the directory or a file in it cannot be written.
pub fn place(paths: &Paths) -> anyhow::Result<()> {
    place_in(&paths.bin(), false)
}

/// Copies this executable into a directory, for its owner or for everybody, and makes the links beside it.
///
/// # Errors
/// When the directory or a file in it cannot be written.
pub fn place_in(folder: &Path, for_everybody: bool) -> anyhow::Result<()> {
    let named = || format!("cannot write into {}", folder.display());
    if for_everybody {
        fs::create_dir_all(folder).with_context(named)?;
    } else if !folder.exists() {
        file::create_private_dir(folder).with_context(named)?;
    }
    let ourselves = std::env::current_exe().context("cannot find this executable")?;
    let target = folder.join(exe(PROGRAM));
    if !platform::is_same_file(&ourselves, &target) {
        copy(&ourselves, &target).with_context(named)?;
    }
    remove_replaced(folder);
    for name in LINKS {
        link(Path::new(&exe(PROGRAM)), &folder.join(exe(name))).with_context(named)?;
    }
    Ok(())
}

/// Makes all names of the executable callable from another directory, as one on the PATH. A file of somebody
/// else's is left alone. Returns the links made.
///
/// # Errors
/// When the directory cannot be written.
pub fn link_into(folder: &Path, paths: &Paths) -> anyhow::Result<Vec<PathBuf>> {
    let named = || format!("cannot write into {}", folder.display());
    fs::create_dir_all(folder).with_context(named)?;
    let mut made = Vec::new();
    for name in LINKS.into_iter().chain([PROGRAM]) {
        let at = folder.join(exe(name));
        if fs::symlink_metadata(&at).is_ok_and(|m| !m.is_symlink()) {
            continue;
        }
        link(&paths.bin().join(exe(name)), &at).with_context(named)?;
        made.push(at);
    }
    Ok(made)
}

/// Removes the executable and the links beside it; what else lies there stays.
pub fn remove(paths: &Paths) -> Vec<PathBuf> {
    let folder = paths.bin();
    let mut gone: Vec<PathBuf> = Vec::new();
    for name in LINKS.into_iter().chain([PROGRAM]) {
        let path = folder.join(exe(name));
        if platform::remove_program(&path).is_ok() {
            gone.push(path);
        }
    }
    remove_replaced(&folder);
    let _ = fs::remove_dir(&folder);
    gone
}

/// Removes a link that leads into our directory.
pub fn remove_link(link: &Path, paths: &Paths) -> bool {
    let leads = fs::read_link(link).is_ok_and(|target| target.starts_with(paths.bin()));
    let is_ours =
        leads || link.file_name().is_some_and(|name| platform::is_linked(&paths.bin().join(name), link));
    is_ours && platform::remove_program(link).is_ok()
}

/// Returns what is wrong with the executable and its links; empty when nothing is.
pub fn problems(paths: &Paths) -> Vec<String> {
    let program = paths.bin().join(exe(PROGRAM));
    let runnable = |path: &Path| fs::metadata(path).is_ok_and(|m| platform::is_executable(&m));
    if !runnable(&program) {
        return vec![format!("{} is missing or cannot be executed", program.display())];
    }
    let leads = |at: &Path| platform::is_same_file(at, &program) || platform::is_linked(&program, at);
    let wrong = |name: &&&str| !leads(&paths.bin().join(exe(name)));
    LINKS.iter().filter(wrong).map(|name| format!("{name} does not point to {PROGRAM}")).collect()
}

fn link(target: &Path, at: &Path) -> std::io::Result<()> {
    if platform::is_linked(target, at) {
        return Ok(());
    }
    replace::put_program(at, |temporary| platform::link(target, temporary))
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    replace::put_program(to, |temporary| {
        fs::copy(from, temporary)?;
        platform::strip_quarantine(temporary);
        platform::make_executable(temporary)
    })
}

/// Deletes programs that were running when they were replaced, once they have ended.
fn remove_replaced(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().contains(".exe.old-") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The name of an executable's file.
pub fn exe(name: &str) -> String {
    format!("{name}{}", platform::EXE_SUFFIX)
}
