//! How the request reached us: over HTTPS or not, and from which page.
//!
//! `PUBLIC_URL` decides; what a proxy says in `X-Forwarded-Proto` can only concern the request that says it.

use poem::Request;
use poem::http::{Method, header};

use crate::config::Config;
use crate::error::ApiError;

/// Whether the service is reached at `https://` by its settings.
#[must_use]
pub fn is_public_https(config: &Config) -> bool {
    config.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
}

/// Whether a proxy says this request came over plain HTTP (false) or HTTPS (true).
fn forwarded_https(request: &Request) -> Option<bool> {
    let first = request.header("x-forwarded-proto")?.split(',').next()?.trim();
    if first.eq_ignore_ascii_case("https") {
        Some(true)
    } else {
        first.eq_ignore_ascii_case("http").then_some(false)
    }
}

/// Whether cookies of this request are those of an HTTPS page.
#[must_use]
pub fn is_secure(request: &Request, config: &Config) -> bool {
    is_public_https(config) || forwarded_https(request) == Some(true)
}

/// Whether this request itself came over plain HTTP though the service has an HTTPS address.
#[must_use]
pub fn is_downgraded(request: &Request, config: &Config) -> bool {
    is_public_https(config) && forwarded_https(request) == Some(false)
}

/// Whether a request changes nothing by its method.
#[must_use]
pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Refuses a request that carries a cookie but was made by a page of another site.
///
/// # Errors
/// `Forbidden` unless the browser says `Sec-Fetch-Site: same-origin`, or names our own origin in `Origin`.
pub fn require_same_origin(request: &Request, config: &Config) -> Result<(), ApiError> {
    if request.header("sec-fetch-site") == Some("same-origin") {
        return Ok(());
    }
    let own = own_origin(request, config);
    match (request.header(header::ORIGIN), own) {
        (Some(sent), Some(own)) if sent.eq_ignore_ascii_case(&own) => Ok(()),
        _ => Err(ApiError::Forbidden(
            "A session changes things only from this service's own pages.".to_owned(),
        )),
    }
}

/// `PUBLIC_URL`, or where there is none the origin the browser must have used to reach us.
fn own_origin(request: &Request, config: &Config) -> Option<String> {
    if let Some(url) = &config.public_url {
        return Some(url.clone());
    }
    let host = request.header(header::HOST)?;
    let scheme = if is_secure(request, config) { "https" } else { "http" };
    Some(format!("{scheme}://{host}"))
}
