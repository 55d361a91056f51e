//! What every handler can reach, and the storage of projects and keys as this layer needs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use futures_util::future::BoxFuture;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::config::Config;
use crate::error::ApiError;
use crate::http::guard::Guard;
use crate::http::health::Health;
use crate::http::session::Sessions;
use crate::key::{ApiKey, KeyDirectory, KeyKind, KeyRecord, KeyRing, KeyStatus, VerifiedKey};
use crate::limit::Limiter;
use crate::memory::Budget;
use crate::project::{Project, ProjectRef, ProjectSlug, ScrubSettings};
use crate::timestamp::Timestamp;

/// How often requests with unknown keys may make the directory reload, in milliseconds.
pub const DIRECTORY_REFRESH_MIN_MILLIS: i64 = 1_000;
/// What a client is told to wait while the database is away, in seconds.
pub const STORAGE_RETRY_SECONDS: u32 = 5;

/// A project to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewProject {
    /// Unique.
    pub slug: ProjectSlug,
    /// For people, 1 to 128 characters.
    pub name: String,
    /// Within [`crate::project::RETENTION_DAYS`].
    pub retention_days: u16,
    /// Events a minute; `None` takes the service's default.
    pub minute_cap: Option<u32>,
    /// Scrubbing.
    pub scrub: ScrubSettings,
}

/// What an admin changes; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectChange {
    /// A new slug.
    pub slug: Option<ProjectSlug>,
    /// A new name.
    pub name: Option<String>,
    /// A new retention.
    pub retention_days: Option<u16>,
    /// A new cap; `Some(None)` goes back to the service's default.
    pub minute_cap: Option<Option<u32>>,
    /// New scrubbing.
    pub scrub: Option<ScrubSettings>,
}

/// Why the storage didn't do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// Another project has the slug.
    SlugTaken,
    /// The database is away or too slow.
    Unavailable,
    /// A fault of ours, logged where it happened.
    Fault,
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::SlugTaken => Self::SlugTaken,
            StoreError::Unavailable => Self::StorageUnavailable(STORAGE_RETRY_SECONDS),
            StoreError::Fault => Self::Internal,
        }
    }
}

/// A storage answer to come.
pub type Stored<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Makes the key of a number; called by the storage once it has taken the number.
pub type MintKey = Box<dyn Fn(u32) -> ApiKey + Send + Sync>;

/// Projects and keys as stored. A change is finished even when the caller stops waiting for it.
pub trait ProjectStore: Send + Sync {
    /// All projects, by id.
    fn list_projects(&self) -> Stored<'_, Vec<Project>>;
    /// One project.
    fn project(&self, reference: ProjectRef) -> Stored<'_, Option<Project>>;
    /// Makes a project.
    fn create_project(&self, new: NewProject, now: Timestamp) -> Stored<'_, Project>;
    /// Changes a project; `None` when there is none.
    fn update_project(&self, id: i64, change: ProjectChange) -> Stored<'_, Option<Project>>;
    /// Deletes a project with its keys and events, in bounded steps; false when there is none.
    fn delete_project(&self, id: i64) -> Stored<'_, bool>;
    /// A project's keys by number, revoked ones too.
    fn list_keys(&self, project_id: i64) -> Stored<'_, Vec<KeyRecord>>;
    /// Takes the project's next number, mints its key and stores it; `None` when there is no such project.
    fn add_key(
        &self,
        project_id: i64,
        kind: KeyKind,
        note: String,
        now: Timestamp,
        mint: MintKey,
    ) -> Stored<'_, Option<(KeyRecord, ApiKey)>>;
    /// Revokes a key; false when the project has no such key. Revoking twice is true and keeps the first time.
    fn revoke_key(&self, project_id: i64, key_id: i64, now: Timestamp) -> Stored<'_, bool>;
    /// All projects and all keys of one moment, for the directory.
    fn load_directory(&self) -> Stored<'_, (Vec<Project>, Vec<KeyRecord>)>;
}

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
    /// Projects and keys as stored.
    pub store: Arc<dyn ProjectStore>,
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
    reloading: Mutex<()>,
    /// Whether the last reload worked.
    directory_is_current: AtomicBool,
    last_asked_reload: AtomicI64,
}

/// What the state is put together from; the rest of it is derived.
pub struct Parts {
    /// The settings.
    pub config: Arc<Config>,
    /// The time.
    pub clock: Clock,
    /// Projects and keys as stored.
    pub store: Arc<dyn ProjectStore>,
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
}

impl AppState {
    /// Puts the state together; what is derived from secrets is derived here, and nothing is read or started.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { config, clock, store, directory, health, metrics, limiter, bodies } = parts;
        let key_ring = Arc::new(KeyRing::new(&config.hmac_secret, config.hmac_secret_previous.as_ref()));
        Self {
            sessions: Sessions::new(&key_ring, &config.admin_token),
            guard: Guard::new(&config.admin_token, config.metrics_token.as_ref()),
            key_ring,
            config,
            clock,
            directory,
            store,
            health,
            metrics,
            limiter,
            bodies,
            reloading: Mutex::new(()),
            directory_is_current: AtomicBool::new(false),
            last_asked_reload: AtomicI64::new(i64::MIN),
        }
    }

    /// Replaces the directory by what is stored now. One at a time, so that an older snapshot never follows a newer.
    ///
    /// # Errors
    /// When the storage can't be read; the directory stays as it was.
    pub async fn reload_directory(&self) -> Result<(), StoreError> {
        let _turn = self.reloading.lock().await;
        let loaded = self.store.load_directory().await;
        let result = loaded.map(|(projects, keys)| self.directory.replace(projects, &keys));
        self.directory_is_current.store(result.is_ok(), Ordering::Release);
        result
    }

    /// What is known of a key, after a reload of the directory where it may be newer than that. Reloads asked for here
    /// come at most once in [`DIRECTORY_REFRESH_MIN_MILLIS`] over all requests.
    ///
    /// [`KeyStatus::Unknown`] then means that the database can't be asked now; a key the database doesn't have is
    /// [`KeyStatus::Revoked`].
    pub async fn key_status(&self, key: &VerifiedKey) -> KeyStatus {
        let status = self.directory.lookup(key);
        if status != KeyStatus::Unknown {
            return status;
        }
        if self.take_reload_turn() {
            if let Err(error) = self.reload_directory().await {
                tracing::debug!(?error, "the key directory could not be reloaded for an unknown key");
            }
        } else {
            // Another request may be reloading: its result is ours too.
            drop(self.reloading.lock().await);
        }
        match self.directory.lookup(key) {
            KeyStatus::Unknown if self.directory_is_current.load(Ordering::Acquire) => KeyStatus::Revoked,
            status => status,
        }
    }

    fn take_reload_turn(&self) -> bool {
        let now = self.clock.now().as_millis();
        let last = self.last_asked_reload.load(Ordering::Acquire);
        let due = now.saturating_sub(last) >= DIRECTORY_REFRESH_MIN_MILLIS || now < last;
        due && self.last_asked_reload.compare_exchange(last, now, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}
