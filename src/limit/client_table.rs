//! The clients that are remembered, bounded.
//!
//! At most [`MAX_CLIENT_KEYS`] keys. When they are all taken, a stranger gets the place of a key that can be
//! forgotten without loss, looked for in a bounded slice of the table; when there is none, it shares one of
//! [`OVERFLOW_BUCKETS`] buckets with other strangers. A key is not forgotten while it owes time (then
//! forgetting would lift its limit), nor, once it has come back, for [`KNOWN_FOR`] after it was last seen:
//! a flood of new addresses can't push the clients that were here before into the shared buckets.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::nanos::Nanos;
use governor::state::StateStore;

use super::{ClientGate, ClientKey};

/// Most keys held, over all gates.
pub const MAX_CLIENT_KEYS: usize = 20_000;

/// Buckets shared by the strangers for whom there is no key left, per gate they use.
pub const OVERFLOW_BUCKETS: usize = 256;

/// How long a client that came back is kept although it is quiet.
const KNOWN_FOR: Duration = Duration::from_mins(10);

/// A client is known when it comes again this long after it was first seen.
const KNOWN_AFTER: Duration = Duration::from_mins(1);

/// Keys looked at, at most, for one to forget.
const SWEEP_SLICE: usize = 32;

/// A client at one of its allowances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableKey {
    pub(super) client: ClientKey,
    pub(super) gate: ClientGate,
}

/// Keys and their state; clones share it.
#[derive(Clone)]
pub struct ClientTable<C: Clock> {
    clock: C,
    start: C::Instant,
    hasher: RandomState,
    shared: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    index: HashMap<TableKey, u32>,
    slots: Vec<Slot>,
    /// Where the next look for a key to forget begins.
    hand: usize,
    overflow: HashMap<(ClientGate, usize), Nanos>,
}

struct Slot {
    key: TableKey,
    /// governor's theoretical arrival time: until then the client owes time.
    owes_until: Nanos,
    first_seen: Nanos,
    last_seen: Nanos,
}

impl Slot {
    fn is_known(&self) -> bool {
        self.last_seen.saturating_sub(self.first_seen) >= KNOWN_AFTER.into()
    }

    fn is_forgettable(&self, now: Nanos) -> bool {
        let quiet = now.saturating_sub(self.last_seen);
        self.owes_until <= now && (!self.is_known() || quiet >= KNOWN_FOR.into())
    }
}

impl<C: Clock> ClientTable<C> {
    /// An empty table.
    #[must_use]
    pub fn new(clock: C) -> Self {
        let start = clock.now();
        Self { clock, start, hasher: RandomState::new(), shared: Arc::default() }
    }

    /// Keys held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).slots.len()
    }

    /// True before the first client came.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn measure<T, E>(
        &self,
        key: &TableKey,
        decide: impl Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    ) -> Result<T, E> {
        let now = self.clock.now().duration_since(self.start);
        // State is consistent between statements, so a panic elsewhere can't have broken it.
        let mut table = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = table.place_of(key, now) {
            let slot = &mut table.slots[place];
            slot.last_seen = now;
            let (answer, owes_until) = decide(Some(slot.owes_until))?;
            slot.owes_until = owes_until;
            return Ok(answer);
        }
        let bucket = usize::try_from(self.hasher.hash_one(key) % OVERFLOW_BUCKETS as u64)
            .expect("less than the number of buckets");
        let owes_until = table.overflow.entry((key.gate, bucket)).or_insert(Nanos::new(0));
        let (answer, next) = decide(Some(*owes_until))?;
        *owes_until = next;
        Ok(answer)
    }
}

impl Table {
    /// The slot of `key`, made if there is room or something to forget.
    fn place_of(&mut self, key: &TableKey, now: Nanos) -> Option<usize> {
        if let Some(place) = self.index.get(key) {
            return Some(*place as usize);
        }
        let fresh = Slot { key: *key, owes_until: Nanos::new(0), first_seen: now, last_seen: now };
        if self.slots.len() < MAX_CLIENT_KEYS {
            self.slots.push(fresh);
            return Some(self.remember(*key, self.slots.len() - 1));
        }
        let place = self.forgettable(now)?;
        self.index.remove(&self.slots[place].key);
        self.slots[place] = fresh;
        Some(self.remember(*key, place))
    }

    fn remember(&mut self, key: TableKey, place: usize) -> usize {
        let number = u32::try_from(place).expect("MAX_CLIENT_KEYS fits 32 bits");
        self.index.insert(key, number);
        place
    }

    fn forgettable(&mut self, now: Nanos) -> Option<usize> {
        for _ in 0..SWEEP_SLICE {
            let place = self.hand;
            self.hand = (self.hand + 1) % self.slots.len();
            if self.slots[place].is_forgettable(now) {
                return Some(place);
            }
        }
        None
    }
}

/// The table as governor's store of one gate's limiter.
pub struct GateStore<C: Clock>(ClientTable<C>);

impl<C: Clock> GateStore<C> {
    pub(super) fn new(table: ClientTable<C>) -> Self {
        Self(table)
    }
}

impl<C: Clock> StateStore for GateStore<C> {
    type Key = TableKey;

    fn measure_and_replace<T, F, E>(&self, key: &TableKey, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.measure(key, decide)
    }
}
