//! Who sent a batch: the project key, the MAC over the raw bytes, and the replay window.
//!
//! Runs before anything is inflated or parsed. Every refusal is the same [`ApiError::Unauthorized`] and costs the same
//! work, whatever was wrong. Whether a batch was seen before is not decided here: the result only carries what
//! identifies it ([`BatchIdentity`]).

use std::sync::Arc;

use subtle::ConstantTimeEq;

use crate::error::ApiError;
use crate::key::{KeyDirectory, KeyKind, KeyRing, KeyStatus, VerifiedKey};
use crate::project::Project;
use crate::timestamp::Timestamp;

/// How far `X-Timestamp` may be from now, in seconds, either way.
pub const TIMESTAMP_WINDOW_SECONDS: i64 = 300;
/// Longest `Idempotency-Key`, in characters.
pub const MAX_IDEMPOTENCY_KEY_CHARS: usize = 256;

/// Most digits of an `X-Timestamp`; enough until the year 33658.
const MAX_TIMESTAMP_DIGITS: usize = 12;
const MAC_BYTES: usize = 32;

/// One header that may be there once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Single<'a> {
    #[default]
    Absent,
    Once(&'a [u8]),
    Repeated,
}

/// The headers of a signed request, as sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignatureHeaders<'a> {
    project_key: Single<'a>,
    signature: Single<'a>,
    timestamp: Single<'a>,
    idempotency_key: Single<'a>,
}

impl<'a> SignatureHeaders<'a> {
    /// Picks them from all headers of a request; names are lower case.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            let single = match name {
                "x-project-key" => &mut headers.project_key,
                "x-signature" => &mut headers.signature,
                "x-timestamp" => &mut headers.timestamp,
                "idempotency-key" => &mut headers.idempotency_key,
                _ => continue,
            };
            *single = if *single == Single::Absent { Single::Once(value) } else { Single::Repeated };
        }
        headers
    }
}

/// What tells a batch from another one of the same key. Unique per key, not per project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchIdentity {
    /// The client's own `Idempotency-Key`; kept 24 h.
    IdempotencyKey(String),
    /// MAC and time of a request with `X-Timestamp` (Unix seconds); kept 24 h.
    TimestampedMac {
        /// The MAC of the request.
        mac: [u8; MAC_BYTES],
        /// Its `X-Timestamp`.
        timestamp: i64,
    },
    /// MAC of a request without a time, which a client may well send again later; kept 120 s.
    BareMac([u8; MAC_BYTES]),
}

/// A batch whose sender is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedBatch {
    /// The key that signed it.
    pub key: VerifiedKey,
    /// The key's project. `None`: the tag is right, but the directory doesn't know the key (it is newer than the
    /// snapshot, or none was loaded yet). The caller refreshes the directory and asks it again; it may take the batch
    /// on the key's own word only while the database is away.
    pub project: Option<Arc<Project>>,
    /// What makes it the same batch when it comes again.
    pub identity: BatchIdentity,
    /// The MAC it came with. Under an [`BatchIdentity::IdempotencyKey`] it still tells a replay: that header is not
    /// under the MAC.
    pub mac: [u8; MAC_BYTES],
    /// The `X-Timestamp` under the MAC, in Unix seconds, if there was one.
    pub timestamp: Option<i64>,
}

/// Checks key, MAC, time and key status of a request.
///
/// # Errors
/// [`ApiError::Unauthorized`] for every doubt about the sender; [`ApiError::InvalidParameter`] when the sender is right
/// but the `Idempotency-Key` is not 1 to 256 visible ASCII characters.
pub fn verify_request(
    headers: &SignatureHeaders<'_>,
    raw_body: &[u8],
    key_ring: &KeyRing,
    directory: &KeyDirectory,
    now: Timestamp,
) -> Result<VerifiedBatch, ApiError> {
    let (key, genuine) = key_ring.examine(key_text(headers.project_key));
    let claimed_mac = signature(headers.signature);
    let time = request_time(headers.timestamp, now);
    // From here to the comparison the work is the same for a good and a bad key: an unknown one has a MAC too, with a
    // secret nobody has.
    let secret = key_ring.signing_secret(&key);
    let mac = match time {
        RequestTime::Given { text, .. } => secret.mac(&[text, b".", raw_body]),
        RequestTime::Absent | RequestTime::Wrong => secret.mac(&[raw_body]),
    };
    let mac_is_right = bool::from(mac.ct_eq(&claimed_mac.unwrap_or_default()));
    let status = directory.lookup(&key);

    let sender_is_right = genuine
        && key.kind == KeyKind::Server
        && claimed_mac.is_some()
        && mac_is_right
        && time != RequestTime::Wrong
        && status != KeyStatus::Revoked
        && headers.idempotency_key != Single::Repeated;
    let (true, Some(mac)) = (sender_is_right, claimed_mac) else { return Err(ApiError::Unauthorized) };
    let timestamp = match time {
        RequestTime::Given { seconds, .. } => Some(seconds),
        RequestTime::Absent | RequestTime::Wrong => None,
    };
    let identity = identity(headers, time, mac)?;
    Ok(VerifiedBatch { key, project: project_of(status), identity, mac, timestamp })
}

fn key_text(header: Single<'_>) -> &str {
    match header {
        Single::Once(value) => std::str::from_utf8(value).unwrap_or(""),
        Single::Absent | Single::Repeated => "",
    }
}

/// `sha256=<hex>` or bare hex: exactly 64 hex digits of any case and nothing else.
fn signature(header: Single<'_>) -> Option<[u8; MAC_BYTES]> {
    let Single::Once(value) = header else { return None };
    let hex = value.strip_prefix(b"sha256=").unwrap_or(value);
    if hex.len() != 2 * MAC_BYTES {
        return None;
    }
    data_encoding::HEXLOWER_PERMISSIVE.decode(hex).ok()?.try_into().ok()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RequestTime<'a> {
    Absent,
    /// Not a number of seconds, or too far from now.
    Wrong,
    Given {
        /// As sent, which is what is under the MAC.
        text: &'a [u8],
        seconds: i64,
    },
}

fn request_time(header: Single<'_>, now: Timestamp) -> RequestTime<'_> {
    let text = match header {
        Single::Absent => return RequestTime::Absent,
        Single::Repeated => return RequestTime::Wrong,
        Single::Once(text) => text,
    };
    let strict = (1..=MAX_TIMESTAMP_DIGITS).contains(&text.len())
        && text.iter().all(u8::is_ascii_digit)
        && (text[0] != b'0' || text.len() == 1);
    if !strict {
        return RequestTime::Wrong;
    }
    let seconds = text.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let near = (seconds - now.as_seconds()).abs() <= TIMESTAMP_WINDOW_SECONDS;
    if near { RequestTime::Given { text, seconds } } else { RequestTime::Wrong }
}

fn project_of(status: KeyStatus) -> Option<Arc<Project>> {
    match status {
        KeyStatus::Active(project) => Some(project),
        KeyStatus::Unknown | KeyStatus::Revoked => None,
    }
}

fn identity(
    headers: &SignatureHeaders<'_>,
    time: RequestTime<'_>,
    mac: [u8; MAC_BYTES],
) -> Result<BatchIdentity, ApiError> {
    match (headers.idempotency_key, time) {
        (Single::Once(value), _) => {
            let visible = value.iter().all(u8::is_ascii_graphic);
            let text = std::str::from_utf8(value).ok();
            text.filter(|_| visible && (1..=MAX_IDEMPOTENCY_KEY_CHARS).contains(&value.len()))
                .map(|text| BatchIdentity::IdempotencyKey(text.to_owned()))
                .ok_or_else(|| {
                    ApiError::InvalidParameter(format!(
                        "Idempotency-Key must be 1 to {MAX_IDEMPOTENCY_KEY_CHARS} visible ASCII characters."
                    ))
                })
        }
        (_, RequestTime::Given { seconds, .. }) => {
            Ok(BatchIdentity::TimestampedMac { mac, timestamp: seconds })
        }
        (_, RequestTime::Absent | RequestTime::Wrong) => Ok(BatchIdentity::BareMac(mac)),
    }
}

#[cfg(test)]
mod tests;
