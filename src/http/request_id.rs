//! The id a request is found by in our log: one per request, on every reply.

use poem::Request;

use crate::event::base32;
use crate::key::random;

/// Longest `X-Request-Id` taken over from a client, in characters.
pub const MAX_CHARS: usize = 64;

/// 1 to 64 of letters, digits, `-`, `_` and `.`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// The client's own id if it sent one safe one, else a new one.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let mut sent = request.headers().get_all("x-request-id").iter();
        let (Some(only), None) = (sent.next(), sent.next()) else { return Self::new() };
        only.to_str().ok().and_then(Self::parse).unwrap_or_else(Self::new)
    }

    /// A new one of 80 random bits.
    #[must_use]
    pub fn new() -> Self {
        Self(base32().encode(&random::<10>()))
    }

    /// The id as text; fit for a header and for JSON as it is.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        ((1..=MAX_CHARS).contains(&text.len()) && text.bytes().all(safe)).then(|| Self(text.to_owned()))
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}
