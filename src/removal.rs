//! Removing deleted projects in bounded steps, by one owned task that starts again where it was cut off.
//!
//! A deleted project is invisible at once; its row stays a minute longer, for blocks that were on their way, and is
//! swept once more before it goes.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::store::{DatabaseStatus, Store, StoreError};

/// Removals waiting at most; what doesn't fit is found by the next sweep.
const MAX_WAITING: usize = 16;
/// Longest a caller waits for a removal to be done.
const WAIT: Duration = Duration::from_secs(10);
/// Time between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_mins(5);
/// Time to the sweep after a removal, when its project's row may go.
const SWEEP_AFTER_REMOVAL: Duration = Duration::from_secs(65);

struct Request {
    project_id: i64,
    done: oneshot::Sender<()>,
}

/// Asks for removals.
#[derive(Clone)]
pub struct Removals(mpsc::Sender<Request>);

impl Removals {
    /// Has a hidden project's data removed; returns when it is done or after 10 s, whichever comes first.
    pub async fn remove(&self, project_id: i64) {
        let (done, wait) = oneshot::channel();
        if self.0.try_send(Request { project_id, done }).is_ok() {
            // However it ends, the project is invisible already and the sweeps go on.
            let _ = tokio::time::timeout(WAIT, wait).await;
        }
    }
}

/// The task that removes.
pub struct Remover {
    store: Store,
    clock: Clock,
    requests: mpsc::Receiver<Request>,
}

/// A remover and the way to ask it.
#[must_use]
pub fn remover(store: Store, clock: Clock) -> (Removals, Remover) {
    let (sender, requests) = mpsc::channel(MAX_WAITING);
    (Removals(sender), Remover { store, clock, requests })
}

impl Remover {
    /// Works until `stop`; a removal that is cut off goes on at the next start.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut next_sweep = Duration::ZERO;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(next_sweep) => next_sweep = self.sweep_when_connected(&stop).await,
                Some(request) = self.requests.recv() => {
                    report(self.clear(request.project_id, &stop).await);
                    // The caller may have stopped waiting.
                    let _ = request.done.send(());
                    next_sweep = SWEEP_AFTER_REMOVAL;
                }
            }
        }
    }

    async fn sweep_when_connected(&self, stop: &CancellationToken) -> Duration {
        if self.store.status() != DatabaseStatus::Connected {
            return Duration::from_secs(1);
        }
        report(self.sweep(stop).await);
        SWEEP_EVERY
    }

    /// Clears every hidden project and forgets those that have been hidden for a minute.
    ///
    /// # Errors
    /// What the database said; the next sweep goes on.
    pub async fn sweep(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        for project_id in self.store.hidden_projects().await? {
            self.clear(project_id, stop).await?;
            if !stop.is_cancelled() {
                self.store.forget_project(project_id, self.clock.now()).await?;
            }
        }
        Ok(())
    }

    async fn clear(&self, project_id: i64, stop: &CancellationToken) -> Result<(), StoreError> {
        while !stop.is_cancelled() && self.store.delete_project_step(project_id).await? {}
        Ok(())
    }
}

fn report(result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "a removal goes on later");
    }
}
