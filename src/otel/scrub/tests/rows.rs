//! The examples of the table's rows: each row finds the secret in the one, and leaves the other as it is.

use crate::otel::scrub::engine::expression;
use crate::otel::scrub::lazy::Lazy;
use crate::otel::scrub::table::{Row, Stands, forms::FORMS, places::PLACES};
use crate::otel::scrub::tests::forms::fill_all;
use crate::otel::scrub::tests::measure::survives;
use crate::otel::scrub::tests::{Random, scrubber};

#[test]
fn every_row_finds_its_example() {
    let scrubber = scrubber();
    let mut r = Random(43);
    let mut wrong = Vec::new();
    for row in FORMS.iter().chain(PLACES) {
        let regex = expression(row);
        for _ in 0..DRAWS {
            let (text, mut cores) = fill_all(&row.examples.0.replace('·', ""), &mut r);
            if cores.is_empty() {
                cores.push(text.clone());
            }
            let findings = scrubber.findings(&text);
            let kinds: Vec<_> = findings.iter().map(|f| f.kind.as_ref()).collect();
            let left = cores.iter().any(|core| survives(core, &scrubber.scrub(&text)));
            if left || !asked(row, &regex, &text) || !kinds.contains(&row.kind) {
                wrong.push(format!("{} {:?}: {text:?} gave {kinds:?}", row.kind, row.key));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} rows: {wrong:#?}", wrong.len());
}

#[test]
fn every_row_spares_its_counterexample() {
    let scrubber = scrubber();
    let mut wrong = Vec::new();
    for row in FORMS.iter().chain(PLACES) {
        let text = row.examples.1.replace('·', "");
        let out = scrubber.scrub(&text);
        if out != text || keys_in(row, &text).is_empty() {
            wrong.push(format!("{} {:?}: {text:?} became {out:?}", row.kind, row.key));
        }
    }
    assert!(wrong.is_empty(), "{} rows: {wrong:#?}", wrong.len());
}

/// Tells whether the row's own expression fits at one of its keys.
fn asked(row: &Row, regex: &Lazy, text: &str) -> bool {
    keys_in(row, text).into_iter().any(|(at, key)| {
        let behind = row.stands == Stands::Form && row.back == 0;
        let from = if behind { at + key } else { at.saturating_sub(row.back) };
        regex.find(&text.as_bytes()[from..]).is_some()
    })
}

/// Returns where the keys of a row stand in a text, and how long they are.
fn keys_in(row: &Row, text: &str) -> Vec<(usize, usize)> {
    let small = text.to_ascii_lowercase();
    let places = |key: &str| -> Vec<(usize, usize)> {
        small.match_indices(&key.to_ascii_lowercase()).map(|(at, _)| (at, key.len())).collect()
    };
    row.key.split('|').flat_map(places).collect()
}

/// How often an example is drawn anew.
const DRAWS: usize = 25;
