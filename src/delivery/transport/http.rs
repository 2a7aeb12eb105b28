//! OTLP over HTTP: protobuf, gzip, POST. The only file that knows ureq.

use base64::Engine;
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::{HeaderName, HeaderValue, Response};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use crate::delivery::transport::connection;
use crate::delivery::transport::connection::Accepted;
use crate::delivery::transport::endpoint::Endpoint;
use crate::delivery::transport::retry;
use crate::delivery::transport::retry::{Cause, Failure};
use crate::settings::Secret;
use crate::time;

/// A client of one OTLP/HTTP endpoint.
#[derive(Debug)]
pub struct HttpClient {
    agent: ureq::Agent,
    url: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl HttpClient {
    /// Makes a client; nothing is sent yet.
    ///
    /// # Errors
    /// When a header cannot be sent, the proxy cannot be used, or there are no roots to trust.
    pub fn new(endpoint: &Endpoint, headers: &[(String, Secret)]) -> Result<HttpClient, Failure> {
        let headers = headers.iter().map(header).collect::<Result<_, _>>()?;
        let proxy = connection::proxy(endpoint).map(|p| ureq_proxy(&p)).transpose()?;
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_age(IDLE)
            .user_agent(concat!("arize-codex/", env!("CARGO_PKG_VERSION")))
            .proxy(proxy);
        if endpoint.tls {
            connection::install_tls_provider();
            let roots = connection::trusted_roots()?.certs;
            let roots: Vec<_> = roots.iter().map(|c| Certificate::from_der(c).to_owned()).collect();
            let roots = RootCerts::new_with_certs(&roots);
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Ok(HttpClient {
            agent: ureq::Agent::with_parts(
                config.build(),
                DefaultConnector::default(),
                OnceResolver::default(),
            ),
            url: endpoint.traces_url(),
            headers,
        })
    }

    /// Sends one request and waits at most `timeout` for all of it.
    ///
    /// # Errors
    /// When it was not accepted.
    pub fn send(&self, request: &ExportTraceServiceRequest, timeout: Duration) -> Result<Accepted, Failure> {
        let body = gzip(&request.encode_to_vec());
        let mut post = self.agent.post(&self.url);
        for (name, value) in &self.headers {
            post = post.header(name, value);
        }
        let response = post
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "gzip")
            .config()
            .timeout_global(Some(timeout))
            .build()
            .send(&body[..]);
        read(response.map_err(|e| Failure::new(cause_of(e)))?)
    }

    /// Asks Phoenix whether it shows a trace (`docs::backends`).
    ///
    /// # Errors
    /// When it does not answer as Phoenix does.
    pub fn shows_trace(&self, project: &str, trace_id: &str, timeout: Duration) -> Result<bool, Failure> {
        let base = self.url.strip_suffix("/v1/traces").unwrap_or(&self.url);
        let project: String = project.bytes().map(percent_encoded).collect();
        let mut get =
            self.agent.get(format!("{base}/v1/projects/{project}/spans?limit=10&trace_id={trace_id}"));
        for (name, value) in &self.headers {
            get = get.header(name, value);
        }
        let response = get.config().timeout_global(Some(timeout)).build().call();
        let mut response = response.map_err(|e| Failure::new(cause_of(e)))?;
        if !response.status().is_success() {
            return Err(Failure::new(Cause::Http(response.status().as_u16())));
        }
        let body =
            response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec().unwrap_or_default();
        Ok(memchr::memmem::find(&body, trace_id.as_bytes()).is_some())
    }
}

fn percent_encoded(byte: u8) -> String {
    match byte {
        b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    }
}

fn read(mut response: Response<ureq::Body>) -> Result<Accepted, Failure> {
    let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok());
    let status = response.status();
    if !status.is_success() {
        let asked = header("retry-after").and_then(|text| retry::parse_retry_after(text, time::now()));
        return Err(Failure { cause: Cause::Http(status.as_u16()), retry_after: asked });
    }
    let kind = header("content-type").unwrap_or_default().to_ascii_lowercase();
    if kind.starts_with("text/html") {
        return Err(Failure::new(Cause::WebPage));
    }
    // The status has acknowledged the request, so an answer that breaks off afterwards changes nothing.
    let Ok(body) = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec() else {
        return Ok(Accepted::default());
    };
    let answer = if kind.starts_with("application/json") {
        accepted_as_json(&body)
    } else {
        ExportTraceServiceResponse::decode(body.as_slice()).ok().map(|answer| Accepted::of(&answer))
    };
    match answer {
        Some(accepted) => Ok(accepted),
        None if body.iter().all(u8::is_ascii_whitespace) => Ok(Accepted::default()),
        None => Err(Failure::new(Cause::Unreadable)),
    }
}

/// Reads an answer in ProtoJSON, whose 64-bit numbers are strings or numbers.
fn accepted_as_json(body: &[u8]) -> Option<Accepted> {
    let answer: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
    let partial = answer.get("partialSuccess").unwrap_or(&serde_json::Value::Null);
    let rejected = &partial["rejectedSpans"];
    let rejected = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok());
    let message = partial["errorMessage"].as_str().unwrap_or_default().to_owned();
    Some(Accepted { rejected_spans: rejected.unwrap_or(0), message })
}

fn header((name, value): &(String, Secret)) -> Result<(HeaderName, HeaderValue), Failure> {
    let unusable = || connection::unusable(format!("header {name:?} or its value cannot be sent"));
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
    let mut value = HeaderValue::from_str(value.expose()).map_err(|_| unusable())?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(content.len() / 4), Compression::fast());
    // A vector takes every write.
    let _ = encoder.write_all(content);
    encoder.finish().unwrap_or_default()
}

fn ureq_proxy(proxy: &hyper_util::client::proxy::matcher::Intercept) -> Result<ureq::Proxy, Failure> {
    let unusable = || Failure::new(Cause::Proxy("its address cannot be used".to_owned()));
    let uri = proxy.uri();
    let protocol = match uri.scheme_str() {
        Some("http") => ureq::ProxyProtocol::Http,
        Some("https") => ureq::ProxyProtocol::Https,
        _ => return Err(unusable()),
    };
    let mut builder = ureq::Proxy::builder(protocol).host(uri.host().ok_or_else(unusable)?);
    if let Some(port) = uri.port_u16() {
        builder = builder.port(port);
    }
    let auth = proxy.basic_auth().and_then(|a| a.to_str().ok()?.strip_prefix("Basic "));
    let auth = auth.and_then(|a| base64::engine::general_purpose::STANDARD.decode(a).ok());
    if let Some((user, password)) = auth.as_deref().and_then(|a| std::str::from_utf8(a).ok()?.split_once(':'))
    {
        builder = builder.username(user).password(password);
    }
    builder.build().map_err(|_| unusable())
}

fn cause_of(error: ureq::Error) -> Cause {
    match error {
        ureq::Error::Timeout(_) => Cause::Timeout,
        ureq::Error::HostNotFound => Cause::Connection("host not found".to_owned()),
        ureq::Error::Io(e) => connection::cause_of(&e),
        ureq::Error::Rustls(e) => Cause::Tls(e.to_string()),
        ureq::Error::Tls(why) => Cause::Tls(why.to_owned()),
        // Its text repeats what the proxy said.
        ureq::Error::ConnectProxyFailed(_) => Cause::Proxy("refused to connect".to_owned()),
        ureq::Error::Protocol(_) => Cause::Connection("the answer is not HTTP/1.1".to_owned()),
        other => connection::cause_of(&other),
    }
}

/// A resolver that remembers what it found for a while: a lookup with a timeout costs a thread, and each request asks
/// for one.
#[derive(Debug, Default)]
struct OnceResolver {
    inner: DefaultResolver,
    known: Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    origin: String,
    at: Instant,
    addresses: Vec<SocketAddr>,
}

impl Resolver for OnceResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let origin = format!("{:?}://{:?}", uri.scheme(), uri.authority());
        // Held while the name is looked up: whoever asks meanwhile wants the same.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_ref().filter(|k| k.origin == origin && k.at.elapsed() < KEPT) {
            let mut addresses = self.empty();
            known.addresses.iter().for_each(|address| addresses.push(*address));
            return Ok(addresses);
        }
        let found = self.inner.resolve(uri, config, timeout)?;
        let addresses = found.iter().copied().collect();
        *known = Some(Known { origin, at: Instant::now(), addresses });
        Ok(found)
    }
}

/// A backend that moves is found again after this time.
const KEPT: Duration = Duration::from_secs(60);
/// A pause after which a connection may have been closed by the other side, so a new one is made.
const IDLE: Duration = Duration::from_secs(4);
const MAX_ANSWER_BYTES: u64 = 64 * 1024;
