//! The corpus made of the rules' own patterns: a sample of each in every carrier, mixtures of them cut anywhere, and
//! what people see every day. `cargo test --lib scrub::tests::corpus -- --nocapture` prints the figures.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::otel::scrub::table::forms::FORMS as RULES;
use crate::otel::scrub::tests::carriers::CARRIERS;
use crate::otel::scrub::tests::forms::{FORMS, Secret, fill_all, generate};
use crate::otel::scrub::tests::measure::{cpu_seconds, survives};
use crate::otel::scrub::tests::{Random, scrubber};

/// Draws a text that a pattern matches.
fn sample(pattern: &str, r: &mut Random) -> String {
    let parsed = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern);
    let mut out = Vec::new();
    draw(&parsed.expect("a pattern of the table"), r, &mut out);
    String::from_utf8(out).expect("ASCII")
}

fn draw(hir: &Hir, r: &mut Random, out: &mut Vec<u8>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
        HirKind::Class(class) => {
            let in_class = |b: u8| match class {
                Class::Bytes(c) => c.ranges().iter().any(|range| (range.start()..=range.end()).contains(&b)),
                Class::Unicode(c) => {
                    c.ranges().iter().any(|range| (range.start()..=range.end()).contains(&char::from(b)))
                }
            };
            let all: Vec<u8> =
                (b'!'..=b'~').filter(|b| in_class(*b) && !matches!(b, b'\\' | b'`' | b'<' | b'"')).collect();
            out.push(all[r.below(all.len())]);
        }
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(repetition.min + 8);
            let times = repetition.min as usize + r.below((most - repetition.min) as usize + 1);
            (0..times).for_each(|_| draw(&repetition.sub, r, out));
        }
        HirKind::Capture(capture) => draw(&capture.sub, r, out),
        HirKind::Concat(list) => list.iter().for_each(|hir| draw(hir, r, out)),
        HirKind::Alternation(list) => draw(&list[r.below(list.len())], r, out),
    }
}

fn secret(n: usize, r: &mut Random) -> Secret {
    let row = &RULES[n];
    let keys: Vec<&str> = row.key.split('|').collect();
    let key = if row.back > 0 { "" } else { r.pick(&keys) };
    let text = key.to_owned() + &sample(row.pattern, r);
    Secret { core: text.clone(), text, name: None }
}

#[test]
fn every_rule_is_found_in_every_carrier() {
    let scrubber = scrubber();
    let mut r = Random(23);
    let (mut total, mut found) = (0, 0);
    let mut weak = Vec::new();
    for (n, rule) in RULES.iter().enumerate() {
        let mut missed = Vec::new();
        for (place, carry) in CARRIERS {
            let secret = secret(n, &mut r);
            let Some(text) = carry(&secret, &mut r) else { continue };
            total += 1;
            if survives(&secret.core, &scrubber.scrub(&text)) { missed.push(*place) } else { found += 1 }
        }
        if missed.len() > 2 {
            weak.push(format!("{} {}: {missed:?}", rule.kind, rule.pattern));
        }
    }
    println!("recall of the rules: {found} of {total}, {:.2} %", f64::from(found) * 100.0 / f64::from(total));
    weak.iter().for_each(|line| println!("weak {line}"));
    assert!(f64::from(found) >= 0.97 * f64::from(total));
}

/// Writes texts for other scanners, of the forms that vendors document and not of our own rules, and what this one finds
/// there and in the ordinary material beside it; see tests/scanners/compare.
#[test]
#[ignore = "writes files for tests/scanners/compare"]
fn corpus_is_written_out() {
    let folder =
        std::path::PathBuf::from(std::env::var_os("ARIZE_CODEX_CORPUS").expect("ARIZE_CODEX_CORPUS"));
    let scrubber = scrubber();
    let mut r = Random(37);
    let (mut total, mut found) = (0, 0);
    for (_, template, names) in FORMS.iter().chain(FORMS).chain(FORMS) {
        for (_, carry) in CARRIERS {
            let name = if names.is_empty() { None } else { Some(r.pick(names)) };
            let Some(text) = carry(&generate(template, name, &mut r), &mut r) else { continue };
            std::fs::write(folder.join(format!("texts/{total}.txt")), &text).expect("a text written");
            total += 1;
            found += usize::from(!scrubber.findings(&text).is_empty());
        }
    }
    let (mut hits, mut cpu) = (0, 0.0);
    for entry in std::fs::read_dir(folder.join("ordinary")).expect("a directory").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("a text");
        let start = cpu_seconds();
        hits += scrubber.findings(&text).len();
        cpu += cpu_seconds() - start;
    }
    let report = serde_json::json!({"total": total, "found": found, "hits": hits, "cpu": cpu});
    std::fs::write(folder.join("ours.json"), report.to_string()).expect("a report written");
}

#[test]
fn mixtures_cut_anywhere_reveal_nothing() {
    mixtures(29, 500);
}

/// Every run sees other mixtures; `ARIZE_CODEX_SEED` repeats those of a run, `ARIZE_CODEX_MIXTURES` makes more of them.
#[test]
fn new_mixtures_cut_anywhere_reveal_nothing() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |t| t.as_nanos() as u64);
    let seed = number("ARIZE_CODEX_SEED").unwrap_or(now);
    println!("ARIZE_CODEX_SEED={seed}");
    mixtures(seed, number("ARIZE_CODEX_MIXTURES").unwrap_or(500));
}

/// Strings secrets together, each in a carrier that holds everything, and cuts the text: at every place of a few, at
/// eight of the rest.
fn mixtures(seed: u64, rounds: u64) {
    let scrubber = scrubber();
    let mut r = Random(seed);
    for round in 0..rounds {
        let (mut text, mut cores) = (String::new(), Vec::new());
        for _ in 0..3 {
            let secret = secret(r.below(RULES.len()), &mut r);
            let (_, carry) = CARRIERS[2 + r.below(4)];
            text += &format!("{}\n", carry(&secret, &mut r).expect("JSON carries everything"));
            cores.push(secret.core);
        }
        let every = (1..=text.len()).step_by(if round % 50 == 0 { 1 } else { text.len() });
        let some: Vec<usize> = (0..8).map(|_| 1 + r.below(text.len())).collect();
        for limit in every.chain(some) {
            let out = scrubber.scrub(&crate::truncate::cut_at_word(&text, limit)).into_owned();
            for core in &cores {
                let left = out.contains(&core[core.len() - core.len().min(16)..]);
                assert!(!left, "seed {seed}, round {round}, cut at {limit}: {core:?} is left in {out:?}");
            }
        }
    }
}

/// At least 97 of 100 everyday outputs keep all of their secrets to themselves, however often these are made anew.
#[test]
fn everyday_outputs_leak_nothing() {
    let scrubber = scrubber();
    let mut r = Random(31);
    let outputs: Vec<&str> = EVERYDAY.split("\n== ").skip(1).collect();
    let mut leaks = Vec::new();
    for output in &outputs {
        let (name, template) = output.split_once('\n').expect("a name");
        for _ in 0..4 {
            let (text, cores) = fill_all(template.trim_end(), &mut r);
            let out = scrubber.scrub(&text).into_owned();
            if let Some(core) = cores.iter().find(|core| survives(core, &out)) {
                leaks.push(format!("{name}: {core:?} in\n{out}\n"));
                break;
            }
            assert_eq!(scrubber.scrub(&out), out, "{name}: scrubbed twice");
        }
    }
    println!("everyday outputs: {} of {} leak nothing", outputs.len() - leaks.len(), outputs.len());
    leaks.iter().for_each(|leak| println!("leak in {leak}"));
    assert!(outputs.len() >= 200 && leaks.len() * 100 <= outputs.len() * 3);
}

const EVERYDAY: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/secrets/everyday.txt"));

/// Names that look like those of secrets and values that are none.
#[test]
fn truths_stay() {
    for text in [
        "JIRA_KEY=PROJ-12345",
        "S3_KEY=builds/app-1.2.3.tgz",
        "OBJECT_KEY=exports/2026/11/27/report.csv",
        "REDIS_KEY=session:user:42",
        "kms_key_id = arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "secretKeyRef:\n  name: db-credentials\n  key: password",
        "secretName: wildcard-tls-cert",
        "Authorization: AWS4-HMAC-SHA256",
        "integrity=\"sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC\"",
        "PASS  tests/common/secp256k1.test.ts",
        "[tool.plugins]\nv1password = client.auth.v1:PasswordLoader",
        "\"storage_key\": \"0x3a686561707061676573\"",
        "createElement(\"label\", null, \"Password:\"),x1?createElement(\"code\")",
        "appKey: /[a-zA-Z0-9-._]+/",
        "client_secret: {\n  value: terraform.stringOf1(this._clientSecret),",
        "AWS4-HMAC-SHA256 Credential=H20ABqCkLZID4rLe/20220809/us-east-1/s3/aws4_request",
        "abfss://c047b3e34e89407a98d7cf9949ae92a3@account.dfs.core.windows.net/x",
        "see https://user@pass:example.com:1234/foo/bar?baz",
        "ETag: \"33a64df551425fcc55e4d42a148795d9f25f89d4\"",
    ] {
        assert_eq!(scrubber().scrub(text), text);
    }
}
