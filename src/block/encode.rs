//! Writing blocks: events become lines in the request's task, lines become compressed blocks in a writer slot.
//!
//! A body is `[`, one JSON object a line joined by `,`, and `]`, so it is one JSON array; deflated in `MySQL`'s
//! `COMPRESS()` framing, so that the server can read it. A line starts with `id`, `ts` and `level` in fixed places,
//! leaves out what an event doesn't have, and never holds a raw newline. The format is kept by golden files.

use std::io::Write as _;
use std::ops::Range;

use libdeflater::{CompressionLvl, Compressor};
use uuid::Uuid;

use super::decode::LineHead;
use super::filter::{self, IdTokens};
use super::json::{push_compact, push_string};
use super::summary::Summary;
use super::trigram::TrigramSet;
use super::{Block, BlockHeader, Codec, EncodedBatch, EventHead, place_of};
use crate::event::{BatchId, Event};

/// Bodies below this many bytes have no text filter: reading them costs less.
const TEXT_FILTER_MIN_RAW: usize = 8 << 10;
/// Most that both filters may take of the stored body, in hundredths, for the text filter to be kept.
const FILTER_PERCENT: usize = 8;

/// Unused bytes that lines may keep while they wait: less than this isn't worth moving them.
const MOST_SLACK_BYTES: usize = 4 << 10;

/// How hard a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionLevel {
    /// libdeflate 1: for ingest, where our CPU is what is short.
    Ingest,
    /// libdeflate 6: for compaction, which writes what is read for days.
    Compact,
}

impl CompressionLevel {
    const fn number(self) -> i32 {
        match self {
            Self::Ingest => 1,
            Self::Compact => 6,
        }
    }

    const fn codec(self) -> Codec {
        match self {
            Self::Ingest => Codec::Zlib,
            Self::Compact => Codec::ZlibCompact,
        }
    }
}

/// Encodes one batch's accepted events, in the order they are pushed.
#[derive(Debug)]
pub struct BatchEncoder {
    batch: BatchId,
    batch_text: String,
    heads: Vec<EventHead>,
    lines: Vec<u8>,
    tokens: IdTokens,
    environments: Vec<String>,
}

impl BatchEncoder {
    /// An empty batch.
    #[must_use]
    pub fn new(batch: BatchId) -> Self {
        let batch_text = batch.to_string();
        let mut tokens = IdTokens::default();
        tokens.add("batch", &batch_text);
        Self { batch, batch_text, heads: Vec::new(), lines: Vec::new(), tokens, environments: Vec::new() }
    }

    /// Makes room for so many bytes of lines, to spare growing there in steps.
    pub fn expect_bytes(&mut self, bytes: usize) {
        self.lines.reserve_exact(bytes);
    }

    /// Adds an event.
    ///
    /// # Panics
    /// If the event's line has 4 GiB or more, which the bounds of [`Event`] rule out.
    pub fn push(&mut self, event: &Event<'_>) {
        let start = self.lines.len();
        self.push_line(event);
        let line_bytes = u32::try_from(self.lines.len() - start).expect("an event's fields are bounded");
        let Event { index, ts, level, fingerprint, .. } = *event;
        let environment = place_of(&mut self.environments, &event.env);
        self.heads.push(EventHead { index, ts, level, fingerprint, line_bytes, environment });
        self.push_tokens(event);
    }

    /// Bytes of the lines so far.
    #[must_use]
    pub const fn line_bytes(&self) -> usize {
        self.lines.len()
    }

    /// The batch, ready to be put into blocks.
    #[must_use]
    pub fn finish(self) -> EncodedBatch {
        let Self { batch, heads, mut lines, tokens, environments, .. } = self;
        if lines.capacity() - lines.len() > MOST_SLACK_BYTES {
            lines.shrink_to_fit();
        }
        EncodedBatch { batch, heads, lines, id_tokens: tokens.finish(), environments }
    }

    fn push_line(&mut self, event: &Event<'_>) {
        let out = &mut self.lines;
        let (batch, index, ts, level) =
            (&self.batch_text, event.index, event.ts.as_millis(), event.level.name());
        write!(out, r#"{{"id":"{batch}-{index}","ts":{ts},"level":"{level}""#)
            .expect("writing to memory can't fail");
        push_field("source", &event.source, out);
        push_field("env", &event.env, out);
        push_field("message", &event.message, out);
        if let Some(ctx) = event.ctx.as_ref().filter(|ctx| ctx.get() != "null") {
            out.extend_from_slice(br#","ctx":"#);
            push_compact(ctx.get(), out);
        }
        let some = [("user_id", &event.user_id), ("request_id", &event.request_id)];
        for (name, value) in some.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            push_field(name, value, out);
        }
        for (position, tag) in event.tags.iter().enumerate() {
            out.extend_from_slice(if position == 0 { br#","tags":["# } else { b"," });
            push_string(tag, out);
        }
        if !event.tags.is_empty() {
            out.push(b']');
        }
        let some = [
            ("release", &event.release),
            ("stack", &event.stack),
            ("client_fingerprint", &event.client_fingerprint),
        ];
        for (name, value) in some.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            push_field(name, value, out);
        }
        write!(out, r#","fingerprint":"{}""#, event.fingerprint).expect("writing to memory can't fail");
        out.extend_from_slice(if event.truncated { br#","truncated":true}"# } else { b"}" });
    }

    fn push_tokens(&mut self, event: &Event<'_>) {
        self.tokens.add_event(event.user_id.as_deref(), event.request_id.as_deref(), event.fingerprint);
        if let Some(ctx) = &event.ctx {
            self.tokens.add_ctx(ctx.get());
        }
    }
}

fn push_field(name: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    push_string(value, out);
}

/// Bytes in the framing of a block's body, for what is stored beside blocks; [`super::decode::inflate_body`] reads it.
///
/// # Panics
/// If there are 4 GiB or more.
#[must_use]
pub fn deflate(raw: &[u8]) -> Vec<u8> {
    let mut encoder = BlockEncoder { raw: raw.to_vec(), ..BlockEncoder::default() };
    encoder.compress(CompressionLevel::Compact);
    encoder.packed
}

/// Neighbouring events of one batch that go into one block.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// The batch.
    pub batch: &'a EncodedBatch,
    /// Which of its events, by position in [`EncodedBatch::heads`].
    pub events: Range<usize>,
}

impl<'a> Part<'a> {
    /// All events of a batch.
    #[must_use]
    pub fn whole(batch: &'a EncodedBatch) -> Self {
        Self { batch, events: 0..batch.heads.len() }
    }

    fn heads(&self) -> &'a [EventHead] {
        self.batch.heads.get(self.events.clone()).unwrap_or_default()
    }

    /// Each event's line, in order.
    fn lines(&self) -> impl Iterator<Item = &'a [u8]> {
        let before = self.batch.heads.iter().take(self.events.start);
        let start: usize = before.map(|head| head.line_bytes as usize).sum();
        let mut rest = self.batch.lines.get(start..).unwrap_or_default();
        self.heads().iter().map(move |head| {
            let (line, after) = rest.split_at_checked(head.line_bytes as usize).unwrap_or((rest, &[]));
            rest = after;
            line
        })
    }
}

/// Makes blocks; keeps its buffers and compressors from one to the next. A writer slot owns one.
#[derive(Default)]
pub struct BlockEncoder {
    raw: Vec<u8>,
    packed: Vec<u8>,
    tokens: Vec<u64>,
    trigrams: TrigramSet,
    ingest: Option<Compressor>,
    compact: Option<Compressor>,
}

impl std::fmt::Debug for BlockEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockEncoder").finish_non_exhaustive()
    }
}

impl BlockEncoder {
    /// A block of `parts`, which hold at least one event and, by the caller's care, at most
    /// [`super::MAX_EVENTS`] events and [`super::MAX_RAW_BYTES`] of lines unless one event alone has more.
    ///
    /// # Panics
    /// If the lines have 4 GiB or more.
    pub fn encode_block(
        &mut self,
        id: Uuid,
        project_id: i64,
        parts: &[Part<'_>],
        level: CompressionLevel,
    ) -> Block {
        self.join_lines(parts);
        self.compress(level);
        let id_filter = self.id_filter(parts);
        let text_filter = self.text_filter(parts, id_filter.len());
        let summary = Summary::of(parts.iter().map(|part| (part.batch.batch, part.heads())));
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("a block is far below 4 GiB");
        let header = BlockHeader {
            project_id,
            id,
            received_first: summary.received.0,
            received_last: summary.received.1,
            ts_first: summary.ts.0,
            ts_last: summary.ts.1,
            event_count: summary.events,
            raw_bytes: length(&self.raw),
            stored_bytes: length(&self.packed),
            codec: level.codec(),
            counts: summary.counts,
            id_filter,
            text_filter,
        };
        Block { header, body: self.packed.as_slice().to_vec() }
    }

    fn join_lines(&mut self, parts: &[Part<'_>]) {
        self.raw.clear();
        self.raw.extend_from_slice(b"[\n");
        for (position, line) in parts.iter().flat_map(Part::lines).enumerate() {
            self.raw.extend_from_slice(if position > 0 { b",\n" } else { b"" });
            self.raw.extend_from_slice(line);
        }
        self.raw.extend_from_slice(if self.raw.ends_with(b"}") { b"\n]" } else { b"]" });
    }

    fn compress(&mut self, level: CompressionLevel) {
        let slot = match level {
            CompressionLevel::Ingest => &mut self.ingest,
            CompressionLevel::Compact => &mut self.compact,
        };
        let compressor = slot.get_or_insert_with(|| {
            Compressor::new(CompressionLvl::new(level.number()).expect("1 and 6 are levels of libdeflate"))
        });
        let declared = u32::try_from(self.raw.len()).expect("a block is far below 4 GiB");
        let bound = compressor.zlib_compress_bound(self.raw.len());
        self.packed.clear();
        self.packed.extend_from_slice(&declared.to_le_bytes());
        self.packed.resize(4 + bound, 0);
        let written = compressor
            .zlib_compress(&self.raw, &mut self.packed[4..])
            .expect("the bound is libdeflate's own");
        self.packed.truncate(4 + written);
    }

    fn id_filter(&mut self, parts: &[Part<'_>]) -> Vec<u8> {
        self.tokens.clear();
        for part in parts {
            self.tokens.extend_from_slice(&part.batch.id_tokens);
        }
        self.tokens.sort_unstable();
        self.tokens.dedup();
        filter::build_ids(&self.tokens, self.filter_room())
    }

    /// Bytes both filters may have.
    const fn filter_room(&self) -> usize {
        self.packed.len() * FILTER_PERCENT / 100
    }

    /// Trigrams of what follows `id`, `ts` and `level` on each line; empty if it isn't worth its bytes.
    fn text_filter(&mut self, parts: &[Part<'_>], id_bytes: usize) -> Vec<u8> {
        if self.raw.len() < TEXT_FILTER_MIN_RAW {
            return Vec::new();
        }
        for line in parts.iter().flat_map(Part::lines) {
            let start = LineHead::parse(line).map_or(0, |head| head.length);
            self.trigrams.add(&line[start..]);
        }
        self.tokens.clear();
        self.trigrams.drain(&mut self.tokens);
        filter::build_within(&self.tokens, self.filter_room().saturating_sub(id_bytes))
    }
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
