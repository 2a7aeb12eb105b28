//! Trust and the way there: private authorities, wrong certificates, proxies, plain http.
//!
//! Roots and proxies come from the environment, so each case runs in a process of its own: this test binary,
//! started again for one ignored test.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::collector::{Answer, GrpcCollector, HttpCollector};
use crate::export_outcomes::{Home, span};

/// An authority and a certificate of it for one name, as PEM.
struct Pki {
    authority: String,
    chain: String,
    key: String,
    config: Arc<rustls::ServerConfig>,
}

impl Pki {
    fn new(name: &str) -> Pki {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_certificate = authority.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private.into())
            .unwrap();
        Pki {
            authority: authority_certificate.pem(),
            chain: certificate.pem(),
            key: key.serialize_pem(),
            config: Arc::new(config),
        }
    }

    fn http(&self) -> HttpCollector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        HttpCollector::start_on(listener, Some(self.config.clone()), |_| Answer::Accept)
    }

    fn grpc(&self) -> GrpcCollector {
        GrpcCollector::start_with(Some((self.chain.clone(), self.key.clone())), |_| Answer::Accept)
    }
}

/// A proxy that knows CONNECT, wants a password, and leads every name to this machine.
struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let thread_asked = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let asked = thread_asked.clone();
                std::thread::spawn(move || tunnel(&stream, &asked));
            }
        });
        Proxy { address, asked }
    }
}

fn tunnel(stream: &TcpStream, asked: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        if line == "\r\n" {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    asked.lock().unwrap().extend(head.iter().cloned());
    // "user:pass" in base64.
    if !head.iter().any(|l| l.eq_ignore_ascii_case("proxy-authorization: Basic dXNlcjpwYXNz")) {
        (&*stream).write_all(b"HTTP/1.1 407 Secret Words\r\ncontent-length: 0\r\n\r\n").ok()?;
        return None;
    }
    let port: u16 = head[0].split_whitespace().nth(1)?.rsplit(':').next()?.parse().ok()?;
    let target = TcpStream::connect(("127.0.0.1", port)).ok()?;
    (&*stream).write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    let (mut from, mut to) = (stream.try_clone().ok()?, target.try_clone().ok()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut &target, &mut &*stream);
    Some(())
}

/// Flushes one turn in a process with the given environment; returns how many are left, and the log.
fn deliver(yaml: &str, environment: &[(&str, &str)]) -> (u64, String) {
    let home = Home::new(yaml);
    home.put("turn-1", vec![span(1, 10)]);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--nocapture", "--exact", "export_tls::flushes_the_home_it_is_told"]);
    for name in
        ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "no_proxy"]
    {
        command.env_remove(name);
    }
    command.env(HOME_VARIABLE, home.paths().harness()).envs(environment.iter().copied());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let left = text.split("left=").nth(1).and_then(|t| t.split_whitespace().next()?.parse().ok());
    (left.unwrap_or_else(|| panic!("{text}")), home.log())
}

#[test]
#[ignore = "a part of the other tests, which start it in a process of its own"]
fn flushes_the_home_it_is_told() {
    use arize_codex::context::Context;
    let Some(harness) = std::env::var(HOME_VARIABLE).ok() else { return };
    let vars = [("HOME".to_owned(), "/nonexistent".to_owned()), ("ARIZE_HARNESS_HOME".to_owned(), harness)];
    let context = Context::given(vec![], vars.into());
    let settings = arize_codex::settings::Settings::load(&context).unwrap();
    let budget = arize_codex::delivery::budget::Budget::within(std::time::Duration::from_secs(5));
    let report = arize_codex::delivery::flush::run(&context, &settings, budget);
    println!("left={} ", report.left);
}

#[test]
fn named_private_ca_is_trusted() {
    let pki = Pki::new("localhost");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &pki.authority).unwrap();
    let trust = [("SSL_CERT_FILE", file.to_str().unwrap())];
    let (http, grpc) = (pki.http(), pki.grpc());
    for yaml in [
        format!("target: phoenix, endpoint: 'https://localhost:{}', api_key: k", http.address().port()),
        format!(
            "target: arize, endpoint: 'https://localhost:{}', api_key: k, space_id: s",
            grpc.address().port()
        ),
    ] {
        assert_eq!(deliver(&yaml, &trust), (0, String::new()));
        let (left, log) = deliver(&yaml, &[]);
        assert_eq!(left, 1);
        assert!(log.contains("no trusted connection") && log.contains("SSL_CERT_FILE"), "{log}");
        assert_eq!(log.lines().count(), 1);
        let by_address = yaml.replace("localhost", "127.0.0.1");
        let (left, log) = deliver(&by_address, &trust);
        assert_eq!(left, 1, "the certificate is for another name");
        assert!(log.contains("no trusted connection"), "{log}");
    }
    assert_eq!((http.book.counts().len(), grpc.book.counts().len()), (1, 1));
}

/// A certificate that is its own authority is refused even where it is trusted, and the log says what to do.
#[test]
fn self_signed_certificate_gets_advice() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let http = HttpCollector::start_on(listener, Some(Arc::new(config)), |_| Answer::Accept);
    let grpc = GrpcCollector::start_with(Some((certificate.pem(), key.serialize_pem())), |_| Answer::Accept);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.pem");
    std::fs::write(&file, certificate.pem()).unwrap();
    for (port, protocol) in [(http.address().port(), "http/protobuf"), (grpc.address().port(), "grpc")] {
        let yaml = format!("target: otlp, endpoint: 'https://localhost:{port}', protocol: {protocol}");
        let (left, log) = deliver(&yaml, &[("SSL_CERT_FILE", file.to_str().unwrap())]);
        assert_eq!(left, 1);
        assert!(
            log.contains("basicConstraints CA:FALSE") && log.contains("SSL_CERT_FILE"),
            "{protocol}: {log}"
        );
    }
}

#[test]
fn proxy_is_used_with_password() {
    let pki = Pki::new("otlp.example.com");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &pki.authority).unwrap();
    let (http, grpc, proxy) = (pki.http(), pki.grpc(), Proxy::start());
    let with_password = format!("http://user:pass@{}", proxy.address);
    let without = format!("http://{}", proxy.address);
    for yaml in [
        format!(
            "target: phoenix, endpoint: 'https://otlp.example.com:{}', api_key: k",
            http.address().port()
        ),
        format!(
            "target: arize, endpoint: 'otlp.example.com:{}', api_key: k, space_id: s",
            grpc.address().port()
        ),
    ] {
        let trust = ("SSL_CERT_FILE", file.to_str().unwrap());
        let asked = proxy.asked.lock().unwrap().len();
        assert_eq!(deliver(&yaml, &[trust, ("HTTPS_PROXY", &with_password)]), (0, String::new()));
        assert!(proxy.asked.lock().unwrap().len() > asked);
        let (left, log) = deliver(&yaml, &[trust, ("HTTPS_PROXY", &without)]);
        assert_eq!(left, 1);
        assert!(log.contains("proxy") && log.contains("HTTPS_PROXY") && !log.contains("Secret"), "{log}");
    }
    assert_eq!((http.book.counts().len(), grpc.book.counts().len()), (1, 1));
}

#[test]
fn loopback_bypasses_proxy() {
    let http = HttpCollector::start(|_| Answer::Accept);
    let grpc = GrpcCollector::start(|_| Answer::Accept);
    let proxy = Proxy::start();
    let address = format!("http://{}", proxy.address);
    for yaml in [
        format!("target: phoenix, endpoint: 'http://localhost:{}'", http.address().port()),
        format!("target: otlp, protocol: grpc, endpoint: 'http://localhost:{}'", grpc.address().port()),
    ] {
        let environment =
            [("HTTPS_PROXY", address.as_str()), ("HTTP_PROXY", &address), ("ALL_PROXY", &address)];
        assert_eq!(deliver(&yaml, &environment), (0, String::new()));
    }
    assert!(proxy.asked.lock().unwrap().is_empty());
}

#[test]
fn no_proxy_is_honoured() {
    let http = HttpCollector::start(|_| Answer::Accept);
    let proxy = Proxy::start();
    let address = format!("http://user:pass@{}", proxy.address);
    // A name that leads nowhere without the proxy.
    let yaml = format!("target: phoenix, endpoint: 'http://phoenix.invalid:{}'", http.address().port());
    assert_eq!(deliver(&yaml, &[("HTTP_PROXY", &address)]), (0, String::new()));
    let (left, log) = deliver(&yaml, &[("HTTP_PROXY", &address), ("NO_PROXY", ".invalid")]);
    assert_eq!(left, 1);
    assert!(log.contains("no connection"), "{log}");
}

const HOME_VARIABLE: &str = "ARIZE_CODEX_TEST_HARNESS";
