//! The listening socket and its connections: HTTP/1 by hyper, with every wait and every size bounded.
//!
//! [`bind`] opens the socket, [`serve`] accepts until it is told to stop, finishes what it accepted and cuts
//! what is left after a grace. It knows nothing of routes: a [`Handler`] answers requests. Bodies are timed by
//! whoever reads them ([`crate::http::body`]); this module times headers, idleness and writes.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::ClientAddressSource;
use crate::memory::{ANSWER_BUDGET_BYTES, Budget};
use share::{AddressShares, ShareGuard};

mod connection;
mod departure;
mod pace;
mod phase;
mod share;
mod transport;

/// Connections the system may keep waiting to be accepted.
const BACKLOG: u32 = 1024;

/// Pause after an accept that failed for want of file descriptors or memory, instead of spinning.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// How often idle and dawdling connections make room while the cap is reached.
const PRESSURE_INTERVAL: Duration = Duration::from_millis(100);

/// Most bytes of a request's first line and headers.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// Bounds on connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at once; the next ones wait in the system's backlog.
    pub max_connections: usize,
    /// Connections at once from one address (IPv6: one /64); `None` behind a proxy, where all look alike.
    pub max_per_address: Option<usize>,
    /// From a request's first byte (or the connection's start) to the end of its headers.
    pub header_timeout: Duration,
    /// Between requests on a kept-alive connection. Longer than a proxy keeps its own, or the proxy would send
    /// a request into a closing connection.
    pub idle_timeout: Duration,
    /// A client that has room for less than [`MIN_WRITE_PROGRESS`] bytes of its answer in this time is cut.
    pub write_timeout: Duration,
    /// A client that lets a written answer (or a piece of a stream) wait has this long to take all of it.
    pub answer_timeout: Duration,
    /// Bytes of large answers that wait to be taken, all connections together.
    pub answer_bytes: usize,
    /// For accepted requests to be answered once a stop was asked for; then connections are cut.
    pub stop_grace: Duration,
}

pub use transport::MIN_WRITE_PROGRESS;

impl ServerLimits {
    /// The limits of production. The share of one address (a quarter of all) holds only where the peer of a
    /// connection is the client.
    #[must_use]
    pub fn new(max_connections: usize, source: &ClientAddressSource) -> Self {
        let direct = *source == ClientAddressSource::Peer;
        Self {
            max_connections,
            max_per_address: direct.then_some((max_connections / 4).max(1)),
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_mins(2),
            answer_bytes: ANSWER_BUDGET_BYTES,
            stop_grace: Duration::from_millis(3_500),
        }
    }
}

/// An extension of an answer whose body is in memory anyway, however many clients read it: it needs no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedMemory;

/// Both ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Our end.
    pub local: SocketAddr,
    /// The peer's: the client, or the proxy in front of us.
    pub remote: SocketAddr,
}

/// Marks an answer that lasts and can be cut and taken up again, as an extension of the response: a peer that closes is
/// noticed at once and ends it, and a stop waits only [`LONG_ANSWER_GRACE`] for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongAnswer;

/// What is left of an answer that lasts after a stop was asked for: time for its last words.
pub const LONG_ANSWER_GRACE: Duration = Duration::from_millis(500);

/// What answers requests. Any `Fn(Request<Incoming>, PeerInfo) -> Future<Output = Response<_>>` is one.
pub trait Handler: Send + Sync + 'static {
    /// The body of its answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + Unpin
        + 'static;

    /// Answers one request; dropped when the connection is cut.
    fn handle(
        &self,
        request: Request<Incoming>,
        peer: PeerInfo,
    ) -> impl Future<Output = Response<Self::Body>> + Send + 'static;
}

impl<F, A, B> Handler for F
where
    F: Fn(Request<Incoming>, PeerInfo) -> A + Send + Sync + 'static,
    A: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
{
    type Body = B;

    fn handle(
        &self,
        request: Request<Incoming>,
        peer: PeerInfo,
    ) -> impl Future<Output = Response<B>> + Send + 'static {
        self(request, peer)
    }
}

/// Numbers for `/metrics`.
#[derive(Debug, Default)]
pub struct ConnectionGauges {
    open: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
    cut: AtomicU64,
    accept_errors: AtomicU64,
}

impl ConnectionGauges {
    /// Connections open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections accepted since the start, the refused ones included.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections refused because their address had its share.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Connections cut since the start because they dawdled while others waited for a place.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    fn count_cut(&self) {
        self.cut.fetch_add(1, Ordering::Relaxed);
    }

    /// Accepts that failed for want of file descriptors or memory.
    #[must_use]
    pub fn accept_errors(&self) -> u64 {
        self.accept_errors.load(Ordering::Relaxed)
    }
}

/// An open listening socket.
pub struct Listener {
    socket: TcpListener,
    local: SocketAddr,
    gauges: Arc<ConnectionGauges>,
}

impl Listener {
    /// The address it listens on, with the port the system chose if it was asked to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Numbers about its connections.
    #[must_use]
    pub fn gauges(&self) -> Arc<ConnectionGauges> {
        self.gauges.clone()
    }
}

/// Listens on `[::]:port` for IPv6 and IPv4, or on `0.0.0.0:port` where there is no IPv6. Port 0 lets the
/// system choose. Call it inside a tokio runtime.
///
/// # Errors
/// When the port is taken or not allowed.
pub fn bind(port: u16) -> io::Result<Listener> {
    let socket = match listen(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?
        }
        listened => listened?,
    };
    let local = socket.local_addr()?;
    Ok(Listener { socket, local, gauges: Arc::default() })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What all connections of a server share.
struct Shared<H> {
    handler: H,
    limits: ServerLimits,
    gauges: Arc<ConnectionGauges>,
    /// No new request after this.
    stop: CancellationToken,
    /// No connection after this.
    cut: CancellationToken,
    /// Wakes those that may be idle or dawdling while the cap is reached.
    pressure: Notify,
    /// Wakes those that may be dawdling while the room for answers is used up.
    dawdlers: Notify,
    /// Room for large answers.
    answers: Budget,
}

/// Accepts connections and answers their requests until `shutdown` is cancelled; then closes the socket, lets
/// requests in flight finish for [`ServerLimits::stop_grace`] and cuts the rest. Dropping it cuts all.
pub async fn serve(
    listener: Listener,
    handler: impl Handler,
    limits: ServerLimits,
    shutdown: CancellationToken,
) {
    let Listener { socket, gauges, .. } = listener;
    let cut = CancellationToken::new();
    let _cut_when_dropped = cut.clone().drop_guard();
    let grace = limits.stop_grace;
    let answers = Budget::new(limits.answer_bytes);
    let (stop, pressure, dawdlers) = (shutdown.clone(), Notify::new(), Notify::new());
    let shared =
        Arc::new(Shared { handler, limits, gauges, stop, cut: cut.clone(), pressure, dawdlers, answers });
    let connections = TaskTracker::new();
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = accept_all(&socket, &shared, &connections) => {}
    }
    drop(socket);
    connections.close();
    if tokio::time::timeout(grace, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "cutting connections that did not finish");
        cut.cancel();
        connections.wait().await;
    }
}

async fn accept_all<H: Handler>(socket: &TcpListener, shared: &Arc<Shared<H>>, connections: &TaskTracker) {
    let places = Arc::new(Semaphore::new(shared.limits.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
    let by_address = AddressShares::new(shared.limits.max_per_address);
    loop {
        let place = wait_for_place(&places, shared).await;
        let (stream, remote) = accept_one(socket, &shared.gauges).await;
        shared.gauges.accepted.fetch_add(1, Ordering::Relaxed);
        let Some(share) = by_address.take(remote.ip()) else {
            shared.gauges.refused.fetch_add(1, Ordering::Relaxed);
            connection::refuse(&stream);
            continue;
        };
        start(shared, connections, stream, remote, (place, share));
    }
}

async fn wait_for_place<H>(places: &Arc<Semaphore>, shared: &Shared<H>) -> OwnedSemaphorePermit {
    loop {
        let place = places.clone().acquire_owned();
        if let Ok(place) = tokio::time::timeout(PRESSURE_INTERVAL, place).await {
            return place.expect("the semaphore is never closed");
        }
        shared.pressure.notify_waiters();
    }
}

async fn accept_one(socket: &TcpListener, gauges: &ConnectionGauges) -> (TcpStream, SocketAddr) {
    loop {
        match socket.accept().await {
            Ok(accepted) => return accepted,
            // The peer gave up before we came to it.
            Err(error) if is_peers_fault(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "accept failed; waiting");
                gauges.accept_errors.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

fn is_peers_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn start<H: Handler>(
    shared: &Arc<Shared<H>>,
    connections: &TaskTracker,
    stream: TcpStream,
    remote: SocketAddr,
    places: (OwnedSemaphorePermit, ShareGuard),
) {
    let shared = shared.clone();
    let open = OpenConnection::new(shared.gauges.clone());
    connections.spawn(async move {
        connection::run(&shared, stream, remote, &places.1).await;
        drop((open, places));
    });
}

/// Counts a connection as open until it is dropped, by a panic too.
struct OpenConnection(Arc<ConnectionGauges>);

impl OpenConnection {
    fn new(gauges: Arc<ConnectionGauges>) -> Self {
        gauges.open.fetch_add(1, Ordering::Relaxed);
        Self(gauges)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
