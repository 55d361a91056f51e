//! Everything that can be refused: one variant, one stable code, one status, one public sentence.
//!
//! Internals never reach a client; [`crate::http`] turns an [`ApiError`] into `application/problem+json`.

use std::borrow::Cow;

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

/// What a 429 tells the client (RateLimit headers of draft-ietf-httpapi-ratelimit-headers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Allowed per minute.
    pub per_minute: u32,
    /// Whole seconds until the same request can pass, rounded up, at least 1.
    pub retry_after: u32,
}
