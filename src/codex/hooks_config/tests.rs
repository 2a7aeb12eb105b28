//! The guarantees of install and removal, over the files in tests/configs and over generated ones.

use std::path::Path;

use crate::codex::events::EVENTS;
use crate::codex::hooks_config::edit::*;
use crate::codex::hooks_config::survey::Survey;
use crate::codex::hooks_config::trust;
use crate::codex::hooks_config::trust::{HookState, ListedHook};
use crate::codex::hooks_config::*;

const CODEX_CONFIG: &str = "/home/dev/.codex/config.toml";

fn ours() -> Executables {
    Executables::in_folder("/home/dev/.arize/harness/bin")
}

fn paths() -> Vec<String> {
    vec![CODEX_CONFIG.to_owned()]
}

/// The files of tests/configs whose name passes `wanted`, a huge one added.
fn configs(wanted: fn(&str) -> bool) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs");
    let mut found: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    let mut huge = String::from("model = \"gpt-5.5\"\n");
    for n in 0..1000 {
        huge.push_str(&format!("\n[projects.\"/home/dev/{n}\"] # {n}\ntrust_level = \"trusted\"\n"));
    }
    found.push(("huge".to_owned(), huge));
    found.retain(|(name, _)| wanted(name));
    found
}

fn ordinary(name: &str) -> bool {
    !name.starts_with("old-") && !name.starts_with("invalid-")
}

/// Returns what Codex appends when the user trusts every hook.
fn trusted_by_codex(text: &str) -> String {
    let mut trusted = text.to_owned();
    let hooks = trust::list(&Survey::of(text).unwrap());
    for hook in hooks.iter().filter(|h| h.ours) {
        let key = format!("{CODEX_CONFIG}:{}", hook.place());
        trusted.push_str(&format!("\n[hooks.state.\"{key}\"]\ntrusted_hash = \"{}\"\n", hook.hash()));
    }
    trusted
}

fn states(text: &str) -> Vec<HookState> {
    let survey = Survey::of(text).unwrap();
    trust::our_hooks(&survey, &ours(), &paths()).into_iter().map(|hook| hook.state).collect()
}

fn removed(text: &str, restore: Option<&ForeignNotify>) -> String {
    uninstall(text, &paths(), restore.map(|r| r.source.as_str())).unwrap().text
}

#[test]
fn install_is_idempotent_and_reversible() {
    let all = configs(ordinary);
    assert!(all.len() > 25);
    for (name, original) in all {
        let first = install(&original, &ours()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(
            states(&first.text),
            vec![HookState::NeverReviewed; EVENTS.len()],
            "{name}:\n{}",
            first.text
        );
        let again = install(&first.text, &ours()).unwrap();
        assert_eq!(again.text, first.text, "{name} is not idempotent");
        assert!(again.changes.is_empty(), "{name}: {:?}", again.changes);
        assert_eq!(removed(&first.text, first.replaced_notify.as_ref()), original, "{name}");
    }
}

#[test]
fn upgrade_rewrites_entries_of_another_directory() {
    let before = Executables::in_folder("/home/dev/my venv/it's/bin");
    for (name, original) in configs(ordinary) {
        let old = install(&original, &before).unwrap();
        let new = install(&old.text, &ours()).unwrap();
        assert_eq!(new.text, install(&original, &ours()).unwrap().text, "{name}");
        assert_eq!(new.replaced_notify, None, "{name}: our own notify is not chained");
        assert_eq!(removed(&new.text, old.replaced_notify.as_ref()), original, "{name}");
    }
}

#[test]
fn uninstall_removes_only_own_trust() {
    for (name, original) in configs(ordinary) {
        let installed = install(&original, &ours()).unwrap();
        if matches!(Survey::of(&original).unwrap().hooks, survey::HooksForm::Inline { .. }) {
            continue; // Codex rewrites this form on its own.
        }
        let mut trusted = trusted_by_codex(&installed.text);
        if !installed.text.ends_with('\n') {
            trusted = trusted_by_codex(&format!("{}\n", installed.text));
        }
        assert_eq!(states(&trusted), vec![HookState::Trusted; EVENTS.len()], "{name}");
        assert_eq!(install(&trusted, &ours()).unwrap().text, trusted, "{name}");
        let left = removed(&trusted, installed.replaced_notify.as_ref());
        assert_eq!(left.trim_end(), original.trim_end(), "{name}");
    }
}

#[test]
fn earlier_editions_are_migrated() {
    for (name, original) in configs(|n| n.starts_with("old-")) {
        let installed = install(&original, &ours()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let well = states(&installed.text)
            .iter()
            .all(|s| matches!(s, HookState::NeverReviewed | HookState::Changed(_)));
        assert!(well, "{name}: {:?}\n{}", states(&installed.text), installed.text);
        assert_eq!(install(&installed.text, &ours()).unwrap().text, installed.text, "{name}");
        assert!(!installed.text.contains("venv"), "{name}:\n{}", installed.text);
        let left = removed(&installed.text, None);
        assert!(!left.contains("arize-hook"), "{name}:\n{left}");
        let others = |text: &str| {
            let hooks = trust::list(&Survey::of(text).unwrap());
            hooks.into_iter().filter(|h| !h.ours).map(|h| h.command).collect::<Vec<_>>()
        };
        assert_eq!(others(&left), others(&original), "{name}");
    }
}

#[test]
fn invalid_config_is_refused_with_its_line() {
    let lines: Vec<(String, String)> = configs(|n| n.starts_with("invalid-"))
        .into_iter()
        .map(|(name, text)| (name, install(&text, &ours()).unwrap_err().to_string()))
        .collect();
    let line_of = |name: &str| lines.iter().find(|(n, _)| n == name).map(|(_, e)| e.as_str()).unwrap();
    assert!(line_of("invalid-syntax").starts_with("line 2: "));
    assert!(line_of("invalid-duplicate-table").starts_with("line 4: "));
    assert_eq!(line_of("invalid-hooks-type"), "line 3: hooks.Stop is not an array of tables");
    assert_eq!(line_of("invalid-notify-type"), "line 1: notify is not an array of strings");
}

// Written in the names of a POSIX system.
#[cfg(unix)]
#[test]
fn foreign_notify_is_restored() {
    let installed = install("notify = [ 'a b', \"-x\" ] # keep\n", &ours()).unwrap();
    let foreign = installed.replaced_notify.unwrap();
    assert_eq!(
        (foreign.argv, foreign.source.as_str()),
        (vec!["a b".into(), "-x".into()], "[ 'a b', \"-x\" ]")
    );
    assert!(
        installed
            .text
            .starts_with("notify = [\"/home/dev/.arize/harness/bin/arize-hook-codex-notify\"] # keep")
    );

    let silenced = "notify = [\"/o/notify\", \"/v/bin/arize-hook-codex-notify\"]\n";
    assert_eq!(install(silenced, &ours()).unwrap().replaced_notify.unwrap().argv, ["/o/notify"]);

    let taken_along = "notify = [\"/o/notify\", \"--previous\", '[\"/v/bin/arize-hook-codex-notify\"]']\n";
    let left = install(taken_along, &ours()).unwrap();
    assert!(left.text.starts_with(taken_along) && left.changes.contains(&Change::NotifyLeft));
}

#[test]
fn trusted_later_hook_keeps_its_position() {
    for (theirs, kept) in [
        ("\n[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = \"command\"\ncommand = \"later\"\n", true),
        ("\n[[hooks.Stop]]\nhooks = [{ type = \"command\", command = \"later\" }]\n", false),
    ] {
        let mut text = install("model = \"x\"\n", &ours()).unwrap().text;
        text.push_str(theirs);
        if kept {
            text.push_str(&format!(
                "\n[hooks.state.\"{CODEX_CONFIG}:stop:1:0\"]\ntrusted_hash = \"sha256:t\"\n"
            ));
        }
        let out = uninstall(&trusted_by_codex(&text), &paths(), None).unwrap();
        assert_eq!(out.changes.contains(&Change::PlaceKept("Stop".into())), kept);
        let hooks = trust::list(&Survey::of(&out.text).unwrap());
        assert_eq!(
            hooks.iter().map(ListedHook::place).collect::<Vec<_>>(),
            [if kept { "stop:1:0" } else { "stop:0:0" }]
        );
        assert!(out.text.starts_with("model = \"x\"\n\n"), "{}", out.text);
        assert!(!out.text.contains("arize-hook"), "{}", out.text);
        // Installed again and removed again, nothing piles up.
        let again = install(&out.text, &ours()).unwrap();
        assert_eq!(removed(&again.text, None), out.text);
        // When the other hook has gone too, the empty group follows.
        let alone = out.text.replace(theirs, "");
        assert!(!removed(&alone, None).contains("[[hooks.Stop]]"), "{alone}");
    }
}

#[test]
fn touched_entry_is_rewritten_as_trusted() {
    let trusted = trusted_by_codex(&install("", &ours()).unwrap().text);
    let touched = trusted.replacen("timeout = 30", "timeout = 31", 1);
    assert_eq!(install(&touched, &ours()).unwrap().text, trusted);
    let reviewed =
        trusted_by_codex(&install("", &ours()).unwrap().text.replacen("timeout = 30", "timeout = 31", 1));
    assert_eq!(install(&reviewed, &ours()).unwrap().text, reviewed);
}

#[test]
fn removed_array_element_leaves_empty_group() {
    let original = "[hooks]\nStop = [{ hooks = [{ type = \"command\", command = \"a\" }] }]\n";
    let mut text = install(original, &ours()).unwrap().text;
    text = text.replace("] }]\n\n#", "] }, { hooks = [{ type = \"command\", command = \"b\" }] }]\n\n#");
    text.push_str(&format!("\n[hooks.state.\"{CODEX_CONFIG}:stop:2:0\"]\ntrusted_hash = \"x\"\n"));
    let left = removed(&text, None);
    assert!(left.contains("{ matcher = \"kept empty by arize-codex\", hooks = [] }, { hooks = [{ type = \"command\", command = \"b\" }] }]"), "{left}");
}

#[test]
fn rewritten_inline_table_is_recognised() {
    let text = install("hooks = { Stop = [] }\nmodel = \"x\"\n", &ours()).unwrap().text;
    let (inline, rest) = text.split_once('\n').unwrap();
    let body = inline.trim_start_matches("hooks = {").trim_end_matches('}').trim();
    let lines = body.replace("] }] }], ", "] }] }]\n").replace(" }], ", " }]\n");
    let text = format!("{rest}\n[hooks ]\n{lines}\n");
    assert_eq!(states(&text), vec![HookState::NeverReviewed; EVENTS.len()], "{text}");
    let left = removed(&text, None);
    assert_eq!(left, "model = \"x\"\n\n[hooks ]\nStop = []\n");
}

/// Files put together from pieces: whatever the combination, what goes in comes out.
#[test]
fn uninstall_undoes_install_on_random_files() {
    const TOP: &[&str] = &[
        "model = \"x\"\n",
        "# comment\n",
        "\n",
        "notify = [\"bell\", 'x']\n",
        "a.b = 1 # c\n",
        "   \n",
        "s = \"\"\"\n[x]\n\"\"\"\n",
        "tags = [\n 1,\n]\n",
        "hooks = { }\n",
        "hooks = { Stop = [{ hooks = [{ type = \"command\", command = \"q\" },] }], X = [] }\n",
        "hooks.Stop = [{}]\n",
        "hooks.state = { \"k:stop:0:0\" = { enabled = true } }\n",
    ];
    const TABLES: &[&str] = &[
        "[tui]\n",
        "theme = \"x\"\n",
        "# comment\n",
        "\n",
        "\n\n",
        "[hooks]\n",
        "[hooks.state]\n",
        "Stop = [{ hooks = [] }, ]\n",
        "Interrupt = [ # c\n  { hooks = [{ type = \"command\", command = \"z\" }] }, # d\n]\n",
        "[[hooks.Stop]]\nmatcher = \"m\" # c\n",
        "[[hooks.PreToolUse]]\nhooks = [{ type = \"command\", command = \"p\" }]\n",
        "[[hooks.Stop.hooks]]\ntype = \"command\"\ncommand = \"s\"\n",
        "[hooks.state.\"k:stop:1:0\"]\nenabled = true\n",
        "[[other.Stop]]\nhooks = 1\n",
        "  [projects.\"/p\"]\n  trust_level = \"trusted\"\n",
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 33) as usize % n
    };
    let mut tried = 0;
    while tried < 1000 {
        let mut text = String::from(if next(8) == 0 { "\u{feff}" } else { "" });
        (0..next(5)).for_each(|_| text.push_str(TOP[next(TOP.len())]));
        (0..next(9)).for_each(|_| text.push_str(TABLES[next(TABLES.len())]));
        if next(4) == 0 {
            text = text.replace('\n', "\r\n");
        }
        if next(3) == 0 {
            text.truncate(text.trim_end_matches(['\n', '\r']).len());
        }
        let Ok(installed) = install(&text, &ours()) else { continue };
        tried += 1;
        assert_eq!(install(&installed.text, &ours()).unwrap().text, installed.text, "of {text:?}");
        let left = removed(&installed.text, installed.replaced_notify.as_ref());
        assert_eq!(left, text, "after {:?}", installed.text);
    }
}
