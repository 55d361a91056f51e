//! A small pool of connections that a silent network can't use up.
//!
//! It never hands out a connection whose last operation did not end well, never waits for a dead one on release, and
//! bounds every wait. (The library's own pool pings on release without a bound; one black hole used up all of it.)

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::{Connection, Target};
use super::error::StoreError;

/// Longest wait for a connection to be free.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for a new connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A connection idle for longer is asked for a sign of life first.
const PING_AFTER: Duration = Duration::from_secs(30);
/// Longest wait for that sign.
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// A connection older than this is replaced (serverless hosts cut theirs at 30 minutes).
const MAX_LIFETIME: Duration = Duration::from_mins(5);

/// Connections to one target.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    target: Target,
    permits: Arc<Semaphore>,
    idle: Mutex<VecDeque<Idle>>,
}

struct Idle {
    connection: Connection,
    opened: Instant,
    since: Instant,
}

impl Pool {
    /// A pool of at most `size` connections; none is opened yet.
    #[must_use]
    pub fn new(target: Target, size: usize) -> Self {
        let permits = Arc::new(Semaphore::new(size));
        Self(Arc::new(Inner { target, permits, idle: Mutex::new(VecDeque::new()) }))
    }

    /// Where its connections lead.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.0.target
    }

    /// Takes a connection, opening one when none is idle.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when none came free, else what opening one said.
    pub async fn acquire(&self) -> Result<Session, StoreError> {
        let permit = tokio::time::timeout(ACQUIRE_TIMEOUT, self.0.permits.clone().acquire_owned());
        let permit = permit.await.map_err(|_| StoreError::Busy(ACQUIRE_TIMEOUT))?;
        let permit = permit.map_err(|_| StoreError::Away("the pool is closed".to_owned()))?;
        while let Some(mut idle) = self.0.pop() {
            if idle.opened.elapsed() > MAX_LIFETIME {
                continue;
            }
            if idle.since.elapsed() > PING_AFTER && idle.connection.ping(PING_TIMEOUT).await.is_err() {
                continue;
            }
            return Ok(self.session(idle.connection, idle.opened, permit));
        }
        let connection = Connection::open(&self.0.target, CONNECT_TIMEOUT).await?;
        Ok(self.session(connection, Instant::now(), permit))
    }

    fn session(&self, connection: Connection, opened: Instant, permit: OwnedSemaphorePermit) -> Session {
        Session { connection: Some(connection), opened, pool: self.0.clone(), _permit: permit }
    }

    /// Closes what is idle: after one connection was lost, the others are not to be trusted either.
    pub fn forget_idle(&self) {
        let forgotten = std::mem::take(&mut *self.0.lock());
        drop(forgotten);
    }

    /// Closes what is idle and refuses what comes.
    pub fn close(&self) {
        self.0.permits.close();
        self.0.lock().clear();
    }
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pop(&self) -> Option<Idle> {
        self.lock().pop_back()
    }
}

/// A connection out of the pool; it goes back when dropped, unless it isn't clean: then it is closed.
pub struct Session {
    connection: Option<Connection>,
    opened: Instant,
    pool: Arc<Inner>,
    _permit: OwnedSemaphorePermit,
}

impl std::ops::Deref for Session {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("a session has its connection until it is dropped")
    }
}

impl std::ops::DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("a session has its connection until it is dropped")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if connection.is_clean() && !self.pool.permits.is_closed() {
            self.pool.lock().push_back(Idle { connection, opened: self.opened, since: Instant::now() });
        }
    }
}
