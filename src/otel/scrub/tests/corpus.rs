//! The corpus made of the rules' own patterns: a sample of each in every carrier, mixtures of them cut anywhere, and
//! what people see every day. `cargo test --lib scrub::tests::corpus -- --nocapture` prints the figures.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::otel::scrub::table::RULES;
use crate::otel::scrub::tests::carriers::CARRIERS;
use crate::otel::scrub::tests::forms::Secret;
use crate::otel::scrub::tests::measure::survives;
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
    let text = sample(RULES[n].pattern, r);
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

#[test]
fn mixtures_cut_anywhere_reveal_nothing() {
    let scrubber = scrubber();
    let mut r = Random(29);
    for round in 0..500 {
        let (mut text, mut cores) = (String::new(), Vec::new());
        for _ in 0..3 {
            let secret = secret(r.below(RULES.len()), &mut r);
            let (_, carry) = CARRIERS[2 + r.below(4)];
            text += &format!("{}\n", carry(&secret, &mut r).expect("JSON carries everything"));
            cores.push(secret.core);
        }
        let limit = 1 + r.below(text.len());
        let cut = crate::truncate::cut_at_word(&text, limit).into_owned();
        let out = scrubber.scrub(&cut);
        for core in &cores {
            let part = &core[core.len() - core.len().min(16)..];
            assert!(!out.contains(part), "round {round}: {core:?} is left in {out:?}");
        }
    }
}

/// Everyday outputs: in each the word `SECRET` stands for a value made anew, `WEAK` for a password that a user chose.
const EVERYDAY: &[&str] = &[
    "$ mysql -u root -pWEAK shop\nmysql: [Warning] Using a password on the command line",
    "$ curl -u admin:WEAK https://nexus.corp.example/repository",
    "$ keytool -importkeystore -storepass WEAK -noprompt",
    "$ openssl pkcs12 -in a.p12 -passin pass:WEAK -nodes",
    "$ sqlplus app/WEAK@db.internal:1521/XE",
    "$ redis-cli -h cache -a WEAK ping",
    "$ sshpass -p 'WEAK' ssh deploy@10.0.0.3",
    "CREATE USER app WITH PASSWORD 'WEAK';",
    "CREATE USER 'app'@'%' IDENTIFIED BY 'WEAK';",
    "ALTER USER app IDENTIFIED WITH mysql_native_password BY 'WEAK';",
    "$ aws configure set aws_secret_access_key SECRET40",
    "db.internal:5432:main:app:WEAK",
    "*:*:*:app:WEAK",
    "machine api.host.net login bob password WEAK",
    "curl -H 'X-Vault-Token: SECRET' https://vault:8200/v1/secret",
    "curl -H 'X-Datadog-Key: SECRET' https://api.host.net",
    "The API key: SECRET works now",
    "GET /v1/items?access_token=SECRET&page=2 HTTP/1.1",
    "GET /v1/geo?key=SECRET HTTP/1.1",
    ".example.com\tTRUE\t/\tFALSE\t1795350300\tsession\tSECRET",
    "$ curl -b 'session=SECRET; theme=dark' https://app.host.net",
    "C:\\> setx API_TOKEN SECRET",
    "> set -gx GITHUB_TOKEN SECRET",
    "$ vault login SECRET",
    "$ gh secret set DEPLOY --body SECRET",
    "https://hooks.zapier.com/hooks/catch/1234567/SECRET/",
    "[Interface]\nPrivateKey = SECRET43=\nAddress = 10.0.0.2/24",
    "$ unzip -P WEAK backup.zip",
    "$ smbclient //nas/share -U bob%WEAK",
    "Server=db;Database=shop;User Id=app;Password=WEAK;Encrypt=true",
    "spring.datasource.password=WEAK",
    "export DB_PASSWORD=WEAK",
    "ENV ADMIN_PASSWORD WEAK",
    "postgres://app:WEAK@db:5432/main",
    "OPENAI_API_KEY=SECRET",
    "\"client_secret\": \"SECRET\",",
    "authToken: SECRET",
    "Authorization: Bearer SECRET",
    "echo 'machine x login y password WEAK' >> ~/.netrc",
    "$ docker login -u bob -p WEAK registry.corp.example",
];

#[test]
fn everyday_outputs_keep_their_secrets() {
    let scrubber = scrubber();
    let mut r = Random(31);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let (mut total, mut missed) = (0, Vec::new());
    for text in EVERYDAY {
        for _ in 0..5 {
            let value = match text {
                t if t.contains("SECRET43") => r.text(alphabet, 43),
                t if t.contains("SECRET40") => r.text(alphabet, 40),
                t if t.contains("SECRET") => r.text(alphabet, 32),
                _ => format!("{}{}!", r.pick(&["Sommer", "dragon", "hunter", "monkey"]), r.below(900) + 100),
            };
            let slot =
                ["SECRET43", "SECRET40", "SECRET", "WEAK"].into_iter().find(|s| text.contains(s)).unwrap();
            let shown = text.replace(slot, &value);
            total += 1;
            let out = scrubber.scrub(&shown).into_owned();
            if out.contains(&value[..value.len() - 1]) {
                missed.push(format!("{text:?} → {out:?}"));
            }
        }
    }
    println!("everyday outputs: {} of {total} found", total - missed.len());
    missed.dedup();
    missed.iter().for_each(|line| println!("missed {line}"));
    assert!(missed.len() * 100 <= total * 3, "{missed:#?}");
}

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
        "ETag: \"33a64df551425fcc55e4d42a148795d9f25f89d4\"",
    ] {
        assert_eq!(scrubber().scrub(text), text);
    }
}
