//! The fingerprint that says which issue an event belongs to.
//!
//! It is a hash of the message's template, the source and the innermost frames of the application's own code, or of
//! the client's own grouping when it sent one. It depends on the event alone: the same event has the same fingerprint
//! on every instance, after every restart, as long as [`VERSION`] stays.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

use crate::event::Event;

mod frames;
mod template;
#[cfg(test)]
mod tests;
mod word;

/// Version of the rules, part of every fingerprint: raised when the same event would get another one.
pub const VERSION: u8 = 1;

/// 64 bits that name an issue within its project, printed as 16 lower-case hex digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// Reads 16 lower-case hex digits; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        plain.then(|| u64::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
/// Longest title, in characters.
pub const MAX_TITLE_CHARACTERS: usize = 200;

/// What a client writes for the fingerprint it would have had, to add to it.
const DEFAULT_GROUPING: [&str; 2] = ["{{ default }}", "{{default}}"];

/// What a fingerprint was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The fingerprint these parts give.
    pub fingerprint: Fingerprint,
    /// The message's template.
    pub template: String,
    /// The source.
    pub source: String,
    /// The exception's type, empty when there is none.
    pub exception: String,
    /// Function and file of the frames that count, at most five; digits left out.
    pub frames: Vec<(String, String)>,
}

/// Computes fingerprints; keeps its buffer, so that one made for a batch allocates once.
#[derive(Clone, Debug, Default)]
pub struct Fingerprinter {
    buffer: String,
}

impl Fingerprinter {
    /// With an empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The event's fingerprint. A client's own grouping is taken as it is; `{{ default }}` in it stands for the
    /// fingerprint the event would have without.
    pub fn fingerprint(&mut self, event: &Event<'_>) -> Fingerprint {
        self.buffer.clear();
        self.buffer.push(char::from(VERSION));
        let client = event.client_fingerprint.as_deref().map(str::trim).filter(|client| !client.is_empty());
        if client.is_none_or(|client| DEFAULT_GROUPING.iter().any(|default| client.contains(default))) {
            self.write_default(event);
        }
        if let Some(client) = client.filter(|client| !DEFAULT_GROUPING.contains(client)) {
            self.buffer.push('\u{1}');
            self.buffer.push_str(client);
        }
        Fingerprint(xxh3_64(self.buffer.as_bytes()))
    }

    fn write_default(&mut self, event: &Event<'_>) {
        self.write_parts(&event.message, &event.source, event.stack.as_deref());
    }

    fn write_parts(&mut self, message: &str, source: &str, stack: Option<&str>) {
        template::write(message, &mut self.buffer);
        self.buffer.push('\0');
        self.buffer.push_str(source);
        if let Some(stack) = stack {
            frames::write(stack, &mut self.buffer);
        }
    }

    /// Why an event with these fields has the fingerprint it has, unless its client grouped it otherwise.
    pub fn explain(&mut self, message: &str, source: &str, stack: Option<&str>) -> Explanation {
        let template = self.template(message).to_owned();
        self.buffer.clear();
        self.buffer.push(char::from(VERSION));
        self.write_parts(message, source, stack);
        let fingerprint = Fingerprint(xxh3_64(self.buffer.as_bytes()));
        let (exception, frames) = stack.map(frames::parts).unwrap_or_default();
        Explanation { fingerprint, template, source: source.to_owned(), exception, frames }
    }

    /// An issue's title: the message's template, at most [`MAX_TITLE_CHARACTERS`], on one line.
    #[must_use]
    pub fn title(&mut self, message: &str) -> String {
        self.template(message);
        let end =
            self.buffer.char_indices().nth(MAX_TITLE_CHARACTERS).map_or(self.buffer.len(), |(end, _)| end);
        self.buffer[..end].trim_end().to_owned()
    }

    /// The template of a message, as hashed. It lives until the next call.
    pub fn template(&mut self, message: &str) -> &str {
        self.buffer.clear();
        template::write(message, &mut self.buffer);
        &self.buffer
    }
}

/// [`Fingerprinter::fingerprint`] for a single event.
#[must_use]
pub fn fingerprint(event: &Event<'_>) -> Fingerprint {
    Fingerprinter::new().fingerprint(event)
}
