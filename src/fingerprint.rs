//! The fingerprint that says which issue an event belongs to.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

use crate::event::Event;

mod template;
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
/// x
#[derive(Default)]
pub struct Fingerprinter {
    buffer: String,
}
impl Fingerprinter {
    /// x
    pub fn fingerprint(&mut self, event: &Event<'_>) -> Fingerprint {
        self.buffer.clear();
        template::write(&event.message, &mut self.buffer);
        Fingerprint(xxh3_64(self.buffer.as_bytes()))
    }
    /// x
    pub fn template(&mut self, message: &str) -> &str {
        self.buffer.clear();
        template::write(message, &mut self.buffer);
        &self.buffer
    }
}
