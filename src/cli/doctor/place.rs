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
        "install has registered the hooks in {}, and Codex's home is {} here",
        home,
        context.paths().codex().display()
    );
    let fix = format!(
        "set CODEX_HOME={home} for Codex and here, or run `arize-codex install` for this one as well"
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
        "{} registers hooks of ours, and Codex does not trust this project",
        root.join(".codex/config.toml").display()
    );
    let fix = "start `codex` in it and answer that you trust it; or run `arize-codex install`, which serves every project";
    Some(Finding::warning("hooks", text, fix))
}

/// The file that SSL_CERT_FILE names, which replaces the system's authorities, cannot be read.
fn authorities(context: &Context) -> Option<Finding> {
    let path = PathBuf::from(context.var(var::SSL_CERT_FILE)?);
    let error = std::fs::metadata(&path).err()?;
    let text = format!("SSL_CERT_FILE names {}, which cannot be read: {error}", path.display());
    let fix =
        "it replaces the system's authorities: unset it, or name a file with all that are to be trusted";
    Some(Finding::warning("backend", text, fix))
}
