//! What pages of other sites may do: send logs and read the client settings, never with credentials.
//!
//! Because no credentials go along, any origin is allowed; a page can do nothing here that a script without a browser
//! could not do.

use poem::Response;
use poem::http::{HeaderName, HeaderValue, StatusCode, header};

const ALLOWED_HEADERS: &str = "authorization, content-encoding, content-type, idempotency-key, x-project-key, \
                               x-request-id, x-sentry-auth, x-signature, x-timestamp";
const EXPOSED_HEADERS: &str = "x-request-id, retry-after, ratelimit, ratelimit-policy, x-sentry-rate-limits";

/// Lets any page read the response.
pub fn open(response: &mut Response) {
    set(response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    set(response, header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
}

/// The answer to a browser that asks before it sends; `methods` is a list such as `POST, OPTIONS`.
#[must_use]
pub fn preflight(methods: HeaderValue) -> Response {
    let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
    set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    set(&mut response, header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    set(&mut response, header::ACCESS_CONTROL_MAX_AGE, "86400");
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    response
}

fn set(response: &mut Response, name: HeaderName, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}
