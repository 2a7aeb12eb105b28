//! Backends that fail, with the real executable and its detached flushers: whatever happens, hooks return at once
//! and every turn arrives, once.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arize_codex::delivery::budget::Budget;
use arize_codex::delivery::flush;
use arize_codex::settings::Settings;

use crate::collector::{Answer, Book, HttpCollector, Seen};
use crate::lab::{Delivered, Lab, Rollout, Session};

fn phoenix(url: &str) -> String {
    format!("target: phoenix, endpoint: '{url}', api_key: sesame")
}

/// Numbers that look random and are the same every time.
pub fn random(seed: u64) -> u64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The turns of a session that must have arrived, each with its one tool.
fn assert_arrived(book: &Book, session: &Session<'_>, turns: u64) -> usize {
    let mut delivered = Delivered::to(book);
    let again = (0..turns).map(|turn| delivered.take(session.trace(turn), 2)).sum();
    delivered.assert_nothing_else();
    again
}

/// Lets a session work against a backend that misbehaves, and then against one that works again.
fn survives(turns: u64, fault: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> (Lab, usize) {
    let collector = HttpCollector::start(fault);
    let lab = Lab::new(&phoenix(&collector.url()));
    let session = Session::start(&lab, 1);
    for turn in 0..turns {
        session.turn(turn, 1);
    }
    session.end();
    collector.book.answer(|_| Answer::Accept);
    lab.flush();
    let again = assert_arrived(&collector.book, &session, turns);
    lab.assert_at_rest();
    (lab, again)
}

/// The flusher of a turn that comes at the very end finds the lock taken and goes away.
#[test]
fn turn_of_last_moment_is_seen() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let lab = Lab::new(&phoenix(&collector.url()));
    let settings = Settings::load(lab.context()).unwrap();
    let session = Session::start(&lab, 1);
    let mut came = false;
    let budget = Budget::asked(Duration::from_secs(60));
    let report = flush::run_watched(lab.context(), &settings, budget, &mut |_| {
        if !came {
            came = true;
            session.turn(0, 1);
            while !lab.processes().is_empty() {
                std::thread::yield_now();
            }
        }
    });
    assert!(came);
    assert_eq!((report.delivered, report.left), (1, 0), "{}", lab.log());
    assert_arrived(&collector.book, &session, 1);
}

#[test]
fn turns_wait_for_backend() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let lab = Lab::new(&phoenix(&format!("http://{address}")));
    let session = Session::start(&lab, 1);
    for turn in 0..100 {
        session.turn(turn, 1);
    }
    let log = lab.log();
    assert!(log.lines().count() <= 1, "one line for one outage: {log}");
    let collector = HttpCollector::start_on(TcpListener::bind(address).unwrap(), None, |_| Answer::Accept);
    lab.flush();
    assert_eq!(assert_arrived(&collector.book, &session, 100), 0);
    lab.assert_at_rest();
}

#[test]
fn a_backend_that_hangs_makes_no_hook_wait() {
    let (lab, again) = survives(20, |_| Answer::Hang);
    assert_eq!(again, 0);
    assert!(lab.log().contains("no answer in time") || lab.log().is_empty(), "{}", lab.log());
}

#[test]
fn a_slow_backend_makes_no_hook_wait() {
    let (_, again) = survives(10, |_| {
        std::thread::sleep(Duration::from_millis(300));
        Answer::Accept
    });
    assert_eq!(again, 0);
}

#[test]
fn connections_that_break_cost_no_turn() {
    let count = AtomicU64::new(0);
    survives(20, move |_| match count.fetch_add(1, Ordering::SeqCst) % 3 {
        0 => Answer::Reset,
        1 => Answer::Broken,
        _ => Answer::Accept,
    });
}

#[test]
fn a_backend_that_asks_for_patience_gets_it() {
    let count = Arc::new(AtomicU64::new(0));
    let asked = count.clone();
    let (_, again) = survives(20, move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        n if n % 4 == 0 => Answer::Status(503, "retry-after: 1\r\n", ""),
        n if n % 4 == 2 => Answer::Status(429, "retry-after: 1\r\n", ""),
        _ => Answer::Accept,
    });
    assert_eq!(again, 0);
    assert!(count.load(Ordering::SeqCst) > 0);
}

#[test]
fn random_failures_lose_no_turn() {
    let count = AtomicU64::new(0);
    let (_, again) = survives(30, move |_| {
        let fails = random(count.fetch_add(1, Ordering::SeqCst)).is_multiple_of(2);
        if fails { Answer::Status(500, "", "oops") } else { Answer::Accept }
    });
    assert_eq!(again, 0);
}

#[test]
fn untrusted_backend_keeps_turns() {
    let plain = HttpCollector::start(|_| Answer::Accept);
    let lab = Lab::new(&phoenix(&plain.url().replace("http:", "https:")));
    let session = Session::start(&lab, 1);
    for turn in 0..10 {
        session.turn(turn, 1);
    }
    session.end();
    assert!(lab.log().lines().count() <= 2, "{}", lab.log());
    assert!(plain.book.seen().is_empty());
    lab.configure(&phoenix(&plain.url()));
    lab.flush();
    assert_eq!(assert_arrived(&plain.book, &session, 10), 0);
    lab.assert_at_rest();
}

#[test]
fn sync_interrupt_returns_in_time() {
    let collector = HttpCollector::start(|_| Answer::Hang);
    let lab = Lab::new(&format!("{}, export_mode: sync", phoenix(&collector.url())));
    let session = Session::start(&lab, 1);
    let calls = session.calls_of_turn(0, 1);
    calls[..2].iter().for_each(|(role, payload)| session.call(role, payload));
    let began = std::time::Instant::now();
    session.call("stop", &session.payload("Interrupt", Some(&crate::lab::turn_id(0)), ""));
    // Codex ends the hook after three seconds.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    collector.book.answer(|_| Answer::Accept);
    lab.flush();
    assert_eq!(assert_arrived(&collector.book, &session, 1), 0);
}

#[test]
fn continued_turn_is_exported_once() {
    let collector = HttpCollector::start(|_| Answer::Hang);
    let lab = Lab::new(&phoenix(&collector.url()));
    let session = Session::start(&lab, 1);
    // The flusher of the first turn waits for an answer, and so does all that comes after it.
    session.turn(0, 1);
    assert!(collector.book.wait_for(Duration::from_secs(20), |seen| !seen.is_empty()));
    let rollout = Rollout::of(&lab, &session);
    let turn = crate::lab::turn_id(1);
    let calls = session.calls_of_turn(1, 0);
    let call = |at: usize| lab.call(calls[at].0, &rollout.named_in(&calls[at].1));
    rollout.write("event_msg", &turn, r#""type":"task_started""#);
    call(0);
    rollout.write_response(&turn, "first", 1000);
    call(1);
    // Another tool's hook has told Codex to go on.
    rollout.write_response(&turn, "second", 1001);
    call(1);
    rollout.write("event_msg", &turn, r#""type":"task_complete","last_agent_message":"second""#);
    collector.book.answer(|_| Answer::Accept);
    lab.flush();
    let spans = collector.book.spans();
    let tokens = |name: &str| {
        let named = |s: &str| s == name || s.starts_with(&format!("{name}: "));
        let turn = spans.iter().find(|s| s.trace_id == session.trace(1) && named(&s.name));
        turn.and_then(|s| arize_codex::otel::attribute::number(s, "llm.token_count.prompt"))
    };
    assert_eq!((tokens("Turn 2"), tokens("Turn 2 (continued)")), (Some(1000), Some(1001)));
}

#[test]
fn calls_sharing_an_id_stay_apart() {
    let lab = Lab::new("target: local, span_tree: calls");
    let session = Session::start(&lab, 1);
    let rollout = Rollout::of(&lab, &session);
    let turn = crate::lab::turn_id(0);
    let calls = session.calls_of_turn(0, 0);
    rollout.write("event_msg", &turn, r#""type":"task_started""#);
    session.call(calls[0].0, &rollout.named_in(&calls[0].1));
    for word in ["one", "two"] {
        let call = format!(
            r#""type":"function_call","call_id":"call_1","name":"f","arguments":"{{\"say\":\"{word}\"}}""#
        );
        rollout.write("response_item", &turn, &call);
        let output = format!(r#""type":"function_call_output","call_id":"call_1","output":"said {word}""#);
        rollout.write("response_item", &turn, &output);
    }
    session.call(calls[1].0, &rollout.named_in(&calls[1].1));
    session.end();
    lab.flush();
    let shown = String::from_utf8(lab.run(&["show", "--json"]).stdout).unwrap();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let spans = shown["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let value = |span: &serde_json::Value, key: &str| {
        let attributes = span["attributes"].as_array().unwrap();
        let found = attributes.iter().find(|a| a["key"] == key);
        found.map(|a| a["value"]["stringValue"].as_str().unwrap().to_owned())
    };
    let tools: Vec<_> = spans.iter().filter(|s| s["name"] == "f").collect();
    let told: Vec<_> = tools.iter().map(|s| (value(s, "tool_call.id"), value(s, "output.value"))).collect();
    let said = |word: &str| (Some("call_1".to_owned()), Some(format!("said {word}")));
    assert_eq!(told, [said("one"), said("two")]);
    assert_ne!(tools[0]["spanId"], tools[1]["spanId"]);
}

#[test]
fn blocked_prompt_is_withheld() {
    let lab = Lab::new("target: local, span_tree: calls");
    let session = Session::start(&lab, 1);
    let rollout = Rollout::of(&lab, &session);
    let turn = crate::lab::turn_id(0);
    rollout.write("event_msg", &turn, r#""type":"task_started""#);
    session.call("session", &rollout.named_in(&session.calls_of_turn(0, 0)[0].1));
    rollout.write("event_msg", &turn, r#""type":"task_complete","last_agent_message":null"#);
    session.end();
    lab.flush();
    let shown = String::from_utf8(lab.run(&["show", "--json"]).stdout).unwrap();
    assert!(!shown.contains("do it") && shown.contains("<redacted (5 chars)>"), "{shown}");
    let spans: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let spans = &spans["resourceSpans"][0]["scopeSpans"][0]["spans"];
    assert_eq!(spans.as_array().map(Vec::len), Some(1), "{shown}");
    assert_eq!(spans[0]["status"]["message"], "the prompt was blocked");
}

#[test]
fn heavy_turn_moves_to_detached_process() {
    let lab = Lab::new("target: local, export_mode: sync");
    let session = Session::start(&lab, 1);
    session.turn(0, 1);
    // A record whose settling was begun before, and never done.
    lab.configure("");
    let calls = session.calls_of_turn(1, 1);
    calls[..3].iter().for_each(|(role, payload)| session.call(role, payload));
    std::fs::create_dir_all(lab.paths().closing()).unwrap();
    let name = format!("{}.{}.0", crate::lab::turn_id(1), session.thread);
    let tried = lab.paths().closing().join(format!("{name}.tried"));
    std::fs::write(&tried, "\n").unwrap();
    lab.configure("target: local, export_mode: sync");
    session.call(calls[3].0, &calls[3].1);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !lab.processes().is_empty() || tried.exists() {
        assert!(std::time::Instant::now() < deadline, "{}", lab.log());
        std::thread::yield_now();
    }
    lab.assert_at_rest();
    // One that is begun again and again, and ends whoever does it, is set aside in the end.
    let calls = session.calls_of_turn(2, 1);
    calls[..3].iter().for_each(|(role, payload)| session.call(role, payload));
    let name = format!("{}.{}.0", crate::lab::turn_id(2), session.thread);
    std::fs::write(lab.paths().closing().join(format!("{name}.tried")), "\n".repeat(20)).unwrap();
    session.call(calls[3].0, &calls[3].1);
    lab.flush();
    assert!(lab.paths().closing().join(format!("{name}.damaged")).exists());
    assert!(lab.log().contains("20 times"), "{}", lab.log());
}

#[test]
fn failing_assembly_is_retried() {
    let lab = Lab::new("target: local, export_mode: sync");
    let session = Session::start(&lab, 1);
    std::fs::remove_dir_all(lab.paths().outbox()).ok();
    std::fs::write(lab.paths().outbox(), "in the way").unwrap();
    session.turn(0, 1);
    for turn in 1..30 {
        session.turn(turn, 0);
    }
    std::fs::remove_file(lab.paths().outbox()).unwrap();
    lab.flush();
    let listed = lab.run(&["list", "--json", "--limit", "0"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed.as_array().map(Vec::len), Some(30), "{}", lab.log());
    lab.assert_at_rest();
}

#[test]
fn dry_run_sends_nothing() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let lab = Lab::new(&phoenix(&collector.url()));
    let session = Session::start(&lab, 1);
    session.turn(0, 1);
    lab.flush();
    let sent = collector.book.seen().len();
    lab.configure(&format!("{}, dry_run: true", phoenix(&collector.url())));
    let said = |role: &str, payload: &str| {
        let output = lab.start(role, payload).wait_with_output().unwrap();
        assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    // Ended by Stop, by the next turn, by an interrupt, by the session's end; one is open when Codex is gone.
    let turn = |number: u64| session.calls_of_turn(number, 1);
    let begin = |number: u64| turn(number)[..3].iter().map(|(r, p)| said(r, p)).collect::<String>();
    assert_eq!(begin(1), "");
    assert!(said("stop", &turn(1)[3].1).starts_with("[arize] DRY RUN: Turn 2\n"));
    assert_eq!(begin(2), "");
    assert!(begin(3).starts_with("[arize] DRY RUN: Turn 3\n"));
    let interrupt = session.payload("Interrupt", Some(&crate::lab::turn_id(3)), "");
    assert!(said("stop", &interrupt).starts_with("[arize] DRY RUN: Turn 4\n"));
    assert_eq!(begin(4), "");
    let end = session.payload("SessionEnd", None, "");
    assert!(said("stop", &end).starts_with("[arize] DRY RUN: Turn 5\n"));
    assert!(lab.run(&["flush"]).status.success());
    assert_eq!(collector.book.seen().len(), sent);
    lab.assert_at_rest();
    // What was shown is in the log, and kept for list, show and preview; later it can be sent after all.
    let log = lab.log();
    assert_eq!(log.matches(" note ").count(), 4, "{log}");
    assert!(log.contains("[arize] DRY RUN: Turn 2, "), "{log}");
    let listed = lab.run(&["list", "--json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let dry = listed.as_array().unwrap().iter().filter(|t| t["delivery"] == "dry run").count();
    assert_eq!(dry, 4, "{listed}");
    assert!(String::from_utf8(lab.run(&["show", "1"]).stdout).unwrap().contains("dry run"));
    assert!(lab.run(&["preview", "1"]).status.success());
    assert!(
        String::from_utf8(lab.run(&["resend", "--since", "1h"]).stdout)
            .unwrap()
            .contains("queued for delivery")
    );
}

#[test]
fn chained_notify_survives_broken_config() {
    let lab = Lab::new("target: local");
    let told = lab.folder().join("told");
    let bell = lab.folder().join("bell");
    std::fs::write(&bell, format!("#!/bin/sh\necho \"$1\" >>{}\n", told.display())).unwrap();
    std::fs::set_permissions(&bell, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let codex = lab.folder().join(".codex");
    std::fs::create_dir_all(&codex).unwrap();
    std::fs::write(codex.join("config.toml"), format!("notify = ['{}']\n", bell.display())).unwrap();
    assert!(lab.run(&["install", "--yes", "--target", "local"]).status.success());
    let notify = || {
        let mut command = lab.command("arize-hook-codex-notify");
        assert!(
            command.arg(r#"{"type":"x"}"#).stdin(std::process::Stdio::null()).status().unwrap().success()
        );
    };
    let wait_for = |lines: usize| {
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while std::fs::read_to_string(&told).unwrap_or_default().lines().count() < lines {
            assert!(std::time::Instant::now() < deadline, "the other program was not called");
            std::thread::yield_now();
        }
    };
    notify();
    wait_for(1);
    std::fs::write(lab.paths().config_yaml(), "harnesses: [\n").unwrap();
    notify();
    wait_for(2);
    std::fs::write(lab.paths().config_yaml(), "").unwrap();
    assert!(lab.run(&["uninstall", "--yes"]).status.success());
    assert!(!lab.paths().notify_chain().exists());
}

#[test]
fn doctor_closes_orphaned_turn() {
    let lab = Lab::new("target: local");
    let session = Session::named(&lab, 1);
    // A shell under another name stands for the Codex that calls the hooks of half a turn and is gone.
    let codex = lab.folder().join("codex");
    std::fs::copy("/bin/sh", &codex).unwrap();
    for (role, payload) in &session.calls_of_turn(0, 1)[..2] {
        let mut command = std::process::Command::new(&codex);
        command.args(["-c", &format!("printf '%s' \"$1\" | \"$0\" hook {role}; true")]);
        command.arg(env!("CARGO_BIN_EXE_arize-codex")).arg(payload);
        command.env_clear().env("HOME", lab.folder()).env("PATH", "/usr/bin:/bin");
        assert!(command.status().unwrap().success());
    }
    let output = lab.run(&["doctor"]);
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("1 thread left by a Codex that has ended"),
        "{output:?}"
    );
    lab.flush();
    let listed = String::from_utf8(lab.run(&["list"]).stdout).unwrap();
    assert!(listed.contains("do it"), "{listed}");
    lab.assert_at_rest();
}

#[test]
fn parallel_sessions_lose_nothing() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let lab = Lab::new(&phoenix(&collector.url()));
    let (turns, tools) = (2, 4);
    std::thread::scope(|scope| {
        for number in 0..64 {
            let lab = &lab;
            scope.spawn(move || concurrent_session(lab, number, turns, tools));
        }
    });
    lab.flush();
    let mut delivered = Delivered::to(&collector.book);
    for number in 0..64 {
        let session = Session::named(&lab, number);
        for turn in 0..turns {
            assert_eq!(delivered.take(session.trace(turn), 1 + tools as usize), 0);
        }
    }
    delivered.assert_nothing_else();
    lab.assert_at_rest();
    assert_eq!(lab.log(), "");
}

/// A session whose tools run, and call their hooks, all at once.
fn concurrent_session(lab: &Lab, number: u64, turns: u64, tools: u64) {
    let session = Session::start(lab, number);
    for turn in 0..turns {
        let calls = session.calls_of_turn(turn, 0);
        session.call(calls[0].0, &calls[0].1);
        std::thread::scope(|scope| {
            for tool in 0..tools {
                let session = &session;
                scope.spawn(move || {
                    lab.call("tool", &session.tool("PreToolUse", turn, tool));
                    lab.call("tool", &session.tool("PostToolUse", turn, tool));
                });
            }
        });
        session.call(calls[1].0, &calls[1].1);
    }
    session.end();
}
