//! Which requests are answered: those that know the token, name this address, and come from no other page.

/// The parts of a request that decide whether it is answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    pub method: &'a str,
    /// The path with its query.
    pub target: &'a str,
    pub host: Option<&'a str>,
    pub origin: Option<&'a str>,
    /// `Sec-Fetch-Site`, which browsers send.
    pub fetch_site: Option<&'a str>,
}

/// The page that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    Index,
    Script,
    Style,
    /// Turns, by the parameters of the query.
    Turns(Vec<(String, String)>),
    /// What turns cost, by the parameters of the query.
    Costs(Vec<(String, String)>),
    /// Turns as a table for other programs, by the parameters of the query.
    TurnsTable(Vec<(String, String)>),
    /// The same of what they cost.
    CostsTable(Vec<(String, String)>),
    /// The conversation of a session.
    Session(String),
    /// All turns of a session as one page that needs no server.
    Export(String),
    /// The page of a turn: `TURN.THREAD`.
    Turn(String),
    /// The rows of a turn that runs, anew.
    Data(String),
    /// The details of some of its spans, by the parameters of the query.
    Details(String, Vec<(String, String)>),
    Changes,
}

/// Returns the page that a request asks for; none when it must not be answered, or there is no such page.
pub fn route(asked: &Asked, port: u16, token: &str) -> Option<Route> {
    let here = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let is_here = |host: &str| here.iter().any(|h| h == host);
    let from_here = |origin: &str| origin.strip_prefix("http://").is_some_and(is_here);
    let allowed = matches!(asked.method, "GET" | "HEAD")
        && asked.host.is_some_and(is_here)
        && asked.origin.is_none_or(from_here)
        && asked.fetch_site.is_none_or(|site| matches!(site, "same-origin" | "none"));
    let (path, query) = asked.target.split_once('?').unwrap_or((asked.target, ""));
    let (given, page) = path.strip_prefix('/')?.split_once('/')?;
    // Both are compared, whatever the other says, so that the time tells nothing of the token.
    if !(is_same(given, token) & allowed) {
        return None;
    }
    let parameters =
        || query.split('&').filter(|p| !p.is_empty()).take(MAX_PARAMETERS).map(parameter).collect();
    match page.split_once('/') {
        None if page.is_empty() => Some(Route::Index),
        None if page == "index.js" => Some(Route::Script),
        None if page == "index.css" => Some(Route::Style),
        None if page == "turns" => Some(Route::Turns(parameters())),
        None if page == "costs" => Some(Route::Costs(parameters())),
        None if page == "turns.csv" => Some(Route::TurnsTable(parameters())),
        None if page == "costs.csv" => Some(Route::CostsTable(parameters())),
        None if page == "changes" => Some(Route::Changes),
        Some(("session", id)) if is_id(id) => Some(Route::Session(id.to_owned())),
        Some(("export", id)) if is_id(id) => Some(Route::Export(id.to_owned())),
        Some(("turn", id)) if is_id(id) => Some(Route::Turn(id.to_owned())),
        Some(("data", id)) if is_id(id) => Some(Route::Data(id.to_owned())),
        Some(("details", id)) if is_id(id) => Some(Route::Details(id.to_owned(), parameters())),
        _ => None,
    }
}

/// Compares in a time that does not depend on where two texts differ.
fn is_same(one: &str, other: &str) -> bool {
    let differs = one.bytes().zip(other.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differs == 0
}

fn is_id(text: &str) -> bool {
    text.len() <= MAX_ID && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn parameter(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (decode(name), decode(value))
}

/// Undoes the encoding of a query (URL Standard, "application/x-www-form-urlencoded").
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) => out.push(b' '),
            (byte, ..) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

const MAX_PARAMETERS: usize = 32;
/// More than two ids and a dot.
const MAX_ID: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(target: &str) -> Asked<'_> {
        Asked { method: "GET", target, host: Some("127.0.0.1:7"), ..Asked::default() }
    }

    #[test]
    fn pages_are_found_under_the_token() {
        let of = |target| route(&asked(target), 7, "abc");
        assert_eq!(of("/abc/"), Some(Route::Index));
        assert_eq!(of("/abc/index.js"), Some(Route::Script));
        assert_eq!(of("/abc/turn/t-1.s_2"), Some(Route::Turn("t-1.s_2".into())));
        let parameters = vec![("q".into(), "a b&%".into()), ("x".into(), String::new())];
        assert_eq!(of("/abc/turns?q=a+b%26%&x"), Some(Route::Turns(parameters)));
    }

    #[test]
    fn strangers_get_no_page() {
        for target in [
            "/",
            "/abc",
            "/abd/",
            "/ab/",
            "/abcd/",
            "//abc/",
            "/abc/../",
            "/abc/turn/../x",
            "/abc/turn/a/b",
            "/abc/details/a/b",
            "/abc/x",
            "abc/",
        ] {
            assert_eq!(route(&asked(target), 7, "abc"), None, "{target}");
        }
        let good = asked("/abc/");
        for bad in [
            Asked { method: "POST", ..good },
            Asked { host: None, ..good },
            Asked { host: Some("evil.example:7"), ..good },
            Asked { host: Some("127.0.0.1:8"), ..good },
            Asked { origin: Some("http://evil.example"), ..good },
            Asked { origin: Some("null"), ..good },
            Asked { fetch_site: Some("cross-site"), ..good },
            Asked { fetch_site: Some("same-site"), ..good },
        ] {
            assert_eq!(route(&bad, 7, "abc"), None, "{bad:?}");
        }
        let own = Asked { origin: Some("http://localhost:7"), fetch_site: Some("same-origin"), ..good };
        assert_eq!(route(&own, 7, "abc"), Some(Route::Index));
    }
}
