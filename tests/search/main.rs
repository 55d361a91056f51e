//! Reading logs through the running service, on every database at hand.

#![allow(clippy::unwrap_used, reason = "a test stops at what fails")]

#[path = "../support/events.rs"]
mod events;
#[path = "../support/reading.rs"]
mod reading;
#[path = "../support/skip.rs"]
mod skip;
#[path = "../support/mod.rs"]
mod support;

mod access;
mod aggregates;
mod bytes;
mod context;
mod export;
mod language;
mod limits;
mod model;
mod paging;
mod proxy;
mod queries;
mod random;
mod reports;
mod storage;
mod tail;
mod two_stores;
mod words;
