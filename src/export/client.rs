//! One client for both transports, and what they share: credentials, trusted roots, the proxy, reading errors.

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use rustls_native_certs::CertificateResult;
use std::error::Error;
use std::io;
use std::time::Duration;

use super::endpoint::Endpoint;
use super::grpc::GrpcClient;
use super::http::HttpClient;
use super::retry::{Cause, Failure};
use crate::settings::{Protocol, Secret, Settings, Target};

/// A connection to the backend in force.
#[derive(Debug)]
pub enum Client {
    Http(Box<HttpClient>),
    Grpc(Box<GrpcClient>),
}

/// What a backend said to a request it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Spans it dropped nevertheless (OTLP, "Partial Success"); sending them again is forbidden.
    pub rejected_spans: u64,
}

impl Client {
    /// Makes the client that the settings ask for; nothing is sent yet.
    ///
    /// # Errors
    /// When the endpoint or the credentials cannot be used, or a key would travel in the clear.
    pub fn new(settings: &Settings) -> Result<Client, Failure> {
        let endpoint = Endpoint::of(settings).map_err(|e| unusable(e.to_string()))?;
        let headers = credentials(settings)?;
        let in_the_clear = !endpoint.tls && !endpoint.is_loopback() && !settings.allow_insecure;
        if in_the_clear && has_secret(settings) {
            return Err(unusable(format!(
                "the key is not sent over plain http to {}; use https, or set allow_insecure",
                endpoint.host
            )));
        }
        Ok(match settings.protocol {
            Protocol::HttpProtobuf => Client::Http(Box::new(HttpClient::new(&endpoint, &headers)?)),
            Protocol::Grpc => Client::Grpc(Box::new(GrpcClient::new(&endpoint, &headers)?)),
        })
    }

    /// Sends one request and waits at most `timeout` for all of it.
    ///
    /// # Errors
    /// When it was not accepted.
    pub fn send(
        &mut self,
        request: &ExportTraceServiceRequest,
        timeout: Duration,
    ) -> Result<Accepted, Failure> {
        match self {
            Client::Http(client) => client.send(request, timeout),
            Client::Grpc(client) => client.send(request, timeout),
        }
    }

    /// Asks Phoenix whether it shows a trace of a project (BACKENDS.md, "Read back").
    ///
    /// # Errors
    /// When it does not answer, or the backend is none that can be asked.
    pub fn shows_trace(&self, project: &str, trace_id: &str, timeout: Duration) -> Result<bool, Failure> {
        match self {
            Client::Http(client) => client.shows_trace(project, trace_id, timeout),
            Client::Grpc(_) => Err(unusable("gRPC cannot be asked for traces".to_owned())),
        }
    }
}

impl Accepted {
    pub(super) fn of(response: &ExportTraceServiceResponse) -> Accepted {
        let rejected = response.partial_success.as_ref().map_or(0, |p| p.rejected_spans);
        Accepted { rejected_spans: u64::try_from(rejected).unwrap_or(0) }
    }
}

fn has_secret(settings: &Settings) -> bool {
    settings.api_key.is_some() || !settings.headers.is_empty()
}

/// The headers, or gRPC metadata, that name the sender (BACKENDS.md).
fn credentials(settings: &Settings) -> Result<Vec<(String, Secret)>, Failure> {
    let mut headers = Vec::new();
    let mut add = |name: &str, value: String| headers.push((name.to_owned(), Secret::new(value)));
    let key = settings.api_key.as_ref().map(Secret::expose);
    if settings.target == Some(Target::Arize) {
        let (Some(key), Some(space)) = (key, settings.space_id.as_deref()) else {
            return Err(unusable("Arize AX needs api_key and space_id".to_owned()));
        };
        add("authorization", key.to_owned());
        add("api_key", key.to_owned());
        add("arize-space-id", space.to_owned());
        add("space_id", space.to_owned());
        add("arize-interface", "otel".to_owned());
    } else if let Some(key) = key {
        add("authorization", format!("Bearer {key}"));
    }
    for (name, value) in &settings.headers {
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        headers.push((name.to_ascii_lowercase(), value.clone()));
    }
    Ok(headers)
}

/// The certificate authorities of this machine; SSL_CERT_FILE and SSL_CERT_DIR replace them.
///
/// # Errors
/// When there are none, which makes every TLS connection fail.
pub(super) fn trusted_roots() -> Result<CertificateResult, Failure> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        return Err(Failure::new(Cause::Tls("no certificate authorities found on this machine".to_owned())));
    }
    Ok(found)
}

/// Makes ring the provider of every TLS connection of this process.
pub(super) fn install_tls_provider() {
    // It fails only when one has been installed before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The proxy that the environment wants between this machine and the endpoint; none for this machine itself.
pub(super) fn proxy(endpoint: &Endpoint) -> Option<Intercept> {
    if endpoint.is_loopback() {
        return None;
    }
    Matcher::from_env().intercept(&endpoint.origin().parse().ok()?)
}

/// Says why a connection failed in words of our own, from the innermost error that is known.
pub(super) fn cause_of(error: &(dyn Error + 'static)) -> Cause {
    let mut innermost = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Cause::Tls(tls.to_string());
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            // What an I/O error wraps is not among its sources.
            match io.get_ref() {
                Some(inner)
                    if innermost.is_empty() || inner.source().is_some() || inner.is::<rustls::Error>() =>
                {
                    return cause_of(inner);
                }
                _ => return cause_of_io(io),
            }
        }
        innermost = error.to_string();
        if innermost.starts_with("tunnel error") {
            return Cause::Proxy(innermost);
        }
        next = error.source();
    }
    innermost.truncate(innermost.floor_char_boundary(MAX_TEXT));
    Cause::Connection(innermost)
}

fn cause_of_io(error: &io::Error) -> Cause {
    Cause::Connection(
        match error.kind() {
            io::ErrorKind::TimedOut => return Cause::Timeout,
            io::ErrorKind::ConnectionRefused => "connection refused",
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => "connection reset",
            io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => "connection closed",
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "host unreachable",
            _ => return Cause::Connection(error.to_string()),
        }
        .to_owned(),
    )
}

pub(super) fn unusable(why: String) -> Failure {
    Failure::new(Cause::Settings(why))
}

/// The most of a foreign error's text that is kept.
const MAX_TEXT: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::testing::settings;

    fn refused(yaml: &str) -> Option<String> {
        let home = tempfile::tempdir().unwrap();
        Client::new(&settings(home.path(), yaml)).err().map(|f| f.to_string())
    }

    #[test]
    fn a_key_never_travels_in_the_clear_unasked() {
        let remote = "target: phoenix, endpoint: 'http://phoenix.example:6006'";
        assert_eq!(refused(remote), None);
        let text = refused(&format!("{remote}, api_key: sesame")).unwrap();
        assert!(text.contains("allow_insecure") && !text.contains("sesame"), "{text}");
        assert_eq!(refused(&format!("{remote}, api_key: sesame, allow_insecure: true")), None);
        assert_eq!(refused("target: phoenix, endpoint: 'http://127.0.0.1:1', api_key: sesame"), None);
        let headers = "target: otlp, endpoint: 'http://c.example:4318', headers: {x: y}";
        assert!(refused(headers).unwrap().contains("allow_insecure"));
    }

    #[test]
    fn settings_that_cannot_work_are_said_before_anything_is_sent() {
        assert!(refused("target: arize, api_key: k").unwrap().contains("space_id"));
        assert!(refused("target: otlp").unwrap().contains("no endpoint"));
        assert!(refused("target: phoenix, endpoint: 'ftp://x'").is_some());
        let newline =
            refused("target: phoenix, endpoint: 'http://127.0.0.1:1', api_key: \"se\\nsame\"").unwrap();
        assert!(!newline.contains("same"), "{newline}");
    }

    #[test]
    fn arize_is_told_who_sends_in_every_way_it_reads() {
        let home = tempfile::tempdir().unwrap();
        let arize = settings(home.path(), "target: arize, api_key: k, space_id: s");
        let headers = credentials(&arize).unwrap();
        let pairs: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.expose())).collect();
        let expected = [
            ("authorization", "k"),
            ("api_key", "k"),
            ("arize-space-id", "s"),
            ("space_id", "s"),
            ("arize-interface", "otel"),
        ];
        assert_eq!(pairs, expected);
    }

    #[test]
    fn wrapped_errors_are_read_to_the_bottom() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let wrapped = io::Error::other(io::Error::other(refused));
        assert_eq!(cause_of(&wrapped), Cause::Connection("connection refused".into()));
        let tls = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError);
        assert!(matches!(cause_of(&tls), Cause::Tls(_)));
        assert_eq!(cause_of(&io::Error::from(io::ErrorKind::TimedOut)), Cause::Timeout);
    }
}
