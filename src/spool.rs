//! The spool: a local file that takes batches while the server database is away, and gives them to it when it is back.
//!
//! It is a store of the same kind as the database (`DATA_DIR/spool.db`, a commit is on disk before it is answered)
//! with the same rules for batch ids. One process has it at a time; another on the same `DATA_DIR` works without it
//! until the first has ended. It holds at most `SPOOL_MAX_BYTES` and drops nothing: what doesn't fit is refused.

mod depth;
mod drain;
mod plan;
mod repair;
mod report;
mod traces;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::block::Block;
use crate::config::{Config, DatabaseConfig};
use crate::key::KeyRecord;
use crate::project::Project;
use crate::store::{BatchKey, DatabaseStatus, SpooledBatch, Store, StoreError, StoredBatch, Waiting};
use crate::timestamp::Timestamp;

pub use depth::{Counted, Depth, DropReason, SpoolCounters};
pub use drain::Drain;
pub use report::SILENT_AFTER_MS;

/// The file in `DATA_DIR`.
pub const FILE: &str = "spool.db";
/// Locked by the process that has the spool.
const LOCK_FILE: &str = "spool.lock";
/// Longest a batch waits for the spool to be opened, at the start.
const OPEN_WAIT: Duration = Duration::from_secs(1);

/// Whether the spool can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpoolState {
    /// Not yet tried.
    Opening,
    /// It can.
    Open,
    /// Another process has it.
    Locked,
    /// Its folder or file can't be used now.
    Failing,
}

impl SpoolState {
    /// The name in `/readyz`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Open => "open",
            Self::Locked => "locked by another process",
            Self::Failing => "failing",
        }
    }
}

/// The spool, shared by the writers, the drain and the readers.
#[derive(Clone)]
pub struct Spool(Arc<Inner>);

struct Inner {
    store: Store,
    folder: PathBuf,
    max_bytes: u64,
    /// Holds the lock for as long as the process lives.
    lock: Mutex<Option<File>>,
    state: watch::Sender<SpoolState>,
    /// Damage was met in the file.
    suspect: AtomicBool,
    depth: Mutex<Depth>,
    counters: SpoolCounters,
    /// What was last kept of the directory.
    directory: Mutex<Option<(Vec<Project>, Vec<KeyRecord>)>>,
    /// The id in the file, once it was opened.
    id: Mutex<Option<String>>,
    /// Rings when something was spooled.
    arrived: tokio::sync::Notify,
}

impl Spool {
    /// The spool of a service, or `None`: on the embedded database, and with `SPOOL_MAX_BYTES=0`.
    #[must_use]
    pub fn new(config: &Config) -> Option<Self> {
        let server = matches!(config.database, DatabaseConfig::Server { .. });
        (server && config.spool_max_bytes > 0).then(|| Self::at(&config.data_dir, config.spool_max_bytes))
    }

    fn at(folder: &Path, max_bytes: u64) -> Self {
        Self(Arc::new(Inner {
            store: Store::spool(&folder.join(FILE), max_bytes),
            folder: folder.to_owned(),
            max_bytes,
            lock: Mutex::new(None),
            state: watch::Sender::new(SpoolState::Opening),
            suspect: AtomicBool::new(false),
            depth: Mutex::default(),
            counters: SpoolCounters::default(),
            directory: Mutex::new(None),
            id: Mutex::new(None),
            arrived: tokio::sync::Notify::new(),
        }))
    }

    /// Whether it can be used.
    #[must_use]
    pub fn state(&self) -> SpoolState {
        *self.0.state.borrow()
    }

    /// The most its file may take, in bytes.
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        self.0.max_bytes
    }

    /// What waits in it, as last counted.
    #[must_use]
    pub fn depth(&self) -> Depth {
        *self.0.depth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of what was in it, since the start.
    #[must_use]
    pub fn counters(&self) -> &SpoolCounters {
        &self.0.counters
    }

    /// The store to read from, while something is in it.
    #[must_use]
    pub fn source(&self) -> Option<Store> {
        (self.state() == SpoolState::Open && !self.depth().is_empty()).then(|| self.0.store.clone())
    }

    /// The id by which the database knows this spool's file; `None` until it was opened.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        self.0.id.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What waits in it, by project and hour of receipt.
    async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        self.0.store.read().await?.waiting_events(0, Timestamp::LAST.as_seconds()).await
    }

    /// Takes the lock, opens the file and counts what is in it. Calling it again goes on where it failed.
    ///
    /// # Errors
    /// A sentence, and what state it left the spool in.
    async fn open(&self) -> Result<(), (SpoolState, String)> {
        self.take_lock()?;
        let failing = |error: String| (SpoolState::Failing, error);
        self.repair_if_begun().await.map_err(failing)?;
        if self.is_suspect() {
            self.repair().await.map_err(failing)?;
        }
        let mut opened = self.open_file().await;
        if let Err(error) = &opened
            && (error.tells_of_damage() || matches!(error, StoreError::Corrupt(_)))
        {
            tracing::error!(%error, "the spool is damaged: what can be read of it goes to a new file");
            self.repair().await.map_err(failing)?;
            opened = self.open_file().await;
        }
        opened.map_err(|error| failing(error.to_string()))?;
        self.0.store.set_status(DatabaseStatus::Connected);
        // A file that was made anew stays the same spool.
        let id = self.0.store.spool_id(self.id().as_deref()).await;
        *self.0.id.lock().unwrap_or_else(PoisonError::into_inner) = id.ok();
        self.0.state.send_replace(SpoolState::Open);
        Ok(())
    }

    async fn open_file(&self) -> Result<(), StoreError> {
        self.0.store.migrate().await?;
        let mut session = self.0.store.writer().await?;
        if !session.is_sound().await? {
            return Err(StoreError::Corrupt("its pages are damaged".to_owned()));
        }
        session.hold_spooled(None).await?;
        drop(session);
        self.recount().await
    }

    /// Whether somebody met damage in the file since it was opened.
    fn is_suspect(&self) -> bool {
        self.0.suspect.load(Ordering::Relaxed)
    }

    fn note_damage(&self, error: &StoreError) {
        if error.tells_of_damage() {
            tracing::error!(%error, "damage in the spool's file");
            self.0.suspect.store(true, Ordering::Relaxed);
            self.0.arrived.notify_one();
        }
    }

    fn take_lock(&self) -> Result<(), (SpoolState, String)> {
        let mut lock = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_some() {
            return Ok(());
        }
        let folder = &self.0.folder;
        let open = || {
            std::fs::create_dir_all(folder)?;
            File::options().create(true).append(true).open(folder.join(LOCK_FILE))
        };
        let failing = |error: std::io::Error| {
            (SpoolState::Failing, format!("DATA_DIR {} can't be written: {error}", folder.display()))
        };
        let file = open().map_err(failing)?;
        match file.try_lock() {
            Ok(()) => {
                *lock = Some(file);
                Ok(())
            }
            Err(std::fs::TryLockError::WouldBlock) => {
                Err((SpoolState::Locked, format!("another process has DATA_DIR {}", folder.display())))
            }
            Err(std::fs::TryLockError::Error(error)) => Err(failing(error)),
        }
    }

    /// True as soon as it can be used; false when it can't, or isn't opened in time.
    async fn is_usable(&self) -> bool {
        let mut state = self.0.state.subscribe();
        let opened = state.wait_for(|state| *state != SpoolState::Opening);
        match tokio::time::timeout(OPEN_WAIT, opened).await {
            Ok(Ok(state)) => *state == SpoolState::Open,
            _ => false,
        }
    }

    /// Commits blocks and their batches; when it is done they are on disk.
    ///
    /// # Errors
    /// What the file said; [`StoreError::Away`] when it is full, locked or failing.
    pub async fn commit(
        &self,
        blocks: &[Block],
        batches: &[SpooledBatch],
        expired: &[BatchKey],
    ) -> Result<(), StoreError> {
        if !self.is_usable().await {
            return Err(StoreError::Away(format!("the spool is {}", self.state().name())));
        }
        let mut session = self.0.store.writer().await?;
        let committed = session.commit_spooled(blocks, batches, expired).await;
        committed.inspect_err(|error| self.note_damage(error))?;
        // Within the same turn at the file, so that no count of it comes in between.
        self.0.depth.lock().unwrap_or_else(PoisonError::into_inner).add(blocks, batches);
        drop(session);
        self.0.counters.spooled.inc_by(batches.iter().map(|batch| u64::from(batch.accepted)).sum());
        self.0.arrived.notify_one();
        Ok(())
    }

    /// Which of these ids are in it.
    ///
    /// # Errors
    /// What the file said.
    pub async fn find_batches(&self, keys: &[BatchKey]) -> Result<Vec<StoredBatch>, StoreError> {
        if !self.is_usable().await {
            return Ok(Vec::new());
        }
        let mut session = self.0.store.read().await?;
        let found = self.0.store.find_batches(&mut session, keys).await;
        found.inspect_err(|error| self.note_damage(error))
    }

    /// Counts again what is in it.
    async fn recount(&self) -> Result<(), StoreError> {
        let mut session = self.0.store.writer().await?;
        let totals = session.spool_totals().await?;
        *self.0.depth.lock().unwrap_or_else(PoisonError::into_inner) = Depth::of(totals);
        Ok(())
    }

    /// Keeps a copy of the projects and keys for a start without the database; a failure only logs.
    pub async fn keep_directory(&self, projects: &[Project], keys: &[KeyRecord]) {
        if self.state() != SpoolState::Open {
            return;
        }
        let same = |kept: &(Vec<Project>, Vec<KeyRecord>)| kept.0 == projects && kept.1 == keys;
        if self.0.directory.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(same) {
            return;
        }
        let kept = async { self.0.store.writer().await?.keep_directory(projects, keys).await };
        match kept.await {
            Ok(()) => {
                let copy = (projects.to_vec(), keys.to_vec());
                *self.0.directory.lock().unwrap_or_else(PoisonError::into_inner) = Some(copy);
            }
            Err(error) => tracing::warn!(%error, "projects and keys could not be kept in the spool"),
        }
    }

    /// The projects and keys last kept.
    async fn kept_directory(&self) -> Result<(Vec<Project>, Vec<KeyRecord>), StoreError> {
        self.0.store.load_directory().await
    }

    /// How long the oldest batch in it has waited.
    #[must_use]
    pub fn oldest_age(&self, now: Timestamp) -> Option<Duration> {
        let oldest = self.depth().oldest?;
        let age = now.as_millis().saturating_sub(oldest.as_millis());
        Some(Duration::from_millis(u64::try_from(age).unwrap_or(0)))
    }
}
