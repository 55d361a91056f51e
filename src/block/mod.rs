//! A block: 1 to 2,000 events of one project as compressed JSON lines, with a header that lets a search skip it.

pub mod case;
pub mod counts;
pub mod decode;
pub mod encode;
pub mod fields;
pub mod filter;
pub mod json;
pub mod regroup;
pub mod summary;
pub mod token_test;
pub mod trigram;

#[cfg(test)]
pub(crate) mod arbitrary;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
pub(crate) mod yardstick;

use std::fmt;

use uuid::Uuid;

use crate::event::{BatchId, Level};
use crate::fingerprint::Fingerprint;
use crate::timestamp::Timestamp;

/// Most events in a block.
pub const MAX_EVENTS: usize = 2_000;
/// Most bytes of uncompressed body in a block; a single larger event has a block of its own.
pub const MAX_RAW_BYTES: usize = 1 << 20;

/// Environments of a batch that are told apart.
pub const BATCH_ENVIRONMENTS: usize = 16;

/// What one accepted event adds to a block's header, beside its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventHead {
    /// Position in the batch as sent.
    pub index: u32,
    /// Its time.
    pub ts: Timestamp,
    /// Its severity.
    pub level: Level,
    /// The issue it belongs to.
    pub fingerprint: Fingerprint,
    /// Bytes of its line in [`EncodedBatch::lines`], without separators.
    pub line_bytes: u32,
    /// The place of its environment in [`EncodedBatch::environments`]; none there is beyond their number.
    pub environment: u8,
}

impl EventHead {
    /// No place of an environment.
    pub const NO_ENVIRONMENT: u8 = u8::MAX;
}

/// The place of an environment among those of a batch, as in [`EventHead::environment`].
fn place_of(environments: &mut Vec<String>, name: &str) -> u8 {
    let known = environments.iter().position(|known| known == name);
    let place = known.unwrap_or_else(|| {
        if environments.len() < BATCH_ENVIRONMENTS {
            environments.push(name.to_owned());
            environments.len() - 1
        } else {
            usize::from(EventHead::NO_ENVIRONMENT)
        }
    });
    u8::try_from(place).unwrap_or(EventHead::NO_ENVIRONMENT)
}

/// The accepted events of one batch, encoded once in the request's task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedBatch {
    /// The batch's id, which carries the time of receipt.
    pub batch: BatchId,
    /// One head an event, in the batch's order.
    pub heads: Vec<EventHead>,
    /// The events' JSON objects, one after the other, no separators.
    pub lines: Vec<u8>,
    /// Tokens for the id filter, distinct.
    pub id_tokens: Vec<u64>,
    /// Environments of its events, the first [`BATCH_ENVIRONMENTS`] of them.
    pub environments: Vec<String>,
}

impl EncodedBatch {
    /// Bytes it takes in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.lines.capacity()
            + self.heads.capacity() * size_of::<EventHead>()
            + self.id_tokens.capacity() * size_of::<u64>()
            + self.environments.iter().map(|one| one.capacity() + size_of::<String>()).sum::<usize>()
    }
}

/// How a body is compressed; stored, so a number is never given another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum Codec {
    /// `MySQL`'s `COMPRESS()` framing: 4 bytes little-endian length, then a zlib stream.
    Zlib = 1,
    /// The same, written by compaction at its higher level: it needn't be done again.
    ZlibCompact = 2,
}

impl Codec {
    /// The codec of a stored number; `None` for one of a later version.
    #[must_use]
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::Zlib),
            2 => Some(Self::ZlibCompact),
            _ => None,
        }
    }
}

/// Events of one level in one minute of `ts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinuteCount {
    /// Minutes since the Unix epoch.
    pub minute: i64,
    /// Severity.
    pub level: Level,
    /// How many.
    pub count: u32,
}

/// What is known of a block without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// The project all its events belong to.
    pub project_id: i64,
    /// `UUIDv7` made when the block was encoded.
    pub id: Uuid,
    /// Receipt of its first event.
    pub received_first: Timestamp,
    /// Receipt of its last event.
    pub received_last: Timestamp,
    /// Least `ts`.
    pub ts_first: Timestamp,
    /// Greatest `ts`.
    pub ts_last: Timestamp,
    /// 1 to [`MAX_EVENTS`].
    pub event_count: u32,
    /// Bytes of the body before compression.
    pub raw_bytes: u32,
    /// Bytes of the body as stored.
    pub stored_bytes: u32,
    /// Compression of the body.
    pub codec: Codec,
    /// Counts per minute and level, ordered, none zero.
    pub counts: Vec<MinuteCount>,
    /// Bloom filter of `field=value` tokens; empty admits everything.
    pub id_filter: Vec<u8>,
    /// Bloom filter of the text's trigrams; empty admits everything.
    pub text_filter: Vec<u8>,
}

/// A block as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What can be known without inflating.
    pub header: BlockHeader,
    /// The compressed JSON array.
    pub body: Vec<u8>,
}

/// Why stored bytes can't be read as a block. Never caused by a client: a row was damaged or is of a later version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockError {
    /// The body is shorter than its framing.
    Short,
    /// The body declares more than [`decode::MAX_INFLATED_BYTES`].
    TooLarge,
    /// The body's declared length and the header's `raw_bytes` differ.
    LengthDiffers,
    /// The zlib stream is damaged, or inflates to another length than declared.
    Deflate,
    /// The counts are not what [`counts::encode_counts`] writes.
    Counts,
    /// A line is not an event.
    Line,
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "the body is shorter than its framing",
            Self::TooLarge => "the body declares more bytes than a block may have",
            Self::LengthDiffers => "the body's declared length differs from the header's",
            Self::Deflate => "the compressed stream is damaged",
            Self::Counts => "the counts per minute and level are damaged",
            Self::Line => "a line is not an event",
        })
    }
}

impl std::error::Error for BlockError {}
