//! Events the database refuses for themselves, on real databases with a trigger of their own: everything else is stored,
//! those wait with their reason, and nothing is acknowledged that could be lost.

#![allow(clippy::unwrap_used, reason = "a test stops at what fails")]
#![allow(clippy::disallowed_methods, reason = "tests read TEST_* variables")]
#![allow(dead_code, reason = "the harness is shared with tests/http.rs")]

#[path = "support/running.rs"]
mod running;
#[path = "support/skip.rs"]
mod skip;
mod support;

#[path = "quarantine/admin.rs"]
mod admin;
#[path = "quarantine/counts.rs"]
mod counts;
#[path = "quarantine/refusing.rs"]
mod refusing;
#[path = "quarantine/wrong.rs"]
mod wrong;
