//! Bloom filters that can be tested in SQL, and the id tokens that go into them.
//!
//! A filter is a bit string of `bits` = 8 × its length, a power of two from 64; bit `i` is
//! `ORD(SUBSTRING(f, i DIV 8 + 1, 1)) & (1 << (i MOD 8))`. A token's 64 bits give `h1` (low 32), `h2` (high 32, made
//! odd) and its part `p` (the highest 5 bits); probe `j` of 0–5 is bit `(p * 16384 + (h1 + j * h2) mod 16384) & (bits - 1)`,
//! so that all six lie in one part of [`PART_BYTES`], and of a long filter only that part has to be read. All six set:
//! perhaps there. An empty filter admits everything. A filter never denies what was put in; sized by [`build`] it admits
//! about 1 % of the rest.

use std::borrow::Cow;

use xxhash_rust::xxh3::xxh3_64;

use super::case::{lowercase, push_lowercase};
use crate::fingerprint::Fingerprint;

/// Bits set per token.
pub const PROBES: usize = 6;
/// Tenths of a bit of filter per token, before rounding up to a power of two.
const DECIBITS_PER_TOKEN: usize = 97;
/// Shortest filter but the empty one, in bytes.
pub const MIN_BYTES: usize = 8;
/// All probes of a token lie in one part of so many bytes, counted from a filter's start.
pub const PART_BYTES: usize = 2_048;
/// Bits in a part.
const PART_BITS: u32 = 1 << (8 * PART_BYTES).ilog2();
/// Longest filter, in bytes; what would need more is left empty. Holds the ids of a full block.
pub const MAX_BYTES: usize = 64 << 10;

/// Most `ctx` tokens of one event; an event with more adds [`ctx_overflow_token`] instead of the rest.
pub const MAX_CTX_TOKENS: usize = 16;
/// Most keys in the path of an indexed `ctx` value.
const MAX_CTX_KEYS: usize = 4;
/// Longest path of an indexed `ctx` value, in bytes.
const MAX_CTX_PATH: usize = 256;

/// Bytes of a filter for `tokens` distinct tokens, 0 if there are none or too many.
#[must_use]
pub fn size_for(tokens: usize) -> usize {
    let bits = tokens.saturating_mul(DECIBITS_PER_TOKEN).div_ceil(10);
    let bytes = bits.div_ceil(8).checked_next_power_of_two().unwrap_or(usize::MAX).max(MIN_BYTES);
    if tokens == 0 || bytes > MAX_BYTES { 0 } else { bytes }
}

/// A filter of `tokens`, which should be distinct; empty when [`size_for`] says 0.
#[must_use]
pub fn build(tokens: &[u64]) -> Vec<u8> {
    build_sized(tokens, size_for(tokens.len()))
}

/// A filter of `tokens` in at most `room` bytes: as [`build`] makes it, or half of that, or empty.
///
/// Half admits up to 13 % for one token, so it suits text, where a word is several tokens that all must be admitted.
#[must_use]
pub fn build_within(tokens: &[u64], room: usize) -> Vec<u8> {
    let size = size_for(tokens.len());
    let fitting = [size, size / 2].into_iter().find(|&bytes| bytes >= MIN_BYTES && bytes <= room);
    build_sized(tokens, fitting.unwrap_or(0))
}

/// A filter of ids, which rule out most of what is searched for: as [`build`] makes it, or half of that where the whole
/// is beyond `room` and the half has at least 8 bits a token, which admit about 2 %.
#[must_use]
pub fn build_ids(tokens: &[u64], room: usize) -> Vec<u8> {
    let size = size_for(tokens.len());
    let half_will_do = size > room && size / 2 >= MIN_BYTES.max(tokens.len());
    build_sized(tokens, if half_will_do { size / 2 } else { size })
}

fn build_sized(tokens: &[u64], bytes: usize) -> Vec<u8> {
    let mut filter = vec![0; bytes];
    if bytes == 0 {
        return filter;
    }
    for &token in tokens {
        for probe in probes(token) {
            let (byte, bit) = place(probe, filter.len());
            filter[byte] |= bit;
        }
    }
    filter
}

/// False only if `token` was not put in. A filter of a length that [`build`] doesn't make admits everything.
#[must_use]
pub fn may_contain(filter: &[u8], token: u64) -> bool {
    if filter.len() < MIN_BYTES || !filter.len().is_power_of_two() {
        return true;
    }
    probes(token).into_iter().all(|probe| {
        let (byte, bit) = place(probe, filter.len());
        filter[byte] & bit != 0
    })
}

/// The six bits of a token in the longest filter; in a shorter one they are cut to its bits.
#[must_use]
pub fn probes(token: u64) -> [u32; PROBES] {
    let [low, high] = [token, token >> 32].map(|half| (half & 0xFFFF_FFFF) as u32);
    let mut next = low;
    std::array::from_fn(|_| {
        let probe = (part(token) * PART_BITS) | (next & (PART_BITS - 1));
        next = next.wrapping_add(high | 1);
        probe
    })
}

/// The part of a token in the longest filter; in one of `n` parts, which is a power of two, it is this `& (n - 1)`.
#[must_use]
pub const fn part(token: u64) -> u32 {
    ((token >> (u64::BITS - (MAX_BYTES / PART_BYTES).ilog2())) & 0xFFFF_FFFF) as u32
}

/// Byte and bit of a probe in a filter of `bytes` bytes, a power of two.
fn place(probe: u32, bytes: usize) -> (usize, u8) {
    ((probe / 8) as usize & (bytes - 1), 1 << (probe % 8))
}

/// The token of a field's value: XXH3 of field, NUL and the value in lower case.
///
/// Fields are `user_id`, `request_id`, `fingerprint` (its 16 hex digits) and `batch` (a batch id's 26 characters).
#[must_use]
pub fn id_token(field: &str, value: &str) -> u64 {
    let mut tokens = IdTokens::default();
    tokens.add(field, value);
    tokens.found[0]
}

/// The token of a value at a path of `ctx` (as [`super::json::for_each_value`] names it), both in lower case. Only to
/// be looked for if [`indexes_ctx`], and together with [`ctx_overflow_token`]: see [`may_contain_ctx`].
#[must_use]
pub fn ctx_token(path: &str, value: &str) -> u64 {
    id_token(&format!("ctx.{}", lowercase(path)), value)
}

/// Put in for an event that has more indexed `ctx` values than [`MAX_CTX_TOKENS`].
#[must_use]
pub fn ctx_overflow_token() -> u64 {
    id_token("ctx", "\0overflow")
}

/// False only if no event of the block has `value` at `path` of its `ctx`, in any case.
#[must_use]
pub fn may_contain_ctx(filter: &[u8], path: &str, value: &str) -> bool {
    !indexes_ctx(path, value)
        || may_contain(filter, ctx_token(path, value))
        || may_contain(filter, ctx_overflow_token())
}

/// Whether the encoder puts this value at this path into the id filter. Case makes no difference.
///
/// The value has at least 3 bytes, is not `null`, and either its key (what follows the path's last `.`) ends in `id`
/// or `key`, or it looks like an id: 8–64 letters, digits, `_` and `-` with a digit among them, or a whole number of
/// at least 6 digits (shorter ones are sizes and times more often than names of something). The path has at most 4 keys and 256 bytes, no empty key (but may be empty itself) and no key
/// made of digits alone, which a search may mean as an array's index.
#[must_use]
pub fn indexes_ctx(path: &str, value: &str) -> bool {
    let lower = |text| if str::is_ascii(text) { Cow::Borrowed(text) } else { Cow::Owned(lowercase(text)) };
    indexes_value(&lower(path), &lower(value)) && indexes_path(&lower(path))
}

fn indexes_path(path: &str) -> bool {
    let plain = |key: &[u8]| !key.iter().all(u8::is_ascii_digit);
    let mut keys = path.as_bytes().split(|&byte| byte == b'.');
    path.is_empty()
        || (path.len() <= MAX_CTX_PATH
            && keys.by_ref().take(MAX_CTX_KEYS).all(plain)
            && keys.next().is_none())
}

fn indexes_value(path: &str, value: &str) -> bool {
    if value.len() < 3 || value.eq_ignore_ascii_case("null") {
        return false;
    }
    let key = path.as_bytes();
    let ends = |end: &[u8]| key.len() >= end.len() && key[key.len() - end.len()..].eq_ignore_ascii_case(end);
    ends(b"id") || ends(b"key") || looks_like_id(value.as_bytes()) || is_long_number(value.as_bytes())
}

fn looks_like_id(value: &[u8]) -> bool {
    (8..=64).contains(&value.len())
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        && value.iter().any(u8::is_ascii_digit)
}

fn is_long_number(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    digits.len() >= 6 && digits.iter().all(u8::is_ascii_digit)
}

/// Gathers id tokens with one buffer.
#[derive(Debug, Default)]
pub struct IdTokens {
    found: Vec<u64>,
    text: Vec<u8>,
}

impl IdTokens {
    /// Adds [`id_token`] of a field's value.
    pub fn add(&mut self, field: &str, value: &str) {
        self.text.clear();
        self.text.extend_from_slice(field.as_bytes());
        self.push(value);
    }

    /// Adds the tokens of an event's own fields.
    pub fn add_event(&mut self, user_id: Option<&str>, request_id: Option<&str>, fingerprint: Fingerprint) {
        let fields = [("user_id", user_id), ("request_id", request_id)];
        for (field, value) in fields.into_iter().filter_map(|(field, value)| Some((field, value?))) {
            self.add(field, value);
        }
        self.add("fingerprint", &fingerprint.to_string());
    }

    /// Adds the tokens of an event's `ctx`.
    pub fn add_ctx(&mut self, json: &str) {
        use std::ops::ControlFlow::{Break, Continue};
        let mut count = 0;
        super::json::for_each_value(json, |path, value| {
            if !indexes_ctx(path, value) {
                return Continue(());
            }
            count += 1;
            if count > MAX_CTX_TOKENS {
                self.found.push(ctx_overflow_token());
                return Break(());
            }
            self.text.clear();
            self.text.extend_from_slice(b"ctx.");
            push_lowercase(path.as_bytes(), &mut self.text);
            self.push(value);
            Continue(())
        });
    }

    /// The distinct tokens, ordered.
    #[must_use]
    pub fn finish(mut self) -> Vec<u64> {
        self.found.sort_unstable();
        self.found.dedup();
        self.found
    }

    fn push(&mut self, value: &str) {
        self.text.push(0);
        push_lowercase(value.as_bytes(), &mut self.text);
        self.found.push(xxh3_64(&self.text));
    }
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
