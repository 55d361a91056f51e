//! Turns committed blocks into counts, issues and the ledger once a second, each block exactly once; what the ledger
//! counts in memory is written on the way.
//!
//! Writers leave what a block adds in the [`FoldMailbox`]; what got lost (a restart, a full mailbox, an instance that
//! died) stands in `unfolded` and is read back from its block after 5 s.

mod mailbox;

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::mailbox::FoldMailbox;
use crate::alert::{Findings, Judge, Rules, Tested};
use crate::block::EventHead;
use crate::block::decode::{StoredEvent, inflate_body, lines};
use crate::clock::Clock;
use crate::fingerprint::Fingerprinter;
use crate::ledger::Counted;
use crate::store::{Connection, DatabaseStatus, FoldPiece, Folded, Store, StoreError, Unfolded};
use crate::timestamp::Timestamp;
use crate::write::{PieceBuilder, SeedTexts};

/// Writes of the ledger without blocks in one tick.
const WRITES_PER_TICK: usize = 32;
/// A waiting block older than this belongs to nobody.
const ORPHAN_AFTER_MS: i64 = 5_000;
/// Orphans read back in one step.
const ORPHANS_PER_STEP: usize = 32;
/// Times a fold is begun anew because somebody changed the alert rules; the last time it goes by those it has.
const RULE_TRIES: u32 = 3;
/// Time between two folds.
const FOLD_EVERY: Duration = Duration::from_secs(1);
/// With nothing coming in, orphans are looked for only this often, so that an idle database may sleep.
const IDLE_LOOK_EVERY: Duration = Duration::from_mins(1);
/// Blocks whose counts the database refuses are tried again after this …
const REFUSED_AGAIN: Duration = Duration::from_mins(10);
/// … so many of them, and further ones each time.
const MAX_REFUSED: usize = 1_024;
/// After something came in, orphans are looked for at each tick for so long.
const BUSY_FOR: Duration = Duration::from_secs(15);

/// The owned task that folds.
pub struct Fold {
    store: Store,
    clock: Clock,
    mailbox: Arc<FoldMailbox>,
    /// What is worth an alert.
    rules: Option<Rules>,
    /// Blocks the database refused to count, and when.
    refused: Mutex<HashMap<Uuid, Instant>>,
}

impl Fold {
    /// Folds what `mailbox` is given and what others left behind.
    #[must_use]
    pub fn new(store: Store, clock: Clock, mailbox: Arc<FoldMailbox>) -> Self {
        Self { store, clock, mailbox, rules: None, refused: Mutex::default() }
    }

    /// Has the rules look at what is counted.
    #[must_use]
    pub fn alerting(mut self, rules: Rules) -> Self {
        self.rules = Some(rules);
        self
    }

    /// Works until `stop`, then folds what is left once more.
    pub async fn run(self, stop: CancellationToken) {
        let mut last_arrival = Instant::now();
        let mut last_look = Instant::now();
        loop {
            let empty = self.mailbox.is_empty() && self.mailbox.tally.is_empty();
            // What waits for its turn has one each second, whether anything comes in or not.
            let waits = self.rules.as_ref().is_some_and(Rules::has_left);
            let idle = empty && !waits && last_arrival.elapsed() > BUSY_FOR;
            let pause = if idle { IDLE_LOOK_EVERY } else { FOLD_EVERY };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
                () = self.mailbox.arrived(), if idle => {}
            }
            if self.mailbox.orphans.swap(false, Ordering::Relaxed) || !self.mailbox.is_empty() {
                last_arrival = Instant::now();
            }
            if self.store.status() != DatabaseStatus::Connected {
                // What was committed without an answer stands in `unfolded`: look there once the database is back.
                last_arrival = Instant::now();
                if let Some(rules) = &self.rules {
                    rules.watch().blind();
                }
                continue;
            }
            let busy = waits || last_arrival.elapsed() <= BUSY_FOR;
            let look = busy || last_look.elapsed() >= IDLE_LOOK_EVERY;
            if look {
                last_look = Instant::now();
            }
            if let Err(error) = self.tick(look).await {
                tracing::warn!(%error, "counts are late");
            }
        }
        self.finish().await;
    }

    /// Folds what is left, and says what has waited for its turn.
    async fn finish(&self) {
        if self.store.status() == DatabaseStatus::Connected {
            if let Err(error) = self.tick(false).await {
                tracing::warn!(%error, "counts of the last second are left for the next start");
            }
            if let Some(rules) = &self.rules
                && let Err(error) = Box::pin(rules.say_last(&self.store, self.clock.now())).await
            {
                tracing::warn!(%error, "some alerts could not be said before the stop");
            }
        } else if let Some(rules) = &self.rules {
            rules.leave_out();
        }
    }

    /// Folds everything in the mailbox and, if `orphans`, everything nobody folded for 5 s.
    ///
    /// # Errors
    /// What the database said; nothing is lost, the next tick goes on.
    pub async fn tick(&self, orphans: bool) -> Result<(), StoreError> {
        self.settle_doubt().await?;
        let rules = self.rules.as_ref();
        if let Some(rules) = rules
            && let Err(error) = rules.watch().cover(&self.store, self.clock.now()).await
        {
            tracing::warn!(%error, "a minute awake is noted later");
        }
        loop {
            let pieces = self.mailbox.some();
            if pieces.is_empty() {
                break;
            }
            self.fold(pieces.clone()).await?;
            self.mailbox.forget(&pieces);
        }
        let mut after = orphans.then_some(Uuid::nil());
        while let Some(last) = after {
            after = self.fold_orphans(last).await?;
        }
        self.write_ledger().await?;
        // Only once everything that was committed is counted.
        if let Some(rules) = rules.filter(|_| orphans) {
            Box::pin(rules.look(&self.store, self.clock.now())).await?;
        }
        Ok(())
    }

    /// A write of the ledger whose answer was lost is made again, unless it happened.
    async fn settle_doubt(&self) -> Result<(), StoreError> {
        if let Some(counted) = self.mailbox.tally.in_doubt() {
            let (rules, now) = (self.rules.as_ref(), self.clock.now());
            let found = self.store.work().await?.write_counted(&counted, true, rules, now).await?;
            self.written(found);
        }
        Ok(())
    }

    /// Writes what is left of the ledger in memory: what came with no block, or was too much for the folds before.
    ///
    /// # Errors
    /// What the database said; the next call makes up for it.
    pub async fn write_ledger(&self) -> Result<(), StoreError> {
        self.settle_doubt().await?;
        for _ in 0..WRITES_PER_TICK {
            if self.mailbox.tally.is_empty() {
                break;
            }
            let mut session = self.store.work().await?;
            let (rules, now) = (self.rules.as_ref(), self.clock.now());
            let Some(counted) = self.mailbox.tally.take(now) else { break };
            let found = Box::pin(session.write_counted(&counted, false, rules, now)).await?;
            self.written(found);
        }
        Ok(())
    }

    /// What the ledger counts in memory was written, and what the rules found with it.
    fn written(&self, found: Option<Findings>) {
        self.mailbox.tally.written();
        self.committed(found);
    }

    fn committed(&self, found: Option<Findings>) {
        if let (Some(rules), Some(found)) = (&self.rules, found) {
            rules.committed(found);
        }
    }

    /// Folds these blocks under the rules as they are now; gives how many of them were still waiting.
    async fn fold_judged(
        &self,
        group: &[FoldPiece],
        counted: Option<&Counted>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        for tries_left in (0..RULE_TRIES).rev() {
            let tested = match &self.rules {
                Some(rules) => rules.test(&self.store, group).await,
                None => Tested::default(),
            };
            let judge = self.rules.as_ref().map(|rules| Judge::new(rules, &tested, tries_left == 0));
            let mut session = self.store.work().await?;
            match Box::pin(session.fold(group, counted, judge, now)).await? {
                Folded::Counted(waiting, found) => {
                    self.committed(found);
                    return Ok(waiting);
                }
                Folded::Nothing => break,
                Folded::RulesChanged => {
                    if let Some(rules) = &self.rules {
                        rules.reload(&mut session).await?;
                    }
                }
            }
        }
        Ok(0)
    }

    /// Counts blocks. Where the database refuses something in them for itself, halves of them, so that one block never
    /// stops the counts of all; a block whose issues are refused is counted without them, and one that is refused even so
    /// waits in `unfolded`.
    async fn fold(&self, pieces: Vec<FoldPiece>) -> Result<(), StoreError> {
        let mut groups = vec![pieces];
        while let Some(mut group) = groups.pop() {
            let (tally, now) = (&self.mailbox.tally, self.clock.now());
            let counted = tally.take(now);
            let why = match self.fold_judged(&group, counted.as_ref(), now).await {
                Ok(waiting) => {
                    if counted.is_some() && waiting > 0 {
                        tally.written();
                    } else if counted.is_some() {
                        tally.put_back();
                    }
                    continue;
                }
                Err(StoreError::Refused(why)) => why,
                // Whether the ledger was written is found out by its mark.
                Err(error) => return Err(error),
            };
            if group.len() > 1 {
                let half = group.split_off(group.len() / 2);
                groups.extend([half, group]);
            } else if let Some(piece) = group.first_mut().filter(|piece| !piece.issues.is_empty()) {
                tracing::error!(why, block = %piece.block.block_id, "a block is counted without its issues");
                piece.issues.clear();
                groups.push(group);
            } else {
                self.note_refused(&group, &why);
            }
        }
        Ok(())
    }

    fn note_refused(&self, group: &[FoldPiece], why: &str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|_, since| since.elapsed() < REFUSED_AGAIN);
        for piece in group {
            tracing::error!(why, block = %piece.block.block_id, "a block can't be counted now");
            if refused.len() < MAX_REFUSED {
                refused.insert(piece.block.block_id, Instant::now());
            }
        }
    }

    fn was_refused(&self, block: Uuid) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(&block).is_some_and(|since| since.elapsed() < REFUSED_AGAIN)
    }

    /// Counts the oldest waiting blocks after `last`; gives where to go on.
    async fn fold_orphans(&self, last: Uuid) -> Result<Option<Uuid>, StoreError> {
        let before = self.clock.now().plus_millis(-ORPHAN_AFTER_MS);
        let mut session = self.store.work().await?;
        let orphans = session.unfolded_before(last, before, ORPHANS_PER_STEP).await?;
        let mut pieces = Vec::with_capacity(orphans.len());
        for orphan in orphans.iter().filter(|orphan| !self.was_refused(orphan.block_id)) {
            pieces.push(read_back(&mut session, *orphan).await?);
        }
        drop(session);
        if !pieces.is_empty() {
            self.fold(pieces).await?;
        }
        Ok(orphans.last().filter(|_| orphans.len() == ORPHANS_PER_STEP).map(|last| last.block_id))
    }
}

/// What a block adds, from its lines. A block that has gone adds nothing, one that can't be read only to the ledger.
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
    let mut piece = sum.finish(orphan);
    // Events that can't be read are stored all the same, and one day they are purged.
    let known = connection.block_events(orphan.project_id, orphan.block_id).await?;
    (piece.events, piece.received) = known.unwrap_or((0, piece.received));
    Ok(piece)
}

fn add_line(sum: &mut PieceBuilder, line: &[u8]) {
    let Ok(event) = StoredEvent::parse(line) else { return };
    let head = EventHead {
        index: event.id.index,
        ts: event.ts,
        level: event.level,
        fingerprint: event.fingerprint,
        line_bytes: 0,
        environment: EventHead::NO_ENVIRONMENT,
    };
    sum.add(event.id, &head, Some(event.env.as_ref()), || SeedTexts {
        title: Fingerprinter::new().title(&event.message),
        source: event.source.clone().into_owned(),
        release: event.release.as_deref().unwrap_or_default().to_owned(),
        sample: SeedTexts::sample_of(&event.message),
    });
}
