//! The figures: recall over the corpus, precision and speed over what sources and logs the machine has.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::otel::scrub::Finding;
use crate::otel::scrub::tests::carriers::CARRIERS;
use crate::otel::scrub::tests::forms::{FORMS, generate};
use crate::otel::scrub::tests::{Random, scrubber};

#[test]
fn at_least_99_of_100_secrets_of_every_form_in_every_carrier_are_found() {
    let scrubber = scrubber();
    let mut r = Random(7);
    let mut kinds: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let mut places: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let mut missed = Vec::new();
    for _ in 0..ROUNDS {
        for (kind, template, names) in FORMS {
            for (place, carry) in CARRIERS {
                let name = if names.is_empty() { None } else { Some(r.pick(names)) };
                let secret = generate(template, name, &mut r);
                let Some(text) = carry(&secret, &mut r) else { continue };
                let out = scrubber.scrub(&text);
                let found = !survives(&secret.core, &out);
                for (total, hits) in [kinds.entry(kind).or_default(), places.entry(place).or_default()] {
                    *total += 1;
                    *hits += u32::from(found);
                }
                if !found {
                    missed.push(format!("{kind} in {place}: {text:?}\n    → {out:?}"));
                }
                assert_eq!(scrubber.scrub(&out), out, "scrubbed twice: {text:?}");
            }
        }
    }
    let (mut total, mut hits) = (0, 0);
    for (kind, (n, found)) in &kinds {
        println!(
            "recall {kind:<16} {found:>6} of {n:>6}  {:>6.2} %",
            f64::from(*found) * 100.0 / f64::from(*n)
        );
        total += n;
        hits += found;
    }
    for (place, (n, found)) in &places {
        println!("recall in {place:<22} {:>6.2} % of {n}", f64::from(*found) * 100.0 / f64::from(*n));
    }
    for line in missed.iter().take(40) {
        println!("missed {line}");
    }
    println!("recall overall: {hits} of {total}, {:.3} %", f64::from(hits) * 100.0 / f64::from(total));
    assert!(f64::from(hits) >= 0.99 * f64::from(total));
    let weak: Vec<_> =
        kinds.iter().filter(|(_, (n, found))| f64::from(*found) < 0.99 * f64::from(*n)).collect();
    assert!(weak.is_empty(), "below 99 %: {weak:?}");
}

const ROUNDS: usize = 12;

/// Returns the time this thread has spent on a processor, whatever else the machine does; elsewhere than on Linux, the
/// time of day.
pub(super) fn cpu_seconds() -> f64 {
    let spent = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    match spent.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()) {
        Some(ns) => ns / 1e9,
        None => std::time::UNIX_EPOCH.elapsed().map_or(0.0, |t| t.as_secs_f64()),
    }
}

/// Tells whether eight bytes in a row of a secret are still there, however the text is escaped or broken.
pub(super) fn survives(core: &str, out: &str) -> bool {
    let plain = |text: &str| {
        let text = text.replace("\\u002B", "+").replace("\\u0026", "&").replace("\r", "").replace('\n', "");
        let text =
            text.replace("\\\\\\\\n", "").replace("\\\\\\n", "").replace("\\\\n", "").replace("\\n", "");
        text.replace("\\\\\\\\r", "").replace("\\\\r", "").replace("\\r", "").replace('\\', "")
    };
    let marks = regex::Regex::new("<secret:[a-z0-9-]+>").expect("a pattern");
    let (core, out) = (plain(core), plain(&marks.replace_all(out, " ")));
    let size = core.len().min(8);
    core.as_bytes().windows(size).any(|w| memchr::memmem::find(out.as_bytes(), w).is_some())
}

#[test]
fn ordinary_sources_and_logs_have_at_most_one_false_hit_a_mebibyte() {
    let scrubber = scrubber();
    let (mut bytes, mut hits, mut seconds) = (0, 0, 0.0);
    for (path, text) in ordinary(48 << 20) {
        let start = cpu_seconds();
        let findings = scrubber.findings(&text);
        seconds += cpu_seconds() - start;
        bytes += text.len();
        for Finding { range, kind, .. } in findings {
            hits += 1;
            println!("hit {kind} {}: {:?}", path.display(), text[range].chars().take(60).collect::<String>());
        }
    }
    if bytes < 1 << 20 {
        println!("precision: only {bytes} bytes of sources on this machine, not measured");
        return;
    }
    let mib = bytes as f64 / f64::from(1 << 20);
    println!(
        "precision: {hits} hits in {mib:.1} MiB, {:.2} a MiB, all of them counted as false",
        f64::from(hits) / mib
    );
    println!("speed: {:.1} ms of CPU a MiB", seconds * 1e3 / mib);
    assert!(f64::from(hits) <= mib.max(1.0));
}

/// Reads up to `most` bytes of text: this crate, the sources of its dependencies, logs and documents of the system.
/// The test material of other scanners, which is there to be found, is left out.
pub(super) fn ordinary(most: usize) -> Vec<(PathBuf, String)> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|h| Path::new(&h).join(".cargo")));
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut roots = vec![(here.to_owned(), most), (PathBuf::from("/var/log"), 4 << 20)];
    roots.extend(home.map(|h| (h.join("registry/src"), most)));
    roots.push((PathBuf::from("/usr/share/doc"), 8 << 20));
    let mut found = Vec::new();
    let mut total = 0;
    for (root, share) in roots {
        let until = most.min(total + share);
        let mut open = vec![root];
        while let Some(path) = open.pop().filter(|_| total < until) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // What is there to be found is not ordinary.
            let made = ["fixtures/secrets", "otel/scrub"].iter().any(|n| path.ends_with(n));
            if made
                || path.is_symlink()
                || ["target", ".git", "ripsecrets"].iter().any(|n| name.starts_with(n))
            {
                continue;
            }
            if let Ok(list) = fs::read_dir(&path) {
                let mut list: Vec<_> = list.flatten().map(|e| e.path()).collect();
                list.sort();
                open.extend(list);
            } else if path.metadata().is_ok_and(|m| m.len() < 4 << 20)
                && let Ok(text) = fs::read_to_string(&path)
            {
                total += text.len();
                found.push((path, text));
            }
        }
    }
    found
}
