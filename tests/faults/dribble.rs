//! Clients that give their request or take their answer byte by byte: they hold little, and no place for long when
//! others want it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::bombs::MEMORY;
use crate::load::{Batch, Dice, Project, send_until_stored};
use crate::process::{PATIENCE, until};
use crate::rig::{ADMIN_TOKEN, Client, Instance, Rig};

/// What a dribbler is slow at.
#[derive(Clone, Copy, Debug)]
enum Slow {
    Head,
    Body,
    Answer,
}

fn port(instance: &Instance) -> u16 {
    instance.client.base.rsplit(':').next().unwrap().parse().unwrap()
}

/// A client of the same service from another address of this machine.
fn elsewhere(instance: &Instance, last: u8) -> Client {
    let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
    let http = reqwest::Client::builder().timeout(PATIENCE).local_address(from).build().unwrap();
    Client { base: format!("http://127.0.0.1:{}", port(instance)), http }
}

async fn connect(port: u16) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    // Answers wait in the service, not here.
    socket.set_recv_buffer_size(4 << 10)?;
    socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

/// Dribbles until the service has had enough of it.
async fn dribble(port: u16, slow: Slow, project_id: i64) -> std::io::Result<()> {
    let mut stream = connect(port).await?;
    let pause = Duration::from_millis(500);
    match slow {
        Slow::Head => {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nX-Slow: ").await?;
            loop {
                stream.write_all(b"a").await?;
                tokio::time::sleep(pause).await;
            }
        }
        Slow::Body => {
            let head = "POST /log HTTP/1.1\r\nHost: t\r\nX-Project-Key: k\r\nX-Signature: s\r\nContent-Length: 500000\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(pause).await;
            }
        }
        Slow::Answer => {
            let head = format!(
                "GET /logs?project_id={project_id}&from=-24h&limit=1000 HTTP/1.1\r\nHost: t\r\nX-Admin-Token: {ADMIN_TOKEN}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await?;
            let mut byte = [0];
            while stream.read(&mut byte).await? > 0 {
                tokio::time::sleep(pause).await;
            }
            Ok(())
        }
    }
}

/// Dribblers from one address, each coming again when it was cut, until the set is dropped.
fn dribblers(instance: &Instance, count: usize, kinds: &[Slow], project: &Project) -> JoinSet<()> {
    let mut set = JoinSet::new();
    for number in 0..count {
        let (port, slow, project_id) = (port(instance), kinds[number % kinds.len()], project.id);
        set.spawn(async move {
            loop {
                let _ = dribble(port, slow, project_id).await;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
    }
    set
}

/// Events of which a page is some 4 MiB.
async fn large_page(client: &Client, project: &Project) {
    let mut dice = Dice::new("large page");
    for number in 0..10 {
        let batch = Batch::new(&format!("large-{number}"), 100, 4_000, &mut dice);
        send_until_stored(client, project, &batch, PATIENCE).await;
    }
}

/// Whether somebody at another address is served: a batch stored and the health asked for.
async fn served(client: &Client, project: &Project, name: &str) -> Duration {
    let started = Instant::now();
    until("another client is served", PATIENCE, async || {
        let asked = client.http.get(format!("{}/healthz", client.base)).send().await;
        asked.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
    let batch = Batch::new(name, 3, 20, &mut Dice::new(name));
    send_until_stored(client, project, &batch, PATIENCE).await;
    started.elapsed()
}

async fn dribbled_at(connections: &str, count: usize, kinds: &[Slow]) {
    let mut rig = Rig::sqlite();
    rig.set("MAX_CONNECTIONS", connections);
    let mut instance = rig.start_ready().await;
    let project = instance.client.project("slow").await;
    large_page(&instance.client, &project).await;
    let before = instance.process.peak_memory();
    let mut set = dribblers(&instance, count, kinds, &project);
    let (near, far) = (elsewhere(&instance, 1), elsewhere(&instance, 2));
    let mut slowest = [Duration::ZERO; 2];
    let started = Instant::now();
    for round in 0.. {
        slowest[0] = slowest[0].max(served(&far, &project, &format!("far-{round}")).await);
        slowest[1] = slowest[1].max(served(&near, &project, &format!("near-{round}")).await);
        if round > 3 && started.elapsed() > Duration::from_secs(6) {
            break;
        }
    }
    set.shutdown().await;
    let peak = instance.process.peak_memory();
    println!(
        "{count} dribblers at {kinds:?}, {connections} places: others waited {:?} at another address, {:?} at theirs; \
         peak {} MiB, {} before",
        slowest[0],
        slowest[1],
        peak >> 20,
        before >> 20,
    );
    assert!(instance.process.is_alive());
    assert!(peak <= MEMORY, "{} MiB", peak >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn dribblers_take_neither_memory_nor_all_places() {
    dribbled_at("64", 250, &[Slow::Head, Slow::Body, Slow::Answer]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "for a released binary; scripts/torture runs it"]
async fn two_thousand_dribblers_take_neither_memory_nor_all_places() {
    for kinds in [&[Slow::Head][..], &[Slow::Body], &[Slow::Answer], &[Slow::Head, Slow::Body, Slow::Answer]]
    {
        for places in ["512", "4000"] {
            dribbled_at(places, 2_000, kinds).await;
        }
    }
}

/// Requests on their way at once.
const AT_A_TIME: u32 = 100;

/// A request from an address of the client's own choice, as a proxy that is trusted passes it on.
fn request_from(number: u32) -> String {
    let address = Ipv4Addr::from_bits(number);
    format!("GET /logs HTTP/1.1\r\nHost: t\r\nCF-Connecting-IP: {address}\r\n\r\n")
}

async fn addresses(count: u32) {
    let mut rig = Rig::sqlite();
    rig.set("CLIENT_ADDRESS_HEADER", "CF-Connecting-IP");
    rig.set("READ_RATE_LIMIT_PER_IP", "600");
    let instance = rig.start_ready().await;
    let mut stream = TcpStream::connect(("127.0.0.1", port(&instance))).await.unwrap();
    let mut warm = None;
    for first in (0..count).step_by(AT_A_TIME as usize) {
        let text: String = (first..first + AT_A_TIME).map(request_from).collect();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answers = 0;
        let mut chunk = vec![0; 64 << 10];
        let mut tail = Vec::new();
        while answers < AT_A_TIME {
            let read = stream.read(&mut chunk).await.unwrap();
            assert!(read > 0, "the connection is kept");
            tail.extend_from_slice(&chunk[..read]);
            while let Some(at) = tail.windows(9).position(|window| window == b"HTTP/1.1 ") {
                tail.drain(..at + 9);
                answers += 1;
            }
            tail.drain(..tail.len().saturating_sub(8));
        }
        warm.get_or_insert_with(|| instance.process.memory());
    }
    let grown = instance.process.peak_memory().saturating_sub(warm.unwrap());
    println!("{count} addresses: {} KiB more", grown >> 10);
    assert!(grown <= 8 << 20, "{} KiB", grown >> 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_many_addresses_take_little_memory() {
    addresses(50_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes, for a released binary; scripts/torture runs it"]
async fn the_limits_of_five_million_addresses_take_at_most_8_mib() {
    addresses(5_000_000).await;
}
