//! How many connections each address has, so that one address can't take all places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::PRESSURE_INTERVAL;
use crate::limit::ClientKey;

type Shares = Arc<Mutex<HashMap<ClientKey, Share>>>;

/// What one address has.
struct Share {
    open: usize,
    /// Wakes its connections when it wants more than its share.
    pressure: Arc<Notify>,
    pressed: Option<Instant>,
}

impl Share {
    /// Asks the address's own connections to make room, now and then.
    fn press(&mut self) {
        if self.pressed.is_none_or(|pressed| pressed.elapsed() > PRESSURE_INTERVAL) {
            self.pressed = Some(Instant::now());
            self.pressure.notify_waiters();
        }
    }
}

/// Counts per address; it has at most as many entries as there are connections.
pub(super) struct AddressShares {
    most: Option<usize>,
    open: Shares,
}

/// One connection of an address, until it is dropped.
pub(super) struct ShareGuard {
    counted: Option<(ClientKey, Shares, Arc<Notify>)>,
}

impl ShareGuard {
    /// Resolves when the address wants more connections than its share.
    pub(super) async fn pressed(&self) {
        match &self.counted {
            Some((_, _, pressure)) => pressure.notified().await,
            None => std::future::pending().await,
        }
    }
}

impl AddressShares {
    /// At most `most` connections an address; `None` counts nothing.
    pub(super) fn new(most: Option<usize>) -> Self {
        Self { most, open: Arc::default() }
    }

    /// `None` when the address has its share.
    pub(super) fn take(&self, address: IpAddr) -> Option<ShareGuard> {
        let Some(most) = self.most else { return Some(ShareGuard { counted: None }) };
        let key = ClientKey::from(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Share { open: 0, pressure: Arc::default(), pressed: None };
        let share = open.entry(key).or_insert_with(fresh);
        if share.open >= most {
            share.press();
            return None;
        }
        share.open += 1;
        Some(ShareGuard { counted: Some((key, self.open.clone(), share.pressure.clone())) })
    }
}

impl Drop for ShareGuard {
    fn drop(&mut self) {
        let Some((key, open, _)) = self.counted.take() else { return };
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = open.get_mut(&key) {
            share.open -= 1;
            if share.open == 0 {
                open.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let shares = AddressShares::new(Some(2));
        let (near, far): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let first = shares.take(near);
        let second = shares.take(near);
        assert!(first.is_some() && second.is_some() && shares.take(near).is_none());
        assert!(shares.take(far).is_some(), "another address has its own");
        drop(first);
        assert!(shares.take(near).is_some());
        drop(second);
        assert!(shares.open.lock().expect("no panic under the lock").is_empty(), "nothing is left behind");
    }

    #[test]
    fn behind_a_proxy_nothing_is_counted() {
        let shares = AddressShares::new(None);
        let held: Vec<_> = (0..100).map(|_| shares.take([192, 0, 2, 1].into())).collect();
        assert!(held.iter().all(Option::is_some));
    }
}
