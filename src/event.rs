//! One log event: its level, its id, its normalised fields.

mod level;

use std::borrow::Cow;
use std::fmt;

use data_encoding::{Encoding, Specification};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::fingerprint::Fingerprint;
use crate::timestamp::Timestamp;

pub use level::Level;

/// A batch's id: a `UUIDv7` made at receipt, so it carries the time of receipt in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(Uuid);

impl BatchId {
    /// A new id for a batch received at `at`; 74 random bits beside the time.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self(uuid_at(at))
    }

    /// From the stored 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Reads the 26 characters it is printed as.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; 16];
        if text.len() != 26 {
            return None;
        }
        base32().decode_mut(text, &mut bytes).ok().filter(|length| *length == bytes.len())?;
        Some(Self::from_bytes(bytes))
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// When the batch was received.
    #[must_use]
    pub fn received_at(&self) -> Timestamp {
        uuid_time(&self.0)
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32().encode(self.0.as_bytes()))
    }
}

/// A random `UUIDv7` at a time; used for batches and blocks.
///
/// # Panics
/// When the operating system has no random bytes, without which no secret would be safe either.
#[must_use]
pub fn uuid_at(at: Timestamp) -> Uuid {
    let mut random = [0_u8; 10];
    getrandom::fill(&mut random).expect("the operating system gives random bytes");
    let millis = u64::try_from(at.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// The time inside a `UUIDv7`.
#[must_use]
pub fn uuid_time(id: &Uuid) -> Timestamp {
    let bytes = id.as_bytes();
    let millis = bytes[..6].iter().fold(0_i64, |sum, byte| sum << 8 | i64::from(*byte));
    Timestamp::from_millis(millis)
}

/// The id of a block that is made of another one: always the same, so that work that is repeated finds what it stored.
#[must_use]
pub fn derived_id(id: Uuid) -> Uuid {
    let mut bytes = *id.as_bytes();
    let hash = xxhash_rust::xxh3::xxh3_64(&bytes).to_be_bytes();
    bytes[8] = (bytes[8] & 0xc0) | (hash[0] & 0x3f);
    bytes[9..].copy_from_slice(&hash[1..]);
    Uuid::from_bytes(bytes)
}

/// Lower-case base32 with digits first (RFC 4648 "hex" alphabet, no padding): text order is byte order.
#[must_use]
pub fn base32() -> &'static Encoding {
    use std::sync::LazyLock;
    static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
        let mut spec = Specification::new();
        spec.symbols.push_str("0123456789abcdefghijklmnopqrstuv");
        spec.encoding().expect("the alphabet has 32 distinct symbols")
    });
    &BASE32
}

/// An event's id: its batch and its index in the batch as sent, printed `<26 base32 characters>-<n>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// The batch it came with.
    pub batch: BatchId,
    /// Its position in the batch as sent, from 0.
    pub index: u32,
}

impl EventId {
    /// Reads the printed form; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (batch, index) = text.split_once('-')?;
        if index.len() > 9 || index.is_empty() || !index.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let index_number: u32 = index.parse().ok()?;
        if index_number.to_string() != index {
            return None;
        }
        Some(Self { batch: BatchId::parse(batch.as_bytes())?, index: index_number })
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.batch, self.index)
    }
}

/// A normalised event: every field within its bound, nothing secret after [`crate::scrub`].
///
/// Text is borrowed from the request body where it could be taken as it was.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// Position in the batch as sent.
    pub index: u32,
    /// When it happened, by the client; a future is clamped to the time of receipt.
    pub ts: Timestamp,
    /// Severity.
    pub level: Level,
    /// What happened, at most 8 KiB.
    pub message: Cow<'a, str>,
    /// Which program or logger, at most 256 characters; the project's slug when absent.
    pub source: Cow<'a, str>,
    /// Environment, at most 256 characters; `production` when absent.
    pub env: Cow<'a, str>,
    /// Any JSON, at most 64 KiB and 32 deep, valid for every server's JSON functions.
    pub ctx: Option<Cow<'a, RawValue>>,
    /// Who, at most 256 characters.
    pub user_id: Option<Cow<'a, str>>,
    /// Which request, at most 256 characters.
    pub request_id: Option<Cow<'a, str>>,
    /// Labels, each at most 256 characters, at most 64 of them.
    pub tags: Vec<Cow<'a, str>>,
    /// Release or version, at most 256 characters.
    pub release: Option<Cow<'a, str>>,
    /// Stack trace as sent, at most 32 KiB.
    pub stack: Option<Cow<'a, str>>,
    /// The client's own grouping, one part a line, at most 256 characters.
    pub client_fingerprint: Option<Cow<'a, str>>,
    /// The issue it belongs to; set by [`crate::fingerprint`].
    pub fingerprint: Fingerprint,
    /// Something was cut to fit.
    pub truncated: bool,
}

impl<'a> Event<'a> {
    /// An event of our own with nothing beside its message; it belongs to no issue.
    #[must_use]
    pub fn plain(index: u32, ts: Timestamp, level: Level, message: impl Into<Cow<'a, str>>) -> Self {
        Self {
            index,
            ts,
            level,
            message: message.into(),
            source: Cow::Borrowed("tekno-logger"),
            env: Cow::Borrowed("production"),
            ctx: None,
            user_id: None,
            request_id: None,
            tags: Vec::new(),
            release: None,
            stack: None,
            client_fingerprint: None,
            fingerprint: Fingerprint(0),
            truncated: false,
        }
    }
}
