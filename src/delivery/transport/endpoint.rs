//! Where a backend listens, read from the forms people write.

use std::fmt;
use std::net::IpAddr;

use crate::settings::{Protocol, Settings, Target};

/// A backend's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub tls: bool,
    /// A name or an address, IPv6 in brackets.
    pub host: String,
    pub port: u16,
    /// Empty, or with a leading and without a trailing slash.
    pub path: String,
}

/// Why a text is no endpoint. The text is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("no endpoint is set")]
    Missing,
    #[error("endpoint is not a URL of the form http(s)://host:port or host:port")]
    Malformed,
    #[error("endpoint contains a user name or password; use api_key or headers instead")]
    Credentials,
}

impl Endpoint {
    /// Reads the endpoint of the settings.
    ///
    /// # Errors
    /// When there is none, or it is malformed or holds credentials.
    pub fn of(settings: &Settings) -> Result<Endpoint, EndpointError> {
        let text = settings.endpoint.as_deref().ok_or(EndpointError::Missing)?;
        let port = match (settings.target, settings.protocol) {
            (Some(Target::Phoenix), _) => PHOENIX_PORT,
            (_, Protocol::Grpc) => GRPC_PORT,
            (_, Protocol::HttpProtobuf) => HTTP_PORT,
        };
        Endpoint::parse(text, settings.target, port)
    }

    /// Reads `host:port` and `http(s)://host[:port][/path]`. Without a scheme, this machine and any named port
    /// but 443 mean plain text, everything else TLS; `local_port` is the port of this machine when none is named.
    ///
    /// # Errors
    /// When the text is malformed or holds credentials.
    pub fn parse(text: &str, target: Option<Target>, local_port: u16) -> Result<Endpoint, EndpointError> {
        let (scheme, rest) = match text.trim().split_once("://") {
            Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
            None => (None, text.trim()),
        };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        if authority.contains('@') {
            return Err(EndpointError::Credentials);
        }
        let (host, port) = split_port(authority)?;
        let local = is_loopback(&host);
        let tls = match scheme.as_deref() {
            Some("https" | "grpcs") => true,
            Some("http" | "grpc") => false,
            Some(_) => return Err(EndpointError::Malformed),
            None if local => port == Some(443),
            None if target == Some(Target::Arize) => true,
            None => port.is_none_or(|p| p == 443),
        };
        let port = port.unwrap_or(match (tls, &scheme) {
            (true, _) => 443,
            (false, None) => local_port,
            (false, Some(scheme)) if scheme == "grpc" => GRPC_PORT,
            (false, Some(_)) => 80,
        });
        let path = path.trim_end_matches('/').to_owned();
        if path.bytes().any(|b| b.is_ascii_control() || b == b' ' || !b.is_ascii()) {
            return Err(EndpointError::Malformed);
        }
        Ok(Endpoint { tls, host, port, path })
    }

    /// Returns where OTLP/HTTP posts spans (opentelemetry.io, "OTLP/HTTP request").
    pub fn traces_url(&self) -> String {
        if self.path.ends_with(TRACES_PATH) { self.to_string() } else { format!("{self}{TRACES_PATH}") }
    }

    /// Returns Phoenix's page of a trace, which finds its project by itself.
    pub fn phoenix_page(&self, trace_id: &str) -> String {
        let base = self.path.strip_suffix(TRACES_PATH).unwrap_or(&self.path);
        format!("{}{base}/redirects/traces/{trace_id}", self.origin())
    }

    /// The endpoint without its path, as gRPC uses it.
    pub fn origin(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }

    /// Returns true if it is on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}

fn split_port(authority: &str) -> Result<(String, Option<u16>), EndpointError> {
    let (host, port) = if authority.starts_with('[') {
        let end = authority.find(']').ok_or(EndpointError::Malformed)?;
        let (host, rest) = authority.split_at(end + 1);
        (host.to_owned(), if rest.is_empty() { None } else { Some(rest.strip_prefix(':').unwrap_or("x")) })
    } else if authority.parse::<std::net::Ipv6Addr>().is_ok() {
        (format!("[{authority}]"), None)
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (authority.to_owned(), None),
        }
    };
    let valid = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        }
    };
    let port =
        port.map(|p| p.parse().ok().filter(|p| *p != 0).ok_or(EndpointError::Malformed)).transpose()?;
    if valid { Ok((host, port)) } else { Err(EndpointError::Malformed) }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    // Names below localhost are looked up like any other, so whoever answers says where they lead.
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

const TRACES_PATH: &str = "/v1/traces";
const PHOENIX_PORT: u16 = 6006;
const GRPC_PORT: u16 = 4317;
const HTTP_PORT: u16 = 4318;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, target: Target) -> Result<Endpoint, EndpointError> {
        Endpoint::parse(text, Some(target), PHOENIX_PORT)
    }

    #[test]
    fn every_form_people_write_is_understood() {
        let table = [
            ("http://localhost:6006", "http://localhost:6006/v1/traces"),
            ("http://localhost:6006/", "http://localhost:6006/v1/traces"),
            ("localhost", "http://localhost:6006/v1/traces"),
            ("localhost:6006", "http://localhost:6006/v1/traces"),
            ("127.0.0.1:6006/v1/traces/", "http://127.0.0.1:6006/v1/traces"),
            ("HTTPS://app.phoenix.arize.com/s/me", "https://app.phoenix.arize.com:443/s/me/v1/traces"),
            ("app.phoenix.arize.com/s/me", "https://app.phoenix.arize.com:443/s/me/v1/traces"),
            ("phoenix.internal:6006", "http://phoenix.internal:6006/v1/traces"),
            ("phoenix.internal:443", "https://phoenix.internal:443/v1/traces"),
            ("http://[::1]:6006/x?y=z#f", "http://[::1]:6006/x/v1/traces"),
            ("::1", "http://[::1]:6006/v1/traces"),
            ("http://host", "http://host:80/v1/traces"),
            (" https://host ", "https://host:443/v1/traces"),
        ];
        for (text, url) in table {
            assert_eq!(parse(text, Target::Phoenix).map(|e| e.traces_url()), Ok(url.to_owned()), "{text}");
        }
        let arize = parse("otlp.arize.com:443", Target::Arize).unwrap();
        assert_eq!((arize.origin().as_str(), arize.is_loopback()), ("https://otlp.arize.com:443", false));
        assert_eq!(parse("collector:4317", Target::Arize).unwrap().origin(), "https://collector:4317");
        assert_eq!(parse("127.0.0.1:4317", Target::Arize).unwrap().origin(), "http://127.0.0.1:4317");
    }

    #[test]
    fn invalid_endpoint_is_refused_without_echo() {
        for text in
            ["", "http://", "ftp://h", "h:0", "h:99999", "h:p", "[::1", "[::1]x", "a b", "http://a/b c"]
        {
            assert_eq!(parse(text, Target::Phoenix), Err(EndpointError::Malformed), "{text}");
        }
        let secret = parse("http://user:secret@host", Target::Phoenix).unwrap_err();
        assert_eq!(secret, EndpointError::Credentials);
        assert!(!secret.to_string().contains("secret"));
    }

    #[test]
    fn loopback_is_recognised() {
        for host in ["localhost", "LOCALHOST", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["localhost.example.com", "a.localhost", "10.0.0.1", "[::2]", "127.0.0.1.example.com", "0.0.0.0"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
