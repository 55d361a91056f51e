//! Searching blocks: what is asked, which blocks may hold it, which of their lines do.
//!
//! [`run`] and [`find`] read headers and bodies; everything else here is pure. What a header or a raw line
//! rules out is never wrong: a full match is decided on the parsed event alone.

pub mod context;
pub mod cursor;
pub mod event_filter;
pub mod export;
pub mod find;
mod headers;
pub mod language;
pub mod run;
pub mod scan;
mod segment;
pub mod tail;
pub mod top;

#[cfg(test)]
mod samples;
