//! The connections: a few at a time, on loopback only, each in bounded time and memory.

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::{Ipv4Addr, TcpListener};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};

use super::answer::{Answer, Text, answer};
use super::guard::{Asked, Route, route};
use super::rows::{self, Rows};
use crate::cli::html::Page;
use crate::context::Context;
use crate::delivery::running;

/// How long nobody may look before the server ends.
pub const IDLE: Duration = Duration::from_secs(600);

/// A bound port and the token that its addresses hold.
pub struct Server {
    listener: TcpListener,
    port: u16,
    token: String,
}

/// What all connections share.
struct Shared {
    context: Context,
    port: u16,
    token: String,
    rows: RefCell<Rows>,
    /// Held by each page that is being made while it is sent.
    pages: Rc<()>,
    looked_at: Cell<Instant>,
}

impl Server {
    /// Takes a free port of this machine.
    ///
    /// # Errors
    /// When none can be listened on.
    pub fn bind(token: String) -> anyhow::Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        Ok(Server { listener, port, token })
    }

    /// The address of the first page.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/{}/", self.port, self.token)
    }

    /// Answers until the process is ended, or until nobody has looked for `idle`.
    ///
    /// # Errors
    /// When the port can no longer be listened on.
    pub fn run(self, context: &Context, idle: Option<Duration>) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let shared = Rc::new(Shared {
            context: context.clone(),
            port: self.port,
            token: self.token,
            rows: RefCell::default(),
            pages: Rc::default(),
            looked_at: Cell::new(Instant::now()),
        });
        runtime.block_on(tokio::task::LocalSet::new().run_until(serve(self.listener, shared, idle)))
    }
}

async fn serve(listener: TcpListener, shared: Rc<Shared>, idle: Option<Duration>) -> anyhow::Result<()> {
    // Read before the browser asks: thousands of files take longer than a page should.
    shared.rows.borrow_mut().refresh(&shared.context);
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        if idle.is_some_and(|idle| shared.looked_at.get().elapsed() > idle) {
            return Ok(());
        }
        // One too many waits outside, where it costs nothing, until another has gone.
        let free = free.clone().acquire_owned();
        let Ok(Ok(permit)) = tokio::time::timeout(LOOK_EVERY, free).await else { continue };
        let accepted = tokio::time::timeout(LOOK_EVERY, listener.accept()).await;
        let Ok(Ok((stream, _))) = accepted else { continue };
        let shared = shared.clone();
        tokio::task::spawn_local(async move {
            let _permit = permit;
            let service =
                service_fn(|request| std::future::ready(Ok::<_, Infallible>(respond(&request, &shared))));
            // A peer that breaks off is its own affair.
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .max_buf_size(MAX_HEAD_BYTES)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn respond(request: &Request<Incoming>, shared: &Rc<Shared>) -> Response<Content> {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let asked = Asked {
        method: request.method().as_str(),
        target: request.uri().path_and_query().map_or("", |t| t.as_str()),
        host: text(header::HOST),
        origin: text(header::ORIGIN),
        fetch_site: text(HeaderName::from_static("sec-fetch-site")),
    };
    let Some(route) = route(&asked, shared.port, &shared.token) else {
        return response(Answer::none(), false, shared);
    };
    shared.looked_at.set(Instant::now());
    if route == Route::Changes {
        return stream(changes(shared));
    }
    let answer = answer(&route, &mut shared.rows.borrow_mut(), &shared.context);
    response(answer, request.method() == hyper::Method::HEAD, shared)
}

fn response(answer: Answer, head_only: bool, shared: &Shared) -> Response<Content> {
    let mut response = Response::new(match answer.body {
        _ if head_only => Content::Whole(None),
        Text::Whole(bytes) => Content::Whole(Some(bytes.into())),
        Text::Pieces(page) if Rc::strong_count(&shared.pages) > MAX_PAGES => {
            Content::Whole(Some(page.collect::<String>().into()))
        }
        Text::Pieces(page) => Content::Pieces { page, _held: shared.pages.clone() },
    });
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    set_headers(&mut response, answer.content_type);
    let disposition = answer.file.map(|name| format!("attachment; filename=\"{name}\""));
    if let Some(Ok(value)) = disposition.map(HeaderValue::try_from) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

fn stream(changes: mpsc::Receiver<Bytes>) -> Response<Content> {
    let mut response = Response::new(Content::Stream(changes));
    set_headers(&mut response, "text/event-stream");
    response
}

/// No answer is kept by a cache, shown inside another page, or names where it came from. A turn's page, whose script lies in
/// it, has a policy of its own.
fn set_headers(response: &mut Response<Content>, content_type: &'static str) {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Notifies a page when turns come, go or move, until it is closed. A page that is open counts as somebody who looks.
fn changes(shared: &Rc<Shared>) -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(1);
    let shared = shared.clone();
    tokio::task::spawn_local(async move {
        let mut known = rows::stamp(shared.context.paths());
        let mut was_running = false;
        let mut silent = Duration::ZERO;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = rows::stamp(shared.context.paths());
            silent += LOOK_EVERY;
            let is_running = running::any(&shared.context);
            // The end of a turn that leaves nothing moves the page as well.
            let moved = now != known || is_running || was_running;
            was_running = is_running;
            let event = match (moved, silent >= HEARTBEAT) {
                (true, _) => "data: changed\n\n",
                (false, true) => ": nothing new\n\n",
                (false, false) if sender.is_closed() => return,
                (false, false) => continue,
            };
            (known, silent) = (now, Duration::ZERO);
            shared.looked_at.set(Instant::now());
            if sender.send(Bytes::from_static(event.as_bytes())).await.is_err() {
                return;
            }
        }
    });
    receiver
}

/// The body of an answer.
enum Content {
    Whole(Option<Bytes>),
    Pieces { page: Box<Page>, _held: Rc<()> },
    Stream(mpsc::Receiver<Bytes>),
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match self.get_mut() {
            Content::Whole(bytes) => bytes.take(),
            Content::Pieces { page, .. } => page.next().map(Bytes::from),
            Content::Stream(changes) => ready!(changes.poll_recv(task)),
        };
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Content::Pieces { .. } | Content::Stream(_) => SizeHint::default(),
        }
    }
}

/// A browser keeps six.
const MAX_CONNECTIONS: usize = 64;
/// Each holds a whole turn until its reader has it; the pages of more are made before they are sent.
const MAX_PAGES: usize = 3;
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// For the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(500);
const HEARTBEAT: Duration = Duration::from_secs(15);
