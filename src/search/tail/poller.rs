//! The one task of a process that looks for new blocks, while there are tails.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::mailbox::Mailbox;
use super::scan::{Watcher, deliver, replay};
use super::seen::Seen;
use super::{Join, TAILED_MS};
use crate::block::{Block, BlockHeader};
use crate::clock::Clock;
use crate::event::{EventId, uuid_time};
use crate::spool::Spool;
use crate::store::{DatabaseStatus, RecentBlock, Session, Store, StoreError};
use crate::timestamp::Timestamp;

/// Time between two looks while there are tails.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Least time between two looks, however many commits there are.
const LOOK_LEAST: Duration = Duration::from_millis(250);
/// Looked for beyond [`TAILED_MS`]: a look may come so long after a block was drained that is not counted as late.
const MARGIN_MS: i64 = 5_000;
/// Blocks listed in one look.
const MAX_LISTED: usize = 8_000;
/// New blocks read in one look; the oldest beyond it are counted as skipped.
const MAX_BLOCKS: usize = 128;
/// Compressed bytes of them, about.
const MAX_BODY_BYTES: u64 = 4 << 20;
/// Events tested in one look, for all tails together.
const MAX_TESTS: u64 = 1_000_000;
/// Blocks listed for a reader that comes back.
const MAX_MISSED: usize = 1_000;

/// The owned task.
pub struct TailPoller {
    store: Store,
    spool: Option<Spool>,
    clock: Clock,
    joins: mpsc::Receiver<Join>,
    nudge: Arc<Notify>,
    tails: Vec<Weak<Mailbox>>,
    seen: Seen,
    /// Number of the look in hand.
    look: u64,
    looked_at: Instant,
    /// From where on the last look listed blocks, and its time; `None` when nobody was there to look for.
    last: Option<Timestamp>,
    /// Late events by project, as counted in the database; `None` before the first look.
    late: Option<BTreeMap<i64, i64>>,
    /// Events shown from the spool, by project: when they are drained late they are not news.
    shown_spooled: HashMap<i64, u64>,
    complained: bool,
}

impl TailPoller {
    pub(super) fn new(
        store: Store,
        spool: Option<Spool>,
        clock: Clock,
        joins: mpsc::Receiver<Join>,
        nudge: Arc<Notify>,
    ) -> Self {
        Self {
            store,
            spool,
            clock,
            joins,
            nudge,
            tails: Vec::new(),
            seen: Seen::default(),
            look: 0,
            looked_at: Instant::now(),
            last: None,
            late: None,
            shown_spooled: HashMap::new(),
            complained: false,
        }
    }

    /// Works until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.work() => {}
        }
    }

    async fn work(&mut self) {
        loop {
            let joins = self.wait().await;
            self.tails.retain(|tail| tail.strong_count() > 0);
            if self.tails.is_empty() && joins.is_empty() {
                self.last = None;
                self.late = None;
                self.shown_spooled.clear();
                continue;
            }
            let looked = self.look(&joins).await;
            self.looked_at = Instant::now();
            match looked {
                Ok(()) => self.complained = false,
                Err(error) if !std::mem::replace(&mut self.complained, true) => {
                    tracing::warn!(%error, "live tails wait for the database");
                }
                Err(_) => {}
            }
            for join in joins {
                let begun = !self.complained && self.begin(&join).await;
                if begun {
                    self.tails.push(Arc::downgrade(&join.mailbox));
                }
                // Who no longer waits has dropped the mailbox too.
                let _ = join.reply.send(begun);
            }
        }
    }

    /// Waits until it is time to look, or somebody joins.
    async fn wait(&mut self) -> Vec<Join> {
        let has_tails = self.tails.iter().any(|tail| tail.strong_count() > 0);
        let (due, soonest) = (self.looked_at + LOOK_EVERY, self.looked_at + LOOK_LEAST);
        let nudged = async {
            self.nudge.notified().await;
            tokio::time::sleep_until(soonest).await;
        };
        let mut joins = Vec::new();
        tokio::select! {
            join = self.joins.recv() => match join {
                Some(join) => joins.push(join),
                // Nobody is left who could ask; the process is about to end.
                None => std::future::pending().await,
            },
            () = nudged, if has_tails => {}
            () = tokio::time::sleep_until(due), if !self.tails.is_empty() => {}
        }
        while let Ok(join) = self.joins.try_recv() {
            joins.push(join);
        }
        joins
    }

    /// Finds what is new and puts it into the mailboxes of the tails there are; those who join get what follows.
    async fn look(&mut self, joins: &[Join]) -> Result<(), StoreError> {
        let now = self.clock.now();
        let since = self.last.map_or(now, |last| last.min(now)).plus_millis(-TAILED_MS - MARGIN_MS);
        let watchers: Vec<Watcher> = self.tails.iter().filter_map(Weak::upgrade).map(Watcher::new).collect();
        let watchers = Arc::new(watchers);
        let joining = joins.iter().flat_map(|join| projects_of(&join.mailbox));
        let projects: BTreeSet<i64> =
            watchers.iter().flat_map(|watcher| projects_of(&watcher.mailbox)).chain(joining).collect();
        let projects: Vec<i64> = projects.into_iter().collect();
        self.look += 1;
        let spool = self.spool.as_ref().and_then(Spool::source);
        if let Some(spool) = &spool {
            match self.look_into(spool, &projects, since, &watchers).await {
                Ok(shown) => self.note_spooled(&shown, watchers.is_empty()),
                Err(error) => tracing::debug!(%error, "the spool did not answer the live tails"),
            }
        }
        if spool.is_none() || self.store.status() == DatabaseStatus::Connected {
            self.look_into(&self.store.clone(), &projects, since, &watchers).await?;
            self.last = Some(now);
        }
        self.seen.forget(now, since);
        watchers.iter().for_each(|watcher| watcher.mailbox.ring());
        Ok(())
    }

    /// Delivers what is new in one store, and answers which blocks that were.
    async fn look_into(
        &mut self,
        store: &Store,
        projects: &[i64],
        since: Timestamp,
        watchers: &Arc<Vec<Watcher>>,
    ) -> Result<Vec<RecentBlock>, StoreError> {
        let mut session = store.read().await?;
        let recent = session.recent_blocks(projects, since, MAX_LISTED).await?;
        let is_new = |block: &RecentBlock| self.seen.look_of(block.id).is_none();
        let new: Vec<RecentBlock> = recent.blocks.into_iter().filter(is_new).collect();
        if !watchers.is_empty() {
            match read_and_deliver(&mut session, &new, since, watchers).await {
                Err(error) if may_pass(&error) => return Err(error),
                // The same would fail again: better to go on without than to stand still.
                Err(error) => {
                    tracing::error!(%error, "live tails leave out what can't be read");
                    skip_all(watchers, &new);
                }
                Ok(unread) => skip_all(watchers, &unread),
            }
        }
        for block in &new {
            self.seen.note(block.id, self.look);
        }
        if store.instance() == self.store.instance() {
            self.tell_late(recent.late, watchers);
        }
        Ok(new)
    }

    fn note_spooled(&mut self, blocks: &[RecentBlock], nobody_looked: bool) {
        for block in blocks.iter().filter(|_| !nobody_looked) {
            *self.shown_spooled.entry(block.project_id).or_default() += u64::from(block.events);
        }
    }

    /// Tells of events that came late since the last look.
    fn tell_late(&mut self, late: BTreeMap<i64, i64>, watchers: &[Watcher]) {
        let before = self.late.replace(late.clone());
        let Some(before) = before else { return };
        for (project, total) in late {
            let more = total - before.get(&project).copied().unwrap_or(0);
            let mut more = u64::try_from(more).unwrap_or(0);
            if let Some(shown) = self.shown_spooled.get_mut(&project) {
                let known = more.min(*shown);
                (more, *shown) = (more - known, *shown - known);
            }
            if more > 0 {
                let asks = |watcher: &&Watcher| watcher.filters.contains_key(&project);
                watchers.iter().filter(asks).for_each(|watcher| watcher.mailbox.note_late(project, more));
            }
        }
    }

    /// Gives a reader that comes back what it missed; false when the database can't be asked.
    async fn begin(&self, join: &Join) -> bool {
        let Some(after) = join.after else { return true };
        let stores = self.spool.as_ref().and_then(Spool::source).into_iter();
        let database = (self.store.status() == DatabaseStatus::Connected).then(|| self.store.clone());
        let watcher = Arc::new(Watcher::new(join.mailbox.clone()));
        for store in stores.chain(database) {
            if let Err(error) = self.replay_from(&store, &watcher, after).await {
                tracing::warn!(%error, "a tail can't be taken up again");
                return false;
            }
        }
        join.mailbox.ring();
        true
    }

    async fn replay_from(
        &self,
        store: &Store,
        watcher: &Arc<Watcher>,
        after: EventId,
    ) -> Result<(), StoreError> {
        let projects: Vec<i64> = watcher.filters.keys().copied().collect();
        let tailed = self.last.map(|last| last.plus_millis(-TAILED_MS - MARGIN_MS));
        let mut session = store.read().await?;
        let listed = session.blocks_received_since(&projects, after.batch.received_at(), MAX_MISSED).await?;
        // What was not met yet and is still looked at comes with the next look.
        let comes_by_itself = |block: &RecentBlock| {
            self.seen.look_of(block.id).is_none()
                && tailed.is_some_and(|tailed| uuid_time(&block.id) >= tailed)
        };
        let missed: Vec<RecentBlock> = listed.into_iter().filter(|block| !comes_by_itself(block)).collect();
        let (chosen, left) = missed.split_at(missed.len().min(MAX_BLOCKS));
        let unread: u64 = left.iter().map(|block| u64::from(block.events)).sum();
        let headers = session.headers_of(chosen).await?;
        let (blocks, left) = read_bodies(&mut session, headers).await?;
        drop(session);
        let passed_over: u64 = left.iter().map(|header| u64::from(header.event_count)).sum();
        watcher.mailbox.skip(unread + passed_over);
        let with_look = |block: Block| {
            let look = self.seen.look_of(block.header.id);
            (block, look)
        };
        let (blocks, watcher) = (blocks.into_iter().map(with_look).collect(), watcher.clone());
        let done = tokio::task::spawn_blocking(move || replay(blocks, &watcher, after)).await;
        done.map_err(|error| StoreError::Corrupt(format!("reading blocks failed: {error}")))
    }
}

fn projects_of(mailbox: &Mailbox) -> Vec<i64> {
    mailbox.filters().keys().copied().collect()
}

/// Whether asking again may help.
fn may_pass(error: &StoreError) -> bool {
    error.is_away() || matches!(error, StoreError::Busy(_) | StoreError::Conflict(_))
}

/// Reads the new blocks that some tail may be shown something of, newest first as far as it goes, and delivers them
/// oldest first. Answers what is left unread.
async fn read_and_deliver(
    session: &mut Session,
    new: &[RecentBlock],
    since: Timestamp,
    watchers: &Arc<Vec<Watcher>>,
) -> Result<Vec<RecentBlock>, StoreError> {
    let mut tests = 0;
    let affordable = new.iter().take(MAX_BLOCKS).take_while(|block| {
        tests += u64::from(block.events) * watchers.len() as u64;
        tests <= MAX_TESTS
    });
    let (chosen, left) = new.split_at(affordable.count().max(1).min(new.len()));
    let mut headers = session.headers_of(chosen).await?;
    headers.retain(|header| {
        // A block rewritten just now has a new id; its events are no news.
        header.received_last >= since && watchers.iter().any(|watcher| admits(watcher, header))
    });
    let (blocks, passed_over) = read_bodies(session, headers).await?;
    if !blocks.is_empty() {
        let watchers = watchers.clone();
        let done = tokio::task::spawn_blocking(move || deliver(blocks, &watchers)).await;
        done.map_err(|error| StoreError::Corrupt(format!("reading blocks failed: {error}")))?;
    }
    let unread = |header: BlockHeader| {
        let BlockHeader { project_id, id, event_count: events, .. } = header;
        RecentBlock { project_id, id, events }
    };
    Ok(left.iter().copied().chain(passed_over.into_iter().map(unread)).collect())
}

/// Blocks in the order of their ids: the newest whose bodies fit [`MAX_BODY_BYTES`]; and those left out for it. A block
/// that has gone is in neither.
async fn read_bodies(
    session: &mut Session,
    mut headers: Vec<BlockHeader>,
) -> Result<(Vec<Block>, Vec<BlockHeader>), StoreError> {
    headers.sort_unstable_by_key(|header| std::cmp::Reverse(header.id));
    let mut bytes = 0;
    let fits = headers.iter().take_while(|header| {
        let first = bytes == 0;
        bytes += u64::from(header.stored_bytes);
        first || bytes <= MAX_BODY_BYTES
    });
    let left = headers.split_off(fits.count());
    let wanted: Vec<_> = headers.iter().map(|header| (header.project_id, header.id)).collect();
    let mut bodies: HashMap<_, _> = session.bodies_of(&wanted).await?.into_iter().collect();
    let with_body = |header: BlockHeader| bodies.remove(&header.id).map(|body| Block { header, body });
    let mut blocks: Vec<Block> = headers.into_iter().filter_map(with_body).collect();
    blocks.reverse();
    Ok((blocks, left))
}

fn admits(watcher: &Watcher, header: &BlockHeader) -> bool {
    watcher.filters.get(&header.project_id).is_some_and(|filter| filter.admits(header))
}

/// Counts events of unread blocks for everyone who asks for their project.
fn skip_all(watchers: &[Watcher], unread: &[RecentBlock]) {
    for block in unread {
        let asks = |watcher: &&Watcher| watcher.filters.contains_key(&block.project_id);
        for watcher in watchers.iter().filter(asks) {
            watcher.mailbox.skip(u64::from(block.events));
        }
    }
}
