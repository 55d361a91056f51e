//! A TCP proxy in front of a database server that counts what a client asks of it and is answered, and can be cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::reading::Service;
use crate::support::TestDatabase;

/// A proxy; gone when dropped.
pub struct Proxy {
    pub port: u16,
    commands: Arc<AtomicU64>,
    answered: Arc<AtomicU64>,
    cut: watch::Sender<bool>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// In front of `host:port`.
    pub async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (commands, answered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (cut, is_cut) = watch::channel(false);
        let counters = (commands.clone(), answered.clone());
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *is_cut.borrow() {
                    continue;
                }
                let Ok(upstream) = TcpStream::connect(&server).await else { continue };
                tokio::spawn(join(client, upstream, counters.clone(), is_cut.clone()));
            }
        });
        Self { port, commands, answered, cut, accepting }
    }

    /// Commands sent so far: each is one round trip.
    pub fn commands(&self) -> u64 {
        self.commands.load(Ordering::SeqCst)
    }

    /// Bytes the server has answered so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }

    /// Ends all connections and refuses new ones, until told otherwise.
    pub fn set_cut(&self, cut: bool) {
        self.cut.send_replace(cut);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut.send_replace(true);
        self.accepting.abort();
    }
}

async fn join(
    client: TcpStream,
    server: TcpStream,
    (commands, answered): (Arc<AtomicU64>, Arc<AtomicU64>),
    mut cut: watch::Receiver<bool>,
) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::select! {
        _ = count(&mut from_client, &mut to_server, &commands) => {}
        _ = pass(&mut from_server, &mut to_client, &answered) => {}
        _ = cut.wait_for(|cut| *cut) => {}
    }
}

/// Passes answers on, and counts their bytes.
async fn pass(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    answered: &AtomicU64,
) -> std::io::Result<()> {
    let mut piece = vec![0; 64 << 10];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        answered.fetch_add(length as u64, Ordering::SeqCst);
        to.write_all(&piece[..length]).await?;
    }
}

/// Passes packets on; one with sequence number 0 begins a command.
async fn count(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    commands: &AtomicU64,
) -> std::io::Result<()> {
    loop {
        let mut head = [0; 4];
        from.read_exact(&mut head).await?;
        let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
        let mut packet = vec![0; length];
        from.read_exact(&mut packet).await?;
        if head[3] == 0 {
            commands.fetch_add(1, Ordering::SeqCst);
        }
        to.write_all(&head).await?;
        to.write_all(&packet).await?;
    }
}

/// A service whose database server is behind a proxy, if there is one.
pub async fn behind_proxy(database: &TestDatabase) -> (Proxy, Service) {
    let url = database.variables(&[])["DATABASE_URL"].clone();
    let (head, rest) = url.split_once("://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let (user, server) = authority.rsplit_once('@').unwrap();
    let proxy = Proxy::to(server.to_owned()).await;
    let through = format!("{head}://{user}@127.0.0.1:{}/{path}", proxy.port);
    let service =
        Service::start_with(database, &[("DATABASE_URL", &through), ("DATABASE_TLS", "disabled")]).await;
    (proxy, service)
}
