//! The native protocol of `POST /log`: an array of events, `{"events": […]}`, or one event.
//!
//! The body is walked once. An event is refused alone, with its index; only a body that is not JSON, has nothing to
//! read or too much of it is refused as a whole. `fields` says what each event's fields become.

mod fields;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use self::fields::Fields;
use super::scan::{Kind, ScanError, Scanner};
use super::{MAX_DEPTH, NOT_AN_OBJECT, ParseRules, ParsedBatch, TOO_DEEP};
use crate::error::{ApiError, Rejection};
use crate::event::Event;

/// Bytes of U+FFFD.
const REPLACEMENT_BYTES: usize = '\u{FFFD}'.len_utf8();

/// Bytes an event has at least in practice; only a first guess at how many a body holds.
const LIKELY_EVENT_BYTES: usize = 128;

/// The body as text: without a byte order mark, and with U+FFFD in place of what is not UTF-8.
///
/// Borrowed unless something had to be replaced.
#[must_use]
pub fn decode(body: &[u8]) -> Cow<'_, str> {
    let text = without_mark(body);
    // The plain check is several times faster than the one that can go on after an error.
    std::str::from_utf8(text).map_or_else(|_| String::from_utf8_lossy(text), Cow::Borrowed)
}

/// As [`decode`], unless the replacements make more than `max` bytes of it: a wrong byte becomes three.
///
/// # Errors
/// [`ApiError::PayloadTooLarge`] then.
pub fn decode_within(body: &[u8], max: usize) -> Result<Cow<'_, str>, ApiError> {
    let text = without_mark(body);
    if let Ok(text) = std::str::from_utf8(text) {
        return Ok(Cow::Borrowed(text));
    }
    let replaced =
        |chunk: std::str::Utf8Chunk<'_>| if chunk.invalid().is_empty() { 0 } else { REPLACEMENT_BYTES };
    let bytes: usize = text.utf8_chunks().map(|chunk| chunk.valid().len() + replaced(chunk)).sum();
    if bytes > max {
        let detail = format!("the body is not UTF-8 and more than {max} bytes with what is wrong replaced");
        return Err(ApiError::PayloadTooLarge(detail));
    }
    Ok(String::from_utf8_lossy(text))
}

fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body)
}

/// Reads a body that [`decode`] has made text of; text in the events is borrowed from it where it can be.
///
/// The time is linear in the body, and ends with the first event beyond `max_events`. Fingerprints are left at
/// their default.
///
/// # Errors
/// - [`ApiError::InvalidJson`] when the body is not JSON (the detail says where), or has no event in it;
/// - [`ApiError::TooManyEvents`] with the limit in the detail.
pub fn parse<'a>(body: &'a str, rules: &ParseRules<'a>) -> Result<ParsedBatch<'a>, ApiError> {
    let mut batch = Batch::new(body, rules);
    let mut scanner = Scanner::new(body);
    let located = |error: ScanError| error.in_text(body);
    match scanner.peek() {
        Some(b'[') => batch.read_array(&mut scanner)?,
        Some(b'{') => match wrapped_array(body).map_err(located)? {
            Some(start) => {
                batch.read_array(&mut Scanner::starting_at(body, start))?;
                // The rest was walked when the array was looked for.
                return batch.finish();
            }
            None => batch.read_event(&mut scanner).map_err(located)?,
        },
        Some(_) => {
            scanner.value().map_err(located)?;
        }
        None => {}
    }
    scanner.end().map_err(located)?;
    batch.finish()
}

/// Where the array of `{"events": […]}` begins; `None` when the body's object is itself an event.
///
/// An object with a message is an event, whatever else it has; other fields beside `events` are ignored.
fn wrapped_array(body: &str) -> Result<Option<usize>, ScanError> {
    let mut scanner = Scanner::new(body);
    let (mut start, mut message) = (None, false);
    let mut more = scanner.enter(b'{', b'}')?;
    while more {
        let key = scanner.key()?;
        let value_start = scanner.at();
        let value = scanner.value()?;
        match key.inner() {
            "events" if value.kind == Kind::Array => start = start.or(Some(value_start)),
            "message" | "msg" => message |= value.kind != Kind::Null,
            _ => {}
        }
        more = scanner.another(b'}')?;
    }
    scanner.end()?;
    Ok(start.filter(|_| !message))
}

/// The batch while it is read.
struct Batch<'a, 'r> {
    body: &'a str,
    rules: &'r ParseRules<'a>,
    received: u32,
    events: Vec<Event<'a>>,
    rejected: Vec<Rejection>,
    /// Used again for each event.
    fields: Fields<'a>,
}

impl<'a, 'r> Batch<'a, 'r> {
    fn new(body: &'a str, rules: &'r ParseRules<'a>) -> Self {
        let likely = (body.len() / LIKELY_EVENT_BYTES + 1).min(rules.max_events);
        let events = Vec::with_capacity(likely);
        Self { body, rules, received: 0, events, rejected: Vec::new(), fields: Fields::default() }
    }

    fn read_array(&mut self, scanner: &mut Scanner<'a>) -> Result<(), ApiError> {
        let located = |error: ScanError| error.in_text(self.body);
        let mut more = scanner.enter(b'[', b']').map_err(located)?;
        while more {
            if self.received as usize >= self.rules.max_events {
                let detail = format!("a request may have at most {} events", self.rules.max_events);
                return Err(ApiError::TooManyEvents(detail));
            }
            more = self
                .read_event(scanner)
                .and_then(|()| scanner.another(b']'))
                .map_err(|error| error.in_text(self.body))?;
        }
        Ok(())
    }

    fn read_event(&mut self, scanner: &mut Scanner<'a>) -> Result<(), ScanError> {
        let index = self.received;
        let outcome = if scanner.peek() == Some(b'{') {
            self.fields.read(scanner)?;
            self.fields.normalise(index, self.rules)
        } else if scanner.value()?.depth > MAX_DEPTH {
            Err(too_deep(index))
        } else {
            let detail = Cow::Borrowed("an event is a JSON object");
            Err(Rejection { index, code: NOT_AN_OBJECT, detail })
        };
        self.received += 1;
        match outcome {
            Ok(event) => self.events.push(event),
            Err(rejection) => self.rejected.push(rejection),
        }
        Ok(())
    }

    fn finish(self) -> Result<ParsedBatch<'a>, ApiError> {
        if self.received == 0 {
            let detail = "nothing to read: send an array of events, {\"events\": [...]} or one event";
            return Err(ApiError::InvalidJson(detail.to_owned()));
        }
        Ok(ParsedBatch { received: self.received, events: self.events, rejected: self.rejected })
    }
}

fn too_deep(index: u32) -> Rejection {
    let detail = Cow::Owned(format!("nested more than {MAX_DEPTH} levels deep"));
    Rejection { index, code: TOO_DEEP, detail }
}
