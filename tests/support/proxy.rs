//! A TCP proxy between the service and its database that can refuse, stall, cut and delay.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

const CHUNK: usize = 16 * 1024;
/// Pieces that may be under way in one direction of a connection.
const WIRE_CHUNKS: usize = 128;
/// The packet's header, the command's number and the word.
const LONE_COMMIT_BYTES: usize = 4 + 1 + 6;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the service to the database.
    Up,
    /// From the database to the service.
    Down,
}

/// What is done to the connections.
#[derive(Debug)]
struct Faults {
    /// Connections numbered below this pass nothing.
    stalled_below: watch::Sender<u64>,
    /// New connections pass nothing either.
    stall_new: AtomicBool,
    /// Bytes that may still pass up or down before the connection that carries the last is cut; negative: no limit.
    left: [AtomicI64; 2],
    /// Cuts made by `left`.
    cuts: AtomicUsize,
    /// Commits whose replies will be swallowed: a writer's, and those alone in their packet.
    swallow: [AtomicUsize; 2],
    swallowed: AtomicUsize,
    /// With the next commit swallowed, nothing passes any more on any connection.
    shut_after_swallow: AtomicBool,
    shut: AtomicBool,
    /// The next commit is held back, and its connection stalled with it: a writer's, or one alone in its packet.
    stall_at_commit: AtomicBool,
    stall_at_lone_commit: AtomicBool,
    stalled_commits: AtomicUsize,
    delay_ms: [AtomicU64; 2],
    connections: AtomicU64,
}

/// The proxy; ends with its owner.
pub struct Proxy {
    pub port: u16,
    upstream: SocketAddr,
    faults: Arc<Faults>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

impl Proxy {
    /// A proxy to a port of this machine that passes everything.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let faults = Faults {
            stalled_below: watch::channel(0).0,
            stall_new: AtomicBool::new(false),
            left: [AtomicI64::new(i64::MIN), AtomicI64::new(i64::MIN)],
            cuts: AtomicUsize::new(0),
            swallow: [AtomicUsize::new(0), AtomicUsize::new(0)],
            swallowed: AtomicUsize::new(0),
            shut_after_swallow: AtomicBool::new(false),
            shut: AtomicBool::new(false),
            stall_at_commit: AtomicBool::new(false),
            stall_at_lone_commit: AtomicBool::new(false),
            stalled_commits: AtomicUsize::new(0),
            delay_ms: [AtomicU64::new(0), AtomicU64::new(0)],
            connections: AtomicU64::new(0),
        };
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            upstream: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            faults: Arc::new(faults),
            accepting: Mutex::new(None),
        };
        proxy.accept(listener);
        proxy
    }

    fn accept(&self, listener: TcpListener) {
        let (faults, upstream) = (self.faults.clone(), self.upstream);
        let accepting = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let number = faults.connections.fetch_add(1, Ordering::SeqCst);
                open.spawn(carry(client, upstream, number, faults.clone()));
            }
        });
        *self.accepting.lock().unwrap() = Some(accepting);
    }

    /// Cuts everything and refuses new connections (nobody listens).
    pub fn refuse(&self) {
        if let Some(accepting) = self.accepting.lock().unwrap().take() {
            accepting.abort();
        }
    }

    /// Listens again.
    pub async fn listen(&self) {
        self.faults.shut.store(false, Ordering::SeqCst);
        loop {
            // The port is ours; the listener of before may take a moment to go.
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await {
                return self.accept(listener);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Established connections pass nothing any more and are not closed; with `new`, neither do later ones.
    pub fn stall(&self, new: bool) {
        self.faults.stall_new.store(new, Ordering::SeqCst);
        self.faults.stalled_below.send_replace(self.faults.connections.load(Ordering::SeqCst));
    }

    /// Later connections pass again. Stalled ones stay so.
    pub fn pass_new(&self) {
        self.faults.stall_new.store(false, Ordering::SeqCst);
    }

    /// A writer's next commit never reaches the database: its connection stalls before it, for good.
    pub fn stall_at_commit(&self) {
        self.faults.stall_at_commit.store(true, Ordering::SeqCst);
    }

    /// As [`Proxy::stall_at_commit`], for a commit that comes in a packet of its own (the fold's).
    pub fn stall_at_lone_commit(&self) {
        self.faults.stall_at_lone_commit.store(true, Ordering::SeqCst);
    }

    /// Commits that were held back.
    pub fn stalled_commits(&self) -> usize {
        self.faults.stalled_commits.load(Ordering::SeqCst)
    }

    /// Cuts one connection once so many more bytes went one way.
    pub fn cut_after(&self, way: Way, bytes: i64) {
        self.faults.left[way as usize].store(bytes, Ordering::SeqCst);
    }

    /// Cuts made by [`Proxy::cut_after`].
    pub fn cuts(&self) -> usize {
        self.faults.cuts.load(Ordering::SeqCst)
    }

    /// The next `count` commits of writers reach the database, but instead of its answers the connection ends.
    pub fn swallow_commits(&self, count: usize) {
        self.faults.swallow[0].store(count, Ordering::SeqCst);
    }

    /// As [`Proxy::swallow_commits`], for commits that come in packets of their own (the fold's).
    pub fn swallow_lone_commits(&self, count: usize) {
        self.faults.swallow[1].store(count, Ordering::SeqCst);
    }

    /// The next commit of a writer is swallowed, and from that moment the database is away for everybody: nobody can
    /// ask whether it went through. [`Proxy::refuse`] and [`Proxy::listen`] end that.
    pub fn swallow_last_commit(&self) {
        self.faults.shut_after_swallow.store(true, Ordering::SeqCst);
        self.swallow_commits(1);
    }

    /// Commits whose answers were swallowed.
    pub fn swallowed(&self) -> usize {
        self.faults.swallowed.load(Ordering::SeqCst)
    }

    /// Holds each piece back for a while.
    pub fn delay(&self, way: Way, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).unwrap();
        self.faults.delay_ms[way as usize].store(millis, Ordering::SeqCst);
    }

    /// Connections made so far.
    pub fn connections(&self) -> u64 {
        self.faults.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.refuse();
    }
}

/// How a direction came to its end.
enum End {
    Closed,
    /// A commit has passed whose answer is to be lost.
    Swallow,
}

async fn carry(client: TcpStream, upstream: SocketAddr, number: u64, faults: Arc<Faults>) {
    if faults.stall_new.load(Ordering::SeqCst) {
        let mut stalled = faults.stalled_below.subscribe();
        faults.stalled_below.send_if_modified(|below| {
            let grown = *below <= number;
            *below = (*below).max(number + 1);
            grown
        });
        // Never passes again; goes with the proxy.
        while stalled.changed().await.is_ok() {}
        return;
    }
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let ended = {
        let up = pass(&mut from_client, &mut to_server, Way::Up, number, &faults);
        let down = pass(&mut from_server, &mut to_client, Way::Down, number, &faults);
        tokio::select! {
            end = up => end,
            end = down => end,
        }
    };
    if let End::Swallow = ended {
        // The database has the whole commit; once it has answered all of it, it sees our end and closes.
        let _ = to_server.shutdown().await;
        let mut answers = Vec::new();
        let _ = from_server.read_to_end(&mut answers).await;
        faults.swallowed.fetch_add(1, Ordering::SeqCst);
    }
}

async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    way: Way,
    number: u64,
    faults: &Faults,
) -> End {
    // What has come waits in line for its own time, as on a long wire: several pieces are under way at once.
    let (wire, mut arriving) = mpsc::channel::<(Instant, Vec<u8>)>(WIRE_CHUNKS);
    let reading = async move {
        let mut chunk = vec![0; CHUNK];
        while let Ok(read @ 1..) = from.read(&mut chunk).await {
            if wire.send((Instant::now(), chunk[..read].to_vec())).await.is_err() {
                break;
            }
        }
        drop(wire);
        std::future::pending::<()>().await;
    };
    let passing = async {
        let mut stalled = faults.stalled_below.subscribe();
        while let Some((came, chunk)) = arriving.recv().await {
            if faults.shut.load(Ordering::SeqCst) {
                return End::Closed;
            }
            let delay = Duration::from_millis(faults.delay_ms[way as usize].load(Ordering::SeqCst));
            tokio::time::sleep(delay.saturating_sub(came.elapsed())).await;
            if *stalled.borrow_and_update() > number {
                while stalled.changed().await.is_ok() {}
            }
            let commits = way == Way::Up && chunk.ends_with(b"COMMIT");
            let lone = commits && chunk.len() == LONE_COMMIT_BYTES;
            if (commits && !lone && faults.stall_at_commit.swap(false, Ordering::SeqCst))
                || (lone && faults.stall_at_lone_commit.swap(false, Ordering::SeqCst))
            {
                faults.stalled_commits.fetch_add(1, Ordering::SeqCst);
                while stalled.changed().await.is_ok() {}
            }
            let may_pass = faults.take(way, chunk.len());
            let swallow = commits && faults.take_swallow(usize::from(lone));
            if to.write_all(&chunk[..may_pass]).await.is_err() || may_pass < chunk.len() {
                return End::Closed;
            }
            if swallow {
                return End::Swallow;
            }
        }
        End::Closed
    };
    tokio::select! {
        end = passing => end,
        () = reading => End::Closed,
    }
}

impl Faults {
    /// How many of `wanted` bytes may pass; less than that means a cut, which disarms the limit.
    fn take(&self, way: Way, wanted: usize) -> usize {
        let left = &self.left[way as usize];
        let wanted_signed = i64::try_from(wanted).unwrap();
        let before = left.load(Ordering::SeqCst);
        if before < 0 {
            return wanted;
        }
        if before >= wanted_signed {
            left.fetch_sub(wanted_signed, Ordering::SeqCst);
            return wanted;
        }
        if left.compare_exchange(before, i64::MIN, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            return wanted;
        }
        self.cuts.fetch_add(1, Ordering::SeqCst);
        usize::try_from(before).unwrap()
    }

    fn take_swallow(&self, lone: usize) -> bool {
        let taken = self.swallow[lone]
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok();
        if taken && self.shut_after_swallow.swap(false, Ordering::SeqCst) {
            self.shut.store(true, Ordering::SeqCst);
        }
        taken
    }
}
