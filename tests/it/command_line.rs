//! The conventions of the command line, as a user meets them: spellings, help, completions, the man page, selectors.

use std::fs;
use std::process::{Command, Output};

use arize_codex::delivery::outbox;
use serde_json::Value;

use crate::export_outcomes::{Home, entry, span};

fn run(home: &Home, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arize-codex"));
    command.args(args).env_clear().env("HOME", home.context.var("HOME").unwrap()).env("COLUMNS", "100");
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A home with three turns of two sessions, the newest failed.
fn home() -> Home {
    let home = Home::new("target: local");
    for (turn, model, branch, status) in [
        ("turn-1", "gpt-6.2-sol", "main", "completed"),
        ("turn-2", "gpt-5.5", "main", "completed"),
        ("turn-3", "gpt-6.2-sol", "parser", "failed"),
    ] {
        let mut entry = entry(turn, vec![span(1, 3)]);
        entry.head.summary.model = Some(model.into());
        entry.head.summary.branch = Some(branch.into());
        entry.head.summary.status = status.into();
        entry.head.summary.prompt = format!("the prompt of {turn}");
        outbox::put(home.paths(), &entry).unwrap();
    }
    home
}

#[test]
fn values_may_be_attached_and_mistakes_name_the_nearest() {
    let home = home();
    let (code, attached, _) = run(&home, &["list", "--limit=1"]);
    assert_eq!((code, &attached), (0, &run(&home, &["list", "--limit", "1"]).1));
    assert!(attached.contains("turn-3") && !attached.contains("turn-2"), "{attached}");
    for (args, said) in [
        (&["lsit"][..], "did you mean list?"),
        (&["list", "--limti=1"], "did you mean --limit?"),
        (&["list", "--sicne", "1h"], "did you mean --since?"),
        (&["list", "--since", "someday"], "invalid time someday; use 30m"),
        (&["show", "--limit=1"], "show has no option --limit"),
        (&["stats", "--by", "colour"], "--by is day, week, month, model"),
        (&["list", "surplus"], "surplus"),
    ] {
        let (code, out, err) = run(&home, args);
        assert!(code == 2 && out.is_empty() && err.contains(said), "{args:?}: {code} {err}");
    }
}

#[test]
fn every_command_has_help_that_names_its_options() {
    let home = home();
    let (code, help, _) = run(&home, &["--help"]);
    assert_eq!(code, 0);
    for command in ["install", "doctor", "list", "show", "stats", "preview", "backfill", "completions"] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
        let (code, text, _) = run(&home, &[command, "--help"]);
        assert!(code == 0 && text.starts_with(&format!("Usage: arize-codex {command}")), "{text}");
        assert_eq!(text, run(&home, &["help", command]).1);
    }
    let list = run(&home, &["list", "-h"]).1;
    for option in ["--limit N", "--since TIME", "--failed", "--json", "--color WHEN"] {
        assert!(list.contains(option), "{option}\n{list}");
    }
    assert!(list.lines().all(|line| line.chars().count() <= 100), "{list}");
}

#[test]
fn selectors_mean_the_same_in_every_command() {
    let home = home();
    let numbers = |args: &[&str]| -> Vec<u64> {
        let (code, out, err) = run(&home, &[&["list", "--json"], args].concat());
        assert_eq!(code, 0, "{err}");
        let list: Vec<Value> = serde_json::from_str(&out).unwrap();
        list.iter().map(|turn| turn["number"].as_u64().unwrap()).collect()
    };
    for (args, expected) in [
        (&[][..], &[1, 2, 3][..]),
        (&["--failed"], &[1]),
        (&["--model", "sol"], &[1, 3]),
        (&["--branch=main"], &[2, 3]),
        (&["--branch=main", "--model=5.5"], &[2]),
        (&["--session", "thr"], &[1, 2, 3]),
        (&["--session", "nobody"], &[]),
        (&["--project", "a project"], &[1, 2, 3]),
        (&["--since", "2026-11-22", "--until", "2100-01-01"], &[1, 2, 3]),
        (&["--since", "2100-01-01"], &[]),
    ] {
        assert_eq!(numbers(args), expected, "{args:?}");
    }
    let turn_of = |args: &[&str]| {
        let (code, out, err) = run(&home, &[&["preview", "--json"], args].concat());
        (code, out, err)
    };
    assert_eq!(turn_of(&["3"]).0, 0);
    assert!(turn_of(&["4"]).2.contains("there is no turn number 4"));
    assert!(turn_of(&["--branch", "nowhere"]).2.contains("no recorded turn matches these options"));
    let stats: Value = serde_json::from_str(&run(&home, &["stats", "--json", "--branch", "main"]).1).unwrap();
    assert_eq!(stats[0]["turns"], 2);
    assert!(run(&home, &["resend", "--failed", "--since", "5200w"]).1.starts_with("0 turns queued"));
}

#[test]
fn tables_come_as_csv_and_markdown_with_rfc_3339_times() {
    let home = home();
    let csv = run(&home, &["list", "--csv"]).1;
    assert!(csv.starts_with("number,started_at,duration_ms,status,delivery,project,"), "{csv}");
    assert_eq!(csv.lines().count(), 4);
    let markdown = run(&home, &["stats", "--by", "model", "--markdown"]).1;
    assert!(markdown.starts_with("| model | turns |") && markdown.contains("\n|---|---:|"), "{markdown}");
    let list: Value = serde_json::from_str(&run(&home, &["list", "--json"]).1).unwrap();
    let started = list[0]["started_at"].as_str().unwrap();
    assert!(started.ends_with('Z') && started.contains('T'), "{started}");
}

#[test]
fn colours_are_forced_and_forbidden() {
    let home = home();
    for (args, coloured) in [
        (&["list", "--color", "always"][..], true),
        (&["--color=always", "list"], true),
        (&["list", "--color=never"], false),
        (&["list"], false),
    ] {
        assert_eq!(run(&home, args).1.contains('\u{1b}'), coloured, "{args:?}");
    }
}

#[test]
fn completions_are_scripts_that_shells_read() {
    let home = home();
    let scratch = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = run(&home, &["completions", shell]);
        assert_eq!(code, 0);
        for word in ["backfill", "since", "phoenix"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(run(&home, &["completions", "csh"]).0, 2);
    let path = scratch.path().join("completions");
    fs::write(&path, run(&home, &["completions", "bash"]).1).unwrap();
    let complete = |words: &str| {
        let last = words.split(' ').count() - 1;
        let script = format!(
            "source '{}'; COMP_WORDS=({words}{}); COMP_CWORD={}; _arize_codex; printf '%s ' \"${{COMPREPLY[@]}}\"",
            path.display(),
            if words.ends_with(' ') { "''" } else { "" },
            last
        );
        let output = Command::new("bash").args(["--norc", "-c", &script]).output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(complete("arize-codex ba"), "backfill ");
    assert_eq!(complete("arize-codex list --si"), "--since ");
    assert_eq!(complete("arize-codex install --target "), "phoenix arize otlp local ");
    assert_eq!(complete("arize-codex config ge"), "get ");
}

#[test]
fn the_man_page_names_every_command() {
    let home = home();
    let page = run(&home, &["man"]).1;
    assert!(page.starts_with(".TH ARIZE-CODEX 1"), "{page}");
    for word in ["arize\\-codex list", "config get", "\\-\\-since TIME", "EXIT STATUS"] {
        assert!(page.contains(word), "{word}\n{page}");
    }
}

#[test]
fn a_page_goes_to_a_file_to_stdout_or_to_the_browser() {
    let home = home();
    let (code, page, _) = run(&home, &["show", "--html", "-"]);
    assert!(code == 0 && page.contains("Content-Security-Policy"), "{page:.200}");
    let opened = home.paths().state().join("opened");
    let browser = home.paths().state().join("browser");
    fs::write(&browser, format!("#!/bin/sh\necho \"$1\" > '{}'\n", opened.display())).unwrap();
    let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    fs::set_permissions(&browser, mode).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_arize-codex"))
        .args(["show", "--html"])
        .env("HOME", home.context.var("HOME").unwrap())
        .env("BROWSER", &browser)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let path = String::from_utf8(output.stdout).unwrap();
    assert_eq!(fs::read_to_string(&opened).unwrap(), path);
    assert!(fs::read_to_string(path.trim()).unwrap().contains("the prompt of turn-3"));
}

#[test]
fn backfill_reads_a_rollout_from_standard_input() {
    let home = Home::new("target: local");
    let fixture =
        crate::replay::recordings().into_iter().find(|f| f.ends_with("codex-0.169.0/tools")).unwrap();
    let rollout = fs::read_dir(fixture).unwrap().map(|e| e.unwrap().path());
    let rollout = rollout
        .into_iter()
        .find(|p| p.extension().is_some_and(|e| e == "jsonl") && p.to_str().unwrap().contains("rollout-"))
        .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_arize-codex"))
        .args(["backfill", "--dry-run", "-"])
        .env("HOME", home.context.var("HOME").unwrap())
        .stdin(fs::File::open(rollout).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.starts_with("1 turn to send"), "{said}");
    let left = fs::read_dir(home.paths().state())
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_str().unwrap().contains("stdin"));
    assert_eq!(left.count(), 0);
}
