//! The secrets of the corpus, by the formats that their vendors document; not by the rules under test. They are put
//! together at run time, so that no scanner of repositories takes this file for a leak.

use std::ops::Range;

use crate::otel::scrub::tests::Random;

/// A generated secret: the text to place, the part of it that must go, and the name it needs, if it is known by its
/// name only.
pub(super) struct Secret {
    pub(super) text: String,
    pub(super) core: String,
    pub(super) name: Option<&'static str>,
}

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const DIGIT: &str = "0123456789";

/// Alphabets by letter: `a` base62, `u` base64url, `b` base64, `h` hex, `H` in capitals, `d` digits, `U` upper and digits, `l` lower and
/// digits, `2` base32, `w` bech32 in capitals, `p` what password managers make.
fn alphabet(letter: char) -> String {
    match letter {
        'a' => [UPPER, LOWER, DIGIT].concat(),
        'u' => [UPPER, LOWER, DIGIT, "-_"].concat(),
        'b' => [UPPER, LOWER, DIGIT, "+/"].concat(),
        'h' => "0123456789abcdef".into(),
        'H' => "0123456789ABCDEF".into(),
        'd' => DIGIT.into(),
        'U' => [UPPER, DIGIT].concat(),
        'l' => [LOWER, DIGIT].concat(),
        '2' => [UPPER, "234567"].concat(),
        'w' => "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".into(),
        'p' => [UPPER, LOWER, DIGIT, DIGIT, "!*_.-"].concat(),
        other => panic!("no alphabet {other}"),
    }
}

/// Fills `{a36}` with 36 bytes of alphabet `a`, and `{uuid}`, `{jwt}`, `{word}`, `{basic}`, `{pem}`.
fn fill(template: &str, r: &mut Random) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let closed = after.split_once('}').filter(|(slot, _)| {
            !slot.is_empty() && slot.len() < 10 && slot.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        let Some((slot, tail)) = closed else {
            out.push('{');
            rest = after;
            continue;
        };
        out.push_str(&match if slot.starts_with(['o', 'j']) || slot.starts_with("word") {
            slot.trim_end_matches(|c: char| c.is_ascii_digit())
        } else {
            slot
        } {
            "brace" => "{".to_owned(),
            "weak" => (*r.pick(&["dragon", "letmein", "sunshine", "princess", "football"])).to_owned(),
            // What a syntax may take for an end: all of it, and what XML and URLs leave of it.
            "odd" => odd(
                if slot == "odd4" {
                    "$&;(!~"
                } else if slot == "odd3" {
                    "$;>({["
                } else {
                    "$&;<>({["
                },
                r,
            ),
            "b64word" => base64(format!("{}{}!", r.text(LOWER, 6), r.below(9000)).as_bytes()),
            "b64url" => base64(format!("postgres://app:{}@db/main", r.text(&alphabet('a'), 12)).as_bytes()),
            "b64pem" => {
                let line = r.text(&alphabet('b'), 64);
                base64(
                    ["-----BEGIN RSA ", "PRIVATE KEY-----\n", &format!("{line}\n{line}\n")]
                        .concat()
                        .as_bytes(),
                )
            }
            "b64env" => {
                base64(format!("HOST=db\nDB_PASSWORD={}\nPORT=5432\n", r.text(&alphabet('a'), 14)).as_bytes())
            }
            "pemline" => r.text(&alphabet('b'), 64),
            "uuid" => {
                let mut h = |n| r.text(&alphabet('h'), n);
                format!("{}-{}-4{}-a{}-{}", h(8), h(4), h(3), h(3), h(12))
            }
            "jwt" => {
                let head = base64(br#"{"alg":"HS256","typ":"JWT"}"#).replace('=', "");
                let body = format!(r#"{{"sub":"{}","iat":17{}}}"#, r.text(LOWER, 12), r.text(DIGIT, 8));
                let body = base64(body.as_bytes()).replace(['=', '+', '/'], "");
                format!("{head}.{body}.{}", r.text(&alphabet('u'), 43))
            }
            "word" => format!(
                "{}{}{}",
                r.pick(&["Sommer", "dragon", "Monkey", "hunter", "qwerty"]),
                r.below(9000) + 100,
                r.pick(&["!", "#", "", "?"])
            ),
            "basic" => base64(format!("deploy:{}", r.text(&alphabet('a'), 14)).as_bytes()),
            "snowflake" => {
                base64(format!("{}{}", 1 + r.below(9), r.text(DIGIT, 17)).as_bytes()).replace('=', "")
            }
            "pem" => (0..8).map(|_| r.text(&alphabet('b'), 64) + "\n").collect(),
            _ => {
                let mut chars = slot.chars();
                let set = alphabet(chars.next().expect("a letter"));
                r.text(&set, chars.as_str().parse().expect("a length"))
            }
        });
        rest = tail;
    }
    out + rest
}

/// A password with signs in it.
fn odd(signs: &str, r: &mut Random) -> String {
    let part = |r: &mut Random| r.text(&alphabet('a'), 2);
    signs.chars().map(|sign| part(r) + &sign.to_string()).collect::<String>() + &part(r)
}

/// Takes the brackets off the parts of a text that are marked `[[…]]`; returns where these are.
pub(super) fn unmarked(marked: &str) -> (String, Vec<Range<usize>>) {
    let (mut text, mut ranges, mut rest) = (String::new(), Vec::new(), marked);
    while let Some((before, after)) = rest.split_once("[[") {
        let (part, tail) = after.split_once("]]").expect("a closed mark");
        text += before;
        ranges.push(text.len()..text.len() + part.len());
        text += part;
        rest = tail;
    }
    (text + rest, ranges)
}

/// Fills a text with several secrets; returns it without the brackets, and the secrets.
pub(super) fn fill_all(template: &str, r: &mut Random) -> (String, Vec<String>) {
    let (text, ranges) = unmarked(&fill(template, r));
    let cores = ranges.into_iter().map(|range| text[range].to_owned()).collect();
    (text, cores)
}

/// One secret of a form. In a template `[[…]]` is the part that must go; without it all of the text must.
pub(super) fn generate(template: &str, name: Option<&'static str>, r: &mut Random) -> Secret {
    let (text, mut cores) = fill_all(template, r);
    let core = cores.pop().unwrap_or_else(|| text.clone());
    assert!(cores.is_empty(), "one secret in {template}");
    Secret { text, core, name }
}

pub(super) fn base64(bytes: &[u8]) -> String {
    let set = alphabet('b').into_bytes();
    let set: Vec<u8> = [&set[..26], &set[26..]].concat();
    bytes
        .chunks(3)
        .map(|c| {
            let n = c.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - c.len()));
            (0..4)
                .map(|i| if i > c.len() { '=' } else { set[(n >> (18 - 6 * i) & 63) as usize] as char })
                .collect::<String>()
        })
        .collect()
}

/// Kind, template, and the names under which a secret without a form of its own is assigned.
pub(super) const FORMS: &[(&str, &str, &[&str])] = &[
    ("openai", "sk-{a20}T3BlbkFJ{a20}", &[]),
    ("openai", "sk-proj-{u74}T3BlbkFJ{u74}", &[]),
    ("openai", "sk-proj-{a48}", &[]),
    ("openai", "sk-svcacct-{u74}T3BlbkFJ{u74}", &[]),
    ("openai", "sk-admin-{u58}T3BlbkFJ{u58}", &[]),
    ("anthropic", "sk-ant-api03-{u93}AA", &[]),
    ("anthropic", "sk-ant-admin01-{u93}AA", &[]),
    ("anthropic", "sk-ant-oat01-{u93}AA", &[]),
    ("aws", "AKIA{216}", &[]),
    ("aws", "ASIA{216}", &[]),
    (
        "aws",
        "{b40}",
        &["AWS_SECRET_ACCESS_KEY", "aws_secret_access_key", "secretAccessKey", "SecretAccessKey"],
    ),
    ("aws", "IQoJb3JpZ2luX2Vj{b300}", &[]),
    ("aws", "FwoGZXIvYXdzE{b280}", &["AWS_SESSION_TOKEN"]),
    ("gcp", "AIza{u35}", &[]),
    ("gcp", "ya29.a0{u120}", &[]),
    ("gcp", "GOCSPX-{u28}", &[]),
    (
        "azure",
        "DefaultEndpointsProtocol=https;AccountName=box;AccountKey=[[{b86}==]];EndpointSuffix=core.windows.net",
        &[],
    ),
    ("azure", "https://box.blob.core.windows.net/c/f?sv=2024-11-04&ss=b&sp=r&sig=[[{a20}%2F{a20}%3D]]", &[]),
    ("azure", "{a3}8Q~{u34}", &[]),
    (
        "azure",
        "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=[[{b43}=]]",
        &[],
    ),
    ("github", "ghp_{a36}", &[]),
    ("github", "gho_{a36}", &[]),
    ("github", "ghu_{a36}", &[]),
    ("github", "ghs_{a36}", &[]),
    ("github", "ghr_{a36}", &[]),
    ("github", "github_pat_{a22}_{a59}", &[]),
    ("gitlab", "glpat-{u20}", &[]),
    ("gitlab", "glpat-{u27}.01.{l9}", &[]),
    ("gitlab", "glrt-{u20}", &[]),
    ("gitlab", "gldt-{u20}", &[]),
    ("gitlab", "glptt-{h40}", &[]),
    ("slack", "xoxb-{d12}-{d13}-{a24}", &[]),
    ("slack", "xoxp-{d12}-{d12}-{d12}-{h32}", &[]),
    ("slack", "xapp-1-A{U10}-{d13}-{h64}", &[]),
    ("slack", "https://hooks.slack.com/services/[[T{U10}/B{U10}/{a24}]]", &[]),
    ("stripe", "sk_live_{a24}", &[]),
    ("stripe", "sk_live_51{a97}", &[]),
    ("stripe", "rk_test_{a24}", &[]),
    ("stripe", "whsec_{a32}", &[]),
    ("npm", "npm_{a36}", &[]),
    ("pypi", "pypi-AgEIcHlwaS5vcmc{u140}", &[]),
    ("huggingface", "hf_{a34}", &[]),
    ("arize", "ak-{uuid}-{a32}", &[]),
    ("arize", "{h20}", &["ARIZE_API_KEY"]),
    ("phoenix", "{jwt}", &["PHOENIX_API_KEY"]),
    ("jwt", "{jwt}", &[]),
    ("private-key", "-----BEGIN RSA PRIVATE KEY-----\n[[{pem}]]-----END RSA PRIVATE KEY-----\n", &[]),
    ("private-key", "-----BEGIN OPENSSH PRIVATE KEY-----\n[[{pem}]]-----END OPENSSH PRIVATE KEY-----\n", &[]),
    (
        "private-key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n[[{pem}]]-----END ENCRYPTED PRIVATE KEY-----\n",
        &[],
    ),
    ("private-key", "-----BEGIN EC PRIVATE KEY-----\n[[{pem}]]-----END EC PRIVATE KEY-----\n", &[]),
    (
        "private-key",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n[[{pem}]]={b4}\n-----END PGP PRIVATE KEY BLOCK-----\n",
        &[],
    ),
    ("database-url", "postgres://app:[[{a20}]]@db.internal:5432/main", &[]),
    ("database-url", "mysql://root:[[{p16}]]@10.0.0.5/shop", &[]),
    ("database-url", "mongodb+srv://svc:[[{a24}]]@cluster0.ab1cd.mongodb.net/?w=majority", &[]),
    ("database-url", "redis://:[[{a32}]]@cache:6379/0", &[]),
    ("database-url", "amqps://worker:[[{word}]]@mq.internal/v", &[]),
    ("url", "https://bob:[[{p14}]]@git.corp.net/x.git", &[]),
    ("url", "https://oauth2:[[{h40}]]@git.corp.net/x.git", &[]),
    ("authorization", "Authorization: Bearer [[{u40}]]", &[]),
    ("authorization", "authorization: bearer [[{a64}]]", &[]),
    ("authorization", "AUTHORIZATION: Basic [[{basic}]]", &[]),
    ("authorization", "Authorization: token [[{h40}]]", &[]),
    ("cookie", "Cookie: theme=dark; [[session={u43}]]", &[]),
    ("cookie", "Set-Cookie: [[sid={a32}]]; Path=/; HttpOnly", &[]),
    (
        "assignment",
        "{a32}",
        &[
            "SERVICE_TOKEN",
            "DEPLOY_TOKEN",
            "api_key",
            "apiKey",
            "client_secret",
            "X-Api-Key",
            "accessToken",
            "auth_token",
        ],
    ),
    ("assignment", "{h32}", &["TWILIO_AUTH_TOKEN", "DATADOG_API_KEY", "app_secret", "api-key"]),
    ("assignment", "{h64}", &["SECRET_KEY", "SESSION_SECRET", "ENCRYPTION_KEY"]),
    (
        "password",
        "{p16}",
        &["DB_PASSWORD", "password", "PGPASSWORD", "spring.datasource.password", "adminPassword", "passwd"],
    ),
    ("password", "{word}", &["DB_PASSWORD", "password", "PGPASSWORD", "userPassword"]),
    ("twilio", "SK{h32}", &[]),
    ("sendgrid", "SG.{u22}.{u43}", &[]),
    ("discord", "{snowflake}.{u6}.{u38}", &[]),
    ("telegram", "{d9}7:AA{u33}", &[]),
    ("digitalocean", "dop_v1_{h64}", &[]),
    ("databricks", "dapi{h32}", &[]),
    ("databricks", "dapi{h32}-2", &[]),
    ("vault", "hvs.{u90}", &[]),
    ("shopify", "shpat_{h32}", &[]),
    ("linear", "lin_api_{a40}", &[]),
    ("notion", "ntn_{d11}{a35}", &[]),
    ("notion", "secret_{a43}", &[]),
    ("grafana", "glsa_{a32}_{h8}", &[]),
    ("grafana", "glc_{b120}==", &[]),
    ("sentry", "sntryu_{h64}", &[]),
    ("sentry", "sntrys_{b120}_{b43}", &[]),
    ("docker-hub", "dckr_pat_{u27}", &[]),
    ("cloudflare", "{u40}", &["CLOUDFLARE_API_TOKEN", "CF_API_TOKEN"]),
    ("cloudflare", "v1.0-{h24}-{h146}", &[]),
    ("supabase", "sbp_{h40}", &[]),
    ("supabase", "sb_secret_{u22}_{u8}", &[]),
    ("atlassian", "ATATT3xFfGF0{u180}={H8}", &[]),
    ("doppler", "dp.pt.{a43}", &[]),
    ("doppler", "dp.st.dev.{a43}", &[]),
    ("age", "AGE-SECRET-KEY-1{w58}", &[]),
    ("postman", "PMAK-{h24}-{h34}", &[]),
    ("rubygems", "rubygems_{h48}", &[]),
    ("tailscale", "tskey-auth-{a12}CNTRL-{a32}", &[]),
    ("groq", "gsk_{a52}", &[]),
    ("openrouter", "sk-or-v1-{h64}", &[]),
    ("azure-devops", "{a76}AZDO{a4}", &[]),
    ("terraform", "{a14}.atlasv1.{u67}", &[]),
    ("figma", "figd_{u40}", &[]),
];
