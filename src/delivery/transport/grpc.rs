//! OTLP over gRPC. The only file that knows tonic and tokio.

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use std::error::Error;
use std::time::Duration;
use tokio::runtime::Runtime;
use tonic::metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig};
use tonic_types::StatusExt;

use crate::delivery::transport::connection;
use crate::delivery::transport::connection::Accepted;
use crate::delivery::transport::endpoint::Endpoint;
use crate::delivery::transport::retry::{Cause, Failure, OUT_OF_RANGE, RESOURCE_EXHAUSTED};
use crate::settings::Secret;

/// A client of one OTLP/gRPC endpoint, with an event loop of its own in the calling thread.
#[derive(Debug)]
pub struct GrpcClient {
    service: TraceServiceClient<Channel>,
    metadata: MetadataMap,
    runtime: Option<Runtime>,
}

impl GrpcClient {
    /// Makes a client; nothing is sent yet.
    ///
    /// # Errors
    /// When a header cannot be sent, the proxy cannot be used, or there are no roots to trust.
    pub fn new(endpoint: &Endpoint, headers: &[(String, Secret)]) -> Result<GrpcClient, Failure> {
        let metadata = metadata(headers)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| connection::unusable(e.to_string()))?;
        let channel = {
            let _inside = runtime.enter();
            channel(endpoint)?
        };
        Ok(GrpcClient { service: TraceServiceClient::new(channel), metadata, runtime: Some(runtime) })
    }

    /// Sends one request and waits at most `timeout` for all of it.
    ///
    /// # Errors
    /// When it was not accepted.
    pub fn send(&self, request: &ExportTraceServiceRequest, timeout: Duration) -> Result<Accepted, Failure> {
        let mut request = tonic::Request::new(request.clone());
        *request.metadata_mut() = self.metadata.clone();
        let Some(runtime) = &self.runtime else {
            return Err(connection::unusable("the event loop is gone".to_owned()));
        };
        let mut service = self.service.clone();
        let answer = runtime.block_on(async { tokio::time::timeout(timeout, service.export(request)).await });
        match answer {
            Ok(Ok(response)) => Ok(Accepted::of(response.get_ref())),
            Ok(Err(status)) => Err(failure_of(&status)),
            Err(_) => Err(Failure::new(Cause::Timeout)),
        }
    }
}

impl Drop for GrpcClient {
    fn drop(&mut self) {
        // A name that is still being looked up must not hold up the process.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn channel(endpoint: &Endpoint) -> Result<Channel, Failure> {
    let unusable = |e: tonic::transport::Error| connection::unusable(deepest(&e));
    let mut transport = Channel::from_shared(endpoint.origin())
        .map_err(|e| connection::unusable(e.to_string()))?
        .user_agent(concat!("arize-codex/", env!("CARGO_PKG_VERSION")))
        .map_err(unusable)?;
    if endpoint.tls {
        connection::install_tls_provider();
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(connection::trusted_roots()?.certs);
        transport =
            transport.tls_config(ClientTlsConfig::new().trust_anchors(roots.roots)).map_err(unusable)?;
    }
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    Ok(match connection::proxy(endpoint) {
        None => transport.connect_with_connector_lazy(connector),
        Some(proxy) if proxy.uri().scheme_str() == Some("http") => {
            let mut tunnel = Tunnel::new(proxy.uri().clone(), connector);
            if let Some(auth) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(auth.clone());
            }
            transport.connect_with_connector_lazy(tunnel)
        }
        Some(_) => return Err(connection::unusable("gRPC goes through http:// proxies only".to_owned())),
    })
}

fn metadata(headers: &[(String, Secret)]) -> Result<MetadataMap, Failure> {
    let mut metadata = MetadataMap::new();
    for (name, value) in headers {
        let unusable = || connection::unusable(format!("header {name:?} or its value cannot be sent"));
        let key = MetadataKey::<Ascii>::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
        let mut value: MetadataValue<Ascii> = value.expose().parse().map_err(|_| unusable())?;
        value.set_sensitive(true);
        metadata.insert(key, value);
    }
    Ok(metadata)
}

fn failure_of(status: &tonic::Status) -> Failure {
    if let Some(source) = status.source() {
        return Failure::new(match connection::cause_of(source) {
            Cause::Connection(why) if why.contains(HTTP1_AS_FRAME) => Cause::NotGrpc,
            cause => cause,
        });
    }
    let code = status.code() as i32;
    let message = status.message();
    let too_large = matches!(code, RESOURCE_EXHAUSTED | OUT_OF_RANGE)
        && TOO_LARGE.iter().any(|words| message.contains(words));
    if too_large {
        return Failure::new(Cause::TooLarge);
    }
    Failure { cause: Cause::Grpc(code), retry_after: retry_delay(status) }
}

/// Returns the pause that a status's `google.rpc.RetryInfo` asks for (OTLP specification, "OTLP/gRPC throttling").
fn retry_delay(status: &tonic::Status) -> Option<Duration> {
    status.get_details_retry_info()?.retry_delay
}

fn deepest(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Error of h2 on "HTTP/1.1 …": the first three letters are a length beyond any frame's (RFC 9113, 4.1).
const HTTP1_AS_FRAME: &str = "frame with invalid size";
/// Errors of grpc-go, grpc-core and tonic for a message over their limit.
const TOO_LARGE: [&str; 3] = ["larger than max", "length too large", "message too large"];

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    #[test]
    fn retry_info_is_read_from_details() {
        let with = |details: &[u8]| {
            tonic::Status::with_details(tonic::Code::Unavailable, "", details.to_vec().into())
        };
        let asked = ErrorDetails::with_retry_info(Some(Duration::from_millis(3500)));
        let status = tonic::Status::with_error_details(tonic::Code::Unavailable, "later", asked);
        assert_eq!(failure_of(&status).retry_after, Some(Duration::from_millis(3500)));
        assert_eq!(retry_delay(&with(b"nonsense")), None);
        assert_eq!(retry_delay(&with(b"")), None);
    }

    #[test]
    fn size_limit_differs_from_quota() {
        let of = |code, text: &str| failure_of(&tonic::Status::new(code, text)).cause;
        let tonic = "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes";
        assert_eq!(of(tonic::Code::OutOfRange, tonic), Cause::TooLarge);
        let go = "grpc: received message larger than max (5 vs. 4)";
        assert_eq!(of(tonic::Code::ResourceExhausted, go), Cause::TooLarge);
        assert_eq!(of(tonic::Code::ResourceExhausted, "quota"), Cause::Grpc(8));
    }
}
