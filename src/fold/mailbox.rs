//! Where writers leave what a block adds, until it is folded.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

use crate::ledger::Tally;
use crate::store::FoldPiece;

/// Blocks whose counts are kept in memory at most; further ones are read back from the database.
const MAX_PIECES: usize = 2_048;
/// Issues named by those blocks at most, together: about 20 MB.
const MAX_SEEDS: usize = 30_000;
/// Blocks one transaction counts at most.
const PIECES_PER_FOLD: usize = 256;

/// Counts of blocks just committed.
#[derive(Debug, Default)]
pub struct FoldMailbox {
    held: Mutex<Held>,
    /// Blocks came whose counts are not here but in `unfolded`.
    pub(super) orphans: AtomicBool,
    arrived: Notify,
    pub(super) tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct Held {
    pieces: HashMap<Uuid, FoldPiece>,
    seeds: usize,
}

impl FoldMailbox {
    /// What the ledger counts in memory until it is written.
    #[must_use]
    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

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

    pub(super) fn some(&self) -> Vec<FoldPiece> {
        self.lock().pieces.values().take(PIECES_PER_FOLD).cloned().collect()
    }

    pub(super) fn forget(&self, pieces: &[FoldPiece]) {
        let mut held = self.lock();
        for piece in pieces {
            if held.pieces.remove(&piece.block.block_id).is_some() {
                held.seeds -= piece.issues.len();
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().pieces.is_empty()
    }

    /// Waits until there is something to do after there was nothing.
    pub(super) async fn arrived(&self) {
        tokio::select! {
            () = self.arrived.notified() => {}
            () = self.tally.arrived() => {}
        }
    }
}
