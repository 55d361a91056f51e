//! Byte budgets: room is reserved before anything is read, inflated or queued.
//!
//! A [`Budget`] hands out [`Reservation`]s in the order they were asked for and takes them back when they are
//! dropped. Nobody waits longer than it says, so holders that want to grow and strangers that want to start
//! can't block each other for good. It counts bytes; it doesn't allocate them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

#[cfg(test)]
mod tests;

/// Room for request bodies as sent and as inflated, over all requests.
pub const BODY_BUDGET_BYTES: usize = 48 << 20;

/// Room for events queued for the writers.
pub const QUEUE_BUDGET_BYTES: usize = 32 << 20;

/// How long a request waits for room before it is refused.
pub const BUDGET_WAIT: Duration = Duration::from_secs(1);

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
    total: u32,
    used: AtomicUsize,
    peak: AtomicUsize,
}

impl Budget {
    /// A budget of `bytes`; what is beyond 4 GiB is cut off.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let total = u32::try_from(bytes).unwrap_or(u32::MAX);
        let free = Arc::new(Semaphore::new(total as usize));
        Self(Arc::new(Inner { free, total, used: AtomicUsize::new(0), peak: AtomicUsize::new(0) }))
    }

    /// Reserves `bytes`, waiting at most `wait` behind those who asked before.
    ///
    /// # Errors
    /// [`Exhausted::TooLarge`] at once when the whole budget is smaller, [`Exhausted::Busy`] after `wait`.
    pub async fn reserve(&self, bytes: usize, wait: Duration) -> Result<Reservation, Exhausted> {
        let permit = self.0.acquire(bytes, wait).await?;
        self.0.count(bytes);
        Ok(Reservation { budget: self.0.clone(), permit })
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

impl Inner {
    async fn acquire(&self, bytes: usize, wait: Duration) -> Result<OwnedSemaphorePermit, Exhausted> {
        let wanted = u32::try_from(bytes).map_err(|_| Exhausted::TooLarge)?;
        if wanted > self.total {
            return Err(Exhausted::TooLarge);
        }
        match self.free.clone().try_acquire_many_owned(wanted) {
            Ok(permit) => return Ok(permit),
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {}
        }
        match tokio::time::timeout(wait, self.free.clone().acquire_many_owned(wanted)).await {
            Ok(Ok(permit)) => Ok(permit),
            // The semaphore is never closed; were it, there would be no room either.
            Ok(Err(_)) | Err(_) => Err(Exhausted::Busy),
        }
    }

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
}

impl Reservation {
    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.permit.num_permits()
    }

    /// Adds `more` bytes, waiting at most `wait`; what is held stays held when it fails.
    ///
    /// # Errors
    /// [`Exhausted::TooLarge`] when the sum is beyond the whole budget, [`Exhausted::Busy`] after `wait`.
    pub async fn grow(&mut self, more: usize, wait: Duration) -> Result<(), Exhausted> {
        if self.bytes().saturating_add(more) > self.budget.total as usize {
            return Err(Exhausted::TooLarge);
        }
        let permit = self.budget.acquire(more, wait).await?;
        self.permit.merge(permit);
        self.budget.count(more);
        Ok(())
    }

    /// Gives back what is held beyond `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        let excess = self.bytes().saturating_sub(bytes);
        drop(self.split(excess));
    }

    /// Takes `bytes` (at most what is held) out into a reservation of their own.
    #[must_use = "dropping the part gives its bytes back"]
    #[allow(clippy::missing_panics_doc, reason = "a part is cut to what is held")]
    pub fn split(&mut self, bytes: usize) -> Self {
        let part = bytes.min(self.bytes());
        let permit = self.permit.split(part).expect("a part is never more than what is held");
        Self { budget: self.budget.clone(), permit }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes(), Ordering::Relaxed);
    }
}
