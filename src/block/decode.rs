//! Reading blocks: inflate a body, walk its lines, parse an event.
//!
//! Nothing here trusts what was stored: sizes are bounded before memory is taken, and any bytes give an event or a
//! [`BlockError`], never a panic.

use std::borrow::Cow;

use libdeflater::Decompressor;
use memchr::memchr;
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use super::{BlockError, Codec};
use crate::event::{BatchId, EventId, Level};
use crate::fingerprint::Fingerprint;
use crate::timestamp::Timestamp;

/// Most bytes a body may inflate to; 16 times what an encoder makes.
pub const MAX_INFLATED_BYTES: usize = 16 << 20;

/// Inflates a stored body. `raw_bytes` is the header's.
///
/// # Errors
/// If the body is damaged, declares more than [`MAX_INFLATED_BYTES`], or another length than the header.
pub fn inflate_body(codec: Codec, raw_bytes: u32, body: &[u8]) -> Result<Vec<u8>, BlockError> {
    match codec {
        Codec::Zlib | Codec::ZlibCompact => inflate_zlib(raw_bytes, body),
    }
}

fn inflate_zlib(raw_bytes: u32, body: &[u8]) -> Result<Vec<u8>, BlockError> {
    let (length, stream) = unframe(raw_bytes, body)?;
    let mut raw = vec![0; length];
    decompress(&mut Decompressor::new(), stream, &mut raw)?;
    Ok(raw)
}

/// The length of a framed body and its stream.
fn unframe(raw_bytes: u32, body: &[u8]) -> Result<(usize, &[u8]), BlockError> {
    let (declared, stream) = body.split_first_chunk::<4>().ok_or(BlockError::Short)?;
    let declared = u32::from_le_bytes(*declared);
    if declared != raw_bytes {
        return Err(BlockError::LengthDiffers);
    }
    let length = declared as usize;
    if length > MAX_INFLATED_BYTES { Err(BlockError::TooLarge) } else { Ok((length, stream)) }
}

fn decompress(decompressor: &mut Decompressor, stream: &[u8], raw: &mut [u8]) -> Result<(), BlockError> {
    let written = decompressor.zlib_decompress(stream, raw).map_err(|_| BlockError::Deflate)?;
    if written == raw.len() { Ok(()) } else { Err(BlockError::Deflate) }
}

/// Bytes of an inflated body that an [`Inflater`] keeps room for between two blocks.
const KEPT_BYTES: usize = 2 * super::MAX_RAW_BYTES;

/// Inflates one body after the other with the same memory: new memory for each costs a fifth of the time.
pub struct Inflater {
    decompressor: Decompressor,
    raw: Vec<u8>,
}

impl Default for Inflater {
    fn default() -> Self {
        Self { decompressor: Decompressor::new(), raw: Vec::new() }
    }
}

impl Inflater {
    /// As [`inflate_body`], until the next one.
    ///
    /// # Errors
    /// As [`inflate_body`].
    pub fn inflate(&mut self, codec: Codec, raw_bytes: u32, body: &[u8]) -> Result<&[u8], BlockError> {
        let (Codec::Zlib | Codec::ZlibCompact) = codec;
        let (length, stream) = unframe(raw_bytes, body)?;
        if self.raw.len() > KEPT_BYTES {
            self.raw = Vec::new();
        }
        if self.raw.len() < length {
            self.raw.resize(length, 0);
        }
        let raw = &mut self.raw[..length];
        decompress(&mut self.decompressor, stream, raw)?;
        Ok(raw)
    }
}

/// The event objects of an inflated body, without separators, in order. What is no object's line is passed over.
pub fn lines(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = raw;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let line = &rest[..end];
            rest = rest.get(end + 1..).unwrap_or_default();
            if line.first() == Some(&b'{') {
                return Some(line.strip_suffix(b",").unwrap_or(line));
            }
        }
        None
    })
}

/// The fixed start of a line: `{"id":"<26>-<n>","ts":<number>,"level":"<name>"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineHead<'a> {
    /// The batch id's 26 characters, not checked; text order is byte order.
    pub batch: &'a [u8],
    /// The event's index in its batch.
    pub index: u32,
    /// Its time.
    pub ts: Timestamp,
    /// Its severity.
    pub level: Level,
    /// Bytes up to and with the quote after the level.
    pub length: usize,
}

impl<'a> LineHead<'a> {
    /// Reads the start of a line; `None` if it is not as an encoder writes it.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let rest = line.strip_prefix(br#"{"id":""#)?;
        let (batch, rest) = rest.split_at_checked(26)?;
        let (index, rest) = split_number(rest.strip_prefix(b"-")?)?;
        let (ts, rest) = split_number(rest.strip_prefix(br#"","ts":"#)?)?;
        let rest = rest.strip_prefix(br#","level":""#)?;
        let (name, rest) = rest.split_at_checked(memchr(b'"', rest.get(..8).unwrap_or(rest))?)?;
        let level = Level::ALL.into_iter().find(|level| level.name().as_bytes() == name)?;
        let length = line.len() - rest.len() + 1;
        Some(Self { batch, index: u32::try_from(index).ok()?, ts: Timestamp::from_millis(ts), level, length })
    }

    /// The event's id, if the batch's characters are one.
    #[must_use]
    pub fn id(&self) -> Option<EventId> {
        // As an id's text: at most nine digits.
        let index = Some(self.index).filter(|index| *index <= 999_999_999)?;
        Some(EventId { batch: BatchId::parse(self.batch)?, index })
    }
}

/// A decimal number of at most 19 digits at the start of `bytes`, and what follows.
fn split_number(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let negative = bytes.first() == Some(&b'-');
    let digits = &bytes[usize::from(negative)..];
    let length = digits.iter().take(20).take_while(|byte| byte.is_ascii_digit()).count();
    let mut number = 0_i64;
    for &digit in &digits[..length] {
        number = number.checked_mul(10)?.checked_sub(i64::from(digit - b'0'))?;
    }
    let number = if negative { number } else { number.checked_neg()? };
    (length > 0).then(|| (number, &digits[length..]))
}

/// An event as stored, borrowed from its line.
#[derive(Clone, Debug, Deserialize)]
pub struct StoredEvent<'a> {
    /// Its id.
    #[serde(deserialize_with = "event_id")]
    pub id: EventId,
    /// When it happened.
    #[serde(deserialize_with = "timestamp")]
    pub ts: Timestamp,
    /// Severity.
    #[serde(deserialize_with = "level")]
    pub level: Level,
    /// Which program or logger.
    #[serde(borrow)]
    pub source: Cow<'a, str>,
    /// Environment.
    #[serde(borrow)]
    pub env: Cow<'a, str>,
    /// What happened.
    #[serde(borrow)]
    pub message: Cow<'a, str>,
    /// Any JSON but `null`, in its compact spelling.
    #[serde(borrow, default)]
    pub ctx: Option<&'a RawValue>,
    /// Who.
    #[serde(borrow, default, deserialize_with = "optional_text")]
    pub user_id: Option<Cow<'a, str>>,
    /// Which request.
    #[serde(borrow, default, deserialize_with = "optional_text")]
    pub request_id: Option<Cow<'a, str>>,
    /// Labels.
    #[serde(borrow, default, deserialize_with = "texts")]
    pub tags: Vec<Cow<'a, str>>,
    /// Release or version.
    #[serde(borrow, default, deserialize_with = "optional_text")]
    pub release: Option<Cow<'a, str>>,
    /// Stack trace.
    #[serde(borrow, default, deserialize_with = "optional_text")]
    pub stack: Option<Cow<'a, str>>,
    /// The client's own grouping, one part a line.
    #[serde(borrow, default, deserialize_with = "optional_text")]
    pub client_fingerprint: Option<Cow<'a, str>>,
    /// The issue it belongs to.
    #[serde(deserialize_with = "fingerprint")]
    pub fingerprint: Fingerprint,
    /// Something was cut to fit.
    #[serde(default)]
    pub truncated: bool,
}

impl<'a> StoredEvent<'a> {
    /// Reads a line as [`lines`] gives it.
    ///
    /// # Errors
    /// [`BlockError::Line`] if it is not an event.
    pub fn parse(line: &'a [u8]) -> Result<Self, BlockError> {
        serde_json::from_slice(line).map_err(|_| BlockError::Line)
    }
}

/// Lets serde borrow inside `Option` and `Vec`, where a plain `Cow` would always be copied.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn optional_text<'de: 'a, 'a, D: Deserializer<'de>>(input: D) -> Result<Option<Cow<'a, str>>, D::Error> {
    Ok(Option::<Text<'a>>::deserialize(input)?.map(|text| text.0))
}

fn texts<'de: 'a, 'a, D: Deserializer<'de>>(input: D) -> Result<Vec<Cow<'a, str>>, D::Error> {
    Ok(Vec::<Text<'a>>::deserialize(input)?.into_iter().map(|text| text.0).collect())
}

fn event_id<'de, D: Deserializer<'de>>(input: D) -> Result<EventId, D::Error> {
    parse_text(input, EventId::parse, "an event id")
}

fn fingerprint<'de, D: Deserializer<'de>>(input: D) -> Result<Fingerprint, D::Error> {
    parse_text(input, Fingerprint::parse, "16 hex digits")
}

fn level<'de, D: Deserializer<'de>>(input: D) -> Result<Level, D::Error> {
    parse_text(input, |name| Level::ALL.into_iter().find(|level| level.name() == name), "a level")
}

fn timestamp<'de, D: Deserializer<'de>>(input: D) -> Result<Timestamp, D::Error> {
    i64::deserialize(input).map(Timestamp::from_millis)
}

fn parse_text<'de, D: Deserializer<'de>, T>(
    input: D,
    parse: impl Fn(&str) -> Option<T>,
    expected: &'static str,
) -> Result<T, D::Error> {
    let text = Text::deserialize(input)?;
    parse(&text.0).ok_or_else(|| de::Error::invalid_value(de::Unexpected::Str(&text.0), &expected))
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
