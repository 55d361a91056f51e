//! Keep-alive connections that send signed batches as fast as they are answered.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::events::BenchEvent;

/// Where and as whom to send.
#[derive(Clone)]
pub struct Target {
    pub port: u16,
    pub api_key: String,
    pub signing_secret: String,
}

/// What a run came to.
pub struct Sent {
    pub seconds: f64,
    /// Sorted, in milliseconds.
    pub latencies: Vec<f64>,
    pub refused: usize,
}

/// Whole requests, ready to be written.
pub fn requests(target: &Target, events: &[BenchEvent], batch: usize) -> Vec<Vec<u8>> {
    events.chunks(batch).map(|events| request(target, events)).collect()
}

fn request(target: &Target, events: &[BenchEvent]) -> Vec<u8> {
    let mut body = String::from("[");
    for (position, event) in events.iter().enumerate() {
        if position > 0 {
            body.push(',');
        }
        event.json(&mut body);
    }
    body.push(']');
    let mut mac = Hmac::<Sha256>::new_from_slice(target.signing_secret.as_bytes()).expect("any length");
    mac.update(body.as_bytes());
    let signature = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
    let Target { api_key, port, .. } = target;
    let length = body.len();
    format!(
        "POST /log HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nX-Project-Key: \
         {api_key}\r\nX-Signature: sha256={signature}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Sends every request once over `connections`, each waiting for its answer.
pub fn send(port: u16, requests: Vec<Vec<u8>>, connections: usize) -> Sent {
    let requests = Arc::new(requests);
    let next = Arc::new(AtomicUsize::new(0));
    let barrier = Arc::new(Barrier::new(connections + 1));
    let threads: Vec<_> = (0..connections)
        .map(|_| {
            let (requests, next, barrier) = (requests.clone(), next.clone(), barrier.clone());
            std::thread::spawn(move || {
                let mut stream = connect(port);
                let mut results = Vec::new();
                barrier.wait();
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let since = Instant::now();
                    let status = exchange(&mut stream, request);
                    results.push((since.elapsed(), status));
                }
                results
            })
        })
        .collect();
    barrier.wait();
    let begun = Instant::now();
    let results: Vec<(Duration, u16)> =
        threads.into_iter().flat_map(|thread| thread.join().expect("a sender ends")).collect();
    let seconds = begun.elapsed().as_secs_f64();
    let mut latencies: Vec<f64> = results.iter().map(|one| one.0.as_secs_f64() * 1e3).collect();
    latencies.sort_by(f64::total_cmp);
    let refused = results.iter().filter(|one| one.1 != 200).count();
    Sent { seconds, latencies, refused }
}

/// Sends one request every `pace`, from `connections` in turn; the latencies, sorted. Every one must be taken.
pub fn send_paced(port: u16, requests: Vec<Vec<u8>>, connections: usize, pace: Duration) -> Vec<f64> {
    let begun = Instant::now();
    let requests = Arc::new(requests);
    let threads: Vec<_> = (0..connections)
        .map(|first| {
            let requests = requests.clone();
            std::thread::spawn(move || {
                let turns = (first..requests.len()).step_by(connections);
                let send = |turn: usize| {
                    let due = pace * u32::try_from(turn).expect("few requests");
                    std::thread::sleep(due.saturating_sub(begun.elapsed()));
                    let since = Instant::now();
                    // The pause is longer than a connection may be idle.
                    let mut stream = connect(port);
                    assert_eq!(exchange(&mut stream, &requests[turn]), 200, "no refusals");
                    since.elapsed().as_secs_f64() * 1e3
                };
                turns.map(send).collect::<Vec<f64>>()
            })
        })
        .collect();
    let mut latencies: Vec<f64> =
        threads.into_iter().flat_map(|thread| thread.join().expect("a sender ends")).collect();
    latencies.sort_by(f64::total_cmp);
    latencies
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the service listens");
    stream.set_nodelay(true).expect("a TCP socket");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a TCP socket");
    stream
}

/// Writes a request and reads its answer to the end; the status.
pub fn exchange(stream: &mut TcpStream, request: &[u8]) -> u16 {
    stream.write_all(request).expect("the service reads");
    let (mut answer, mut chunk) = (Vec::with_capacity(1_024), [0; 4_096]);
    loop {
        let read = stream.read(&mut chunk).expect("the service answers in time");
        assert!(read > 0, "the service closed the connection");
        answer.extend_from_slice(&chunk[..read]);
        let Some(end) = memchr::memmem::find(&answer, b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if answer.len() >= end + 4 + length.unwrap_or(0) {
            return head[9..12].parse().expect("a status");
        }
    }
}
