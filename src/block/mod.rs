//! A block: 1 to 2,000 events of one project as compressed JSON lines, with a header that lets a search skip it.

use uuid::Uuid;

use crate::event::{BatchId, Level};
use crate::fingerprint::Fingerprint;
use crate::timestamp::Timestamp;

/// Most events in a block.
pub const MAX_EVENTS: usize = 2_000;
/// Most bytes of uncompressed body in a block; a single larger event has a block of its own.
pub const MAX_RAW_BYTES: usize = 1 << 20;

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
}

/// How a body is compressed; stored, so a number is never given another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum Codec {
    /// `MySQL`'s `COMPRESS()` framing: 4 bytes little-endian length, then a zlib stream.
    Zlib = 1,
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
