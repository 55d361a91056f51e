//! Alerts on their way to people: the real service, real receivers on loopback, and public libraries that judge what
//! they get.

#![allow(clippy::unwrap_used, reason = "a test stops at what fails")]
#![allow(clippy::disallowed_methods, reason = "tests read TEST_* variables and the wall clock")]
#![allow(dead_code, reason = "the harness is shared with other tests")]

#[path = "support/process.rs"]
mod process;
#[path = "support/running.rs"]
mod running;
#[path = "support/skip.rs"]
mod skip;
mod support;
#[path = "support/writer.rs"]
mod writer;

#[path = "alerts/awake.rs"]
mod awake;
#[path = "alerts/channels.rs"]
mod channels;
#[path = "alerts/delivery.rs"]
mod delivery;
#[path = "alerts/discord.rs"]
mod discord;
#[path = "alerts/erased.rs"]
mod erased;
#[path = "alerts/instances.rs"]
mod instances;
#[path = "alerts/mail.rs"]
mod mail;
#[path = "alerts/peers.rs"]
mod peers;
#[path = "alerts/receiver.rs"]
mod receiver;
#[path = "alerts/rule_api.rs"]
mod rule_api;
#[path = "alerts/rule_filters.rs"]
mod rule_filters;
#[path = "alerts/rule_races.rs"]
mod rule_races;
#[path = "alerts/rules.rs"]
mod rules;
#[path = "alerts/webhook.rs"]
mod webhook;
