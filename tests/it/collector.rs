//! Collectors on loopback: an HTTP one whose answers are scripted and a gRPC one, each on a port of its own.
//!
//! Both record what they acknowledged, by span id, and when a request came.

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A request as a collector saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub at: Instant,
    /// Header or metadata names in lower case.
    pub headers: BTreeMap<String, String>,
    /// `POST /v1/traces`, or the gRPC method.
    pub line: String,
    /// The size of the message, uncompressed.
    pub bytes: usize,
    pub request: ExportTraceServiceRequest,
}

/// What a collector does with a request.
#[derive(Debug, Clone)]
pub enum Answer {
    Accept,
    /// A status, further header lines, and a body.
    Status(u16, &'static str, &'static str),
    /// Reads the request and closes the connection.
    Reset,
    /// Reads the request and closes in the middle of an answer's head.
    Broken,
    /// Accepts the connection and never answers.
    Hang,
    /// A gRPC status: code, message, details.
    Grpc(i32, &'static str, Vec<u8>),
}

/// Decides on the answer; it sees the request before it is recorded.
pub type Script = Box<dyn Fn(&Seen) -> Answer + Send + Sync>;

/// What a collector has seen, shared with its threads.
#[derive(Clone)]
pub struct Book {
    inner: Arc<Inner>,
}

struct Inner {
    seen: Mutex<Vec<(Seen, bool)>>,
    changed: Condvar,
    script: Mutex<Script>,
    forgets: bool,
}

impl Book {
    fn new(script: Script, forgets: bool) -> Book {
        Book {
            inner: Arc::new(Inner {
                seen: Mutex::default(),
                changed: Condvar::new(),
                script: Mutex::new(script),
                forgets,
            }),
        }
    }

    /// Answers otherwise from now on.
    pub fn answer(&self, script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) {
        *self.inner.script.lock().unwrap() = Box::new(script);
    }

    fn take(&self, seen: Seen) -> Answer {
        let answer = (self.inner.script.lock().unwrap())(&seen);
        if self.inner.forgets {
            return answer;
        }
        self.inner.seen.lock().unwrap().push((seen, matches!(answer, Answer::Accept)));
        self.inner.changed.notify_all();
        answer
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().iter().map(|(seen, _)| seen.clone()).collect()
    }

    /// Every span that was acknowledged, as often as it was.
    pub fn spans(&self) -> Vec<Span> {
        let seen = self.inner.seen.lock().unwrap();
        seen.iter().filter(|(_, accepted)| *accepted).flat_map(|(s, _)| spans_of(&s.request)).collect()
    }

    /// How often each span was acknowledged, by its id.
    pub fn counts(&self) -> BTreeMap<Vec<u8>, usize> {
        let mut counts = BTreeMap::new();
        for span in self.spans() {
            *counts.entry(span.span_id).or_default() += 1;
        }
        counts
    }

    /// Waits until `done` holds of the requests seen.
    pub fn wait_for(&self, patience: Duration, done: impl Fn(&[(Seen, bool)]) -> bool) -> bool {
        let seen = self.inner.seen.lock().unwrap();
        let (_seen, waited) = self.inner.changed.wait_timeout_while(seen, patience, |s| !done(s)).unwrap();
        !waited.timed_out()
    }
}

/// The spans of a request.
pub fn spans_of(request: &ExportTraceServiceRequest) -> Vec<Span> {
    let scopes = request.resource_spans.iter().flat_map(|r| &r.scope_spans);
    scopes.flat_map(|s| s.spans.iter().cloned()).collect()
}

/// The resource attributes of a request, texts only.
pub fn resource_of(request: &ExportTraceServiceRequest) -> BTreeMap<String, String> {
    let attributes =
        request.resource_spans.iter().filter_map(|r| r.resource.as_ref()).flat_map(|r| &r.attributes);
    attributes
        .filter_map(|a| match a.value.as_ref()?.value.as_ref()? {
            Value::StringValue(text) => Some((a.key.clone(), text.clone())),
            _ => None,
        })
        .collect()
}

/// An OTLP/HTTP collector.
pub struct HttpCollector {
    pub book: Book,
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
}

impl HttpCollector {
    pub fn start(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> HttpCollector {
        HttpCollector::start_on(TcpListener::bind("127.0.0.1:0").unwrap(), None, script)
    }

    /// Accepts each request once `watch` has heard that it begins; it hears of the end too.
    pub fn start_watched(watch: impl Fn(bool) + Send + Sync + 'static) -> HttpCollector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let book = Book::new(Box::new(|_| Answer::Accept), false);
        HttpCollector::start_with(listener, None, book, Some(Arc::new(watch)))
    }

    /// Keeps nothing of what it sees but what its script does.
    pub fn start_forgetful(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> HttpCollector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        HttpCollector::start_with(listener, None, Book::new(Box::new(script), true), None)
    }

    /// Listens on a socket of the caller's, with TLS when it is given.
    pub fn start_on(
        listener: TcpListener,
        tls: Option<Arc<rustls::ServerConfig>>,
        script: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> HttpCollector {
        HttpCollector::start_with(listener, tls, Book::new(Box::new(script), false), None)
    }

    fn start_with(
        listener: TcpListener,
        tls: Option<Arc<rustls::ServerConfig>>,
        book: Book,
        pace: Option<Pace>,
    ) -> HttpCollector {
        let address = listener.local_addr().unwrap();
        let stopping = Arc::new(AtomicBool::new(false));
        let (thread_book, thread_stopping) = (book.clone(), stopping.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if thread_stopping.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { return };
                let (book, tls, pace) = (thread_book.clone(), tls.clone(), pace.clone());
                std::thread::spawn(move || match tls {
                    None => serve(stream, &book, pace.as_ref()),
                    Some(config) => {
                        if let Ok(session) = rustls::ServerConnection::new(config) {
                            serve(rustls::StreamOwned::new(session, stream), &book, pace.as_ref());
                        }
                    }
                });
            }
        });
        HttpCollector { book, address, stopping }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for HttpCollector {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// What is done at the beginning and the end of each request, outside every lock.
type Pace = Arc<dyn Fn(bool) + Send + Sync>;

fn serve(stream: impl Read + Write, book: &Book, pace: Option<&Pace>) {
    let mut stream = BufReader::new(stream);
    while let Some(seen) = read_request(&mut stream) {
        let answer = book.take(seen);
        if let Some(pace) = pace {
            pace(true);
            pace(false);
        }
        let answer = match answer {
            Answer::Accept => {
                "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n"
                    .to_owned()
            }
            Answer::Status(status, headers, body) => {
                let length = body.len();
                format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}")
            }
            Answer::Broken => {
                let _ = stream.get_mut().write_all(b"HTTP/1.1 2");
                let _ = stream.get_mut().flush();
                return;
            }
            Answer::Reset | Answer::Grpc(..) => return,
            Answer::Hang => {
                // Until the other side gives up.
                let _ = stream.read(&mut [0]);
                return;
            }
        };
        if stream.get_mut().write_all(answer.as_bytes()).and_then(|()| stream.get_mut().flush()).is_err() {
            return;
        }
    }
}

fn read_request(stream: &mut impl BufRead) -> Option<Seen> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok().filter(|n| *n > 0)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    if headers.get("content-encoding").is_some_and(|e| e == "gzip") {
        let mut plain = Vec::new();
        GzDecoder::new(body.as_slice()).read_to_end(&mut plain).ok()?;
        body = plain;
    }
    let request = ExportTraceServiceRequest::decode(body.as_slice()).ok()?;
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    Some(Seen { at: Instant::now(), headers, line, bytes: body.len(), request })
}

/// An OTLP/gRPC collector with an event loop of its own.
pub struct GrpcCollector {
    pub book: Book,
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl GrpcCollector {
    pub fn start(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> GrpcCollector {
        GrpcCollector::start_with(None, script)
    }

    /// Listens with TLS when a certificate chain and a key are given, both as PEM.
    pub fn start_with(
        tls: Option<(String, String)>,
        script: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> GrpcCollector {
        let book = Book::new(Box::new(script), false);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut server = tonic::transport::Server::builder();
        if let Some((chain, key)) = tls {
            let identity = tonic::transport::Identity::from_pem(chain, key);
            server = server.tls_config(tonic::transport::ServerTlsConfig::new().identity(identity)).unwrap();
        }
        let service = TraceServiceServer::new(Service { book: book.clone() });
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let incoming = tonic::transport::server::TcpIncoming::from(listener);
            server.add_service(service).serve_with_incoming(incoming).await.unwrap();
        });
        GrpcCollector { book, address, _runtime: runtime }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

struct Service {
    book: Book,
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let headers = request.metadata().clone().into_headers();
        let text = |v: &tonic::codegen::http::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
        let headers = headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let request = request.into_inner();
        let bytes = request.encoded_len();
        let seen = Seen { at: Instant::now(), headers, line: "Export".to_owned(), bytes, request };
        match self.book.take(seen) {
            Answer::Accept => Ok(tonic::Response::new(ExportTraceServiceResponse::default())),
            Answer::Grpc(code, message, details) => {
                Err(tonic::Status::with_details(code.into(), message, details.into()))
            }
            _ => {
                std::future::pending::<()>().await;
                Err(tonic::Status::unknown("never"))
            }
        }
    }
}
