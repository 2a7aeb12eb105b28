//! A turn of 20,000 tool calls: delivered whole in structure, in requests within the byte budget, in the memory of
//! a few requests. The default size of its values suits every test run; ARIZE_CODEX_TEST_VALUE_BYTES=53687 makes it
//! a gigabyte.

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use arize_codex::context::Context;
use arize_codex::delivery::budget::Budget;
use arize_codex::delivery::flush;
use arize_codex::delivery::outbox;
use arize_codex::settings::Settings;

use crate::collector::{Answer, HttpCollector, spans_of};
use crate::export_outcomes::{Home, entry, span};

#[test]
fn huge_turn_arrives_in_little_memory() {
    let bytes =
        std::env::var("ARIZE_CODEX_TEST_VALUE_BYTES").ok().and_then(|b| b.parse().ok()).unwrap_or(2000);
    static SEEN: Mutex<Vec<bool>> = Mutex::new(Vec::new());
    static LARGEST: AtomicUsize = AtomicUsize::new(0);
    *SEEN.lock().unwrap() = vec![false; SPANS];
    // A script of its own, so that the collector need not keep a gigabyte.
    let collector = HttpCollector::start_forgetful(|seen| {
        LARGEST.fetch_max(seen.bytes, Ordering::SeqCst);
        let mut got = SEEN.lock().unwrap();
        for span in spans_of(&seen.request) {
            let id = span.span_id.try_into().map(u64::from_be_bytes).unwrap() as usize;
            assert!(!std::mem::replace(&mut got[id], true), "span {id} came twice");
        }
        Answer::Accept
    });
    let home = Home::new(&format!("target: phoenix, endpoint: '{}'", collector.url()));
    let head = entry("turn-1", vec![]).head;
    let spans = (0..SPANS as u64).map(|n| span(n, bytes));
    assert!(outbox::put_spans(home.paths(), &head, spans).unwrap());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--nocapture", "--exact", "export_budget::flushes_and_tells_its_memory"]);
    let output = command.env(HOME_VARIABLE, home.paths().harness()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |name: &str| -> u64 {
        text.split(name)
            .nth(1)
            .and_then(|t| t.split_whitespace().next()?.parse().ok())
            .unwrap_or_else(|| panic!("{text}"))
    };
    assert_eq!(number("left="), 0, "{}", home.log());
    assert!(SEEN.lock().unwrap().iter().all(|seen| *seen), "a span is missing");
    let largest = LARGEST.load(Ordering::SeqCst);
    assert!(largest <= 4_000_000 && largest > 3_000_000, "{largest}");
    let peak = number("VmHWM:");
    println!("{SPANS} spans of {bytes} bytes: largest request {largest}, peak memory {peak} kB");
    assert!(peak < 64 * 1024, "{peak} kB");
}

#[test]
#[ignore = "a part of another test, which starts it in a process of its own"]
fn flushes_and_tells_its_memory() {
    let Ok(harness) = std::env::var(HOME_VARIABLE) else { return };
    let vars = [("HOME".to_owned(), "/nonexistent".to_owned()), ("ARIZE_HARNESS_HOME".to_owned(), harness)];
    let context = Context::given(vec![], vars.into());
    let settings = Settings::load(&context).unwrap();
    let budget = Budget::within(std::time::Duration::from_secs(600));
    let report = flush::run(&context, &settings, budget);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("left={} \n{status}", report.left);
}

const SPANS: usize = 20_000;
const HOME_VARIABLE: &str = "ARIZE_CODEX_TEST_HARNESS";
