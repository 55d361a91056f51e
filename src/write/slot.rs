//! A writer slot: takes groups from the queue, commits them, answers everyone who waits.

mod refused;
mod spooled;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pack::{Packed, pack};
use super::settle::{Settled, settle};
use super::{Submission, WriteOutcome, WriteQueue};
use crate::block::encode::BlockEncoder;
use crate::clock::Clock;
use crate::event::BatchId;
use crate::fold::FoldMailbox;
use crate::maintenance::Nudge;
use crate::quarantine::Quarantine;
use crate::search::tail::TailNudge;
use crate::spool::Spool;
use crate::store::{
    BatchKey, CommitError, DatabaseStatus, NewBatch, QuarantinedEvent, STATEMENT_TIMEOUT, Session, Store,
    StoreError,
};

/// From taking a group to answering it, retries included; with the wait in the queue a reply comes within 5 s.
const GROUP_DEADLINE: Duration = Duration::from_secs(4);
/// The same where a spool takes what the database doesn't, which needs time of its own.
const SPOOLED_GROUP_DEADLINE: Duration = Duration::from_secs(3);
/// With less time than this left, no further wait for a lock is begun: the server gives one up after 1 s.
const LOCK_WAIT: Duration = Duration::from_millis(1_300);
/// Attempts at one group, whatever goes wrong.
const MAX_ATTEMPTS: u32 = 12;
/// Attempts that found the database away before the group goes to the spool: the first may only have met a
/// connection that was lost before.
const LOST_ATTEMPTS: u32 = 3;
/// An attempt that was cut off sooner says nothing about the database: a lock is waited for for up to a second.
const TELLING_WAIT: Duration = Duration::from_secs(2);
/// First pause before trying again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// Longest pause.
const MAX_PAUSE: Duration = Duration::from_millis(200);
/// Groups with fewer bytes are encoded in place: handing them to another thread would cost more.
const INLINE_BYTES: usize = 32 * 1024;

/// One of the owned writers.
pub struct WriterSlot {
    queue: Arc<WriteQueue>,
    store: Store,
    spool: Option<Spool>,
    clock: Clock,
    mailbox: Arc<FoldMailbox>,
    encoder: BlockEncoder,
    nudge: Nudge,
    quarantine: Quarantine,
    tails: TailNudge,
}

/// A group in the middle of its attempts.
#[derive(Default)]
struct Attempt {
    packed: Packed,
    /// Events of the group that the database refuses: they are not in the blocks.
    bad: Vec<QuarantinedEvent>,
    /// These blocks were refused together, and taken one by one.
    unchanged: bool,
    expired: Vec<BatchKey>,
    /// An earlier attempt with these very blocks may have been committed.
    ambiguous: bool,
}

enum Step {
    Done,
    /// Encode what is left anew and try again.
    Repack,
    /// Try the same again after a pause.
    Again {
        /// The database could not be reached, rather than another transaction won.
        away: bool,
    },
    /// The database refuses a block for itself.
    Refused(String),
    /// These batches can neither be stored nor quarantined now.
    Left(HashSet<BatchId>),
}

impl WriterSlot {
    /// A slot on a queue.
    #[must_use]
    pub fn new(queue: Arc<WriteQueue>, store: Store, clock: Clock, mailbox: Arc<FoldMailbox>) -> Self {
        let (encoder, nudge, tails) = (BlockEncoder::default(), Nudge::default(), TailNudge::default());
        let quarantine = Quarantine::new(store.clone(), clock.clone(), mailbox.clone());
        Self { queue, store, spool: None, clock, mailbox, encoder, nudge, tails, quarantine }
    }

    /// Shares the service's quarantine instead of having one of its own.
    #[must_use]
    pub fn quarantining(mut self, quarantine: Quarantine) -> Self {
        self.quarantine = quarantine;
        self
    }

    /// Gives it a spool for what the database can't take.
    #[must_use]
    pub fn spooling(mut self, spool: Option<Spool>) -> Self {
        self.spool = spool;
        self
    }

    /// Tells maintenance and live tails of each commit.
    #[must_use]
    pub fn nudging(mut self, nudge: Nudge, tails: TailNudge) -> Self {
        (self.nudge, self.tails) = (nudge, tails);
        self
    }

    /// Works until the queue is closed and empty.
    pub async fn run(mut self) {
        while let Some(group) = self.queue.gather().await {
            let (since, batches) = (Instant::now(), group.len());
            self.store_group(group, since).await;
            self.queue.group_done(since, batches);
        }
    }

    /// Commits a group and answers everyone in it. Where the database refuses a block, the events it refuses go into
    /// quarantine; batches for which that can't be go to the spool.
    async fn store_group(&mut self, group: Vec<Submission>, since: Instant) {
        let mut next = group;
        while !next.is_empty() {
            let (group, twins) = set_twins_apart(next);
            self.attempt_group(group, since).await;
            next = twins;
        }
    }

    async fn attempt_group(&mut self, mut group: Vec<Submission>, since: Instant) {
        if self.settle_by_spool(&mut group).await.is_break() {
            return;
        }
        let mut attempt = Attempt::default();
        (group, attempt.packed) = self.encode(group).await;
        if self.store.status() != DatabaseStatus::Connected {
            return self.spool_group(group, attempt.packed).await;
        }
        let deadline = if self.spool.is_some() { SPOOLED_GROUP_DEADLINE } else { GROUP_DEADLINE };
        let (mut pause, mut away, mut locked, mut lost_attempts) = (FIRST_PAUSE, false, false, 0);
        for _ in 0..MAX_ATTEMPTS {
            let Some(left) = deadline.checked_sub(since.elapsed()) else { break };
            if locked && left < LOCK_WAIT {
                // One more wait for the same lock would end by the deadline, and look like a lost connection.
                break;
            }
            let tried = tokio::time::timeout(left, self.try_sifting(&mut group, &mut attempt, left)).await;
            let step = tried.unwrap_or_else(|_| match left {
                // Cut off by its own deadline while it may only have waited for a lock, as the attempt before had.
                left if locked || left < TELLING_WAIT => Step::Again { away },
                left => lost(&StoreError::TimedOut(left)),
            });
            match step {
                Step::Done => return,
                Step::Left(batches) => {
                    let refused = group.extract_if(.., |one| batches.contains(&one.batch)).collect();
                    let (refused, packed) = self.encode(refused).await;
                    self.spool_group(refused, packed).await;
                    if group.is_empty() {
                        return;
                    }
                    group = self.encode_anew(group, &mut attempt).await;
                }
                Step::Repack => group = self.encode_anew(group, &mut attempt).await,
                Step::Again { away: lost } => {
                    (away, locked) = (lost, !lost);
                    lost_attempts += u32::from(lost);
                    if lost_attempts == LOST_ATTEMPTS && self.spool.is_some() {
                        break;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                }
                Step::Refused(_) => {}
            }
        }
        if away {
            self.store.set_status(DatabaseStatus::Disconnected);
        }
        // Also where only a lock was in the way for too long: the drain waits for it with more patience.
        (group, attempt.packed) =
            if attempt.bad.is_empty() { (group, attempt.packed) } else { self.encode(group).await };
        self.spool_group(group, attempt.packed).await;
    }

    async fn encode_anew(&mut self, group: Vec<Submission>, attempt: &mut Attempt) -> Vec<Submission> {
        let (group, packed) = self.encode(group).await;
        (attempt.packed, attempt.ambiguous) = (packed, false);
        attempt.bad.clear();
        group
    }

    async fn encode(&mut self, group: Vec<Submission>) -> (Vec<Submission>, Packed) {
        let now = self.clock.now();
        let bytes: usize = group.iter().map(Submission::raw_bytes).sum();
        if bytes < INLINE_BYTES {
            let packed = pack(&mut self.encoder, &group, now);
            return (group, packed);
        }
        let mut encoder = std::mem::take(&mut self.encoder);
        let work = tokio::task::spawn_blocking(move || {
            let packed = pack(&mut encoder, &group, now);
            (encoder, group, packed)
        });
        let (encoder, group, packed) = work.await.expect("encoding ends, and has no reason to panic");
        self.encoder = encoder;
        (group, packed)
    }

    async fn try_once(&self, group: &mut Vec<Submission>, attempt: &mut Attempt) -> Step {
        let mut session = match self.store.writer().await {
            Ok(session) => session,
            // Others hold the one connection of the embedded database: nothing was asked of it, so it isn't away.
            Err(StoreError::Busy(_)) => return Step::Again { away: false },
            Err(error) => return lost(&error),
        };
        let batches: Vec<NewBatch> = group.iter().flat_map(new_batches).collect();
        let was_ambiguous = std::mem::replace(&mut attempt.ambiguous, true);
        let (blocks, expired) = (&attempt.packed.blocks, &attempt.expired);
        let committed = session.commit_blocks(blocks, &batches, expired, &attempt.bad).await;
        attempt.ambiguous = was_ambiguous;
        match committed {
            Ok(()) => {
                self.finish(group, attempt);
                Step::Done
            }
            Err(CommitError::BlockIdTaken) if !was_ambiguous => Step::Repack,
            Err(CommitError::BlockRefused(why)) => Step::Refused(why),
            Err(CommitError::BlockIdTaken | CommitError::BatchIdTaken) => {
                self.resolve(session, group, attempt).await
            }
            Err(CommitError::Store(error)) => {
                attempt.ambiguous |= error.is_ambiguous();
                match error {
                    StoreError::Conflict(_) => {
                        let _ = session.rollback(STATEMENT_TIMEOUT).await;
                        Step::Again { away: false }
                    }
                    error if error.is_away() => lost(&error),
                    error => {
                        let _ = session.rollback(STATEMENT_TIMEOUT).await;
                        self.leave(group, attempt, &error)
                    }
                }
            }
        }
    }

    /// Some ids are stored: answers those batches and leaves the others in the group.
    async fn resolve(
        &self,
        mut session: Session,
        group: &mut Vec<Submission>,
        attempt: &mut Attempt,
    ) -> Step {
        let found = match self.store.find_batches(&mut session, &keys_of(group)).await {
            Ok(found) => found,
            Err(error) if error.is_away() => return lost(&error),
            Err(error) => return self.leave(group, attempt, &error),
        };
        let _ = session.rollback(STATEMENT_TIMEOUT).await;
        match settle(group, found, self.clock.now(), false) {
            Settled::Ours => {
                self.finish(group, attempt);
                Step::Done
            }
            Settled::Rest { expired, .. } => {
                attempt.expired = expired;
                if group.is_empty() { Step::Done } else { Step::Repack }
            }
        }
    }
}

fn keys_of(group: &[Submission]) -> Vec<BatchKey> {
    group.iter().flat_map(|one| one.keys.keys.iter().copied()).collect()
}

/// The connection is gone (dropped with its session); the same blocks may be tried on another one.
fn lost(error: &StoreError) -> Step {
    tracing::warn!(%error, "a commit was not answered");
    Step::Again { away: true }
}

fn answer_all(group: Vec<Submission>, outcome: WriteOutcome) {
    for one in group {
        one.answer(outcome);
    }
}

/// What to remember of a batch: a row for each of its ids, in one piece for each time they are kept.
fn new_batches(one: &Submission) -> impl Iterator<Item = NewBatch> {
    one.keys.terms(one.batch.received_at()).map(|(expires_at, keys)| NewBatch {
        keys,
        project_id: one.project_id,
        batch: one.batch,
        body_hash: one.body_hash,
        received: one.received,
        accepted: one.accepted(),
        expires_at,
    })
}

/// Two sendings of one batch may meet in a group: the second waits until the first is answered.
fn set_twins_apart(group: Vec<Submission>) -> (Vec<Submission>, Vec<Submission>) {
    let mut seen: HashSet<BatchKey> = HashSet::with_capacity(group.len());
    let (mut first, mut twins) = (Vec::with_capacity(group.len()), Vec::new());
    for one in group {
        if one.keys.keys.iter().any(|key| seen.contains(key)) {
            twins.push(one);
        } else {
            seen.extend(one.keys.keys.iter().copied());
            first.push(one);
        }
    }
    (first, twins)
}
