//! Keeps a host from putting the service to sleep while the spool holds something: on a free host the disk, and with
//! it what waits in the spool, goes when the instance does.
//!
//! Every five minutes it fetches its own `PUBLIC_URL/healthz`, which the host's proxy counts as a request. Without
//! `PUBLIC_URL` or a spool, or with an empty spool, nothing is fetched.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::outbound::{Outbound, Request, Target, Trust};
use crate::spool::Spool;
use crate::timestamp::Timestamp;

/// Time between two requests; hosts put a service to sleep after fifteen minutes.
pub const EVERY_MS: i64 = 300_000;
/// How often it looks whether one is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The owned task.
pub struct KeepAwake {
    spool: Spool,
    clock: Clock,
    outbound: Outbound,
    target: Target,
    failing: bool,
}

impl KeepAwake {
    /// Keeps the service at `public_url` awake; `None` where that is no address to fetch.
    #[must_use]
    pub fn new(spool: Spool, clock: Clock, outbound: Outbound, public_url: &str) -> Option<Self> {
        let target = Target::parse(&format!("{public_url}/healthz")).ok()?;
        Some(Self { spool, clock, outbound, target, failing: false })
    }

    /// Works until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.watch() => {}
        }
    }

    async fn watch(&mut self) {
        let mut waiting_since: Option<Timestamp> = None;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if self.spool.depth().is_empty() {
                waiting_since = None;
                continue;
            }
            let now = self.clock.now();
            // What was spooled came in by a request, so the host's own count begins there.
            let since = *waiting_since.get_or_insert(now);
            if now.as_millis().saturating_sub(since.as_millis()) >= EVERY_MS {
                waiting_since = Some(now);
                self.fetch().await;
            } else if now < since {
                // The clock went back; waiting for it to catch up could take too long.
                waiting_since = Some(now);
            }
        }
    }

    /// Any answer means that the host's proxy had a request for us.
    async fn fetch(&mut self) {
        match self.outbound.send(Request::get(&self.target), Trust::Operator).await {
            Ok(answer) => {
                tracing::debug!(status = answer.status, "kept awake for the spool");
                self.failing = false;
            }
            Err(error) if !self.failing => {
                tracing::warn!(%error, "PUBLIC_URL can't be reached from here: the host may put the service to sleep");
                self.failing = true;
            }
            Err(_) => {}
        }
    }
}
