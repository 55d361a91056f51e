//! Rate limits in memory: per client address and per project, by governor's GCRA.
//!
//! Each instance enforces for itself; the truth about counts is in the database. Memory is bounded whatever
//! addresses come: see [`ClientTable`] for who shares a bucket when there are more clients than keys. A cap of
//! 0 switches a limit off. Nothing here is charged for a refused request, and the events of a batch that does not
//! get stored (a duplicate, a conflict, no room, no storage) are given back to its project: the cap is on what is stored.
//! Its request stays charged, so that sending the same again and again has its bound too.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::{NotUntil, Quota, RateLimiter};

use crate::config::Limits;
use crate::error::{ApiError, RateLimit};

mod client_key;
mod client_table;
mod projects;
#[cfg(test)]
mod tests;

pub use client_key::ClientKey;
pub use client_table::{ClientTable, MAX_CLIENT_KEYS, OVERFLOW_BUCKETS};
pub use projects::{Charge, MAX_PROJECT_KEYS};

use client_table::{GateStore, TableKey};
use projects::ProjectLimits;

/// Requests a minute and address on the compatible routes once their key is known to be valid; a higher
/// `RATE_LIMIT_PER_IP` raises it.
pub const COMPAT_PER_MINUTE: u32 = 1_000;

/// Wrong admin tokens a minute and address.
pub const WRONG_TOKENS_PER_MINUTE: u32 = 10;

/// Which of a client's allowances a request draws on; each is counted for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientGate {
    /// Ingest requests: `RATE_LIMIT_PER_IP`.
    Ingest,
    /// Requests to a compatible route with a valid key: [`COMPAT_PER_MINUTE`].
    CompatWithKey,
    /// Reads and admin requests: `READ_RATE_LIMIT_PER_IP`.
    Read,
    /// Wrong admin tokens, to be charged only after a token proved wrong: [`WRONG_TOKENS_PER_MINUTE`].
    WrongToken,
}

type ClientLimiter<C> = RateLimiter<TableKey, GateStore<C>, C, NoOpMiddleware<<C as Clock>::Instant>>;

struct Gate<C: Clock> {
    per_minute: u32,
    limiter: Option<ClientLimiter<C>>,
}

/// All limits of one instance. The clock is a parameter so that tests can move it.
pub struct Limiter<C: Clock = MonotonicClock> {
    clock: C,
    table: ClientTable<C>,
    ingest: Gate<C>,
    compat: Gate<C>,
    read: Gate<C>,
    wrong_token: Gate<C>,
    projects: ProjectLimits<C>,
}

impl Limiter {
    /// Limits as configured, on the machine's monotonic clock. (Not governor's default clock, which spends
    /// up to 200 ms calibrating itself at start.)
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self::with_clock(limits, MonotonicClock)
    }
}

impl<C: Clock + Clone> Limiter<C> {
    /// Limits as configured, on a given clock.
    #[must_use]
    pub fn with_clock(limits: &Limits, clock: C) -> Self {
        let table = ClientTable::new(clock.clone());
        let gate = |per_minute: u32| {
            let limiter = quota(per_minute)
                .map(|quota| RateLimiter::new(quota, GateStore::new(table.clone()), clock.clone()));
            Gate { per_minute, limiter }
        };
        let compat = match limits.rate_limit_per_ip {
            0 => 0,
            per_minute => per_minute.max(COMPAT_PER_MINUTE),
        };
        Self {
            ingest: gate(limits.rate_limit_per_ip),
            compat: gate(compat),
            read: gate(limits.read_rate_limit_per_ip),
            wrong_token: gate(WRONG_TOKENS_PER_MINUTE),
            projects: ProjectLimits::new(clock.clone()),
            table,
            clock,
        }
    }

    /// Charges one request to a client's allowance.
    ///
    /// # Errors
    /// What to tell the client when the allowance is used up.
    pub fn check_client(&self, client: ClientKey, gate: ClientGate) -> Result<(), RateLimit> {
        let chosen = match gate {
            ClientGate::Ingest => &self.ingest,
            ClientGate::CompatWithKey => &self.compat,
            ClientGate::Read => &self.read,
            ClientGate::WrongToken => &self.wrong_token,
        };
        let Some(limiter) = &chosen.limiter else { return Ok(()) };
        limiter
            .check_key(&TableKey { client, gate })
            .map_err(|refusal| self.refused(&refusal, chosen.per_minute))
    }

    /// Charges one request to a project, before its body is parsed: a project may send as many requests a
    /// minute as events (`cap`; 0 is no limit), since each has at least one.
    ///
    /// # Errors
    /// What to tell the client when there were too many.
    pub fn check_project_request(&self, project_id: i64, cap: u32) -> Result<(), RateLimit> {
        let Some(quota) = quota(cap) else { return Ok(()) };
        self.projects.check_request(project_id, cap, quota).map_err(|refusal| self.refused(&refusal, cap))
    }

    /// Charges `events` to a project's `cap` a minute (0 is no limit), all or nothing, until the charge is dropped.
    ///
    /// # Errors
    /// [`ApiError::BatchExceedsCap`] when the batch alone is larger than the cap,
    /// [`ApiError::RateLimitedProject`] when it has to wait.
    pub fn charge_project_events(&self, project_id: i64, cap: u32, events: u32) -> Result<Charge, ApiError> {
        let (Some(quota), Some(count)) = (quota(cap), NonZeroU32::new(events)) else {
            return Ok(Charge::default());
        };
        match self.projects.charge_events(project_id, cap, quota, count) {
            Ok(Ok(charge)) => Ok(charge),
            Ok(Err(refusal)) => Err(ApiError::RateLimitedProject(self.refused(&refusal, cap))),
            Err(_insufficient) => Err(ApiError::BatchExceedsCap(format!(
                "The batch has {events} events; the project may send {cap} a minute. Send smaller batches."
            ))),
        }
    }

    /// Client keys held, of at most [`MAX_CLIENT_KEYS`].
    #[must_use]
    pub fn client_keys(&self) -> usize {
        self.table.len()
    }

    fn refused(&self, refusal: &NotUntil<C::Instant>, per_minute: u32) -> RateLimit {
        let wait = refusal.wait_time_from(self.clock.now());
        RateLimit { per_minute, retry_after: whole_seconds(wait) }
    }
}

/// A minute's worth at once, then evenly; `None` for 0.
fn quota(per_minute: u32) -> Option<Quota> {
    NonZeroU32::new(per_minute).map(Quota::per_minute)
}

/// Rounded up, at least 1.
fn whole_seconds(wait: Duration) -> u32 {
    let up = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    u32::try_from(up).unwrap_or(u32::MAX).max(1)
}
