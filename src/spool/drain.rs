//! The owned task that opens the spool and gives what is in it to the database, oldest first.
//!
//! One step is one transaction of the database, then one of the spool; cut off between the two, it is found to be done
//! when it is repeated. It rests as long as it worked, so that live batches have their share.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::plan::{Known, Plan, ids_of, plan};
use super::report::Reporter;
use super::traces::merged_batches;
use super::{Spool, SpoolState};
use crate::block::Block;
use crate::clock::Clock;
use crate::event::uuid_time;
use crate::fold::FoldMailbox;
use crate::key::KeyDirectory;
use crate::quarantine::{Quarantine, Through};
use crate::search::tail::TAILED_MS;
use crate::store::{CommitError, DatabaseStatus, FoundGroup, SpooledGroup, Store, StoreError};

/// How often it looks whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often a spool that can't be opened is tried again.
const OPEN_EVERY: Duration = Duration::from_secs(1);
/// Failures of steps in a row after which the spool is opened anew, in case its file is damaged.
const FAILURES: u32 = 4;
/// Pause after a step that failed.
const FAILED_PAUSE: Duration = Duration::from_millis(500);
/// Groups that can neither be stored nor quarantined are tried again after this; the pause doubles …
const HELD_FIRST: Duration = Duration::from_mins(1);
/// … up to this.
const HELD_MAX: Duration = Duration::from_hours(1);
/// Longest the events that the database refuses are looked for in one group; it is held back then.
const SIFT_TIME: Duration = Duration::from_mins(2);
/// Groups one step takes at most.
const STEP_GROUPS: usize = 128;
/// Batches one step takes at most, unless one group alone has more.
const STEP_BATCHES: usize = 1_000;
/// Events one step takes at most, unless one group alone has more: about 2 MiB as stored.
const STEP_EVENTS: u64 = 16_000;

/// Opens and drains the spool.
pub struct Drain {
    spool: Spool,
    store: Store,
    mailbox: Arc<FoldMailbox>,
    directory: Arc<KeyDirectory>,
    clock: Clock,
    quarantine: Quarantine,
    held_pause: Duration,
    /// Groups of the next step at most: fewer after a refusal, so that the bad one is found, and more after each success.
    most_groups: usize,
    complained: Option<String>,
    reporter: Reporter,
}

/// What a step came to.
enum Step {
    /// Nothing waits that could be drained.
    Idle,
    /// Something was done.
    Moved,
}

impl Drain {
    /// A drain of `spool` into `store`, what that refuses into `quarantine`; `directory` is given the projects and keys
    /// last known, at the start.
    #[must_use]
    pub fn new(
        spool: Spool,
        store: Store,
        mailbox: Arc<FoldMailbox>,
        directory: Arc<KeyDirectory>,
        clock: Clock,
        quarantine: Quarantine,
    ) -> Self {
        let (held_pause, most_groups) = (HELD_FIRST, STEP_GROUPS);
        Self {
            spool,
            store,
            mailbox,
            directory,
            clock,
            quarantine,
            held_pause,
            most_groups,
            complained: None,
            reporter: Reporter::default(),
        }
    }

    /// Works until `stop`. From `hurry` on, when the service is stopping, it doesn't rest.
    pub async fn run(mut self, stop: CancellationToken, hurry: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.work(&hurry) => {}
        }
        self.spool.0.store.close();
    }

    async fn work(&mut self, hurry: &CancellationToken) {
        while !self.open().await {
            tokio::time::sleep(OPEN_EVERY).await;
        }
        let (mut tried_held, mut failed) = (Instant::now(), 0);
        loop {
            if self.spool.is_suspect() || failed >= FAILURES {
                failed = 0;
                self.spool.0.state.send_replace(SpoolState::Failing);
                while !self.open().await {
                    tokio::time::sleep(OPEN_EVERY).await;
                }
            }
            self.reporter.tell(&self.spool, &self.store).await;
            if self.store.status() != DatabaseStatus::Connected || self.spool.depth().is_empty() {
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = self.spool.0.arrived.notified() => {}
                }
                if self.store.status() != DatabaseStatus::Connected {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                continue;
            }
            if self.spool.depth().held == 0 {
                (tried_held, self.held_pause) = (Instant::now(), HELD_FIRST);
            } else if tried_held.elapsed() > self.held_pause {
                self.try_held_again().await;
                (tried_held, self.held_pause) = (Instant::now(), (self.held_pause * 2).min(HELD_MAX));
            }
            let since = Instant::now();
            let rest = match self.step().await {
                Ok(step) => {
                    failed = 0;
                    if let Step::Moved = step { since.elapsed() } else { LOOK_EVERY }
                }
                Err(error) => {
                    failed += 1;
                    self.spool.note_damage(&error);
                    tracing::warn!(%error, "a part of the spool goes to the database later");
                    FAILED_PAUSE
                }
            };
            if !hurry.is_cancelled() {
                tokio::time::sleep(rest).await;
            }
        }
    }

    /// Opens the spool; says once why it can't.
    async fn open(&mut self) -> bool {
        match self.spool.open().await {
            Ok(()) => {
                let depth = self.spool.depth();
                if !depth.is_empty() {
                    tracing::info!(blocks = depth.blocks, events = depth.events, "the spool holds events");
                }
                if let Ok((projects, keys)) = self.spool.kept_directory().await
                    && !projects.is_empty()
                {
                    self.directory.replace_if_empty(projects, &keys);
                }
                true
            }
            Err((state, why)) => {
                self.spool.0.state.send_replace(state);
                if self.complained.as_ref() != Some(&why) {
                    tracing::warn!(why, "working without the spool: while the database is away, 503");
                    self.complained = Some(why);
                }
                false
            }
        }
    }

    async fn try_held_again(&self) {
        let tried = async {
            self.spool.0.store.writer().await?.hold_spooled(None).await?;
            self.spool.recount().await
        };
        if let Err(error) = tried.await {
            tracing::warn!(%error, "groups held back stay so");
        }
    }

    /// Moves the oldest groups.
    async fn step(&mut self) -> Result<Step, StoreError> {
        let groups = self.next_groups().await?;
        let Some(first) = groups.first().map(|group| group.number) else { return Ok(Step::Idle) };
        match self.move_groups(&groups).await {
            Ok(()) => {
                self.most_groups = (self.most_groups * 2).min(STEP_GROUPS);
                Ok(Step::Moved)
            }
            // Somebody stored one of the batches meanwhile: the next step sees it.
            Err(
                CommitError::BatchIdTaken
                | CommitError::BlockIdTaken
                | CommitError::Store(StoreError::Duplicate(_) | StoreError::Conflict(_)),
            ) => Ok(Step::Moved),
            Err(CommitError::BlockRefused(why) | CommitError::Store(StoreError::Refused(why))) => {
                if groups.len() > 1 {
                    tracing::info!(why, "the database refuses something in the spool: looking for it");
                    self.most_groups = groups.len() / 8 + 1;
                } else {
                    tracing::error!(why, group = first, "a group the database refuses is held in the spool");
                    self.spool.0.store.writer().await?.hold_spooled(Some(first)).await?;
                    self.spool.recount().await?;
                }
                Ok(Step::Moved)
            }
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// The oldest groups, as many as a step takes; damaged ones are dropped on the way, and counted.
    async fn next_groups(&self) -> Result<Vec<SpooledGroup>, StoreError> {
        let limit = self.most_groups;
        let mut session = self.spool.0.store.writer().await?;
        let (mut groups, mut batches, mut events) = (Vec::new(), 0, 0);
        for found in session.spooled_groups(limit).await? {
            match found {
                FoundGroup::Whole(group) => {
                    batches += group.batches.len();
                    events += group.blocks.iter().map(|block| u64::from(block.events)).sum::<u64>();
                    if !groups.is_empty() && (batches > STEP_BATCHES || events > STEP_EVENTS) {
                        break;
                    }
                    groups.push(group);
                }
                FoundGroup::Damaged { number, events } => {
                    tracing::error!(group = number, events, "a group of the spool is damaged and lost");
                    session.delete_damaged(number).await?;
                    let damaged = u64::try_from(events).unwrap_or(0);
                    self.spool.0.counters.add(&super::Counted { damaged, ..super::Counted::default() });
                }
            }
        }
        drop(session);
        if groups.is_empty() {
            self.spool.recount().await?;
        }
        Ok(groups)
    }

    async fn move_groups(&self, groups: &[SpooledGroup]) -> Result<(), CommitError> {
        let known = self.ask(groups).await?;
        let blocks = self.read_blocks(groups).await?;
        let owned = groups.to_vec();
        let planned = tokio::task::spawn_blocking(move || plan(&owned, blocks, &known)).await;
        let mut plan = planned.map_err(|error| StoreError::Corrupt(format!("planning failed: {error}")))?;
        if !plan.blocks.is_empty() || !plan.ledger.is_empty() {
            self.store_planned(&mut plan, groups.len() == 1).await?;
            self.mailbox.look_for_orphans();
        }
        self.mailbox.tally().add(std::mem::take(&mut plan.duplicates));
        let mut session = self.spool.0.store.writer().await?;
        session.delete_spooled(groups).await?;
        drop(session);
        self.spool.0.counters.add(&plan.counted);
        if plan.counted.damaged > 0 {
            tracing::error!(events = plan.counted.damaged, "events of the spool are damaged and lost");
        }
        Ok(self.spool.recount().await?)
    }

    /// Commits a plan; where it is that of one group alone, without the events the database refuses for themselves.
    async fn store_planned(&self, plan: &mut Plan, alone: bool) -> Result<(), CommitError> {
        let Plan { blocks, batches, expired, counted, ledger, .. } = plan;
        let mut session = self.store.work().await?;
        let late = self.late_events(blocks);
        let stored = session.commit_drained(blocks, batches, expired, ledger, &[], &late).await;
        drop(session);
        match stored {
            Ok(()) => {
                self.quarantine.note_committed(counted.drained, &[]);
                return Ok(());
            }
            Err(CommitError::BlockRefused(why)) if alone => {
                tracing::debug!(why, "looking for the events that the database refuses");
            }
            Err(error) => return Err(error),
        }
        let sifted = self.quarantine.sift(blocks, Through::Work, Instant::now() + SIFT_TIME).await?;
        if !sifted.left.is_empty() {
            let why = self.quarantine.trouble().unwrap_or_default();
            return Err(CommitError::BlockRefused(why));
        }
        let mut session = self.store.work().await?;
        let late = self.late_events(&sifted.good);
        session.commit_drained(&sifted.good, batches, expired, ledger, &sifted.bad, &late).await?;
        counted.drained = counted.drained.saturating_sub(sifted.bad.len() as u64);
        self.quarantine.note_committed(counted.drained, &sifted.bad);
        Ok(())
    }

    /// Events, by project, that are older than what live tails look at: they are told how many there are.
    fn late_events(&self, blocks: &[Block]) -> BTreeMap<i64, u64> {
        let tailed = self.clock.now().plus_millis(-TAILED_MS);
        let mut late = BTreeMap::new();
        for Block { header, .. } in blocks.iter().filter(|block| uuid_time(&block.header.id) < tailed) {
            *late.entry(header.project_id).or_default() += u64::from(header.event_count);
        }
        late
    }

    /// What the database knows of these groups.
    async fn ask(&self, groups: &[SpooledGroup]) -> Result<Known, StoreError> {
        let batches = || groups.iter().flat_map(|group| &group.batches);
        let projects: HashSet<i64> = batches().map(|batch| batch.project_id).collect();
        let projects: Vec<i64> = projects.into_iter().collect();
        let keys: Vec<_> = batches().flat_map(|batch| batch.ids.iter().map(|(key, _)| *key)).collect();
        let blocks: Vec<_> = groups
            .iter()
            .flat_map(|group| &group.blocks)
            .flat_map(|block| ids_of(block.id).map(|id| (block.project_id, id)))
            .collect();
        let mut session = self.store.work().await?;
        Ok(Known {
            senders: session.active_senders(&projects).await?,
            batches: self.store.find_batches(&mut session, &keys).await?,
            blocks: session.stored_blocks(&blocks).await?,
            merged: merged_batches(&mut session, groups).await?,
        })
    }

    /// The groups' blocks; what can't be read is left out.
    async fn read_blocks(&self, groups: &[SpooledGroup]) -> Result<HashMap<uuid::Uuid, Block>, StoreError> {
        let mut session = self.spool.0.store.writer().await?;
        let mut blocks = HashMap::new();
        for listed in groups.iter().flat_map(|group| &group.blocks) {
            let found = match session.block(listed.project_id, listed.id).await {
                // Its entry in the index may be all that is damaged.
                Ok(None) => session.block_without_index(listed.project_id, listed.id).await,
                found => found,
            };
            match found {
                Ok(block) => blocks.extend(block.map(|block| (listed.id, block))),
                Err(StoreError::Corrupt(why)) => tracing::error!(why, block = %listed.id, "a damaged block"),
                Err(error) => return Err(error),
            }
        }
        Ok(blocks)
    }
}

impl Spool {
    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state() == SpoolState::Open
    }
}
