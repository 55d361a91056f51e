//! What the service says about itself: alive, ready, its limits, its metrics.
//!
//! Nothing here touches the database: the tasks that do leave their findings in [`Health`], so that a database that
//! hangs never makes a platform restart the service.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use poem::Response;
use poem::http::{StatusCode, header};
use prometheus_client::encoding::text::encode;
use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::event::Level;
use crate::http::guard;
use crate::http::json;
use crate::http::route::{Call, Reply};
use crate::quarantine::{MAX_BYTES, MAX_EVENTS};
use crate::spool::{DropReason, Spool};
use crate::store::{DatabaseStatus, Store};
use crate::timestamp::Timestamp;

/// What the tasks of the service found out about it.
pub struct Health {
    started_at: Timestamp,
    store: Store,
    /// By the check's name: what is wrong, for an admin; `None` is well. Names are fixed text, so this is bounded.
    checks: RwLock<BTreeMap<&'static str, Option<String>>>,
}

impl Health {
    /// A service that started at a time, on a database.
    #[must_use]
    pub fn new(started_at: Timestamp, store: Store) -> Self {
        Self { started_at, store, checks: RwLock::default() }
    }

    /// Leaves the finding of a check: `None` when all is well, else one sentence for an admin, without secrets.
    pub fn set_check(&self, name: &'static str, problem: Option<String>) {
        self.checks.write().unwrap_or_else(PoisonError::into_inner).insert(name, problem);
    }

    /// Whether a check found something wrong.
    #[must_use]
    pub fn is_wrong(&self, name: &str) -> bool {
        self.checks.read().unwrap_or_else(PoisonError::into_inner).get(name).is_some_and(Option::is_some)
    }

    /// All findings, the database's own among them.
    fn findings(&self) -> BTreeMap<&'static str, Option<String>> {
        let mut findings = self.checks.read().unwrap_or_else(PoisonError::into_inner).clone();
        let status = self.store.status();
        let finding = findings.entry("database").or_default();
        if status != DatabaseStatus::Connected && finding.is_none() {
            *finding = Some(format!("The database is {}.", status.name()));
        }
        findings
    }
}

/// `GET /healthz`: 200 at once, whatever the database does.
///
/// # Errors
/// None.
pub async fn healthz(call: Call) -> Reply {
    let health = &call.state.health;
    let uptime = call.state.clock.now().as_seconds() - health.started_at.as_seconds();
    let answer = json!({
        "ok": true,
        "database": health.store.status().name(),
        "uptime": uptime.max(0),
        "version": env!("CARGO_PKG_VERSION"),
    });
    Ok(json::reply(StatusCode::OK, &answer))
}

/// `GET /readyz`: 200 when every check is well, else 503; an admin sees why.
///
/// # Errors
/// None.
pub async fn readyz(call: Call) -> Reply {
    let mut findings = call.state.health.findings();
    let quarantine = &call.state.quarantine;
    if let Some(trouble) = quarantine.trouble() {
        findings.insert("quarantine", Some(trouble));
    }
    let ready = findings.values().all(Option::is_none);
    let for_admin = guard::is_admin(&call.state, &call.request);
    let checks: Map<String, Value> = findings
        .into_iter()
        .map(|(name, problem)| {
            let ok = problem.is_none();
            let finding = if for_admin { json!({ "ok": ok, "detail": problem }) } else { json!(ok) };
            (name.to_owned(), finding)
        })
        .collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut answer = json!({ "ready": ready, "checks": checks });
    if for_admin {
        let (events, bytes) = quarantine.size();
        answer["quarantine"] =
            json!({ "events": events, "bytes": bytes, "max_events": MAX_EVENTS, "max_bytes": MAX_BYTES });
    }
    if let Some(spool) = call.state.spool.as_ref().filter(|_| for_admin) {
        answer["spool"] = spool_json(spool, call.state.clock.now());
    }
    let mut response = json::reply(status, &answer);
    if !ready {
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
    }
    Ok(response)
}

/// What an admin is told of the spool.
fn spool_json(spool: &Spool, now: Timestamp) -> Value {
    let (depth, counters) = (spool.depth(), spool.counters());
    json!({
        "state": spool.state().name(),
        "blocks": depth.blocks,
        "events": depth.events,
        "bytes": depth.bytes,
        "max_bytes": spool.max_bytes(),
        "held_groups": depth.held,
        "lost_groups": counters.lost_groups(),
        "oldest_age_seconds": spool.oldest_age(now).map(|age| age.as_secs()),
        "drained_events": counters.drained(),
        "stored_before_events": counters.stored_before(),
        "drained_per_second": counters.drain_rate().round(),
        "dropped_events": {
            "project_deleted": counters.dropped(DropReason::ProjectDeleted),
            "key_revoked": counters.dropped(DropReason::KeyRevoked),
            "damaged": counters.dropped(DropReason::Damaged),
        },
    })
}

/// `GET /config`: what a client should know before it sends; may be cached five minutes.
///
/// # Errors
/// None.
pub async fn client_config(call: Call) -> Reply {
    let limits = &call.state.config.limits;
    let sampling: Map<String, Value> =
        Level::ALL.into_iter().map(|level| (level.name().to_owned(), json!(1.0))).collect();
    let answer = json!({
        "max_payload_bytes": limits.max_payload_bytes,
        "max_inflated_bytes": limits.max_inflated_bytes,
        "max_events_per_post": limits.max_events_per_post,
        "rate_limit_per_minute": limits.rate_limit_per_minute,
        "rate_limit_per_ip": limits.rate_limit_per_ip,
        "content_encodings": ["identity", "gzip", "deflate", "br", "zstd"],
        "levels": Level::ALL.map(Level::name),
        "sampling": sampling,
    });
    let mut response = json::reply(StatusCode::OK, &answer);
    let cacheable = header::HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(header::CACHE_CONTROL, cacheable);
    Ok(response)
}

/// `GET /metrics`: the registry as `OpenMetrics` text.
///
/// # Errors
/// 500 when a metric can't be written, which would be a fault of ours.
pub async fn metrics(call: Call) -> Reply {
    let mut text = String::new();
    encode(&mut text, &call.state.metrics).map_err(|_| ApiError::Internal)?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(Response::builder().content_type(kind).body(text))
}

/// `GET /`: to the pages.
///
/// # Errors
/// None.
pub async fn root(_call: Call) -> Reply {
    Ok(Response::builder().status(StatusCode::FOUND).header(header::LOCATION, "/ui/").finish())
}
