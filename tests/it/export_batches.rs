//! Several turns in a request and several requests in flight: each turn once, in its thread's order, and nothing waits
//! for a bad one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arize_codex::delivery::archive::{self, DeliveryState};
use arize_codex::delivery::status::DeliveryStatus;
use arize_codex::delivery::{in_part, outbox};
use arize_codex::ids::ThreadId;

use crate::collector::{Answer, HttpCollector, Seen, spans_of};
use crate::export_outcomes::{Home, entry, span};

/// Puts a turn of one span into the outbox, in a thread of its own or another's.
fn put(home: &Home, number: u64, thread: &str, bytes: usize) {
    let mut entry = entry(&format!("turn-{number:04}"), vec![span(number, bytes)]);
    entry.head.key.thread = ThreadId::parse(thread).unwrap();
    entry.head.root_thread = entry.head.key.thread.clone();
    assert!(outbox::put(home.paths(), &entry).unwrap());
}

fn phoenix(collector: &HttpCollector) -> String {
    format!("target: phoenix, endpoint: '{}'", collector.url())
}

fn holds(seen: &Seen, name: &str) -> bool {
    spans_of(&seen.request).iter().any(|s| s.name == name)
}

#[test]
fn bad_turn_is_set_aside_alone_wherever_it_stands() {
    for bad in 0..9 {
        let name = format!("span {bad}");
        let collector = HttpCollector::start(move |seen| match holds(seen, &name) {
            true => Answer::Status(400, "", ""),
            false => Answer::Accept,
        });
        let home = Home::new(&phoenix(&collector));
        (0..9).for_each(|n| put(&home, n, &format!("thread-{}", n % 4), 10));
        let report = home.flush(30);
        assert_eq!((report.delivered, report.set_aside, report.left), (8, 1, 0), "{bad}: {}", home.log());
        assert_eq!(collector.book.counts().into_values().collect::<Vec<_>>(), vec![1; 8], "{bad}");
        assert_eq!(outbox::keys_in(&outbox::rejected(home.paths())).len(), 1, "{bad}");
    }
}

#[test]
fn small_turns_share_requests() {
    let collector = HttpCollector::start(|_| Answer::Accept);
    let home = Home::new(&phoenix(&collector));
    (0..300).for_each(|n| put(&home, n, "thread", 1000));
    assert_eq!(home.flush(60).delivered, 300, "{}", home.log());
    assert_eq!(collector.book.counts().into_values().collect::<Vec<_>>(), vec![1; 300]);
    assert_eq!(collector.book.seen().len(), 2);
}

#[test]
fn requests_overlap_and_threads_keep_their_order() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (current, peak) = (now.clone(), most.clone());
    let collector = HttpCollector::start_watched(move |begins| {
        if begins {
            peak.fetch_max(current.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // The first answer takes until there is a second request, however slow this machine is.
            let patience = Instant::now() + Duration::from_secs(5);
            while peak.load(Ordering::SeqCst) < 2 && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(50));
        } else {
            current.fetch_sub(1, Ordering::SeqCst);
        }
    });
    let home = Home::new(&format!("{}, max_request_bytes: 20000", phoenix(&collector)));
    (0..120).for_each(|n| put(&home, n, &format!("thread-{}", n / 20), 2500));
    assert_eq!(home.flush(60).delivered, 120, "{}", home.log());
    assert_eq!(collector.book.counts().into_values().collect::<Vec<_>>(), vec![1; 120]);
    assert!((2..=4).contains(&most.load(Ordering::SeqCst)), "{most:?} requests at once");
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    for span in collector.book.spans() {
        let number = u64::from_be_bytes(span.span_id.try_into().unwrap());
        let before = last.insert(number / 20, number);
        assert!(before < Some(number), "turn {number} came after {before:?}");
    }
}

#[test]
fn lone_refused_turn_waits_for_another_to_prove_backend() {
    let collector = HttpCollector::start(|seen| match holds(seen, "span 1") {
        true => Answer::Status(422, "", ""),
        false => Answer::Accept,
    });
    let home = Home::new(&phoenix(&collector));
    put(&home, 1, "thread", 10);
    for _ in 0..2 {
        let report = home.flush(10);
        assert_eq!((report.set_aside, report.left), (0, 1), "nothing proves the backend");
    }
    put(&home, 2, "thread", 10);
    let report = home.flush(10);
    assert_eq!((report.delivered, report.set_aside, report.left), (1, 1, 0), "{}", home.log());
}

/// Two requests are on their way when the first refusal comes, each with a bad turn: those behind it are still tried.
#[test]
fn bad_turns_of_two_requests_hold_up_nobody() {
    let collector = HttpCollector::start(|seen| match holds(seen, "span 0") || holds(seen, "span 1") {
        true => Answer::Status(400, "", ""),
        false => Answer::Accept,
    });
    let home = Home::new(&format!("{}, max_request_bytes: 20000", phoenix(&collector)));
    put(&home, 0, "thread-0", 19_000);
    (1..4).for_each(|n| put(&home, n, &format!("thread-{n}"), 100));
    let report = home.flush(20);
    assert_eq!((report.delivered, report.set_aside, report.left), (2, 2, 0), "{}", home.log());
}

/// Old turns that nobody takes never stand before the latest.
#[test]
fn latest_turn_proves_backend_behind_old_bad_ones() {
    let collector =
        HttpCollector::start(|seen| match spans_of(&seen.request).iter().any(|s| s.name != "span 20") {
            true => Answer::Status(400, "", ""),
            false => Answer::Accept,
        });
    let home = Home::new(&phoenix(&collector));
    (0..20).for_each(|n| put(&home, n, "thread", 10));
    assert_eq!(home.flush(20).left, 20, "nothing proves the backend");
    put(&home, 20, "thread", 10);
    let report = home.flush(20);
    assert_eq!((report.delivered, report.set_aside, report.left), (1, 20, 0), "{}", home.log());
}

#[test]
fn backend_that_refuses_everything_is_asked_few_times() {
    let collector = HttpCollector::start(|_| Answer::Status(400, "", ""));
    let home = Home::new(&phoenix(&collector));
    (0..50).for_each(|n| put(&home, n, &format!("thread-{n}"), 10));
    let report = home.flush(30);
    assert_eq!((report.set_aside, report.left), (0, 50));
    assert!(report.last_error.unwrap().contains("refuses every turn: HTTP status 400"));
    assert!(collector.book.seen().len() <= 6, "{}", collector.book.seen().len());
}

#[test]
fn dropped_spans_and_their_reason_reach_the_user() {
    // ExportTraceServiceResponse { partial_success { rejected_spans: 1, error_message: "too old" } }
    const DROPPED: &str = "\x0a\x0b\x08\x01\x12\x07too old";
    let protobuf = "content-type: application/x-protobuf\r\n";
    let json = r#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too old"}}"#;
    for (kind, body) in [(protobuf, DROPPED), ("content-type: application/json\r\n", json)] {
        let collector = HttpCollector::start(move |seen| match holds(seen, "span 1") {
            true => Answer::Status(200, kind, body),
            false => Answer::Accept,
        });
        let home = Home::new(&phoenix(&collector));
        let two = vec![span(1, 10), span(2, 10)];
        home.put("turn-1", two);
        home.put("turn-2", vec![span(3, 10)]);
        let report = home.flush(10);
        assert_eq!((report.delivered, report.left), (2, 0), "sending again is forbidden");
        let status = DeliveryStatus::load(home.paths());
        let said = status.health.last_warning.unwrap().text;
        assert!(said.contains("dropped 1 of 3 spans: too old"), "{said}");
        assert_eq!((status.dropped_spans, home.log().lines().count()), (1, 1), "{}", home.log());
        // Nobody knows whose span it was, so both turns say so.
        let items: Vec<_> = archive::items(home.paths()).map(|item| item.place).collect();
        assert_eq!(items, [DeliveryState::SentInPart; 2]);
        let key = archive::items(home.paths()).next().unwrap().head.key;
        assert!(in_part::why(home.paths(), &key).unwrap().contains("dropped 1 of 3 spans: too old"));
        // A turn of which nothing was kept is set aside.
        put(&home, 1, "other", 10);
        let report = home.flush(10);
        assert_eq!((report.delivered, report.set_aside, report.left), (0, 1, 0), "{}", home.log());
        assert!(home.log().contains("it dropped every span: too old"), "{}", home.log());
    }
}

#[test]
fn unreadable_acknowledgement_is_none() {
    for (kind, body) in
        [("content-type: text/plain\r\n", "welcome"), ("content-type: application/json\r\n", "[")]
    {
        let collector = HttpCollector::start(move |_| Answer::Status(200, kind, body));
        let home = Home::new(&phoenix(&collector));
        put(&home, 1, "thread", 10);
        let report = home.flush(10);
        assert_eq!((report.delivered, report.left), (0, 1));
        assert!(report.last_error.unwrap().contains("a body that is not OTLP"));
    }
    let collector = HttpCollector::start(|_| Answer::Status(200, "content-type: application/json\r\n", "{}"));
    let home = Home::new(&phoenix(&collector));
    put(&home, 1, "thread", 10);
    assert_eq!(home.flush(10).delivered, 1, "{}", home.log());
}

#[test]
fn resent_turn_goes_whole_after_an_interrupted_delivery() {
    let count = AtomicUsize::new(0);
    let collector = HttpCollector::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        1 => Answer::Status(403, "", ""),
        _ => Answer::Accept,
    });
    let home = Home::new(&format!("{}, max_request_bytes: 5000", phoenix(&collector)));
    let key = home.put("turn-1", (0..20).map(|n| span(n, 1000)).collect());
    assert_eq!(home.flush(10).left, 1);
    assert_eq!(home.flush(10).delivered, 1);
    let left = std::fs::read_dir(home.paths().outbox()).unwrap().flatten();
    let left: Vec<_> = left.filter(|e| e.path().is_file()).map(|e| e.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(outbox::move_back(home.paths(), &key).unwrap());
    assert_eq!(home.flush(10).delivered, 1);
    assert_eq!(collector.book.counts().into_values().collect::<Vec<_>>(), vec![2; 20]);
}

#[test]
fn request_limit_shrinks_once_for_all_turns() {
    let collector = HttpCollector::start(|seen| match seen.bytes {
        0..=20_000 => Answer::Accept,
        _ => Answer::Status(413, "", ""),
    });
    let home = Home::new(&phoenix(&collector));
    (0..100).for_each(|n| put(&home, n, &format!("thread-{}", n / 10), 9000));
    assert_eq!(home.flush(60).delivered, 100, "{}", home.log());
    assert_eq!(collector.book.counts().into_values().collect::<Vec<_>>(), vec![1; 100]);
    (100..200).for_each(|n| put(&home, n, "thread", 9000));
    let turns = collector.book.seen().len();
    assert!(turns < 170, "{turns} requests");
}
