//! Tekno Logger: an overflow log sink.
//!
//! The story of one batch, in the order of the modules below:
//!
//! 1. [`server`] accepts the connection and hands the request to the routes of [`http`].
//! 2. [`limit`] charges the client's address, [`memory`] reserves room for the body, which is read up to its cap.
//! 3. [`verify`] checks the project key and the MAC over the raw bytes, before anything is inflated or parsed.
//! 4. [`protocol`] inflates and parses the body into raw events, each accepted or refused for itself.
//! 5. [`event`] normalises them, [`scrub`] takes secrets out, [`fingerprint`] names the issue each belongs to.
//! 6. [`ingest`] is that pipeline, one line a step; it ends by queueing the batch for [`mod@write`].
//! 7. [`mod@write`] gathers queued batches into compressed blocks ([`block`]) and commits blocks, batch ids and
//!    unfolded rows in one transaction through [`store`]; only then is the client answered. While a server database
//!    is away the [`spool`] takes its place, and hands over when it is back. Single events that the database refuses
//!    for themselves go into [`quarantine`].
//! 8. [`fold`] turns committed blocks into counts and issues once a second, exactly once.
//!    The [`ledger`] says what became of every event: from the blocks in the same transaction, else from [`outcome`].
//! 9. [`maintenance`] deletes what has expired and keeps the rest small, by one instance at a time.
//! 10. [`search`] skips blocks by their headers, inflates the rest and tests them line by line.
//! 11. [`alert`] brings what is worth saying to people, through [`outbound`], the guarded way out; [`keep_awake`] keeps
//!     the host from putting the service to sleep while the spool holds something.
//!
//! [`app`] builds all of it from a [`config::Config`] and stops it in order.

pub mod alert;
pub mod app;
pub mod audit;
pub mod block;
pub mod cli;
pub mod clock;
pub mod config;
pub mod database;
pub mod error;
pub mod event;
pub mod fingerprint;
pub mod fold;
pub mod http;
pub mod ingest;
pub mod issue;
pub mod keep_awake;
pub mod key;
pub mod ledger;
pub mod lifecycle;
pub mod limit;
pub mod maintenance;
pub mod memory;
pub mod metrics;
pub mod outbound;
pub mod outcome;
pub mod project;
pub mod protocol;
pub mod quarantine;
pub mod registry;
pub mod removal;
pub mod scrub;
pub mod search;
pub mod server;
pub mod spool;
pub mod store;
pub mod telemetry;
pub mod timestamp;
pub mod verify;
pub mod write;
