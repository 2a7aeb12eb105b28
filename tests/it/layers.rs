//! The `use crate::` lines of each folder against the layer table of `src/lib.rs`: an arrow points down, never up. The
//! libraries for foreign formats and networks stay in the files that are there for them, and so does the opening of
//! files.

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
    let mut wrong = BTreeSet::new();
    for (name, code) in sources() {
        let first = name.split('/').next().unwrap();
        let module = first.strip_suffix(".rs").unwrap_or(first);
        for used in code.split("crate::").skip(1).map(used_module) {
            let ground = GROUND.iter().any(|g| used == *g || used.starts_with(&format!("{g}::")));
            let own = used == module || used.starts_with(&format!("{module}::"));
            let down = allowed(module).iter().any(|a| used == *a || used.starts_with(&format!("{a}::")));
            if !(ground || own || down || used.is_empty()) {
                wrong.insert(format!("{name} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Where a library is used: a file, or a folder with all below it.
const LIBRARIES: &[(&str, &[&str])] = &[
    // The state is YAML for people to read; the commands below change or ask for what is in config.yaml.
    ("serde_yml", &["settings/", "trace/state.rs", "cli/config.rs", "cli/install/", "cli/uninstall.rs"]),
    ("toml_edit", &["codex/config_toml/", "cli/setup/codex_cli.rs"]),
    ("ureq", &["export/http.rs"]),
    ("flate2", &["export/http.rs"]),
    ("tonic", &["export/grpc.rs"]),
    ("tokio", &["export/grpc.rs"]),
    ("hyper_util", &["export/client.rs", "export/grpc.rs", "export/http.rs"]),
    ("rustls", &["export/client.rs", "export/grpc.rs"]),
    ("rustls_native_certs", &["export/client.rs"]),
    ("ruzstd", &["codex/rollout/reader.rs"]),
    ("argh", &["cli/"]),
    ("libc", &["file.rs", "os.rs"]),
];

#[test]
fn libraries_stay_in_the_files_that_are_there_for_them() {
    let mut wrong = BTreeSet::new();
    let mut unused: BTreeSet<(&str, &str)> =
        LIBRARIES.iter().flat_map(|(library, places)| places.iter().map(move |p| (*library, *p))).collect();
    for (name, code) in sources() {
        for (library, places) in LIBRARIES {
            if !names_crate(&code, library) {
                continue;
            }
            match places
                .iter()
                .find(|place| name == **place || place.ends_with('/') && name.starts_with(**place))
            {
                Some(place) => drop(unused.remove(&(*library, *place))),
                None => drop(wrong.insert(format!("{name} uses {library}"))),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(unused.is_empty(), "no longer used there: {unused:#?}");
}

/// Whether a path begins with the crate's name.
fn names_crate(code: &str, library: &str) -> bool {
    let path = format!("{library}::");
    code.match_indices(&path)
        .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
}

/// Ways to open a file that wait for a pipe's other end and read a device for ever.
const BARE: [&str; 7] = [
    "fs::read(",
    "fs::read_to_string(",
    "fs::copy(",
    "File::open(",
    "File::options(",
    "OpenOptions::new(",
    "File::create(",
];

/// Where one of them is right, and why.
const BARE_ALLOWED: &[(&str, &str, &str)] = &[
    ("cli/demo.rs", "fs::read(", "a turn that demo itself has just written, in a folder nobody else knows"),
    ("cli/doctor/ours.rs", "fs::read(", "the environment of a process, in /proc"),
    ("cli/install/choices.rs", "File::open(", "the file a person names for a key may be a pipe"),
    ("cli/setup/links.rs", "fs::copy(", "this executable"),
    ("cli/view/pick.rs", "fs::read(", "a turn of the archive whose head was read, as a file, before"),
    ("codex/process.rs", "File::open(", "the state of a process, in /proc"),
    ("os.rs", "File::options(", "/dev/null"),
];

#[test]
fn files_are_opened_where_pipes_and_devices_are_refused() {
    let mut wrong = BTreeSet::new();
    let mut unused: BTreeSet<_> = BARE_ALLOWED.iter().collect();
    for (name, code) in sources().into_iter().filter(|(name, _)| name != "file.rs") {
        for bare in BARE.into_iter().filter(|bare| code.contains(bare)) {
            match BARE_ALLOWED.iter().find(|(file, call, _)| *file == name && *call == bare) {
                Some(allowed) => drop(unused.remove(allowed)),
                None => drop(wrong.insert(format!("{name} calls {bare}…) where `file` has something safer"))),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(unused.is_empty(), "no longer there: {unused:#?}");
}

/// Every source by its path below src, without its tests.
fn sources() -> Vec<(String, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&source).unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        (name, text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned())
    };
    // Where the checkout lies may be called tests as well.
    let all: Vec<_> =
        files(&source).into_iter().map(read).filter(|(name, _)| !name.contains("tests")).collect();
    assert!(all.len() > 80, "{}", all.len());
    all
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
        .filter(|p| p.extension().is_some_and(|e| e == "rs"))
        .collect()
}
