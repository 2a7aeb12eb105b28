//! Single cases: published examples that must go, stand-ins and ordinary values that must stay.

use crate::otel::scrub::tests::scrubber;
use crate::settings::Pattern;

/// Joins the pieces of a published example, so that it does not stand here whole.
fn joined(pieces: &[&str]) -> String {
    pieces.concat()
}

#[test]
fn published_examples_are_found_under_their_kind() {
    let cases = [
        (joined(&["sk_test_", "4eC39HqLyjWDarjtT1zdp7dc"]), "stripe"),
        (
            joined(&[
                "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
                ".eyJzdWIiOiIxMjM0NTY3ODkwIn0",
                ".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
            ]),
            "jwt",
        ),
        (joined(&["110201543", ":AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"]), "telegram"),
        (joined(&["glpat", "-z_sxgtrfAxKr8q1TPY8Y"]), "gitlab"),
        ("Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".into(), "basic-auth"),
        ("authorization:BEARER mF_9.B5f-4.1JqM".into(), "bearer"),
        ("postgresql://other:s3cret1@localhost/otherdb?connect_timeout=10".into(), "url-password"),
        ("mysql -u root -phunter42 shop".into(), "password"),
        ("sshpass -p 'S3same!' ssh host".into(), "password"),
        ("curl -u admin:hunter42 https://x.net".into(), "password"),
        ("machine api.host.net login bob password hunter42".into(), "password"),
        ("OTEL_EXPORTER_OTLP_HEADERS='api_key=IhFYTMEHeHpA2swoXl3OaRdN,space_id=U3Bh'".into(), "api-key"),
        ("DB_PASSWORD='correct horse'".into(), "password"),
        ("<password>hunter42</password>".into(), "password"),
        ("$env:DB_PASSWORD = \"correct-horse-7\"".into(), "password"),
        ("password: Some(SecretString::from(\"hunter42\"))".replace("Some(", ""), "password"),
        ("req.header(\"X-Api-Key\", \"9f86d081884c7d659a2feaa0c55ad015\")".into(), "api-key"),
        ("//npm.example.org/:_authToken=4f1b7a9c-7d1e-4bb4-9be2-a0c2f1d3e4b5".into(), "token"),
    ];
    for (text, kind) in cases {
        let out = scrubber().scrub(&text).into_owned();
        assert!(out.contains(&format!("<secret:{kind}>")), "{text:?} became {out:?}, not {kind}");
    }
}

/// A key of five lines as programs show it, each line through `show`.
fn shown_key(show: impl Fn(usize, &str) -> String) -> String {
    let mut lines = vec![joined(&["-----BEGIN ", "RSA PRIVATE ", "KEY-----"])];
    lines.extend(KEY_LINES.iter().map(|l| (*l).to_owned()));
    lines.push(joined(&["-----END ", "RSA PRIVATE ", "KEY-----"]));
    lines.iter().enumerate().map(|(n, line)| show(n + 1, line)).collect()
}

#[test]
fn a_private_key_is_found_however_a_program_shows_its_lines() {
    let shown = [
        shown_key(|n, line| format!("{n:>6}\t{line}\n")),
        shown_key(|n, line| format!("keys/id_rsa.pem:{n}:{line}\n")),
        shown_key(|n, line| format!("{n:>4}   │ {line}\n")),
        shown_key(|n, line| format!("a1b2c3d4 (Some Body 2026-11-22 10:00:00 +0100 {n:>2}) {line}\n")),
        shown_key(|_, line| format!("\x1b[32m+{line}\x1b[m\n")),
        shown_key(|_, line| format!("\x1b[32m+\x1b[m\x1b[32m{line}\x1b[m\n")),
        shown_key(|_, line| format!("| {line} |\n")),
        shown_key(|_, line| format!("    \"{line}\",\n")),
        shown_key(|_, line| format!("\"{line}\", ")),
        shown_key(|_, line| format!("    \"{line}\\n\" +\n")),
        shown_key(|_, line| format!("'{line}\\n'\n  ")),
    ];
    for text in shown {
        for text in [text.clone(), serde_json::Value::from(text.as_str()).to_string()] {
            let out = scrubber().scrub(&text).into_owned();
            assert!(out.contains("<secret:private-key>"), "{text}\n{out}");
            assert!(!KEY_LINES.iter().any(|line| out.contains(line)), "{text}\n{out}");
        }
    }
}

#[test]
fn a_key_whose_heading_was_cut_off_is_found_by_its_end() {
    let key = shown_key(|_, line| format!("{line}\n"));
    let tail = key.split_once('\n').unwrap().1;
    for text in [tail.to_owned(), format!("of it\n{tail}rest"), tail.replace('\n', "\\n")] {
        let out = scrubber().scrub(&text).into_owned();
        assert!(!KEY_LINES[..3].iter().any(|line| out.contains(line)), "{text}\n{out}");
    }
}

#[test]
fn what_comes_after_a_key_that_was_cut_off_stays() {
    let key = shown_key(|_, line| format!("{line}\n"));
    let cut: String = key.lines().take(3).map(|line| format!("{line}\\n")).collect();
    let text = format!("{{\"output\":\"{cut}\",\"status\":\"completed\",\"name\":\"x\"}}");
    let out = scrubber().scrub(&text).into_owned();
    assert!(
        out.ends_with("\",\"status\":\"completed\",\"name\":\"x\"}") && out.contains("private-key"),
        "{out}"
    );
}

#[test]
fn key_on_one_long_line_is_replaced_wherever_it_is_cut() {
    let line = joined(&["x7", &KEY_LINES[0][..62]]);
    for (glue, lines) in [("", 400), (" ", 150), ("\\n", 150)] {
        let body: Vec<String> = (0..lines).map(|n| format!("{:02}{}", n % 90 + 10, &line[2..])).collect();
        let key = joined(&["-----BEGIN ", "PRIVATE ", "KEY-----", glue, &body.join(glue)]);
        for limit in [300, 2000, 5000, 8191, key.len()] {
            let cut = crate::truncate::cut_at_word(&key, limit);
            let out = scrubber().scrub(&cut).into_owned();
            // A cut inside the heading leaves nothing of the key.
            let begun = cut.contains("KEY-----");
            assert!(!begun || out.contains("<secret:private-key>"), "{glue:?} {limit}");
            assert!(!out.contains(&line[2..18]), "{glue:?} {limit} {}", &out[..out.len().min(200)]);
        }
    }
}

#[test]
fn cookie_line_ends_where_it_ends() {
    let value = joined(&["k3Jd92ls", "Qp0Zx81mVb7T"]);
    let key = joined(&["Zx81mVb7T", "k3Jd92lsQp0"]);
    let text = format!(
        "Cookie: theme=dark; session={value}; csrftoken=x\napi_key = \"{key}\"\nThe rest of it stays."
    );
    assert_eq!(
        scrubber().scrub(&text),
        "Cookie: <secret:cookie>\napi_key = \"<secret:api-key>\"\nThe rest of it stays."
    );
    let text =
        format!("Cookie: theme=dark; session={value}; mode=plain-and-simple\nordinary text after it stays\n");
    assert_eq!(scrubber().scrub(&text), "Cookie: <secret:cookie>\nordinary text after it stays\n");
}

const KEY_LINES: [&str; 4] = [
    "MIIBVAIBADANBgkqhkiG9w0BAQEFAASCAT4wggE6AgEAAkEAq7BFUpkGp3LQmlQa",
    "Yx2eqzDV8xeG8kx7sQFV18S5JhzGeIJNA72wSeukEPojtqUyX2J0CciPBh7eqclQ",
    "x9QFV18S5JhzGeIJNA72wSeukEPojtqUyX2J0CciPBh7eqclQYx2eqzDV8xeG8kx",
    "Bh7eqclQYx2eqzDV8w==",
];

#[test]
fn a_private_key_is_replaced_whole_and_nothing_around_it() {
    let body = "MIIBVAIBADANBgkqhkiG9w0BAQEFAASCAT4wggE6AgEAAkEAq7BFUpkGp3+LQmlQ\nYx2eqzDV+xeG8kx/sQFV18S5JhzGeIJNA72wSeukEPojtqUyX2J0CciPBh7eqclQ";
    for kind in ["", "RSA ", "OPENSSH ", "ENCRYPTED "] {
        let pem = joined(&[
            "-----BEGIN ",
            kind,
            "PRIVATE ",
            "KEY-----\n",
            body,
            "\n-----END ",
            kind,
            "PRIVATE ",
            "KEY-----",
        ]);
        for (before, after) in
            [("a ", " b"), ("x\n-----END CERTIFICATE-----\n", "\n-----BEGIN CERTIFICATE-----\n"), ("", "")]
        {
            let out = scrubber().scrub(&format!("{before}{pem}{after}")).into_owned();
            assert_eq!(out, format!("{before}<secret:private-key>{after}"));
            let escaped = format!("{before}{pem}{after}").replace('\n', "\\n");
            let out = scrubber().scrub(&escaped).into_owned();
            assert_eq!(out, format!("{before}<secret:private-key>{after}").replace('\n', "\\n"));
        }
    }
}

#[test]
fn examples_of_documentation_stay() {
    for text in [
        joined(&["AKIA", "IOSFODNN7", "EXAMPLE"]),
        joined(&["aws_secret_access_key = wJalrXUtnFEMI/", "K7MDENG/bPxRfiCYEXAMPLEKEY"]),
        joined(&["AWS_SECRET_ACCESS_KEY=je7MtGbClwBF/", "2Zp9Utk/h3yCo8nvbEXAMPLEKEY"]),
    ] {
        assert_eq!(scrubber().scrub(&text), text);
    }
}

#[test]
fn stand_ins_and_ordinary_values_stay() {
    let cases = [
        "export OPENAI_API_KEY=<your-key>",
        "OPENAI_API_KEY=sk-...",
        "OPENAI_API_KEY=sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "API_KEY=your-api-key-here",
        "API_KEY=${API_KEY} TOKEN=$TOKEN",
        "password: ********",
        "const token = process.env.GITHUB_TOKEN;",
        "api_key = os.environ[\"API_KEY\"]",
        "api_key=os.getenv(\"OPENAI_API_KEY\")",
        "Authorization: Bearer ${TOKEN}",
        "Authorization: Bearer <token>",
        "Authorization: Bearer YOUR_TOKEN",
        "postgres://user:password@localhost/db",
        "https://user:$PASS@host/ https://user:***@host/",
        "https://localhost:8080/a@b",
        "git@github.com:owner/repo.git",
        "commit 83ba8c6f1d40bd05be93e5e8c0f4d3fb4e8d4e0a",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "id 550e8400-e29b-41d4-a716-446655440000",
        "\"integrity\": \"sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==\"",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "let token = self.next_token(); // token: Token::Ident",
        "token: String,\n password: &str,\n secret: [u8; 32]",
        "fn password(&self) -> Option<&str> { self.password.as_deref() }",
        "\"next_page_token\": \"CAUQAA8kQ2hZS0ZHTjFiV1Z1ZEhNU0RBaXo\"",
        "max_tokens=4096, token_count: 123456789",
        "-----BEGIN PRIVATE KEY-----\n<your key>\n-----END PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf\n-----END PUBLIC KEY-----",
        "task-abcdef0123456789abcdef0123456789 disk-0123456789abcdef0123",
        "pass the --username and --password options, or -pass -number",
        "Enter your password: then press return",
        "class=\"sk-fading-circle-and-more-of-it\"",
        "docker run -u 1000:1000 -v /a:/b img",
        "mkdir -p build && mysql --version",
        "arn:aws:iam::123456789012:role/Name ak-shade",
    ];
    for text in cases {
        assert_eq!(scrubber().scrub(text), text);
    }
}

#[test]
fn user_pattern_replaces_its_match_or_its_group() {
    let list = [
        Pattern::Plain(r"\bACME-[0-9]{6}\b".to_owned()),
        Pattern::Plain("(".to_owned()),
        Pattern::Named { name: "badge".to_owned(), pattern: r"badge=(?<secret>\w+)".to_owned() },
    ];
    let scrubber = crate::otel::scrub::Scrubber::new(&list);
    let text = "id ACME-123456, badge=z9 and ÄACME-1";
    let out = scrubber.scrub(text);
    assert_eq!(out, "id <secret:custom>, badge=<secret:badge> and ÄACME-1");
    assert_eq!(scrubber.scrub(&out), out);
}

#[test]
fn built_in_rules_hold_however_many_patterns_there_are() {
    for list in [vec![Pattern::Plain("(".to_owned())], vec![Pattern::Plain("zzz".to_owned()); 300]] {
        let out =
            crate::otel::scrub::Scrubber::new(&list).scrub("mysql -u root -phunter42 shop").into_owned();
        assert_eq!(out, "mysql -u root -p<secret:password> shop");
    }
}
