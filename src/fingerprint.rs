//! The fingerprint that says which issue an event belongs to.
//!
//! With a stack trace it is a hash of the exception's type and the frames in the application's own code; else of the
//! message's template; or of the client's own grouping when it sent one. The source belongs to it. It depends on the
//! event alone: the same event has the same fingerprint on every instance, after every restart, in whatever order
//! events come, as long as [`VERSION`] stays.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

use crate::event::Event;

mod atom;
mod code;
mod context;
mod entity;
mod explain;
mod header;
mod host;
#[cfg(test)]
#[path = "fingerprint/hostile_tests.rs"]
mod hostile_tests;
mod judge;
mod library;
mod line;
mod name;
mod quote;
mod stack;
mod template;
#[cfg(test)]
mod tests;
#[cfg(test)]
#[path = "fingerprint/trace_tests.rs"]
mod trace_tests;
mod value;
mod visible;
mod word;

pub use explain::{Explanation, Kind};
pub use stack::{SeenFrame, Verdict, library_lines};

/// Version of the rules, part of every fingerprint: raised when the same event would get another one.
pub const VERSION: u8 = 2;
/// Longest title, in characters.
pub const MAX_TITLE_CHARACTERS: usize = 200;

/// What a client writes for the fingerprint it would have had, to add to it.
const DEFAULT_GROUPING: [&str; 2] = ["{{ default }}", "{{default}}"];
/// Begins each part of a client's own grouping, …
const OWN_PART: char = '\u{1}';
/// … what is made of a trace, …
const TRACE: char = '\u{2}';
/// … and what a part of it may be: a type, what a panic said, a code, a frame.
const TYPE: char = '\u{3}';
const CODE: char = '\u{4}';
const FRAME: char = '\u{5}';
const MESSAGE: char = '\u{6}';
/// A message is taken for a trace from so many frames on.
const MIN_FRAMES_IN_MESSAGE: usize = 2;

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

/// What a fingerprint is made of.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// What happened.
    pub message: &'a str,
    /// Which program or logger.
    pub source: &'a str,
    /// Stack trace as sent.
    pub stack: Option<&'a str>,
    /// The client's own grouping, one part a line.
    pub client: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(event: &'a Event<'_>) -> Self {
        Self {
            message: &event.message,
            source: &event.source,
            stack: event.stack.as_deref(),
            client: event.client_fingerprint.as_deref(),
        }
    }

    /// The trace with at least one frame, if there is one; loggers print it after the message too.
    fn trace(&self) -> Option<stack::Trace<'a>> {
        if let Some(trace) = self.stack.and_then(stack::read) {
            return Some(trace);
        }
        memchr::memchr(b'\n', self.message.as_bytes())?;
        stack::read(self.message).filter(|trace| trace.frames.len() >= MIN_FRAMES_IN_MESSAGE)
    }

    /// The parts of the client's own grouping.
    fn own(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.client.unwrap_or("").split('\n').map(str::trim).filter(|part| !part.is_empty())
    }
}

fn names_default(part: &str) -> bool {
    DEFAULT_GROUPING.iter().any(|default| part.contains(default))
}

/// Computes fingerprints; keeps its buffers, so that one made for a batch allocates little.
#[derive(Clone, Debug, Default)]
pub struct Fingerprinter {
    buffer: String,
    scratch: String,
}

impl Fingerprinter {
    /// With empty buffers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The event's fingerprint. A client's own grouping is taken as it is; `{{ default }}` in it stands for the
    /// fingerprint the event would have without.
    pub fn fingerprint(&mut self, event: &Event<'_>) -> Fingerprint {
        self.of_parts(&Parts::of(event))
    }

    fn of_parts(&mut self, parts: &Parts<'_>) -> Fingerprint {
        let (message, stack) = (visible::text(parts.message), parts.stack.map(visible::text));
        let parts = &Parts { message: &message, stack: stack.as_deref(), ..*parts };
        self.buffer.clear();
        self.buffer.push(char::from(VERSION));
        let mut own = parts.own().peekable();
        if own.peek().is_none() || parts.own().any(names_default) {
            match parts.trace() {
                Some(trace) => self.write_trace(&trace, parts),
                None => self.write_message(parts),
            }
        }
        for part in own.filter(|part| !DEFAULT_GROUPING.contains(part)) {
            self.buffer.push(OWN_PART);
            self.buffer.push_str(part);
        }
        Fingerprint(xxh3_64(self.buffer.as_bytes()))
    }

    fn write_message(&mut self, parts: &Parts<'_>) {
        template::write(parts.message, &mut self.buffer);
        self.buffer.push('\0');
        self.buffer.push_str(parts.source);
    }

    fn write_trace(&mut self, trace: &stack::Trace<'_>, parts: &Parts<'_>) {
        self.buffer.push(TRACE);
        self.buffer.push_str(parts.source);
        let told = Told::of(trace, parts, &mut self.scratch);
        for kind in &told.types {
            self.write_part(TYPE, kind);
        }
        for code in &told.codes {
            self.write_part(CODE, code);
        }
        for (function, file) in trace.counted() {
            self.write_part(FRAME, function);
            self.write_part('\0', file);
        }
        if let Some(text) = told.text {
            self.buffer.push(MESSAGE);
            template::write(text, &mut self.buffer);
        }
    }

    fn write_part(&mut self, mark: char, part: &str) {
        self.buffer.push(mark);
        self.buffer.push_str(part);
    }

    /// An issue's title: the message's template as people read it, at most [`MAX_TITLE_CHARACTERS`], on one line.
    #[must_use]
    pub fn title(&mut self, message: &str) -> String {
        let shown = self.shown(message);
        let end = shown.char_indices().nth(MAX_TITLE_CHARACTERS).map_or(shown.len(), |(end, _)| end);
        shown[..end].trim_end_matches([' ', '·']).to_owned()
    }

    /// The template of a message for people: its words are whole and its lines apart. It lives until the next call.
    pub fn shown(&mut self, message: &str) -> &str {
        self.buffer.clear();
        template::write_shown(&visible::text(message), &mut self.buffer);
        &self.buffer
    }

    /// The template of a message, as hashed. It lives until the next call.
    pub fn template(&mut self, message: &str) -> &str {
        self.buffer.clear();
        template::write(&visible::text(message), &mut self.buffer);
        &self.buffer
    }
}

/// What a trace's exceptions tell beside their frames.
struct Told<'a> {
    /// Types from the outermost exception on. Where the trace names none, the message may begin with one.
    types: Vec<&'a str>,
    /// Statuses and codes of what they said, or of the message where the trace doesn't say.
    codes: Vec<&'a str>,
    /// What is hashed as a template because types or functions are missing, or a panic has said it.
    text: Option<&'a str>,
}

impl<'a> Told<'a> {
    fn of(trace: &stack::Trace<'a>, parts: &Parts<'a>, scratch: &mut String) -> Self {
        let mut types = trace.kinds.clone();
        let mut said = trace.said.clone();
        if types.is_empty() {
            said = vec![parts.message];
            types.extend(header::kind(parts.message, false).map(|(kind, _)| kind));
        }
        let nameless = trace.counted().iter().all(|(function, _)| function.is_empty());
        let text = match () {
            () if trace.is_panic => trace.said.last().copied(),
            () if types.is_empty() => Some(parts.message),
            () if nameless => {
                Some(trace.said.first().copied().filter(|said| !said.is_empty()).unwrap_or(parts.message))
            }
            () => None,
        };
        let mut codes = Vec::new();
        for said in said {
            codes.append(&mut template::codes(said, scratch));
        }
        Self { types, codes, text }
    }
}

/// [`Fingerprinter::fingerprint`] for a single event.
#[must_use]
pub fn fingerprint(event: &Event<'_>) -> Fingerprint {
    Fingerprinter::new().fingerprint(event)
}
