//! Where a secret begins and ends, to the byte, for everything that is read by more than a row of a table: what stands
//! between `[[` and `]]` goes, and nothing else.

use super::forms::unmarked;
use super::scrubber;

#[track_caller]
fn exact(cases: &[&str]) {
    for marked in cases {
        let (text, expected) = unmarked(marked);
        let found: Vec<_> = scrubber().findings(&text).into_iter().map(|f| f.range).collect();
        let shown: Vec<_> = found.iter().map(|r| &text[r.clone()]).collect();
        assert_eq!(found, expected, "in {text:?} went {shown:?}");
    }
}

#[test]
fn values_end_where_their_syntax_ends_them() {
    exact(&[
        "export API_TOKEN=[[q7Zp2Lm9Xc4Vb8Nd1Kf6]] && run",
        "API_TOKEN='[[q7Zp2Lm9Xc4Vb8Nd1Kf6]]' run",
        "{\"password\": \"[[hunter2&x;y]]\", \"user\": \"ada\"}",
        "password: [[c0rrect-Horse7]]\nuser: ada",
        "mysql --password=[[c0rrectHorse7]] -u ada",
        "set PGPASSWORD=[[c0rrectHorse7]]\nset PGUSER=ada",
        "<password>[[c0rrectHorse7]]</password><user>ada</user>",
        "https://example.com/?access_token=[[q7Zp2Lm9Xc4Vb8Nd1Kf6]]&page=2",
        "client(api_key=\"[[q7Zp2Lm9Xc4Vb8Nd1Kf6]]\", retries=3)",
        "the password is read from a file, and the token as well",
        "PWD=/home/ada/work",
        "password = getpass()\ntoken = request.headers[name]",
    ]);
}

#[test]
fn block_of_a_name_goes_to_its_last_indented_line() {
    exact(&[
        "password: |\n  [[c0rrectHorse7\n  q7Zp2Lm9Xc4V]]\nuser: ada\n",
        "a:\n  client_secret: >-\n    [[c0rrectHorse7]]\n\n  user: ada\n",
        "a:\n    password: |\n        [[q7Zp2Lm9Xc4Vb8Nd1Kf6\n\n        c0rrectHorse7]]\n    name: b\n",
    ]);
}

#[test]
fn columns_named_like_secrets_go_row_by_row() {
    exact(&[
        "| user | password |\n|---|---|\n| ada | [[c0rrectHorse7]] |\n| bob | [[q7Zp2Lm9Xc4V]] |\n\ndone",
        "user,api_token,role\nada,[[q7Zp2Lm9Xc4Vb8Nd1Kf6]],admin\nbob,[[Kf6Zp2Lm9Xc4Vb8Nd1q7]],guest\n",
        "user\tpassword\nada\t[[q7Zp2Lm9Xc4Vb8Nd1Kf6]]\n",
        "+------+---------------+\n| user | password      |\n+------+---------------+\n| ada  | [[c0rrectHorse7]] |\n+------+---------------+\n",
        "| user | role |\n|---|---|\n| ada | c0rrectHorse7 |\n",
    ]);
}

#[test]
fn data_of_a_manifest_of_secrets_goes_whole() {
    exact(&[
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ndata:\n  user: [[YWRhLmxvdmVsYWNl]]\n  host: [[ZGIuZXhhbXBsZQ==]]\ntype: Opaque\n",
        "apiVersion: v1\ndata:\n  user: [[YWRhLmxvdmVsYWNl]]\nkind: Secret\n---\nkind: ConfigMap\ndata:\n  mode: YWRhLmxvdmVsYWNl\n",
        "kind: ConfigMap\ndata:\n  mode: YWRhLmxvdmVsYWNl\n---\nkind: Secret\nstringData:\n  note: \"[[some words of ours]]\"\n",
        "{\"kind\":\"Secret\",\"data\":{\"user\":\"[[YWRhLmxvdmVsYWNl]]\",\"host\":\"[[ZGIuZXhhbXBsZQ==]]\"},\"type\":\"Opaque\"}",
    ]);
}

#[test]
fn names_beside_values_name_them() {
    exact(&[
        "- name: DB_PASSWORD\n  value: [[c0rrectHorse7]]\n- name: DB_HOST\n  value: db.example.com\n",
        "{\"name\": \"API_TOKEN\", \"value\": \"[[q7Zp2Lm9Xc4Vb8Nd1Kf6]]\"}, {\"name\": \"MODE\", \"value\": \"q7Zp2Lm9Xc4Vb8Nd1Kf6\"}",
        "{\"value\": \"[[q7Zp2Lm9Xc4Vb8Nd1Kf6]]\", \"name\": \"API_TOKEN\"}",
    ]);
}

#[test]
fn password_of_an_address_goes_and_the_rest_stays() {
    exact(&[
        "postgres://ada:[[c0rrectHorse7]]@db.example.com:5432/app",
        "redis://:[[c0rrectHorse7]]@cache:6379/0",
        "see https://example.com:8080/a@b",
        "git clone https://ada@example.com/app.git",
    ]);
}

#[test]
fn base64_of_a_file_of_secrets_goes_whole() {
    use base64::Engine;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let secret = encode("USER=ada\nAPI_TOKEN=q7Zp2Lm9Xc4Vb8Nd1Kf6\nMODE=live\n");
    let plain = encode("USER=ada\nAPI_TOKEN=changeme\nMODE=live and well\n");
    exact(&[&format!("config: [[{secret}]]\nmode: live"), &format!("config: {plain}\nmode: live")]);
}

#[test]
fn keys_in_armour_go_with_what_is_cut_off() {
    let body = "MIIEowIBAAKCAQEAq7Zp2Lm9Xc4Vb8Nd1Kf6MIIEowIBAAKCAQEAq7Zp2Lm9Xc4V";
    let text =
        format!("-----BEGIN RSA PRIVATE KEY-----\n{body}\n{body}\n-----END RSA PRIVATE KEY-----\nnext");
    let scrubbed = scrubber().scrub(&text).into_owned();
    assert!(!scrubbed.contains(&body[..12]) && scrubbed.ends_with("next"), "{scrubbed}");
    let cut = scrubber().scrub(&text[..80]).into_owned();
    assert!(!cut.contains(&body[..12]), "{cut}");
}
