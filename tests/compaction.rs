//! Compaction on every database at hand: what is merged, what readers see meanwhile, what a kill leaves.

#![allow(clippy::unwrap_used, reason = "a test stops at what fails")]

#[path = "compaction/erasing.rs"]
mod erasing;
#[path = "compaction/fill.rs"]
mod fill;
#[path = "compaction/galera.rs"]
mod galera;
#[path = "support/galera.rs"]
mod galera_cluster;
#[path = "compaction/kills.rs"]
mod kills;
#[path = "compaction/leases.rs"]
mod leases;
#[path = "compaction/merging.rs"]
mod merging;
#[path = "compaction/parts.rs"]
mod parts;
#[path = "support/private_server.rs"]
mod private_server;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "support/proxy.rs"]
mod proxy;
#[path = "compaction/readers.rs"]
mod readers;
#[path = "support/skip.rs"]
mod skip;
mod support;
#[path = "support/writer.rs"]
mod writer;
