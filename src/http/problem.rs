//! Errors as `application/problem+json` (RFC 9457), the only shape in which this API refuses anything.
//!
//! The document has the members `type`, `title`, `status`, `code`, `detail` and `request_id`; a batch of which every
//! event was refused adds `received` and `rejected`. Nothing internal gets here: [`ApiError`] holds public text only.

use poem::http::{HeaderName, HeaderValue, StatusCode, header};
use poem::{Body, Response};
use serde_json::{Value, json};

use crate::error::{ApiError, RateLimit};
use crate::http::request_id::RequestId;

/// The code of the problem in a response, kept beside it for our own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProblemCode(pub &'static str);

/// The response for a refused request.
#[must_use]
pub fn respond(error: &ApiError, request_id: &RequestId) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::builder()
        .status(status)
        .content_type("application/problem+json")
        .extension(ProblemCode(error.code()))
        .body(Body::from_string(document(error, request_id).to_string()));
    response.headers_mut().extend(headers_of(error));
    response
}

/// What a failure inside poem (an unknown path, an unreadable body) is in our own terms.
#[must_use]
pub fn from_framework(error: &poem::Error) -> ApiError {
    match error.status().as_u16() {
        404 => ApiError::NotFound,
        405 => ApiError::MethodNotAllowed,
        413 => ApiError::PayloadTooLarge("The body is larger than this address takes.".to_owned()),
        400..=499 => ApiError::InvalidParameter("The request can't be read.".to_owned()),
        _ => ApiError::Internal,
    }
}

fn document(error: &ApiError, request_id: &RequestId) -> Value {
    let mut document = json!({
        "type": format!("urn:tekno-logger:problem:{}", error.code()),
        "title": error.title(),
        "status": error.status(),
        "code": error.code(),
        "detail": error.detail(),
        "request_id": request_id.as_str(),
    });
    if let ApiError::AllRejected { received, rejected } = error {
        document["received"] = json!(received);
        document["rejected"] = super::ingest::rejected_json(rejected);
    }
    document
}

/// `WWW-Authenticate` where RFC 9110 asks for it; `Retry-After`, and for a limit the two fields of
/// draft-ietf-httpapi-ratelimit-headers: the policy (`q` allowed in `w` seconds) and what is left of it (`r`, for `t`
/// more seconds).
fn headers_of(error: &ApiError) -> Vec<(HeaderName, HeaderValue)> {
    let value =
        |text: String| HeaderValue::try_from(text).expect("digits, quotes and letters are a header value");
    let retry_after = |seconds: u32| (header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    let limit_headers = |policy: &str, limit: RateLimit| {
        let retry = limit.retry_after.max(1);
        vec![
            retry_after(retry),
            (
                HeaderName::from_static("ratelimit-policy"),
                value(format!("\"{policy}\";q={};w=60", limit.per_minute)),
            ),
            (HeaderName::from_static("ratelimit"), value(format!("\"{policy}\";r=0;t={retry}"))),
        ]
    };
    match error {
        ApiError::RateLimitedProject(limit) => limit_headers("project", *limit),
        ApiError::RateLimitedClient(limit) => limit_headers("client", *limit),
        ApiError::Overloaded(seconds) | ApiError::StorageUnavailable(seconds) => vec![retry_after(*seconds)],
        ApiError::Unauthorized => vec![(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))],
        _ => Vec::new(),
    }
}
