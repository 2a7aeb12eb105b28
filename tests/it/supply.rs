//! What is built in: licences, crates that must not be there, one TLS stack, one source. The lists are those of
//! .ci/deny.toml, checked here without any tool or network.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// The packages that are built for this machine, of all but the tests.
fn packages() -> Vec<Value> {
    let host = Command::new("rustc").arg("-vV").output().unwrap();
    let host = String::from_utf8(host.stdout).unwrap();
    let host = host.lines().find_map(|l| l.strip_prefix("host: ")).unwrap();
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn rules() -> toml_edit::DocumentMut {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/deny.toml");
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

#[test]
fn every_crate_has_an_allowed_licence() {
    let rules = rules();
    let texts = |item: &toml_edit::Item| -> BTreeSet<String> {
        item.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    };
    let allowed = texts(&rules["licenses"]["allow"]);
    let banned: BTreeSet<String> = rules["bans"]["deny"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_inline_table().unwrap()["name"].as_str().unwrap().to_owned())
        .collect();
    let packages = packages();
    assert!(packages.len() > 50);
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        assert!(!banned.contains(name), "{name} is banned");
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(is_allowed(licence, &allowed), "{name}: {licence:?}");
        let source = package["source"].as_str().unwrap_or("registry+");
        assert!(source.starts_with("registry+"), "{name} comes from {source}");
        let wild = package["dependencies"].as_array().unwrap().iter().any(|d| d["req"] == "*");
        assert!(package["source"].is_string() || !wild, "a dependency of ours without a version");
    }
}

/// Whether an SPDX expression can be met: one of its alternatives, each of whose parts is allowed.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.replace(['(', ')'], "").replace('/', " OR ");
    expression.split(" AND ").all(|part| part.split(" OR ").any(|one| allowed.contains(one.trim())))
}

#[test]
fn one_tls_stack_is_linked() {
    let names: Vec<String> = packages().iter().map(|p| p["name"].as_str().unwrap().to_owned()).collect();
    for name in ["rustls", "ring", "rustls-webpki"] {
        assert_eq!(names.iter().filter(|n| *n == name).count(), 1, "{name}");
    }
}
