//! Who may call what: every handler runs behind [`admit`] with the access its route declares.
//!
//! Credentials are looked at in one order: `X-Admin-Token`, then `Authorization: Bearer`, then the session cookie; one
//! that is sent and wrong is refused, whatever else was sent. Server keys never read. A right admin token is never
//! refused for the wrong ones sent before it.

use std::net::IpAddr;

use poem::Request;
use poem::http::header;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::Secret;
use crate::error::ApiError;
use crate::error::STORAGE_RETRY_SECONDS;
use crate::http::origin;
use crate::http::route::{Access, client_of};
use crate::http::state::AppState;
use crate::key::{KeyKind, KeyStatus, VerifiedKey};
use crate::limit::ClientGate;

/// What a caller may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Every project.
    All,
    /// One project.
    Project(i64),
}

impl Reader {
    /// Whether it may read this project.
    #[must_use]
    pub fn may_read(self, project_id: i64) -> bool {
        match self {
            Self::All => true,
            Self::Project(own) => own == project_id,
        }
    }
}

/// Who calls, as far as the route asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody in particular; an ingest handler checks the signature itself.
    Anyone,
    /// May read.
    Reader(Reader),
    /// May do everything.
    Admin,
    /// May read the metrics.
    Scraper,
}

/// The tokens of the settings, as digests.
pub struct Guard {
    admin: Option<[u8; 32]>,
    metrics: Option<[u8; 32]>,
}

impl Guard {
    /// From the settings. An empty token lets nobody in.
    #[must_use]
    pub fn new(admin: &Secret, metrics: Option<&Secret>) -> Self {
        let digest = |secret: &Secret| (!secret.expose().is_empty()).then(|| digest_of(secret.expose()));
        Self { admin: digest(admin), metrics: metrics.and_then(digest) }
    }
}

/// Takes the admin token and nothing else.
///
/// # Errors
/// `Unauthorized`, and after too many wrong tokens of this client within a minute `RateLimitedClient`.
pub fn require_admin_token(state: &AppState, token: &str, client: IpAddr) -> Result<(), ApiError> {
    if matches(state.guard.admin, token) { Ok(()) } else { Err(count_wrong(state, client)) }
}

fn count_wrong(state: &AppState, client: IpAddr) -> ApiError {
    match state.limiter.check_client(client.into(), ClientGate::WrongToken) {
        Ok(()) => ApiError::Unauthorized,
        Err(limit) => ApiError::RateLimitedClient(limit),
    }
}

/// Digests are compared, so that the time says nothing about how much of a token was right or how long it is.
fn matches(expected: Option<[u8; 32]>, token: &str) -> bool {
    let given = digest_of(token);
    expected.is_some_and(|expected| bool::from(expected.ct_eq(&given)))
}

fn digest_of(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Who a request's credentials say it is.
enum Holder {
    /// No credentials.
    Nobody,
    /// `ADMIN_TOKEN`.
    AdminToken,
    /// `METRICS_TOKEN`.
    MetricsToken,
    /// A good session cookie.
    Session,
    /// A key this service made.
    Key(VerifiedKey),
}

/// Lets a request through to the handler, or not.
///
/// # Errors
/// `Unauthorized`, `RateLimitedClient` for guessing, `Forbidden` for a cookie used from another site, and
/// `StorageUnavailable` for a read key the database can't be asked about.
pub async fn admit(state: &AppState, access: Access, request: &Request) -> Result<Caller, ApiError> {
    if matches!(access, Access::Public | Access::Ingest) {
        return Ok(Caller::Anyone);
    }
    let holder = identify(state, request)?;
    if matches!(holder, Holder::Session) && !origin::is_safe(request.method()) {
        origin::require_same_origin(request, &state.config)?;
    }
    match (access, holder) {
        (Access::Read, Holder::AdminToken | Holder::Session) => Ok(Caller::Reader(Reader::All)),
        (Access::Read, Holder::Key(key)) => reader_of(state, &key).await,
        (Access::Admin, Holder::AdminToken | Holder::Session) => Ok(Caller::Admin),
        (Access::Metrics, Holder::AdminToken | Holder::Session | Holder::MetricsToken) => Ok(Caller::Scraper),
        _ => Err(ApiError::Unauthorized),
    }
}

/// Whether an admin asks a public route; what isn't right is the public. Guessing here is counted as everywhere.
#[must_use]
pub fn is_admin(state: &AppState, request: &Request) -> bool {
    matches!(identify(state, request), Ok(Holder::AdminToken | Holder::Session))
}

fn identify(state: &AppState, request: &Request) -> Result<Holder, ApiError> {
    let Some(token) = token_of(request)? else {
        let now = state.clock.now();
        let secure = origin::is_secure(request, &state.config);
        let session = state.sessions.of_request(request, secure, now);
        return Ok(if session.is_some() { Holder::Session } else { Holder::Nobody });
    };
    if matches(state.guard.admin, token) {
        return Ok(Holder::AdminToken);
    }
    if matches(state.guard.metrics, token) {
        return Ok(Holder::MetricsToken);
    }
    // A key this service made is no guess, even where it opens nothing.
    match state.key_ring.check(token) {
        Some(key) => Ok(Holder::Key(key)),
        None => Err(count_wrong(state, client_of(state, request))),
    }
}

async fn reader_of(state: &AppState, key: &VerifiedKey) -> Result<Caller, ApiError> {
    if key.kind != KeyKind::Read {
        return Err(ApiError::Unauthorized);
    }
    match state.key_status(key).await {
        KeyStatus::Active(project) => Ok(Caller::Reader(Reader::Project(project.id))),
        // Whether the key is revoked can't be told now, so it doesn't read.
        KeyStatus::Unknown => Err(ApiError::StorageUnavailable(STORAGE_RETRY_SECONDS)),
        KeyStatus::Revoked => Err(ApiError::Unauthorized),
    }
}

/// Whether a request that was let through came by a token, and not by a session.
#[must_use]
pub fn has_token(request: &Request) -> bool {
    !matches!(token_of(request), Ok(None))
}

/// The token of a request's headers, if it has one.
fn token_of(request: &Request) -> Result<Option<&str>, ApiError> {
    if request.headers().contains_key("x-admin-token") {
        return single(request, "x-admin-token").map(Some);
    }
    if !request.headers().contains_key(header::AUTHORIZATION) {
        return Ok(None);
    }
    let value = single(request, "authorization")?;
    // Another scheme (a proxy's Basic, say) is not for us.
    let bearer = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    Ok(bearer.map(|(_, token)| token.trim_start_matches(' ')))
}

fn single<'a>(request: &'a Request, name: &str) -> Result<&'a str, ApiError> {
    let mut values = request.headers().get_all(name).iter();
    match (values.next().and_then(|value| value.to_str().ok()), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(ApiError::Unauthorized),
    }
}
