//! Faults: kills, cuts, stalls, freezes and refusals, on the real binary and real databases.
//!
//! Every test ends with the same question, asked event by event: is what was acknowledged there, once, unaltered, and
//! do the counts say so? A seed is printed where chance is involved; `TEST_SEED` replays it.

#![allow(clippy::unwrap_used, reason = "a test stops at what fails")]
#![allow(clippy::disallowed_methods, reason = "tests read TEST_* variables and the wall clock")]
#![allow(dead_code, reason = "the harness is shared by faults to come")]

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

#[path = "faults/absent.rs"]
mod absent;
#[path = "faults/black_holes.rs"]
mod black_holes;
#[path = "faults/bombs.rs"]
mod bombs;
#[path = "faults/cuts.rs"]
mod cuts;
#[path = "faults/dribble.rs"]
mod dribble;
#[path = "faults/files.rs"]
mod files;
#[path = "faults/frozen.rs"]
mod frozen;
#[path = "faults/kills.rs"]
mod kills;
#[path = "faults/limits.rs"]
mod limits;
#[path = "faults/refusals.rs"]
mod refusals;
#[path = "faults/self_check.rs"]
mod self_check;
#[path = "faults/stops.rs"]
mod stops;
#[path = "faults/torture.rs"]
mod torture;
