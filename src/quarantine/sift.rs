//! Sifting: which events of some blocks the database refuses, by trying halves of what it refuses in transactions that
//! are rolled back. Nothing is stored here, so it may be cut off anywhere; what comes out of it is committed at once.
//!
//! A refusal counts against an event only after the database has taken something else of the same project: a block that
//! was tried, or one made up of a harmless event. A database that refuses that too is wrong itself.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use uuid::Uuid;

use super::Quarantine;
use crate::block::decode::inflate_body;
use crate::block::encode::{BatchEncoder, BlockEncoder, CompressionLevel, Part};
use crate::block::regroup::regroup;
use crate::block::{Block, BlockError, EncodedBatch};
use crate::event::{BatchId, Event, EventId, Level, derived_id, uuid_at, uuid_time};
use crate::store::{QuarantinedEvent, Refusal, STATEMENT_TIMEOUT, Session, Store, StoreError};
use crate::timestamp::Timestamp;

/// Blocks with fewer bytes are taken apart in place: handing them to another thread would cost more.
const INLINE_BYTES: u32 = 32 * 1024;

/// Whose connections blocks are tried on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// A writer slot's, kept from one block to the next.
    Writer,
    /// That for everything else, given back after each block.
    Work,
}

/// What came out.
#[derive(Debug, Default)]
pub struct Sifted {
    /// What the database takes, as it was tried.
    pub good: Vec<Block>,
    /// What goes into quarantine in the transaction that stores those.
    pub bad: Vec<QuarantinedEvent>,
    /// Batches of which something can neither be stored nor quarantined now. Where there are any, the rest is to be
    /// encoded without them.
    pub left: HashSet<BatchId>,
}

impl Quarantine {
    /// Sifts blocks the database refused, until `until`: what isn't decided then is left.
    ///
    /// # Errors
    /// What the database said, but for refusals.
    pub async fn sift(
        &self,
        blocks: &[Block],
        through: Through,
        until: Instant,
    ) -> Result<Sifted, StoreError> {
        let allowance = self.0.allowance.load(std::sync::atomic::Ordering::Relaxed);
        let mut sieve = Sieve {
            trial: Trial { store: &self.0.store, through, session: None },
            vouched: HashMap::new(),
            now: self.0.clock.now(),
            sifted: Sifted::default(),
            why_left: None,
        };
        for block in blocks {
            sieve.sift_block(block, until, allowance).await?;
        }
        let Sieve { trial, mut sifted, mut why_left, .. } = sieve;
        trial.end().await;
        if sifted.bad.len() as u64 > allowance {
            why_left = Some(format!(
                "The database refused more than it took: {} events at once, {allowance} are allowed.",
                sifted.bad.len()
            ));
            sifted.leave_bad();
        } else if !sifted.bad.is_empty() && !self.has_room(&sifted.bad).await? {
            why_left = Some("The quarantine is full.".to_owned());
            sifted.leave_bad();
        }
        let left = &sifted.left;
        sifted.bad.retain(|event| !left.contains(&event.id.batch));
        if let Some(why) = why_left {
            self.note_trouble(why);
        }
        Ok(sifted)
    }
}

impl Sifted {
    /// Whether the database took each of these blocks, as it was.
    #[must_use]
    pub fn is_unchanged(&self, blocks: &[Block]) -> bool {
        self.left.is_empty() && self.bad.is_empty() && self.good.len() == blocks.len()
    }

    fn leave_bad(&mut self) {
        self.left.extend(self.bad.iter().map(|event| event.id.batch));
    }
}

struct Sieve<'a> {
    trial: Trial<'a>,
    /// Projects of which the database took or refused something harmless.
    vouched: HashMap<i64, bool>,
    now: Timestamp,
    sifted: Sifted,
    why_left: Option<String>,
}

impl Sieve<'_> {
    async fn sift_block(&mut self, block: &Block, until: Instant, allowance: u64) -> Result<(), StoreError> {
        let mut next_id = block.header.id;
        let mut pieces = vec![block.clone()];
        while let Some(piece) = pieces.pop() {
            if Instant::now() >= until {
                self.leave(&piece, "There was no time to find the events it refuses.")?;
                continue;
            }
            if self.sifted.bad.len() as u64 > allowance {
                self.leave(&piece, "The database refused more than it took.")?;
                continue;
            }
            let project_id = piece.header.project_id;
            let Some(refusal) = self.trial.refusal_of(&piece).await? else {
                self.vouched.insert(project_id, true);
                let is_whole = piece.header.event_count == block.header.event_count;
                let id = if is_whole { block.header.id } else { derived_id(next_id) };
                next_id = id;
                self.sifted.good.push(with_id(piece, id));
                continue;
            };
            if !self.takes_anything_of(project_id).await? {
                let why = format!("It refuses every block of project {project_id}: {}", refusal.message);
                self.leave(&piece, &why)?;
            } else if piece.header.event_count > 1 {
                let [first, second] = halves(piece).await?;
                pieces.extend([second, first]);
            } else {
                let bad = the_event(&piece, refusal, self.now).map_err(unreadable)?;
                self.sifted.bad.push(bad);
            }
        }
        Ok(())
    }

    /// Whether it takes a harmless event of this project; asked once.
    async fn takes_anything_of(&mut self, project_id: i64) -> Result<bool, StoreError> {
        if let Some(known) = self.vouched.get(&project_id) {
            return Ok(*known);
        }
        let takes = self.trial.refusal_of(&harmless(project_id, self.now)).await?.is_none();
        self.vouched.insert(project_id, takes);
        Ok(takes)
    }

    fn leave(&mut self, piece: &Block, why: &str) -> Result<(), StoreError> {
        let batches = batches_of(piece).map_err(unreadable)?;
        self.sifted.left.extend(batches.iter().map(|batch| batch.batch));
        self.why_left.get_or_insert_with(|| why.to_owned());
        Ok(())
    }
}

/// Tries blocks one after the other.
struct Trial<'a> {
    store: &'a Store,
    through: Through,
    session: Option<Session>,
}

impl Trial<'_> {
    /// Why the database refuses a block; `None` when it takes it.
    async fn refusal_of(&mut self, block: &Block) -> Result<Option<Refusal>, StoreError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.begin().await?,
        };
        match session.try_block(block).await {
            // Stored by an attempt whose answer was lost: so it was taken.
            Ok(()) | Err(StoreError::Duplicate(_)) => {
                if self.through == Through::Writer {
                    self.session = Some(session);
                } else {
                    session.rollback(STATEMENT_TIMEOUT).await?;
                }
                Ok(None)
            }
            Err(StoreError::Refused(why)) => {
                // A trigger of SQLite may have done so already: then this fails and the pool closes the connection.
                let _ = session.rollback(STATEMENT_TIMEOUT).await;
                Ok(Some(Refusal::of(&why)))
            }
            Err(error) => {
                if !error.is_ambiguous() {
                    let _ = session.rollback(STATEMENT_TIMEOUT).await;
                }
                Err(error)
            }
        }
    }

    async fn begin(&self) -> Result<Session, StoreError> {
        let mut session = match self.through {
            Through::Writer => self.store.writer().await?,
            Through::Work => self.store.work().await?,
        };
        match self.through {
            Through::Writer => session.begin_group(STATEMENT_TIMEOUT).await?,
            Through::Work => session.begin(STATEMENT_TIMEOUT).await?,
        }
        Ok(session)
    }

    async fn end(self) {
        if let Some(mut session) = self.session {
            // A connection that can't even do this is closed by its pool.
            let _ = session.rollback(STATEMENT_TIMEOUT).await;
        }
    }
}

fn with_id(mut block: Block, id: Uuid) -> Block {
    block.header.id = id;
    block
}

fn unreadable(error: BlockError) -> StoreError {
    StoreError::Corrupt(format!("a block of ours can't be taken apart: {error}"))
}

fn batches_of(block: &Block) -> Result<Vec<EncodedBatch>, BlockError> {
    let header = &block.header;
    inflate_body(header.codec, header.raw_bytes, &block.body).and_then(|raw| regroup(&raw))
}

async fn halves(block: Block) -> Result<[Block; 2], StoreError> {
    if block.header.raw_bytes < INLINE_BYTES {
        return cut(&block).map_err(unreadable);
    }
    let cutting = tokio::task::spawn_blocking(move || cut(&block)).await;
    cutting
        .map_err(|error| StoreError::Corrupt(format!("cutting a block failed: {error}")))?
        .map_err(unreadable)
}

/// A block of two events or more in two, in order.
fn cut(block: &Block) -> Result<[Block; 2], BlockError> {
    let batches = batches_of(block)?;
    let events: usize = batches.iter().map(|batch| batch.heads.len()).sum();
    let (mut before, middle) = (0, events / 2);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for batch in &batches {
        let count = batch.heads.len();
        let at = middle.saturating_sub(before).min(count);
        first.extend((at > 0).then_some(Part { batch, events: 0..at }));
        second.extend((at < count).then_some(Part { batch, events: at..count }));
        before += count;
    }
    let mut encoder = BlockEncoder::default();
    let at = uuid_time(&block.header.id);
    let mut encode = |parts: &[Part<'_>]| {
        encoder.encode_block(uuid_at(at), block.header.project_id, parts, CompressionLevel::Ingest)
    };
    Ok([encode(&first), encode(&second)])
}

/// The one event of a block, for quarantine.
fn the_event(block: &Block, refusal: Refusal, now: Timestamp) -> Result<QuarantinedEvent, BlockError> {
    let batches = batches_of(block)?;
    let batch = batches.first().ok_or(BlockError::Line)?;
    let head = batch.heads.first().ok_or(BlockError::Line)?;
    let id = EventId { batch: batch.batch, index: head.index };
    Ok(QuarantinedEvent::new(block.header.project_id, id, &batch.lines, refusal, now))
}

/// A block that no database has a reason to refuse.
fn harmless(project_id: i64, now: Timestamp) -> Block {
    let mut encoder = BatchEncoder::new(BatchId::new(now));
    encoder.push(&Event::plain(0, now, Level::Info, "trial"));
    let batch = encoder.finish();
    BlockEncoder::default().encode_block(
        uuid_at(now),
        project_id,
        &[Part::whole(&batch)],
        CompressionLevel::Ingest,
    )
}
