//! Limits per project. Caps differ, so each (project, cap) has limiters of its own, in a bounded map.
//!
//! Projects are made by an admin and a request is charged only after its key was verified, so the bound is
//! met by no honest set-up; beyond it the one that was quiet longest among a few is forgotten.

use std::collections::HashMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{InsufficientCapacity, NotUntil, Quota, RateLimiter};

/// Most (project, cap) pairs held.
pub const MAX_PROJECT_KEYS: usize = 10_000;

/// Pairs compared, at most, for the one to forget.
const SAMPLE: usize = 32;

type Direct<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

type Refundable<C> = RateLimiter<NotKeyed, Owed, C, NoOpMiddleware<<C as Clock>::Instant>>;

struct Pair<C: Clock> {
    requests: Direct<C>,
    events: Refundable<C>,
    owed: Owed,
}

/// governor's theoretical arrival time, in nanoseconds since its limiter was made: until then the project owes time.
/// Clones share it, so that a charge can be taken back.
#[derive(Clone, Debug, Default)]
struct Owed(Arc<AtomicU64>);

impl StateStore for Owed {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _key: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut before = self.0.load(Ordering::Acquire);
        loop {
            let (answer, next) = decide(NonZeroU64::new(before).map(|nanos| Nanos::from(nanos.get())))?;
            let swapped =
                self.0.compare_exchange_weak(before, next.into(), Ordering::AcqRel, Ordering::Acquire);
            match swapped {
                Ok(_) => return Ok(answer),
                Err(changed) => before = changed,
            }
        }
    }
}

/// Events charged to a project's cap. Dropped, they are given back, as if they had never been sent; what is stored is
/// kept charged by [`Charge::keep`].
#[derive(Debug, Default)]
#[must_use]
pub struct Charge {
    owed: Option<Owed>,
    nanos: u64,
}

impl Charge {
    /// The events are stored.
    pub fn keep(mut self) {
        self.owed = None;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if let Some(owed) = self.owed.take() {
            let back = |nanos: u64| Some(nanos.saturating_sub(self.nanos));
            let _ = owed.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, back);
        }
    }
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
    ) -> Result<Result<Charge, NotUntil<C::Instant>>, InsufficientCapacity> {
        let pair = self.pair(project_id, cap, quota);
        let checked = pair.events.check_n(events)?;
        let each = u64::try_from(quota.replenish_interval().as_nanos()).unwrap_or(u64::MAX);
        let nanos = each.saturating_mul(u64::from(events.get()));
        Ok(checked.map(|()| Charge { owed: Some(pair.owed.clone()), nanos }))
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
        let owed = Owed::default();
        let pair = Arc::new(Pair {
            requests: RateLimiter::direct_with_clock(quota, self.clock.clone()),
            events: RateLimiter::new(quota, owed.clone(), self.clock.clone()),
            owed,
        });
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
