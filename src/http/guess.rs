//! Counts wrong tokens per client, so that guessing is noticed and slowed; right tokens never come through here.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use crate::error::RateLimit;
use crate::timestamp::Timestamp;

/// Wrong tokens a client may send in a minute before it is told to wait.
pub const WRONG_TOKENS_PER_MINUTE: u32 = 10;
/// Clients remembered at once; what comes beyond shares one count.
pub const MAX_CLIENTS: usize = 10_000;

const WINDOW_MILLIS: i64 = 60_000;

/// A client whose IPv6 network is one (/64), as one household or machine has that much.
fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => {
            let bits = address.to_bits() >> 64 << 64;
            address.to_ipv4_mapped().map_or(IpAddr::V6(Ipv6Addr::from_bits(bits)), IpAddr::V4)
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Window {
    since: Timestamp,
    wrong: u32,
}

impl Window {
    fn is_over(self, now: Timestamp) -> bool {
        // A clock set back ends the window too; otherwise it could last for years.
        !(0..WINDOW_MILLIS).contains(&(now.as_millis() - self.since.as_millis()))
    }
}

/// The counts.
#[derive(Debug, Default)]
pub struct WrongTokens(Mutex<HashMap<IpAddr, Window>>);

impl WrongTokens {
    /// Counts one wrong token.
    ///
    /// # Errors
    /// The limit, when this client has sent more than [`WRONG_TOKENS_PER_MINUTE`] within a minute.
    pub fn count(&self, client: IpAddr, now: Timestamp) -> Result<(), RateLimit> {
        // A poisoned lock only says that a thread panicked; counts are whole after each step.
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut client = network(client);
        if windows.len() >= MAX_CLIENTS && !windows.contains_key(&client) {
            windows.retain(|_, window| !window.is_over(now));
            if windows.len() >= MAX_CLIENTS {
                // The unspecified address is no client's; the map has room for it beyond its bound.
                client = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
            }
        }
        let window = windows.entry(client).or_insert(Window { since: now, wrong: 0 });
        if window.is_over(now) {
            *window = Window { since: now, wrong: 0 };
        }
        window.wrong = window.wrong.saturating_add(1);
        if window.wrong <= WRONG_TOKENS_PER_MINUTE {
            return Ok(());
        }
        let left = WINDOW_MILLIS - (now.as_millis() - window.since.as_millis());
        let seconds = u32::try_from((left + 999) / 1000).unwrap_or(1).max(1);
        Err(RateLimit { per_minute: WRONG_TOKENS_PER_MINUTE, retry_after: seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn the_eleventh_wrong_token_of_a_minute_is_told_how_long_to_wait() {
        let counts = WrongTokens::default();
        let client = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..10 {
            assert_eq!(counts.count(client, at(0)), Ok(()));
        }
        assert_eq!(counts.count(client, at(500)), Err(RateLimit { per_minute: 10, retry_after: 60 }));
        assert_eq!(counts.count(client, at(59_999)), Err(RateLimit { per_minute: 10, retry_after: 1 }));
        assert_eq!(counts.count(IpAddr::from([192, 0, 2, 2]), at(500)), Ok(()), "another client");
        assert_eq!(counts.count(client, at(60_000)), Ok(()), "a new minute");
    }

    #[test]
    fn a_whole_ipv6_network_is_one_client() {
        let counts = WrongTokens::default();
        let of = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]);
        for host in 0..10 {
            assert_eq!(counts.count(of(host), at(0)), Ok(()));
        }
        assert!(counts.count(of(99), at(0)).is_err());
        assert!(counts.count(IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1]), at(0)).is_ok());
    }

    #[test]
    fn the_counts_are_bounded_and_strangers_to_a_full_map_share_one() {
        let counts = WrongTokens::default();
        let of = |number: u32| IpAddr::V4(std::net::Ipv4Addr::from_bits(number));
        for number in 0..u32::try_from(MAX_CLIENTS).unwrap() {
            assert!(counts.count(of(number), at(0)).is_ok());
        }
        let strangers = 1_000_000..1_000_010;
        assert!(strangers.clone().all(|number| counts.count(of(number), at(1)).is_ok()));
        assert!(counts.count(of(2_000_000), at(1)).is_err());
        assert!(counts.0.lock().unwrap().len() <= MAX_CLIENTS + 1);
        assert!(counts.count(of(2_000_000), at(60_001)).is_ok(), "old windows make room");
    }
}
