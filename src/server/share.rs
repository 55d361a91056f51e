//! How many connections each address has, so that one address can't take all places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::limit::ClientKey;

type Counts = Arc<Mutex<HashMap<ClientKey, usize>>>;

/// Counts per address; it has at most as many entries as there are connections.
pub(super) struct AddressShares {
    most: Option<usize>,
    open: Counts,
}

/// One connection of an address, until it is dropped.
pub(super) struct ShareGuard {
    counted: Option<(ClientKey, Counts)>,
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
        let count = open.entry(key).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(ShareGuard { counted: Some((key, self.open.clone())) })
    }
}

impl Drop for ShareGuard {
    fn drop(&mut self) {
        let Some((key, open)) = self.counted.take() else { return };
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
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
