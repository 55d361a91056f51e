//! What a channel made of a message: delivered, to be tried again, or never.

use std::time::Duration;

use serde_json::{Value, json};

use crate::outbound::{Answer, OutboundError};

/// Bytes of an answer's body that are kept to be shown.
const MAX_SHOWN_BYTES: usize = 2 * 1024;
/// Longest a channel may make us wait for its next message; what it asks beyond is cut.
pub(super) const MAX_HOLD: Duration = Duration::from_hours(1);

/// What becomes of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The channel has it.
    Delivered,
    /// Not now.
    Retry,
    /// Never: the channel refuses this message, or anything from us.
    Dead,
    /// Never, and nothing else either: the receiver asked to be left alone.
    Disable,
}

/// A channel's answer to one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelAnswer {
    /// What becomes of the message.
    pub verdict: Verdict,
    /// The status: of HTTP, or the code of an SMTP reply.
    pub status: Option<u16>,
    /// One sentence.
    pub detail: String,
    /// What the channel said, as far as it is shown.
    pub said: String,
    /// How long the channel wants nothing more.
    pub hold: Option<Duration>,
}

impl ChannelAnswer {
    /// An answer without a status.
    pub(super) fn new(verdict: Verdict, detail: impl Into<String>) -> Self {
        Self { verdict, status: None, detail: detail.into(), said: String::new(), hold: None }
    }

    /// Reads an HTTP answer by the rules all channels share.
    pub(super) fn of_http(sent: &Result<Answer, OutboundError>) -> Self {
        let answer = match sent {
            Ok(answer) => answer,
            Err(OutboundError::Refused(why)) => return Self::new(Verdict::Dead, why.clone()),
            Err(error) => return Self::new(Verdict::Retry, error.to_string()),
        };
        let (verdict, detail) = match answer.status {
            200..=299 => (Verdict::Delivered, "delivered"),
            300..=399 => (Verdict::Dead, "redirected, which is not followed: set the final address"),
            408 | 425 => (Verdict::Retry, "not now"),
            429 => (Verdict::Retry, "too many messages"),
            500..=599 => (Verdict::Retry, "the channel failed"),
            _ => (Verdict::Dead, "the channel refused it"),
        };
        let hold = match verdict {
            Verdict::Delivered => spent_rate(answer),
            _ => seconds(answer.header("retry-after")).or_else(|| spent_rate(answer)),
        };
        Self {
            verdict,
            status: Some(answer.status),
            detail: format!("{detail} (HTTP {})", answer.status),
            said: shown(&answer.body),
            hold: hold.map(|hold| hold.min(MAX_HOLD)),
        }
    }

    /// The same with at least this pause.
    pub(super) fn holding(mut self, hold: Option<Duration>) -> Self {
        self.hold = self.hold.max(hold.map(|hold| hold.min(MAX_HOLD)));
        self
    }

    /// For "send test".
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "delivered": self.verdict == Verdict::Delivered,
            "status": self.status,
            "detail": self.detail,
            "answer": self.said,
            "retry_after_ms": self.hold.map(|hold| u64::try_from(hold.as_millis()).unwrap_or(u64::MAX)),
        })
    }
}

/// Seconds in a header, which may have a fraction; a date or anything else is `None`.
pub(super) fn seconds(text: Option<&str>) -> Option<Duration> {
    let seconds: f64 = text?.trim().parse().ok()?;
    from_seconds(seconds)
}

/// A time a channel gave in seconds; nonsense is `None`, and more than a day is a day.
pub(super) fn from_seconds(seconds: f64) -> Option<Duration> {
    (seconds.is_finite() && seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(86_400.0)))
}

/// How long until a rate that is used up is given again, by `X-RateLimit-…` (Discord) or `RateLimit-…` (IETF draft).
fn spent_rate(answer: &Answer) -> Option<Duration> {
    let spent = |name: &str| seconds(answer.header(name)) == Some(Duration::ZERO);
    if spent("x-ratelimit-remaining") {
        return seconds(answer.header("x-ratelimit-reset-after"));
    }
    if spent("ratelimit-remaining") {
        return seconds(answer.header("ratelimit-reset"));
    }
    None
}

/// The beginning of a body as text.
fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(MAX_SHOWN_BYTES)]);
    super::text::without_controls(&text)
}
