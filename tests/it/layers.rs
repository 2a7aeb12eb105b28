//! The `use crate::` lines of each folder against the layer table of `src/lib.rs`: an arrow points down, never up.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const GROUND: &[&str] = &["context", "file", "log", "os", "time", "arena"];

/// What a module of the crate may use, beside the ground and itself.
fn allowed(module: &str) -> &'static [&'static str] {
    match module {
        "hook" => &["codex", "trace", "export", "settings", "git", "handover"],
        "cli" => &["codex", "trace", "export", "settings", "git", "handover"],
        "handover" => &["codex", "trace", "export", "settings", "git"],
        "trace" => &["codex", "settings", "export::entry"],
        "export" => &["settings", "codex::ids", "codex::shorten"],
        "lib" | "main" => &["hook", "cli"],
        _ => &[],
    }
}

#[test]
fn arrows_between_layers_point_down() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = BTreeSet::new();
    for file in files(&source) {
        let relative = file.strip_prefix(&source).unwrap();
        let first = relative.iter().next().unwrap().to_str().unwrap();
        let module = first.strip_suffix(".rs").unwrap_or(first);
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for used in code.split("crate::").skip(1).map(used_module) {
            let ground = GROUND.iter().any(|g| used == *g || used.starts_with(&format!("{g}::")));
            let own = used == module || used.starts_with(&format!("{module}::"));
            let down = allowed(module).iter().any(|a| used == *a || used.starts_with(&format!("{a}::")));
            if !(ground || own || down || used.is_empty()) {
                wrong.insert(format!("{} uses {used}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The path behind `crate::`, as far as it names modules.
fn used_module(rest: &str) -> String {
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
    rest[..end].trim_end_matches(':').to_owned()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().flatten().map(|e| e.path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|p| p.extension().is_some_and(|e| e == "rs") && !p.to_str().unwrap().contains("tests"))
        .collect()
}
