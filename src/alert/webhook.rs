//! A webhook of anybody's own, signed by Standard Webhooks (standardwebhooks.com): `webhook-id`, `webhook-timestamp`
//! and `webhook-signature: v1,<base64 of HMAC-SHA256(id.timestamp.body)>`. 410 asks us to stop.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::AlertMessage;
use super::answer::{ChannelAnswer, Verdict};
use super::text::{cut, headline, without_controls};
use crate::key::MacKey;
use crate::outbound::{Outbound, Request, Target, Trust};
use crate::timestamp::Timestamp;

/// What a secret starts with; base64 of its bytes follows.
const SECRET_PREFIX: &str = "whsec_";
/// Bytes a secret may have.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Bytes of a secret made here.
const MADE_BYTES: usize = 32;
/// Characters of a sample.
const MAX_SAMPLE: usize = 8_192;

/// The bytes of a secret, or `None` when it is not one of 24 to 64 bytes in base64 with its prefix.
pub(super) fn secret_bytes(text: &str) -> Option<Vec<u8>> {
    let bytes = BASE64.decode(text.strip_prefix(SECRET_PREFIX)?.as_bytes()).ok()?;
    SECRET_BYTES.contains(&bytes.len()).then_some(bytes)
}

/// A new secret.
#[must_use]
pub fn make_secret() -> String {
    format!("{SECRET_PREFIX}{}", BASE64.encode(&crate::key::random::<MADE_BYTES>()))
}

/// Posts the message; its id stays the same through retries.
pub(super) async fn deliver(
    outbound: &Outbound,
    target: &Target,
    secret: &[u8],
    message: &AlertMessage,
    now: Timestamp,
) -> ChannelAnswer {
    let (id, time, body) =
        (format!("msg_{}", message.id.simple()), now.as_seconds().to_string(), body(message).to_string());
    let mac = MacKey::new(secret).mac(&[id.as_bytes(), b".", time.as_bytes(), b".", body.as_bytes()]);
    let request = Request::post_json(target, body.into_bytes())
        .with("webhook-id", id)
        .with("webhook-timestamp", time)
        .with("webhook-signature", format!("v1,{}", BASE64.encode(&mac)));
    let mut answer = ChannelAnswer::of_http(&outbound.send(request, Trust::Guarded).await);
    if answer.status == Some(410) {
        answer.verdict = Verdict::Disable;
        "the receiver is gone (HTTP 410): the channel is turned off".clone_into(&mut answer.detail);
    }
    answer
}

/// What is posted: `type`, `timestamp` and `data` as the specification recommends.
pub(super) fn body(message: &AlertMessage) -> Value {
    let state = if message.resolved { "resolved" } else { "triggered" };
    json!({
        "type": format!("alert.{}.{state}", message.kind.name()),
        "timestamp": message.at.to_string(),
        "data": {
            "id": message.id,
            "kind": message.kind.name(),
            "resolved": message.resolved,
            "thread": message.thread(),
            "headline": headline(message),
            "project_id": message.project_id,
            "project": message.project,
            "rule": message.rule,
            "title": cut(&message.title, MAX_SAMPLE),
            "issue": message.issue.map(|issue| issue.to_string()),
            "level": message.level.map(crate::event::Level::name),
            "count": message.count,
            "baseline": message.baseline,
            "window_seconds": message.window_seconds,
            "first_seen": message.first_seen.map(|at| at.to_string()),
            "last_seen": message.last_seen.map(|at| at.to_string()),
            "sample": message.sample.as_deref().map(|sample| cut(&without_controls(sample), MAX_SAMPLE)),
            "environments": message.environments,
            "sources": message.sources,
            "received_until": message.received_until.map(|at| at.to_string()),
            "release": message.release,
            "suppressed": message.suppressed,
            "link": message.link,
            "mute": message.mute,
        },
    })
}
