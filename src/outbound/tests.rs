//! The way out against real sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

fn config(allow_private: bool) -> OutboundConfig {
    OutboundConfig { allow_private, tls_ca: None }
}

/// Answers each name with the next of these lists, the last one for ever; says how often it was asked.
fn answering(lists: Vec<Vec<IpAddr>>) -> (Lookup, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let (lists, count) = (Mutex::new(lists), asked.clone());
    let lookup: Lookup = Arc::new(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        let mut lists = lists.lock().unwrap();
        let list = if lists.len() > 1 { lists.remove(0) } else { lists[0].clone() };
        Box::pin(async move { Ok(list) })
    });
    (lookup, asked)
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Of the open internet by its number, and nobody's: the range was given back.
const PUBLIC: IpAddr = IpAddr::V6(Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 1));

/// A server that gives each connection `answer` once it has seen the end of a head, and counts connections.
async fn server(answer: Vec<u8>) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (port, seen) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let count = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let _ = stream.write_all(&answer).await;
                // Says nothing more, and doesn't hang up.
                let _ = stream.read_buf(&mut head).await;
            });
        }
    });
    (port, seen)
}

fn target(url: &str) -> Target {
    Target::parse(url).unwrap()
}

#[tokio::test]
async fn a_name_is_refused_when_any_of_its_addresses_is_private() {
    for closed in
        ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fe80::1", "2002:7f00:1::"]
    {
        for list in [vec![closed.parse().unwrap()], vec![PUBLIC, closed.parse().unwrap()]] {
            let (lookup, asked) = answering(vec![list]);
            let outbound = Outbound::with_lookup(&config(false), lookup, PATIENCE).unwrap();
            let sent =
                outbound.send(Request::get(&target("https://rebind.example.com/")), Trust::Guarded).await;
            assert!(matches!(sent, Err(OutboundError::Refused(_))), "{closed}: {sent:?}");
            let host = HostName::Name("mail.example.com".to_owned());
            let connected = outbound.connect(&host, 25, Trust::Guarded).await;
            assert!(matches!(connected, Err(OutboundError::Refused(_))), "{closed}");
            assert_eq!(asked.load(Ordering::SeqCst), 2);
        }
    }
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_connected_to_whatever_the_name_resolves_to_later() {
    let (port, seen) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let (lookup, asked) = answering(vec![vec![PUBLIC], vec![LOOPBACK]]);
    let outbound = Outbound::with_lookup(&config(false), lookup, Duration::from_millis(300)).unwrap();
    let url = format!("https://rebind.example.com:{port}/");
    let first = outbound.send(Request::get(&target(&url)), Trust::Guarded).await;
    // Nothing answers there; what matters is that it was not asked for twice and went nowhere else.
    assert!(matches!(first, Err(OutboundError::TimedOut(_) | OutboundError::Unreachable(_))), "{first:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let second = outbound.send(Request::get(&target(&url)), Trust::Guarded).await;
    assert!(matches!(second, Err(OutboundError::Refused(_))), "{second:?}");
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (other, seen) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let answer =
        format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{other}/\r\ncontent-length: 0\r\n\r\n");
    let (port, _) = server(answer.into_bytes()).await;
    let outbound = Outbound::new(&config(true)).unwrap();
    let url = target(&format!("http://127.0.0.1:{port}/"));
    let answer = outbound.send(Request::get(&url), Trust::Guarded).await.unwrap();
    assert_eq!(answer.status, 302);
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_is_read_up_to_its_bound() {
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n".to_vec();
    answer.resize(answer.len() + 1_000_000, b'x');
    let (port, _) = server(answer).await;
    let outbound = Outbound::new(&config(true)).unwrap();
    let url = target(&format!("http://127.0.0.1:{port}/"));
    let answer = outbound.send(Request::get(&url), Trust::Guarded).await.unwrap();
    assert_eq!(answer.body.len(), MAX_ANSWER_BYTES);
}

#[tokio::test]
async fn who_says_nothing_or_half_of_it_is_left_when_time_is_up() {
    for answer in ["", "HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
        let (port, _) = server(answer.as_bytes().to_vec()).await;
        let (lookup, _) = answering(vec![vec![LOOPBACK]]);
        let outbound = Outbound::with_lookup(&config(true), lookup, Duration::from_millis(200)).unwrap();
        let url = target(&format!("http://127.0.0.1:{port}/"));
        let sent = outbound.send(Request::get(&url), Trust::Guarded).await;
        assert!(matches!(sent, Err(OutboundError::TimedOut(_))), "{answer:?}: {sent:?}");
    }
}

#[tokio::test]
async fn a_head_without_end_is_broken_and_not_memory() {
    let mut answer = b"HTTP/1.1 200 OK\r\nx: ".to_vec();
    answer.resize(5_000_000, b'x');
    let (port, _) = server(answer).await;
    let outbound = Outbound::new(&config(true)).unwrap();
    let url = target(&format!("http://127.0.0.1:{port}/"));
    let sent = outbound.send(Request::get(&url), Trust::Guarded).await;
    assert!(matches!(sent, Err(OutboundError::Broken(_))), "{sent:?}");
}

#[tokio::test]
async fn plain_http_and_loopback_are_the_operators_alone_unless_opened() {
    let (port, seen) = server(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()).await;
    let outbound = Outbound::new(&config(false)).unwrap();
    let url = target(&format!("http://127.0.0.1:{port}/healthz"));
    let guarded = outbound.send(Request::get(&url), Trust::Guarded).await;
    assert!(matches!(guarded, Err(OutboundError::Refused(_))), "{guarded:?}");
    assert_eq!(seen.load(Ordering::SeqCst), 0);
    assert_eq!(outbound.send(Request::get(&url), Trust::Operator).await.unwrap().status, 204);
}
