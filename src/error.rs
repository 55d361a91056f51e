//! Everything that can be refused: one variant, one stable code, one status, one public sentence.
//!
//! Internals never reach a client; [`crate::http`] turns an [`ApiError`] into `application/problem+json`.

use std::borrow::Cow;

use crate::store::{MAX_PROJECTS, ProjectError, StoreError};

/// One refused event of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Position in the batch as sent, from 0.
    pub index: u32,
    /// Stable code, such as `message_missing`.
    pub code: &'static str,
    /// One sentence for a person.
    pub detail: Cow<'static, str>,
}

/// Why a request was refused. The string in a variant is the public `detail`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiError {
    /// 400 `invalid_json`: the body is not JSON, or there is nothing in it to read.
    InvalidJson(String),
    /// 400 `invalid_parameter`: a query parameter or field is wrong; the detail names it.
    InvalidParameter(String),
    /// 400 `invalid_encoding`: the body doesn't inflate as its Content-Encoding says.
    InvalidEncoding(String),
    /// 401 `unauthorized`: one answer for every cause.
    Unauthorized,
    /// 403 `forbidden`: a cross-site request with a cookie.
    Forbidden(String),
    /// 404 `not_found`.
    NotFound,
    /// 405 `method_not_allowed`.
    MethodNotAllowed,
    /// 408 `request_timeout`: the body did not arrive in time.
    RequestTimeout,
    /// 409 `slug_taken`.
    SlugTaken,
    /// 409 `idempotency_conflict`: the same batch id came with another body.
    IdempotencyConflict,
    /// 409 `maintenance_running`: another instance has the lease; the detail says which and for how long.
    MaintenanceRunning(String),
    /// 409 `rule_exists`: the project has an alert rule of this kind; the detail has its number.
    RuleExists(String),
    /// 409 `still_refused`: the database still refuses an event in quarantine; the detail says why in our words.
    StillRefused(String),
    /// 413 `payload_too_large`: more bytes than allowed; the detail has the limit.
    PayloadTooLarge(String),
    /// 413 `too_many_events`: more events than a request may have.
    TooManyEvents(String),
    /// 413 `batch_exceeds_cap`: more events than the project may send in a minute.
    BatchExceedsCap(String),
    /// 415 `unsupported_encoding`: unknown Content-Encoding.
    UnsupportedEncoding(String),
    /// 422 `all_events_rejected`.
    AllRejected {
        /// How many events the batch had.
        received: u32,
        /// Each with its reason.
        rejected: Vec<Rejection>,
    },
    /// 422 `invalid_field`: an admin's input is out of range; the detail names the field.
    InvalidField(String),
    /// 429 `rate_limited_project`.
    RateLimitedProject(RateLimit),
    /// 429 `rate_limited_client`.
    RateLimitedClient(RateLimit),
    /// 503 `overloaded`: a memory budget or queue is full; seconds until a retry is worth it.
    Overloaded(u32),
    /// 503 `storage_unavailable`: the database can't take or give anything now.
    StorageUnavailable(u32),
    /// 500 `internal`: a fault of ours, logged where it happened.
    Internal,
}

/// Seconds a client is told to wait while the database is away.
pub const STORAGE_RETRY_SECONDS: u32 = 5;

impl From<StoreError> for ApiError {
    /// Patience where the database is away or busy; a fault of ours, logged here, where it isn't.
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Conflict(_)) || error.is_away() {
            tracing::warn!(%error, "the database did not answer a request");
            return Self::StorageUnavailable(STORAGE_RETRY_SECONDS);
        }
        if matches!(error, StoreError::Busy(_)) {
            tracing::warn!(%error, "too much is asked of the database at once");
            return Self::Overloaded(1);
        }
        tracing::error!(%error, "the database refused a request");
        Self::Internal
    }
}

impl From<ProjectError> for ApiError {
    fn from(error: ProjectError) -> Self {
        match error {
            ProjectError::SlugTaken => Self::SlugTaken,
            ProjectError::TooMany => {
                Self::InvalidField(format!("This service holds at most {MAX_PROJECTS} projects."))
            }
            ProjectError::Store(error) => error.into(),
        }
    }
}

/// What a 429 tells the client (RateLimit headers of draft-ietf-httpapi-ratelimit-headers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Allowed per minute.
    pub per_minute: u32,
    /// Whole seconds until the same request can pass, rounded up, at least 1.
    pub retry_after: u32,
}

impl ApiError {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::InvalidJson(_) | Self::InvalidParameter(_) | Self::InvalidEncoding(_) => 400,
            Self::Unauthorized => 401,
            Self::Forbidden(_) => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::SlugTaken
            | Self::IdempotencyConflict
            | Self::MaintenanceRunning(_)
            | Self::RuleExists(_)
            | Self::StillRefused(_) => 409,
            Self::PayloadTooLarge(_) | Self::TooManyEvents(_) | Self::BatchExceedsCap(_) => 413,
            Self::UnsupportedEncoding(_) => 415,
            Self::AllRejected { .. } | Self::InvalidField(_) => 422,
            Self::RateLimitedProject(_) | Self::RateLimitedClient(_) => 429,
            Self::Internal => 500,
            Self::Overloaded(_) | Self::StorageUnavailable(_) => 503,
        }
    }

    /// The stable code clients may rely on.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidJson(_) => "invalid_json",
            Self::InvalidParameter(_) => "invalid_parameter",
            Self::InvalidEncoding(_) => "invalid_encoding",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::SlugTaken => "slug_taken",
            Self::IdempotencyConflict => "idempotency_conflict",
            Self::MaintenanceRunning(_) => "maintenance_running",
            Self::RuleExists(_) => "rule_exists",
            Self::StillRefused(_) => "still_refused",
            Self::PayloadTooLarge(_) => "payload_too_large",
            Self::TooManyEvents(_) => "too_many_events",
            Self::BatchExceedsCap(_) => "batch_exceeds_cap",
            Self::UnsupportedEncoding(_) => "unsupported_encoding",
            Self::AllRejected { .. } => "all_events_rejected",
            Self::InvalidField(_) => "invalid_field",
            Self::RateLimitedProject(_) => "rate_limited_project",
            Self::RateLimitedClient(_) => "rate_limited_client",
            Self::Overloaded(_) => "overloaded",
            Self::StorageUnavailable(_) => "storage_unavailable",
            Self::Internal => "internal",
        }
    }

    /// A short name of the kind of error, the same for every occurrence.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        match self {
            Self::InvalidJson(_) => "The body is not readable JSON",
            Self::InvalidParameter(_) => "A parameter is wrong",
            Self::InvalidEncoding(_) => "The body does not inflate",
            Self::Unauthorized => "Not authorized",
            Self::Forbidden(_) => "Not allowed from here",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::RequestTimeout => "The body came too slowly",
            Self::SlugTaken => "The slug is taken",
            Self::IdempotencyConflict => "The same batch id with another body",
            Self::MaintenanceRunning(_) => "Another instance maintains",
            Self::RuleExists(_) => "There is such a rule",
            Self::StillRefused(_) => "The database still refuses it",
            Self::PayloadTooLarge(_) => "The body is too large",
            Self::TooManyEvents(_) => "Too many events in one request",
            Self::BatchExceedsCap(_) => "The batch exceeds the project's cap",
            Self::UnsupportedEncoding(_) => "Unknown content encoding",
            Self::AllRejected { .. } => "Every event was refused",
            Self::InvalidField(_) => "A field is wrong",
            Self::RateLimitedProject(_) => "The project sends too much",
            Self::RateLimitedClient(_) => "Too many requests",
            Self::Overloaded(_) => "Too busy",
            Self::StorageUnavailable(_) => "The storage is not available",
            Self::Internal => "Internal error",
        }
    }

    /// One sentence about this occurrence, fit for any client.
    #[must_use]
    pub fn detail(&self) -> Cow<'_, str> {
        match self {
            Self::InvalidJson(detail)
            | Self::InvalidParameter(detail)
            | Self::InvalidEncoding(detail)
            | Self::Forbidden(detail)
            | Self::MaintenanceRunning(detail)
            | Self::RuleExists(detail)
            | Self::StillRefused(detail)
            | Self::PayloadTooLarge(detail)
            | Self::TooManyEvents(detail)
            | Self::BatchExceedsCap(detail)
            | Self::UnsupportedEncoding(detail)
            | Self::InvalidField(detail) => Cow::Borrowed(detail),
            Self::Unauthorized => Cow::Borrowed("The credentials are missing or wrong."),
            Self::NotFound => Cow::Borrowed("There is nothing at this address."),
            Self::MethodNotAllowed => Cow::Borrowed("This address takes the methods named in Allow."),
            Self::RequestTimeout => Cow::Borrowed("The body did not arrive in time."),
            Self::SlugTaken => Cow::Borrowed("Another project has this slug."),
            Self::IdempotencyConflict => {
                Cow::Borrowed("A batch with this id was stored before, with another body.")
            }
            Self::AllRejected { received, .. } => {
                Cow::Owned(format!("None of the {received} events could be stored; each has its reason."))
            }
            Self::RateLimitedProject(limit) => Cow::Owned(format!(
                "The project may send {} events a minute; nothing was stored.",
                limit.per_minute
            )),
            Self::RateLimitedClient(limit) => {
                Cow::Owned(format!("At most {} of these a minute from one address.", limit.per_minute))
            }
            Self::Overloaded(_) => Cow::Borrowed("The service has no room for this now; try again."),
            Self::StorageUnavailable(_) => Cow::Borrowed("The storage can't answer now; try again."),
            Self::Internal => Cow::Borrowed("The service failed; the request id finds the cause in its log."),
        }
    }
}
