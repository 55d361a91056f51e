//! Searching blocks: what is asked, which blocks may hold it, which of their lines do.
//!
//! [`run`] reads headers and bodies; everything else here is pure. What a header or a raw line
//! rules out is never wrong: a full match is decided on the parsed event alone.

pub mod cursor;
pub mod event_filter;
mod headers;
pub mod language;
pub mod run;
pub mod scan;
pub mod top;

#[cfg(test)]
mod samples;
