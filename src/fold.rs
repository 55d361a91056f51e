//! Turns committed blocks into counts and issues once a second, each block exactly once.
//!
//! Writers leave what a block adds in the [`FoldMailbox`]; what got lost (a restart, a full mailbox, an instance that
//! died) stands in `unfolded` and is read back from its block after 5 s.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::block::EventHead;
use crate::block::decode::{StoredEvent, inflate_body, lines};
use crate::clock::Clock;
use crate::fingerprint::Fingerprinter;
use crate::store::{Connection, DatabaseStatus, FoldPiece, Store, StoreError, Unfolded};
use crate::write::{PieceBuilder, SeedTexts};

/// Blocks whose counts are kept in memory at most; further ones are read back from the database.
const MAX_PIECES: usize = 2_048;
/// Issues named by those blocks at most, together: about 20 MB.
const MAX_SEEDS: usize = 50_000;
/// Blocks one transaction counts at most.
const PIECES_PER_FOLD: usize = 256;
/// A waiting block older than this belongs to nobody.
const ORPHAN_AFTER_MS: i64 = 5_000;
/// Orphans read back in one step.
const ORPHANS_PER_STEP: usize = 32;
/// Time between two folds.
const FOLD_EVERY: Duration = Duration::from_secs(1);
/// With nothing coming in, orphans are looked for only this often, so that an idle database may sleep.
const IDLE_LOOK_EVERY: Duration = Duration::from_mins(1);
/// After something came in, orphans are looked for at each tick for so long.
const BUSY_FOR: Duration = Duration::from_secs(15);

/// Counts of blocks just committed.
#[derive(Debug, Default)]
pub struct FoldMailbox {
    held: Mutex<Held>,
    /// Blocks came whose counts are not here but in `unfolded`.
    orphans: AtomicBool,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Held {
    pieces: HashMap<Uuid, FoldPiece>,
    seeds: usize,
}

impl FoldMailbox {
    /// Leaves what committed blocks add; never waits.
    pub fn deliver(&self, pieces: Vec<FoldPiece>) {
        let mut held = self.lock();
        for piece in pieces {
            let seeds = held.seeds + piece.issues.len();
            if held.pieces.len() < MAX_PIECES && seeds <= MAX_SEEDS {
                held.seeds = seeds;
                held.pieces.insert(piece.block.block_id, piece);
            }
        }
        drop(held);
        self.arrived.notify_one();
    }

    /// Says that blocks were committed whose counts have to be read back from them.
    pub fn look_for_orphans(&self) {
        self.orphans.store(true, Ordering::Relaxed);
        self.arrived.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn some(&self) -> Vec<FoldPiece> {
        self.lock().pieces.values().take(PIECES_PER_FOLD).cloned().collect()
    }

    fn forget(&self, pieces: &[FoldPiece]) {
        let mut held = self.lock();
        for piece in pieces {
            if held.pieces.remove(&piece.block.block_id).is_some() {
                held.seeds -= piece.issues.len();
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.lock().pieces.is_empty()
    }
}

/// The owned task that folds.
pub struct Fold {
    store: Store,
    clock: Clock,
    mailbox: Arc<FoldMailbox>,
}

impl Fold {
    /// Folds what `mailbox` is given and what others left behind.
    #[must_use]
    pub fn new(store: Store, clock: Clock, mailbox: Arc<FoldMailbox>) -> Self {
        Self { store, clock, mailbox }
    }

    /// Works until `stop`, then folds what is left once more.
    pub async fn run(self, stop: CancellationToken) {
        let mut last_arrival = Instant::now();
        let mut last_look = Instant::now();
        loop {
            let idle = self.mailbox.is_empty() && last_arrival.elapsed() > BUSY_FOR;
            let pause = if idle { IDLE_LOOK_EVERY } else { FOLD_EVERY };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
                () = self.mailbox.arrived.notified(), if idle => {}
            }
            if self.mailbox.orphans.swap(false, Ordering::Relaxed) || !self.mailbox.is_empty() {
                last_arrival = Instant::now();
            }
            if self.store.status() != DatabaseStatus::Connected {
                // What was committed without an answer stands in `unfolded`: look there once the database is back.
                last_arrival = Instant::now();
                continue;
            }
            let look = last_look.elapsed() >= IDLE_LOOK_EVERY || last_arrival.elapsed() <= BUSY_FOR;
            if look {
                last_look = Instant::now();
            }
            if let Err(error) = self.tick(look).await {
                tracing::warn!(%error, "counts are late");
            }
        }
        if self.store.status() == DatabaseStatus::Connected
            && let Err(error) = self.tick(false).await
        {
            tracing::warn!(%error, "counts of the last second are left for the next start");
        }
    }

    /// Folds everything in the mailbox and, if `orphans`, everything nobody folded for 5 s.
    ///
    /// # Errors
    /// What the database said; nothing is lost, the next tick goes on.
    pub async fn tick(&self, orphans: bool) -> Result<(), StoreError> {
        loop {
            let pieces = self.mailbox.some();
            if pieces.is_empty() {
                break;
            }
            self.fold(pieces.clone()).await?;
            self.mailbox.forget(&pieces);
        }
        while orphans && self.fold_orphans().await? == ORPHANS_PER_STEP {}
        Ok(())
    }

    /// Counts blocks. Where the database refuses something in them for itself, halves of them, so that one block never
    /// stops the counts of all; a block whose issues are refused is counted without them.
    async fn fold(&self, pieces: Vec<FoldPiece>) -> Result<(), StoreError> {
        let mut groups = vec![pieces];
        while let Some(mut group) = groups.pop() {
            let mut session = self.store.work().await?;
            let folded = session.fold(&group, self.clock.now()).await;
            drop(session);
            let Err(StoreError::Refused(why)) = folded else {
                folded?;
                continue;
            };
            if group.len() > 1 {
                let half = group.split_off(group.len() / 2);
                groups.extend([half, group]);
            } else if let Some(piece) = group.first_mut().filter(|piece| !piece.issues.is_empty()) {
                tracing::error!(why, block = %piece.block.block_id, "a block is counted without its issues");
                piece.issues.clear();
                groups.push(group);
            } else {
                return Err(StoreError::Refused(why));
            }
        }
        Ok(())
    }

    async fn fold_orphans(&self) -> Result<usize, StoreError> {
        let before = self.clock.now().plus_millis(-ORPHAN_AFTER_MS);
        let mut session = self.store.work().await?;
        let orphans = session.unfolded_before(before, ORPHANS_PER_STEP).await?;
        if orphans.is_empty() {
            return Ok(0);
        }
        let mut pieces = Vec::with_capacity(orphans.len());
        for orphan in &orphans {
            pieces.push(read_back(&mut session, *orphan).await?);
        }
        drop(session);
        self.fold(pieces).await?;
        Ok(orphans.len())
    }
}

/// What a block adds, from its lines. A block that has gone, or can't be read, adds nothing.
async fn read_back(connection: &mut Connection, orphan: Unfolded) -> Result<FoldPiece, StoreError> {
    let mut sum = PieceBuilder::default();
    let block = match connection.block(orphan.project_id, orphan.block_id).await {
        Err(StoreError::Corrupt(why)) => {
            tracing::error!(why, block = %orphan.block_id, "a block's header can't be read");
            None
        }
        found => found?,
    };
    if let Some(block) = block {
        match inflate_body(block.header.codec, block.header.raw_bytes, &block.body) {
            Ok(raw) => lines(&raw).for_each(|line| add_line(&mut sum, line)),
            Err(error) => tracing::error!(%error, block = %orphan.block_id, "a block can't be read"),
        }
    }
    Ok(sum.finish(orphan))
}

fn add_line(sum: &mut PieceBuilder, line: &[u8]) {
    let Ok(event) = StoredEvent::parse(line) else { return };
    let head = EventHead {
        index: event.id.index,
        ts: event.ts,
        level: event.level,
        fingerprint: event.fingerprint,
        line_bytes: 0,
    };
    sum.add(event.id, &head, || SeedTexts {
        title: Fingerprinter::new().title(&event.message),
        source: event.source.clone().into_owned(),
        release: event.release.as_deref().unwrap_or_default().to_owned(),
    });
}
