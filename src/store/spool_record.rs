//! The record of a group in the spool: JSON with hex digits, under a checksum.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::batches::BATCH_KEY_BYTES;
use super::spool::{SpooledBatch, SpooledBlock, SpooledGroup};
use crate::event::BatchId;
use crate::timestamp::Timestamp;

#[derive(Serialize, Deserialize)]
struct BatchRecord {
    p: i64,
    b: String,
    s: Option<String>,
    h: String,
    r: u32,
    a: u32,
    k: Vec<(String, i64)>,
}

#[derive(Serialize, Deserialize)]
struct BlockRecord {
    p: i64,
    b: String,
    e: u32,
    c: String,
}

#[derive(Serialize, Deserialize)]
struct GroupRecord {
    batches: Vec<BatchRecord>,
    blocks: Vec<BlockRecord>,
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

impl SpooledGroup {
    /// Its record as text.
    pub(super) fn content(&self) -> String {
        let record = GroupRecord {
            batches: self.batches.iter().map(BatchRecord::of).collect(),
            blocks: self.blocks.iter().map(BlockRecord::of).collect(),
        };
        serde_json::to_string(&record).unwrap_or_default()
    }

    /// From its record; `None` when that was altered in a way its checksum didn't tell.
    pub(super) fn read(number: i64, content: &str) -> Option<Self> {
        let record: GroupRecord = serde_json::from_str(content).ok()?;
        let batches = record.batches.iter().map(BatchRecord::read).collect::<Option<_>>()?;
        let blocks = record.blocks.iter().map(BlockRecord::read).collect::<Option<_>>()?;
        Some(Self { number, batches, blocks })
    }
}

impl BatchRecord {
    fn of(batch: &SpooledBatch) -> Self {
        Self {
            p: batch.project_id,
            b: hex(batch.batch.as_bytes()),
            s: batch.sender.as_ref().map(|sender| hex(sender)),
            h: hex(&batch.body_hash),
            r: batch.received,
            a: batch.accepted,
            k: batch.ids.iter().map(|(key, until)| (hex(key), until.as_millis())).collect(),
        }
    }

    fn read(&self) -> Option<SpooledBatch> {
        let id = |(key, until): &(String, i64)| {
            Some((unhex::<BATCH_KEY_BYTES>(key)?, Timestamp::from_millis(*until)))
        };
        Some(SpooledBatch {
            project_id: self.p,
            batch: BatchId::from_bytes(unhex(&self.b)?),
            sender: match &self.s {
                Some(sender) => Some(unhex(sender)?),
                None => None,
            },
            body_hash: unhex(&self.h)?,
            received: self.r,
            accepted: self.a,
            ids: self.k.iter().map(id).collect::<Option<_>>()?,
        })
    }
}

impl BlockRecord {
    fn of(block: &SpooledBlock) -> Self {
        let SpooledBlock { project_id, id, events, checksum } = block;
        Self { p: *project_id, b: hex(id.as_bytes()), e: *events, c: format!("{checksum:016x}") }
    }

    fn read(&self) -> Option<SpooledBlock> {
        let id = Uuid::from_bytes(unhex(&self.b)?);
        let checksum = u64::from_str_radix(&self.c, 16).ok()?;
        Some(SpooledBlock { project_id: self.p, id, events: self.e, checksum })
    }
}

/// A checksum as a column holds it.
pub(super) fn checksum(content: &str) -> i64 {
    i64::from_le_bytes(xxh3_64(content.as_bytes()).to_le_bytes())
}
