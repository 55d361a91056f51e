//! From a body's bytes to normalised events, one file a protocol.
//!
//! [`inflate`] undoes the Content-Encoding; a protocol then splits the body into events, accepts or refuses each for
//! itself and brings every field within its bound. [`scan`], [`text`] and [`context`] are the ground under all that
//! arrives as JSON. A body that can't be split at all is an [`crate::error::ApiError`].
//!
//! An event is refused with one of these codes:
//!
//! | code | why |
//! | --- | --- |
//! | [`NOT_AN_OBJECT`] | the event is a string, number, list or `null` |
//! | [`MESSAGE_MISSING`] | no message, or one that is `null` or empty |
//! | [`TOO_DEEP`] | nested more than [`MAX_DEPTH`] levels deep inside a field |

pub mod context;
pub mod inflate;
pub mod native;
pub mod scan;
pub mod text;

use std::borrow::Cow;

use crate::error::Rejection;
use crate::event::Event;
use crate::timestamp::Timestamp;
use text::{Cut, Room};

/// The event is not a JSON object.
pub const NOT_AN_OBJECT: &str = "not_an_object";
/// The event has no message.
pub const MESSAGE_MISSING: &str = "message_missing";
/// The event is nested too deep.
pub const TOO_DEEP: &str = "too_deep";

/// Bytes of a message that are kept.
pub const MESSAGE_BYTES: usize = 8 * 1024;
/// Bytes of a stack trace that are kept.
pub const STACK_BYTES: usize = 32 * 1024;
/// Characters of every other text field that are kept.
pub const FIELD_CHARS: usize = 256;
/// Bytes or characters beyond a bound that are kept until secrets are out: a secret that lies on the cut is then still
/// seen whole. [`cut_to_size`] takes the rest away.
pub(crate) const SECRET_SLACK: usize = 512;
/// Tags that are kept.
pub const MAX_TAGS: usize = 64;
/// Bytes of `ctx` as JSON that are kept.
pub const CTX_BYTES: usize = 64 * 1024;
/// Bytes to which a single entry is cut when `ctx` as a whole is too large.
pub const CTX_ENTRY_BYTES: usize = 8 * 1024;
/// Levels of arrays and objects inside `ctx`, itself included.
pub const MAX_DEPTH: u32 = 32;

/// Brings every text of an event within its bound; the last step before it is stored. `ctx` is within its own.
pub fn cut_to_size(event: &mut Event<'_>) {
    let mut cut = bound(&mut event.message, Room::Bytes(MESSAGE_BYTES));
    if let Some(stack) = &mut event.stack {
        cut |= bound(stack, Room::Bytes(STACK_BYTES));
    }
    let optional =
        [&mut event.user_id, &mut event.request_id, &mut event.release, &mut event.client_fingerprint];
    let fields = optional.into_iter().flatten().chain([&mut event.source, &mut event.env]);
    for field in fields.chain(&mut event.tags) {
        cut |= bound(field, Room::Chars(FIELD_CHARS));
    }
    event.truncated |= cut;
}

fn bound(text: &mut Cow<'_, str>, room: Room) -> bool {
    let whole = std::mem::take(text);
    let Cut { text: kept, cut } = room.cut(whole);
    *text = kept;
    cut
}

/// What a batch is read by.
#[derive(Clone, Copy, Debug)]
pub struct ParseRules<'a> {
    /// When the request was received: the time of events without one, and the latest any can have.
    pub received_at: Timestamp,
    /// The source of events without one.
    pub project_slug: &'a str,
    /// Events allowed in one body.
    pub max_events: usize,
}

/// A batch with each of its events accepted or refused.
#[derive(Clone, Debug)]
pub struct ParsedBatch<'a> {
    /// Events in the body: accepted and refused.
    pub received: u32,
    /// The accepted ones, in the body's order.
    pub events: Vec<Event<'a>>,
    /// The refused ones, in the body's order.
    pub rejected: Vec<Rejection>,
}
