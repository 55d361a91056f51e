//! Limits per client, per project and of memory: what is refused stores nothing, and others are served on.

use std::net::{Ipv4Addr, SocketAddr};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::running::{Answer, Key, PATIENCE, Post, Running, everywhere, on_sqlite, sign};
use crate::support::TestDatabase;

const BODY: &str = r#"{"message":"m"}"#;

fn is_limited(answer: &Answer, code: &str, policy: &str, per_minute: u32) {
    assert_eq!(answer.refusal(), (429, code.to_owned()));
    let wait: u32 = answer.header("retry-after").expect("Retry-After").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(answer.header("ratelimit-policy"), Some(format!("\"{policy}\";q={per_minute};w=60").as_str()));
    assert_eq!(answer.header("ratelimit"), Some(format!("\"{policy}\";r=0;t={wait}").as_str()));
}

#[tokio::test]
async fn a_project_over_its_cap_waits_and_nothing_of_the_batch_is_stored() {
    everywhere(async |running| {
        let key = running.project_with("web", json!({ "minute_cap": 5 })).await;
        let other = running.project("other").await;
        let batch = |name: &str, count: usize| {
            let events: Vec<Value> =
                (0..count).map(|number| json!({ "message": format!("{name} {number}") })).collect();
            Post::bare(&key, json!(events).to_string())
        };
        assert_eq!(running.send(batch("first", 4)).await.counts(), (4, 4, false));
        is_limited(&running.send(batch("second", 4)).await, "rate_limited_project", "project", 5);
        assert_eq!(running.logs("q=second").await.len(), 0);
        assert_eq!(running.send(batch("third", 1)).await.counts(), (1, 1, false), "what is left may go");
        assert_eq!(running.send(Post::bare(&other, BODY)).await.counts(), (1, 1, false), "others may go on");
        let raised = running.admin(Method::PUT, "/admin/projects/web", &json!({ "minute_cap": 100 })).await;
        assert_eq!(raised.status, 200);
        assert_eq!(running.send(batch("second", 4)).await.counts(), (4, 4, false), "nothing was kept of it");
    })
    .await;
}

#[tokio::test]
async fn the_cap_of_the_settings_holds_where_the_project_has_none_and_0_is_no_cap() {
    for (setting, second) in [("3", 429), ("0", 200)] {
        on_sqlite(&[("RATE_LIMIT_PER_MINUTE", setting)], async |running| {
            let key = running.project("web").await;
            let post =
                |name: &str| Post::bare(&key, json!([{ "message": name }, { "message": "b" }]).to_string());
            assert_eq!(running.send(post("one")).await.status, 200);
            let answer = running.send(post("two")).await;
            assert_eq!(answer.status, second);
            if second == 429 {
                is_limited(&answer, "rate_limited_project", "project", 3);
            }
        })
        .await;
    }
}

fn post_number(key: &Key, number: usize) -> Post {
    Post::bare(key, json!({ "message": format!("number {number}") }).to_string())
}

#[tokio::test]
async fn a_client_over_its_limit_waits_whatever_it_says_about_its_address() {
    on_sqlite(&[("RATE_LIMIT_PER_IP", "3")], async |running| {
        let key = running.project("web").await;
        let forged = |number: usize| {
            let address = format!("203.0.113.{number}");
            post_number(&key, number)
                .with("x-forwarded-for", &address)
                .with("x-real-ip", &address)
                .with("forwarded", &format!("for={address}"))
                .with("cf-connecting-ip", &address)
                .with("true-client-ip", &address)
        };
        for number in 0..3 {
            assert_eq!(running.send(forged(number)).await.status, 200);
        }
        for number in 3..6 {
            is_limited(&running.send(forged(number)).await, "rate_limited_client", "client", 3);
        }
        assert_eq!(running.logs("").await.len(), 3);
        // A limit counts requests, signed or not; reading has an allowance of its own.
        is_limited(
            &running.request(Method::POST, "/api/log", &[], "x").await,
            "rate_limited_client",
            "client",
            3,
        );
        assert_eq!(running.request(Method::GET, "/healthz", &[], "").await.status, 200);
        // Another address of this machine is another client.
        let answer = send_from(running, Ipv4Addr::new(127, 0, 0, 9), &post_number(&key, 9)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    })
    .await;
}

async fn send_from(running: &Running, source: Ipv4Addr, post: &Post) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((source, 0))).unwrap();
    let mut stream = socket.connect(running.address).await.unwrap();
    let headers: Vec<String> =
        post.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        post.path,
        post.body.len()
    );
    stream.write_all(&[head.as_bytes(), &post.body].concat()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn a_header_the_operator_named_tells_clients_apart_and_ipv6_by_its_64() {
    on_sqlite(
        &[("RATE_LIMIT_PER_IP", "2"), ("CLIENT_ADDRESS_HEADER", "CF-Connecting-IP")],
        async |running| {
            let key = running.project("web").await;
            let mut number = 0;
            let mut send = async |address: &str| {
                number += 1;
                let post = post_number(&key, number).with("cf-connecting-ip", address);
                running.send(post.with("x-forwarded-for", &format!("198.51.100.{number}"))).await.status
            };
            for (address, status) in [
                ("203.0.113.1", 200),
                ("203.0.113.1", 200),
                ("203.0.113.1", 429),
                ("203.0.113.2", 200),
                ("::ffff:203.0.113.2", 200),
                ("203.0.113.2", 429),
                ("2001:db8:0:1::1", 200),
                ("2001:db8:0:1:ffff::2", 200),
                ("2001:db8:0:1::3", 429),
                ("2001:db8:0:2::1", 200),
            ] {
                assert_eq!(send(address).await, status, "{address}");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn with_trusted_hops_only_the_right_end_of_the_list_counts() {
    on_sqlite(&[("RATE_LIMIT_PER_IP", "2"), ("TRUSTED_PROXY_HOPS", "2")], async |running| {
        let key = running.project("web").await;
        let mut number = 0;
        let mut send = async |list: &str| {
            number += 1;
            running.send(post_number(&key, number).with("x-forwarded-for", list)).await.status
        };
        for (list, status) in [
            ("203.0.113.1, 10.0.0.1", 200),
            ("198.51.100.7, 203.0.113.1, 10.0.0.1", 200),
            ("198.51.100.8, 203.0.113.1, 10.0.0.2", 429),
            ("203.0.113.2, 10.0.0.1", 200),
        ] {
            assert_eq!(send(list).await, status, "{list}");
        }
    })
    .await;
}

/// A request with a body of `length` bytes of which `sent` are on their way.
async fn unfinished(running: &Running, key: &Key, length: usize, sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let signature = sign(&key.signing_secret, &[&vec![b' '; length]]);
    let head = format!(
        "POST /log HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\nX-Project-Key: {}\r\nX-Signature: {signature}\r\n\r\n",
        key.text
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; sent]).await.unwrap();
    stream
}

#[tokio::test]
async fn large_slow_bodies_fill_their_budget_and_no_more_and_small_clients_are_served() {
    let size = 8 << 20;
    on_sqlite(&[("MAX_PAYLOAD_BYTES", "8388608")], async |running| {
        let key = running.project("web").await;
        let mut slow = Vec::new();
        for _ in 0..4 {
            slow.push(unfinished(running, &key, size, size - 1).await);
        }
        let full = async {
            while running.state.bodies.used() < 4 * size {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, full).await.expect("four bodies are held");
        // What is left is for bodies that start.
        let mut refused = Vec::new();
        for _ in 0..4 {
            refused.push(unfinished(running, &key, 1 << 20, 1 << 20).await);
        }
        let mut answers = Vec::new();
        for mut stream in refused {
            let mut answer = String::new();
            timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
            answers.push(answer);
        }
        for answer in answers {
            assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("\"overloaded\""), "{answer}");
            assert!(answer.to_ascii_lowercase().contains("retry-after: 1\r\n"), "{answer}");
        }
        assert!(running.state.bodies.peak() <= running.state.bodies.total());
        assert_eq!(running.send(Post::bare(&key, BODY)).await.counts(), (1, 1, false), "a small client");
        let more =
            futures_util::future::join_all((0..100).map(|number| running.send(post_number(&key, number))))
                .await;
        assert!(more.iter().all(|answer| answer.status == 200), "a hundred small clients");
        let packed = zstd::bulk::compress(br#"{"message":"packed"}"#, 3).unwrap();
        let packed = Post::bare(&key, packed).with("content-encoding", "zstd");
        assert_eq!(running.send(packed).await.counts(), (1, 1, false), "a small compressed body");
        // One that goes on is served; those that go away give their room back.
        let mut first = slow.remove(0);
        first.write_all(b" ").await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, first.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        drop(slow);
        let empty = async {
            while running.state.bodies.used() > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, empty).await.expect("the room comes back");
    })
    .await;
}

#[tokio::test]
async fn what_is_not_signed_is_not_charged_to_the_project() {
    on_sqlite(&[("RATE_LIMIT_PER_MINUTE", "3")], async |running| {
        let key = running.project("web").await;
        for number in 0..20 {
            let forged =
                post_number(&key, number).without("x-signature").with("x-signature", &"0".repeat(64));
            assert_eq!(running.send(forged).await.status, 401);
        }
        for number in 0..3 {
            assert_eq!(running.send(post_number(&key, number)).await.status, 200);
        }
        is_limited(&running.send(post_number(&key, 3)).await, "rate_limited_project", "project", 3);
        let forged = post_number(&key, 4).without("x-signature").with("x-signature", &"0".repeat(64));
        assert_eq!(running.send(forged).await.status, 401, "and learns nothing of the limit");
    })
    .await;
}

/// A batch of about 480 KB that compresses little and is its own.
fn large_batch(key: &Key, number: usize) -> Post {
    let event = |index: usize| json!({ "message": format!("large {number} {index} {}", "x".repeat(7_900)) });
    let events: Vec<Value> = (0..60).map(event).collect();
    Post::bare(key, json!(events).to_string())
}

#[tokio::test]
async fn a_full_queue_refuses_more_and_what_was_acknowledged_is_stored_once() {
    let database = TestDatabase::sqlite();
    let running = Running::start(&database, &[("RATE_LIMIT_PER_MINUTE", "0")]).await;
    let key = running.project("web").await;
    let lock = database.lock_sqlite().await;
    let answers =
        futures_util::future::join_all((0..110).map(|number| running.send(large_batch(&key, number)))).await;
    let mut overloaded = 0;
    for answer in &answers {
        let (status, code) = answer.refusal();
        assert!(status == 503 && answer.header("retry-after").is_some(), "{}", answer.body);
        overloaded += usize::from(code == "overloaded");
    }
    assert!(overloaded > 0, "110 batches of 480 KB are more than 32 MiB");
    assert_eq!(running.request(Method::GET, "/healthz", &[], "").await.status, 200);
    lock.release().await;
    for number in 0..3 {
        let stored = async {
            while running.send(large_batch(&key, number)).await.status != 200 {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        timeout(PATIENCE, stored).await.expect("it recovers");
        let query = format!("q=%22large+{number}+59+%22&limit=1000");
        assert_eq!(running.logs(&query).await.len(), 1, "stored once, however often it was sent");
    }
    running.stop().await;
}
