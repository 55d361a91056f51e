//! The server against real sockets: what a client may take, hold and delay.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use raw_http::{Answer, BODY_CAP, LARGE, PATIENCE, RawClient, Rig, generous, start, until};
use tekno_logger::http::body::{BodyTimes, DRAIN_BYTES};
use tekno_logger::server::ServerLimits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[path = "support/raw_http.rs"]
mod raw_http;

/// A time that is over soon, and longer than a busy machine lets a request that is there wait.
const SHORT: Duration = Duration::from_millis(500);

fn serve(limits: ServerLimits) -> Rig {
    start(limits, BodyTimes::default())
}

/// Waits until so many requests are inside `/slow`.
async fn inside(rig: &Rig, count: usize) {
    until("requests are inside", || rig.slow.inside.load(Ordering::SeqCst) == count).await;
}

fn post(length: usize) -> String {
    format!("POST /length HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n")
}

#[tokio::test]
async fn a_request_is_answered_over_ipv4_and_ipv6() {
    let rig = serve(generous());
    for host in ["127.0.0.1", "::1"] {
        let Ok(mut stream) = TcpStream::connect((host, rig.port)).await else {
            assert_eq!(host, "::1", "only IPv6 may be missing on a machine");
            continue;
        };
        stream.write_all(b"GET /hello HTTP/1.0\r\n\r\n").await.expect("it listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.0 200") && answer.ends_with("hello"), "{answer}");
    }
}

#[tokio::test]
async fn a_head_that_takes_too_long_ends_the_connection() {
    let rig = serve(ServerLimits { header_timeout: SHORT, ..generous() });
    let mut silent = rig.connect().await;
    let mut stuck = rig.connect().await;
    stuck.send("GET /hello HT").await;
    let mut kept_alive = rig.connect().await;
    kept_alive.get("/hello").await;
    assert_eq!(kept_alive.answer().await.status, 200);
    kept_alive.send("GET /hello HTTP/1.1\r\nHos").await;
    for client in [&mut silent, &mut stuck, &mut kept_alive] {
        assert!(client.ended_silently().await);
    }
}

#[tokio::test]
async fn a_head_that_dribbles_in_gets_no_more_time() {
    let rig = serve(ServerLimits { header_timeout: SHORT, ..generous() });
    let client = rig.connect().await;
    let (mut reader, mut writer) = client.stream.into_split();
    let dribble = async {
        writer.write_all(b"GET /hello HTTP/1.1\r\nX: ").await?;
        loop {
            tokio::time::sleep(SHORT / 10).await;
            writer.write_all(b"x").await?;
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        end = reader.read_to_end(&mut answer) => { let _ = end; }
        end = dribble => { let _: std::io::Result<()> = end; }
        () = tokio::time::sleep(PATIENCE) => panic!("it was given all the time it wanted"),
    }
    assert!(answer.is_empty());
    until("the connection is gone", || rig.gauges.open() == 0).await;
}

#[tokio::test]
async fn a_kept_alive_connection_may_be_idle_for_longer_than_a_head_may_take() {
    let idle = SHORT * 4;
    let rig = serve(ServerLimits { header_timeout: SHORT, idle_timeout: idle, ..generous() });
    let mut client = rig.connect().await;
    client.get("/hello").await;
    client.answer().await;
    let since = Instant::now();
    assert!(client.ended_silently().await);
    assert!(since.elapsed() > idle / 2, "ended after {:?}", since.elapsed());
}

#[tokio::test]
async fn a_head_beyond_64_kib_is_refused_and_the_client_sees_why() {
    let rig = serve(generous());
    for (size, status) in [(60_000, 200), (70_000, 431), (1_000_000, 431)] {
        let mut client = rig.connect().await;
        let filler = "x".repeat(size);
        client.send(format!("GET /hello HTTP/1.1\r\nHost: test\r\nX-Filler: {filler}\r\n\r\n")).await;
        assert_eq!(client.answer().await.status, status, "{size}");
    }
}

#[tokio::test]
async fn a_head_that_is_not_http_is_refused_and_the_client_sees_why() {
    let rig = serve(generous());
    for head in [
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01\x7c\x03\x03",
        "HELO there\r\n\r\n",
    ] {
        let mut client = rig.connect().await;
        client.send(head).await;
        assert_eq!(client.answer().await.status, 400, "{head}");
    }
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_rest_of_the_next_request() {
    let rig = serve(generous());
    let mut client = rig.connect().await;
    client.send("GET /hello HTTP/1.1\r\nHost: test\r\n\r\nGET /hel").await;
    assert_eq!(client.answer().await.body, "hello");
    client.send("lo HTTP/1.1\r\nHost: test\r\n\r\n").await;
    assert_eq!(client.answer().await.body, "hello");
}

#[tokio::test]
async fn more_connections_than_the_cap_wait_and_are_all_served() {
    let rig = serve(ServerLimits { max_connections: 3, ..generous() });
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut client = rig.connect().await;
        client.send("GET /slow HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await;
        clients.push(client);
    }
    inside(&rig, 3).await;
    assert_eq!(rig.gauges.open(), 3);
    rig.slow.leave.add_permits(10);
    for client in &mut clients {
        assert_eq!(client.answer().await.body, "done");
    }
    assert_eq!(rig.slow.most_inside.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn idle_connections_make_room_when_the_cap_is_reached() {
    let rig = serve(ServerLimits { max_connections: 2, ..generous() });
    let mut idle = [rig.connect().await, rig.connect().await];
    for client in &mut idle {
        client.get("/hello").await;
        client.answer().await;
    }
    let mut newcomer = rig.connect().await;
    newcomer.get("/hello").await;
    assert_eq!(newcomer.answer().await.status, 200);
}

#[tokio::test]
async fn one_address_can_not_take_all_connections() {
    let rig = serve(ServerLimits { max_per_address: Some(2), ..generous() });
    let mut held = [rig.connect().await, rig.connect().await];
    for client in &mut held {
        client.get("/hello").await;
        assert_eq!(client.answer().await.status, 200);
    }
    let mut beyond = rig.connect().await;
    let refused = beyond.answer().await;
    assert_eq!(refused.status, 503);
    assert!(refused.body.contains("overloaded"), "{}", refused.body);
    let mut other = rig.connect_from([127, 0, 0, 2]).await;
    other.get("/hello").await;
    assert_eq!(other.answer().await.status, 200);
    assert_eq!((rig.gauges.refused(), rig.gauges.accepted()), (1, 4));
}

#[tokio::test]
async fn two_hundred_dribblers_do_not_stop_other_clients() {
    let shares = [Some(64), None];
    for max_per_address in shares {
        let rig = serve(ServerLimits { max_connections: 256, max_per_address, ..generous() });
        let mut dribblers = Vec::new();
        for number in 0..200 {
            let mut dribbler = rig.connect().await;
            let half = if number % 2 == 0 { "GET /hello HT".to_owned() } else { post(BODY_CAP) + "half" };
            dribbler.send(half).await;
            dribblers.push(dribbler);
        }
        for _ in 0..20 {
            let mut other = rig.connect_from([127, 0, 0, 2]).await;
            other.send(post(10) + "0123456789").await;
            assert_eq!(other.answer().await.body, "10");
        }
    }
}

#[tokio::test]
async fn a_stop_lets_requests_in_flight_finish_and_takes_no_more() {
    let rig = serve(generous());
    let mut idle = rig.connect().await;
    idle.get("/hello").await;
    idle.answer().await;
    let mut busy = rig.connect().await;
    busy.get("/slow").await;
    inside(&rig, 1).await;
    rig.shutdown.cancel();
    assert!(idle.ended_silently().await, "an idle connection has nothing to finish");
    until("the socket is closed", || std::net::TcpStream::connect(("127.0.0.1", rig.port)).is_err()).await;
    rig.slow.leave.add_permits(1);
    let answer = busy.answer().await;
    assert_eq!(answer.body, "done");
    assert!(answer.head.to_lowercase().contains("connection: close"), "{}", answer.head);
    assert!(busy.ended_silently().await);
    timeout(PATIENCE, rig.serving).await.expect("nothing is left to wait for").expect("no panic");
}

#[tokio::test]
async fn a_stop_cuts_what_does_not_finish_in_its_grace() {
    let rig = serve(ServerLimits { stop_grace: SHORT, ..generous() });
    let mut stuck = rig.connect().await;
    stuck.get("/slow").await;
    inside(&rig, 1).await;
    rig.shutdown.cancel();
    timeout(PATIENCE, rig.serving).await.expect("the grace is over").expect("no panic");
    assert!(stuck.ended_silently().await);
    assert_eq!(rig.gauges.open(), 0);
}

#[tokio::test]
async fn a_dropped_server_takes_its_connections_with_it() {
    let rig = serve(generous());
    let mut stuck = rig.connect().await;
    stuck.get("/slow").await;
    inside(&rig, 1).await;
    rig.serving.abort();
    assert!(stuck.ended_silently().await);
}

#[tokio::test]
async fn a_body_that_stops_half_way_is_answered_with_408() {
    let times = BodyTimes { progress: SHORT, ..BodyTimes::default() };
    let rig = start(generous(), times);
    let mut client = rig.connect().await;
    client.send(post(1_000) + "half").await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 408);
    assert!(client.ended_silently().await);
}

async fn answer_to_too_large(rig: &Rig, head: &str, body: &[u8]) -> (Answer, RawClient) {
    let mut client = rig.connect().await;
    client.send(head).await;
    // The whole body first, as clients do that look for an answer only afterwards.
    client.send(body).await;
    (client.answer().await, client)
}

#[tokio::test]
async fn a_client_that_sends_too_much_sees_the_answer_after_it_has_sent_all() {
    let rig = serve(generous());
    for size in [BODY_CAP + 1, 2 << 20, 7 << 19] {
        let (answer, _) = answer_to_too_large(&rig, &post(size), &vec![b'x'; size]).await;
        assert_eq!(answer.status, 413, "{size}");
    }
}

#[tokio::test]
async fn a_client_that_goes_on_sending_after_its_refusal_is_not_reset() {
    let rig = serve(generous());
    let (drained, rest) = (DRAIN_BYTES + 1, 1 << 20);
    let (answer, mut client) = answer_to_too_large(&rig, &post(drained + rest), &vec![b'x'; drained]).await;
    assert_eq!(answer.status, 413);
    for _ in 0..16 {
        client.send(vec![b'x'; rest / 16]).await;
    }
    let end = client.stream.read(&mut [0; 16]).await;
    assert_eq!(end.expect("an orderly end"), 0);
}

#[tokio::test]
async fn a_refused_body_that_was_read_to_its_end_leaves_the_connection_usable() {
    let rig = serve(generous());
    let size = BODY_CAP + 1;
    let (answer, mut client) = answer_to_too_large(&rig, &post(size), &vec![b'x'; size]).await;
    assert_eq!(answer.status, 413);
    client.get("/hello").await;
    assert_eq!(client.answer().await.body, "hello");
}

#[tokio::test]
async fn a_chunked_body_is_read_and_capped() {
    let rig = serve(generous());
    let head = "POST /length HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("{:x}\r\n{}\r\n", 100_000, "x".repeat(100_000));
    let (answer, _) = answer_to_too_large(&rig, head, (chunk.repeat(3) + "0\r\n\r\n").as_bytes()).await;
    assert_eq!(answer.body, "300000");
    let (answer, _) = answer_to_too_large(&rig, head, (chunk.repeat(11) + "0\r\n\r\n").as_bytes()).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on_or_not() {
    let rig = serve(generous());
    let ask = |length: usize| post(length).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    let mut welcome = rig.connect().await;
    welcome.send(ask(5)).await;
    assert_eq!(welcome.answer().await.status, 100);
    welcome.send("12345").await;
    assert_eq!(welcome.answer().await.body, "5");
    let mut refused = rig.connect().await;
    refused.send(ask(BODY_CAP + 1)).await;
    assert_eq!(refused.answer().await.status, 413);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let rig = serve(generous());
    let mut client = rig.connect().await;
    client
        .send(["GET /hello HTTP/1.1\r\nHost: test\r\n\r\n", &post(3), "123", &post(2), "12"].concat())
        .await;
    for expected in ["hello", "3", "2"] {
        assert_eq!(client.answer().await.body, expected);
    }
}

#[tokio::test]
async fn a_client_that_closed_its_sending_side_gets_its_answer() {
    let rig = serve(generous());
    let mut client = rig.connect().await;
    client.get("/slow").await;
    client.stream.shutdown().await.expect("half closed");
    inside(&rig, 1).await;
    rig.slow.leave.add_permits(1);
    assert_eq!(client.answer().await.body, "done");
    assert!(client.ended_silently().await);
}

#[tokio::test]
async fn a_read_whose_client_left_is_given_up_and_a_change_goes_on() {
    let rig = serve(generous());
    let mut reads = rig.connect().await;
    reads.get("/slow").await;
    let mut changes = rig.connect().await;
    changes.send("POST /slow HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n").await;
    let mut stays = rig.connect().await;
    stays.get("/slow").await;
    inside(&rig, 3).await;
    drop((reads, changes));
    until("the read is given up", || rig.gauges.open() == 2).await;
    rig.slow.leave.add_permits(2);
    assert_eq!(stays.answer().await.body, "done");
    // The one that was given up never came out.
    inside(&rig, 1).await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut() {
    let rig = serve(ServerLimits { write_timeout: SHORT, ..generous() });
    let mut client = rig.connect().await;
    client.get("/large").await;
    until("the request has come", || rig.gauges.accepted() == 1).await;
    until("the connection is gone", || rig.gauges.open() == 0).await;
}

#[tokio::test]
async fn a_client_that_takes_its_answer_too_slowly_is_cut_however_steadily() {
    let rig = serve(ServerLimits { answer_timeout: SHORT * 3, ..generous() });
    let mut client = rig.connect().await;
    client.get("/large").await;
    until("the request has come", || rig.gauges.accepted() == 1).await;
    let mut some = [0; 1_000];
    let taking = async {
        while rig.gauges.open() > 0 {
            client.stream.read_exact(&mut some).await.expect("there is more");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, taking).await.expect("it is cut");
}

#[tokio::test]
async fn large_answers_that_nobody_takes_have_bounded_room() {
    let rig = serve(ServerLimits { answer_bytes: LARGE + 1, ..generous() });
    let mut slow = rig.connect().await;
    slow.get("/large").await;
    slow.stream.readable().await.expect("it begins");
    let mut other = rig.connect().await;
    other.get("/large").await;
    let refused = other.answer().await;
    assert_eq!(refused.status, 503);
    assert!(refused.head.to_lowercase().contains("retry-after: 5") && refused.body.contains("overloaded"));
    other.get("/hello").await;
    assert_eq!(other.answer().await.body, "hello", "small answers need no room");
    assert_eq!(slow.answer().await.body.len(), LARGE);
    // Its room comes back when the last of it was written, which is about now.
    loop {
        other.get("/large").await;
        let answer = other.answer().await;
        if answer.status == 200 {
            break;
        }
        assert_eq!(answer.status, 503);
    }
}

#[tokio::test]
async fn those_who_dawdle_make_room_when_the_cap_or_a_share_is_reached() {
    for max_per_address in [None, Some(2)] {
        let rig = serve(ServerLimits { max_connections: 2, max_per_address, ..generous() });
        let mut head = rig.connect().await;
        head.send("GET /hello HT").await;
        let mut body = rig.connect().await;
        body.send(post(BODY_CAP) + "half").await;
        let coming = async {
            loop {
                let mut newcomer = rig.connect().await;
                newcomer.get("/hello").await;
                if newcomer.try_answer().await.is_some_and(|answer| answer.status == 200) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, coming).await.expect("a place comes free");
        assert!(rig.gauges.cut() > 0);
    }
}

#[tokio::test]
async fn a_client_that_reads_gets_all_of_a_large_answer() {
    let rig = serve(generous());
    let mut client = rig.connect().await;
    client.get("/large").await;
    assert_eq!(client.answer().await.body.len(), LARGE);
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_own_connection_only() {
    let rig = serve(generous());
    let mut client = rig.connect().await;
    client.get("/panic").await;
    assert!(client.try_answer().await.is_none());
    until("its place is free again", || rig.gauges.open() == 0).await;
    let mut other = rig.connect().await;
    other.get("/hello").await;
    assert_eq!(other.answer().await.status, 200);
}
