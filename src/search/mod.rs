//! Searching blocks: what is asked, which blocks may hold it, which of their lines do.
//!
//! [`run`] and [`find`] read headers and bodies; everything else here is pure. What a header or a raw line
//! rules out is never wrong: a full match is decided on the parsed event alone.

mod batch;
pub mod cursor;
pub mod event_filter;
pub mod find;
mod headers;
pub mod language;
pub mod run;
pub mod scan;
mod segment;
pub mod top;
pub mod turns;
pub mod workers;

#[cfg(test)]
mod samples;
