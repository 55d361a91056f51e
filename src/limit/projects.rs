//! Limits per project. Caps differ, so each (project, cap) has limiters of its own, in a bounded map.
//!
//! Projects are made by an admin and a request is charged only after its key was verified, so the bound is
//! met by no honest set-up; beyond it the one that was quiet longest among a few is forgotten.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{InsufficientCapacity, NotUntil, Quota, RateLimiter};

/// Most (project, cap) pairs held.
pub const MAX_PROJECT_KEYS: usize = 10_000;

/// Pairs compared, at most, for the one to forget.
const SAMPLE: usize = 32;

type Direct<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

struct Pair<C: Clock> {
    requests: Direct<C>,
    events: Direct<C>,
}

struct Entry<C: Clock> {
    pair: Arc<Pair<C>>,
    last_used: C::Instant,
}

pub(super) struct ProjectLimits<C: Clock> {
    clock: C,
    entries: Mutex<HashMap<(i64, u32), Entry<C>>>,
}

impl<C: Clock + Clone> ProjectLimits<C> {
    pub(super) fn new(clock: C) -> Self {
        Self { clock, entries: Mutex::default() }
    }

    pub(super) fn check_request(
        &self,
        project_id: i64,
        cap: u32,
        quota: Quota,
    ) -> Result<(), NotUntil<C::Instant>> {
        self.pair(project_id, cap, quota).requests.check()
    }

    pub(super) fn charge_events(
        &self,
        project_id: i64,
        cap: u32,
        quota: Quota,
        events: NonZeroU32,
    ) -> Result<Result<(), NotUntil<C::Instant>>, InsufficientCapacity> {
        self.pair(project_id, cap, quota).events.check_n(events)
    }

    fn pair(&self, project_id: i64, cap: u32, quota: Quota) -> Arc<Pair<C>> {
        let now = self.clock.now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(&(project_id, cap)) {
            entry.last_used = now;
            return entry.pair.clone();
        }
        if entries.len() >= MAX_PROJECT_KEYS {
            forget_one(&mut entries, now);
        }
        let limiter = || RateLimiter::direct_with_clock(quota, self.clock.clone());
        let pair = Arc::new(Pair { requests: limiter(), events: limiter() });
        entries.insert((project_id, cap), Entry { pair: pair.clone(), last_used: now });
        pair
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

fn forget_one<C: Clock>(entries: &mut HashMap<(i64, u32), Entry<C>>, now: C::Instant) {
    let sampled = entries.iter().take(SAMPLE);
    let quietest = sampled.max_by_key(|(_, entry)| now.duration_since(entry.last_used)).map(|(key, _)| *key);
    if let Some(key) = quietest {
        entries.remove(&key);
    }
}
