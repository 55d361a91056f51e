//! What is open and for how long, what is silent: on real databases, with a clock moved by hand.

#![allow(clippy::unwrap_used, reason = "a test stops at what fails")]
#![allow(dead_code, reason = "the harness is shared with other tests")]

#[path = "support/running.rs"]
mod running;
#[path = "support/skip.rs"]
mod skip;
mod support;
#[path = "support/writer.rs"]
mod writer;

#[path = "watch/chance.rs"]
mod chance;
#[path = "watch/day.rs"]
mod day;
#[path = "watch/endings.rs"]
mod endings;
#[path = "watch/instances.rs"]
mod instances;
#[path = "watch/late.rs"]
mod late;
#[path = "watch/noise.rs"]
mod noise;
#[path = "watch/rules.rs"]
mod rules;
#[path = "watch/silence.rs"]
mod silence;
#[path = "watch/timer.rs"]
mod timer;
#[path = "watch/world.rs"]
mod world;
