//! The HTTP contract against the whole running service, over real sockets and real databases.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "http/captured.rs"]
mod captured;
#[path = "http/encodings.rs"]
mod encodings;
#[path = "http/ingest.rs"]
mod ingest;
#[path = "http/limits.rs"]
mod limits;
#[path = "http/refusals.rs"]
mod refusals;
#[path = "http/replays.rs"]
mod replays;
#[path = "support/running.rs"]
mod running;
mod support;
