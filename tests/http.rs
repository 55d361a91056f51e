//! The HTTP contract against the whole running service, over real sockets and real databases.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "http/access.rs"]
mod access;
#[path = "http/assets.rs"]
mod assets;
#[path = "http/audit.rs"]
mod audit;
#[path = "http/captured.rs"]
mod captured;
#[path = "http/captured_log.rs"]
mod captured_log;
#[path = "http/clock.rs"]
mod clock;
#[path = "http/commands.rs"]
mod commands;
#[path = "http/encodings.rs"]
mod encodings;
#[path = "http/export_command.rs"]
mod export_command;
#[path = "http/ingest.rs"]
mod ingest;
#[path = "http/issues.rs"]
mod issues;
#[path = "http/ledger.rs"]
mod ledger;
#[path = "http/limits.rs"]
mod limits;
#[path = "http/maintenance.rs"]
mod maintenance;
#[path = "http/openapi.rs"]
mod openapi;
#[path = "http/projects.rs"]
mod projects;
#[path = "http/refusals.rs"]
mod refusals;
#[path = "http/replays.rs"]
mod replays;
#[path = "support/running.rs"]
mod running;
#[path = "support/schema.rs"]
mod schema;
#[path = "http/scrubbing.rs"]
mod scrubbing;
#[path = "support/skip.rs"]
mod skip;
mod support;
