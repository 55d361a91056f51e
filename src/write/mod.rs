//! The write path: queued batches become blocks, committed in groups by two owned slots.
//!
//! A client is answered only after the commit of its batch. A batch is stored once however often it is sent; one
//! duplicate never refuses its group. The queue is bounded by bytes, every attempt and wait by a deadline.

pub mod identity;
mod pack;

mod queue;
mod settle;
mod slot;

#[cfg(test)]
mod tests;

use tokio::sync::oneshot;

use crate::block::EncodedBatch;
use crate::error::{ApiError, STORAGE_RETRY_SECONDS};
use crate::event::{BatchId, Level};
use crate::fingerprint::Fingerprint;
use crate::memory::Reservation;
use crate::outcome::ReadBatch;

pub use identity::{BatchKeys, expired_ranges};
pub(crate) use pack::PieceBuilder;
pub use queue::WriteQueue;
pub use slot::WriterSlot;

/// A batch on its way to the database.
#[derive(Debug)]
pub struct Submission {
    /// Whose it is.
    pub project_id: i64,
    /// What makes it the same batch when it comes again.
    pub keys: BatchKeys,
    /// Hash of the inflated body.
    pub body_hash: [u8; 16],
    /// Names its events.
    pub batch: BatchId,
    /// Events it had.
    pub received: u32,
    /// Its accepted events; those far from the time of receipt stand in a part of their own.
    pub parts: Vec<EncodedBatch>,
    /// Titles of the issues its events belong to, one for each fingerprint among error and fatal events.
    pub titles: Vec<IssueTitle>,
    /// Room in the queue's budget, given back with the reply.
    pub room: Reservation,
    /// Counted when its outcome is known.
    pub fate: ReadBatch,
    /// Who waits for the outcome; gone when the client has gone, which changes nothing.
    pub reply: oneshot::Sender<WriteOutcome>,
}

/// How an issue is called, from one of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueTitle {
    /// The issue.
    pub fingerprint: Fingerprint,
    /// What it is called.
    pub texts: SeedTexts,
}

/// What an issue is called, by one of its events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeedTexts {
    /// The message's template.
    pub title: String,
    /// The event's source.
    pub source: String,
    /// The event's release, empty when it named none.
    pub release: String,
    /// The event's message, cut to [`MAX_SAMPLE_CHARS`].
    pub sample: String,
}

/// Characters of a message that an alert shows.
pub const MAX_SAMPLE_CHARS: usize = 300;

impl SeedTexts {
    /// So much of a message as is kept.
    #[must_use]
    pub fn sample_of(message: &str) -> String {
        message.chars().take(MAX_SAMPLE_CHARS).collect()
    }
}

impl IssueTitle {
    /// Bytes it takes in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.texts.title.capacity()
            + self.texts.source.capacity()
            + self.texts.release.capacity()
            + self.texts.sample.capacity()
    }
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// Committed now.
    Stored,
    /// Committed now, to the spool.
    Spooled,
    /// Stored before, with these counts.
    Duplicate {
        /// Events the first one had.
        received: u32,
        /// Events stored then.
        accepted: u32,
        /// It is still in the spool.
        in_spool: bool,
    },
    /// Its id is that of a batch with another body.
    Conflict,
    /// Neither the database nor the spool can take it now; it may be sent again under the same id.
    Unavailable,
    /// Committed now, but for so many of its events: the database refuses those, and they are in quarantine.
    Quarantined(u32),
}

/// Whether events of a level make issues.
#[must_use]
pub fn makes_issues(level: Level) -> bool {
    level >= Level::Error
}

impl Submission {
    /// Its accepted events.
    #[must_use]
    pub fn accepted(&self) -> u32 {
        let events: usize = self.parts.iter().map(|part| part.heads.len()).sum();
        u32::try_from(events).unwrap_or(u32::MAX)
    }

    fn raw_bytes(&self) -> usize {
        self.parts.iter().map(|part| part.lines.len()).sum()
    }

    fn answer(self, outcome: WriteOutcome) {
        // Before the answer, so that whoever has it finds it counted.
        match outcome {
            WriteOutcome::Stored | WriteOutcome::Quarantined(_) | WriteOutcome::Spooled => {
                self.fate.committed();
            }
            WriteOutcome::Duplicate { .. } => self.fate.duplicate(),
            WriteOutcome::Conflict => self.fate.not_stored(&ApiError::IdempotencyConflict),
            WriteOutcome::Unavailable => {
                self.fate.not_stored(&ApiError::StorageUnavailable(STORAGE_RETRY_SECONDS));
            }
        }
        // The client may have gone; its batch is stored all the same.
        let _ = self.reply.send(outcome);
    }
}
