//! One client for both transports, and what they share: credentials, trusted roots, the proxy, reading errors.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use std::time::Duration;

use crate::delivery::transport::connection::{Accepted, unusable};
use crate::delivery::transport::endpoint::Endpoint;
use crate::delivery::transport::grpc::GrpcClient;
use crate::delivery::transport::http::HttpClient;
use crate::delivery::transport::retry::Failure;
use crate::settings::{Protocol, Secret, Settings, Target};

/// A connection to the backend in force.
#[derive(Debug)]
pub enum Client {
    Http(Box<HttpClient>),
    Grpc(Box<GrpcClient>),
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
    pub fn send(&self, request: &ExportTraceServiceRequest, timeout: Duration) -> Result<Accepted, Failure> {
        match self {
            Client::Http(client) => client.send(request, timeout),
            Client::Grpc(client) => client.send(request, timeout),
        }
    }

    /// Asks Phoenix whether it shows a trace of a project (`docs::backends`).
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

fn has_secret(settings: &Settings) -> bool {
    settings.api_key.is_some() || !settings.headers.is_empty()
}

/// The headers, or gRPC metadata, that name the sender (`docs::backends`).
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otel::testing::settings;

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
    fn unusable_settings_fail_before_sending() {
        assert!(refused("target: arize, api_key: k").unwrap().contains("space_id"));
        assert!(refused("target: otlp").unwrap().contains("no endpoint"));
        assert!(refused("target: phoenix, endpoint: 'ftp://x'").is_some());
        let newline =
            refused("target: phoenix, endpoint: 'http://127.0.0.1:1', api_key: \"se\\nsame\"").unwrap();
        assert!(!newline.contains("same"), "{newline}");
    }

    #[test]
    fn arize_gets_every_credential_header() {
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
}
