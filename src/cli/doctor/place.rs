//! What depends on where doctor is called from: another CODEX_HOME than install's, hooks of a project that Codex does not
//! trust, a file of authorities that is not there.

use std::path::{Path, PathBuf};

use super::Finding;
use crate::cli::setup::codex_cli;
use crate::cli::setup::record::Record;
use crate::codex::hooks_config::survey::Survey;
use crate::codex::hooks_config::trust;
use crate::context::{Context, var};

pub fn check(context: &Context) -> Vec<Finding> {
    let here = std::env::current_dir().ok();
    let project = here.and_then(|here| project(context, &here));
    [other_home(context), project, authorities(context)].into_iter().flatten().collect()
}

/// install has registered the hooks for another Codex home than the one that is set here.
fn other_home(context: &Context) -> Option<Finding> {
    let config = context.paths().codex_config();
    let record = Record::load(context.paths()).ok()?;
    let other = record.configs.keys().find(|path| path.exists())?;
    if record.configs.contains_key(&config) {
        return None;
    }
    let home = other.parent().unwrap_or(other).display();
    let text = format!(
        "install registered the hooks in {}, but CODEX_HOME is {} here",
        home,
        context.paths().codex().display()
    );
    let fix = format!(
        "set CODEX_HOME={home} in this shell and for Codex, or run `arize-codex install` for this home as well"
    );
    Some(Finding::warning("config", text, fix))
}

/// A project's own config.toml holds hooks of ours, and Codex reads it only where the project is trusted.
fn project(context: &Context, here: &Path) -> Option<Finding> {
    let user = context.paths().codex_config();
    let (root, text) = here.ancestors().find_map(|root| {
        let path = root.join(".codex/config.toml");
        (path != user).then(|| codex_cli::read_text(&path)).flatten().map(|text| (root, text))
    })?;
    let ours = trust::list(&Survey::of(&text).ok()?).iter().any(|hook| hook.ours);
    let trusted = || codex_cli::read_text(&user).is_some_and(|text| codex_cli::trusts_project(&text, root));
    if !ours || trusted() {
        return None;
    }
    let text = format!(
        "{} registers our hooks, but Codex does not trust this project",
        root.join(".codex/config.toml").display()
    );
    let fix = "start `codex` in this project and trust it, or run `arize-codex install`, which covers every project";
    Some(Finding::warning("hooks", text, fix))
}

/// The file that SSL_CERT_FILE names, which replaces the system's authorities, cannot be read.
fn authorities(context: &Context) -> Option<Finding> {
    let path = PathBuf::from(context.var(var::SSL_CERT_FILE)?);
    let error = std::fs::metadata(&path).err()?;
    let text = format!("SSL_CERT_FILE names {}, which cannot be read: {error}", path.display());
    let fix = "it replaces the system's certificate authorities: unset it, or name a file that holds all the authorities you trust";
    Some(Finding::warning("backend", text, fix))
}
