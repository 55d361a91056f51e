//! Tells the database what waits in this spool, so that the ledger of another instance can say where events are that it
//! doesn't have.

use std::time::{Duration, Instant};

use super::Spool;
use crate::store::{DatabaseStatus, Store, StoreError, Waiting};

/// How often what waits is looked at while something does, and tried again after a failure …
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// … and told again though nothing changed.
const REPEAT_EVERY: Duration = Duration::from_secs(30);
/// A report older than this is of an instance that was not heard of: three of its repetitions are missing.
pub const SILENT_AFTER_MS: i64 = 90_000;

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    told: Option<Vec<Waiting>>,
    told_at: Option<Instant>,
    looked_at: Option<Instant>,
}

impl Reporter {
    /// Tells what waits, if that is due; a failure only makes it wait.
    pub async fn tell(&mut self, spool: &Spool, store: &Store) {
        let is_empty = spool.depth().is_empty();
        let told_so = is_empty && self.told.as_ref().is_some_and(Vec::is_empty);
        if store.status() != DatabaseStatus::Connected || told_so {
            return;
        }
        // That nothing waits any more is told at once.
        let drained = is_empty && self.told.is_some();
        if !drained && self.looked_at.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return;
        }
        self.looked_at = Some(Instant::now());
        if let Err(error) = self.report(spool, store, is_empty).await {
            tracing::debug!(%error, "what waits in the spool is told later");
            // The next try is not at once, whatever is in it then.
            self.told = None;
        }
    }

    async fn report(&mut self, spool: &Spool, store: &Store, is_empty: bool) -> Result<(), StoreError> {
        let Some(id) = spool.id() else { return Ok(()) };
        let waiting = if is_empty { Vec::new() } else { spool.waiting().await? };
        let is_fresh = self.told_at.is_some_and(|at| at.elapsed() < REPEAT_EVERY);
        if is_fresh && self.told.as_ref() == Some(&waiting) {
            return Ok(());
        }
        store.work().await?.report_spool(&id, &waiting).await?;
        (self.told, self.told_at) = (Some(waiting), Some(Instant::now()));
        Ok(())
    }
}
