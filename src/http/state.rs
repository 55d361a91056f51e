//! What every handler can reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::alert::{Channels, Outbox};
use crate::clock::Clock;
use crate::config::Config;
use crate::http::guard::Guard;
use crate::http::health::Health;
use crate::http::places::Places;
use crate::http::session::Sessions;
use crate::ingest::Ingest;
use crate::key::{KeyDirectory, KeyRing, KeyStatus, VerifiedKey};
use crate::limit::Limiter;
use crate::maintenance::Maintenance;
use crate::memory::Budget;
use crate::outbound::Outbound;
use crate::quarantine::Quarantine;
use crate::removal::Removals;
use crate::search::tail::Tails;
use crate::search::turns::Turns;
use crate::spool::Spool;
use crate::store::{DatabaseStatus, READ_CONNECTIONS, Store, StoreError};

/// Time between two reloads of the directory that requests with unknown keys ask for; who asks in between waits.
pub const DIRECTORY_REFRESH_MIN: Duration = Duration::from_secs(1);
/// How long after the start the first connection to the database is worth waiting for.
const FIRST_CONNECTION: Duration = Duration::from_millis(1_500);
/// Searches at once; further ones wait their turn. Each holds a connection for reads while it works.
pub const MAX_SEARCHES: usize = READ_CONNECTIONS;

/// Everything a handler can reach.
pub struct AppState {
    /// The settings.
    pub config: Arc<Config>,
    /// The time.
    pub clock: Clock,
    /// What keys and sessions are derived from.
    pub key_ring: Arc<KeyRing>,
    /// Projects and keys in memory.
    pub directory: Arc<KeyDirectory>,
    /// The database.
    pub store: Store,
    /// What takes batches while it is away.
    pub spool: Option<Spool>,
    /// What takes events that it refuses for themselves.
    pub quarantine: Quarantine,
    /// What `/healthz` and `/readyz` say.
    pub health: Arc<Health>,
    /// What `/metrics` says.
    pub metrics: Arc<Registry>,
    /// Admin sessions.
    pub sessions: Sessions,
    /// Admin and metrics tokens.
    pub guard: Guard,
    /// Limits per client and project.
    pub limiter: Arc<Limiter>,
    /// Room for request bodies.
    pub bodies: Budget,
    /// What stores a verified batch.
    pub ingest: Arc<Ingest>,
    /// Removes what an admin deleted.
    pub removals: Removals,
    /// Keeps the database small.
    pub maintenance: Maintenance,
    /// The way out.
    pub outbound: Outbound,
    /// Channels for alerts.
    pub channels: Channels,
    /// Alerts on their way.
    pub outbox: Outbox,
    /// Turns for searches.
    pub searches: Turns,
    /// Begins live tails.
    pub tails: Tails,
    /// Places for them.
    pub tail_places: Places,
    /// Places for exports.
    pub export_places: Places,
    started: Instant,
    used: AtomicBool,
    reloading: Mutex<()>,
    /// Whether the last reload worked.
    directory_is_current: AtomicBool,
    /// When the last reload that a request asked for began; held while one goes on.
    asked_reload: Mutex<Option<Instant>>,
}

/// What the state is put together from; the rest of it is derived.
pub struct Parts {
    /// The settings.
    pub config: Arc<Config>,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub store: Store,
    /// What takes batches while it is away.
    pub spool: Option<Spool>,
    /// What takes events that it refuses for themselves.
    pub quarantine: Quarantine,
    /// Projects and keys in memory.
    pub directory: Arc<KeyDirectory>,
    /// What `/healthz` and `/readyz` say.
    pub health: Arc<Health>,
    /// What `/metrics` says.
    pub metrics: Arc<Registry>,
    /// Limits per client and project.
    pub limiter: Arc<Limiter>,
    /// Room for request bodies.
    pub bodies: Budget,
    /// What stores a verified batch.
    pub ingest: Arc<Ingest>,
    /// Removes what an admin deleted.
    pub removals: Removals,
    /// Keeps the database small.
    pub maintenance: Maintenance,
    /// Begins live tails.
    pub tails: Tails,
    /// Places for them.
    pub tail_places: Places,
    /// Places for exports.
    pub export_places: Places,
    /// The way out.
    pub outbound: Outbound,
    /// Alerts on their way.
    pub outbox: Outbox,
}

impl AppState {
    /// Puts the state together; what is derived from secrets is derived here, and nothing is read or started.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { config, clock, store, directory, health, metrics, limiter, bodies, ingest, .. } = parts;
        let (removals, maintenance) = (parts.removals, parts.maintenance);
        let (spool, quarantine, tails) = (parts.spool, parts.quarantine, parts.tails);
        let (outbound, outbox) = (parts.outbound, parts.outbox);
        let key_ring = Arc::new(KeyRing::new(&config.hmac_secret, config.hmac_secret_previous.as_ref()));
        Self {
            sessions: Sessions::new(&key_ring, &config.admin_token),
            channels: Channels::new(&config, &key_ring),
            outbound,
            outbox,
            guard: Guard::new(&config.admin_token, config.metrics_token.as_ref()),
            key_ring,
            config,
            clock,
            directory,
            store,
            spool,
            quarantine,
            health,
            metrics,
            limiter,
            bodies,
            ingest,
            removals,
            maintenance,
            searches: Turns::new(MAX_SEARCHES),
            tails,
            tail_places: parts.tail_places,
            export_places: parts.export_places,
            started: Instant::now(),
            used: AtomicBool::new(false),
            reloading: Mutex::new(()),
            directory_is_current: AtomicBool::new(false),
            asked_reload: Mutex::new(None),
        }
    }

    /// Notes that somebody asked for something that needs keys or data.
    pub fn note_use(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// Whether somebody did since this was last asked.
    pub fn was_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    /// Replaces the directory by what is stored now. One at a time, so that an older snapshot never follows a newer.
    ///
    /// # Errors
    /// When the storage can't be read; the directory stays as it was.
    pub async fn reload_directory(&self) -> Result<(), StoreError> {
        if let Err(away) = self.store.refuse_while_away() {
            self.directory_is_current.store(false, Ordering::Release);
            return Err(away);
        }
        self.load_directory().await
    }

    /// As [`AppState::reload_directory`], also while the database is away: for the task that finds out whether it is.
    ///
    /// # Errors
    /// As [`AppState::reload_directory`].
    pub async fn load_directory(&self) -> Result<(), StoreError> {
        let _turn = self.reloading.lock().await;
        let loaded = self.store.load_directory().await;
        self.directory_is_current.store(loaded.is_ok(), Ordering::Release);
        let (projects, keys) = loaded?;
        if let Some(spool) = &self.spool {
            spool.keep_directory(&projects, &keys).await;
        }
        self.directory.replace(projects, &keys);
        Ok(())
    }

    /// What is known of a key, after a reload of the directory where it may be newer than that. Reloads asked for here
    /// come at most once in [`DIRECTORY_REFRESH_MIN`] over all requests; a request waits for one that began after it.
    ///
    /// [`KeyStatus::Unknown`] then means that the database can't be asked now; a key the database doesn't have is
    /// [`KeyStatus::Revoked`].
    pub async fn key_status(&self, key: &VerifiedKey) -> KeyStatus {
        let mut status = self.directory.lookup(key);
        if status == KeyStatus::Unknown && self.spool.is_some() {
            self.first_connection().await;
            status = self.directory.lookup(key);
        }
        if status != KeyStatus::Unknown || self.store.status() != DatabaseStatus::Connected {
            return status;
        }
        self.reload_for_unknown_key().await;
        match self.directory.lookup(key) {
            KeyStatus::Unknown if self.directory_is_current.load(Ordering::Acquire) => KeyStatus::Revoked,
            status => status,
        }
    }

    /// Waits a little for the first connection to the database, in the first seconds of the service: it is about to
    /// tell what a key's project is called, without which its events would go to the spool under a makeshift name.
    async fn first_connection(&self) {
        while self.store.status() == DatabaseStatus::Connecting && self.started.elapsed() < FIRST_CONNECTION {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A key made just before a request is in a snapshot that was begun after the request came, and perhaps in no
    /// earlier one.
    async fn reload_for_unknown_key(&self) {
        let came = Instant::now();
        let mut last = self.asked_reload.lock().await;
        if last.is_some_and(|began| began > came) {
            return;
        }
        if let Some(began) = *last {
            tokio::time::sleep_until(began + DIRECTORY_REFRESH_MIN).await;
        }
        *last = Some(Instant::now());
        if let Err(error) = self.reload_directory().await {
            tracing::debug!(?error, "the key directory could not be reloaded for an unknown key");
        }
    }
}
