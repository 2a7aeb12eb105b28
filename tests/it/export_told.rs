//! What a backend says about turns that it does not take whole reaches whoever asks: doctor, list, show, the log.

use arize_codex::delivery::outbox;
use arize_codex::ids::{ThreadId, TurnId};

use crate::collector::{Answer, HttpCollector, spans_of};
use crate::export_outcomes::{entry, span};
use crate::lab::Lab;

/// A lab with so many turns of one span each, that wait.
fn lab(collector: &HttpCollector, turns: u64) -> Lab {
    let lab = Lab::new(&format!("target: otlp, endpoint: '{}', protocol: http/protobuf", collector.url()));
    for number in 1..=turns {
        let mut entry = entry("turn", vec![span(number, 10)]);
        entry.head.key.turn = TurnId::parse(&crate::lab::turn_id(number)).unwrap();
        entry.head.key.thread = ThreadId::parse(&format!("019a0000-0000-7000-8000-{number:012x}")).unwrap();
        entry.head.root_thread = entry.head.key.thread.clone();
        entry.head.summary.prompt = format!("prompt {number}");
        entry.head.ended_at = arize_codex::time::now();
        entry.head.started_at = entry.head.ended_at;
        assert!(outbox::put(lab.paths(), &entry).unwrap());
    }
    lab
}

fn said(lab: &Lab, arguments: &[&str]) -> String {
    let output = lab.run(arguments);
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn partial_success_reaches_everyone_who_asks() {
    // ExportTraceServiceResponse { partial_success { rejected_spans: 1, error_message: "too old" } }
    const DROPPED: &str = "\x0a\x0b\x08\x01\x12\x07too old";
    let collector =
        HttpCollector::start(|seen| match spans_of(&seen.request).iter().any(|s| s.name == "span 1") {
            true => Answer::Status(200, "content-type: application/x-protobuf\r\n", DROPPED),
            false => Answer::Accept,
        });
    let lab = lab(&collector, 2);
    assert!(lab.run(&["flush"]).status.success(), "{}", lab.log());
    let doctor = said(&lab, &["doctor"]);
    assert!(doctor.contains("otlp took a request but dropped 1 of 2 spans: too old"), "{doctor}");
    let list = said(&lab, &["list"]);
    assert_eq!(list.matches("in part").count(), 2, "nobody knows whose span it was: {list}");
    let show = said(&lab, &["show", "last"]);
    assert!(show.contains("delivered in part") && show.contains("dropped 1 of 2 spans: too old"), "{show}");
}

#[test]
fn warning_without_loss_reaches_doctor_alone() {
    // ExportTraceServiceResponse { partial_success { error_message: "slow down" } }
    const WARNED: &str = "\x0a\x0b\x12\x09slow down";
    let collector =
        HttpCollector::start(|_| Answer::Status(200, "content-type: application/x-protobuf\r\n", WARNED));
    let lab = lab(&collector, 1);
    assert!(lab.run(&["flush"]).status.success(), "{}", lab.log());
    let doctor = said(&lab, &["doctor"]);
    assert!(doctor.contains("accepts turns with a warning: slow down"), "{doctor}");
    assert!(!said(&lab, &["list"]).contains("in part"));
}

#[test]
fn unreadable_answer_reaches_everyone_who_asks() {
    let collector = HttpCollector::start(|_| Answer::Status(200, "content-type: text/plain\r\n", "welcome"));
    let lab = lab(&collector, 1);
    let flush = said(&lab, &["flush", "--wait", "5"]);
    assert!(flush.contains("answered with a body that is not OTLP"), "{flush}");
    let doctor = said(&lab, &["doctor"]);
    assert!(doctor.contains("FAIL") && doctor.contains("1 waiting"), "{doctor}");
    assert!(doctor.contains("answered with a body that is not OTLP"), "{doctor}");
    for arguments in [["list"].as_slice(), &["show", "last"]] {
        let told = said(&lab, arguments);
        assert!(told.contains("waiting"), "{arguments:?}: {told}");
    }
    assert!(lab.log().contains("turns are kept in the outbox"), "{}", lab.log());
}

/// What MLflow does: an empty request is refused, and proves nothing.
#[test]
fn refusal_of_an_empty_request_proves_nothing() {
    let collector = HttpCollector::start(|seen| match spans_of(&seen.request).is_empty() {
        true => Answer::Status(400, "", "no spans found"),
        false => Answer::Accept,
    });
    let lab = lab(&collector, 2);
    let doctor = said(&lab, &["doctor"]);
    assert!(doctor.contains("answers, but refuses an empty request: HTTP status 400"), "{doctor}");
    assert!(said(&lab, &["doctor", "--send"]).contains("was accepted"));
    assert!(lab.run(&["flush"]).status.success(), "{}", lab.log());
    assert_eq!(collector.book.counts().len(), 3, "two turns and the test's own");
}
