//! Admin sessions of the pages: a signed cookie instead of the token in the browser's storage.
//!
//! The cookie is `expiry ‖ nonce ‖ HMAC`, its key derived from `HMAC_SECRET` and `ADMIN_TOKEN`: nothing is stored, any
//! instance knows it, and a change of the token ends it. A sign-out is remembered by the instance that saw it only.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use poem::http::{HeaderMap, HeaderValue, header};
use poem::{Request, Response};
use subtle::ConstantTimeEq;

use crate::config::Secret;
use crate::error::ApiError;
use crate::event::base32;
use crate::http::json::{self, Fields};
use crate::http::route::{Call, Reply};
use crate::http::{guard, origin};
use crate::key::{KeyRing, MacKey, random};
use crate::timestamp::Timestamp;

/// How long a session lasts, in seconds: 12 h.
pub const SESSION_SECONDS: i64 = 12 * 60 * 60;
/// Sign-outs remembered at once.
pub const MAX_REVOKED: usize = 10_000;

const NONCE_BYTES: usize = 16;
const MAC_BYTES: usize = 32;
const SESSION_BYTES: usize = 8 + NONCE_BYTES + MAC_BYTES;
/// Cookies of one name looked at in a request.
const MAX_COOKIES: usize = 4;
/// Longest admin token taken in a sign-in, in characters.
const MAX_TOKEN_CHARS: usize = 1_024;

/// A session that is good now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    expires_at: Timestamp,
    nonce: [u8; NONCE_BYTES],
}

/// Makes, checks and ends sessions.
pub struct Sessions {
    key: MacKey,
    revoked: Mutex<HashMap<[u8; NONCE_BYTES], Timestamp>>,
}

impl Sessions {
    /// Sessions that end when either secret changes.
    #[must_use]
    pub fn new(key_ring: &KeyRing, admin_token: &Secret) -> Self {
        let key = key_ring.derive("tekno-session-v1", admin_token.expose().as_bytes());
        Self { key: MacKey::new(&key), revoked: Mutex::default() }
    }

    /// A new session as the cookie's value.
    #[must_use]
    pub fn open(&self, now: Timestamp) -> String {
        self.encode(Session { expires_at: now.plus_millis(SESSION_SECONDS * 1000), nonce: random() })
    }

    /// Reads a cookie's value; `None` when it is not ours, over, or signed out.
    #[must_use]
    pub fn check(&self, value: &str, now: Timestamp) -> Option<Session> {
        let bytes: [u8; SESSION_BYTES] = base32().decode(value.as_bytes()).ok()?.try_into().ok()?;
        let expiry: [u8; 8] = bytes[..8].try_into().ok()?;
        let nonce: [u8; NONCE_BYTES] = bytes[8..8 + NONCE_BYTES].try_into().ok()?;
        let session = Session { expires_at: Timestamp::from_millis(i64::from_be_bytes(expiry)), nonce };
        let genuine = bool::from(self.mac(session).ct_eq(&bytes[8 + NONCE_BYTES..]));
        (genuine && session.expires_at > now && !self.revoked().contains_key(&nonce)).then_some(session)
    }

    /// Signs out. When too many sign-outs are remembered, the one whose session would end first is forgotten.
    pub fn revoke(&self, session: Session, now: Timestamp) {
        let mut revoked = self.revoked();
        if revoked.len() >= MAX_REVOKED {
            revoked.retain(|_, expires_at| *expires_at > now);
        }
        if revoked.len() >= MAX_REVOKED {
            let first = revoked.iter().min_by_key(|(_, expires_at)| **expires_at).map(|(nonce, _)| *nonce);
            first.map(|nonce| revoked.remove(&nonce));
        }
        revoked.insert(session.nonce, session.expires_at);
    }

    /// The good session of a request's cookies, if any.
    #[must_use]
    pub fn of_request(&self, request: &Request, secure: bool, now: Timestamp) -> Option<Session> {
        cookies(request.headers(), cookie_name(secure)).find_map(|value| self.check(value, now))
    }

    fn encode(&self, session: Session) -> String {
        let mut bytes = Vec::with_capacity(SESSION_BYTES);
        bytes.extend_from_slice(&session.expires_at.as_millis().to_be_bytes());
        bytes.extend_from_slice(&session.nonce);
        bytes.extend_from_slice(&self.mac(session));
        base32().encode(&bytes)
    }

    fn mac(&self, session: Session) -> [u8; MAC_BYTES] {
        self.key.mac(&[&session.expires_at.as_millis().to_be_bytes(), &session.nonce])
    }

    fn revoked(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; NONCE_BYTES], Timestamp>> {
        // A poisoned lock only says that a thread panicked; the map is whole after each step.
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `POST /session`: the admin token for a cookie.
///
/// # Errors
/// 401 for a wrong token, 429 after too many of them, 400/422 for a body that isn't `{"token":"…"}`.
pub async fn sign_in(mut call: Call) -> Reply {
    let mut fields = Fields::parse(&json::read(&mut call).await?)?;
    let token = fields.text("token", 1..=MAX_TOKEN_CHARS)?;
    let token = token.ok_or_else(|| fields.wrong("token", "is missing"))?;
    fields.finish()?;
    guard::require_admin_token(&call.state, &token, call.client())?;
    let value = call.state.sessions.open(call.state.clock.now());
    Ok(with_cookie(&value, SESSION_SECONDS, origin::is_secure(&call.request, &call.state.config)))
}

/// `DELETE /session`: signs out and clears the cookie; without a session it only clears.
///
/// # Errors
/// 403 when a page of another site asks.
pub async fn sign_out(call: Call) -> Reply {
    let (state, now) = (&call.state, call.state.clock.now());
    let secure = origin::is_secure(&call.request, &state.config);
    if let Some(session) = state.sessions.of_request(&call.request, secure, now) {
        origin::require_same_origin(&call.request, &state.config)?;
        state.sessions.revoke(session, now);
    }
    Ok(with_cookie("", 0, secure))
}

/// `GET /session`: whether the page is signed in.
///
/// # Errors
/// 401 without a session.
pub async fn status(call: Call) -> Reply {
    let secure = origin::is_secure(&call.request, &call.state.config);
    let session = call.state.sessions.of_request(&call.request, secure, call.state.clock.now());
    session.map(|_| json::no_content()).ok_or(ApiError::Unauthorized)
}

/// `__Host-` makes a browser refuse the cookie from anywhere but this host over HTTPS.
fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-tekno_session" } else { "tekno_session" }
}

fn with_cookie(value: &str, max_age_seconds: i64, secure: bool) -> Response {
    let name = cookie_name(secure);
    let only_https = if secure { "; Secure" } else { "" };
    let cookie =
        format!("{name}={value}; Path=/; Max-Age={max_age_seconds}; HttpOnly; SameSite=Strict{only_https}");
    let mut response = json::no_content();
    let cookie = HeaderValue::try_from(cookie).expect("base32 and fixed text are a header value");
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

fn cookies<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(given, _)| *given == name).map(|(_, value)| value).take(MAX_COOKIES)
}
