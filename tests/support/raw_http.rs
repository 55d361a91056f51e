//! A server on a port of its own, and a client that can misbehave byte by byte.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use poem::endpoint::make;
use poem::http::{StatusCode, header};
use poem::{Endpoint, Request, Response};
use tekno_logger::error::ApiError;
use tekno_logger::http::adapter;
use tekno_logger::http::body::{BodyTimes, read_body};
use tekno_logger::memory::Budget;
use tekno_logger::server::{self, ConnectionGauges, ServerLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes; reaching it is a failure.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Most bytes the test endpoint takes.
pub const BODY_CAP: usize = 1 << 20;

/// Bytes of the answer to `/large`: more than the buffers of a connection.
pub const LARGE: usize = 32 << 20;

/// Bounds that are never met by accident; a test shortens the one it is about.
pub fn generous() -> ServerLimits {
    ServerLimits {
        max_connections: 1_000,
        max_per_address: None,
        header_timeout: PATIENCE * 2,
        idle_timeout: PATIENCE * 2,
        write_timeout: PATIENCE * 2,
        answer_timeout: PATIENCE * 2,
        answer_bytes: 64 << 20,
        stop_grace: PATIENCE * 2,
    }
}

/// What the test endpoint does is seen and steered from here.
pub struct Rig {
    pub port: u16,
    pub gauges: Arc<ConnectionGauges>,
    pub shutdown: CancellationToken,
    pub serving: JoinHandle<()>,
    pub slow: Arc<Slow>,
}

/// Requests to `/slow` end when they are given leave.
pub struct Slow {
    pub leave: Semaphore,
    pub inside: AtomicUsize,
    pub most_inside: AtomicUsize,
}

/// Starts a server with `/hello`, `/length`, `/slow`, `/large` and `/panic`.
pub fn start(limits: ServerLimits, times: BodyTimes) -> Rig {
    let slow = Arc::new(Slow {
        leave: Semaphore::new(0),
        inside: AtomicUsize::new(0),
        most_inside: AtomicUsize::new(0),
    });
    let listener = server::bind(0).expect("a free port");
    let (port, gauges) = (listener.local_addr().port(), listener.gauges());
    let shutdown = CancellationToken::new();
    let handler = adapter::handler(endpoint(slow.clone(), times));
    let serving = tokio::spawn(server::serve(listener, handler, limits, shutdown.clone()));
    Rig { port, gauges, shutdown, serving, slow }
}

fn endpoint(slow: Arc<Slow>, times: BodyTimes) -> impl Endpoint + 'static {
    let budget = Budget::new(8 << 20);
    make(move |request: Request| {
        let (slow, budget) = (slow.clone(), budget.clone());
        async move {
            match request.uri().path() {
                "/hello" => Ok::<_, poem::Error>(Response::from("hello")),
                "/length" => Ok(length(request, &budget, times).await),
                "/slow" => Ok(slow.answer().await),
                "/large" => Ok(Response::from(vec![b'x'; LARGE])),
                path => panic!("no such path: {path}"),
            }
        }
    })
}

impl Slow {
    async fn answer(&self) -> Response {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_inside.fetch_max(inside, Ordering::SeqCst);
        self.leave.acquire().await.expect("never closed").forget();
        self.inside.fetch_sub(1, Ordering::SeqCst);
        Response::from("done")
    }
}

/// Answers with the length of the body, or with the status of the refusal.
async fn length(request: Request, budget: &Budget, times: BodyTimes) -> Response {
    let (parts, body) = request.into_parts();
    let refusal = match read_body(&parts.headers, body, BODY_CAP, budget, times).await {
        Ok(read) => return Response::from(read.bytes.len().to_string()),
        Err(refusal) => refusal,
    };
    let status = match refusal.error {
        ApiError::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        ApiError::PayloadTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        ApiError::Overloaded(_) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    let answer = Response::builder().status(status);
    if refusal.drained { answer.finish() } else { answer.header(header::CONNECTION, "close").finish() }
}

impl Rig {
    /// Connects from 127.0.0.1.
    pub async fn connect(&self) -> RawClient {
        self.connect_from([127, 0, 0, 1]).await
    }

    /// Connects from another address of the loopback network.
    pub async fn connect_from(&self, source: [u8; 4]) -> RawClient {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::new(IpAddr::from(source), 0)).expect("a loopback address");
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        RawClient { stream: socket.connect(server).await.expect("the server listens"), unread: Vec::new() }
    }
}

/// One connection, spoken to in bytes.
pub struct RawClient {
    pub stream: TcpStream,
    unread: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl RawClient {
    /// Sends bytes. A client that can't send all of it gives up before it looks for an answer, so that is a
    /// failure.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("the server reads or keeps quiet");
    }

    /// Asks for a path.
    pub async fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")).await;
    }

    /// The next answer; a missing one is a failure.
    pub async fn answer(&mut self) -> Answer {
        self.try_answer().await.expect("an answer before the end of the connection")
    }

    /// The next answer, or `None` when the connection ended instead.
    pub async fn try_answer(&mut self) -> Option<Answer> {
        let end = self.read_until(|bytes| find(bytes, b"\r\n\r\n").map(|at| at + 4)).await?;
        let head = String::from_utf8(self.unread.drain(..end).collect()).expect("a head is text");
        let status = head[9..12].parse().expect("a status");
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().expect("a length"))
        });
        let length: usize = length.unwrap_or(0);
        self.read_until(|bytes| (bytes.len() >= length).then_some(length)).await?;
        let body = String::from_utf8(self.unread.drain(..length).collect()).expect("a body of text");
        Some(Answer { status, head, body })
    }

    /// Waits until the server ends the connection; true when it said nothing more.
    pub async fn ended_silently(&mut self) -> bool {
        self.read_until(|_| None::<usize>).await;
        self.unread.is_empty()
    }

    async fn read_until<T>(&mut self, found: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        loop {
            if let Some(found) = found(&self.unread) {
                return Some(found);
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await;
            if !matches!(read.expect("the server answers or ends the connection"), Ok(1..)) {
                return None;
            }
        }
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// Waits for a condition that other tasks bring about.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never came: {what}"));
}
