//! Searching blocks: what is asked, which blocks may hold it, which of their lines do.
//!
//! [`run`], [`find`] and [`aggregate`] read headers and bodies; everything else here is pure. What a header or a raw
//! line rules out is never wrong: a full match is decided on the parsed event alone.

pub mod aggregate;
mod batch;
pub mod buckets;
pub mod context;
pub mod cursor;
pub mod event_filter;
pub mod export;
pub mod facets;
pub mod find;
mod headers;
pub mod histogram;
pub mod language;
pub mod patterns;
pub mod run;
pub mod scan;
mod segment;
pub mod tail;
pub mod top;
pub mod turns;
pub mod workers;

#[cfg(test)]
mod samples;
