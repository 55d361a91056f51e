use std::io;

use futures_util::stream;
use poem::http::HeaderValue;

use super::*;

fn short_times() -> BodyTimes {
    let bound = Duration::from_millis(20);
    BodyTimes { whole: Duration::from_secs(5), progress: bound, drain: bound }
}

fn length(bytes: usize) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    headers
}

fn chunks(count: usize, size: usize) -> Body {
    Body::from_bytes_stream(stream::iter(
        (0..count).map(move |_| io::Result::Ok(Bytes::from(vec![b'x'; size]))),
    ))
}

/// `count` chunks, then silence.
fn stalls_after(count: usize, size: usize) -> Body {
    let sent = stream::iter((0..count).map(move |_| io::Result::Ok(Bytes::from(vec![b'x'; size]))));
    Body::from_bytes_stream(sent.chain(stream::pending()))
}

/// A body that must not be touched.
fn untouchable() -> Body {
    Body::from_bytes_stream(stream::poll_fn(|_| -> std::task::Poll<Option<io::Result<Bytes>>> {
        panic!("the body was read")
    }))
}

#[tokio::test]
async fn a_body_is_read_whole_and_holds_exactly_its_room() {
    let budget = Budget::new(1 << 20);
    for (headers, size) in [(length(300_000), 30_000), (HeaderMap::new(), 30_000)] {
        let read = read_body(&headers, chunks(10, size), 500_000, &budget, BodyTimes::default()).await;
        let read = read.expect("within every bound");
        assert_eq!((read.bytes.len(), read.reservation.bytes(), budget.used()), (300_000, 300_000, 300_000));
        drop(read);
        assert_eq!(budget.used(), 0);
    }
}

#[tokio::test]
async fn an_empty_body_is_empty() {
    let budget = Budget::new(1 << 20);
    let read = read_body(&HeaderMap::new(), Body::empty(), 10, &budget, BodyTimes::default()).await;
    assert!(read.expect("nothing to refuse").bytes.is_empty());
}

#[tokio::test]
async fn a_body_at_the_cap_passes_and_one_byte_more_does_not() {
    let budget = Budget::new(1 << 20);
    let times = BodyTimes::default();
    for headers in [length(1_000), HeaderMap::new()] {
        assert!(read_body(&headers, chunks(10, 100), 1_000, &budget, times).await.is_ok());
    }
    for headers in [length(1_001), HeaderMap::new()] {
        let body = Body::from_bytes(Bytes::from(vec![b'x'; 1_001]));
        let refusal = read_body(&headers, body, 1_000, &budget, times).await.expect_err("too large");
        let error = ApiError::PayloadTooLarge("The body may have at most 1000 bytes.".to_owned());
        assert_eq!(refusal, BodyRefusal { error, drained: true });
    }
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn the_room_is_reserved_before_the_body_is_touched() {
    let budget = Budget::new(1_000);
    let _all = budget.reserve(1_000, Duration::ZERO).await.expect("room");
    let mut headers = length(500);
    headers.insert(header::EXPECT, HeaderValue::from_static("100-continue"));
    let refusal =
        read_body(&headers, untouchable(), 1_000, &budget, short_times()).await.expect_err("no room");
    assert_eq!(refusal, BodyRefusal { error: ApiError::Overloaded(1), drained: false });
}

#[tokio::test]
async fn a_client_that_waits_for_a_continue_is_refused_without_one() {
    let mut headers = length(2_000);
    headers.insert(header::EXPECT, HeaderValue::from_static("100-continue"));
    let budget = Budget::new(1 << 20);
    let refusal =
        read_body(&headers, untouchable(), 1_000, &budget, short_times()).await.expect_err("too large");
    assert!(!refusal.drained);
}

#[tokio::test]
async fn a_dribbler_holds_room_for_what_it_sent_not_for_what_it_announced() {
    let budget = Budget::new(1 << 20);
    let times = BodyTimes { progress: Duration::from_secs(5), ..short_times() };
    let headers = length(1 << 20);
    let reading = read_body(&headers, stalls_after(1, 100), 1 << 20, &budget, times);
    let gave_up = timeout(Duration::from_millis(5), reading).await;
    assert!(gave_up.is_err(), "it is still waiting");
    assert_eq!(budget.peak(), FIRST_STEP);
    assert_eq!(budget.used(), 0, "a dropped reader gives its room back");
}

#[tokio::test]
async fn a_body_that_stops_coming_is_a_timeout() {
    let budget = Budget::new(1 << 20);
    let read = read_body(&length(1_000), stalls_after(3, 100), 1_000, &budget, short_times()).await;
    let refusal = read.expect_err("it never ends");
    assert_eq!(refusal, BodyRefusal { error: ApiError::RequestTimeout, drained: false });
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn a_body_that_keeps_coming_too_slowly_is_a_timeout() {
    let budget = Budget::new(1 << 20);
    let times =
        BodyTimes { whole: Duration::from_millis(30), progress: Duration::from_secs(5), ..short_times() };
    let slow = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Some((io::Result::Ok(Bytes::from_static(b"x")), ()))
    });
    let read = read_body(&HeaderMap::new(), Body::from_bytes_stream(slow), 1 << 20, &budget, times).await;
    assert_eq!(read.expect_err("it never ends").error, ApiError::RequestTimeout);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_clients_fault() {
    let budget = Budget::new(1 << 20);
    let broken = stream::iter([Ok(Bytes::from_static(b"x")), Err(io::Error::other("reset"))]);
    let read =
        read_body(&HeaderMap::new(), Body::from_bytes_stream(broken), 100, &budget, short_times()).await;
    assert!(matches!(read.expect_err("broken").error, ApiError::InvalidEncoding(_)));
}

#[tokio::test]
async fn a_refused_body_is_drained_up_to_its_bound() {
    let times = BodyTimes::default();
    assert!(drain(&HeaderMap::new(), chunks(32, DRAIN_BYTES / 32), times).await);
    assert!(!drain(&HeaderMap::new(), chunks(33, DRAIN_BYTES / 32), times).await);
    assert!(!drain(&HeaderMap::new(), stalls_after(1, 10), short_times()).await);
    assert!(drain(&HeaderMap::new(), Body::empty(), times).await);
}

#[tokio::test]
async fn all_waits_for_room_together_are_bounded_and_told() {
    let budget = Budget::new(600_000);
    let mut others = budget.reserve(560_000, Duration::ZERO).await.expect("room");
    let read = async |bytes: usize| {
        let body = chunks(bytes / 10_000, 10_000);
        read_body(&length(bytes), body, 500_000, &budget, BodyTimes::default()).await
    };
    let started = Instant::now();
    // Room for the next step comes late, and none for the one after it.
    let (refused, ()) = tokio::join!(read(400_000), async {
        tokio::time::sleep(BUDGET_WAIT * 4 / 5).await;
        others.shrink_to(500_000);
    });
    assert_eq!(refused.expect_err("no room for all of it").error, ApiError::Overloaded(1));
    assert!(
        started.elapsed() < BUDGET_WAIT * 7 / 4,
        "one wait in all, not one a step: {:?}",
        started.elapsed()
    );
    others.extend(60_000, Duration::ZERO).await.expect("room");
    let wait = Duration::from_millis(100);
    let (read, ()) = tokio::join!(read(100_000), async {
        tokio::time::sleep(wait).await;
        drop(others);
    });
    assert!(read.expect("room came free").waited >= wait * 4 / 5);
}
