//! The `use crate::` lines of each directory against the layer table of `src/lib.rs`: an arrow points down, never up. The
//! libraries for foreign formats and networks stay in the files that are there for them, and so does the opening of
//! files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

const GROUND: &[&str] =
    &["arena", "context", "file", "ids", "layout", "log", "platform", "text", "time", "truncate"];

/// What a module of the crate may use, beside the ground and itself.
fn allowed(module: &str) -> &'static [&'static str] {
    match module {
        "hook" | "cli" => &["delivery", "otel", "turn", "codex", "settings", "git"],
        "delivery" => &["otel", "turn", "codex", "settings", "git"],
        "otel" => &["turn", "codex", "settings"],
        "turn" => &["codex", "settings"],
        "settings" => &["git"],
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
        for used in paths_in(&code, "crate").into_iter().filter_map(|path| path.into_iter().next()) {
            let down = GROUND.contains(&used.as_str()) || allowed(module).contains(&used.as_str());
            if used != module && !down {
                wrong.insert(format!("{name} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Files that use each other in a loop. A `mod.rs` that only declares a child does not use it.
#[test]
fn no_file_uses_itself_through_others() {
    let sources = sources();
    let files: BTreeMap<Vec<String>, &str> =
        sources.iter().map(|(name, _)| (module_of(name), name.as_str())).collect();
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, code) in &sources {
        let module = module_of(name);
        let mut paths = paths_in(code, "crate");
        for path in paths_in(code, "super") {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let base = module.len().saturating_sub(ups);
            paths.push(module[..base].iter().chain(&path[ups..]).cloned().collect());
        }
        paths.extend(
            paths_in(code, "self").into_iter().map(|path| module.iter().cloned().chain(path).collect()),
        );
        let found = paths.iter().filter_map(|path| {
            (1..=path.len())
                .rev()
                .find_map(|len| files.get(&path[..len]).map(|file| (len == path.len(), *file)))
        });
        // The name of a directory alone, as an import to call its children by, is no use of what its mod.rs holds.
        let used = found.filter(|(whole, file)| !(*whole && file.ends_with("mod.rs"))).map(|(_, file)| file);
        uses.insert(name, used.filter(|file| file != name).collect());
    }
    let circles: BTreeSet<String> =
        uses.keys().filter_map(|start| path_back(&uses, start)).map(|circle| circle.join(" -> ")).collect();
    assert!(circles.is_empty(), "{circles:#?}");
}

/// The shortest way from a file back to itself.
fn path_back<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut seen = BTreeSet::new();
    let mut ways = VecDeque::from([vec![start]]);
    while let Some(way) = ways.pop_front() {
        for next in uses.get(way.last()?)? {
            let mut longer = way.clone();
            longer.push(next);
            if *next == start {
                return Some(longer);
            }
            if seen.insert(*next) {
                ways.push_back(longer);
            }
        }
    }
    None
}

fn module_of(name: &str) -> Vec<String> {
    let stem = name.strip_suffix("/mod.rs").or(name.strip_suffix(".rs")).unwrap_or(name);
    if stem == "lib" { Vec::new() } else { stem.split('/').map(str::to_owned).collect() }
}

/// Every path of code that begins with `root::`, the names in braces each for itself.
fn paths_in(code: &str, root: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let start = format!("{root}::");
    for (at, _) in code.match_indices(&start) {
        let before = &code[..at];
        let comment = before.rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with("//"));
        if comment || before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + if root == "super" { 0 } else { start.len() }..];
        let is_use = before.trim_end().ends_with("use");
        expand(rest, is_use, &mut Vec::new(), &mut paths);
    }
    paths
}

/// Reads a path, or a tree of them, from the beginning of `rest`; returns how much of it was read.
fn expand(rest: &str, is_use: bool, prefix: &mut Vec<String>, paths: &mut Vec<Vec<String>>) -> usize {
    let depth = prefix.len();
    let mut at = 0;
    loop {
        let name = rest[at..].find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len() - at);
        if name > 0 {
            prefix.push(rest[at..at + name].to_owned());
            at += name;
        }
        if is_use && rest[at..].starts_with('{') {
            at += 1;
            while !rest[at..].starts_with('}') {
                at += expand(&rest[at..], true, prefix, paths);
                at += rest[at..].find(|c: char| !(c.is_whitespace() || c == ',')).unwrap_or(0);
            }
            prefix.truncate(depth);
            return at + 1;
        }
        if !rest[at..].starts_with("::") {
            break;
        }
        at += 2;
    }
    if prefix.last().is_some_and(|last| last == "self") {
        prefix.pop();
    }
    paths.push(prefix.clone());
    prefix.truncate(depth);
    at + rest[at..].find([',', '}', ';', '\n']).filter(|_| rest[at..].starts_with(" as ")).unwrap_or(0)
}

#[test]
fn files_stay_short() {
    let long = |(name, code): &(String, String)| {
        let lines = code.lines().count();
        (lines > 400).then(|| format!("{name} has {lines} lines"))
    };
    let long: Vec<_> = sources().iter().filter_map(long).collect();
    assert!(long.is_empty(), "{long:#?}");
}

/// The search of secrets stays small: lines that are neither blank nor comments, of all its files but the tests and the
/// tables of rules (`table/`, which holds data alone).
#[test]
fn engine_of_secrets_stays_small() {
    let of_engine = |name: &str| {
        name.strip_prefix("otel/scrub/")
            .is_some_and(|file| !file.starts_with("table/") && !file.starts_with("tests"))
    };
    let code = |text: &str| {
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
    };
    let lines: usize = sources().iter().filter(|(name, _)| of_engine(name)).map(|(_, text)| code(text)).sum();
    assert!((1_000..ENGINE_LINES).contains(&lines), "{lines} lines");
}

const ENGINE_LINES: usize = 1_600;

/// Where a library is used: a file, or a directory with all below it.
const LIBRARIES: &[(&str, &[&str])] = &[
    // The state is YAML for people to read; the commands below change or ask for what is in config.yaml.
    ("serde_yml", &["settings/", "turn/state.rs", "cli/config.rs", "cli/install/", "cli/uninstall.rs"]),
    ("toml_edit", &["codex/hooks_config/", "cli/setup/codex_cli.rs"]),
    ("ureq", &["delivery/transport/http.rs"]),
    ("flate2", &["cli/html/mod.rs", "delivery/transport/http.rs"]),
    ("tonic", &["delivery/transport/grpc.rs"]),
    ("tokio", &["delivery/transport/grpc.rs", "cli/open/server.rs"]),
    ("hyper", &["cli/open/server.rs"]),
    (
        "hyper_util",
        &[
            "cli/open/server.rs",
            "delivery/transport/connection.rs",
            "delivery/transport/grpc.rs",
            "delivery/transport/http.rs",
        ],
    ),
    ("rustls", &["cli/open/mod.rs", "delivery/transport/connection.rs", "delivery/transport/grpc.rs"]),
    ("rustls_native_certs", &["delivery/transport/connection.rs"]),
    ("ruzstd", &["codex/rollout/reader.rs"]),
    ("argh", &["cli/"]),
    ("libc", &["platform/"]),
    ("rustix", &["platform/"]),
    ("windows_sys", &["platform/"]),
];

#[test]
fn libraries_stay_in_their_files() {
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
    ("cli/install/choices.rs", "File::open(", "the file a person names for a key may be a pipe"),
    ("cli/setup/links.rs", "fs::copy(", "this executable"),
    ("cli/selection/mod.rs", "fs::read(", "a turn of the archive whose head was read, as a file, before"),
];

#[test]
fn bare_opens_are_listed() {
    let mut wrong = BTreeSet::new();
    let mut unused: BTreeSet<_> = BARE_ALLOWED.iter().collect();
    for (name, code) in sources() {
        // `file` makes the safer ones of what `platform` has.
        if name.starts_with("file/") || name.starts_with("platform/") {
            continue;
        }
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

/// Words by which code asks for one system.
const SYSTEMS: [&str; 7] =
    ["os::unix", "os::windows", "cfg(unix", "cfg(windows", "cfg!(windows", "target_os", "cfg(not(windows"];

#[test]
fn systems_differ_in_platform_alone() {
    let mut wrong = BTreeSet::new();
    for (name, code) in sources() {
        // How the shell that Codex calls reads a command is about Codex.
        if name.starts_with("platform/") || name == "codex/hooks_config/command.rs" {
            continue;
        }
        for word in SYSTEMS.into_iter().filter(|word| code.contains(word)) {
            wrong.insert(format!("{name} says {word}; `platform` is where systems differ"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every source by its path below src, without its tests.
fn sources() -> Vec<(String, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&source).unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        (name, text.split("\nmod tests {").next().unwrap().to_owned())
    };
    // Where the checkout lies may be called tests as well.
    let all: Vec<_> =
        files(&source).into_iter().map(read).filter(|(name, _)| !name.contains("tests")).collect();
    assert!(all.len() > 80, "{}", all.len());
    all
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().flatten().map(|e| e.path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|p| p.extension().is_some_and(|e| e == "rs"))
        .collect()
}
