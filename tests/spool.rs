//! The spool, on the real binary and a real `MariaDB` that is taken away: what is acknowledged meanwhile is there
//! afterwards, once, unaltered and counted.

#![allow(clippy::unwrap_used, reason = "a test stops at what fails")]
#![allow(clippy::disallowed_methods, reason = "tests read TEST_* variables and the wall clock")]
#![allow(dead_code, reason = "the harness is shared with tests/faults.rs")]

#[path = "support/balance.rs"]
mod balance;
#[path = "support/process.rs"]
mod process;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/server.rs"]
mod server;
#[path = "support/skip.rs"]
mod skip;

#[path = "faults/load.rs"]
mod load;
#[path = "faults/rig.rs"]
mod rig;

#[path = "spool/away.rs"]
mod away;
#[path = "spool/disk.rs"]
mod disk;
#[path = "spool/drained.rs"]
mod drained;
#[path = "spool/file.rs"]
mod file;
#[path = "spool/kills.rs"]
mod kills;
#[path = "spool/merged.rs"]
mod merged;
#[path = "spool/other.rs"]
mod other;
#[path = "spool/outage.rs"]
mod outage;
#[path = "spool/poison.rs"]
mod poison;
#[path = "spool/watch.rs"]
mod watch;
