//! The places in which a secret of the corpus stands: what agents print, write and call.

use crate::otel::scrub::tests::Random;
use crate::otel::scrub::tests::forms::Secret;

/// A way to carry a secret; `None` when a secret cannot stand there.
type Carry = fn(&Secret, &mut Random) -> Option<String>;

pub(super) const CARRIERS: &[(&str, Carry)] = &[
    ("plain", |s, r| Some(named(s, &format!("{} ", r.pick(&["the new one is", "got", "use"])), " for now"))),
    ("quoted", |s, r| Some(format!("let {} = \"{}\";", s.name.unwrap_or("x"), one_line(s, r)?))),
    ("json", |s, _| Some(json(&object(s)))),
    ("json unicode", |s, _| Some(unicode(&object(s)))),
    ("escaped json", |s, _| Some(format!("{{\"output\":\"{}\"}}", escape(&json(&object(s)))))),
    ("doubly escaped", |s, _| {
        Some(format!("[\"{}\"]", escape(&format!("{{\"o\":\"{}\"}}", escape(&json(&object(s)))))))
    }),
    ("quotes as unicode", |s, _| Some(json(&object(s)).replace('"', "\\u0022"))),
    ("shell export", |s, r| {
        Some(format!(
            "$ export {}={}\n$ make\n",
            s.name.unwrap_or(r.pick(&["VALUE", "MY_TOKEN", "K"])),
            shell(s)?
        ))
    }),
    ("shell export, quoted", |s, r| {
        Some(format!("export {}=\"{}\" && ./run", s.name.unwrap_or(r.pick(&["VALUE", "API_KEY"])), s.text))
    }),
    ("env file", |s, r| {
        Some(format!("DEBUG=1\n{}={}\nPORT=80\n", s.name.unwrap_or(r.pick(&["VALUE", "SECRET"])), shell(s)?))
    }),
    ("yaml", |s, r| Some(format!("db:\n  {}: {}\n  port: 80\n", s.name.unwrap_or("value"), one_line(s, r)?))),
    ("flag", |s, r| {
        Some(format!(
            "tool login --{} {} --verbose",
            s.name.unwrap_or("value").to_lowercase().replace('_', "-"),
            one_line(s, r)?
        ))
    }),
    ("url query", |s, r| {
        let value =
            one_line(s, r).filter(|v| v.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)))?;
        Some(format!("GET https://api.host.net/v1/x?{}={value}&page=2 200", s.name.unwrap_or("k")))
    }),
    ("header", |s, r| {
        Some(format!("> {}: {}\r\n> Accept: */*\r\n", s.name.unwrap_or("X-Value"), one_line(s, r)?))
    }),
    ("curl", |s, r| {
        Some(format!("curl -H '{}: {}' https://api.host.net/", s.name.unwrap_or("X-Value"), one_line(s, r)?))
    }),
    ("diff", |s, r| {
        let line = format!("{}{}", s.name.map_or(String::new(), |n| format!("{n}=")), one_line(s, r)?);
        Some(format!("@@ -1,2 +1,2 @@\n-{line}\n+{line}\n unchanged\n"))
    }),
    ("python repr", |s, _| {
        Some(format!("{{'{}': '{}', 'n': 1}}", s.name.unwrap_or("value"), escape(&s.text)))
    }),
    ("python bytes", |s, _| {
        Some(format!("os.environ['{}'] = b'{}'", s.name.unwrap_or("value"), escape(&s.text)))
    }),
    ("coloured", |s, _| {
        Some(format!(
            "\x1b[2m{}\x1b[0m\x1b[32m{}\x1b[0m\n",
            s.name.map_or(String::new(), |n| format!("{n}=\x1b[0m")),
            s.text
        ))
        .filter(|_| s.name.is_none())
    }),
    ("coloured, escaped", |s, _| {
        s.name.is_none().then(|| escape(&format!("ok \x1b[32m{}\x1b[0m", s.text)).replace('\x1b', "\\u001b"))
    }),
    ("wrapped", |s, r| wrapped(s, r, "\n")),
    ("wrapped, crlf", |s, r| wrapped(s, r, "\r\n")),
    ("wrapped in json", |s, r| Some(escape(&wrapped(s, r, "\r\n")?))),
    ("wrapped, quoted json", |s, r| {
        let line = json(&object(s));
        Some(escape(&fold(&line, 40 + r.below(80), "\n")))
    }),
];

fn named(s: &Secret, before: &str, after: &str) -> String {
    match s.name {
        Some(name) => format!("{before}{name}={}{}", s.text, if s.text.contains('\n') { "" } else { after }),
        None => format!("{before}{}{after}", s.text),
    }
}

/// Two fields, the second of which holds the secret.
fn object(s: &Secret) -> [(&str, &str); 2] {
    [("id", "17"), (s.name.unwrap_or("text"), &s.text)]
}

fn json(fields: &[(&str, &str); 2]) -> String {
    let list: Vec<String> = fields.iter().map(|(k, v)| format!("\"{k}\":\"{}\"", escape(v))).collect();
    format!("{{{}}}", list.join(","))
}

/// As .NET and PHP write JSON: more characters escaped than need be.
fn unicode(fields: &[(&str, &str); 2]) -> String {
    let text = json(fields);
    text.replace('/', "\\/").replace('+', "\\u002B").replace('&', "\\u0026")
}

pub(super) fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
        .replace('\r', "\\r")
        .replace('\t', "\\t")
}

fn one_line<'s>(s: &'s Secret, _: &mut Random) -> Option<&'s str> {
    (!s.text.contains('\n')).then_some(&s.text)
}

/// Quoted when a shell would split it.
fn shell(s: &Secret) -> Option<String> {
    let plain = s.text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+/=:~!*@%?#".contains(&b));
    Some(if plain { s.text.clone() } else { format!("'{}'", s.text) })
}

/// A line that a terminal of 40 to 160 columns has broken inside the secret.
fn wrapped(s: &Secret, r: &mut Random, newline: &str) -> Option<String> {
    let width = 40 + r.below(120);
    let lead = r.below(width);
    let filler: String = "set the value to this one please and then go on with all the rest of it ok "
        .repeat(3)[..lead]
        .trim_end()
        .to_owned();
    let line = named(s, &format!("{filler} "), " next");
    Some(fold(&line, width, newline) + newline)
}

fn fold(line: &str, width: usize, newline: &str) -> String {
    let rows: Vec<String> = line
        .split('\n')
        .flat_map(|l| {
            let chars: Vec<char> = l.chars().collect();
            if chars.is_empty() {
                vec![String::new()]
            } else {
                chars.chunks(width).map(|c| c.iter().collect()).collect()
            }
        })
        .collect();
    rows.join(newline)
}
