//! Searching blocks: what is asked, which blocks may hold it, which of their lines do.
//!
//! Everything here is pure; reading headers and bodies is the orchestration's affair. What a header or a raw line
//! rules out is never wrong: a full match is decided on the parsed event alone.

pub mod cursor;
pub mod event_filter;
pub mod query;
pub mod scan;
pub mod top;

#[cfg(test)]
mod samples;
