//! What both protocols share: trusted roots, the proxy, what a backend accepted, reading errors.

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use rustls_native_certs::CertificateResult;
use std::error::Error;
use std::io;

use crate::delivery::transport::endpoint::Endpoint;
use crate::delivery::transport::retry::{Cause, Failure};

/// Answer of a backend to a request it accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Spans it dropped nevertheless (OTLP, "Partial Success"); sending them again is forbidden.
    pub rejected_spans: u64,
    /// Its own words; empty for none.
    pub message: String,
}

impl Accepted {
    pub(super) fn of(response: &ExportTraceServiceResponse) -> Accepted {
        let partial = response.partial_success.as_ref();
        let rejected = partial.map_or(0, |p| p.rejected_spans);
        let message = partial.map(|p| p.error_message.clone()).unwrap_or_default();
        Accepted { rejected_spans: u64::try_from(rejected).unwrap_or(0), message }
    }
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
