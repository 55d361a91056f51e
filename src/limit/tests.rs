use std::net::{IpAddr, Ipv4Addr};

use governor::clock::FakeRelativeClock;

use super::*;

fn limits() -> Limits {
    Limits {
        max_payload_bytes: 524_288,
        max_inflated_bytes: 8 << 20,
        max_events_per_post: 250,
        rate_limit_per_minute: 5_000,
        rate_limit_per_ip: 100,
        read_rate_limit_per_ip: 600,
        max_connections: 100,
        search_max_bytes: 1 << 20,
    }
}

fn limiter() -> (Limiter<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    (Limiter::with_clock(&limits(), clock.clone()), clock)
}

fn client(number: u32) -> ClientKey {
    IpAddr::V4(Ipv4Addr::from_bits(number)).into()
}

fn key_of(text: &str) -> ClientKey {
    text.parse::<IpAddr>().expect("an address").into()
}

fn charge(limiter: &Limiter<FakeRelativeClock>, project: i64, cap: u32, events: u32) -> Result<(), ApiError> {
    limiter.charge_project_events(project, cap, events).map(Charge::keep)
}

#[test]
fn a_charge_that_is_not_kept_is_given_back_and_never_more_than_that() {
    let (limiter, clock) = limiter();
    assert_eq!(charge(&limiter, 1, 100, 40), Ok(()));
    let returned = limiter.charge_project_events(1, 100, 60).expect("the cap has room");
    assert!(charge(&limiter, 1, 100, 1).is_err(), "it counts as long as its fate is open");
    drop(returned);
    assert_eq!(charge(&limiter, 1, 100, 60), Ok(()));
    assert!(charge(&limiter, 1, 100, 1).is_err());
    // What time has given back already is not given back twice.
    let late = {
        clock.advance(Duration::from_mins(1));
        limiter.charge_project_events(1, 100, 100).expect("a minute later all of it is free")
    };
    clock.advance(Duration::from_mins(1));
    assert_eq!(charge(&limiter, 1, 100, 50), Ok(()));
    drop(late);
    assert_eq!(charge(&limiter, 1, 100, 100), Ok(()));
    assert!(charge(&limiter, 1, 100, 1).is_err());
}

#[test]
fn an_ipv6_client_is_its_64_and_a_mapped_ipv4_is_ipv4() {
    assert_eq!(key_of("2001:db8:1:2:aaaa::1"), key_of("2001:db8:1:2:bbbb::2"));
    assert_ne!(key_of("2001:db8:1:2::1"), key_of("2001:db8:1:3::1"));
    assert_eq!(key_of("::ffff:192.0.2.7"), key_of("192.0.2.7"));
    assert_ne!(key_of("::ffff:192.0.2.7"), key_of("::ffff:192.0.2.8"));
}

#[test]
fn a_client_may_spend_its_minute_at_once_and_is_told_when_to_come_again() {
    let (limiter, clock) = limiter();
    for _ in 0..100 {
        assert_eq!(limiter.check_client(client(1), ClientGate::Ingest), Ok(()));
    }
    let refused = RateLimit { per_minute: 100, retry_after: 1 };
    assert_eq!(limiter.check_client(client(1), ClientGate::Ingest), Err(refused), "0.6 s is rounded up");
    assert_eq!(limiter.check_client(client(2), ClientGate::Ingest), Ok(()), "another client has its own");
    assert_eq!(limiter.check_client(client(1), ClientGate::Read), Ok(()), "and so has another gate");
    clock.advance(Duration::from_millis(600));
    assert_eq!(limiter.check_client(client(1), ClientGate::Ingest), Ok(()));
    assert_eq!(limiter.check_client(client(1), ClientGate::Ingest), Err(refused));
}

#[test]
fn each_gate_has_the_allowance_it_is_configured_with() {
    let (limiter, _clock) = limiter();
    let allowed = |gate| (0..2_000).filter(|_| limiter.check_client(client(1), gate).is_ok()).count();
    assert_eq!(allowed(ClientGate::Ingest), 100);
    assert_eq!(allowed(ClientGate::CompatWithKey), 1_000);
    assert_eq!(allowed(ClientGate::Read), 600);
    assert_eq!(allowed(ClientGate::WrongToken), 10);
}

#[test]
fn zero_switches_a_limit_off() {
    let off = Limits { rate_limit_per_ip: 0, read_rate_limit_per_ip: 0, ..limits() };
    let limiter = Limiter::with_clock(&off, FakeRelativeClock::default());
    for _ in 0..2_000 {
        assert_eq!(limiter.check_client(client(1), ClientGate::Ingest), Ok(()));
        assert_eq!(limiter.check_client(client(1), ClientGate::CompatWithKey), Ok(()));
        assert_eq!(limiter.check_client(client(1), ClientGate::Read), Ok(()));
        assert_eq!(limiter.check_project_request(1, 0), Ok(()));
        assert_eq!(charge(&limiter, 1, 0, u32::MAX), Ok(()));
    }
    assert_eq!(limiter.client_keys(), 0);
}

#[test]
fn a_flood_of_addresses_takes_a_bounded_number_of_keys_and_is_itself_limited() {
    let (limiter, _clock) = limiter();
    let passed =
        (0..200_000).filter(|n| limiter.check_client(client(*n), ClientGate::Ingest).is_ok()).count();
    assert_eq!(limiter.client_keys(), MAX_CLIENT_KEYS);
    // Each key passed once, each shared bucket a minute's worth.
    assert_eq!(passed, MAX_CLIENT_KEYS + OVERFLOW_BUCKETS * 100);
    let table = limiter.table.len() * (2 * size_of::<TableKey>() + 64);
    assert!(table <= 4 << 20, "{table} bytes for the keys");
}

#[test]
fn a_flood_spread_over_time_never_holds_more_than_the_bound() {
    let (limiter, clock) = limiter();
    for number in 0..100_000 {
        let _ = limiter.check_client(client(number), ClientGate::Ingest);
        clock.advance(Duration::from_millis(1));
    }
    assert_eq!(limiter.client_keys(), MAX_CLIENT_KEYS);
}

#[test]
fn a_known_client_keeps_its_own_allowance_through_a_flood_of_strangers() {
    let (limiter, clock) = limiter();
    let known = client(u32::MAX);
    assert_eq!(limiter.check_client(known, ClientGate::Ingest), Ok(()));
    clock.advance(Duration::from_secs(61));
    assert_eq!(limiter.check_client(known, ClientGate::Ingest), Ok(()));
    for minute in 0..9_u32 {
        for number in 0..60_000 {
            let _ = limiter.check_client(client(minute * 60_000 + number), ClientGate::Ingest);
        }
        clock.advance(Duration::from_mins(1));
    }
    let allowed = (0..200).filter(|_| limiter.check_client(known, ClientGate::Ingest).is_ok()).count();
    assert_eq!(allowed, 100, "not a share of what the strangers left");
}

#[test]
fn a_client_that_is_refused_is_not_forgiven_because_strangers_came() {
    let (limiter, clock) = limiter();
    let greedy = client(u32::MAX);
    while limiter.check_client(greedy, ClientGate::Ingest).is_ok() {}
    for number in 0..100_000 {
        let _ = limiter.check_client(client(number), ClientGate::Ingest);
        clock.advance(Duration::from_micros(5));
    }
    assert!(limiter.check_client(greedy, ClientGate::Ingest).is_err());
}

#[test]
fn a_new_client_gets_a_key_again_when_strangers_have_gone() {
    let (limiter, clock) = limiter();
    for number in 0..100_000 {
        let _ = limiter.check_client(client(number), ClientGate::Ingest);
    }
    clock.advance(Duration::from_secs(1));
    let newcomer = client(u32::MAX);
    let allowed = (0..200).filter(|_| limiter.check_client(newcomer, ClientGate::Ingest).is_ok()).count();
    assert_eq!(allowed, 100);
    assert_eq!(limiter.client_keys(), MAX_CLIENT_KEYS);
}

#[test]
fn a_project_is_charged_by_events_all_or_nothing() {
    let (limiter, clock) = limiter();
    assert_eq!(charge(&limiter, 1, 500, 250), Ok(()));
    assert_eq!(charge(&limiter, 1, 500, 0), Ok(()), "nothing costs nothing");
    assert_eq!(charge(&limiter, 1, 500, 250), Ok(()));
    let refused = ApiError::RateLimitedProject(RateLimit { per_minute: 500, retry_after: 30 });
    assert_eq!(charge(&limiter, 1, 500, 250), Err(refused));
    let refused = ApiError::RateLimitedProject(RateLimit { per_minute: 500, retry_after: 1 });
    assert_eq!(charge(&limiter, 1, 500, 1), Err(refused), "the refusal was not charged");
    assert_eq!(charge(&limiter, 2, 500, 500), Ok(()), "another project has its own");
    clock.advance(Duration::from_secs(30));
    assert_eq!(charge(&limiter, 1, 500, 250), Ok(()));
}

#[test]
fn a_batch_larger_than_the_cap_is_told_the_cap_instead_of_waiting_for_ever() {
    let (limiter, _clock) = limiter();
    assert_eq!(charge(&limiter, 1, 100, 100), Ok(()));
    let Err(ApiError::BatchExceedsCap(detail)) = charge(&limiter, 1, 100, 101) else {
        panic!("the batch can never pass")
    };
    assert!(detail.contains("101") && detail.contains("100 a minute"), "{detail}");
}

#[test]
fn a_changed_cap_holds_at_once() {
    let (limiter, _clock) = limiter();
    assert_eq!(charge(&limiter, 1, 100, 100), Ok(()));
    assert!(charge(&limiter, 1, 100, 1).is_err());
    assert_eq!(charge(&limiter, 1, 1_000, 900), Ok(()));
    assert!(charge(&limiter, 1, 1_000, 101).is_err());
}

#[test]
fn a_project_may_send_as_many_requests_as_events() {
    let (limiter, _clock) = limiter();
    for _ in 0..60 {
        assert_eq!(limiter.check_project_request(7, 60), Ok(()));
        assert_eq!(charge(&limiter, 7, 60, 1), Ok(()), "requests and events are counted apart");
    }
    assert_eq!(limiter.check_project_request(7, 60), Err(RateLimit { per_minute: 60, retry_after: 1 }));
}

#[test]
fn projects_are_bounded_and_the_busy_ones_stay() {
    let (limiter, clock) = limiter();
    let busy = 30_000;
    while limiter.check_project_request(busy, 60).is_ok() {}
    for project in 0..30_000 {
        assert_eq!(limiter.check_project_request(project, 60), Ok(()));
        assert!(limiter.check_project_request(busy, 60).is_err(), "after {project} others");
        clock.advance(Duration::from_micros(1));
    }
    assert_eq!(limiter.projects.len(), MAX_PROJECT_KEYS);
}

#[test]
fn waits_are_rounded_up_to_whole_seconds() {
    assert_eq!(whole_seconds(Duration::ZERO), 1);
    assert_eq!(whole_seconds(Duration::from_secs(2)), 2);
    assert_eq!(whole_seconds(Duration::new(2, 1)), 3);
    assert_eq!(whole_seconds(Duration::MAX), u32::MAX);
}

#[test]
fn the_real_clock_refuses_too() {
    let limiter = Limiter::new(&limits());
    let allowed =
        (0..300).filter(|_| limiter.check_client(client(1), ClientGate::WrongToken).is_ok()).count();
    assert!((10..=12).contains(&allowed), "{allowed}");
}
