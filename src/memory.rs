//! Byte budgets: room is reserved before anything is read, inflated or queued.
//!
//! A [`Budget`] hands out [`Reservation`]s in the order they were asked for and takes them back when they are
//! dropped. Nobody waits longer than it says, so holders that want to grow and strangers that want to start
//! can't block each other for good. A part can be kept back from growth, so that many large holders leave room
//! to start in. It counts bytes; it doesn't allocate them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// Room for request bodies as sent and as inflated, over all requests.
pub const BODY_BUDGET_BYTES: usize = 40 << 20;

/// The part of it that bodies can't grow into: a first step for each connection at the default cap of them.
const BODY_START_BYTES: usize = 8 << 20;

/// Room for events queued for the writers.
pub const QUEUE_BUDGET_BYTES: usize = 32 << 20;

/// Room for compressed bodies that searches fetched from a server, kept for the next search.
pub const BODY_CACHE_BYTES: usize = 32 << 20;

/// Room for what large batches take while they are read, beside their bodies: repaired text, events, encoded lines.
pub const WORK_BUDGET_BYTES: usize = 16 << 20;

/// Room for large answers that their clients have not taken yet.
pub const ANSWER_BUDGET_BYTES: usize = 16 << 20;

/// How long a request waits for room before it is refused.
pub const BUDGET_WAIT: Duration = Duration::from_secs(1);

/// Longer than anyone waits; a deadline this far away can still be told.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// Why room was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// More than the whole budget: waiting would never help.
    TooLarge,
    /// The budget stayed full for as long as the caller would wait.
    Busy,
}

/// A bounded number of bytes shared by many holders. Clones share the same bytes.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    free: Arc<Semaphore>,
    /// What reservations may grow by, all together.
    growth: Arc<Semaphore>,
    total: u32,
    growth_total: u32,
    used: AtomicUsize,
    peak: AtomicUsize,
}

impl Budget {
    /// A budget of `bytes`; what is beyond 4 GiB is cut off.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self::keeping_back(bytes, 0)
    }

    /// The budget of request bodies: [`BODY_BUDGET_BYTES`], of which a fifth is for those that start.
    #[must_use]
    pub fn of_bodies() -> Self {
        Self::keeping_back(BODY_BUDGET_BYTES, BODY_START_BYTES)
    }

    /// A budget of which reservations may grow into all but `kept_back` bytes.
    #[must_use]
    pub fn keeping_back(bytes: usize, kept_back: usize) -> Self {
        let total = u32::try_from(bytes).unwrap_or(u32::MAX);
        let growth_total = total.saturating_sub(u32::try_from(kept_back).unwrap_or(u32::MAX));
        let free = Arc::new(Semaphore::new(total as usize));
        let growth = Arc::new(Semaphore::new(growth_total as usize));
        let (used, peak) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self(Arc::new(Inner { free, growth, total, growth_total, used, peak }))
    }

    /// Reserves `bytes`, waiting at most `wait` behind those who asked before.
    ///
    /// # Errors
    /// [`Exhausted::TooLarge`] at once when the whole budget is smaller, [`Exhausted::Busy`] after `wait`.
    pub async fn reserve(&self, bytes: usize, wait: Duration) -> Result<Reservation, Exhausted> {
        let permit = acquire(&self.0.free, self.0.total, bytes, wait).await?;
        let growth = acquire(&self.0.growth, self.0.growth_total, 0, wait).await?;
        self.0.count(bytes);
        Ok(Reservation { budget: self.0.clone(), permit, growth })
    }

    /// The size of the budget in bytes.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.total as usize
    }

    /// Bytes reserved now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// The most bytes ever reserved at once.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.0.peak.load(Ordering::Relaxed)
    }
}

/// Takes `bytes` of the `total` of a semaphore.
async fn acquire(
    semaphore: &Arc<Semaphore>,
    total: u32,
    bytes: usize,
    wait: Duration,
) -> Result<OwnedSemaphorePermit, Exhausted> {
    let wanted = u32::try_from(bytes).map_err(|_| Exhausted::TooLarge)?;
    if wanted > total {
        return Err(Exhausted::TooLarge);
    }
    match semaphore.clone().try_acquire_many_owned(wanted) {
        Ok(permit) => return Ok(permit),
        Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {}
    }
    match tokio::time::timeout(wait, semaphore.clone().acquire_many_owned(wanted)).await {
        Ok(Ok(permit)) => Ok(permit),
        // The semaphore is never closed; were it, there would be no room either.
        Ok(Err(_)) | Err(_) => Err(Exhausted::Busy),
    }
}

impl Inner {
    fn count(&self, bytes: usize) {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(used, Ordering::Relaxed);
    }
}

/// Bytes held from a [`Budget`] until this is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Inner>,
    permit: OwnedSemaphorePermit,
    /// As many bytes of it as came by growing.
    growth: OwnedSemaphorePermit,
}

impl Reservation {
    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.permit.num_permits()
    }

    /// Adds `more` bytes, waiting at most `wait` for leave to grow and for the room, both together; what is held stays
    /// held when it fails.
    ///
    /// # Errors
    /// [`Exhausted::TooLarge`] when the sum is beyond the whole budget or what may be grown into, [`Exhausted::Busy`]
    /// after `wait`.
    pub async fn grow(&mut self, more: usize, wait: Duration) -> Result<(), Exhausted> {
        let (growth, growth_total) = (&self.budget.growth, self.budget.growth_total);
        if self.growth.num_permits().saturating_add(more) > growth_total as usize {
            return Err(Exhausted::TooLarge);
        }
        let by = Instant::now() + wait.min(LONGEST_WAIT);
        let leave = acquire(growth, growth_total, more, wait).await?;
        self.extend(more, by.saturating_duration_since(Instant::now())).await?;
        self.growth.merge(leave);
        Ok(())
    }

    /// As [`Self::grow`], but also into what is kept back: for a sender that is known.
    ///
    /// # Errors
    /// [`Exhausted::TooLarge`] when the sum is beyond the whole budget, [`Exhausted::Busy`] after `wait`.
    pub async fn extend(&mut self, more: usize, wait: Duration) -> Result<(), Exhausted> {
        if self.bytes().saturating_add(more) > self.budget.total as usize {
            return Err(Exhausted::TooLarge);
        }
        let permit = acquire(&self.budget.free, self.budget.total, more, wait).await?;
        self.permit.merge(permit);
        self.budget.count(more);
        Ok(())
    }

    /// Gives back what is held beyond `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        let excess = self.bytes().saturating_sub(bytes);
        drop(self.split(excess));
    }

    /// Takes `bytes` (at most what is held) out into a reservation of their own, first of those that came by growing.
    #[must_use = "dropping the part gives its bytes back"]
    #[allow(clippy::missing_panics_doc, reason = "a part is cut to what is held")]
    pub fn split(&mut self, bytes: usize) -> Self {
        let part = bytes.min(self.bytes());
        let permit = self.permit.split(part).expect("a part is never more than what is held");
        let grown = part.min(self.growth.num_permits());
        let growth = self.growth.split(grown).expect("a part is never more than what is held");
        Self { budget: self.budget.clone(), permit, growth }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes(), Ordering::Relaxed);
    }
}
