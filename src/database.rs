//! Watches over the database: reaches it, migrates it, notices its return, keeps the key directory fresh.
//!
//! It alone turns the store's status to connected; whoever meets a dead database turns it to disconnected.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::http::state::AppState;
use crate::store::{DatabaseStatus, StoreError};

/// First pause between two attempts; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// How often the watch looks around.
const TICK: Duration = Duration::from_millis(500);
/// The directory of keys is read again this often while requests come in.
const DIRECTORY_EVERY: Duration = Duration::from_secs(5);
/// And this often while none do, so that an idle database may sleep.
const IDLE_DIRECTORY_EVERY: Duration = Duration::from_mins(5);

/// The owned task.
pub struct DatabaseWatch {
    state: Arc<AppState>,
    first_ready: Option<oneshot::Sender<()>>,
}

impl DatabaseWatch {
    /// Watches over the database of `state`; `first_ready` is told when it has been reached once.
    #[must_use]
    pub fn new(state: Arc<AppState>, first_ready: Option<oneshot::Sender<()>>) -> Self {
        Self { state, first_ready }
    }

    /// Works until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.watch() => {}
        }
    }

    async fn watch(&mut self) {
        self.until_it_works("the database can't be used yet").await;
        tracing::info!("database connected");
        if let Some(ready) = self.first_ready.take() {
            // Nobody need be waiting.
            let _ = ready.send(());
        }
        let mut read_at = Instant::now();
        loop {
            tokio::time::sleep(TICK).await;
            if self.state.store.status() != DatabaseStatus::Connected {
                tracing::warn!("database disconnected");
                self.until_it_works("the database is still away").await;
                tracing::info!("database connected again");
                read_at = Instant::now();
            }
            let every = if self.state.was_used() { DIRECTORY_EVERY } else { IDLE_DIRECTORY_EVERY };
            if read_at.elapsed() >= every {
                read_at = Instant::now();
                if let Err(error) = self.state.reload_directory().await {
                    self.note(&error);
                } else if let Err(error) = self.state.quarantine.recount().await {
                    tracing::warn!(%error, "the quarantine could not be counted");
                }
            }
        }
    }

    /// Tries until the database can be used, with growing pauses; logs a cause once, until it changes.
    async fn until_it_works(&self, message: &str) {
        let mut pause = FIRST_PAUSE;
        let mut logged = String::new();
        loop {
            let Err(error) = self.prepare().await else {
                self.state.health.set_check("database", None);
                return;
            };
            let cause = error.to_string();
            self.state.health.set_check("database", Some(cause.clone()));
            if cause != logged {
                tracing::warn!(cause, "{message}");
                logged = cause;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    /// The same at the start and after a loss, since the database that comes back may be another or an older one. Only
    /// where everything works, writing too, is it connected.
    async fn prepare(&self) -> Result<(), StoreError> {
        let store = &self.state.store;
        store.migrate().await?;
        store.check_writable().await?;
        self.check_hmac_secret().await?;
        self.state.load_directory().await?;
        store.set_status(DatabaseStatus::Connected);
        self.state.quarantine.recount().await
    }

    /// A database filled under another `HMAC_SECRET` holds keys that will never verify: say so where one looks.
    async fn check_hmac_secret(&self) -> Result<(), StoreError> {
        let text = |fingerprint: [u8; 16]| data_encoding::HEXLOWER.encode(&fingerprint);
        let ring = &self.state.key_ring;
        let ours = text(ring.fingerprint());
        let stored = self.state.store.hmac_fingerprint(&ours).await?;
        let problem = if stored == ours {
            None
        } else if ring.previous_fingerprint().map(text).as_ref() == Some(&stored) {
            self.state.store.replace_hmac_fingerprint(&stored, &ours).await?;
            None
        } else {
            Some(
                "HMAC_SECRET is not the one this database was filled under: no key in it can be verified. \
                 Set the old value, or set it as HMAC_SECRET_PREVIOUS."
                    .to_owned(),
            )
        };
        if let Some(problem) = &problem {
            tracing::error!("{problem}");
        }
        self.state.health.set_check("hmac_secret", problem);
        Ok(())
    }

    fn note(&self, error: &StoreError) {
        tracing::warn!(%error, "the key directory could not be read");
        if error.is_away() {
            self.state.store.set_status(DatabaseStatus::Disconnected);
        }
    }
}
