//! Everything kept: one file per table family, the same SQL on every database.
//!
//! The store connects lazily and answers [`StoreError::Away`] at once until its schema is known to be right. All waits
//! are bounded; a connection that did not answer in time is dropped, never used again.

mod alert_channels;
mod alert_cooldowns;
mod alert_counts;
mod alert_outbox;
mod alert_rule_list;
mod api_keys;
mod audit_log;
mod batches;
mod blocks;
mod body_cache;
mod connection;
mod counts;
mod coverage;
mod dialect;
mod directory_copy;
mod drained;
mod error;
mod expiry;
mod fold_news;
mod headers;
mod id_filters;
mod issue_list;
mod issues;
mod ledger;
mod migrate;
mod open_alerts;
mod options;
mod outbox_rows;
mod pool;
mod projects;
mod quarantine;
mod recent;
mod refusal;
mod resolution;
mod rewrite;
mod salvage;
mod session_start;
mod settings;
mod snapshot;
mod span_counts;
mod spool;
mod spool_record;
mod spool_reports;
mod standing;
mod stats;
mod storage;
mod text_rows;
mod time_range;
mod token_sql;
mod unfolded;
mod value;
mod view;
mod wreck;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use uuid::Uuid;

use crate::config::Config;
use crate::memory::BODY_CACHE_BYTES;
use crate::timestamp::Timestamp;
use body_cache::BodyCache;

pub use alert_channels::{MAX_CHANNELS, StoredChannel};
pub use alert_cooldowns::{Cooldown, CooldownKey};
pub use alert_counts::{
    PastSum, RuleCount, RuleCountKey, RuleSums, SPANS, SpanSums, WantedCounts, WantedPast, WantedRuleCount,
};
pub use alert_outbox::{
    AlertAttempt, AlertRecord, AlertState, ClaimedAlert, HistoryQuery, MAX_DETAIL_CHARS, MAX_WAITING_ALERTS,
    OutboxRow, WaitingAlert,
};
pub use alert_rule_list::{MAX_QUERIES, MAX_QUERIES_OF_ONE, MAX_RULES, RuleError, StoredRule};
pub use api_keys::{MAX_KEYS, NewKey};
pub use audit_log::AuditRow;
pub use batches::{BATCH_KEY_BYTES, BatchKey, StoredBatch};
pub use blocks::{CommitError, NewBatch, least_id};
pub use connection::{Connection, PacketError, Target};
pub use counts::{CountAges, CountsWidened, SeriesSpan};
pub use dialect::Dialect;
pub use drained::ActiveSenders;
pub use error::{MYSQL_ERRORS, Meaning, SQLITE_ERRORS, StoreError, mysql_meaning, sqlite_meaning};
pub use expiry::{BatchRange, Purged};
pub use fold_news::{FoldNews, KnownIssue, TouchedIssue};
pub use headers::BlockQuery;
pub use issue_list::{IssueFilter, IssueSort};
pub use issues::{
    BUCKET_MS, FoldPiece, Folded, IssueSeed, LEVEL_SERIES, MAX_ENVIRONMENTS, MAX_ISSUES,
    MAX_NEW_ISSUES_A_MINUTE, OTHER_SERIES, bucket,
};
pub use ledger::{Accounts, LedgerQuery};
pub use open_alerts::{MAX_OPEN_ALERTS, OpenAlert, OpeningAlert, Topic};
pub use outbox_rows::OutboxStanding;
pub use pool::{Pool, Session};
pub use projects::{MAX_PROJECTS, NewProject, ProjectChange, ProjectError};
pub use quarantine::{QuarantineSum, QuarantinedEvent};
pub use recent::{Recent, RecentBlock};
pub use refusal::{Refusal, RefusalKind};
pub use rewrite::{BlockSketch, Replaced, Replacement, StoredBody};
pub use salvage::Salvaged;
pub use settings::LeaseHolder;
pub use snapshot::{Bodies, Snapshot};
pub use span_counts::{SpanCount, WantedSpan};
pub use spool::{FoundGroup, SpoolTotals, SpooledBatch, SpooledBlock, SpooledGroup, block_checksum};
pub use spool_reports::{SpoolReport, Waiting};
pub use stats::CountScope;
pub use storage::{MAX_SUMMED, StorageUsed};
pub use unfolded::Unfolded;
pub use value::{Row, Value};

/// Longest a statement may take.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest a question whether the database is back may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections reserved for the writer slots on a server.
pub const WRITER_CONNECTIONS: usize = 2;
/// Connections for reads on a server; the embedded database has twice as many.
pub const READ_CONNECTIONS: usize = 2;
/// The connection for everything else: fold, keys, administration.
const WORK_CONNECTIONS: usize = 1;

/// Whether the database can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DatabaseStatus {
    /// Not yet reached since the start.
    Connecting = 0,
    /// Reached, and its schema is right.
    Connected = 1,
    /// Lost, or refused.
    Disconnected = 2,
}

impl DatabaseStatus {
    /// The name in `/healthz`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
        }
    }
}

/// The database, shared by everything.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    dialect: Dialect,
    /// The file has the spool's own tables too.
    is_spool: bool,
    instance: String,
    writers: Pool,
    work: Pool,
    reads: Pool,
    bodies: Arc<BodyCache>,
    storage: storage::StorageSums,
    status: AtomicU8,
}

impl Store {
    /// A store on the configured database; nothing is opened yet.
    ///
    /// # Errors
    /// A sentence when `DATA_DIR` can't be made.
    pub fn new(config: &Config) -> Result<Self, String> {
        let targets = options::targets(config)?;
        let dialect = targets.work.dialect();
        let inner = match dialect {
            // One connection writes, so that writers queue in order instead of polling a lock.
            Dialect::Sqlite => {
                let writers = Pool::new(targets.writers, 1);
                Inner {
                    dialect,
                    is_spool: false,
                    instance: new_instance(),
                    work: writers.clone(),
                    writers,
                    reads: Pool::new(targets.work, READ_CONNECTIONS * 2),
                    // The file is as near as the memory would be.
                    bodies: Arc::new(BodyCache::new(0)),
                    storage: storage::StorageSums::default(),
                    status: AtomicU8::new(DatabaseStatus::Connecting as u8),
                }
            }
            Dialect::MySql => Inner {
                dialect,
                is_spool: false,
                instance: new_instance(),
                writers: Pool::new(targets.writers, WRITER_CONNECTIONS),
                work: Pool::new(targets.work.clone(), WORK_CONNECTIONS),
                reads: Pool::new(targets.work, READ_CONNECTIONS),
                bodies: Arc::new(BodyCache::new(BODY_CACHE_BYTES)),
                storage: storage::StorageSums::default(),
                status: AtomicU8::new(DatabaseStatus::Connecting as u8),
            },
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The spool's file, of at most `max_bytes`; nothing is opened yet.
    #[must_use]
    pub fn spool(file: &Path, max_bytes: u64) -> Self {
        let target = options::spool_target(file, max_bytes);
        let writers = Pool::new(target.clone(), 1);
        Self(Arc::new(Inner {
            dialect: Dialect::Sqlite,
            is_spool: true,
            instance: new_instance(),
            work: writers.clone(),
            writers,
            // The writers ask it for batch ids while searches hold their own.
            reads: Pool::new(target, READ_CONNECTIONS + WRITER_CONNECTIONS),
            bodies: Arc::new(BodyCache::new(0)),
            storage: storage::StorageSums::default(),
            status: AtomicU8::new(DatabaseStatus::Connecting as u8),
        }))
    }

    /// Which SQL the database speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.0.dialect
    }

    /// A name for this process, for leases.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.0.instance
    }

    /// Whether the database can be used, as last seen.
    #[must_use]
    pub fn status(&self) -> DatabaseStatus {
        match self.0.status.load(Ordering::Relaxed) {
            0 => DatabaseStatus::Connecting,
            1 => DatabaseStatus::Connected,
            _ => DatabaseStatus::Disconnected,
        }
    }

    /// Notes what was last seen of the database. When it was lost, idle connections are closed.
    pub fn set_status(&self, status: DatabaseStatus) {
        let before = self.0.status.swap(status as u8, Ordering::Relaxed);
        if status == DatabaseStatus::Disconnected && before == DatabaseStatus::Connected as u8 {
            self.forget_connections();
        }
    }

    /// A connection for a writer slot's transactions.
    ///
    /// # Errors
    /// As [`Pool::acquire`].
    pub async fn writer(&self) -> Result<Session, StoreError> {
        self.0.writers.acquire().await
    }

    /// The connection for fold, keys and administration.
    ///
    /// # Errors
    /// [`StoreError::Away`] at once while the database is known to be away, else as [`Pool::acquire`].
    pub async fn work(&self) -> Result<Session, StoreError> {
        self.refuse_while_away()?;
        self.0.work.acquire().await
    }

    /// A connection for reads.
    ///
    /// # Errors
    /// As [`Store::work`].
    pub async fn read(&self) -> Result<Session, StoreError> {
        self.refuse_while_away()?;
        self.0.reads.acquire().await
    }

    /// A connection for reads that all see the database as it is at the first of them.
    ///
    /// # Errors
    /// As [`Store::work`].
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.read().await.map(|session| Snapshot::new(session, self.0.bodies.clone()))
    }

    /// Bytes of bodies kept for the next search.
    #[must_use]
    pub fn cached_body_bytes(&self) -> usize {
        self.0.bodies.bytes()
    }

    /// Drops what is kept of a project's blocks received before `before`: they were deleted.
    pub fn forget_bodies(&self, project_id: i64, before: Timestamp) {
        self.0.bodies.forget(project_id, before);
        self.0.storage.forget(project_id);
    }

    /// Drops what is kept of some of a project's blocks: they were deleted or replaced.
    pub fn forget_block_bodies(&self, project_id: i64, ids: &[Uuid]) {
        self.0.bodies.forget_blocks(project_id, ids);
        self.0.storage.forget(project_id);
    }

    /// The same connection as [`Store::work`], for finding out whether the database is back.
    async fn probe(&self) -> Result<Session, StoreError> {
        self.0.work.acquire().await
    }

    /// # Errors
    /// [`StoreError::Away`] while the database is known to be away.
    pub fn refuse_while_away(&self) -> Result<(), StoreError> {
        match self.status() {
            DatabaseStatus::Connected => Ok(()),
            status => Err(StoreError::Away(format!("the database is {}", status.name()))),
        }
    }

    /// Asks the database whether it takes writes, without changing anything.
    ///
    /// # Errors
    /// What it said: a server that is read-only or out of room for its user says so here.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        let mut session = self.probe().await?;
        for table in ["blocks", "id_filters", "batches", "unfolded", "quarantine"] {
            // The statement is checked before it finds that there is nothing to insert.
            let nothing = format!("INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0");
            session.execute(&nothing, &[], PROBE_TIMEOUT).await?;
        }
        Ok(())
    }

    /// Closes idle connections: the file they lead to is about to be replaced.
    pub fn forget_connections(&self) {
        self.0.reads.forget_idle();
        self.0.work.forget_idle();
        self.0.writers.forget_idle();
    }

    /// Closes idle connections and refuses further use.
    pub fn close(&self) {
        self.0.reads.close();
        self.0.work.close();
        self.0.writers.close();
    }
}

fn new_instance() -> String {
    let mut random = [0_u8; 10];
    getrandom::fill(&mut random).expect("the operating system gives random bytes");
    data_encoding::HEXLOWER.encode(&random)
}
